#include "store/pg_lane.h"

#include "store/pg_error.h"

#include <stdlib.h>
#include <string.h>

static void
flight_step(struct flight *f, enum step step)
{
	f->steps[f->nsteps++] = (unsigned char)step;
}

static bool
send_prepare(
    struct pg_conn *c, enum statement st, struct flight *f, enum step step)
{
	if (c->prepared[st])
		return (true);
	flight_step(f, step);
	c->prepared[st] = true;
	return (PQsendPrepare(c->conn, statement_name(st), statement_text(st),
		    0, NULL) == 1);
}

/* application_name = "name tag", so that a request is found in
 * pg_stat_activity and in the server's log. */
static bool
send_tag(struct pg_conn *c, const char *tag, struct flight *f)
{
	char name[LANE_TAG + 64];
	const char *values[1] = {name};
	size_t n = strlen(c->name), t = strlen(tag);

	if (n + t + 2 > sizeof(name))
		return (true);
	memcpy(name, c->name, n);
	name[n] = ' ';
	memcpy(name + n + 1, tag, t + 1);
	if (!send_prepare(c, ST_session_tag, f, STEP_PREPARE_TAG))
		return (false);
	flight_step(f, STEP_TAG);
	memset(c->tag, 0, sizeof(c->tag));
	memcpy(c->tag, tag, t < sizeof(c->tag) ? t : sizeof(c->tag) - 1);
	return (PQsendQueryPrepared(c->conn, statement_name(ST_session_tag), 1,
		    values, NULL, NULL, 0) == 1);
}

/* For the transaction that ends with the query's sync. */
static bool
send_origin(struct pg_conn *c, const char *origin, struct flight *f)
{
	if (!send_prepare(c, ST_session_origin, f, STEP_PREPARE_ORIGIN))
		return (false);
	flight_step(f, STEP_ORIGIN);
	return (PQsendQueryPrepared(c->conn, statement_name(ST_session_origin),
		    1, &origin, NULL, NULL, 0) == 1);
}

/*
 * libpq measures text parameters itself, so those that are not terminated
 * are copied. False: no memory. *ret_scratch is the caller's to free.
 */
static bool
bind_params(const struct query *q, const char **values, int *lengths,
    int *formats, char **ret_scratch)
{
	const struct param *p = q->params;
	size_t total = 0;
	char *s = NULL;
	int i;

	for (i = 0; i < q->nparams; i++) {
		if (p[i].data != NULL && !p[i].binary && p[i].len >= 0)
			total += (size_t)p[i].len + 1;
	}
	if (total > 0 && (s = malloc(total)) == NULL)
		return (false);
	*ret_scratch = s;
	for (i = 0; i < q->nparams; i++) {
		values[i] = p[i].data;
		lengths[i] = p[i].len;
		formats[i] = p[i].binary;
		if (p[i].data == NULL || p[i].binary || p[i].len < 0)
			continue;
		values[i] = s;
		memcpy(s, p[i].data, (size_t)p[i].len);
		s += p[i].len;
		*s++ = '\0';
	}
	return (true);
}

static bool
send_query(struct pg_conn *c, const struct query *q, struct flight *f)
{
	const char *values[LANE_PARAMS];
	int lengths[LANE_PARAMS], formats[LANE_PARAMS], ok;
	char *scratch = NULL;

	if (!bind_params(q, values, lengths, formats, &scratch))
		return (false);
	flight_step(f, STEP_QUERY);
	ok = PQsendQueryPrepared(c->conn, statement_name(q->statement),
	    q->nparams, values, lengths, formats, q->binary_result);
	free(scratch);
	return (ok == 1);
}

bool
pipeline_send(struct pg_conn *c, const struct query *q, struct flight *f)
{
	if (q->tag != NULL && c->lane != LANE_LOG &&
	    strncmp(q->tag, c->tag, sizeof(c->tag) - 1) != 0 &&
	    !send_tag(c, q->tag, f))
		return (false);
	if (q->origin != NULL && !send_origin(c, q->origin, f))
		return (false);
	return (send_prepare(c, q->statement, f, STEP_PREPARE) &&
	    send_query(c, q, f) && PQpipelineSync(c->conn) == 1);
}

/* Not a named statement: SQL's PREPARE does not take LISTEN. */
bool
pipeline_listen(struct pg_conn *c, int64_t deadline_us)
{
	struct flight f = {.deadline_us = deadline_us};

	flight_step(&f, STEP_QUERY);
	c->ring[(c->head + c->count++) % c->size] = f;
	return (PQsendQueryParams(c->conn, "LISTEN penstock_change", 0, NULL,
		    NULL, NULL, NULL, 0) == 1 &&
	    PQpipelineSync(c->conn) == 1);
}

/* Statements that were not prepared after all are prepared again; a set
 * application_name went with its transaction. */
static void
forget_failed(struct pg_conn *c, const struct flight *f)
{
	size_t i;

	for (i = f->done; i < f->nsteps; i++) {
		if (f->steps[i] == STEP_PREPARE)
			c->prepared[f->statement] = false;
		if (f->steps[i] == STEP_PREPARE_TAG)
			c->prepared[ST_session_tag] = false;
		if (f->steps[i] == STEP_PREPARE_ORIGIN)
			c->prepared[ST_session_origin] = false;
	}
	c->tag[0] = '\0';
}

static const char *
rows_get(const struct rows *rows, int row, int column, int *ret_len)
{
	const PGresult *r = rows->result;

	if (PQgetisnull(r, row, column))
		return (NULL);
	if (ret_len != NULL)
		*ret_len = PQgetlength(r, row, column);
	return (PQgetvalue(r, row, column));
}

static void
tell(struct pg_conn *c, const struct flight *f, const struct err_info *info)
{
	struct rows rows;

	if (f->cb == NULL) {
		if (info->code == ERR_OK)
			c->notify(c->notify_arg, NULL);
		return;
	}
	if (info->code != ERR_OK) {
		f->cb(f->arg, NULL, info);
		return;
	}
	rows = (struct rows){.n = PQntuples(f->result),
	    .columns = PQnfields(f->result),
	    .result = f->result,
	    .get = rows_get};
	f->cb(f->arg, &rows, info);
}

void
pipeline_finish(struct pg_conn *c, enum err code, const char *detail)
{
	struct flight f = c->ring[c->head];
	struct err_info info = {.code = ERR_OK};

	c->head = (c->head + 1) % c->size;
	c->count--;
	if (f.failed != NULL)
		pg_error(f.failed,
		    f.cb == NULL ? "listen" : statement_name(f.statement),
		    &info);
	else if (f.late)
		err_set(&info, ERR_DEADLINE, NULL,
		    "the database did not answer in time");
	else if (code != ERR_OK)
		err_set(&info, code, NULL, "%s", detail);
	else if (f.result == NULL)
		err_set(&info, ERR_DATABASE, NULL, "no result came");
	tell(c, &f, &info);
	PQclear(f.result);
	PQclear(f.failed);
}

static void
take_result(struct pg_conn *c, PGresult *r)
{
	struct flight *f = &c->ring[c->head];
	ExecStatusType status = PQresultStatus(r);

	if (status == PGRES_PIPELINE_SYNC) {
		PQclear(r);
		pipeline_finish(c, ERR_OK, NULL);
		return;
	}
	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
		if (f->done < f->nsteps && f->steps[f->done] == STEP_QUERY &&
		    f->result == NULL) {
			f->result = r;
			r = NULL;
		}
		f->done++;
	} else if (status != PGRES_PIPELINE_ABORTED && f->failed == NULL) {
		f->failed = r;
		r = NULL;
		forget_failed(c, f);
	}
	PQclear(r);
}

/* A cached plan whose columns changed, or a statement that is gone, stays
 * so: only a new session helps. */
static bool
session_is_spoilt(const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

	return (state != NULL &&
	    (strcmp(state, "0A000") == 0 || strcmp(state, "26000") == 0 ||
		strcmp(state, "42P05") == 0));
}

static void
take_notifications(struct pg_conn *c)
{
	PGnotify *n;

	while (c->conn != NULL && (n = PQnotifies(c->conn)) != NULL) {
		if (c->notify != NULL)
			c->notify(c->notify_arg, n->extra);
		PQfreemem(n);
	}
}

bool
pipeline_read(struct pg_conn *c)
{
	bool spoilt = false;
	PGresult *r;

	if (PQconsumeInput(c->conn) == 0)
		return (false);
	while (c->count > 0 && PQisBusy(c->conn) == 0) {
		r = PQgetResult(c->conn);
		if (r == NULL) {
			if (PQstatus(c->conn) == CONNECTION_BAD)
				return (false);
			continue;
		}
		spoilt |= session_is_spoilt(r);
		take_result(c, r);
	}
	/* Empties the state of the last sync; never blocks then. */
	if (c->count == 0 && PQisBusy(c->conn) == 0)
		PQclear(PQgetResult(c->conn));
	take_notifications(c);
	return (!spoilt && PQstatus(c->conn) == CONNECTION_OK);
}
