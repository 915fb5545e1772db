#include "core/instant.h"
#include "mape/knowledge.h"
#include "mape/rules_parts.h"

#include <stdlib.h>
#include <string.h>

struct learning {
	struct rules *rules;
	const struct rules_world *world;
	struct arena *lasting;
	struct err_info *info;
	struct rule_row *rows; /* what is remembered */
	size_t nrows;
};

static enum err
no_memory(struct err_info *info)
{
	return (err_set(info, ERR_NO_MEMORY, NULL, "no room for the rules"));
}

static bool
aims_at(const struct rule_node *n, const struct series *s)
{
	if (strcmp(n->metric, s->metric) != 0)
		return (false);
	if (n->node != NULL && strcmp(n->node, s->node) != 0)
		return (false);
	return (n->zone == NULL || strcmp(n->zone, s->zone) == 0);
}

static bool
is_about(const struct rule *r, const struct series *s)
{
	return (r->node != NULL && strcmp(r->node, s->node) == 0 &&
	    strcmp(r->metric, s->metric) == 0);
}

static bool
uses(const struct rule *r, const struct series *s)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		if (r->nodes[i].op == RULE_TEST && aims_at(&r->nodes[i], s))
			return (true);
	}
	return (is_about(r, s));
}

/* False if they are more than may be. */
static bool
find_series(struct rule_run *run, const struct knowledge *k)
{
	const struct series *found[RULE_SERIES];
	size_t i, n = 0;

	for (i = 0; i < k->nseries; i++) {
		if (!uses(&run->rule, &k->series[i]))
			continue;
		if (n == RULE_SERIES)
			return (false);
		found[n++] = &k->series[i];
	}
	memcpy(run->series, found, n * sizeof(found[0]));
	run->nseries = n;
	return (n > 0);
}

static bool
take_aim(struct rule_run *run, size_t node, struct arena *a)
{
	struct rule_aim *aim = &run->aims[node];
	size_t i;

	aim->at = arena_alloc(a, run->nseries * sizeof(*aim->at));
	for (i = 0; aim->at != NULL && i < run->nseries; i++) {
		if (aims_at(&run->rule.nodes[node], run->series[i]))
			aim->at[aim->n++] = (uint16_t)i;
	}
	return (aim->at != NULL);
}

/* False if memory is out. */
static bool
take_aims(struct rule_run *run, struct arena *a)
{
	bool placed = false;
	size_t i;

	for (i = 0; i < run->rule.n; i++) {
		if (run->rule.nodes[i].op != RULE_TEST)
			continue;
		if (!take_aim(run, i, a))
			return (false);
		if (!placed && run->aims[i].n > 0) {
			run->about = run->aims[i].at[0];
			placed = true;
		}
	}
	for (i = 0; i < run->nseries; i++) {
		if (is_about(&run->rule, run->series[i]))
			run->about = i;
	}
	return (true);
}

static struct rule_row *
row_of(const struct learning *l, const struct rule_text *t)
{
	size_t i;

	for (i = 0; i < l->nrows; i++) {
		if (l->rows[i].rule == t->rule &&
		    l->rows[i].version == t->version &&
		    l->rows[i].shadow == t->shadow)
			return (&l->rows[i]);
	}
	return (NULL);
}

static enum err
remember(struct learning *l, struct rule_run *run, const struct rule_text *t)
{
	const struct rule_row *row = row_of(l, t);
	struct rule_seen *seen =
	    arena_calloc(l->lasting, run->nseries, sizeof(*seen));
	size_t i;

	if (seen == NULL)
		return (no_memory(l->info));
	for (i = 0; i < run->nseries; i++)
		seen[i].series = run->series[i]->id;
	rule_state_init(&run->state, seen, run->nseries);
	if (row != NULL)
		(void)rule_state_decode(
		    &run->state, run->rule.n, row->state, row->len);
	/* A retired series' anomaly is over without us. */
	if (run->state.open &&
	    knowledge_series(
		l->world->knowledge, run->state.condition.series) == NULL)
		run->state.open = false;
	return (ERR_OK);
}

/* It cannot be judged as the network is now: what it has open ends, as if it
 * were gone. */
static void
give_up(struct learning *l, const struct rule_text *t)
{
	const struct rule_row *row = row_of(l, t);

	l->rules->unreadable++;
	if (row != NULL && !l->world->watch_only)
		l->rules->orphans[l->rules->norphans++] = *row;
}

/* *ret: whether it is judged here. */
static enum err
prepare(struct learning *l, struct rule_run *run, const struct rule_text *t,
    bool *ret)
{
	const struct telemetry_port *tp = &l->world->ports->telemetry;
	struct err_info why = {0};

	*run = (struct rule_run){.id = t->rule,
	    .version = t->version,
	    .shadow = t->shadow,
	    .code = t->code};
	*ret = false;
	run->series =
	    arena_alloc(l->lasting, RULE_SERIES * sizeof(struct series *));
	if (run->series == NULL)
		return (no_memory(l->info));
	if (l->world->read(l->lasting, t->body, strlen(t->body), &run->rule,
		&why) != ERR_OK ||
	    !find_series(run, l->world->knowledge)) {
		give_up(l, t);
		return (ERR_OK);
	}
	/* Of several loops that one judges it that has its first series. */
	if (tp->owns != NULL && !tp->owns(tp->self, run->series[0]->id))
		return (ERR_OK);
	run->tells_age = rule_tells_age(&run->rule);
	if (!take_aims(run, l->lasting))
		return (no_memory(l->info));
	*ret = true;
	return (remember(l, run, t));
}

static int
by_series(const void *a, const void *b)
{
	const struct rule_use *x = a, *y = b;

	if (x->series != y->series)
		return (x->series < y->series ? -1 : 1);
	return ((x->run > y->run) - (x->run < y->run));
}

static enum err
index_uses(struct rules *rs, struct arena *a, struct err_info *info)
{
	size_t i, j, n = 0;

	for (i = 0; i < rs->n; i++)
		n += rs->runs[i].nseries;
	if ((rs->uses = arena_alloc(a, n * sizeof(*rs->uses))) == NULL)
		return (no_memory(info));
	for (i = 0, n = 0; i < rs->n; i++) {
		for (j = 0; j < rs->runs[i].nseries; j++)
			rs->uses[n++] = (struct rule_use){
			    rs->runs[i].series[j]->id, (uint32_t)i};
	}
	qsort(rs->uses, n, sizeof(*rs->uses), by_series);
	rs->nuses = n;
	return (ERR_OK);
}

static enum err
list_foreign(struct rules *rs, const struct telemetry_port *tp, struct arena *a,
    struct err_info *info)
{
	size_t i;
	int32_t id, last = 0;

	if (tp->owns == NULL || tp->newest == NULL)
		return (ERR_OK);
	rs->foreign = arena_alloc(a, rs->nuses * sizeof(*rs->foreign));
	rs->foreign_us = arena_alloc(a, rs->nuses * sizeof(*rs->foreign_us));
	if (rs->foreign == NULL || rs->foreign_us == NULL)
		return (no_memory(info));
	for (i = 0; i < rs->nuses; i++, last = id) {
		id = rs->uses[i].series;
		if ((i > 0 && id == last) || tp->owns(tp->self, id))
			continue;
		rs->foreign_us[rs->nforeign] = INSTANT_NONE;
		rs->foreign[rs->nforeign++] = id;
	}
	return (ERR_OK);
}

static bool
is_judged(const struct knowledge *k, const struct rule_row *row)
{
	size_t i;

	for (i = 0; i < k->nrules; i++) {
		if (k->rules[i].rule == row->rule &&
		    k->rules[i].version == row->version &&
		    k->rules[i].shadow == row->shadow)
			return (true);
	}
	return (false);
}

enum err
rules_learn(struct rules *rs, const struct rules_world *w,
    struct arena *lasting, struct err_info *info)
{
	const struct knowledge_port *p = &w->ports->knowledge;
	const struct knowledge *k = w->knowledge;
	struct learning l = {rs, w, lasting, info, NULL, 0};
	size_t i;
	enum err err;
	bool judged;

	*rs = (struct rules){0};
	if (w->read == NULL)
		return (ERR_OK);
	err = p->rules_load(p->self, lasting, &l.rows, &l.nrows, info);
	if (err != ERR_OK)
		return (err);
	rs->runs = arena_alloc(lasting, k->nrules * sizeof(*rs->runs));
	rs->orphans = arena_alloc(lasting, l.nrows * sizeof(*rs->orphans));
	if (rs->runs == NULL || rs->orphans == NULL)
		return (no_memory(info));
	for (i = 0; i < k->nrules; i++) {
		err = prepare(&l, &rs->runs[rs->n], &k->rules[i], &judged);
		if (err != ERR_OK)
			return (err);
		rs->n += judged;
	}
	for (i = 0; !w->watch_only && i < l.nrows; i++) {
		if (!is_judged(k, &l.rows[i]))
			rs->orphans[rs->norphans++] = l.rows[i];
	}
	if ((err = index_uses(rs, lasting, info)) != ERR_OK)
		return (err);
	return (list_foreign(rs, &w->ports->telemetry, lasting, info));
}
