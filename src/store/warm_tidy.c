/*
 * Every cycle leaves a segment of its own for every series it heard. Once an
 * hour has passed its segments become one, and once a day has, the day's.
 */
#include "core/instant.h"
#include "store/warm_conn.h"

/* Series per step: from few, to what joins as much as a cycle can bear. */
#define SERIES_FIRST 10
#define SERIES_MOST  1000
#define JOINED_LEAST 10000
#define JOINED_MOST  40000
/* What comes later than this finds its hour or day tidied already. */
#define HOUR_LAG (5 * US_PER_MINUTE)
#define DAY_LAG	 (30 * US_PER_MINUTE)
/* How far back a start looks. */
#define DAYS_BACK 7

/* The next closed span, the oldest day first; false if none is due. */
static bool
choose(struct warm_tidying *t, int64_t now_us)
{
	int64_t today = instant_floor(now_us, US_PER_DAY);

	if (t->to_us != 0)
		return (true);
	if (t->next_day_us == 0)
		t->next_day_us = today - DAYS_BACK * US_PER_DAY;
	if (t->next_hour_us < today)
		t->next_hour_us = today;
	if (t->next_day_us + US_PER_DAY + DAY_LAG <= now_us) {
		t->from_us = t->next_day_us;
		t->to_us = t->next_day_us += US_PER_DAY;
	} else if (t->next_hour_us + US_PER_HOUR + HOUR_LAG <= now_us) {
		t->from_us = t->next_hour_us;
		t->to_us = t->next_hour_us += US_PER_HOUR;
	}
	t->series = 0;
	t->most = SERIES_FIRST;
	return (t->to_us != 0);
}

static void
adapt(struct warm_tidying *t, int64_t joined)
{
	if (joined > JOINED_MOST && t->most > 1)
		t->most /= 2;
	else if (joined < JOINED_LEAST && t->most < SERIES_MOST)
		t->most *= 2;
}

enum err
warm_tidy(
    struct warm *w, int64_t now_us, int64_t *ret_joined, struct err_info *info)
{
	struct warm_tidying *t = &w->tidying;
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	*ret_joined = 0;
	if (!choose(t, now_us))
		return (ERR_OK);
	warm_i32(&a, t->series);
	warm_i64(&a, t->most);
	warm_time(&a, t->from_us);
	warm_time(&a, t->to_us);
	if ((e = warm_run(w, ST_cycle_tidy, &a, &r, info)) != ERR_OK)
		return (e);
	if (PQgetisnull(r, 0, 0))
		t->to_us = 0;
	else
		t->series = warm_get_i32(r, 0, 0);
	*ret_joined = warm_get_i64(r, 0, 1);
	adapt(t, *ret_joined);
	return (ERR_OK);
}
