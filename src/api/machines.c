#include "domain/machines.h"

#include "api/handlers.h"

#define DOCUMENT_MAX ((size_t)64 << 10)

void
machines_get(struct request *r)
{
	struct text t;

	text_init(&t, DOCUMENT_MAX);
	machines_write(&t);
	if (text_ok(&t))
		reply_json(r, 200, t.s, t.len);
	else
		reply_error(r, ERR_NO_MEMORY, NULL, "the tables do not fit");
	text_done(&t);
}
