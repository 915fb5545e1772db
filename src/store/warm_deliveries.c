#include "store/warm_deliveries.h"

#include "store/warm_conn.h"

#include <stdlib.h>
#include <string.h>

#define EVENTS_MOST 1000000 /* rows */

enum err
deliveries_connect(struct warm *w, struct err_info *info)
{
	return (warm_connect(w, info));
}

void
delivery_done(struct delivery *d)
{
	free(d->url);
	free(d->type);
	free(d->body);
	*d = (struct delivery){0};
}

static bool
read_one(const PGresult *r, int row, struct delivery *ret)
{
	*ret = (struct delivery){
	    .hook = warm_get_i32(r, row, 0),
	    .event = warm_get_i64(r, row, 1),
	    .attempt = warm_get_i32(r, row, 2),
	    .url = strdup(warm_get_text(r, row, 3)),
	    .type = strdup(warm_get_text(r, row, 4)),
	    .body = strdup(warm_get_text(r, row, 5)),
	    .version = warm_get_i32(r, row, 6),
	    .old_too = warm_get_bool(r, row, 7),
	    .ailing = warm_get_bool(r, row, 8),
	};
	return (ret->url != NULL && ret->type != NULL && ret->body != NULL);
}

enum err
deliveries_claim(struct warm *w, const struct delivery_room *room,
    struct delivery *ret, size_t *ret_n, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	struct warm_args a = {0};
	struct wire *list = &w->wires[0];
	size_t i;
	enum err e;

	wire_reset(list);
	wire_array(list, OID_INT4, room->nbusy);
	for (i = 0; i < room->nbusy; i++)
		wire_put_i32(list, room->busy[i]);
	if (!wire_ok(list))
		return (err_set(info, ERR_NO_MEMORY, NULL, "no memory"));
	warm_i32(&a, (int32_t)room->most);
	warm_i32(&a, (int32_t)room->ailing);
	warm_wired(&a, list);
	warm_f64(&a, room->lease_s);
	if ((e = warm_run(w, ST_courier_claim, &a, &r, info)) != ERR_OK)
		return (e);
	for (i = 0; i < (size_t)PQntuples(r) && i < room->most; i++)
		if (!read_one(r, (int)i, &ret[i])) {
			delivery_done(&ret[i]);
			break; /* due again when the lease is over */
		}
	*ret_n = i;
	return (ERR_OK);
}

enum err
deliveries_settle(struct warm *w, const struct delivery *d,
    const struct outcome *o, struct err_info *info)
{
	struct warm_args a = {0};

	warm_i32(&a, d->hook);
	warm_i64(&a, d->event);
	warm_i32(&a, d->attempt);
	warm_i16(&a, o->delivered);
	warm_i32(&a, o->status);
	warm_text(&a, o->error);
	warm_f64(&a, o->life_s);
	return (warm_run(w, ST_courier_settle, &a, NULL, info));
}

enum err
deliveries_tidy(
    struct warm *w, double keep_s, bool *ret_more, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	struct warm_args a = {0};
	enum err e;

	warm_f64(&a, keep_s);
	warm_i64(&a, EVENTS_MOST);
	if ((e = warm_run(w, ST_courier_tidy, &a, &r, info)) == ERR_OK)
		*ret_more = warm_get_bool(r, 0, 0);
	return (e);
}
