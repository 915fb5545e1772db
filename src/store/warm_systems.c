#include "store/warm_systems.h"

#include "core/instant.h"
#include "domain/packed_rollup.h"
#include "store/warm_systems_rows.h"

#include <math.h>
#include <string.h>

static enum err
no_memory(struct err_info *info)
{
	return (err_set(info, ERR_NO_MEMORY, NULL, "a zone's steps"));
}

static enum err
due(void *self, int64_t now_us, int32_t *ret, size_t most, size_t *ret_n,
    struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	size_t i, n;
	enum err e;

	warm_time(&a, now_us);
	warm_i64(&a, (int64_t)most);
	e = warm_run(self, ST_cycle_systems_due, &a, &r, info);
	if (e != ERR_OK)
		return (e);
	n = (size_t)PQntuples(r) < most ? (size_t)PQntuples(r) : most;
	/* Taken from the end. */
	for (i = 0; i < n; i++)
		ret[n - 1 - i] = warm_get_i32(r, (int)i, 0);
	*ret_n = n;
	return (ERR_OK);
}

static bool
fill(struct arena *arena, const PGresult *r, struct system_zone *z)
{
	const size_t len = (size_t)PQgetlength(r, 0, 2);
	unsigned char *state = arena_alloc(arena, len);

	if (state == NULL || (z->code = warm_dup_text(arena, r, 0, 0)) == NULL)
		return (false);
	memcpy(state, PQgetvalue(r, 0, 2), len);
	z->step_us = warm_get_i32(r, 0, 1) * US_PER_SECOND;
	z->state = state;
	z->state_len = len;
	z->from_us = warm_get_time(r, 0, 3);
	z->told_us = warm_get_time(r, 0, 4);
	z->learnt_us = warm_get_time(r, 0, 13);
	z->gone = warm_get_bool(r, 0, 14);
	z->open = (struct system_open){.since_us = INSTANT_NONE};
	if (!PQgetisnull(r, 0, 6))
		z->open = (struct system_open){
		    .lead = warm_get_i32(r, 0, 6),
		    .manipulation = warm_get_bool(r, 0, 7),
		    .warning = warm_get_bool(r, 0, 8),
		    .since_us = warm_get_time(r, 0, 9),
		    .calm = warm_get_i32(r, 0, 10),
		    .sensor = warm_get_i32(r, 0, 11),
		    .process = warm_get_i32(r, 0, 12),
		};
	return (true);
}

static enum err
signals(struct warm *w, struct arena *arena, struct system_zone *z,
    struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	struct system_series *s;
	enum err e;

	warm_i32(&a, z->zone);
	e = warm_run(w, ST_cycle_system_signals, &a, &r, info);
	if (e != ERR_OK)
		return (e);
	z->n = (size_t)PQntuples(r);
	if ((s = systems_series(arena, r)) == NULL)
		return (no_memory(info));
	z->signals = s;
	return (ERR_OK);
}

static enum err
readings(struct warm *w, struct arena *arena, struct system_zone *z,
    struct err_info *info)
{
	struct system_table t = {.series = z->signals,
	    .n = z->n,
	    .steps = z->steps,
	    .from_us = z->from_us,
	    .step_us = z->step_us};

	if ((t.x = systems_room(arena, z->n * z->steps)) == NULL)
		return (no_memory(info));
	z->x = t.x;
	return (systems_read(w, &t, 0, t.n, info));
}

static enum err
take(void *self, struct arena *arena, int32_t zone, int64_t now_us,
    struct system_zone *ret, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	int64_t ready_us;
	enum err e;

	*ret = (struct system_zone){.zone = zone};
	warm_i32(&a, zone);
	warm_time(&a, now_us);
	e = warm_run(self, ST_cycle_system_take, &a, &r, info);
	if (e != ERR_OK || PQntuples(r) == 0)
		return (e);
	if (!fill(arena, r, ret))
		return (no_memory(info));
	ready_us = warm_get_time(r, 0, 5);
	if (ret->gone || ready_us == INSTANT_NONE || ready_us <= ret->told_us ||
	    ret->step_us <= 0)
		return (ERR_OK);
	ret->steps = (size_t)((ready_us - ret->from_us) / ret->step_us);
	if (ret->steps > SYSTEMS_STEPS_MOST)
		ret->steps = SYSTEMS_STEPS_MOST;
	if ((e = signals(self, arena, ret, info)) != ERR_OK)
		return (e);
	return (readings(self, arena, ret, info));
}

static enum err
save(void *self, const struct system_zone *z, const struct system_result *x,
    struct err_info *info)
{
	struct warm *w = self;
	const struct system_open *o = &x->open;
	const bool is_open = o->lead != 0;
	struct warm_args a = {0};

	warm_i32(&a, z->zone);
	if (x->state == NULL)
		warm_text(&a, NULL);
	else {
		wire_reset(&w->wires[0]);
		if (!wire_room(&w->wires[0], x->state_len))
			return (no_memory(info));
		wire_bytes(&w->wires[0], x->state, x->state_len);
		warm_wired(&a, &w->wires[0]);
	}
	warm_time(&a, x->upto_us);
	warm_time(&a, x->told_us);
	warm_text(&a, x->newest);
	if (is_open)
		warm_i32(&a, o->lead);
	else
		warm_text(&a, NULL);
	warm_i32(&a, o->manipulation);
	warm_text(&a, !is_open ? NULL : o->warning ? "warning" : "info");
	warm_time(&a, is_open ? o->since_us : INSTANT_NONE);
	warm_i32(&a, o->calm);
	warm_i32(&a, o->sensor);
	warm_i32(&a, o->process);
	warm_time(&a, z->learnt_us);
	return (warm_run_one(w, ST_cycle_system_put, &a, info));
}

static enum err
void_state(void *self, const struct system_zone *z, struct err_info *info)
{
	struct warm_args a = {0};

	warm_i32(&a, z->zone);
	warm_time(&a, z->learnt_us);
	warm_text(&a,
	    z->gone ? "fewer than 2 of its series are left in it"
		    : "another version learnt it; it is learnt anew");
	return (warm_run_one(self, ST_cycle_system_void, &a, info));
}

struct system_port
warm_systems(struct warm *w)
{
	return ((struct system_port){w, due, take, save, void_state});
}
