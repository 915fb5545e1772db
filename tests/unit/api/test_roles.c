/* Who may do what, written down a second time: every route of the table with
 * every role. A route that is not here fails the test. */
#include "api/fake.h"
#include "api/pages.h"
#include "api/route.h"
#include "core/metrics.h"
#include "ingest/registry.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* A anonymous, D device, V viewer, O operator, E engineer, M admin */
static const struct {
	const char *name, *may;
} expected[] = {
    {"health", "ADVOEM"},
    {"ready", "ADVOEM"},
    {"metrics", "ADVOEM"},
    {"openapi_get", "ADVOEM"},
    {"docs_get", "ADVOEM"},
    {"docs_file_get", "ADVOEM"},
    {"token_create", "ADVOEM"},
    {"token_refresh", "ADVOEM"},
    {"logout", "VOEM"},
    {"logout_all", "VOEM"},
    {"me_get", "DVOEM"},
    {"stream", "VOEM"},
    {"plans_dossier", "VOEM"},
    {"webhooks_list", "M"},
    {"webhooks_create", "M"},
    {"webhooks_get", "M"},
    {"webhooks_change", "M"},
    {"webhooks_delete", "M"},
    {"webhooks_secret", "M"},
    {"deliveries_list", "M"},
    {"deliveries_again", "M"},
    {"users_list", "M"},
    {"users_create", "M"},
    {"users_disable", "M"},
    {"users_get", "M"},
    {"users_change", "M"},
    {"users_password", "M"},
    {"own_password", "VOEM"},
    {"api_keys_list", "EM"},
    {"api_keys_create", "EM"},
    {"api_keys_revoke", "EM"},
    {"api_keys_get", "EM"},
    {"api_keys_change", "EM"},
    {"api_keys_rotate", "EM"},
    {"readings_create", "DEM"},
    {"readings_list", "VOEM"},
    {"readings_before", "VOEM"},
    {"consumption_get", "VOEM"},
    {"consumption_check", "VOEM"},
    {"consumption_check_keep", "OEM"},
    {"latest_list", "VOEM"},
    {"latest_get", "VOEM"},
    {"nodes_list", "VOEM"},
    {"nodes_create", "EM"},
    {"nodes_get", "VOEM"},
    {"nodes_change", "EM"},
    {"nodes_retire", "EM"},
    {"series_list", "VOEM"},
    {"series_create", "EM"},
    {"series_get", "VOEM"},
    {"series_change", "EM"},
    {"thresholds_get", "VOEM"},
    {"thresholds_put", "EM"},
    {"links_list", "VOEM"},
    {"links_create", "EM"},
    {"links_get", "VOEM"},
    {"links_change", "EM"},
    {"links_delete", "EM"},
    {"gateways_list", "VOEM"},
    {"gateways_create", "M"},
    {"gateways_get", "VOEM"},
    {"gateways_change", "M"},
    {"gateways_secret", "M"},
    {"metrics_list", "VOEM"},
    {"templates_list", "VOEM"},
    {"templates_create", "EM"},
    {"templates_get", "VOEM"},
    {"templates_change", "EM"},
    {"anomalies_list", "VOEM"},
    {"anomalies_get", "VOEM"},
    {"anomalies_ack", "OEM"},
    {"anomalies_comment", "OEM"},
    {"anomalies_assign", "OEM"},
    {"anomalies_shelve", "OEM"},
    {"anomalies_unshelve", "OEM"},
    {"anomalies_resolve", "OEM"},
    {"anomalies_take_out", "EM"},
    {"anomalies_put_back", "EM"},
    {"holds_list", "VOEM"},
    {"holds_get", "VOEM"},
    {"holds_end", "OEM"},
    {"maintenance_create", "OEM"},
    {"out_of_service_create", "EM"},
    {"alarm_classes_list", "VOEM"},
    {"alarm_classes_get", "VOEM"},
    {"alarm_classes_change", "EM"},
    {"notifications_list", "VOEM"},
    {"incidents_list", "VOEM"},
    {"incidents_get", "VOEM"},
    {"alarm_figures", "VOEM"},
    {"night_flow_get", "VOEM"},
    {"zones_change", "EM"},
    {"system_get", "VOEM"},
    {"zone_controls_get", "VOEM"},
    {"zone_controls_put", "EM"},
    {"state_machines_get", "VOEM"},
    {"plans_list", "VOEM"},
    {"plans_get", "VOEM"},
    {"plans_approve", "OEM"},
    {"plans_reject", "OEM"},
    {"plans_cancel", "OEM"},
    {"plans_undo", "OEM"},
    {"plans_propose", "EM"},
    {"plans_override", "EM"},
    {"after_reviews_list", "VOEM"},
    {"after_reviews_get", "VOEM"},
    {"after_reviews_close", "EM"},
    {"templates_preapprove", "EM"},
    {"loop_emergency", "EM"},
    {"link_guards_get", "VOEM"},
    {"link_guards_put", "EM"},
    {"link_lock", "OEM"},
    {"link_unlock", "OEM"},
    {"hands_off_list", "VOEM"},
    {"hands_off_set", "OEM"},
    {"hands_off_release", "OEM"},
    {"commands_list", "VOEM"},
    {"commands_get", "VOEM"},
    {"commands_redrive", "OEM"},
    {"commands_settle", "OEM"},
    {"loop_get", "VOEM"},
    {"loop_pause", "EM"},
    {"loop_resume", "EM"},
    {"audit_list", "M"},
    {"revocations_list", "M"},
    {"revocations_create", "M"},
    {"archives_list", "VOEM"},
    {"archives_get", "VOEM"},
    {"retention_list", "VOEM"},
    {"retention_put", "M"},
    {"meter_events_list", "VOEM"},
    {"meter_events_create", "EM"},
    {"meter_events_void", "EM"},
    {"quality_flags_list", "VOEM"},
    {"imports_create", "EM"},
    {"imports_list", "EM"},
    {"imports_get", "EM"},
    {"imports_part_put", "EM"},
    {"imports_finish", "EM"},
    {"imports_cancel", "EM"},
    {"template_proof_get", "VOEM"},
    {"template_proof_put", "EM"},
    {"template_figures_get", "VOEM"},
    {"template_figures_accept", "EM"},
    {"rules_list", "VOEM"},
    {"rules_create", "EM"},
    {"rules_get", "VOEM"},
    {"rules_change", "EM"},
    {"rules_delete", "EM"},
    {"rules_versions", "VOEM"},
    {"rules_shadow", "VOEM"},
    {"rules_backtest", "EM"},
    {"predictions_get", "VOEM"},
    {"models_list", "VOEM"},
    {"models_promote", "EM"},
    {"predictions_list", "VOEM"},
    {"models_get", "VOEM"},
    {"holidays_get", "VOEM"},
    {"holidays_put", "EM"},
};
#define NEXPECTED (sizeof(expected) / sizeof(*expected))

static const char letters[] = "ADVOEM";

static const char *
may(const char *name)
{
	for (size_t i = 0; i < NEXPECTED; i++)
		if (strcmp(expected[i].name, name) == 0)
			return (expected[i].may);
	return (NULL);
}

/* The pattern with every {name} filled in. */
static void
fill(const char *pattern, char *ret, size_t size)
{
	size_t n = 0;

	for (; *pattern != '\0' && n + 1 < size; pattern++) {
		ret[n++] = *pattern == '{' ? '7' : *pattern;
		if (*pattern == '{')
			pattern = strchr(pattern, '}');
	}
	ret[n] = '\0';
}

static void
put_node(void)
{
	struct node_row n = {.code = "7", .change = 1};

	cr_assert_eq(registry_put_node(fake.api.registry, &n), ERR_OK);
}

static void
check(const struct route *route, enum role role, const char *allowed)
{
	bool in = strchr(allowed, letters[role]) != NULL;
	char path[256];
	struct fake_call c;

	fill(route->pattern, path, sizeof(path));
	call_init(&c, route->method, path, NULL);
	if (role != ROLE_ANONYMOUS)
		call_header(&c, "Authorization", fake_bearer(role));
	call_run(&c);
	if (in) /* no page of /docs is called 7 */
		cr_expect(c.status != 401 && c.status != 403 &&
			(c.status != 404 || route->handle == docs_file_get) &&
			c.status != 405,
		    "%s as %s: %d %s", route->name, role_name(role), c.status,
		    c.body);
	else
		cr_expect_eq(c.status, role == ROLE_ANONYMOUS ? 401 : 403,
		    "%s as %s: %d %s", route->name, role_name(role), c.status,
		    c.body);
	if (!in)
		cr_expect_eq(fake.nasked, 0, "%s as %s asked the database",
		    route->name, role_name(role));
	call_done(&c);
}

Test(roles, each_cell)
{
	for (size_t i = 0; i < nroutes; i++) {
		const char *allowed = may(routes[i].name);

		cr_expect_not_null(
		    allowed, "%s is not expected", routes[i].name);
		for (int r = 0; allowed != NULL && r < ROLE_COUNT; r++) {
			fake_init();
			fake.query_refuses = ERR_DATABASE;
			put_node();
			check(&routes[i], (enum role)r, allowed);
			fake_done();
		}
	}
	cr_expect_eq(nroutes, NEXPECTED);
}

/* The table itself: what the dispatcher relies on. */
Test(routes, are_complete)
{
	for (size_t i = 0; i < nroutes; i++) {
		const struct route *r = &routes[i];
		struct route_match m;
		char path[256];

		cr_expect_not_null(r->handle, "%s", r->pattern);
		cr_expect_not_null(r->summary, "%s", r->name);
		cr_expect(r->roles != 0 && r->roles < 1u << ROLE_COUNT, "%s",
		    r->name);
		cr_expect_not(r->body != NULL && r->body_own, "%s", r->name);
		/* Who is let in without a token has no zones to be kept in. */
		if (r->method != METHOD_GET &&
		    (r->roles & ALLOW(ROLE_OPERATOR)) &&
		    !(r->roles & ALLOW(ROLE_ANONYMOUS)))
			cr_expect(r->scope != SCOPE_UNSAID,
			    "%s: say in .scope how it minds the zones of "
			    "operators",
			    r->name);
		else
			cr_expect_eq(r->scope, SCOPE_UNSAID, "%s", r->name);
		fill(r->pattern, path, sizeof(path));
		route_find(r->method, path, &m);
		cr_expect_eq(m.route, r, "%s", r->name);
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(routes[j].name, r->name);
	}
	cr_expect_lt(nroutes, METRIC_ROUTES);
	cr_expect_str_eq(route_label(nroutes), "none");
}
