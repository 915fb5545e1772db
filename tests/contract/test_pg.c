#include "core/loop.h"
#include "store/pg.h"
#include "store/resolve.h"
#include "support/poll_loop.h"
#include "support/scratch.h"

#include <criterion/criterion.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct loop *loop;
static struct pg *pg;
static struct query_port port;

struct answer {
	bool done;
	int calls;
	enum err code;
	char text[100], detail[256];
};

static void
on_answer(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct answer *a = arg;
	const char *s;

	a->done = true;
	a->calls++;
	a->code = info->code;
	snprintf(a->detail, sizeof(a->detail), "%s", info->detail);
	if (rows != NULL && rows->n > 0 &&
	    (s = rows->get(rows, 0, 0, NULL)) != NULL)
		snprintf(a->text, sizeof(a->text), "%s", s);
}

/* session_tag gives its parameter back, so it serves as an echo. */
static enum err
ask(enum statement st, const char *param, const char *tag, struct answer *a)
{
	struct param p = {param, -1, false};
	struct query q = {.statement = st,
	    .lane = LANE_FAST,
	    .params = &p,
	    .nparams = 1,
	    .tag = tag};

	return (port.run(port.self, &q, on_answer, a, NULL));
}

static bool
lane_is_up(enum lane lane)
{
	struct pg_lane_state s;

	pg_state(pg, lane, &s);
	return (s.connected);
}

static void
wait_up(void)
{
	int i;

	for (i = 0; i < 300 &&
	     !(lane_is_up(LANE_LOG) && lane_is_up(LANE_FAST) &&
		 lane_is_up(LANE_SLOW));
	     i++)
		poll_loop_turn(loop, 20);
	cr_assert(i < 300, "no connection");
}

static void
open_pg(unsigned fast_ms, size_t queue_max)
{
	struct pg_config cf = {.conninfo = scratch_database(),
	    .name = "penstock test_pg",
	    .deadline_ms = {[LANE_FAST] = fast_ms},
	    .queue_max = queue_max};
	struct err_info info = {.code = ERR_OK};

	signal(SIGPIPE, SIG_IGN);
	loop = poll_loop_new();
	pg = pg_new(loop, &cf, &info);
	cr_assert_not_null(pg, "%s", info.detail);
	port = pg_port(pg);
}

static void
close_pg(void)
{
	pg_free(pg);
	poll_loop_free(loop);
}

Test(pg, many_queries_in_one_pipeline)
{
	struct answer a[500] = {0};
	char text[24];
	int i;

	open_pg(0, 0);
	wait_up();
	for (i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "echo %d", i);
		cr_assert_eq(ask(ST_session_tag, text, NULL, &a[i]), ERR_OK);
		cr_assert_not(a[i].done, "called back from inside");
	}
	cr_assert(poll_loop_until(loop, &a[499].done, 5000));
	for (i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "echo %d", i);
		cr_assert_eq(a[i].calls, 1);
		cr_assert_eq(a[i].code, ERR_OK, "%s", a[i].detail);
		cr_assert_str_eq(a[i].text, text);
	}
	close_pg();
}

Test(pg, error_stays_with_its_query)
{
	struct answer a[4] = {0};

	open_pg(0, 0);
	wait_up();
	ask(ST_session_tag, "before", NULL, &a[0]);
	ask(ST_hot_epoch_raise, "no number", NULL, &a[1]);
	ask(ST_session_tag, "after", NULL, &a[2]);
	ask(ST_hot_epoch_raise, "0", NULL, &a[3]);
	cr_assert(poll_loop_until(loop, &a[3].done, 5000));
	cr_assert_str_eq(a[0].text, "before");
	cr_assert_eq(a[1].code, ERR_INVALID);
	cr_assert(strstr(a[1].detail, "no number") != NULL, "%s", a[1].detail);
	cr_assert_str_eq(a[2].text, "after");
	cr_assert_eq(a[3].code, ERR_OK, "%s", a[3].detail);
	close_pg();
}

Test(pg, null_and_unterminated_parameters)
{
	struct param p = {"abcdef", 3, false};
	struct query q = {.statement = ST_session_tag,
	    .lane = LANE_SLOW,
	    .params = &p,
	    .nparams = 1};
	struct answer a[2] = {0};

	open_pg(0, 0);
	wait_up();
	port.run(port.self, &q, on_answer, &a[0], NULL);
	p.data = NULL;
	port.run(port.self, &q, on_answer, &a[1], NULL);
	cr_assert(poll_loop_until(loop, &a[1].done, 5000));
	cr_assert_str_eq(a[0].text, "abc");
	cr_assert_eq(a[1].code, ERR_OK);
	close_pg();
}

Test(pg, tag_is_seen_by_the_server)
{
	struct answer a = {0};

	open_pg(0, 0);
	wait_up();
	scratch_hold("LOCK TABLE hot_epoch IN ACCESS EXCLUSIVE MODE");
	ask(ST_hot_epoch_raise, "0", "request-77", &a);
	poll_loop_run(loop, 300);
	cr_assert_eq(
	    scratch_number(
		"SELECT count(*) FROM pg_stat_activity "
		"WHERE application_name = 'penstock test_pg request-77'"),
	    1);
	scratch_release();
	cr_assert(poll_loop_until(loop, &a.done, 5000));
	cr_assert_eq(a.code, ERR_OK);
	close_pg();
}

Test(pg, terminated_during_a_query)
{
	struct answer a[3] = {0};

	open_pg(0, 0);
	wait_up();
	scratch_hold("LOCK TABLE hot_epoch IN ACCESS EXCLUSIVE MODE");
	ask(ST_hot_epoch_raise, "0", NULL, &a[0]);
	ask(ST_session_tag, "behind", NULL, &a[1]);
	poll_loop_run(loop, 200);
	scratch_sql(
	    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
	    "WHERE query LIKE '%%UPDATE hot_epoch%%' AND "
	    "application_name = 'penstock test_pg' AND state = 'active'");
	cr_assert(poll_loop_until(loop, &a[1].done, 3000));
	cr_assert_eq(a[0].code, ERR_DATABASE);
	cr_assert_eq(a[1].code, ERR_DATABASE);
	cr_assert_eq(a[0].calls + a[1].calls, 2);
	cr_assert_eq(ask(ST_session_tag, "now", NULL, &a[2]), ERR_DATABASE,
	    "a lane without a connection must refuse at once");
	scratch_release();
	wait_up();
	cr_assert_eq(ask(ST_session_tag, "again", NULL, &a[2]), ERR_OK);
	cr_assert(poll_loop_until(loop, &a[2].done, 3000));
	cr_assert_str_eq(a[2].text, "again");
	close_pg();
}

static int64_t
waiting_backends(void)
{
	return (scratch_number("SELECT count(*) FROM pg_stat_activity WHERE "
			       "application_name LIKE 'penstock test_pg%' "
			       "AND wait_event_type = 'Lock'"));
}

Test(pg, deadline)
{
	struct answer a[3] = {0};
	struct query q = {.statement = ST_session_tag,
	    .lane = LANE_FAST,
	    .params = &(struct param){"behind", -1, false},
	    .nparams = 1,
	    .deadline_ms = 60000};
	int i;

	open_pg(300, 0);
	wait_up();
	scratch_hold("LOCK TABLE hot_epoch IN ACCESS EXCLUSIVE MODE");
	ask(ST_hot_epoch_raise, "0", NULL, &a[0]);
	port.run(port.self, &q, on_answer, &a[1], NULL);
	poll_loop_run(loop, 150);
	cr_assert_not(a[0].done);
	cr_assert(poll_loop_until(loop, &a[1].done, 1000));
	cr_assert_eq(a[0].code, ERR_DEADLINE);
	cr_assert_eq(a[1].code, ERR_DATABASE);
	for (i = 0; i < 60 && waiting_backends() > 0; i++)
		poll_loop_run(loop, 50);
	cr_assert(i < 60, "the server still works for nobody");
	scratch_release();
	wait_up();
	ask(ST_session_tag, "again", NULL, &a[2]);
	cr_assert(poll_loop_until(loop, &a[2].done, 3000));
	cr_assert_str_eq(a[2].text, "again");
	close_pg();
}

Test(pg, queue_is_bounded_per_lane)
{
	struct answer a[12] = {0};
	enum err e = ERR_OK;
	struct query q = {.statement = ST_session_tag,
	    .lane = LANE_SLOW,
	    .params = &(struct param){"other lane", -1, false},
	    .nparams = 1};
	int i;

	open_pg(0, 10);
	wait_up();
	poll_loop_run(loop, 100); /* LISTEN is through */
	for (i = 0; i < 11; i++) {
		e = ask(ST_session_tag, "x", NULL, &a[i]);
		cr_assert_eq(e, i < 10 ? ERR_OK : ERR_BUSY);
	}
	cr_assert_eq(port.run(port.self, &q, on_answer, &a[11], NULL), ERR_OK);
	cr_assert(poll_loop_until(loop, &a[9].done, 3000));
	cr_assert(poll_loop_until(loop, &a[11].done, 3000));
	cr_assert_eq(a[10].calls, 0);
	close_pg();
}

static int notified, connected_anew;

static void
on_notify(void *arg, const char *payload)
{
	(void)arg;
	if (payload == NULL)
		connected_anew++;
	else
		notified += strcmp(payload, "zones") == 0;
}

Test(pg, notifications_and_reconnect)
{
	open_pg(0, 0);
	pg_on_notify(pg, on_notify, NULL);
	wait_up();
	poll_loop_run(loop, 100);
	cr_assert_eq(connected_anew, 1);
	scratch_sql("NOTIFY penstock_change, 'zones'");
	poll_loop_run(loop, 100);
	cr_assert_eq(notified, 1);
	scratch_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		    "WHERE application_name = 'penstock test_pg'");
	poll_loop_run(loop, 100);
	wait_up();
	poll_loop_run(loop, 100);
	cr_assert_eq(connected_anew, 2);
	scratch_sql("NOTIFY penstock_change, 'zones'");
	poll_loop_run(loop, 100);
	cr_assert_eq(notified, 2);
	close_pg();
}

Test(pg, what_is_in_flight_fails_when_freed)
{
	struct answer a = {0};

	open_pg(0, 0);
	wait_up();
	ask(ST_session_tag, "x", NULL, &a);
	close_pg();
	cr_assert_eq(a.calls, 1);
	cr_assert_neq(a.code, ERR_OK);
}

Test(pg, host_names_and_dead_servers)
{
	struct pg_config cf = {
	    .conninfo = "host=db.example dbname=x", .name = "penstock test_pg"};
	struct err_info info = {.code = ERR_OK};
	struct pg_lane_state s;
	struct answer a = {0};

	signal(SIGPIPE, SIG_IGN);
	loop = poll_loop_new();
	cr_assert_null(pg_new(loop, &cf, &info));
	cr_assert(strstr(info.detail, "db.example") != NULL);
	cf.conninfo = "host=127.0.0.1 port=1 dbname=x";
	pg = pg_new(loop, &cf, &info);
	cr_assert_not_null(pg);
	port = pg_port(pg);
	poll_loop_run(loop, 500);
	pg_state(pg, LANE_FAST, &s);
	cr_assert_not(s.connected);
	cr_assert_neq(s.error[0], '\0');
	cr_assert_eq(ask(ST_session_tag, "x", NULL, &a), ERR_DATABASE);
	close_pg();
	cr_assert_eq(a.calls, 0);
}

Test(pg, names_are_resolved_once)
{
	struct err_info info = {.code = ERR_OK};
	char *s =
	    resolve_conninfo("host=localhost dbname='it''s' port=5", &info);

	cr_assert_null(s, "a quote is escaped by a backslash in conninfo");
	err_clear(&info);
	s = resolve_conninfo(
	    "host=localhost dbname='it\\'s \\\\' port=5", &info);
	cr_assert_not_null(s, "%s", info.detail);
	cr_assert(strstr(s, "dbname='it\\'s \\\\'") != NULL, "%s", s);
	cr_assert(strstr(s, "hostaddr='127.0.0.1'") != NULL ||
		strstr(s, "hostaddr='::1'") != NULL,
	    "%s", s);
	free(s);
	s = resolve_conninfo("host=/run/pg user=x", &info);
	cr_assert_null(strstr(s, "hostaddr"));
	free(s);
	cr_assert_null(resolve_conninfo("host=nowhere.invalid", &info));
	cr_assert(strstr(info.detail, "nowhere.invalid") != NULL);
	s = resolve_address("localhost:6379", &info);
	cr_assert(
	    strcmp(s, "127.0.0.1:6379") == 0 || strcmp(s, "[::1]:6379") == 0,
	    "%s", s);
	free(s);
	s = resolve_address("/run/redis.sock", &info);
	cr_assert_str_eq(s, "/run/redis.sock");
	free(s);
	cr_assert_null(resolve_address(":6379", &info));
}
