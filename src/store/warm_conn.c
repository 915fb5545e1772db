#include "store/warm_conn.h"

#include "core/instant.h"

#include <endian.h>
#include <math.h>
#include <string.h>

static void
add(struct warm_args *a, const char *value, size_t length, int format)
{
	a->value[a->n] = value;
	a->length[a->n] = (int)length;
	a->format[a->n++] = format;
}

static void
add_i64(struct warm_args *a, int64_t v)
{
	uint64_t be = htobe64((uint64_t)v);

	memcpy(a->scratch[a->n], &be, sizeof(be));
	add(a, a->scratch[a->n], sizeof(be), 1);
}

void
warm_i16(struct warm_args *a, int16_t v)
{
	uint16_t be = htobe16((uint16_t)v);

	memcpy(a->scratch[a->n], &be, sizeof(be));
	add(a, a->scratch[a->n], sizeof(be), 1);
}

void
warm_i32(struct warm_args *a, int32_t v)
{
	uint32_t be = htobe32((uint32_t)v);

	memcpy(a->scratch[a->n], &be, sizeof(be));
	add(a, a->scratch[a->n], sizeof(be), 1);
}

void
warm_i64(struct warm_args *a, int64_t v)
{
	add_i64(a, v);
}

void
warm_f64(struct warm_args *a, double v)
{
	int64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	if (isnan(v))
		add(a, NULL, 0, 1);
	else
		add_i64(a, bits);
}

void
warm_time(struct warm_args *a, int64_t t_us)
{
	if (t_us == INSTANT_NONE)
		add(a, NULL, 0, 1);
	else
		add_i64(a, wire_time_to_pg(t_us));
}

void
warm_text(struct warm_args *a, const char *s)
{
	add(a, s, s == NULL ? 0 : strlen(s), 0);
}

void
warm_wired(struct warm_args *a, const struct wire *w)
{
	add(a, w->p, w->len, 1);
}

static enum err
code_of(const char *state)
{
	if (state == NULL)
		return (ERR_DATABASE);
	if (strcmp(state, "57014") == 0 || strcmp(state, "55P03") == 0)
		return (ERR_DEADLINE);
	if (strncmp(state, "23", 2) == 0)
		return (ERR_CONFLICT);
	return (strncmp(state, "22", 2) == 0 ? ERR_INVALID : ERR_DATABASE);
}

static void
lose(struct warm *w)
{
	pthread_mutex_lock(&w->cancel_lock);
	PQfreeCancel(w->cancel);
	w->cancel = NULL;
	pthread_mutex_unlock(&w->cancel_lock);
	PQfinish(w->conn);
	w->conn = NULL;
	w->leader = false;
	memset(w->prepared, 0, sizeof(w->prepared));
	warm_forget(w);
}

enum err
warm_error(
    struct warm *w, const PGresult *r, const char *what, struct err_info *info)
{
	const char *text = NULL, *state = NULL;
	enum err code;

	if (w->conn == NULL)
		return (err_set(
		    info, ERR_DATABASE, NULL, "%s: not connected", what));
	/* A lost connection has no fields, only the connection's words. */
	if (r != NULL && PQresultStatus(r) == PGRES_FATAL_ERROR) {
		state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
		text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	}
	if (text == NULL)
		text = PQerrorMessage(w->conn);
	code =
	    PQstatus(w->conn) == CONNECTION_OK ? code_of(state) : ERR_DATABASE;
	(void)err_set(info, code, NULL, "%s: %.*s [%s]", what,
	    (int)strcspn(text, "\n"), text, state == NULL ? "-" : state);
	if (PQstatus(w->conn) != CONNECTION_OK)
		lose(w);
	return (code);
}

static enum err
prepare(struct warm *w, enum statement s, struct err_info *info)
{
	AUTO_RESULT r =
	    PQprepare(w->conn, statement_name(s), statement_text(s), 0, NULL);

	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		return (warm_error(w, r, statement_name(s), info));
	w->prepared[s] = true;
	return (ERR_OK);
}

enum err
warm_run(struct warm *w, enum statement s, const struct warm_args *a,
    PGresult **ret, struct err_info *info)
{
	static const struct warm_args none;
	AUTO_RESULT r = NULL;
	enum err e;

	if (w->conn == NULL)
		return (warm_error(w, NULL, statement_name(s), info));
	if (!w->prepared[s] && (e = prepare(w, s, info)) != ERR_OK)
		return (e);
	if (a == NULL)
		a = &none;
	r = PQexecPrepared(w->conn, statement_name(s), a->n, a->value,
	    a->length, a->format, !a->text_result);
	if (PQresultStatus(r) != PGRES_COMMAND_OK &&
	    PQresultStatus(r) != PGRES_TUPLES_OK)
		return (warm_error(w, r, statement_name(s), info));
	if (ret != NULL) {
		*ret = r;
		r = NULL;
	}
	return (ERR_OK);
}

enum err
warm_send(struct warm *w, enum statement s, const struct warm_args *a,
    struct err_info *info)
{
	enum err e;

	if (w->conn == NULL)
		return (warm_error(w, NULL, statement_name(s), info));
	if (!w->prepared[s] && (e = prepare(w, s, info)) != ERR_OK)
		return (e);
	if (PQsendQueryPrepared(w->conn, statement_name(s), a->n, a->value,
		a->length, a->format, 1) != 1 ||
	    PQsetSingleRowMode(w->conn) != 1)
		return (warm_error(w, NULL, statement_name(s), info));
	return (ERR_OK);
}

enum err
warm_next(
    struct warm *w, enum statement s, PGresult **ret, struct err_info *info)
{
	AUTO_RESULT r = PQgetResult(w->conn);
	PGresult *end;

	*ret = NULL;
	if (r == NULL)
		return (ERR_OK);
	if (PQresultStatus(r) == PGRES_SINGLE_TUPLE) {
		*ret = r;
		r = NULL;
		return (ERR_OK);
	}
	while ((end = PQgetResult(w->conn)) != NULL)
		PQclear(end);
	if (PQresultStatus(r) == PGRES_TUPLES_OK)
		return (ERR_OK);
	return (warm_error(w, r, statement_name(s), info));
}

enum err
warm_run_one(struct warm *w, enum statement s, const struct warm_args *a,
    struct err_info *info)
{
	AUTO_RESULT r = NULL;
	enum err e = warm_run(w, s, a, &r, info);

	if (e != ERR_OK)
		return (e);
	if (strcmp(PQcmdTuples(r), "1") != 0)
		return (err_set(info, ERR_CONFLICT, NULL,
		    "%s: %s rows changed, not 1", statement_name(s),
		    PQcmdTuples(r)));
	return (ERR_OK);
}

enum err
warm_command(
    struct warm *w, const char *sql, const char *tag, struct err_info *info)
{
	AUTO_RESULT r = NULL;

	if (w->conn == NULL)
		return (warm_error(w, NULL, tag, info));
	r = PQexec(w->conn, sql);
	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		return (warm_error(w, r, tag, info));
	/* A COMMIT of a failed transaction succeeds, as a ROLLBACK. */
	if (strcmp(PQcmdStatus(r), tag) != 0)
		return (err_set(info, ERR_DATABASE, NULL, "%s: became %s", tag,
		    PQcmdStatus(r)));
	return (ERR_OK);
}

int32_t
warm_get_i32(const PGresult *r, int row, int column)
{
	return (PQgetisnull(r, row, column)
		? 0
		: wire_get_i32(PQgetvalue(r, row, column)));
}

int64_t
warm_get_i64(const PGresult *r, int row, int column)
{
	return (PQgetisnull(r, row, column)
		? 0
		: wire_get_i64(PQgetvalue(r, row, column)));
}

bool
warm_get_bool(const PGresult *r, int row, int column)
{
	return (
	    !PQgetisnull(r, row, column) && *PQgetvalue(r, row, column) != 0);
}

double
warm_get_f64(const PGresult *r, int row, int column)
{
	return (PQgetisnull(r, row, column)
		? (double)NAN
		: wire_get_f64(PQgetvalue(r, row, column)));
}

int64_t
warm_get_time(const PGresult *r, int row, int column)
{
	int64_t t = INSTANT_NONE;

	if (!PQgetisnull(r, row, column))
		(void)wire_get_time(PQgetvalue(r, row, column), &t);
	return (t);
}

int64_t
warm_get_span(const PGresult *r, int row, int column)
{
	double s = warm_get_f64(r, row, column);

	if (!(s > 0))
		return (0);
	return (s < 1e10 ? llround(s * 1e6) : INT64_C(10000000000000000));
}

const char *
warm_get_text(const PGresult *r, int row, int column)
{
	return (PQgetvalue(r, row, column));
}

const char *
warm_dup_text(struct arena *a, const PGresult *r, int row, int column)
{
	return (arena_strndup(a, PQgetvalue(r, row, column),
	    (size_t)PQgetlength(r, row, column)));
}
