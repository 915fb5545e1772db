#include "api/imports_part.h"

#include "auth/digest.h"
#include "core/import_port.h"
#include "core/instant.h"
#include "core/log.h"
#include "ingest/import_spans.h"
#include "ingest/last_seen.h"
#include "ingest/registry_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What this process knows of nodes and series for imports: the loop's own
 * registry is not for other threads. One part at a time. */
static struct registry *registry;

static enum err
run(struct import_job *j, enum statement s, const struct param *params, int n,
    enum err (*cb)(void *, const struct rows *, struct err_info *), void *arg)
{
	const struct import_port *port = &j->api->import;

	return (port->run(port->self,
	    &(struct query){.statement = s, .params = params, .nparams = n}, cb,
	    arg, &j->info));
}

/* --- what the database knows of the import and the part --- */

static enum err
no_memory(struct err_info *info)
{
	return (err_set(info, ERR_NO_MEMORY, NULL,
	    "the part needs more memory than there is"));
}

enum find_column {
	FIND_STATE,
	FIND_NEXT,
	FIND_ALARMS,
	FIND_HEADER,
	FIND_SHA256,
	FIND_ANSWER,
	FIND_ACCEPTED,
	FIND_DUPLICATES,
	FIND_SERIES,
	FIND_TS
};

/* A part that came before: the same body, or none of ours. */
static enum err
check_body(struct import_job *j, const struct rows *rows, struct err_info *info)
{
	const char *answer = rows->get(rows, 0, FIND_ANSWER, NULL);

	if (strcmp(registry_row_text(rows, 0, FIND_SHA256), j->sha256) != 0)
		return (answer == NULL
			? ERR_OK
			: err_set(info, ERR_CONFLICT, NULL,
			      "part %d is done and had another body",
			      j->number));
	if (answer != NULL) {
		j->again = true;
		text_puts(&j->answer, answer);
		return (ERR_OK);
	}
	j->covered_series = (int32_t)registry_row_int(rows, 0, FIND_SERIES);
	j->covered_us = registry_row_int(rows, 0, FIND_TS);
	return (ERR_OK);
}

static enum err
on_find(void *arg, const struct rows *rows, struct err_info *info)
{
	struct import_job *j = arg;
	const char *state, *header;
	int64_t next;

	if (rows->n == 0)
		return (err_set(info, ERR_NOT_FOUND, NULL,
		    "there is no import %" PRId64, j->id));
	state = registry_row_text(rows, 0, FIND_STATE);
	next = registry_row_int(rows, 0, FIND_NEXT);
	if (strcmp(state, "open") != 0)
		return (err_set(
		    info, ERR_CONFLICT, NULL, "the import is %s", state));
	if (j->number > next)
		return (err_set(info, ERR_CONFLICT, NULL,
		    "part %" PRId64 " is next; parts come in order", next));
	header = rows->get(rows, 0, FIND_HEADER, NULL);
	if (j->number > 0 && header != NULL &&
	    (j->header = strdup(header)) == NULL)
		return (no_memory(info));
	j->alarms = registry_row_true(rows, 0, FIND_ALARMS);
	j->accepted = registry_row_int(rows, 0, FIND_ACCEPTED);
	j->duplicates = registry_row_int(rows, 0, FIND_DUPLICATES);
	return (rows->get(rows, 0, FIND_SHA256, NULL) == NULL
		? ERR_OK
		: check_body(j, rows, info));
}

static void
hash(struct import_job *j)
{
	const struct digest_part whole = {j->csv, j->len};
	unsigned char sha[DIGEST_LEN];
	size_t i;

	digest(&whole, 1, sha);
	for (i = 0; i < DIGEST_LEN; i++)
		(void)snprintf(&j->sha256[2 * i], 3, "%02x", sha[i]);
}

static enum err
find(struct import_job *j)
{
	char id[24], number[16];
	const struct param params[] = {{id, -1, false}, {number, -1, false}};

	(void)snprintf(id, sizeof(id), "%" PRId64, j->id);
	(void)snprintf(number, sizeof(number), "%d", j->number);
	return (run(j, ST_import_part_find, params, 2, on_find, j));
}

/* --- the registry --- */

struct load {
	enum err (*put)(struct registry *, const struct rows *, int);
	int n;
	bool early; /* a series came before its node */
};

static enum err
on_rows(void *arg, const struct rows *rows, struct err_info *info)
{
	struct load *l = arg;
	enum err e;
	int i;

	for (i = 0; i < rows->n; i++) {
		e = l->put(registry, rows, i);
		if (e == ERR_NO_MEMORY)
			return (no_memory(info));
		l->early |= e == ERR_NOT_FOUND;
	}
	l->n = rows->n;
	return (ERR_OK);
}

static enum err
load(struct import_job *j, enum statement s, enum registry_table table,
    struct load *l)
{
	char change[24];
	const struct param param = {change, -1, false};
	enum err e;

	do {
		(void)snprintf(change, sizeof(change), "%" PRId64,
		    registry_change(registry, table));
		e = run(j, s, &param, 1, on_rows, l);
	} while (e == ERR_OK && l->n == REGISTRY_PAGE_ROWS && !l->early);
	return (e);
}

/* What changed since the last part. */
static enum err
refresh(struct import_job *j)
{
	struct load nodes = {.put = registry_row_node};
	struct load series = {.put = registry_row_series};
	enum err e;

	if (registry == NULL && (registry = registry_new()) == NULL)
		return (no_memory(&j->info));
	do {
		series.early = false;
		e = load(j, ST_registry_nodes, REGISTRY_NODES, &nodes);
		if (e == ERR_OK)
			e = load(
			    j, ST_registry_series, REGISTRY_SERIES, &series);
	} while (e == ERR_OK && series.early);
	return (e);
}

/* --- reading --- */

static enum err
on_spans(void *arg, const struct rows *rows, struct err_info *info)
{
	return (import_spans_take(arg, rows, info));
}

static enum err
load_spans(struct import_job *j, struct import_spans *spans)
{
	spans->registry = registry;
	return (run(j, ST_archive_spans, NULL, 0, on_spans, spans));
}

/* What was archived since the part was read takes none of its readings. */
static enum err
check_spans(struct import_job *j)
{
	struct import_spans now = {0};
	enum err e = load_spans(j, &now);

	if (e == ERR_OK && !import_spans_same(&now, &j->spans))
		e = err_set(&j->info, ERR_BUSY, NULL,
		    "a span was archived meanwhile; send the part again");
	import_spans_done(&now);
	return (e);
}

static enum err
decode(struct import_job *j)
{
	const struct api *api = j->api;
	const struct range_port archive = import_spans_port(&j->spans);
	struct import_input in = {
	    .csv = j->csv,
	    .len = j->len,
	    .header = j->header,
	    .registry = registry,
	    .limits = {.now_us = api->clocks.now_us(),
		.future_us = api->future_us,
		.oldest_us = api->oldest_us,
		.archive = j->spans.n > 0 ? &archive : NULL},
	};
	struct span line;
	enum err e;

	e = import_part_header(in.csv, in.len, &line, &j->info);
	if (e == ERR_OK)
		e = import_part_decode(&j->part, &in, &j->info);
	if (e != ERR_OK || j->number > 0)
		return (e);
	j->header = strndup(line.s, line.len);
	return (j->header != NULL ? ERR_OK : no_memory(&j->info));
}

/* --- what is stored, and telling of it --- */

/* µs of our clock, up to the millisecond that is kept. */
static int64_t
received_us(const struct import_job *j)
{
	return (instant_floor(j->api->clocks.now_us() + 999, 1000));
}

static bool
covered(const struct import_job *j, const struct reading *r)
{
	return (r->series < j->covered_series ||
	    (r->series == j->covered_series && r->t_us <= j->covered_us));
}

/* Of readings [at, at + n) those that are not stored go to `fresh`. */
static size_t
sort_out(struct import_job *j, size_t at, size_t n)
{
	struct reading *r = &j->part.readings[at];
	int64_t received = received_us(j);
	size_t i, fresh = 0;

	for (i = 0; i < n; i++) {
		if (!j->known[i].known) {
			(void)last_seen_advance(
			    j->api->last_seen, r[i].series, r[i].t_us);
			j->fresh[fresh] = r[i];
			j->fresh[fresh++].received_us = received;
		} else if (j->known[i].value != r[i].value)
			import_part_known(
			    &j->part, at + i, j->known[i].value, "the series");
		else if (!covered(j, &r[i]))
			j->duplicates++;
	}
	return (fresh);
}

/* Of what was committed. */
static void
keep_latest(struct import_job *j)
{
	const struct reading *r = j->fresh;
	size_t i;

	for (i = 0; i < j->nfresh; i++) {
		if (j->nlatest == 0 ||
		    j->latest[j->nlatest - 1].series != r[i].series)
			j->nlatest++;
		j->latest[j->nlatest - 1] = r[i];
	}
}

static void
write_answer(struct import_job *j)
{
	const struct import_part *p = &j->part;
	struct text *t = &j->answer;
	int64_t duplicates = j->duplicates + (int64_t)p->duplicates;
	int64_t rejected = (int64_t)import_part_rejected(p);
	size_t i;

	import_part_sort_items(&j->part);
	json_object(t, NULL);
	json_int(t, "part", j->number);
	json_int(t, "rows", j->accepted + duplicates + rejected);
	json_int(t, "empty", (int64_t)p->empty);
	json_int(t, "accepted", j->accepted);
	json_int(t, "duplicates", duplicates);
	json_int(t, "rejected", rejected);
	json_array(t, "items");
	for (i = 0; i < p->nitems; i++) {
		json_object(t, NULL);
		json_int(t, "row", (int64_t)p->items[i].row);
		json_string(t, "reason", reject_word(p->items[i].reason));
		json_string(t, "detail", p->items[i].detail);
		json_object_end(t);
	}
	json_array_end(t);
	json_object_end(t);
}

static void
write_reasons(const struct import_part *p, struct text *t)
{
	size_t i;

	json_object(t, NULL);
	for (i = 0; i < REJECT_COUNT; i++)
		if (p->rejected[i] > 0)
			json_int(t, reject_word((enum reject)i),
			    (int64_t)p->rejected[i]);
	json_object_end(t);
}

/* Of the statements below: one row, or the import was ended meanwhile. */
static enum err
on_told(void *arg, const struct rows *rows, struct err_info *info)
{
	(void)arg;
	return (rows->n > 0 ? ERR_OK
			    : err_set(info, ERR_CONFLICT, NULL,
				  "the import was ended meanwhile"));
}

#define TOLD 11

/* Numbers as text parameters, each in a place of its own. */
struct told {
	struct param params[TOLD];
	char text[TOLD][24];
};

static void
tell(struct told *t, int i, int64_t v)
{
	(void)snprintf(t->text[i], sizeof(t->text[i]), "%" PRId64, v);
	t->params[i] = (struct param){t->text[i], -1, false};
}

static enum err
tell_some(struct import_job *j, const struct reading *last)
{
	struct told t;

	tell(&t, 0, j->id);
	tell(&t, 1, j->number);
	t.params[2] = (struct param){j->sha256, -1, false};
	tell(&t, 3, j->accepted);
	tell(&t, 4, j->duplicates);
	tell(&t, 5, last->series);
	tell(&t, 6, last->t_us);
	return (run(j, ST_import_part_some, t.params, 7, on_told, j));
}

static enum err
tell_done(struct import_job *j)
{
	char buf[1024];
	struct text reasons;
	struct told t;

	text_init_fixed(&reasons, buf, sizeof(buf));
	write_reasons(&j->part, &reasons);
	write_answer(j);
	if (!text_ok(&j->answer) || !text_ok(&reasons))
		return (no_memory(&j->info));
	tell(&t, 0, j->id);
	tell(&t, 1, j->number);
	t.params[2] = (struct param){j->sha256, -1, false};
	t.params[3] = (struct param){j->answer.s, -1, false};
	tell(&t, 4, j->accepted);
	tell(&t, 5, j->duplicates + (int64_t)j->part.duplicates);
	t.params[6] = (struct param){j->header, -1, false};
	tell(&t, 7, (int64_t)j->len);
	t.params[8] = (struct param){reasons.s, -1, false};
	tell(&t, 9, j->began_us);
	tell(&t, 10, (int64_t)j->part.empty);
	return (run(j, ST_import_part_done, t.params, 11, on_told, j));
}

/* --- storing --- */

static enum err
store_chunk(struct import_job *j, size_t at, size_t n)
{
	const struct import_port *port = &j->api->import;
	const struct reading *r = &j->part.readings[at];
	enum err e;

	if ((e = check_spans(j)) != ERR_OK ||
	    (e = port->stored(port->self, r, n, j->known, &j->info)) != ERR_OK)
		return (e);
	j->nfresh = sort_out(j, at, n);
	j->accepted += (int64_t)j->nfresh;
	e = port->store(port->self, j->fresh, j->nfresh, &j->info);
	if (e != ERR_OK)
		return (e);
	return (at + n == j->part.n ? tell_done(j) : tell_some(j, &r[n - 1]));
}

static enum err
allocate(struct import_job *j)
{
	size_t n = j->part.n + 1;

	j->known = malloc(n * sizeof(*j->known));
	j->fresh = malloc(n * sizeof(*j->fresh));
	j->latest = malloc(n * sizeof(*j->latest));
	return (j->known != NULL && j->fresh != NULL && j->latest != NULL
		? ERR_OK
		: no_memory(&j->info));
}

/* In transactions so short that the loop never waits long for one. */
static enum err
store(struct import_job *j)
{
	const struct import_port *port = &j->api->import;
	size_t at = 0, n;
	enum err e;

	e = port->prepare(port->self, j->part.readings, j->part.n, &j->info);
	if (e != ERR_OK)
		return (e);
	do {
		n = import_part_chunk(&j->part, at);
		if ((e = port->begin(port->self, &j->info)) == ERR_OK)
			e = store_chunk(j, at, n);
		if (e == ERR_OK) {
			e = port->commit(port->self, &j->info);
			j->unsure = e != ERR_OK;
		}
		if (e != ERR_OK) {
			port->rollback(port->self);
			return (e);
		}
		keep_latest(j);
		at += n;
	} while (at < j->part.n);
	return (ERR_OK);
}

/* For the log: what is stored already goes, the rest is appended. */
static enum err
sift(struct import_job *j)
{
	const struct import_port *port = &j->api->import;
	struct import_part *p = &j->part;
	enum err e;

	e = port->stored(port->self, p->readings, p->n, j->known, &j->info);
	if (e != ERR_OK)
		return (e);
	p->n = sort_out(j, 0, p->n);
	memcpy(p->readings, j->fresh, p->n * sizeof(*p->readings));
	j->accepted = (int64_t)p->n;
	return (ERR_OK);
}

static enum err
work(struct import_job *j)
{
	enum err e;

	if ((e = find(j)) != ERR_OK || j->again || (e = refresh(j)) != ERR_OK ||
	    (e = load_spans(j, &j->spans)) != ERR_OK ||
	    (e = decode(j)) != ERR_OK || (e = allocate(j)) != ERR_OK)
		return (e);
	return (j->alarms ? sift(j) : store(j));
}

static void
leave(struct import_job *j)
{
	const struct import_port *port = &j->api->import;

	port->close(port->self);
	if (j->info.code != ERR_OK || j->again)
		return;
	log_event(LOG_LEVEL_INFO, "import_part", "import", LOG_INT, j->id,
	    "part", LOG_INT, (int64_t)j->number, "accepted", LOG_INT,
	    j->accepted, "duplicates", LOG_INT,
	    j->duplicates + (int64_t)j->part.duplicates, "rejected", LOG_INT,
	    (int64_t)import_part_rejected(&j->part), "took_us", LOG_INT,
	    j->api->clocks.now_us() - j->began_us, NULL);
}

void
import_job_work(struct import_job *j)
{
	const struct import_port *port = &j->api->import;

	j->began_us = j->api->clocks.now_us();
	text_init(&j->answer, IMPORT_ANSWER_MAX);
	hash(j);
	if (port->open(port->self, &j->info) != ERR_OK)
		return;
	if (work(j) != ERR_OK || j->again || !j->alarms)
		leave(j);
}

void
import_job_record(struct import_job *j)
{
	if (j->info.code == ERR_OK)
		(void)tell_done(j);
	leave(j);
}

void
import_job_free(struct import_job *j)
{
	import_part_done(&j->part);
	import_spans_done(&j->spans);
	text_done(&j->answer);
	free(j->latest);
	free(j->header);
	free(j->known);
	free(j->fresh);
}
