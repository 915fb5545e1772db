#include "store/warm_forecasts.h"

#include "core/instant.h"
#include "core/log.h"
#include "domain/calendar.h"
#include "domain/packed_rollup.h"
#include "store/warm_conn.h"

#include <math.h>
#include <string.h>

enum err
forecasts_lead(struct warm *w, bool *ret_leads, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	enum err e = warm_connect(w, info);

	if (e == ERR_OK && !w->leader &&
	    (e = warm_run(w, ST_fit_lead, NULL, &r, info)) == ERR_OK)
		w->leader = warm_get_bool(r, 0, 0);
	if (e == ERR_OK)
		*ret_leads = w->leader;
	return (e);
}

enum err
forecasts_zone(struct warm *w, const char *zone, int64_t from_us, int64_t to_us,
    struct forecasts_zone *ret, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	struct warm_args a = {0};
	size_t i;
	enum err e;

	warm_text(&a, zone);
	warm_time(&a, from_us);
	warm_time(&a, to_us);
	if ((e = warm_run(w, ST_fit_zone, &a, &r, info)) != ERR_OK)
		return (e);
	if (PQntuples(r) < 1 || PQntuples(r) > FORECASTS_SHIFTS)
		return (err_set(info, ERR_INVALID, NULL,
		    "the clock of %s is put %d times", zone, PQntuples(r)));
	ret->n = (size_t)PQntuples(r);
	for (i = 0; i < ret->n; i++) {
		ret->shifts[i].since_us = warm_get_time(r, (int)i, 0);
		ret->shifts[i].ahead_us =
		    warm_get_i32(r, (int)i, 1) * US_PER_SECOND;
	}
	return (ERR_OK);
}

enum err
forecasts_calendar(
    struct warm *w, struct forecasts_calendar *ret, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	struct warm_args a = {0};
	int i;
	enum err e;

	warm_i32(&a, FORECASTS_HOLIDAYS);
	if ((e = warm_run(w, ST_fit_holidays, &a, &r, info)) != ERR_OK)
		return (e);
	for (i = 0; i < PQntuples(r) && i < FORECASTS_HOLIDAYS; i++) {
		ret->days[i] = warm_get_i32(r, i, 0);
		ret->feasts[i] =
		    calendar_feast(PQgetvalue(r, i, 1), ret->days[i]);
	}
	ret->n = (size_t)i;
	return (ERR_OK);
}

enum err
forecasts_run(struct warm *w, const struct forecasts_plan *plan,
    struct forecasts_run *ret, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	struct warm_args a = {0};
	enum err e;

	warm_text(&a, plan->zone);
	warm_text(&a, plan->at);
	warm_f64(&a, plan->budget_s);
	if ((e = warm_run(w, ST_fit_run, &a, &r, info)) != ERR_OK)
		return (e);
	*ret = (struct forecasts_run){0};
	if (PQntuples(r) > 0)
		*ret = (struct forecasts_run){warm_get_i64(r, 0, 0),
		    warm_get_time(r, 0, 1), warm_get_f64(r, 0, 2)};
	return (ERR_OK);
}

enum err
forecasts_end(
    struct warm *w, const struct forecasts_run *run, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	struct warm_args a = {0};
	enum err e;

	warm_i64(&a, run->id);
	if ((e = warm_run(w, ST_fit_end, &a, &r, info)) != ERR_OK ||
	    PQntuples(r) == 0)
		return (e);
	log_event(LOG_LEVEL_INFO, "fit_ended", "predicted", LOG_INT,
	    (int64_t)warm_get_i32(r, 0, 0), "fitted", LOG_INT,
	    (int64_t)warm_get_i32(r, 0, 1), "crowned", LOG_INT,
	    (int64_t)warm_get_i32(r, 0, 2), "refused", LOG_INT,
	    (int64_t)warm_get_i32(r, 0, 3), "left", LOG_INT,
	    (int64_t)warm_get_i32(r, 0, 4), NULL);
	return (ERR_OK);
}

enum err
forecasts_gauges(
    struct warm *w, struct forecasts_gauges *ret, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	enum err e = warm_connect(w, info);

	if (e == ERR_OK)
		e = warm_run(w, ST_fit_gauges, NULL, &r, info);
	if (e != ERR_OK)
		return (e);
	*ret = (struct forecasts_gauges){.predicted = warm_get_i32(r, 0, 0),
	    .fitted = warm_get_i32(r, 0, 1),
	    .crowned = warm_get_i32(r, 0, 2),
	    .refused = warm_get_i32(r, 0, 3),
	    .waiting = warm_get_i32(r, 0, 4),
	    .began_us = warm_get_i64(r, 0, 5),
	    .night_s = warm_get_f64(r, 0, 6),
	    .fresh = warm_get_i64(r, 0, 7),
	    .bare = warm_get_i64(r, 0, 8),
	    .oldest_s = warm_get_f64(r, 0, 9),
	    .promoted = warm_get_i64(r, 0, 10)};
	return (ERR_OK);
}

enum err
forecasts_next(struct warm *w, const struct forecasts_run *run,
    struct forecasts_due *due, struct err_info *info)
{
	const size_t most = sizeof(due->ids) / sizeof(due->ids[0]);
	AUTO_RESULT r = NULL;
	struct warm_args a = {0};
	size_t i;
	enum err e;

	warm_time(&a, run->id != 0 ? run->began_us : INSTANT_NONE);
	warm_i32(&a, (int32_t)most);
	e = warm_run(w, due->learn ? ST_fit_learn_next : ST_fit_predict_next,
	    &a, &r, info);
	if (e != ERR_OK)
		return (e);
	due->n = (size_t)PQntuples(r) < most ? (size_t)PQntuples(r) : most;
	/* Taken from the end. */
	for (i = 0; i < due->n; i++)
		due->ids[due->n - 1 - i] = warm_get_i32(r, (int)i, 0);
	return (ERR_OK);
}

enum err
forecasts_claim(
    struct warm *w, int32_t series, bool learn, struct err_info *info)
{
	struct warm_args a = {0};

	warm_i32(&a, series);
	warm_i16(&a, learn);
	return (warm_run(w, ST_fit_claim, &a, NULL, info));
}

/* --- hours -----------------------------------------------------------------
 */

static void
add_hour(
    const struct forecasts_hours *h, int64_t bucket_us, double good, double sum)
{
	const int64_t at = (bucket_us - h->from_us) / US_PER_HOUR;

	if (bucket_us < h->from_us || (size_t)at >= h->n || !(good > 0))
		return;
	h->good[at] += good;
	h->sum[at] += sum;
}

static enum err
add_month(const struct forecasts_hours *h, const char *data, size_t len,
    struct err_info *info)
{
	struct rollup u[PACKED_ROLLUP_MAX];
	const size_t n = packed_rollup_count(data, len);
	size_t i;

	if (n == 0 || n > PACKED_ROLLUP_MAX ||
	    packed_rollup_sums(data, len, u) != ERR_OK)
		return (err_set(info, ERR_INTERNAL, NULL,
		    "roll-ups of series %d cannot be read", (int)h->series));
	for (i = 0; i < n; i++)
		add_hour(h, u[i].bucket_us, (double)u[i].good, u[i].sum);
	return (ERR_OK);
}

enum err
forecasts_hours(
    struct warm *w, const struct forecasts_hours *h, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	struct warm_args a = {0};
	int i;
	enum err e;

	warm_i32(&a, h->series);
	warm_time(&a, h->from_us);
	warm_time(&a, h->from_us + (int64_t)h->n * US_PER_HOUR);
	e = warm_run(w, ST_fit_hours, &a, &r, info);
	for (i = 0; e == ERR_OK && i < PQntuples(r); i++) {
		if (!PQgetisnull(r, i, 0))
			e = add_month(h, PQgetvalue(r, i, 0),
			    (size_t)PQgetlength(r, i, 0), info);
		else
			add_hour(h, warm_get_time(r, i, 1),
			    (double)warm_get_i64(r, i, 2),
			    warm_get_f64(r, i, 3));
	}
	return (e);
}

/* --- models and forecasts --------------------------------------------------
 */

enum err
forecasts_champion(struct warm *w, int32_t series, struct forecasts_model *ret,
    struct err_info *info)
{
	AUTO_RESULT r = NULL;
	struct warm_args a = {0};
	enum err e;

	warm_i32(&a, series);
	if ((e = warm_run(w, ST_fit_champion, &a, &r, info)) != ERR_OK)
		return (e);
	ret->id = 0;
	if (PQntuples(r) == 0)
		return (ERR_OK);
	ret->len = (size_t)PQgetlength(r, 0, 2);
	if (ret->len > sizeof(ret->bytes))
		return (err_set(
		    info, ERR_INVALID, NULL, "a model of %zu bytes", ret->len));
	ret->id = warm_get_i64(r, 0, 0);
	ret->format = warm_get_i32(r, 0, 1);
	memcpy(ret->bytes, PQgetvalue(r, 0, 2), ret->len);
	return (ERR_OK);
}

static bool
read_points(const PGresult *r, int row, struct forecasts_made *ret)
{
	struct wire_view v;
	size_t i;
	int c;

	for (c = 0; c < FORECASTS_COLUMNS; c++) {
		if (!wire_view(&v, PQgetvalue(r, row, 2 + c),
			(size_t)PQgetlength(r, row, 2 + c), OID_FLOAT8, 8))
			return (false);
		for (i = 0; i < FORECASTS_HOURS; i++)
			ret->points[c][i] = i < v.n
			    ? wire_get_f64(wire_at(&v, i))
			    : (double)NAN;
	}
	return (true);
}

enum err
forecasts_made(struct warm *w, int32_t series, int64_t since_us,
    struct forecasts_made *ret, size_t *ret_n, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	struct warm_args a = {0};
	size_t n = 0;
	int i;
	enum err e;

	warm_i32(&a, series);
	warm_time(&a, since_us);
	warm_i32(&a, FORECASTS_OLD);
	if ((e = warm_run(w, ST_fit_predictions, &a, &r, info)) != ERR_OK)
		return (e);
	for (i = 0; i < PQntuples(r) && n < FORECASTS_OLD; i++) {
		ret[n].model = warm_get_i64(r, i, 0);
		ret[n].origin_us = warm_get_time(r, i, 1);
		if (read_points(r, i, &ret[n]))
			n++;
	}
	*ret_n = n;
	return (ERR_OK);
}

enum err
forecasts_begin(struct warm *w, struct err_info *info)
{
	return (warm_command(w, "BEGIN", "BEGIN", info));
}

enum err
forecasts_commit(struct warm *w, struct err_info *info)
{
	return (warm_command(w, "COMMIT", "COMMIT", info));
}

void
forecasts_rollback(struct warm *w)
{
	struct err_info info = {0};

	if (w->conn != NULL && PQtransactionStatus(w->conn) != PQTRANS_IDLE)
		(void)warm_command(w, "ROLLBACK", "ROLLBACK", &info);
}

static double
finite_or_nan(double v)
{
	return (isfinite(v) ? v : (double)NAN);
}

enum err
forecasts_put(struct warm *w, int32_t series, const struct forecasts_made *p,
    struct err_info *info)
{
	struct warm_args a = {0};
	size_t c, i;

	warm_i32(&a, series);
	warm_i64(&a, p->model);
	warm_time(&a, p->origin_us);
	for (c = 0; c < FORECASTS_COLUMNS; c++) {
		wire_reset(&w->wires[c]);
		wire_array(&w->wires[c], OID_FLOAT8, FORECASTS_HOURS);
		for (i = 0; i < FORECASTS_HOURS; i++)
			wire_put_f64(
			    &w->wires[c], finite_or_nan(p->points[c][i]));
		if (!wire_ok(&w->wires[c]))
			return (
			    err_set(info, ERR_NO_MEMORY, NULL, "a forecast"));
		warm_wired(&a, &w->wires[c]);
	}
	return (warm_run(w, ST_fit_prediction_put, &a, NULL, info));
}

static void
put_score(struct wire *c, const struct forecasts_score *s)
{
	wire_put_i64(&c[0], s->model);
	wire_put_time(&c[1], s->day_us);
	wire_put_i32(&c[2], s->ahead);
	wire_put_i32(&c[3], s->sums.hours);
	wire_put_f64(&c[4], s->sums.error);
	wire_put_f64(&c[5], s->sums.naive);
	wire_put_i32(&c[6], s->sums.inside);
}

enum err
forecasts_scores_put(struct warm *w, const struct forecasts_score *s, size_t n,
    struct err_info *info)
{
	static const uint32_t oids[] = {OID_INT8, OID_TIMESTAMPTZ, OID_INT4,
	    OID_INT4, OID_FLOAT8, OID_FLOAT8, OID_INT4};
	const size_t columns = sizeof(oids) / sizeof(oids[0]);
	struct warm_args a = {0};
	size_t c, i;

	if (n == 0)
		return (ERR_OK);
	for (c = 0; c < columns; c++) {
		wire_reset(&w->wires[c]);
		wire_array(&w->wires[c], oids[c], n);
	}
	for (i = 0; i < n; i++)
		put_score(w->wires, &s[i]);
	for (c = 0; c < columns; c++) {
		if (!wire_ok(&w->wires[c]))
			return (err_set(info, ERR_NO_MEMORY, NULL, "scores"));
		warm_wired(&a, &w->wires[c]);
	}
	return (warm_run(w, ST_fit_scores_put, &a, NULL, info));
}

enum err
forecasts_model_put(struct warm *w, const struct forecasts_new *m,
    int64_t *ret_id, bool *ret_reigns, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	struct warm_args a = {0};
	const double hours = m->sums.hours;
	enum err e;

	wire_reset(&w->wires[0]);
	wire_bytes(&w->wires[0], m->model, m->len);
	if (!wire_ok(&w->wires[0]))
		return (err_set(info, ERR_NO_MEMORY, NULL, "a model"));
	warm_i32(&a, m->series);
	warm_time(&a, m->from_us);
	warm_time(&a, m->to_us);
	warm_i32(&a, m->origins);
	warm_i32(&a, m->sums.hours);
	warm_f64(&a, m->sums.error / hours);
	warm_f64(&a, m->sums.naive / hours);
	warm_i32(&a, m->sums.inside);
	if (m->rival != 0)
		warm_i64(&a, m->rival);
	else
		warm_text(&a, NULL);
	warm_f64(&a, m->sums.rival / hours);
	warm_i16(&a, m->wins);
	warm_i32(&a, m->format);
	warm_wired(&a, &w->wires[0]);
	if ((e = warm_run(w, ST_fit_model_put, &a, &r, info)) != ERR_OK)
		return (e);
	*ret_id = warm_get_i64(r, 0, 0);
	*ret_reigns = warm_get_bool(r, 0, 1);
	return (ERR_OK);
}

enum err
forecasts_note(struct warm *w, const struct forecasts_run *run,
    const struct forecasts_note *n, struct err_info *info)
{
	struct warm_args a = {0};

	if (run->id != 0)
		warm_i64(&a, run->id);
	else
		warm_text(&a, NULL);
	warm_i32(&a, n->series);
	warm_text(&a, n->refused);
	warm_i32(&a, n->predicted);
	warm_i32(&a, n->fitted);
	warm_i32(&a, n->crowned);
	warm_i32(&a, n->unfit);
	return (warm_run(w, ST_fit_note, &a, NULL, info));
}
