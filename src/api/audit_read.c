#include "api/audit.h"

#include "api/api.h"
#include "api/media.h"
#include "api/resources.h"
#include "api/stream.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 95
#define ID_MAX	     999999999999999
#define PAGE	     "50" /* rows asked for at once */
#define PAGE_ROWS    50

/* clang-format off */
const struct field query_audit[] = {
	{ "from", FIELD_INSTANT, false, 0, 0, NULL, NULL, "At this time or later" },
	{ "to", FIELD_INSTANT, false, 0, 0, NULL, NULL, "Before this time" },
	{ "actor", FIELD_STRING, false, 1, NAME_MAX_LEN, NULL, NULL,
	    "User name, key:ID, idp:SUBJECT, loop, archive, anonymous or db:ROLE" },
	{ "node", FIELD_STRING, false, 1, 63, NULL, NULL,
	    "Code of a node that was changed, or of which a series was" },
	{ "action", FIELD_STRING, false, 1, 63, NULL, NULL,
	    "operationId of a call, or table.operation" },
	{ "outcome", FIELD_STRING, false, 0, 0, "done|refused", NULL, "Outcome" },
	{ "limit", FIELD_INTEGER, false, 1, 1000, NULL, NULL,
	    "Items per page, 100 if absent; JSON only" },
	{ "cursor", FIELD_INTEGER, false, 1, ID_MAX, NULL, NULL,
	    "`next` of the page before; in lines: after this id" },
	{ .name = NULL }
};

#define Q(name) { SOURCE_QUERY, name }
const struct resource resource_audit_list = { ST_audit_list, 200, "row",
	{ Q("from"), Q("to"), Q("actor"), Q("node"), Q("action"), Q("outcome"),
	    { SOURCE_LIMIT, NULL }, Q("cursor") } };

static const struct form {
	const char *media, *word, *content_type, *head;
} forms[] = {
	{ "application/json", NULL, NULL, NULL },
	{ "text/csv", "csv", "text/csv; charset=utf-8; header=present",
	    "id,at,actor,role,address,session,request_id,action,target,outcome,"
	    "status,detail,nodes,changes,prev,hash\n" },
	{ "application/x-ndjson", "ndjson", "application/x-ndjson", "" },
};
/* clang-format on */
#define FORMS (sizeof(forms) / sizeof(forms[0]))

/* The record in lines, page by page as the client takes them. */
struct lines {
	struct request *r;
	const struct form *form;
	char after[24]; /* id of the last row */
	bool begun, waiting, ended;
};

static void
end(struct lines *l, bool whole)
{
	l->ended = true;
	stream_end(l->r, whole);
}

static void ask(struct lines *);

static void
pull(struct request *r)
{
	struct lines *l = r->state;

	if (!l->waiting && !l->ended)
		ask(l);
}

static void
fail(struct lines *l, const struct err_info *info)
{
	if (l->begun)
		end(l, false);
	else
		reply_problem(l->r, info);
}

static bool
begin(struct lines *l)
{
	const struct stream stream = {
	    .status = 200, .content_type = l->form->content_type, .pull = pull};

	l->begun = true;
	if (!stream_begin(l->r, &stream))
		return (false);
	stream_write(l->r, l->form->head, strlen(l->form->head));
	return (true);
}

static void
write_rows(struct lines *l, const struct rows *rows)
{
	const char *id, *line;
	int i, len;

	if (!l->begun && !begin(l))
		return;
	for (i = 0; i < rows->n; i++) {
		id = rows->get(rows, i, 0, &len);
		(void)snprintf(l->after, sizeof(l->after), "%s", id);
		line = rows->get(rows, i, 1, &len);
		stream_write(l->r, line, (size_t)len);
		stream_write(l->r, "\n", 1);
	}
	if (rows->n < PAGE_ROWS)
		end(l, true);
}

static void
on_page(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct lines *l = arg;
	struct request *r = l->r;

	l->waiting = false;
	if (!request_gone(r)) {
		if (info->code != ERR_OK)
			fail(l, info);
		else
			write_rows(l, rows);
	}
	request_release(r);
}

static void
ask(struct lines *l)
{
	struct request *r = l->r;
	struct err_info info = {.code = ERR_OK};
	struct param p[9];
	size_t i;

	for (i = 0; i < 6; i++)
		p[i] = (struct param){
		    request_query(r, query_audit[i].name), -1, false};
	p[6] = (struct param){PAGE, -1, false};
	p[7] = (struct param){l->after, -1, false};
	p[8] = (struct param){l->form->word, -1, false};
	if (r->api->query.run(r->api->query.self,
		&(struct query){
		    .statement = ST_audit_export,
		    .lane = LANE_SLOW,
		    .params = p,
		    .nparams = 9,
		    .tag = r->request_id,
		},
		on_page, l, &info) != ERR_OK) {
		fail(l, &info);
		return;
	}
	l->waiting = true;
	request_hold(r);
}

void
audit_get(struct request *r)
{
	const char *media[FORMS], *from = request_query(r, "cursor");
	struct lines *l;
	size_t i;
	int form;

	for (i = 0; i < FORMS; i++)
		media[i] = forms[i].media;
	form = media_choose(request_header(r, "Accept"), media, FORMS);
	if (form == 0) {
		resource_handle(r);
		return;
	}
	if (form < 0) {
		reply_error(r, ERR_NOT_ACCEPTABLE, NULL,
		    "application/json, text/csv or application/x-ndjson");
		return;
	}
	if ((l = arena_calloc(&r->arena, 1, sizeof(*l))) == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	*l = (struct lines){.r = r, .form = &forms[form]};
	(void)snprintf(
	    l->after, sizeof(l->after), "%s", from != NULL ? from : "0");
	r->state = l;
	ask(l);
}
