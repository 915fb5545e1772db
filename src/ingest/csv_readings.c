#include "ingest/csv_readings.h"
#include "ingest/decimal.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static const char *const names[ITEM_MEMBERS] = {
    "node", "metric", "ts", "value", "unit"};

#define FIELD_BYTES 65536 /* in quotes, so that no step is long */

static const char bad_quote[] = "a quote stands where none may";
static const char few_fields[] = "the row has fewer fields than the header";
static const char many_fields[] = "the row has more fields than the header";

/* The first comma, line break or quote, or the end. */
static inline const char *
field_end(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i comma = _mm_set1_epi8(','), quote = _mm_set1_epi8('"');
	const __m128i feed = _mm_set1_epi8('\n');
	__m128i v;
	int hit;

	for (; end - p >= 16; p += 16) {
		v = _mm_loadu_si128((const __m128i *)(const void *)p);
		hit = _mm_movemask_epi8(
		    _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, comma),
				     _mm_cmpeq_epi8(v, feed)),
			_mm_cmpeq_epi8(v, quote)));
		if (hit != 0)
			return (p + __builtin_ctz((unsigned)hit));
	}
#endif
	while (p < end && *p != ',' && *p != '\n' && *p != '"')
		p++;
	return (p);
}

/* Where the row's last field ends, before its line break or the end. */
static inline const char *
without_return(const char *from, const char *to)
{
	return (to > from && to[-1] == '\r' ? to - 1 : to);
}

/*
 * What stands in quotes; *p is behind the opening one and goes behind the
 * closing one. Borrowed from the body unless a quote is doubled in it. False:
 * the line ends first, or it is far too long.
 */
static bool
take_quoted(const char **p, const char *end, char *scratch, struct span *ret)
{
	const char *from = *p, *s;
	size_t len = 0, n;
	bool doubled = false;

	if ((size_t)(end - from) > FIELD_BYTES)
		end = from + FIELD_BYTES;
	for (;; from = s + 2) {
		for (s = from; s < end && *s != '"' && *s != '\n';)
			s++;
		if (s == end || *s == '\n')
			return (false);
		if (end - s < 2 || s[1] != '"')
			break;
		doubled = true;
		n = (size_t)(s + 1 - from); /* with one of the quotes */
		if (n > ITEM_TEXT_MAX + 1 - len)
			n = ITEM_TEXT_MAX + 1 - len;
		memcpy(scratch + len, from, n);
		len += n;
	}
	if (!doubled) {
		*ret = (struct span){*p, (size_t)(s - *p)};
		*p = s + 1;
		return (true);
	}
	n = (size_t)(s - from);
	if (n > ITEM_TEXT_MAX + 1 - len)
		n = ITEM_TEXT_MAX + 1 - len;
	memcpy(scratch + len, from, n);
	*ret = (struct span){scratch, len + n};
	*p = s + 1;
	return (true);
}

/* One field; *p goes to the comma or line break behind it. NULL, or what is
 * wrong with it. */
static inline const char *
take_field(const char **p, const char *end, char *scratch, struct span *ret)
{
	const char *from = *p, *to;

	if (from < end && *from == '"') {
		++*p;
		if (!take_quoted(p, end, scratch, ret))
			return (bad_quote);
		from = *p;
		to = field_end(from, end);
		*p = to;
		if (to < end && *to == ',')
			return (to == from ? NULL : bad_quote);
		return (to < end && *to == '"'		   ? bad_quote
			: without_return(from, to) == from ? NULL
							   : bad_quote);
	}
	*p = to = field_end(from, end);
	if (to < end && *to == '"')
		return (bad_quote);
	if (to == end || *to == '\n')
		to = without_return(from, to);
	*ret = (struct span){from, (size_t)(to - from)};
	return (NULL);
}

static void
pass_line(struct csv_readings *d)
{
	const char *feed =
	    d->p < d->end ? memchr(d->p, '\n', (size_t)(d->end - d->p)) : NULL;

	d->p = feed != NULL ? feed + 1 : d->end;
}

/* Lines that hold nothing, but no more than there may be. */
static inline void
pass_blank(struct csv_readings *d)
{
	while (d->p < d->end && d->blank <= d->max &&
	    (*d->p == '\n' ||
		(*d->p == '\r' && (d->end - d->p == 1 || d->p[1] == '\n')))) {
		pass_line(d);
		d->blank++;
	}
}

static void
fail(struct item *r, enum item_fault fault, const char *word)
{
	if (r->fault != ITEM_FAULT_NONE)
		return;
	r->fault = fault;
	r->member = (struct span){word, strlen(word)};
}

/* False: the row has no value, it is no reading. */
static inline bool
put_fields(struct item *r, const struct span text[ITEM_MEMBERS])
{
	const struct span *v = &text[ITEM_VALUE];
	size_t m;

	if (v->len == 0)
		return (false);
	r->node = text[ITEM_NODE];
	r->metric = text[ITEM_METRIC];
	r->ts = text[ITEM_TS];
	r->unit = text[ITEM_UNIT];
	if (r->unit.len == 0)
		r->unit.s = NULL;
	for (m = 0; m < ITEM_MEMBERS; m++)
		if (text[m].len == 0 && m != ITEM_UNIT)
			fail(r, ITEM_FAULT_MISSING, names[m]);
		else if (text[m].len > ITEM_TEXT_MAX && m != ITEM_VALUE)
			fail(r, ITEM_FAULT_TOO_LONG, names[m]);
	if (decimal_parse(v->s, v->s + v->len, ITEM_NUMBER_MAX, &r->value) !=
	    v->len)
		fail(r, ITEM_FAULT_NOT_NUMBER, names[ITEM_VALUE]);
	return (true);
}

/* One row, its line break passed. False: it has no value. */
static bool
take_row(struct csv_readings *d, struct item *r)
{
	struct span text[ITEM_MEMBERS] = {{NULL, 0}};
	const char *p = d->p, *wrong;
	unsigned i;

	r->fault = ITEM_FAULT_NONE;
	r->member = (struct span){NULL, 0};
	for (i = 0;; p++) {
		wrong = take_field(
		    &p, d->end, d->scratch[i], &text[d->columns.member[i]]);
		i++;
		if (wrong != NULL || p == d->end || *p == '\n')
			break;
		if (i == d->columns.n) {
			wrong = many_fields;
			break;
		}
	}
	if (wrong == NULL && i < d->columns.n)
		wrong = few_fields;
	d->p = p;
	pass_line(d);
	if (wrong == NULL)
		return (put_fields(r, text));
	*r = (struct item){.index = r->index};
	fail(r, ITEM_FAULT_SYNTAX, wrong);
	return (true);
}

static enum err
add_column(
    struct csv_columns *c, const struct span *name, struct err_info *info)
{
	unsigned char m, i;

	for (m = 0; m < ITEM_MEMBERS; m++)
		if (name->len == strlen(names[m]) &&
		    memcmp(name->s, names[m], name->len) == 0)
			break;
	if (m == ITEM_MEMBERS)
		return (err_set(info, ERR_INVALID, NULL,
		    "unknown column \"%.*s\"; the header names node, metric, "
		    "ts, value and perhaps unit, with commas between",
		    (int)(name->len < 60 ? name->len : 60), name->s));
	for (i = 0; i < c->n; i++)
		if (c->member[i] == m)
			return (err_set(info, ERR_INVALID, NULL,
			    "the header names \"%s\" twice", names[m]));
	c->member[c->n++] = m;
	return (ERR_OK);
}

static enum err
check_columns(const struct csv_columns *c, struct err_info *info)
{
	unsigned seen = 0, m;

	for (m = 0; m < c->n; m++)
		seen |= 1u << c->member[m];
	for (m = 0; m < ITEM_UNIT; m++)
		if (!(seen & 1u << m))
			return (err_set(info, ERR_INVALID, NULL,
			    "the header does not name \"%s\"", names[m]));
	return (ERR_OK);
}

static void
take_header(struct csv_readings *d)
{
	struct span name;

	if (d->end - d->p >= 3 && memcmp(d->p, "\xef\xbb\xbf", 3) == 0)
		d->p += 3;
	pass_blank(d);
	for (;; d->p++) {
		if (take_field(&d->p, d->end, d->scratch[0], &name) != NULL) {
			(void)err_set(d->info, ERR_INVALID, NULL,
			    "in the header %s", bad_quote);
			return;
		}
		if (add_column(&d->columns, &name, d->info) != ERR_OK)
			return;
		if (d->p == d->end || *d->p == '\n')
			break;
	}
	pass_line(d);
	(void)check_columns(&d->columns, d->info);
}

void
csv_readings_init_rows(struct csv_readings *d, const struct csv_columns *c,
    const char *rows, size_t len, size_t max, struct err_info *info)
{
	d->p = rows;
	d->end = rows + len;
	d->columns = *c;
	d->max = max;
	d->rows = d->empty = d->blank = 0;
	d->info = info;
	err_clear(info);
}

void
csv_readings_init(struct csv_readings *d, const char *body, size_t len,
    size_t max, struct err_info *info)
{
	csv_readings_init_rows(
	    d, &(struct csv_columns){.n = 0}, body, len, max, info);
	take_header(d);
}

enum err
csv_readings_next(struct csv_readings *d, struct item *ret, bool *ret_more)
{
	if (d->info->code != ERR_OK)
		return (d->info->code);
	for (;;) {
		pass_blank(d);
		if (d->p == d->end) {
			*ret_more = false;
			return (ERR_OK);
		}
		if (d->rows == d->max || d->blank > d->max)
			return (err_set(d->info, ERR_TOO_LARGE, NULL,
			    "more than %zu %s in one request", d->max,
			    d->rows == d->max ? "readings" : "blank lines"));
		ret->index = d->rows++;
		if (take_row(d, ret)) {
			*ret_more = true;
			return (ERR_OK);
		}
		d->empty++;
	}
}
