#include "api/login.h"

#include "api/api.h"
#include "api/audit.h"
#include "api/request_steps.h"
#include "auth/buckets.h"
#include "auth/role.h"
#include "core/log.h"
#include "core/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES	10 /* of the log at once, of each worker; then one a second */
#define LINE_US 1000000

/* As many as there may be, the log is not filled with them: metrics count
 * all. */
static void
tell(const char *event, const struct login *l)
{
	static const struct rate lines = {LINE_US, LINES};
	static int64_t full_us, untold;
	struct request *r = l->r;

	if (!bucket_draw(&full_us, &lines, r->api->clocks.monotonic_us())) {
		untold++;
		return;
	}
	log_event(LOG_LEVEL_WARN, event, "request_id", LOG_STR, r->request_id,
	    "user", LOG_STR, l->known ? l->username : "", "peer", LOG_STR,
	    l->peer, "untold", LOG_INT, untold, NULL);
	untold = 0;
}

static void
refuse(struct login *l)
{
	struct request *r = l->r;

	metric_count(COUNTER_LOGINS_REFUSED, 1);
	tell("login_refused", l);
	if (l->refusal.code != ERR_UNAUTHORIZED)
		audit_refused(
		    r, err_status(ERR_UNAUTHORIZED), l->refusal.detail);
	reply_error(
	    r, l->refusal.code, l->refusal.pointer, "%s", l->refusal.detail);
}

/* RFC 6585 section 4. */
static void
reply_wait(struct login *l, const char *seconds)
{
	struct err_info info = {.code = ERR_OK};

	metric_count(COUNTER_LOGINS_HELD, 1);
	tell("login_held", l);
	(void)err_set(&info, ERR_TOO_MANY, NULL,
	    "too many wrong passwords: wait %s s", seconds);
	info.retry_s = (unsigned)strtoul(seconds, NULL, 10);
	reply_problem(l->r, &info);
}

static void
on_done(struct request *r, const struct rows *rows)
{
	struct login *l = r->state;
	int len, role;

	if (rows->n != 1 ||
	    (role = role_parse(rows->get(rows, 0, 0, &len))) < 0) {
		refuse(l);
		return;
	}
	l->role = (enum role)role;
	if (!limit_login(r, l->username))
		return;
	metric_count(COUNTER_LOGINS_TAKEN, 1);
	l->next(r, l);
}

static const char *
address(const struct login *l)
{
	return (l->peer[0] != '\0' ? l->peer : NULL);
}

static void
settle(struct login *l)
{
	request_ask(l->r,
	    &(struct query){
		.statement = ST_login_done,
		.lane = LANE_FAST,
		.params = (struct param[]){{l->username, -1, false},
		    {address(l), -1, false}, {l->hash, -1, false},
		    {l->at_home ? "t" : "f", -1, false}},
		.nparams = 4,
	    },
	    on_done);
}

/* On a thread. */
static void
verify(void *arg)
{
	struct login *l = arg;

	l->same = password_verify(l->known ? l->hash : NULL, l->password);
}

static void
verified(void *arg)
{
	struct login *l = arg;
	struct request *r = l->r;

	if (!request_gone(r)) {
		if (l->same)
			settle(l);
		else
			refuse(l);
	}
	request_release(r);
}

/* Columns of login_begin: the user, if there is one who may log in. */
static void
take_user(struct login *l, const struct rows *rows)
{
	int len;
	const char *hash = rows->get(rows, 0, 0, &len);

	if (hash == NULL || len <= 0 || (size_t)len >= sizeof(l->hash))
		return;
	memcpy(l->hash, hash, (size_t)len + 1);
	l->at_home = rows->get(rows, 0, 3, &len)[0] == 't';
	l->known = true;
}

static void
on_begun(struct request *r, const struct rows *rows)
{
	struct login *l = r->state;
	const char *wait;
	enum err e;
	int len;

	if (rows->n != 1 || (wait = rows->get(rows, 0, 2, &len)) == NULL) {
		reply_error(r, ERR_INTERNAL, NULL, "no answer on the log-in");
		return;
	}
	if (strcmp(wait, "0") != 0) {
		reply_wait(l, wait);
		return;
	}
	take_user(l, rows);
	e = r->api->offload.run(r->api->offload.self, verify, verified, l);
	if (e != ERR_OK)
		reply_error(r, e, NULL, "too many log in at this moment");
	else
		request_hold(r);
}

void
login_run(struct request *r, struct login *l)
{
	char tries[16];

	l->r = r;
	if (r->x != NULL)
		memcpy(l->peer, r->x->peer, sizeof(l->peer));
	r->state = l;
	r->claimed = l->username;
	(void)snprintf(tries, sizeof(tries), "%d", r->api->login_tries);
	request_ask(r,
	    &(struct query){
		.statement = ST_login_begin,
		.lane = LANE_FAST,
		.params = (struct param[]){{l->username, -1, false},
		    {address(l), -1, false}, {tries, -1, false}},
		.nparams = 3,
	    },
	    on_begun);
}
