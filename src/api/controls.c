/*
 * The rules of a zone's network file: read on a thread, for such a file may be
 * long, then kept as any other resource.
 */
#include <jansson.h> /* before core/text.h */

#include "api/handlers.h"

#include "api/api.h"
#include "api/resource.h"
#include "api/resources.h"

#include <stdlib.h>
#include <string.h>

#define JSON_MAX ((size_t)1 << 20)

/* clang-format off */
#define PATH_CODE { SOURCE_PATH, "code" }

const struct resource resource_zone_controls_get = { ST_zone_controls_get, 200,
	"zone", { PATH_CODE } };
const struct resource resource_zone_controls_put = { ST_zone_controls_put, 200,
	"zone", { PATH_CODE, { SOURCE_BODY, NULL } } };
const struct resource resource_system_get = { ST_system_get, 200, "zone",
	{ PATH_CODE } };
/* clang-format on */

/* Lives in its request's arena. */
struct file {
	struct request *r;
	struct text json;
	struct err_info info;
};

/* The client may leave while a thread reads the body, which goes with it. */
static bool
own(struct request *r)
{
	char *copy;

	if (r->content_owned != NULL || r->content_len == 0)
		return (true);
	if ((copy = malloc(r->content_len)) == NULL)
		return (false);
	memcpy(copy, r->content, r->content_len);
	r->content = r->content_owned = copy;
	return (true);
}

static void
read_file(void *arg)
{
	struct file *f = arg;
	const struct request *r = f->r;

	(void)r->api->controls(r->content, r->content_len, &f->json, &f->info);
}

static void
on_read(void *arg)
{
	struct file *f = arg;
	struct request *r = f->r;

	if (!request_gone(r)) {
		if (f->info.code != ERR_OK)
			reply_problem(r, &f->info);
		else if ((r->body = json_loadb(
			      f->json.s, f->json.len, 0, NULL)) == NULL)
			reply_error(r, ERR_NO_MEMORY, NULL, "rules");
		else
			resource_ask(r, resource_answer);
	}
	text_done(&f->json);
	request_release(r);
}

void
zone_controls_put(struct request *r)
{
	const struct offload_port *thread = &r->api->offload;
	struct file *f = arena_calloc(&r->arena, 1, sizeof(*f));

	if (f == NULL || r->api->controls == NULL || !own(r)) {
		reply_error(r, ERR_NO_MEMORY, NULL, "no room for the file");
		return;
	}
	f->r = r;
	text_init(&f->json, JSON_MAX);
	request_hold(r);
	if (thread->run(thread->self, read_file, on_read, f) == ERR_OK)
		return;
	text_done(&f->json);
	reply_error(r, ERR_BUSY, NULL, "too much is at work; send it again");
	request_release(r);
}
