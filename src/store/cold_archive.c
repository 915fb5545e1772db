#include "store/cold_archive.h"

#include "core/instant.h"
#include "store/cold_parts.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A short step waits behind who reads or writes the partition: not long, as
 * others queue behind it, but so often. */
#define TRIES  60
#define NAP_MS 1000
/* A partition into which somebody keeps writing is left for another day. */
#define ROUNDS 3

void
cold_tell(struct archiver *a, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	a->config.tell(line);
}

static bool
nap(struct archiver *a, int64_t ms)
{
	const struct timespec t = {.tv_nsec = 50 * 1000000};

	for (; ms > 0 && !a->config.stopping(); ms -= 50)
		(void)nanosleep(&t, NULL);
	return (!a->config.stopping());
}

enum err
cold_ask(struct archiver *a, enum statement s, const struct warm_args *q,
    PGresult **ret, struct err_info *info)
{
	enum err e;
	int i;

	for (i = 1;; i++) {
		err_clear(info);
		e = warm_run(a->db, s, q, ret, info);
		if (e != ERR_DEADLINE || i == TRIES || !nap(a, NAP_MS))
			return (e);
	}
}

static enum err
open_db(struct archiver *a, struct warm **ret, struct err_info *info)
{
	const char *const keys[] = {"connect_timeout", "keepalives_idle",
	    "dbname", "application_name", NULL};
	const char *const values[] = {
	    "5", "10", a->config.conninfo, "penstock archive", NULL};
	struct warm *w = warm_new(a->config.conninfo, "penstock archive");

	if ((*ret = w) == NULL ||
	    (w->conn = PQconnectdbParams(keys, values, 1)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "archive"));
	if (PQstatus(w->conn) != CONNECTION_OK)
		return (warm_error(w, NULL, "connect", info));
	return (warm_run(w, ST_archive_setup, NULL, NULL, info));
}

static enum err
connect(struct archiver *a, struct err_info *info)
{
	AUTO_RESULT lock = NULL;
	AUTO_RESULT home = NULL;
	enum err e;

	if ((e = open_db(a, &a->db, info)) != ERR_OK ||
	    (e = open_db(a, &a->side, info)) != ERR_OK ||
	    (e = warm_run(a->db, ST_archive_lock, NULL, &lock, info)) != ERR_OK)
		return (e);
	if (!warm_get_bool(lock, 0, 0))
		return (err_set(info, ERR_CONFLICT, NULL,
		    "another archiver works on this database"));
	if ((e = warm_run(a->db, ST_archive_home, NULL, &home, info)) == ERR_OK)
		(void)snprintf(
		    a->home, sizeof(a->home), "%s", warm_get_text(home, 0, 0));
	return (e);
}

enum err
archiver_new(const struct archiver_config *config, struct archiver **ret,
    struct err_info *info)
{
	struct archiver *a = calloc(1, sizeof(*a));
	enum err e;

	if (a == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "archive"));
	a->config = *config;
	if ((e = connect(a, info)) != ERR_OK) {
		archiver_free(a);
		return (e);
	}
	*ret = a;
	return (ERR_OK);
}

void
archiver_free(struct archiver *a)
{
	if (a == NULL)
		return;
	warm_free(a->db);
	warm_free(a->side);
	free(a);
}

/* Writes and proves one day; the archive has a file then, or the day has no
 * readings. */
static enum err
archive_day(struct archiver *a, const struct cold_span *s, int64_t day_us,
    struct err_info *info)
{
	int64_t readings = 0;
	char day[11], at[COLD_CODE + 12];
	enum err e = cold_write_day(a, s, day_us, &readings, info);

	cold_day(day_us, day);
	if (e != ERR_OK || readings == 0)
		return (e);
	cold_tell(a, "%s %s written, %lld readings", s->code, day,
	    (long long)readings);
	(void)snprintf(at, sizeof(at), "%s %s", s->code, day);
	cold_run_say(a, at, readings, 0);
	return (ERR_OK);
}

static enum err
write_days(struct archiver *a, const struct cold_span *s, struct err_info *info)
{
	int64_t t = s->from_us;
	enum err e = ERR_OK;

	while (e == ERR_OK) {
		struct warm_args q = {0};
		AUTO_RESULT r = NULL;

		warm_i32(&q, s->class);
		warm_time(&q, s->from_us);
		warm_time(&q, s->to_us);
		warm_time(&q, t);
		e = warm_run(a->db, ST_archive_next, &q, &r, info);
		if (e != ERR_OK || PQgetisnull(r, 0, 0))
			return (e);
		t = instant_floor(warm_get_time(r, 0, 0), US_PER_DAY);
		e = archive_day(a, s, t, info);
		t += US_PER_DAY;
	}
	return (e);
}

static enum err
check_days(struct archiver *a, const struct cold_span *s, struct err_info *info)
{
	struct cold_file *files = NULL;
	size_t n = 0, i;
	enum err e = cold_files(a, s->archive, &files, &n, info);

	for (i = 0; e == ERR_OK && i < n; i++)
		e = cold_check_day(a, s, &files[i], info);
	if (e == ERR_OK)
		cold_tell(
		    a, "%s: %zu files read back and compared", s->code, n);
	free(files);
	return (e);
}

static bool
touched(struct archiver *a, const struct cold_span *s)
{
	struct warm_args q = {0};
	struct err_info info = {0};
	AUTO_RESULT r = NULL;

	warm_i32(&q, s->archive);
	return (
	    warm_run(a->side, ST_archive_touched, &q, &r, &info) == ERR_OK &&
	    warm_get_bool(r, 0, 0));
}

/* *ret_done false: the partition changed. Readings in the log will change it
 * as soon as the loop has merged them. */
static enum err
seal(struct archiver *a, const struct cold_span *s, bool *ret_done,
    struct err_info *info)
{
	struct warm_args q = {0};
	const char *word;
	enum err e;
	int i;

	warm_i32(&q, s->archive);
	for (i = 0; i < TRIES; i++) {
		AUTO_RESULT r = NULL;

		if ((e = cold_ask(a, ST_archive_seal, &q, &r, info)) != ERR_OK)
			return (e);
		word = warm_get_text(r, 0, 0);
		*ret_done = strcmp(word, "verified") == 0;
		if (strcmp(word, "logged") != 0)
			return (ERR_OK);
		if (!nap(a, NAP_MS))
			return (
			    err_set(info, ERR_DRAINING, NULL, "asked to stop"));
	}
	return (err_set(info, ERR_CONFLICT, NULL,
	    "the log still holds readings of a span that is to be archived: "
	    "is the loop running?"));
}

/* Files that hold what the partition holds. *ret_done false: it changed. */
static enum err
prove(struct archiver *a, struct cold_span *s, bool *ret_done,
    struct err_info *info)
{
	struct warm_args begin = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_i32(&begin, s->class);
	warm_time(&begin, s->from_us);
	if ((e = cold_ask(a, ST_archive_begin, &begin, &r, info)) != ERR_OK)
		return (e);
	s->archive = warm_get_i32(r, 0, 0);
	if ((e = write_days(a, s, info)) == ERR_OK &&
	    (e = check_days(a, s, info)) == ERR_OK)
		e = seal(a, s, ret_done, info);
	if (e == ERR_INVALID && touched(a, s)) {
		*ret_done = false;
		return (ERR_OK);
	}
	return (e);
}

/* *ret_done false: the partition changed, and the archive is to be made
 * anew. */
static enum err
drop(struct archiver *a, const struct cold_span *s, bool *ret_done,
    struct err_info *info)
{
	struct warm_args q = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_i32(&q, s->archive);
	if (!nap(a, a->config.grace_ms))
		return (err_set(info, ERR_DRAINING, NULL, "asked to stop"));
	if ((e = cold_ask(a, ST_archive_drop, &q, &r, info)) == ERR_OK)
		*ret_done = strcmp(warm_get_text(r, 0, 0), "dropped") == 0;
	return (e);
}

static enum err
archive_span(
    struct archiver *a, struct cold_span *s, bool keep, struct err_info *info)
{
	bool sealed = strcmp(s->state, "verified") == 0, done = false;
	char from[11], to[11];
	enum err e = ERR_OK;
	int i;

	cold_day(s->from_us, from);
	cold_day(s->to_us, to);
	for (i = 0; i < ROUNDS && e == ERR_OK && !done; i++) {
		if (!sealed)
			e = prove(a, s, &sealed, info);
		if (e == ERR_OK && sealed && keep) {
			cold_tell(a, "%s from %s to %s archived, not dropped",
			    s->code, from, to);
			return (ERR_OK);
		}
		if (e == ERR_OK && sealed)
			e = drop(a, s, &done, info);
		sealed = false;
	}
	if (e == ERR_OK && !done)
		e = err_set(info, ERR_CONFLICT, NULL,
		    "%s from %s to %s changes all the time: not archived",
		    s->code, from, to);
	if (e != ERR_OK)
		return (e);
	cold_tell(
	    a, "%s from %s to %s archived and dropped", s->code, from, to);
	cold_run_say(a, NULL, 0, 1);
	return (ERR_OK);
}

static void
get_span(struct cold_span *s, const PGresult *r, int row, const int column[6])
{
	*s = (struct cold_span){.archive = warm_get_i32(r, row, column[0]),
	    .class = warm_get_i32(r, row, column[1]),
	    .from_us = warm_get_time(r, row, column[3]),
	    .to_us = warm_get_time(r, row, column[4])};
	(void)snprintf(
	    s->code, sizeof(s->code), "%s", warm_get_text(r, row, column[2]));
	(void)snprintf(
	    s->state, sizeof(s->state), "%s", warm_get_text(r, row, column[5]));
}

/* A misspelt class would have nothing to do, night after night. */
static enum err
check_class(
    struct archiver *a, const struct archiver_choice *c, struct err_info *info)
{
	struct warm_args q = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	if (c->class == NULL)
		return (ERR_OK);
	warm_text(&q, c->class);
	if ((e = warm_run(a->db, ST_archive_class, &q, &r, info)) == ERR_OK &&
	    !warm_get_bool(r, 0, 0))
		e = err_set(info, ERR_INVALID, NULL,
		    "%s is not a retention class", c->class);
	return (e);
}

static enum err
run(struct archiver *a, const struct archiver_choice *c, struct err_info *info)
{
	static const int columns[6] = {4, 0, 1, 2, 3, 5};
	struct warm_args q = {0};
	struct err_info first = {0};
	AUTO_RESULT r = NULL;
	struct cold_span s;
	enum err e;
	int i;

	warm_time(&q, c->to_us);
	warm_text(&q, c->class);
	if ((e = check_class(a, c, info)) != ERR_OK ||
	    (e = warm_run(a->db, ST_archive_due, &q, &r, info)) != ERR_OK)
		return (e);
	for (i = 0; i < PQntuples(r) && !a->config.stopping(); i++) {
		err_clear(info);
		get_span(&s, r, i, columns);
		/* One that fails does not hold up the others. */
		if (archive_span(a, &s, c->keep, info) != ERR_OK) {
			cold_tell(a, "%s: %s", s.code, info->detail);
			if (first.code == ERR_OK)
				first = *info;
		}
	}
	if (i == 0)
		cold_tell(a, "nothing to archive");
	if (first.code == ERR_OK && a->config.stopping())
		err_set(&first, ERR_DRAINING, NULL, "asked to stop");
	*info = first;
	return (first.code);
}

enum err
archiver_run(
    struct archiver *a, const struct archiver_choice *c, struct err_info *info)
{
	bool due = c->to_us == INSTANT_NONE && c->class == NULL && !c->keep;
	enum err e = cold_run_begin(a, due, info);

	if (e != ERR_OK)
		return (e);
	e = run(a, c, info);
	cold_run_end(a, info);
	return (e);
}

/* What to do with each chosen archive. */
typedef enum err
span_fn(struct archiver *, const struct cold_span *, struct err_info *);

static enum err
each(struct archiver *a, const struct archiver_choice *c, const char *states,
    span_fn *fn, struct err_info *info)
{
	static const int columns[6] = {0, 1, 2, 3, 4, 5};
	struct warm_args q = {0};
	AUTO_RESULT r = NULL;
	struct cold_span s;
	enum err e;
	int i;

	warm_text(&q, states);
	warm_time(&q, c->from_us);
	warm_time(&q, c->to_us);
	warm_text(&q, c->class);
	if ((e = check_class(a, c, info)) != ERR_OK ||
	    (e = warm_run(a->db, ST_archive_spans_in, &q, &r, info)) != ERR_OK)
		return (e);
	for (i = 0; e == ERR_OK && i < PQntuples(r); i++) {
		get_span(&s, r, i, columns);
		e = fn(a, &s, info);
	}
	if (i == 0)
		cold_tell(a, "no archive there");
	return (e);
}

static enum err
drop_verified(
    struct archiver *a, const struct cold_span *s, struct err_info *info)
{
	struct cold_span span = *s;

	return (archive_span(a, &span, false, info));
}

static enum err
verify(struct archiver *a, const struct cold_span *s, struct err_info *info)
{
	struct cold_file *files = NULL;
	size_t n = 0, i;
	int64_t readings = 0;
	char from[11], to[11];
	enum err e = cold_files(a, s->archive, &files, &n, info);

	for (i = 0; e == ERR_OK && i < n; i++) {
		e = cold_check_file(a, &files[i], info);
		readings += files[i].readings;
	}
	cold_day(s->from_us, from);
	cold_day(s->to_us, to);
	if (e == ERR_OK)
		cold_tell(a,
		    "%s from %s to %s: %zu files, %lld readings, all "
		    "as recorded",
		    s->code, from, to, n, (long long)readings);
	free(files);
	return (e);
}

static enum err
list(struct archiver *a, const struct cold_span *s, struct err_info *info)
{
	struct cold_file *files = NULL;
	int64_t readings = 0, bytes = 0;
	size_t n = 0, i;
	char from[11], to[11];
	enum err e = cold_files(a, s->archive, &files, &n, info);

	for (i = 0; e == ERR_OK && i < n; i++) {
		readings += files[i].readings;
		bytes += files[i].bytes;
	}
	cold_day(s->from_us, from);
	cold_day(s->to_us, to);
	if (e == ERR_OK)
		cold_tell(a,
		    "%4d  %-12s %s  %s  %-9s %3zu files %12lld "
		    "readings %12lld bytes",
		    (int)s->archive, s->code, from, to, s->state, n,
		    (long long)readings, (long long)bytes);
	free(files);
	return (e);
}

static enum err
restore(struct archiver *a, const struct cold_span *s, struct err_info *info)
{
	char from[11], to[11];
	enum err e = cold_restore(a, s, info);

	cold_day(s->from_us, from);
	cold_day(s->to_us, to);
	if (e == ERR_OK)
		cold_tell(a, "%s from %s to %s restored", s->code, from, to);
	return (e);
}

enum err
archiver_drop(
    struct archiver *a, const struct archiver_choice *c, struct err_info *info)
{
	return (each(a, c, "{verified}", drop_verified, info));
}

enum err
archiver_verify(
    struct archiver *a, const struct archiver_choice *c, struct err_info *info)
{
	return (each(a, c, "{verified,dropped,restoring}", verify, info));
}

enum err
archiver_restore(
    struct archiver *a, const struct archiver_choice *c, struct err_info *info)
{
	return (each(a, c, "{dropped,restoring}", restore, info));
}

enum err
archiver_list(
    struct archiver *a, const struct archiver_choice *c, struct err_info *info)
{
	return (each(
	    a, c, "{writing,verified,dropped,restoring,restored}", list, info));
}
