/*
 * The other instances on this database: whether there are any, what they
 * stored, and which shards of the log each of them watches.
 */
#include "store/warm_conn.h"

enum err
warm_instances(
    struct warm *w, int32_t id, int64_t *ret_others, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_i32(&a, id);
	warm_text(&a, w->instance);
	if ((e = warm_run(w, ST_cycle_instances, &a, &r, info)) != ERR_OK)
		return (e);
	*ret_others = warm_get_i64(r, 0, 0);
	return (ERR_OK);
}

enum err
warm_seen(struct warm *w, double lately_s,
    void (*fn)(void *arg, int32_t series, int64_t t_us), void *arg,
    struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;
	int i;

	warm_f64(&a, lately_s);
	if ((e = warm_run(w, ST_cycle_seen, &a, &r, info)) != ERR_OK)
		return (e);
	for (i = 0; i < PQntuples(r); i++)
		fn(arg, warm_get_i32(r, i, 0), warm_get_time(r, i, 1));
	return (ERR_OK);
}

/* Takes or gives back one shard; *mine tells what is owned then. */
static enum err
change_shard(struct warm *w, enum statement s, int shard, uint64_t *mine,
    struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_i32(&a, shard);
	if ((e = warm_run(w, s, &a, &r, info)) != ERR_OK)
		return (e);
	if (warm_get_bool(r, 0, 0))
		*mine ^= UINT64_C(1) << shard;
	return (ERR_OK);
}

/* An equal part, rounded up, so that none is left over. */
static enum err
balance(struct warm *w, int n, int share, uint64_t taken, uint64_t *mine,
    struct err_info *info)
{
	enum err e = ERR_OK;
	bool own;
	int i;

	for (i = 0; e == ERR_OK && i < n; i++) {
		own = *mine >> i & 1;
		if (own && __builtin_popcountll(*mine) > share)
			e = change_shard(w, ST_cycle_shard_give, i, mine, info);
		else if (!own && !(taken >> i & 1) &&
		    __builtin_popcountll(*mine) < share)
			e = change_shard(w, ST_cycle_shard_take, i, mine, info);
	}
	return (e);
}

enum err
warm_shards(
    struct warm *w, int64_t others, bool *ret_changed, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	enum err e = warm_run(w, ST_cycle_shards, NULL, &r, info);
	uint64_t mine = 0, before = w->owned;
	int n;

	if (e != ERR_OK)
		return (e);
	n = warm_get_i32(r, 0, 0);
	mine = (uint64_t)warm_get_i64(r, 0, 1);
	if (n > 1)
		e = balance(w, n, (int)((n + others) / (others + 1)),
		    (uint64_t)warm_get_i64(r, 0, 2), &mine, info);
	*ret_changed = mine != before || n != w->nshards;
	w->nshards = n;
	w->owned = mine;
	return (e);
}

bool
warm_watches(const struct warm *w)
{
	return (w->nshards > 1 ? w->owned != 0 : w->leader);
}

bool
warm_owns(void *self, int32_t series)
{
	const struct warm *w = self;

	return (
	    w->nshards <= 1 || (w->owned >> (series % w->nshards) & 1) != 0);
}
