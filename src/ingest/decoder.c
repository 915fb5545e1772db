#include "ingest/decoder.h"

void
decoder_init(struct decoder *d, enum body_form form, const char *body,
    size_t len, size_t max, struct err_info *info)
{
	d->form = form;
	switch (form) {
	case FORM_JSON:
		json_readings_init(&d->json, body, len, max, info);
		break;
	case FORM_CSV:
		csv_readings_init(&d->csv, body, len, max, info);
		break;
	case FORM_NDJSON:
		ndjson_readings_init(&d->ndjson, body, len, max, info);
		break;
	}
}

enum err
decoder_next(struct decoder *d, struct item *ret, bool *ret_more)
{
	switch (d->form) {
	case FORM_CSV:
		return (csv_readings_next(&d->csv, ret, ret_more));
	case FORM_NDJSON:
		return (ndjson_readings_next(&d->ndjson, ret, ret_more));
	case FORM_JSON:
		break;
	}
	return (json_readings_next(&d->json, ret, ret_more));
}

const char *
decoder_at(const struct decoder *d)
{
	return (d->form == FORM_CSV	 ? d->csv.p
		: d->form == FORM_NDJSON ? d->ndjson.p
					 : d->json.scan.p);
}

bool
decoder_single(const struct decoder *d)
{
	return (d->form == FORM_JSON && !d->json.list);
}

size_t
decoder_empty(const struct decoder *d)
{
	return (d->form == FORM_CSV ? d->csv.empty : 0);
}

size_t
decoder_item_bytes(enum body_form form)
{
	/* A,m,2026-11-20T09:27:04Z,1 or the same with its members' names */
	return (form == FORM_CSV ? 26 : 60);
}
