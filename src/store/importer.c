#include "store/importer_parts.h"

#include <stdlib.h>

static const char *
get(const struct rows *rows, int row, int column, int *ret_len)
{
	const PGresult *r = rows->result;

	if (ret_len != NULL)
		*ret_len = PQgetlength(r, row, column);
	return (
	    PQgetisnull(r, row, column) ? NULL : PQgetvalue(r, row, column));
}

/* As warm_run(), but with text results: the port's way. */
static enum err
run(void *self, const struct query *q,
    enum err (*cb)(void *, const struct rows *, struct err_info *), void *arg,
    struct err_info *info)
{
	struct importer *im = self;
	struct warm_args a = {.n = q->nparams, .text_result = true};
	AUTO_RESULT r = NULL;
	struct rows rows;
	enum err e;
	int i;

	for (i = 0; i < q->nparams; i++) {
		a.value[i] = q->params[i].data;
		a.length[i] = q->params[i].len;
		a.format[i] = q->params[i].binary;
	}
	if ((e = warm_run(im->warm, q->statement, &a, &r, info)) != ERR_OK)
		return (e);
	rows = (struct rows){.n = PQntuples(r),
	    .columns = PQnfields(r),
	    .result = r,
	    .get = get};
	return (cb == NULL ? ERR_OK : cb(arg, &rows, info));
}

static enum err
take_place(struct importer *im, struct err_info *info)
{
	enum err e = warm_connect(im->warm, info);

	if (e == ERR_OK)
		e = warm_run(im->warm, ST_import_place, NULL, NULL, info);
	im->placed = e == ERR_OK;
	return (e);
}

static enum err
open_place(void *self, struct err_info *info)
{
	struct importer *im = self;
	bool kept = im->warm->conn != NULL;
	enum err e = take_place(im, info);

	/* It may have ended since the part before. */
	if (e != ERR_OK && kept && im->warm->conn == NULL) {
		err_clear(info);
		e = take_place(im, info);
	}
	if (e != ERR_DEADLINE)
		return (e);
	err_clear(info);
	return (err_set(info, ERR_BUSY, NULL,
	    "another part of an import is at work; try again"));
}

static void
close_place(void *self)
{
	struct importer *im = self;

	importer_forget(im);
	if (im->placed)
		(void)warm_run(im->warm, ST_import_leave, NULL, NULL, NULL);
	im->placed = false;
}

static enum err
begin(void *self, struct err_info *info)
{
	struct importer *im = self;
	enum err e = warm_command(im->warm, "BEGIN", "BEGIN", info);

	return (e == ERR_OK ? warm_segments_lock(im->warm, info) : e);
}

static enum err
commit(void *self, struct err_info *info)
{
	struct importer *im = self;

	warm_forget(im->warm);
	return (warm_command(im->warm, "COMMIT", "COMMIT", info));
}

static void
rollback(void *self)
{
	struct importer *im = self;

	warm_forget(im->warm);
	(void)warm_command(im->warm, "ROLLBACK", "ROLLBACK", NULL);
}

static void
cancel(void *self)
{
	struct importer *im = self;

	warm_cancel(im->warm);
}

struct importer *
importer_new(const char *conninfo)
{
	struct importer *im = calloc(1, sizeof(*im));

	if (im == NULL)
		return (NULL);
	if ((im->warm = warm_new(conninfo, "penstock import")) == NULL) {
		free(im);
		return (NULL);
	}
	return (im);
}

void
importer_free(struct importer *im)
{
	if (im == NULL)
		return;
	importer_forget(im);
	warm_free(im->warm);
	free(im);
}

struct import_port
importer_port(struct importer *im)
{
	return ((struct import_port){
	    .self = im,
	    .open = open_place,
	    .close = close_place,
	    .run = run,
	    .begin = begin,
	    .commit = commit,
	    .rollback = rollback,
	    .prepare = importer_prepare,
	    .stored = importer_stored,
	    .store = importer_store,
	    .cancel = cancel,
	});
}
