#include "store/cold_parts.h"

enum err
cold_run_begin(struct archiver *a, bool due, struct err_info *info)
{
	struct warm_args q = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_text(&q, due ? "t" : "f");
	if ((e = warm_run(a->side, ST_archive_run_begin, &q, &r, info)) ==
	    ERR_OK)
		a->run = warm_get_i32(r, 0, 0);
	return (e);
}

/* The work goes on when this cannot be told. */
void
cold_run_say(
    struct archiver *a, const char *at, int64_t readings, int32_t months)
{
	struct warm_args q = {0};
	struct err_info info = {0};

	warm_i32(&q, a->run);
	warm_text(&q, at);
	warm_i64(&q, readings);
	warm_i32(&q, months);
	(void)warm_run(a->side, ST_archive_run_say, &q, NULL, &info);
}

void
cold_run_end(struct archiver *a, const struct err_info *failed)
{
	struct warm_args q = {0};
	struct err_info info = {0};

	warm_i32(&q, a->run);
	warm_text(&q, failed->code == ERR_OK ? NULL : failed->detail);
	(void)warm_run(a->side, ST_archive_run_end, &q, NULL, &info);
}

enum err
archiver_ran(
    struct archiver *a, int64_t since_us, bool *ret, struct err_info *info)
{
	struct warm_args q = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_time(&q, since_us);
	if ((e = warm_run(a->side, ST_archive_ran, &q, &r, info)) == ERR_OK)
		*ret = warm_get_bool(r, 0, 0);
	return (e);
}
