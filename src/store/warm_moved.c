/*
 * What others stored beside the loop. Imports: the newest reading of each
 * series, in the order of their commits, which the lock of segments makes one.
 */
#include "domain/reading.h"
#include "store/warm_segments.h"

enum err
warm_moved(void *self, struct arena *arena, int64_t *mark, struct reading **ret,
    size_t *ret_n, struct err_info *info)
{
	struct warm *w = self;
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	struct reading *out;
	enum err e = warm_segments_lock(w, info);
	int i, n;

	warm_i64(&a, *mark);
	if (e != ERR_OK ||
	    (e = warm_run(w, ST_cycle_moved, &a, &r, info)) != ERR_OK)
		return (e);
	n = PQntuples(r);
	if ((out = arena_alloc(arena, (size_t)n * sizeof(*out))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "%d series", n));
	for (i = 0; i < n; i++) {
		out[i] = (struct reading){.series = warm_get_i32(r, i, 1),
		    .t_us = warm_get_time(r, i, 2),
		    .value = warm_get_f64(r, i, 3)};
		if (warm_get_i64(r, i, 0) > *mark)
			*mark = warm_get_i64(r, i, 0);
	}
	*ret = out;
	*ret_n = (size_t)n;
	return (ERR_OK);
}

/* What other instances have merged of series that are theirs. */
enum err
warm_newest(void *self, struct arena *arena, const int32_t *ids, size_t n,
    struct reading **ret, size_t *ret_n, struct err_info *info)
{
	struct warm *w = self;
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	struct reading *out;
	enum err e;
	size_t i;
	int rows;

	wire_reset(&w->wires[0]);
	wire_array(&w->wires[0], OID_INT4, n);
	for (i = 0; i < n; i++)
		wire_put_i32(&w->wires[0], ids[i]);
	if (!wire_ok(&w->wires[0]))
		return (err_set(info, ERR_NO_MEMORY, NULL, "%zu series", n));
	warm_wired(&a, &w->wires[0]);
	if ((e = warm_run(w, ST_cycle_newest, &a, &r, info)) != ERR_OK)
		return (e);
	rows = PQntuples(r);
	if ((out = arena_alloc(arena, (size_t)rows * sizeof(*out))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "%d series", rows));
	for (i = 0; i < (size_t)rows; i++)
		out[i] = (struct reading){
		    .series = warm_get_i32(r, (int)i, 0),
		    .t_us = warm_get_time(r, (int)i, 1),
		    .value = warm_get_f64(r, (int)i, 2),
		    .quality = wire_get_i16(PQgetvalue(r, (int)i, 3)),
		    .received_us = warm_get_time(r, (int)i, 4),
		};
	*ret = out;
	*ret_n = (size_t)rows;
	return (ERR_OK);
}
