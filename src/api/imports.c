#include "api/handlers.h"

#include "api/imports_part.h"
#include "api/resource.h"
#include "core/import_port.h"
#include "core/instant.h"
#include "core/loop.h"
#include "core/metrics.h"

#include <stdlib.h>
#include <string.h>

/* Parts that wait for the one at work; each holds its client's body. */
#define QUEUE_MAX 4
/* Readings given on at once, so that no step of the loop is long. */
#define SLICE 2000
/* Until a thread may be free. */
#define BUSY_MS 50

/* One part on its way; lives in its request's arena. */
struct upload {
	struct request *r;
	struct upload *next;
	struct import_job job;
	size_t at; /* readings given to the log or to the hot tier */
};

/* Of this worker. The bodies' place is kept: to have it anew each time would
 * cost a page fault for every 4 KiB. */
static struct {
	struct upload *running, *first, **last;
	unsigned waiting;
	char *body;
} queue = {.last = &queue.first};

static void start_next(void);

static void
finish(struct upload *u)
{
	struct request *r = u->r;
	struct import_job *j = &u->job;

	if (j->info.code == ERR_OK)
		reply_text(r, 200, &j->answer);
	else
		reply_problem(r, &j->info);
	import_job_free(j);
	queue.running = NULL;
	request_release(r);
	start_next();
}

static void tell_hot(void *);

/* The hot tier keeps hours for two days; some more, for a clock that is
 * ahead. */
#define HOT_US (3 * US_PER_DAY)

/* Which of them reach into the hours that the hot tier may hold. */
static void
forget_hours(const struct api *api, const struct reading *newest, size_t n)
{
	int64_t since = api->clocks.now_us() - HOT_US;
	int32_t series[SLICE];
	size_t i, recent = 0;

	for (i = 0; i < n; i++)
		if (newest[i].t_us >= since)
			series[recent++] = newest[i].series;
	if (recent > 0 && api->hot.forget != NULL)
		api->hot.forget(api->hot.self, series, recent);
}

/* What was stored beside the log, slice by slice, before it is answered. */
static void
tell_hot(void *arg)
{
	struct upload *u = arg;
	const struct api *api = u->r->api;
	const struct reading *newest = u->job.latest + u->at;
	size_t n = u->job.nlatest - u->at;

	if (n > SLICE)
		n = SLICE;
	if (n > 0) {
		api->hot.note(api->hot.self, newest, n);
		forget_hours(api, newest, n);
	}
	u->at += n;
	if (u->at == u->job.nlatest)
		finish(u);
	else if (api->loop->ops->after(api->loop, 0, tell_hot, u) == NULL) {
		api->hot.doubt(api->hot.self);
		finish(u);
	}
}

static void
count(const struct import_job *j)
{
	if (j->info.code != ERR_OK || j->again)
		return;
	metric_count(COUNTER_IMPORT_ACCEPTED, (uint64_t)j->accepted);
	metric_count(COUNTER_IMPORT_DUPLICATE,
	    (uint64_t)j->duplicates + j->part.duplicates);
	metric_count(COUNTER_IMPORT_REJECTED, import_part_rejected(&j->part));
}

static void
do_record(void *arg)
{
	struct upload *u = arg;

	import_job_record(&u->job);
}

static void
recorded(void *arg)
{
	struct upload *u = arg;

	count(&u->job);
	finish(u);
}

/* The place in the database is held until this is done. */
static void
record(void *arg)
{
	struct upload *u = arg;
	const struct api *api = u->r->api;

	if (api->offload.run(api->offload.self, do_record, recorded, u) ==
		ERR_OK ||
	    api->loop->ops->after(api->loop, BUSY_MS, record, u) != NULL)
		return;
	do_record(u);
	recorded(u);
}

static void append(struct upload *);

static void
appended(void *arg, const struct err_info *info)
{
	struct upload *u = arg;

	if (info->code != ERR_OK && u->job.info.code == ERR_OK)
		u->job.info = *info;
	append(u);
}

/* Slice by slice, each after the one before is committed: what is live finds
 * its place between. */
static void
append(struct upload *u)
{
	const struct log_port *log = &u->r->api->log;
	struct import_job *j = &u->job;
	size_t at = u->at, n = j->part.n - at;

	if (n > SLICE)
		n = SLICE;
	u->at += n;
	if (n == 0 || j->info.code != ERR_OK ||
	    log->append(log->self, j->part.readings + at, n, appended, u,
		&j->info) != ERR_OK)
		record(u);
}

static void
worked(void *arg)
{
	struct upload *u = arg;
	struct import_job *j = &u->job;

	if (j->info.code == ERR_OK && j->alarms && !j->again) {
		append(u);
		return;
	}
	count(j);
	if (j->unsure && u->r->api->hot.doubt != NULL)
		u->r->api->hot.doubt(u->r->api->hot.self);
	tell_hot(u);
}

static void
do_work(void *arg)
{
	struct upload *u = arg;

	import_job_work(&u->job);
}

/* The client may leave while a thread reads the body. */
static bool
own(struct upload *u)
{
	struct request *r = u->r;

	u->job.csv = r->content;
	if (r->content_owned != NULL)
		return (true);
	if (queue.body == NULL)
		queue.body = malloc(IMPORT_PART_MAX);
	if (queue.body == NULL)
		return (false);
	memcpy(queue.body, r->content, r->content_len);
	u->job.csv = queue.body;
	return (true);
}

static void
begin(struct upload *u)
{
	const struct offload_port *o = &u->r->api->offload;
	struct import_job *j = &u->job;
	enum err e = ERR_NO_MEMORY;

	if (own(u))
		e = o->run(o->self, do_work, worked, u);
	if (e == ERR_OK)
		return;
	(void)err_set(&j->info, e, NULL, "no room to work on the part now");
	finish(u);
}

static void
start_next(void)
{
	struct upload *u;

	while (queue.running == NULL && (u = queue.first) != NULL) {
		if ((queue.first = u->next) == NULL)
			queue.last = &queue.first;
		queue.waiting--;
		if (request_gone(u->r)) {
			request_release(u->r);
			continue;
		}
		queue.running = u;
		begin(u);
	}
}

/* A number without sign, up to max; -1: none. */
static int64_t
path_number(struct request *r, const char *name, int64_t max)
{
	const char *s = request_path(r, name);
	size_t n = strspn(s, "0123456789");
	int64_t v;

	if (n == 0 || n > 18 || s[n] != '\0')
		return (-1);
	v = strtoll(s, NULL, 10);
	return (v <= max ? v : -1);
}

static bool
check(struct request *r, struct import_job *j)
{
	j->id = path_number(r, "id", INT64_MAX);
	j->number = (int)path_number(r, "part", INT32_MAX - 1);
	if (r->api->import.self == NULL)
		reply_error(r, ERR_NOT_FOUND, NULL, "nothing is imported here");
	else if (j->id < 0 || j->number < 0)
		reply_error(r, ERR_NOT_FOUND, NULL, "there is no such part");
	else if (r->content_len == 0)
		reply_error(r, ERR_BAD_REQUEST, NULL, "the part is empty");
	else if (queue.waiting == QUEUE_MAX)
		reply_error(r, ERR_BUSY, NULL,
		    "%d parts wait already; send it again", QUEUE_MAX);
	else
		return (true);
	return (false);
}

void
import_part_put(struct request *r)
{
	struct upload *u = arena_calloc(&r->arena, 1, sizeof(*u));

	if (u == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "no room for the part");
		return;
	}
	if (!check(r, &u->job))
		return;
	u->r = r;
	u->job.api = r->api;
	u->job.len = r->content_len;
	request_hold(r);
	*queue.last = u;
	queue.last = &u->next;
	queue.waiting++;
	start_next();
}

/* clang-format off */
#define WHO { SOURCE_PRINCIPAL, NULL }
#define PATH_ID { SOURCE_PATH_ID, "id" }

const struct field body_import[] = {
	{ "name", FIELD_STRING, false, 0, 200, NULL, NULL, "For people" },
	{ "alarms", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "true: by the log, as if it came live, so that it may raise alarms" },
	{ "total_bytes", FIELD_INTEGER, false, 0, 1e15, NULL, NULL,
	    "How long the whole is, for whoever looks at its progress" },
	{ .name = NULL }
};

const struct resource resource_imports_create = { ST_imports_create, 201,
	"import", { { SOURCE_BODY, NULL }, WHO } };
const struct resource resource_imports_list = { ST_imports_list, 200, "import",
	{ { SOURCE_LIMIT, NULL }, { SOURCE_QUERY, "cursor" } } };
const struct resource resource_imports_get = { ST_imports_get, 200, "import",
	{ PATH_ID } };
const struct resource resource_imports_finish = { ST_imports_finish, 200,
	"import", { PATH_ID, WHO } };
const struct resource resource_imports_cancel = { ST_imports_cancel, 204,
	"import", { PATH_ID, WHO } };
/* clang-format on */
