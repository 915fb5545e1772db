#include "core/instant.h"
#include "core/log.h"
#include "domain/plan.h"
#include "domain/rule.h"
#include "domain/series.h"
#include "domain/series_state.h"
#include "store/warm_conn.h"

#include <stdlib.h>
#include <string.h>

/* States per statement. */
#define CHUNK 5000
/* A series is silent after this many cadences, unless it says otherwise. */
#define SILENCE_CADENCES 3

static enum err
no_memory(struct err_info *info)
{
	return (err_set(info, ERR_NO_MEMORY, NULL, "knowledge is too big"));
}

static enum err
version(void *self, int64_t *ret, struct err_info *info)
{
	struct warm *w = self;
	AUTO_RESULT r = NULL;
	enum err e = warm_run(w, ST_cycle_version, NULL, &r, info);

	if (e != ERR_OK)
		return (e);
	/* While a change is under way, what was known before still holds. */
	if (w->version == -1 || warm_get_bool(r, 0, 1))
		w->version = warm_get_i64(r, 0, 0);
	*ret = w->version;
	return (ERR_OK);
}

static bool
series_of(struct arena *a, const PGresult *r, int i, struct series *s)
{
	int kind = series_kind_parse(warm_get_text(r, i, 7));

	*s = (struct series){
	    .id = warm_get_i32(r, i, 0),
	    .node_id = warm_get_i32(r, i, 1),
	    .node = warm_dup_text(a, r, i, 2),
	    .node_type = warm_dup_text(a, r, i, 3),
	    .zone = warm_dup_text(a, r, i, 4),
	    .metric = warm_dup_text(a, r, i, 5),
	    .unit = warm_dup_text(a, r, i, 6),
	    .kind = kind < 0 ? SERIES_INSTANT : (enum series_kind)kind,
	    .cadence_us = warm_get_span(r, i, 8),
	    .silence_us = warm_get_span(r, i, 9),
	    .max_rate_per_min = warm_get_f64(r, i, 10),
	    .flatline_us = warm_get_span(r, i, 11),
	    .outlier_k = PQgetisnull(r, i, 12) ? 0 : warm_get_f64(r, i, 12),
	    .unwatched = warm_get_bool(r, i, 13),
	};
	if (s->silence_us == 0)
		s->silence_us = SILENCE_CADENCES * s->cadence_us;
	return (s->node != NULL && s->node_type != NULL && s->zone != NULL &&
	    s->metric != NULL && s->unit != NULL);
}

static void
add_threshold(struct series *s, const PGresult *r, int i)
{
	int direction = direction_parse(warm_get_text(r, i, 2));
	int severity = severity_parse(warm_get_text(r, i, 3));

	if (s->nthresholds == SERIES_THRESHOLDS || direction < 0 ||
	    severity < 0) {
		log_event(LOG_LEVEL_ERROR, "threshold_ignored", "id", LOG_INT,
		    (int64_t)warm_get_i32(r, i, 1), NULL);
		return;
	}
	s->thresholds[s->nthresholds++] = (struct threshold){
	    .id = warm_get_i32(r, i, 1),
	    .direction = (enum direction)direction,
	    .severity = (enum severity)severity,
	    .set = warm_get_f64(r, i, 4),
	    .clear = warm_get_f64(r, i, 5),
	    .on_delay_us = warm_get_span(r, i, 6),
	    .off_delay_us = warm_get_span(r, i, 7),
	};
}

static enum err
load_series(
    struct warm *w, struct arena *a, struct knowledge *k, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	AUTO_RESULT t = NULL;
	struct series *s;
	int i, n, row = 0;
	enum err e = warm_run(w, ST_cycle_series, NULL, &r, info);

	if (e != ERR_OK ||
	    (e = warm_run(w, ST_cycle_thresholds, NULL, &t, info)) != ERR_OK)
		return (e);
	n = PQntuples(r);
	if ((s = arena_calloc(a, (size_t)n, sizeof(*s))) == NULL)
		return (no_memory(info));
	for (i = 0; i < n; i++) {
		if (!series_of(a, r, i, &s[i]))
			return (no_memory(info));
		/* Both rise by series; a retired one's are passed over. */
		while (row < PQntuples(t) && warm_get_i32(t, row, 0) < s[i].id)
			row++;
		while (row < PQntuples(t) && warm_get_i32(t, row, 0) == s[i].id)
			add_threshold(&s[i], t, row++);
	}
	k->series = s;
	k->nseries = (size_t)n;
	return (ERR_OK);
}

static bool
template_of(struct arena *a, const PGresult *r, int i, struct plan_template *t)
{
	int direction = direction_parse(warm_get_text(r, i, 4));
	int least = severity_parse(warm_get_text(r, i, 5));
	int effect = direction_parse(warm_get_text(r, i, 9));
	int risk = risk_parse(warm_get_text(r, i, 14));

	*t = (struct plan_template){
	    .id = warm_get_i32(r, i, 0),
	    .code = warm_dup_text(a, r, i, 1),
	    .metric = warm_dup_text(a, r, i, 2),
	    .anomaly_type = warm_dup_text(a, r, i, 3),
	    .direction =
		direction < 0 ? DIRECTION_NONE : (enum direction)direction,
	    .least_severity =
		least < 0 ? SEVERITY_CRITICAL : (enum severity)least,
	    .node_type = warm_dup_text(a, r, i, 6),
	    .priority = warm_get_i32(r, i, 7),
	    .effect_metric = warm_dup_text(a, r, i, 8),
	    .effect_direction =
		effect < 0 ? DIRECTION_NONE : (enum direction)effect,
	    .effect_least = warm_get_f64(r, i, 10),
	    .effect_window_us = warm_get_span(r, i, 11),
	    .expires_us = warm_get_span(r, i, 12),
	    .command_life_us = warm_get_span(r, i, 13),
	    .risk = risk < 0 ? RISK_HIGH : (enum risk)risk,
	    .effect_in_zone = strcmp(warm_get_text(r, i, 15), "zone") == 0,
	    .trials = warm_get_i32(r, i, 16),
	    .successes = warm_get_i32(r, i, 17),
	    .guard_metrics = warm_dup_text(a, r, i, 18),
	    .preapproved = warm_get_i32(r, i, 19) != 0,
	};
	return (t->code != NULL && t->metric != NULL &&
	    t->anomaly_type != NULL && t->node_type != NULL &&
	    t->effect_metric != NULL && t->guard_metrics != NULL);
}

static bool
action_of(
    struct arena *a, const PGresult *r, int i, struct template_action *action)
{
	*action = (struct template_action){
	    .repeatable = warm_get_bool(r, i, 6),
	    .step = warm_get_i32(r, i, 1),
	    .action = warm_dup_text(a, r, i, 2),
	    .target_type = warm_dup_text(a, r, i, 3),
	    .target_relation = warm_dup_text(a, r, i, 4),
	    .argument = warm_dup_text(a, r, i, 5),
	};
	return (action->action != NULL && action->target_type != NULL &&
	    action->target_relation != NULL && action->argument != NULL);
}

static enum err
load_templates(
    struct warm *w, struct arena *a, struct knowledge *k, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	AUTO_RESULT s = NULL;
	struct template_action *actions;
	struct plan_template *t;
	int i, n, row = 0;
	enum err e = warm_run(w, ST_cycle_templates, NULL, &r, info);

	if (e != ERR_OK ||
	    (e = warm_run(w, ST_cycle_actions, NULL, &s, info)) != ERR_OK)
		return (e);
	n = PQntuples(r);
	t = arena_calloc(a, (size_t)n, sizeof(*t));
	actions = arena_calloc(a, (size_t)PQntuples(s), sizeof(*actions));
	if (t == NULL || actions == NULL)
		return (no_memory(info));
	for (i = 0; i < n; i++) {
		if (!template_of(a, r, i, &t[i]))
			return (no_memory(info));
		t[i].actions = actions + row;
		for (; row < PQntuples(s) && warm_get_i32(s, row, 0) == t[i].id;
		     row++, t[i].nactions++)
			if (!action_of(a, s, row, &actions[row]))
				return (no_memory(info));
	}
	k->templates = t;
	k->ntemplates = (size_t)n;
	return (ERR_OK);
}

static enum err
load_actuators(
    struct warm *w, struct arena *a, struct knowledge *k, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	struct actuator *l;
	int i, n;
	enum err e = warm_run(w, ST_cycle_actuators, NULL, &r, info);

	if (e != ERR_OK)
		return (e);
	n = PQntuples(r);
	if ((l = arena_calloc(a, (size_t)n, sizeof(*l))) == NULL)
		return (no_memory(info));
	for (i = 0; i < n; i++) {
		l[i] = (struct actuator){
		    .link_id = warm_get_i32(r, i, 0),
		    .link = warm_dup_text(a, r, i, 1),
		    .type = warm_dup_text(a, r, i, 2),
		    .to_node_id = warm_get_i32(r, i, 3),
		    .to_zone = warm_dup_text(a, r, i, 4),
		    .gateway_id = warm_get_i32(r, i, 5),
		    .gateway = warm_dup_text(a, r, i, 6),
		};
		if (l[i].link == NULL || l[i].type == NULL ||
		    l[i].to_zone == NULL || l[i].gateway == NULL)
			return (no_memory(info));
	}
	k->actuators = l;
	k->nactuators = (size_t)n;
	return (ERR_OK);
}

static enum err
load_rules(
    struct warm *w, struct arena *a, struct knowledge *k, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	struct rule_text *t;
	int i, n;
	enum err e = warm_run(w, ST_cycle_rules, NULL, &r, info);

	if (e != ERR_OK)
		return (e);
	n = PQntuples(r);
	if ((t = arena_calloc(a, (size_t)n, sizeof(*t))) == NULL)
		return (no_memory(info));
	for (i = 0; i < n; i++) {
		t[i] = (struct rule_text){
		    .rule = warm_get_i32(r, i, 0),
		    .version = warm_get_i32(r, i, 1),
		    .shadow = warm_get_bool(r, i, 2),
		    .code = warm_dup_text(a, r, i, 3),
		    .body = warm_dup_text(a, r, i, 4),
		};
		if (t[i].code == NULL || t[i].body == NULL)
			return (no_memory(info));
	}
	k->rules = t;
	k->nrules = (size_t)n;
	return (ERR_OK);
}

static enum err
load_all(
    struct warm *w, struct arena *a, struct knowledge *k, struct err_info *info)
{
	enum err e = warm_run(w, ST_cycle_knowledge_lock, NULL, NULL, info);

	if (e == ERR_OK)
		e = version(w, &k->version, info);
	if (e == ERR_OK)
		e = load_series(w, a, k, info);
	if (e == ERR_OK)
		e = load_templates(w, a, k, info);
	if (e == ERR_OK)
		e = load_rules(w, a, k, info);
	return (e == ERR_OK ? load_actuators(w, a, k, info) : e);
}

/* What the loop no longer sees it could never clear. */
static enum err
clear_retired(struct warm *w, int64_t version_now, struct err_info *info)
{
	struct warm_args a = {0};

	warm_i64(&a, version_now);
	return (warm_run(w, ST_cycle_retired_clear, &a, NULL, info));
}

/*
 * Under the lock that every change of knowledge takes, so that all parts and
 * the version are of one moment. Within a unit of work the lock ends with a
 * savepoint, or people's changes would wait for the whole cycle.
 */
static enum err
load(void *self, struct arena *a, struct knowledge *ret, struct err_info *info)
{
	struct warm *w = self;
	struct knowledge k = {0};
	bool within =
	    w->conn != NULL && PQtransactionStatus(w->conn) == PQTRANS_INTRANS;
	enum err e;

	e = within ? warm_command(w, "SAVEPOINT k", "SAVEPOINT", info)
		   : warm_command(w, "BEGIN", "BEGIN", info);
	if (e == ERR_OK)
		e = load_all(w, a, &k, info);
	if (within && e == ERR_OK)
		e = warm_command(w, "ROLLBACK TO k", "ROLLBACK", info);
	if (within && e == ERR_OK)
		e = warm_command(w, "RELEASE k", "RELEASE", info);
	if (within && e == ERR_OK)
		e = clear_retired(w, k.version, info);
	if (!within)
		(void)warm_command(w, "ROLLBACK", "ROLLBACK", NULL);
	if (e == ERR_OK)
		*ret = k;
	return (e);
}

static int
by_id(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return ((x > y) - (x < y));
}

static void
place_states(
    const PGresult *r, const int32_t *ids, size_t n, struct series_state *ret)
{
	const int32_t *at;
	int32_t id;
	int i;

	for (i = 0; i < PQntuples(r); i++) {
		id = warm_get_i32(r, i, 0);
		at = bsearch(&id, ids, n, sizeof(*ids), by_id);
		if (at == NULL)
			continue;
		if (!series_state_decode(&ret[at - ids], id,
			(const unsigned char *)PQgetvalue(r, i, 1),
			(size_t)PQgetlength(r, i, 1))) {
			series_state_init(&ret[at - ids], id);
			log_event(LOG_LEVEL_WARN, "state_unreadable", "series",
			    LOG_INT, (int64_t)id, NULL);
		}
	}
}

static enum err
states_get(struct warm *w, const int32_t *ids, size_t n,
    struct series_state *ret, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	size_t i;
	enum err e;

	wire_reset(&w->wires[0]);
	wire_array(&w->wires[0], OID_INT4, n);
	for (i = 0; i < n; i++) {
		wire_put_i32(&w->wires[0], ids[i]);
		series_state_init(&ret[i], ids[i]);
	}
	if (!wire_ok(&w->wires[0]))
		return (no_memory(info));
	warm_wired(&a, &w->wires[0]);
	e = warm_run(w, ST_cycle_states_get, &a, &r, info);
	if (e == ERR_OK)
		place_states(r, ids, n, ret);
	return (e);
}

static enum err
states_put(struct warm *w, const struct series_state *s, size_t n,
    struct err_info *info)
{
	unsigned char buf[SERIES_STATE_BYTES];
	struct warm_args a = {0};
	size_t i, len;

	wire_reset(&w->wires[0]);
	wire_reset(&w->wires[1]);
	wire_array(&w->wires[0], OID_INT4, n);
	wire_array(&w->wires[1], OID_BYTEA, n);
	for (i = 0; i < n; i++) {
		len = series_state_encode(&s[i], buf);
		wire_put_i32(&w->wires[0], s[i].series);
		wire_i32(&w->wires[1], (int32_t)len);
		wire_bytes(&w->wires[1], buf, len);
	}
	if (!wire_ok(&w->wires[0]) || !wire_ok(&w->wires[1]))
		return (no_memory(info));
	warm_wired(&a, &w->wires[0]);
	warm_wired(&a, &w->wires[1]);
	return (warm_run(w, ST_cycle_states_put, &a, NULL, info));
}

static enum err
states_load(void *self, const int32_t *ids, size_t n, struct series_state *ret,
    struct err_info *info)
{
	enum err e = ERR_OK;
	size_t i, count;

	for (i = 0; e == ERR_OK && i < n; i += count) {
		count = n - i < CHUNK ? n - i : CHUNK;
		e = states_get(self, ids + i, count, ret + i, info);
	}
	return (e);
}

static enum err
states_save(
    void *self, const struct series_state *s, size_t n, struct err_info *info)
{
	enum err e = ERR_OK;
	size_t i, count;

	for (i = 0; e == ERR_OK && i < n; i += count) {
		count = n - i < CHUNK ? n - i : CHUNK;
		e = states_put(self, s + i, count, info);
	}
	return (e);
}

static enum err
paused(void *self, bool *ret, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	enum err e = warm_run(self, ST_cycle_paused, NULL, &r, info);

	if (e == ERR_OK && PQntuples(r) != 1)
		return (err_set(
		    info, ERR_DATABASE, NULL, "loop_status has no row"));
	if (e == ERR_OK)
		*ret = warm_get_bool(r, 0, 0);
	return (e);
}

static enum err
emergency(void *self, bool *ret, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	enum err e = warm_run(self, ST_cycle_emergency, NULL, &r, info);

	if (e == ERR_OK && PQntuples(r) != 1)
		return (err_set(
		    info, ERR_DATABASE, NULL, "loop_status has no row"));
	if (e == ERR_OK)
		*ret = warm_get_bool(r, 0, 0);
	return (e);
}

static enum err
report(void *self, const char *system_state, const char *figures,
    struct err_info *info)
{
	struct warm *w = self;
	struct warm_args a = {0};

	warm_text(&a, system_state);
	warm_text(&a, figures);
	warm_text(&a, w->instance);
	return (warm_run_one(w, ST_cycle_report, &a, info));
}

struct knowledge_port
warm_knowledge(struct warm *w)
{
	return (
	    (struct knowledge_port){w, version, load, states_load, states_save,
		paused, emergency, report, warm_rules_load, warm_rules_save,
		warm_rule_found, warm_watches_load, warm_watches_save});
}
