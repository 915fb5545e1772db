#include "store/pg_error.h"

#include "core/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum wording { WORDS_FIXED, WORDS_PRIMARY, WORDS_CONSTRAINT };

/* The longest prefix stands first. */
static const struct {
	const char *state;
	enum err code;
	enum wording wording;
	const char *text;
} table[] = {
    {"23505", ERR_CONFLICT, WORDS_CONSTRAINT, "exists already"},
    {"23503", ERR_INVALID, WORDS_CONSTRAINT,
	"refers to something that is not there, or is still referred to"},
    {"23514", ERR_INVALID, WORDS_CONSTRAINT, "breaks the rule"},
    {"23502", ERR_INVALID, WORDS_CONSTRAINT, "must be given"},
    {"22", ERR_INVALID, WORDS_PRIMARY, NULL},
    {"25006", ERR_DATABASE, WORDS_FIXED, "the database is read-only"},
    {"26000", ERR_DATABASE, WORDS_FIXED, "a statement is not prepared"},
    {"40", ERR_DATABASE, WORDS_FIXED, "another change came between"},
    {"53100", ERR_DATABASE, WORDS_FIXED, "the database's disk is full"},
    {"53", ERR_DATABASE, WORDS_FIXED, "the database lacks resources"},
    {"55P03", ERR_DATABASE, WORDS_FIXED, "a lock could not be had"},
    {"57014", ERR_DEADLINE, WORDS_FIXED, "the statement took too long"},
    {"57", ERR_DATABASE, WORDS_FIXED, "the database is stopping"},
    {"58", ERR_DATABASE, WORDS_FIXED, "the database's system failed"},
    {"08", ERR_DATABASE, WORDS_FIXED, "the connection was lost"},
};

static const char *
field(const PGresult *r, int code)
{
	const char *s = PQresultErrorField(r, code);

	return (s == NULL ? "" : s);
}

/* "nodes_zone_id_fkey" reads as "nodes zone id". */
static void
constraint_words(const PGresult *r, char *buf, size_t size)
{
	static const char *const tails[] = {
	    "_key", "_fkey", "_pkey", "_check", "_idx"};
	const char *name = field(r, PG_DIAG_CONSTRAINT_NAME);
	size_t i, len, n;

	if (name[0] == '\0')
		name = field(r, PG_DIAG_COLUMN_NAME);
	len = strlen(name);
	for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		n = strlen(tails[i]);
		if (len > n && strcmp(name + len - n, tails[i]) == 0) {
			len -= n;
			break;
		}
	}
	if (len >= size)
		len = size - 1;
	for (i = 0; i < len; i++)
		buf[i] = name[i] == '_' ? ' ' : name[i];
	buf[len] = '\0';
}

/* SQLSTATE PSnnn: the first of our errors that has HTTP status nnn. */
static enum err
refused(const PGresult *r, const char *digits, struct err_info *info)
{
	long status = strtol(digits, NULL, 10);
	int code;

	for (code = ERR_OK + 1; code < ERR_COUNT; code++) {
		if (err_status((enum err)code) == status)
			break;
	}
	if (code == ERR_COUNT)
		code = ERR_INTERNAL;
	return (err_set(info, (enum err)code, field(r, PG_DIAG_MESSAGE_HINT),
	    "%s", field(r, PG_DIAG_MESSAGE_PRIMARY)));
}

static enum err
unexpected(const PGresult *r, const char *state, const char *what,
    struct err_info *info)
{
	const char *text = field(r, PG_DIAG_MESSAGE_PRIMARY);

	if (text[0] == '\0')
		text = PQresultErrorMessage(r);
	log_event(LOG_LEVEL_ERROR, "pg_error", "statement", LOG_STR, what,
	    "sqlstate", LOG_STR, state, "text", LOG_STR, text, NULL);
	return (err_set(info, ERR_INTERNAL, NULL,
	    "the database refused the statement (SQLSTATE %s)",
	    state[0] == '\0' ? "unknown" : state));
}

enum err
pg_error(const PGresult *r, const char *what, struct err_info *info)
{
	const char *state = field(r, PG_DIAG_SQLSTATE);
	char words[80];
	size_t i;

	if (strncmp(state, "PS", 2) == 0)
		return (refused(r, state + 2, info));
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strncmp(state, table[i].state, strlen(table[i].state)) == 0)
			break;
	}
	if (i == sizeof(table) / sizeof(table[0]))
		return (unexpected(r, state, what, info));
	if (err_level(table[i].code) >= LOG_LEVEL_WARN)
		log_event(LOG_LEVEL_WARN, "pg_error", "statement", LOG_STR,
		    what, "sqlstate", LOG_STR, state, "text", LOG_STR,
		    field(r, PG_DIAG_MESSAGE_PRIMARY), NULL);
	switch (table[i].wording) {
	case WORDS_CONSTRAINT:
		constraint_words(r, words, sizeof(words));
		return (err_set(
		    info, table[i].code, NULL, "%s: %s", words, table[i].text));
	case WORDS_PRIMARY:
		return (err_set(info, table[i].code, NULL, "%s",
		    field(r, PG_DIAG_MESSAGE_PRIMARY)));
	case WORDS_FIXED:
		break;
	}
	return (err_set(info, table[i].code, NULL, "%s", table[i].text));
}
