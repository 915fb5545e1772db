#include "core/instant.h"
#include "core/log.h"
#include "domain/plan.h"
#include "store/warm_conn.h"

#include <string.h>

/* Rows per list: what is left comes in the next cycle. */
#define LIST_MOST 1000

static enum err
begin(void *self, struct err_info *info)
{
	return (warm_command(self, "BEGIN", "BEGIN", info));
}

static enum err
commit(void *self, struct err_info *info)
{
	struct warm *w = self;
	size_t i;
	enum err e = warm_command(w, "COMMIT", "COMMIT", info);

	for (i = 0; e == ERR_OK && i < w->nevents; i++)
		log_event(LOG_LEVEL_INFO, w->events[i].what, "id", LOG_INT,
		    w->events[i].id, NULL);
	if (e == ERR_OK && w->nmore > 0)
		log_event(LOG_LEVEL_INFO, "events_not_listed", "count", LOG_INT,
		    (int64_t)w->nmore, NULL);
	warm_forget(w);
	return (e);
}

static void
rollback(void *self)
{
	struct warm *w = self;

	warm_forget(w);
	if (w->conn != NULL && PQtransactionStatus(w->conn) != PQTRANS_IDLE)
		(void)warm_command(w, "ROLLBACK", "ROLLBACK", NULL);
}

struct birth {
	const char *subject, *rule, *state, *facts;
	int64_t id, at_us, version;
};

static enum err
born(struct warm *w, const struct birth *b, struct err_info *info)
{
	struct warm_args a = {0};

	warm_text(&a, b->subject);
	warm_i64(&a, b->id);
	warm_text(&a, b->rule);
	warm_text(&a, b->state);
	warm_time(&a, b->at_us);
	warm_text(&a, b->facts);
	warm_i64(&a, b->version);
	return (warm_run_one(w, ST_cycle_born, &a, info));
}

static void
add_condition(struct warm_args *a, const struct condition *c)
{
	warm_i32(a, c->series);
	warm_text(a, anomaly_type_name(c->type));
	warm_text(a, direction_name(c->direction));
	warm_text(a, severity_name(c->severity));
}

static enum err
anomaly_raise(void *self, const struct anomaly *x, int64_t *ret_id,
    bool *ret_new, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	int64_t id;
	enum err e;

	add_condition(&a, &x->condition);
	warm_text(&a, x->rule_id);
	warm_time(&a, x->first_us);
	warm_time(&a, x->last_us);
	warm_f64(&a, x->value);
	warm_f64(&a, x->limit);
	warm_text(&a, x->evidence);
	warm_i64(&a, x->knowledge_version);
	warm_i32(&a, x->condition.rule);
	e = warm_run(self, ST_cycle_anomaly_raise, &a, &r, info);
	if (e != ERR_OK)
		return (e);
	id = warm_get_i64(r, 0, 0);
	if (warm_get_bool(r, 0, 1) &&
	    (e = born(self,
		 &(struct birth){"anomaly", x->rule_id, "open", x->evidence, id,
		     x->first_us, x->knowledge_version},
		 info)) != ERR_OK)
		return (e);
	*ret_id = id;
	*ret_new = warm_get_bool(r, 0, 1);
	return (ERR_OK);
}

static void
add_move(struct warm_args *a, const struct move *m)
{
	warm_text(a, m->row_id);
	warm_text(a, m->from);
	warm_text(a, m->to);
	warm_time(a, m->at_us);
	warm_text(a, m->facts == NULL ? "{}" : m->facts);
	warm_i64(a, m->knowledge_version);
}

static enum err
anomaly_clear(void *self, const struct condition *c, const struct move *m,
    struct err_info *info)
{
	struct warm_args a = {0};

	add_condition(&a, c);
	add_move(&a, m);
	warm_i32(&a, c->rule);
	return (warm_run(self, ST_cycle_anomaly_clear, &a, NULL, info));
}

static enum err
anomaly_told(
    void *self, int32_t series, int64_t at_us, bool *ret, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_i32(&a, series);
	warm_text(&a, anomaly_type_name(ANOMALY_UNUSUAL));
	warm_time(&a, at_us);
	e = warm_run(self, ST_cycle_anomaly_told, &a, &r, info);
	if (e == ERR_OK)
		*ret = warm_get_bool(r, 0, 0);
	return (e);
}

static enum err
move(void *self, const struct move *m, struct err_info *info)
{
	struct warm_args a = {0};
	enum statement s;

	if (strcmp(m->subject, "command") == 0)
		s = ST_cycle_move_command;
	else if (strcmp(m->subject, "plan") == 0)
		s = ST_cycle_move_plan;
	else if (strcmp(m->subject, "anomaly") == 0)
		s = ST_cycle_move_anomaly;
	else
		return (err_set(
		    info, ERR_INTERNAL, NULL, "move of a %s", m->subject));
	warm_i64(&a, m->id);
	add_move(&a, m);
	return (warm_run_one(self, s, &a, info));
}

static bool
anomaly_of(struct arena *arena, const PGresult *r, int i, struct anomaly *x)
{
	int type = anomaly_type_parse(warm_get_text(r, i, 2));
	int direction = direction_parse(warm_get_text(r, i, 3));
	int severity = severity_parse(warm_get_text(r, i, 4));

	*x = (struct anomaly){
	    .id = warm_get_i64(r, i, 0),
	    .condition = {warm_get_i32(r, i, 1), (enum anomaly_type)type,
		(enum direction)direction, (enum severity)severity,
		warm_get_i32(r, i, 12)},
	    .rule_id = warm_dup_text(arena, r, i, 5),
	    .first_us = warm_get_time(r, i, 6),
	    .last_us = warm_get_time(r, i, 7),
	    .value = warm_get_f64(r, i, 8),
	    .limit = warm_get_f64(r, i, 9),
	    .evidence = warm_dup_text(arena, r, i, 10),
	    .knowledge_version = warm_get_i64(r, i, 11),
	};
	return (type >= 0 && direction >= 0 && severity >= 0);
}

static enum err
anomalies_unplanned(void *self, struct arena *arena, int64_t fresh_us,
    struct anomaly **ret, size_t *ret_n, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	struct anomaly *x;
	size_t n = 0;
	int i;
	enum err e;

	warm_i64(&a, LIST_MOST);
	warm_time(&a, fresh_us);
	e = warm_run(self, ST_cycle_anomalies_unplanned, &a, &r, info);
	if (e != ERR_OK)
		return (e);
	x = arena_alloc(arena, (size_t)PQntuples(r) * sizeof(*x));
	for (i = 0; x != NULL && i < PQntuples(r); i++) {
		if (!anomaly_of(arena, r, i, &x[n])) {
			log_event(LOG_LEVEL_ERROR, "anomaly_unreadable", "id",
			    LOG_INT, x[n].id, NULL);
			continue;
		}
		if (x[n].rule_id == NULL || x[n].evidence == NULL)
			x = NULL;
		n++;
	}
	if (x == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "anomalies"));
	*ret = x;
	*ret_n = n;
	return (ERR_OK);
}

static enum err
anomalies_open(void *self, int64_t ret[3], struct err_info *info)
{
	AUTO_RESULT r = NULL;
	enum err e = warm_run(self, ST_cycle_anomalies_open, NULL, &r, info);
	int i;

	for (i = 0; e == ERR_OK && i < 3; i++)
		ret[i] = warm_get_i64(r, 0, i);
	return (e);
}

static enum err
anomaly_planned(void *self, int64_t id, const char *outcome,
    const char *reasons, struct err_info *info)
{
	struct warm_args a = {0};

	warm_i64(&a, id);
	warm_text(&a, outcome);
	warm_text(&a, reasons);
	return (warm_run_one(self, ST_cycle_anomaly_planned, &a, info));
}

static enum err
insert_plan(struct warm *w, const struct plan *p, int64_t *ret_id,
    struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_i64(&a, p->anomaly_id);
	warm_i32(&a, p->template_id);
	warm_text(&a, plan_state_name(PLAN_PROPOSED));
	warm_time(&a, p->proposed_us);
	warm_time(&a, p->expires_us);
	if (p->effect_series == 0)
		warm_text(&a, NULL);
	else
		warm_i32(&a, p->effect_series);
	warm_text(&a, direction_name(p->effect_direction));
	warm_f64(&a, p->effect_least);
	warm_f64(&a, (double)p->effect_window_us / 1e6);
	warm_text(&a, p->reasons);
	warm_i64(&a, p->knowledge_version);
	warm_text(&a, risk_name(p->risk));
	if ((e = warm_run(w, ST_cycle_plan_propose, &a, &r, info)) != ERR_OK)
		return (e);
	if (PQntuples(r) != 1)
		return (err_set(info, ERR_CONFLICT, NULL, "template %d is gone",
		    (int)p->template_id));
	*ret_id = warm_get_i64(r, 0, 0);
	return (ERR_OK);
}

static enum err
plan_propose(void *self, const struct plan *p, const struct command *c,
    size_t n, int64_t *ret_id, struct err_info *info)
{
	struct warm_args a;
	int64_t id = 0;
	size_t i;
	enum err e = insert_plan(self, p, &id, info);

	if (e == ERR_OK)
		e = born(self,
		    &(struct birth){"plan", "P0", "proposed", p->reasons, id,
			p->proposed_us, p->knowledge_version},
		    info);
	for (i = 0; e == ERR_OK && i < n; i++) {
		a = (struct warm_args){0};
		warm_i64(&a, id);
		warm_i32(&a, c[i].step);
		warm_i32(&a, c[i].link_id);
		warm_i32(&a, c[i].gateway_id);
		warm_text(&a, c[i].action);
		warm_text(&a, c[i].argument);
		warm_text(&a, c[i].key);
		warm_i32(&a, c[i].repeatable);
		e = warm_run_one(self, ST_cycle_command_add, &a, info);
	}
	if (e == ERR_OK)
		*ret_id = id;
	return (e);
}

static enum err
plan_open_on(
    void *self, int32_t link_id, struct plan_holder *ret, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_i32(&a, link_id);
	e = warm_run(self, ST_cycle_plan_open_on, &a, &r, info);
	if (e != ERR_OK)
		return (e);
	*ret = (struct plan_holder){0};
	if (PQntuples(r) == 1)
		*ret = (struct plan_holder){
		    .plan_id = warm_get_i64(r, 0, 0),
		    .state = fsm_state(&plan_fsm, warm_get_text(r, 0, 1)),
		    .severity = severity_parse(warm_get_text(r, 0, 2)),
		    .undoes = warm_get_i64(r, 0, 3),
		};
	return (ERR_OK);
}

static enum err
plan_unasked(void *self, int64_t plan_id, const char *policy, bool *ret,
    struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_i64(&a, plan_id);
	warm_text(&a, policy);
	e = warm_run(self, ST_cycle_plan_unasked, &a, &r, info);
	if (e == ERR_OK)
		*ret = warm_get_bool(r, 0, 0);
	return (e);
}

static enum err
command_attempt(void *self, const struct command *c, const char *error,
    struct err_info *info)
{
	struct warm_args a = {0};

	warm_i64(&a, c->id);
	warm_i32(&a, c->attempts);
	warm_i32(&a, c->asked);
	warm_time(&a, c->next_attempt_us);
	warm_time(&a, c->ask_until_us);
	warm_text(&a, error);
	return (warm_run_one(self, ST_cycle_command_attempt, &a, info));
}

static enum err
breaker_save(void *self, const struct breaker_state *b, struct err_info *info)
{
	struct warm_args a = {0};

	warm_i32(&a, b->gateway_id);
	warm_i32(&a, b->failures);
	warm_time(&a, b->open_until_us);
	return (warm_run_one(self, ST_cycle_breaker_put, &a, info));
}

struct decisions_port
warm_decisions(struct warm *w)
{
	return ((struct decisions_port){w, begin, commit, rollback,
	    anomaly_raise, anomaly_clear, anomaly_told, anomalies_unplanned,
	    anomalies_open, anomaly_planned, plan_propose, plan_open_on,
	    plan_unasked, warm_plans_in, warm_commands_of, warm_commands_due,
	    move, command_attempt, warm_guard_asset, warm_breakers,
	    breaker_save, warm_holds_turn, warm_alarms_due, warm_alarms_put,
	    warm_alarms_group});
}
