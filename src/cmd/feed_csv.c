#include "cmd/feed_csv.h"

#include "cmd/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool
csv_open(struct csv *c, const char *path, char delimiter)
{
	static const int mark[] = {0xEF, 0xBB, 0xBF};
	size_t i;
	int ch;

	memset(c, 0, sizeof(*c));
	c->path = path;
	c->delimiter = delimiter;
	c->next_line = 1;
	c->f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (c->f == NULL) {
		tool_error("%s: %s", path, strerror(errno));
		return (false);
	}
	if ((c->row = malloc(CSV_ROW)) == NULL) {
		tool_error("out of memory");
		csv_close(c);
		return (false);
	}
	for (i = 0; i < 3 && (ch = getc(c->f)) != EOF; i++)
		if (ch != mark[i]) {
			ungetc(ch, c->f);
			break;
		}
	return (true);
}

void
csv_close(struct csv *c)
{
	if (c->f != NULL && c->f != stdin)
		fclose(c->f);
	free(c->row);
	c->f = NULL;
	c->row = NULL;
}

static bool
put(struct csv *c, int ch)
{
	if (c->len == CSV_ROW)
		return (false);
	c->row[c->len++] = (char)ch;
	return (true);
}

static int
take(struct csv *c)
{
	int ch = getc_unlocked(c->f);

	if (ch == '\n')
		c->next_line++;
	return (ch);
}

static int
blank(const struct csv *c, int ch)
{
	return ((ch == ' ' || ch == '\t' || ch == '\r') && ch != c->delimiter);
}

/* After the opening quote; gives the character behind the closing one. */
static int
quoted(struct csv *c, const char **ret_why)
{
	int ch;

	for (;;) {
		if ((ch = take(c)) == EOF) {
			*ret_why = "a quote is not closed";
			return (EOF);
		}
		if (ch == '"' && (ch = take(c)) != '"')
			break;
		if (ch == '\0' || !put(c, ch)) {
			*ret_why = ch == '\0' ? "NUL byte" : "row too long";
			return (EOF);
		}
	}
	while (blank(c, ch))
		ch = take(c);
	if (ch != c->delimiter && ch != '\n' && ch != EOF)
		*ret_why = "text behind a closing quote";
	return (ch);
}

static int
unquoted(struct csv *c, int ch, const char **ret_why)
{
	size_t start = c->len;

	for (; ch != c->delimiter && ch != '\n' && ch != EOF; ch = take(c))
		if (ch == '\0' || !put(c, ch)) {
			*ret_why = ch == '\0' ? "NUL byte" : "row too long";
			return (EOF);
		}
	while (c->len > start && blank(c, c->row[c->len - 1]))
		c->len--;
	return (ch);
}

/* One cell; gives the character that ended it. */
static int
cell(struct csv *c, const char **ret_why)
{
	int ch;

	if (c->ncells == CSV_CELLS) {
		*ret_why = "too many cells";
		return (EOF);
	}
	c->cells[c->ncells++] = c->row + c->len;
	do
		ch = take(c);
	while (blank(c, ch));
	ch = ch == '"' ? quoted(c, ret_why) : unquoted(c, ch, ret_why);
	if (*ret_why == NULL && !put(c, '\0'))
		*ret_why = "row too long";
	return (ch);
}

enum csv_result
csv_next(struct csv *c)
{
	const char *why = NULL;
	int ch;

	do {
		c->line = c->next_line;
		c->len = c->ncells = 0;
		do
			ch = cell(c, &why);
		while (ch == c->delimiter && why == NULL);
		if (ch == EOF && ferror(c->f))
			why = "cannot be read";
		if (why != NULL) {
			tool_error("%s: line %zu: %s", c->path, c->line, why);
			return (CSV_BAD);
		}
		if (ch == EOF && c->ncells == 1 && c->cells[0][0] == '\0')
			return (CSV_END);
	} while (c->ncells == 1 && c->cells[0][0] == '\0');
	return (CSV_OK);
}

int
csv_find(const struct csv *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->ncells; i++)
		if (strcmp(c->cells[i], name) == 0)
			return ((int)i);
	return (-1);
}
