/* What the keeper of the hot tier reads from PostgreSQL, log included. */
#include "core/instant.h"
#include "store/hot_source.h"
#include "support/scratch.h"

#include <criterion/criterion.h>

#define WANTED 1700000001
#define OTHER  1700000002

static const atomic_bool stop;

static void
log_rows(int rows, int series, int readings)
{
	scratch_sql("INSERT INTO ingest_log (received_at, min_ts, max_ts, "
		    "series, ts, value, quality) SELECT t, t, t, "
		    "array_fill(%d, ARRAY[n]), array_fill(t, ARRAY[n]), "
		    "array_fill(1::float8, ARRAY[n]), "
		    "array_fill(0::int2, ARRAY[n]) "
		    "FROM generate_series(1, %d), now() t, (VALUES (%d)) v(n)",
	    series, rows, readings);
}

static enum err
read_wanted(struct hot_source *s, size_t *ret_n)
{
	const int32_t series[] = {WANTED};
	const struct hot_ask of = {
	    series, 1, INT64_C(1600000000) * US_PER_SECOND};
	const struct reading *found;
	struct err_info info = {0};

	return (hot_source_readings(s, &of, &found, ret_n, &info));
}

/* While the loop is far behind building waits for it; what waits is not taken
 * for a series with too many readings, which would be ERR_TOO_LARGE. */
static void
too_long(int rows, int readings)
{
	struct hot_source *s = hot_source_new(scratch_database(), &stop);
	size_t n = 0;

	scratch_sql("DELETE FROM ingest_log");
	log_rows(1, WANTED, 1);
	log_rows(10, OTHER, readings);
	cr_assert_eq(read_wanted(s, &n), ERR_OK);
	cr_assert_eq(n, 1);
	log_rows(rows, OTHER, readings);
	cr_assert_eq(read_wanted(s, &n), ERR_BUSY);
	scratch_sql("DELETE FROM ingest_log WHERE series[1] = %d", OTHER);
	cr_assert_eq(read_wanted(s, &n), ERR_OK, "it connects again");
	cr_assert_eq(n, 1);
	scratch_sql("DELETE FROM ingest_log");
	hot_source_free(s);
}

Test(hot_source, a_log_of_many_readings)
{
	too_long(100, 20000);
}

Test(hot_source, a_log_of_many_rows)
{
	too_long(120000, 1);
}
