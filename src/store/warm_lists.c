/* What the loop reads back of its plans, commands and breakers. */
#include "core/fsm.h"
#include "core/instant.h"
#include "domain/plan.h"
#include "store/warm_conn.h"

#include <string.h>

/* Rows per list: what is left comes in the next cycle. */
#define LIST_MOST 1000

static enum err
no_memory(struct err_info *info)
{
	return (err_set(info, ERR_NO_MEMORY, NULL, "list is too long"));
}

static bool
plan_of(struct arena *arena, const PGresult *r, int i, struct plan *p)
{
	int direction = direction_parse(warm_get_text(r, i, 9));
	int risk = risk_parse(warm_get_text(r, i, 15));

	*p = (struct plan){
	    .id = warm_get_i64(r, i, 0),
	    .anomaly_id = warm_get_i64(r, i, 1),
	    .template_id = warm_get_i32(r, i, 2),
	    .state =
		(enum plan_state)fsm_state(&plan_fsm, warm_get_text(r, i, 3)),
	    .proposed_us = warm_get_time(r, i, 4),
	    .expires_us = warm_get_time(r, i, 5),
	    .approved_us = warm_get_time(r, i, 6),
	    .executed_us = warm_get_time(r, i, 7),
	    .sent_us = warm_get_time(r, i, PQfnumber(r, "sent_at")),
	    .began_us = warm_get_time(r, i, PQfnumber(r, "first_at")),
	    .effect_series = warm_get_i32(r, i, 8),
	    .control_series =
		warm_get_i32(r, i, PQfnumber(r, "control_series")),
	    .before_us = warm_get_span(r, i, PQfnumber(r, "before_s")),
	    .dwell_us = warm_get_span(r, i, PQfnumber(r, "dwell_s")),
	    .effect_direction =
		direction < 0 ? DIRECTION_NONE : (enum direction)direction,
	    .effect_least = warm_get_f64(r, i, 10),
	    .effect_window_us = warm_get_span(r, i, 11),
	    .reasons = warm_dup_text(arena, r, i, 12),
	    .knowledge_version = warm_get_i64(r, i, 13),
	    .anomaly_cleared = warm_get_i32(r, i, 14) != 0,
	    .risk = risk < 0 ? RISK_HIGH : (enum risk)risk,
	    .undoes = warm_get_i64(r, i, 16),
	    .preapproved = warm_get_i32(r, i, 17) != 0,
	};
	return (p->reasons != NULL);
}

enum err
warm_plans_in(void *self, struct arena *arena, int state, struct plan **ret,
    size_t *ret_n, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	struct plan *p;
	int i;
	enum err e;

	warm_text(&a, plan_state_name((enum plan_state)state));
	warm_i64(&a, LIST_MOST);
	if ((e = warm_run(self, ST_cycle_plans_in, &a, &r, info)) != ERR_OK)
		return (e);
	p = arena_alloc(arena, (size_t)PQntuples(r) * sizeof(*p));
	if (p == NULL)
		return (no_memory(info));
	for (i = 0; i < PQntuples(r); i++)
		if (!plan_of(arena, r, i, &p[i]))
			return (no_memory(info));
	*ret = p;
	*ret_n = (size_t)PQntuples(r);
	return (ERR_OK);
}

static bool
command_of(struct arena *arena, const PGresult *r, int i, struct command *c)
{
	*c = (struct command){
	    .id = warm_get_i64(r, i, 0),
	    .plan_id = warm_get_i64(r, i, 1),
	    .step = warm_get_i32(r, i, 2),
	    .state = (enum command_state)fsm_state(
		&command_fsm, warm_get_text(r, i, 3)),
	    .link_id = warm_get_i32(r, i, 4),
	    .gateway_id = warm_get_i32(r, i, 5),
	    .link = warm_dup_text(arena, r, i, 6),
	    .gateway = warm_dup_text(arena, r, i, 7),
	    .gateway_url = warm_dup_text(arena, r, i, 8),
	    .action = warm_dup_text(arena, r, i, 9),
	    .argument = warm_dup_text(arena, r, i, 10),
	    .not_after_us = warm_get_time(r, i, 12),
	    .next_attempt_us = warm_get_time(r, i, 13),
	    .attempts = warm_get_i32(r, i, 14),
	    .asked = warm_get_i32(r, i, 15),
	    .ask_until_us = warm_get_time(r, i, 16),
	    .repeatable = warm_get_bool(r, i, 17),
	    .secret_version = warm_get_i32(r, i, 18),
	};
	/* A uuid's text has 36 characters, always. */
	memcpy(c->key, warm_get_text(r, i, 11), sizeof(c->key) - 1);
	return (c->link != NULL && c->gateway != NULL &&
	    c->gateway_url != NULL && c->action != NULL && c->argument != NULL);
}

static enum err
commands(struct arena *arena, const PGresult *r, struct command **ret,
    size_t *ret_n, struct err_info *info)
{
	struct command *c;
	int i;

	c = arena_alloc(arena, (size_t)PQntuples(r) * sizeof(*c));
	if (c == NULL)
		return (no_memory(info));
	for (i = 0; i < PQntuples(r); i++)
		if (!command_of(arena, r, i, &c[i]))
			return (no_memory(info));
	*ret = c;
	*ret_n = (size_t)PQntuples(r);
	return (ERR_OK);
}

enum err
warm_commands_of(void *self, struct arena *arena, int64_t plan_id,
    struct command **ret, size_t *ret_n, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_i64(&a, plan_id);
	e = warm_run(self, ST_cycle_commands_of, &a, &r, info);
	return (e == ERR_OK ? commands(arena, r, ret, ret_n, info) : e);
}

enum err
warm_commands_due(void *self, struct arena *arena, int64_t now_us, size_t each,
    struct command **ret, size_t *ret_n, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_time(&a, now_us);
	warm_i64(&a, (int64_t)each);
	warm_i64(&a, LIST_MOST);
	e = warm_run(self, ST_cycle_commands_due, &a, &r, info);
	return (e == ERR_OK ? commands(arena, r, ret, ret_n, info) : e);
}

enum err
warm_breakers(void *self, struct arena *arena, struct breaker_state **ret,
    size_t *ret_n, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	struct breaker_state *b;
	int i;
	enum err e = warm_run(self, ST_cycle_breakers_get, NULL, &r, info);

	if (e != ERR_OK)
		return (e);
	b = arena_alloc(arena, (size_t)PQntuples(r) * sizeof(*b));
	if (b == NULL)
		return (no_memory(info));
	for (i = 0; i < PQntuples(r); i++)
		b[i] = (struct breaker_state){warm_get_i32(r, i, 0),
		    warm_get_i32(r, i, 1), warm_get_time(r, i, 2)};
	*ret = b;
	*ret_n = (size_t)PQntuples(r);
	return (ERR_OK);
}

static enum err
limits(struct warm *w, struct arena *arena, const struct command *c,
    struct guard_asset *a, struct err_info *info)
{
	struct warm_args args = {0};
	struct guard_limit *l;
	AUTO_RESULT r = NULL;
	enum err e;
	int i;

	warm_i64(&args, c->id);
	e = warm_run(w, ST_cycle_guard_limits, &args, &r, info);
	if (e != ERR_OK)
		return (e);
	l = arena_alloc(arena, ((size_t)PQntuples(r) + 1) * sizeof(*l));
	if (l == NULL)
		return (no_memory(info));
	for (i = 0; i < PQntuples(r); i++) {
		l[i] = (struct guard_limit){warm_dup_text(arena, r, i, 0),
		    warm_get_i32(r, i, 1), warm_get_f64(r, i, 2),
		    warm_get_f64(r, i, 3)};
		if (l[i].name == NULL)
			return (no_memory(info));
	}
	a->limits = l;
	a->nlimits = (size_t)PQntuples(r);
	return (ERR_OK);
}

/* NULL if the column is; a copy that did not fit sets *full. */
static const char *
text_or_null(struct arena *arena, const PGresult *r, int column, bool *full)
{
	const char *s;

	if (PQgetisnull(r, 0, column))
		return (NULL);
	s = warm_dup_text(arena, r, 0, column);
	*full = *full || s == NULL;
	return (s);
}

enum err
warm_guard_asset(void *self, struct arena *arena, const struct command *c,
    int64_t now_us, struct guard_asset *ret, struct err_info *info)
{
	struct warm_args args = {0};
	AUTO_RESULT r = NULL;
	bool full = false;
	enum err e;

	warm_i64(&args, c->id);
	warm_time(&args, now_us);
	e = warm_run(self, ST_cycle_guard_asset, &args, &r, info);
	if (e != ERR_OK)
		return (e);
	if (PQntuples(r) != 1)
		return (err_set(info, ERR_CONFLICT, NULL,
		    "command %lld is gone", (long long)c->id));
	*ret = (struct guard_asset){
	    .hands_off = text_or_null(arena, r, 0, &full),
	    .hands_off_by = text_or_null(arena, r, 1, &full),
	    .hands_off_why = text_or_null(arena, r, 2, &full),
	    .locked_by = text_or_null(arena, r, 3, &full),
	    .lock_why = text_or_null(arena, r, 4, &full),
	    .max_per_hour = warm_get_i32(r, 0, 5),
	    .min_interval_us = (int64_t)(warm_get_f64(r, 0, 6) * 1e6),
	    .moves = warm_get_i64(r, 0, 7),
	    .moved_us = warm_get_time(r, 0, 8),
	    .exclusion = text_or_null(arena, r, 9, &full),
	    .excluding = text_or_null(arena, r, 10, &full),
	    .excluding_plan = warm_get_i64(r, 0, 11),
	};
	return (full ? no_memory(info) : limits(self, arena, c, ret, info));
}
