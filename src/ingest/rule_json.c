#include <jansson.h>

#include "ingest/rule_json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define US	      1000000.0
#define AGE_MAX_S     31622400.0
#define POINTER_BYTES sizeof(((struct err_info *)0)->pointer)

struct reader {
	struct arena *arena;
	struct rule *rule;
	char pointer[POINTER_BYTES]; /* where it is */
	size_t len;
	struct err_info *info;
};

static inline void
tree_free(json_t **t)
{
	json_decref(*t);
}
#define AUTO_TREE __attribute__((cleanup(tree_free))) json_t *

__attribute__((format(printf, 2, 3))) static enum err
refuse(struct reader *r, const char *fmt, ...)
{
	char why[200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return (err_set(r->info, ERR_INVALID, r->pointer, "%s", why));
}

/* Goes to a member or an element; the place before is what it returns. Names
 * that are looked for have no characters to escape. */
static size_t
enter(struct reader *r, const char *name)
{
	size_t before = r->len;
	int n =
	    snprintf(r->pointer + before, POINTER_BYTES - before, "/%s", name);

	r->len += (size_t)n < POINTER_BYTES - before ? (size_t)n : 0;
	r->pointer[r->len] = '\0';
	return (before);
}

static void
leave(struct reader *r, size_t before)
{
	r->len = before;
	r->pointer[before] = '\0';
}

/* Of a name that somebody else chose. */
static enum err
unknown(struct reader *r, const char *name)
{
	char escaped[64];
	size_t n = 0;

	for (; *name != '\0' && n < sizeof(escaped) - 3; name++) {
		if (*name == '~' || *name == '/') {
			escaped[n++] = '~';
			escaped[n++] = *name == '~' ? '0' : '1';
		} else {
			escaped[n++] = *name;
		}
	}
	while (*name != '\0' && n > 0 && (escaped[n - 1] & 0xc0) == 0x80)
		n--; /* no half of a character */
	escaped[n] = '\0';
	(void)enter(r, escaped);
	return (refuse(r, "there is no such member here"));
}

static int
word_of(const char *const *words, size_t n, const char *s)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(words[i], s) == 0)
			return ((int)i);
	}
	return (-1);
}

/* Every member is one of these. */
static enum err
only(struct reader *r, const json_t *o, const char *const *words, size_t n)
{
	const char *key;
	json_t *value;

	if (!json_is_object(o))
		return (refuse(r, "an object belongs here"));
	json_object_foreach((json_t *)(uintptr_t)o, key, value)
	{
		if (word_of(words, n, key) < 0)
			return (unknown(r, key));
	}
	return (ERR_OK);
}

/* *ret stays as it is if the member is absent and may be. */
static enum err
text_of(struct reader *r, const json_t *o, const char *key, size_t max,
    const char **ret)
{
	const json_t *v = json_object_get(o, key);
	size_t before = enter(r, key), n;

	if (v == NULL)
		return (refuse(r, "it is missing"));
	n = json_string_length(v);
	if (!json_is_string(v) || n == 0 || n > max ||
	    strlen(json_string_value(v)) != n)
		return (
		    refuse(r, "a text of 1 to %zu bytes belongs here", max));
	*ret = arena_strdup(r->arena, json_string_value(v));
	if (*ret == NULL)
		return (err_set(
		    r->info, ERR_NO_MEMORY, NULL, "no room for the rule"));
	leave(r, before);
	return (ERR_OK);
}

static enum err
number_of(struct reader *r, const json_t *o, const char *key, double most,
    double *ret)
{
	const json_t *v = json_object_get(o, key);
	size_t before = enter(r, key);

	if (v == NULL)
		return (refuse(r, "it is missing"));
	if (!json_is_number(v) || !isfinite(json_number_value(v)))
		return (refuse(r, "a number belongs here"));
	*ret = json_number_value(v);
	if (*ret <= 0 || *ret > most)
		return (refuse(r, "more than 0 and at most %g", most));
	leave(r, before);
	return (ERR_OK);
}

/* "NODE/metric", cut in two. */
static enum err
series_of(struct reader *r, const json_t *o, const char *key,
    const char **ret_node, const char **ret_metric)
{
	const char *whole;
	char *slash, *node;
	size_t before = r->len;
	enum err err = text_of(r, o, key, 2 * RULE_CODE + 1, &whole);

	if (err != ERR_OK)
		return (err);
	(void)enter(r, key);
	if ((node = arena_strdup(r->arena, whole)) == NULL)
		return (err_set(
		    r->info, ERR_NO_MEMORY, NULL, "no room for the rule"));
	slash = strchr(node, '/');
	if (slash == NULL || slash == node || slash[1] == '\0' ||
	    strchr(slash + 1, '/') != NULL)
		return (refuse(r, "a series is NODE/metric"));
	*slash = '\0';
	*ret_node = node;
	*ret_metric = slash + 1;
	leave(r, before);
	return (ERR_OK);
}

#define X(code, word) word,
static const char *const ops[] = {RULE_OPS(X)};
static const char *const whats[] = {RULE_WHATS(X)};
static const char *const compares[] = {RULE_COMPARES(X)};
#undef X
#define NELEMS(a) (sizeof(a) / sizeof((a)[0]))

static enum err
read_comparison(struct reader *r, const json_t *o, struct rule_node *n)
{
	const json_t *v;
	void *it;
	size_t before;
	enum err err = only(r, o, compares, NELEMS(compares));

	if (err != ERR_OK)
		return (err);
	if (json_object_size(o) != 1)
		return (refuse(r,
		    "one comparison belongs here: above, "
		    "at_least, below, at_most or equals"));
	it = json_object_iter((json_t *)(uintptr_t)o);
	n->compare = (enum rule_compare)word_of(
	    compares, NELEMS(compares), json_object_iter_key(it));
	v = json_object_iter_value(it);
	before = enter(r, json_object_iter_key(it));
	if (!json_is_number(v) || !isfinite(json_number_value(v)))
		return (refuse(r, "a number belongs here"));
	n->limit = json_number_value(v);
	if (n->what == RULE_AGE && (n->limit < 0 || n->limit > AGE_MAX_S))
		return (refuse(r, "an age is 0 to %g seconds", AGE_MAX_S));
	leave(r, before);
	return (ERR_OK);
}

static enum err
read_what(struct reader *r, const json_t *o, struct rule_node *n)
{
	const json_t *v = NULL;
	const char *word;
	size_t i, before = r->len, found = 0;
	enum err err;

	for (i = 0; i < NELEMS(whats); i++) {
		if (json_object_get(o, whats[i]) == NULL)
			continue;
		n->what = (enum rule_what)i;
		v = json_object_get(o, whats[i]);
		found++;
	}
	if (found != 1)
		return (refuse(r,
		    "one test belongs here: value, "
		    "rate_per_min, age_s or quality"));
	if (n->what != RULE_QUALITY) {
		(void)enter(r, whats[n->what]);
		err = read_comparison(r, v, n);
	} else {
		err = text_of(r, o, whats[RULE_QUALITY], 16, &word);
		if (err == ERR_OK && strcmp(word, "good") != 0 &&
		    strcmp(word, "suspect") != 0) {
			(void)enter(r, whats[RULE_QUALITY]);
			return (refuse(r, "good or suspect belongs here"));
		}
		n->compare = RULE_EQUALS;
		n->limit = err == ERR_OK && word[0] == 's';
	}
	if (err == ERR_OK)
		leave(r, before);
	return (err);
}

static enum err
read_where(struct reader *r, const json_t *where, struct rule_node *n)
{
	static const char *const words[] = {"zone", "node"};
	size_t before = enter(r, "where");
	enum err err = only(r, where, words, NELEMS(words));

	if (err == ERR_OK && json_object_size(where) != 1)
		return (refuse(r, "a zone or a node belongs here"));
	if (err == ERR_OK && json_object_get(where, "zone") != NULL)
		err = text_of(r, where, "zone", RULE_CODE, &n->zone);
	else if (err == ERR_OK)
		err = text_of(r, where, "node", RULE_CODE, &n->node);
	if (err == ERR_OK)
		leave(r, before);
	return (err);
}

static enum err
read_match(struct reader *r, const json_t *o, struct rule_node *n)
{
	const char *word = "any";
	enum err err = ERR_OK;

	if (json_object_get(o, "match") != NULL)
		err = text_of(r, o, "match", 3, &word);
	if (err != ERR_OK)
		return (err);
	n->all = strcmp(word, "all") == 0;
	if (!n->all && strcmp(word, "any") != 0) {
		(void)enter(r, "match");
		return (refuse(r, "any or all belongs here"));
	}
	return (ERR_OK);
}

static enum err
read_test(struct reader *r, const json_t *o, struct rule_node *n)
{
	static const char *const of_one[] = {
	    "series", "value", "rate_per_min", "age_s", "quality"};
	static const char *const of_some[] = {"metric", "where", "match",
	    "value", "rate_per_min", "age_s", "quality"};
	const json_t *where = json_object_get(o, "where");
	enum err err;

	n->op = RULE_TEST;
	if (json_object_get(o, "series") != NULL) {
		err = only(r, o, of_one, NELEMS(of_one));
		if (err == ERR_OK)
			err = series_of(r, o, "series", &n->node, &n->metric);
	} else {
		err = only(r, o, of_some, NELEMS(of_some));
		if (err == ERR_OK)
			err = text_of(r, o, "metric", RULE_CODE, &n->metric);
		if (err == ERR_OK && where != NULL)
			err = read_where(r, where, n);
		if (err == ERR_OK)
			err = read_match(r, o, n);
	}
	return (err == ERR_OK ? read_what(r, o, n) : err);
}

static enum err
read_condition(struct reader *, const json_t *, int parent, int depth);

static enum err
read_parts(
    struct reader *r, const json_t *list, int parent, int depth, size_t least)
{
	char at[24];
	size_t i, before;
	enum err err;

	if (!json_is_array(list))
		return (refuse(r, "a list of conditions belongs here"));
	if (json_array_size(list) < least)
		return (
		    refuse(r, "at least %zu conditions belong here", least));
	for (i = 0; i < json_array_size(list); i++) {
		(void)snprintf(at, sizeof(at), "%zu", i);
		before = enter(r, at);
		err = read_condition(
		    r, json_array_get(list, i), parent, depth + 1);
		if (err != ERR_OK)
			return (err);
		leave(r, before);
	}
	return (ERR_OK);
}

/* for, within, sequence: {"seconds", "of"}. */
static enum err
read_span(struct reader *r, const json_t *o, int self, int depth)
{
	static const char *const words[] = {"seconds", "of"};
	struct rule_node *n = &r->rule->nodes[self];
	const json_t *of = json_object_get(o, "of");
	double seconds = 0;
	enum err err = only(r, o, words, NELEMS(words));

	if (err == ERR_OK)
		err = number_of(
		    r, o, "seconds", (double)RULE_SPAN_MAX_US / US, &seconds);
	if (err != ERR_OK)
		return (err);
	n->span_us = (int64_t)llround(seconds * US);
	(void)enter(r, "of");
	if (of == NULL)
		return (refuse(r, "it is missing"));
	if (n->op == RULE_FOR)
		return (read_condition(r, of, self, depth + 1));
	return (read_parts(r, of, self, depth, 2));
}

static enum err
read_op(struct reader *r, const json_t *v, int self, int depth)
{
	switch (r->rule->nodes[self].op) {
	case RULE_AND:
	case RULE_OR:
		return (read_parts(r, v, self, depth, 1));
	case RULE_NOT:
		return (read_condition(r, v, self, depth + 1));
	case RULE_FOR:
	case RULE_WITHIN:
	case RULE_SEQUENCE:
		return (read_span(r, v, self, depth));
	case RULE_TEST:
		break;
	}
	return (ERR_INTERNAL);
}

static enum err
read_condition(struct reader *r, const json_t *o, int parent, int depth)
{
	int self = (int)r->rule->n, op = -1;
	struct rule_node *n = &r->rule->nodes[self];
	size_t before = r->len;
	void *it;
	enum err err;

	if (!json_is_object(o) || json_object_size(o) == 0)
		return (refuse(r, "a condition belongs here"));
	if (depth > RULE_DEPTH)
		return (
		    refuse(r, "conditions are more than %d deep", RULE_DEPTH));
	if (self == RULE_NODES)
		return (
		    refuse(r, "there are more than %d conditions", RULE_NODES));
	*n = (struct rule_node){.parent = parent};
	r->rule->n++;
	for (it = json_object_iter((json_t *)(uintptr_t)o);
	     it != NULL && op < 0;
	     it = json_object_iter_next((json_t *)(uintptr_t)o, it))
		op = word_of(ops, NELEMS(ops), json_object_iter_key(it));
	if (op < 0)
		return (read_test(r, o, n));
	n->op = (enum rule_op)op;
	if ((err = only(r, o, &ops[op], 1)) != ERR_OK)
		return (err);
	(void)enter(r, ops[op]);
	err = read_op(r, json_object_get(o, ops[op]), self, depth);
	if (err == ERR_OK)
		leave(r, before);
	return (err);
}

/* An optional or required word that `parse` knows. */
static enum err
read_word(struct reader *r, const json_t *o, const char *key,
    int (*parse)(const char *), int *ret)
{
	const char *word;
	enum err err;

	if (json_object_get(o, key) == NULL && *ret >= 0)
		return (ERR_OK);
	if ((err = text_of(r, o, key, RULE_CODE, &word)) != ERR_OK)
		return (err);
	if ((*ret = parse(word)) >= 0)
		return (ERR_OK);
	(void)enter(r, key);
	return (refuse(r, "that is none of the words for it"));
}

static enum err
read_head(struct reader *r, const json_t *o)
{
	int severity = -1, type = ANOMALY_RULE, direction = DIRECTION_NONE;
	double clear_s = 0;
	enum err err;

	if ((err = read_word(r, o, "severity", severity_parse, &severity)) !=
		ERR_OK ||
	    (err = read_word(r, o, "type", anomaly_type_parse, &type)) !=
		ERR_OK ||
	    (err = read_word(r, o, "direction", direction_parse, &direction)) !=
		ERR_OK ||
	    (err = text_of(r, o, "message", RULE_MESSAGE, &r->rule->message)) !=
		ERR_OK)
		return (err);
	if (anomaly_is_sensor_fault((enum anomaly_type)type)) {
		(void)enter(r, "type");
		return (refuse(r, "sensors' faults are not found by rules"));
	}
	r->rule->severity = (enum severity)severity;
	r->rule->type = (enum anomaly_type)type;
	r->rule->direction = (enum direction)direction;
	if (json_object_get(o, "clear_after_s") != NULL) {
		err = number_of(r, o, "clear_after_s",
		    (double)RULE_SPAN_MAX_US / US, &clear_s);
		if (err != ERR_OK)
			return (err);
	}
	r->rule->clear_us = (int64_t)llround(clear_s * US);
	if (json_object_get(o, "about") == NULL)
		return (ERR_OK);
	return (series_of(r, o, "about", &r->rule->node, &r->rule->metric));
}

enum err
rule_json_tree(struct arena *a, const json_t *o, const char *at,
    struct rule *ret, struct err_info *info)
{
	static const char *const words[] = {"when", "severity", "type",
	    "direction", "message", "about", "clear_after_s"};
	struct reader r = {.arena = a, .info = info};
	enum err err;

	r.rule = arena_calloc(a, 1, sizeof(*r.rule));
	if (r.rule == NULL)
		return (
		    err_set(info, ERR_NO_MEMORY, NULL, "no room for the rule"));
	r.len = (size_t)snprintf(r.pointer, sizeof(r.pointer), "%s", at);
	if ((err = only(&r, o, words, NELEMS(words))) != ERR_OK ||
	    (err = read_head(&r, o)) != ERR_OK)
		return (err);
	(void)enter(&r, "when");
	err = read_condition(&r, json_object_get(o, "when"), -1, 1);
	if (err == ERR_OK)
		*ret = *r.rule;
	return (err);
}

enum err
rule_json_read(struct arena *a, const char *json, size_t len, struct rule *ret,
    struct err_info *info)
{
	json_error_t why;
	AUTO_TREE tree = NULL;

	if (len > RULE_BODY_MAX)
		return (err_set(info, ERR_TOO_LARGE, NULL,
		    "a rule has at most %d bytes", RULE_BODY_MAX));
	/* PostgreSQL writes all digits of a number, also of 1e300. */
	tree = json_loadb(
	    json, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &why);
	if (tree == NULL)
		return (err_set(info, ERR_BAD_JSON, NULL,
		    "line %d, column %d: %s", why.line, why.column, why.text));
	return (rule_json_tree(a, tree, "", ret, info));
}
