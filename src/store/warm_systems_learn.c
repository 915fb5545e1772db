#include "core/instant.h"
#include "store/warm_systems_rows.h"

#include <math.h>

static enum err
no_memory(struct err_info *info)
{
	return (err_set(info, ERR_NO_MEMORY, NULL, "what a zone learns from"));
}

enum err
warm_systems_next(struct warm *w, int64_t began_us, struct arena *arena,
    struct system_due *ret, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_time(&a, began_us);
	if ((e = warm_run(w, ST_fit_systems_next, &a, &r, info)) != ERR_OK)
		return (e);
	*ret = (struct system_due){0};
	if (PQntuples(r) == 0)
		return (ERR_OK);
	if ((ret->code = warm_dup_text(arena, r, 0, 1)) == NULL)
		return (no_memory(info));
	ret->zone = warm_get_i32(r, 0, 0);
	ret->systems = warm_get_i64(r, 0, 2);
	return (ERR_OK);
}

enum err
warm_system_offer(struct warm *w, int32_t zone, struct arena *arena,
    struct system_offer *ret, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	size_t i;
	enum err e;

	warm_i32(&a, zone);
	e = warm_run(w, ST_fit_system_series, &a, &r, info);
	if (e != ERR_OK)
		return (e);
	ret->n = (size_t)PQntuples(r);
	ret->series = systems_series(arena, r);
	ret->newest_us =
	    arena_calloc(arena, ret->n + 1, sizeof(*ret->newest_us));
	if (ret->series == NULL || ret->newest_us == NULL)
		return (no_memory(info));
	for (i = 0; i < ret->n; i++)
		ret->newest_us[i] = warm_get_time(r, (int)i, 4);
	return (ERR_OK);
}

enum err
warm_system_controls(struct warm *w, int32_t zone, struct arena *arena,
    struct system_control **ret, size_t *ret_n, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	struct system_control *c;
	size_t i;
	enum err e;

	warm_i32(&a, zone);
	e = warm_run(w, ST_fit_system_controls, &a, &r, info);
	if (e != ERR_OK)
		return (e);
	*ret_n = (size_t)PQntuples(r);
	if ((c = arena_calloc(arena, *ret_n + 1, sizeof(*c))) == NULL)
		return (no_memory(info));
	for (i = 0; i < *ret_n; i++) {
		c[i].link = warm_dup_text(arena, r, (int)i, 0);
		c[i].open = warm_get_bool(r, (int)i, 1);
		c[i].node = warm_dup_text(arena, r, (int)i, 2);
		c[i].above = warm_get_bool(r, (int)i, 3);
		c[i].level = warm_get_f64(r, (int)i, 4);
		if (c[i].link == NULL || c[i].node == NULL)
			return (no_memory(info));
	}
	*ret = c;
	return (ERR_OK);
}

enum err
warm_system_odd(struct warm *w, int32_t zone, const struct system_span *span,
    struct arena *arena, struct system_span **ret, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	struct system_span *s;
	size_t i, n;
	enum err e;

	warm_i32(&a, zone);
	warm_time(&a, span->from_us);
	warm_time(&a, span->to_us);
	if ((e = warm_run(w, ST_fit_system_odd, &a, &r, info)) != ERR_OK)
		return (e);
	n = (size_t)PQntuples(r);
	/* One more, that is empty. */
	if ((s = arena_calloc(arena, n + 1, sizeof(*s))) == NULL)
		return (no_memory(info));
	for (i = 0; i < n; i++)
		s[i] = (struct system_span){
		    warm_get_time(r, (int)i, 0), warm_get_time(r, (int)i, 1)};
	*ret = s;
	return (ERR_OK);
}

static enum err
put_series(struct warm *w, struct warm_args *a, size_t wire,
    const struct system_series *s, size_t n)
{
	size_t i;

	wire_reset(&w->wires[wire]);
	wire_array(&w->wires[wire], OID_INT4, n);
	for (i = 0; i < n; i++)
		wire_put_i32(&w->wires[wire], s[i].series);
	if (!wire_ok(&w->wires[wire]))
		return (ERR_NO_MEMORY);
	warm_wired(a, &w->wires[wire]);
	return (ERR_OK);
}

enum err
warm_system_until(struct warm *w, const struct system_learnt *l, int64_t now_us,
    int64_t *ret_us, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_i32(&a, l->zone);
	warm_time(&a, now_us);
	warm_i32(&a, l->step_s);
	if (put_series(w, &a, 0, l->members, l->n) != ERR_OK)
		return (no_memory(info));
	if ((e = warm_run(w, ST_fit_system_span, &a, &r, info)) != ERR_OK)
		return (e);
	*ret_us = warm_get_time(r, 0, 0);
	return (ERR_OK);
}

enum err
warm_system_column(
    struct warm *w, struct system_table *t, size_t at, struct err_info *info)
{
	return (systems_read(w, t, at, at + 1, info));
}

enum err
warm_system_learnt(
    struct warm *w, const struct system_learnt *l, struct err_info *info)
{
	struct warm_args a = {0};

	warm_i32(&a, l->zone);
	if (put_series(w, &a, 0, l->offered->series, l->offered->n) != ERR_OK ||
	    put_series(w, &a, 1, l->members, l->n) != ERR_OK)
		return (no_memory(info));
	warm_i32(&a, l->step_s);
	warm_time(&a, l->span.from_us);
	warm_time(&a, l->span.to_us);
	wire_reset(&w->wires[2]);
	if (!wire_room(&w->wires[2], l->state_len))
		return (no_memory(info));
	wire_bytes(&w->wires[2], l->state, l->state_len);
	warm_wired(&a, &w->wires[2]);
	return (warm_run_one(w, ST_fit_system_put, &a, info));
}

enum err
warm_system_refused(struct warm *w, int32_t zone,
    const struct system_offer *offer, const char *reason, struct err_info *info)
{
	struct warm_args a = {0};

	warm_i32(&a, zone);
	if (put_series(w, &a, 0, offer->series, offer->n) != ERR_OK)
		return (no_memory(info));
	warm_text(&a, reason);
	return (warm_run_one(w, ST_fit_system_refuse, &a, info));
}
