#include <jansson.h>

#include "cmd/district_setup.h"

#include "cmd/tool.h"
#include "core/text.h"
#include "model/district.h"

#include <stdio.h>
#include <string.h>

/* Beyond three cadences, so that a restart of the service is no silence. */
#define SILENCE_CADENCES 6

/* A small JSON body on the stack. */
struct body {
	struct text t;
	char buf[2048];
};

static struct text *
open_body(struct body *b)
{
	text_init_fixed(&b->t, b->buf, sizeof(b->buf));
	json_object(&b->t, NULL);
	return (&b->t);
}

static bool
make(struct ensure *e, const char *collection, const char *code, struct body *b,
    bool *ret_made)
{
	char item[512];

	json_object_end(&b->t);
	snprintf(item, sizeof(item), "%s", collection);
	return (text_ok(&b->t) && client_segment(item, sizeof(item), code) &&
	    ensure_there(e, item, collection, b->buf, ret_made));
}

/* Its address may have changed since the last start. */
static bool
make_gateway(struct ensure *e, int port)
{
	struct text *t;
	struct body b;
	char url[64];
	bool made;

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
	t = open_body(&b);
	json_string(t, "code", DISTRICT_GATEWAY);
	json_string(t, "name", "Gateway of the demo district (simulated)");
	json_string(t, "url", url);
	if (!make(e, "/api/v1/gateways", DISTRICT_GATEWAY, &b, &made))
		return (false);
	if (made)
		return (true);
	t = open_body(&b);
	json_string(t, "url", url);
	json_object_end(t);
	return (ensure_done(
	    e, "PATCH", "/api/v1/gateways/" DISTRICT_GATEWAY, b.buf));
}

static bool
make_node(struct ensure *e, const struct district_node *n)
{
	struct body b;
	struct text *t = open_body(&b);

	json_string(t, "code", n->code);
	json_string(t, "name", n->name);
	json_string(t, "type", n->type);
	json_string(t, "zone", DISTRICT_ZONE);
	json_double(t, "latitude", n->latitude);
	json_double(t, "longitude", n->longitude);
	json_bool(t, "simulated", true);
	return (make(e, "/api/v1/nodes", n->code, &b, NULL));
}

static bool
make_link(struct ensure *e, const struct district_link *l)
{
	struct body b;
	struct text *t = open_body(&b);

	json_string(t, "code", l->code);
	json_string(t, "type", l->type);
	json_string(t, "from_node", district_nodes[l->from].code);
	json_string(t, "to_node", district_nodes[l->to].code);
	if (strcmp(l->type, "pipe") != 0)
		json_string(t, "gateway", DISTRICT_GATEWAY);
	return (make(e, "/api/v1/links", l->code, &b, NULL));
}

static void
add_threshold(
    struct text *t, const struct district_threshold *h, double cadence_s)
{
	json_object(t, NULL);
	json_string(t, "direction", direction_name(h->direction));
	json_string(t, "severity", severity_name(h->severity));
	json_double(t, "set_level", h->set);
	json_double(t, "clear_level", h->clear);
	json_double(t, "on_delay_s", h->on_steps * cadence_s);
	json_double(t, "off_delay_s", h->off_steps * cadence_s);
	json_object_end(t);
}

static bool
has_thresholds(struct ensure *e, const char *path, bool *ret)
{
	struct client_reply r;
	json_t *doc;
	char buf[400];

	ensure_call(e, "GET", path, NULL, &r);
	if (r.status != 200) {
		tool_error(
		    "GET %s: %s", path, client_reason(&r, buf, sizeof(buf)));
		return (false);
	}
	doc = json_loadb(r.body, r.len, 0, NULL);
	*ret = json_array_size(json_object_get(doc, "thresholds")) > 0;
	json_decref(doc);
	return (true);
}

/* Looked at on every start: the last one may have ended in between. */
static bool
make_thresholds(
    struct ensure *e, const struct district_series *s, double cadence_s)
{
	char path[512];
	struct text *t;
	struct body b;
	bool there;
	size_t i;

	if (s->nthresholds == 0)
		return (true);
	snprintf(path, sizeof(path), "/api/v1/series/%s/%s/thresholds",
	    district_nodes[s->node].code, s->metric);
	if (!has_thresholds(e, path, &there))
		return (false);
	if (there)
		return (true);
	t = open_body(&b);
	json_array(t, "thresholds");
	for (i = 0; i < s->nthresholds; i++)
		add_threshold(t, &s->thresholds[i], cadence_s);
	json_array_end(t);
	json_object_end(t);
	return (ensure_done(e, "PUT", path, b.buf));
}

static bool
make_series(struct ensure *e, const struct district_series *s, double cadence_s)
{
	struct body b;
	struct text *t = open_body(&b);
	const char *node = district_nodes[s->node].code;
	char item[256];

	json_string(t, "node", node);
	json_string(t, "metric", s->metric);
	json_string(t, "unit", s->unit);
	json_string(t, "kind", series_kind_name(s->kind));
	json_double(t, "cadence_s", cadence_s);
	json_double(t, "silence_s", SILENCE_CADENCES * cadence_s);
	if (s->max_step > 0)
		json_double(
		    t, "max_rate_per_min", s->max_step * 60 / cadence_s);
	if (s->flatline_steps > 0)
		json_double(t, "flatline_s", s->flatline_steps * cadence_s);
	if (s->outlier_k > 0)
		json_double(t, "outlier_k", s->outlier_k);
	json_object_end(t);
	snprintf(item, sizeof(item), "/api/v1/series/%s/%s", node, s->metric);
	return (text_ok(t) &&
	    ensure_there(e, item, "/api/v1/series", b.buf, NULL) &&
	    make_thresholds(e, s, cadence_s));
}

static void
add_action(struct text *t, const struct district_template *p)
{
	json_array(t, "actions");
	json_object(t, NULL);
	json_int(t, "step", 1);
	json_string(t, "action", p->action);
	json_string(t, "target_type", p->target_type);
	json_string(t, "target_relation", p->target_relation);
	json_object_end(t);
	json_array_end(t);
}

static bool
make_template(
    struct ensure *e, const struct district_template *p, double cadence_s)
{
	struct body b;
	struct text *t = open_body(&b);

	json_string(t, "code", p->code);
	json_string(t, "name", p->name);
	json_string(t, "metric", p->metric);
	json_string(t, "anomaly_type", p->anomaly_type);
	json_string(t, "direction", direction_name(p->direction));
	json_string(t, "least_severity", severity_name(p->least_severity));
	json_string(t, "node_type", p->node_type);
	json_string(t, "effect_metric", p->effect_metric);
	json_string(t, "effect_direction", direction_name(p->effect_direction));
	json_double(t, "effect_least", p->effect_least);
	json_double(t, "effect_window_s", p->effect_window_steps * cadence_s);
	json_double(t, "expires_s", p->expires_s);
	json_double(t, "command_life_s", p->command_life_s);
	add_action(t, p);
	return (make(e, "/api/v1/plan-templates", p->code, &b, NULL));
}

bool
district_setup(struct ensure *e, double cadence_s, int gateway_port)
{
	size_t i;

	if (!make_gateway(e, gateway_port))
		return (false);
	for (i = 0; i < DISTRICT_NODES; i++)
		if (!make_node(e, &district_nodes[i]))
			return (false);
	for (i = 0; i < DISTRICT_SERIES; i++)
		if (!make_series(e, &district_series[i], cadence_s))
			return (false);
	for (i = 0; i < DISTRICT_LINKS; i++)
		if (!make_link(e, &district_links[i]))
			return (false);
	return (make_template(e, &district_template, cadence_s));
}

bool
district_secret(struct ensure *e, char ret[static GATEWAY_SECRET_MAX])
{
	struct client_reply r;
	const char *secret;
	json_t *doc;

	ret[0] = '\0';
	ensure_call(e, "POST", "/api/v1/gateways/" DISTRICT_GATEWAY "/secret",
	    NULL, &r);
	if (r.status == 409)
		return (true);
	doc = r.status == 200 ? json_loads(r.body, 0, NULL) : NULL;
	secret = json_string_value(json_object_get(doc, "secret"));
	if (secret == NULL || strlen(secret) >= GATEWAY_SECRET_MAX)
		tool_error("no secret for the gateway: status %d", r.status);
	else
		(void)snprintf(ret, GATEWAY_SECRET_MAX, "%s", secret);
	json_decref(doc);
	return (ret[0] != '\0');
}
