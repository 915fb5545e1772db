/*
 * What imports stored beside the loop: the newest reading of each series, in
 * the order of their commits, which the lock of segments makes one.
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
