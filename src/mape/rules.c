#include "mape/rules.h"

#include "core/instant.h"
#include "mape/finding.h"
#include "mape/rules_parts.h"

#include <stdlib.h>
#include <string.h>

static enum err
no_memory(struct err_info *info)
{
	return (err_set(info, ERR_NO_MEMORY, NULL, "no room for the rules"));
}

/* The groups of the batch that the run is about, in its series' order. */
static const struct group *
group_of(const struct batch *b, int32_t series)
{
	size_t lo = 0, hi = b->ngroups, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (b->groups[mid].series < series)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == b->ngroups || b->groups[lo].series != series)
		return (NULL);
	return (&b->groups[lo]);
}

static int
by_time(const void *a, const void *b)
{
	const struct reading *x = *(const struct reading *const *)a;
	const struct reading *y = *(const struct reading *const *)b;

	if (x->t_us != y->t_us)
		return (x->t_us < y->t_us ? -1 : 1);
	return ((x->series > y->series) - (x->series < y->series));
}

/* All readings of the run's series, by time. */
static size_t
gather(const struct rule_run *run, const struct batch *b,
    const struct batch *foreign, const struct reading **out)
{
	const struct batch *from;
	const struct group *g;
	size_t i, j, n = 0;

	for (i = 0; i < run->nseries; i++) {
		from = b;
		if ((g = group_of(b, run->series[i]->id)) == NULL) {
			from = foreign;
			g = group_of(foreign, run->series[i]->id);
		}
		for (j = 0; g != NULL && j < g->n; j++)
			out[n++] = &from->readings[g->at + j];
	}
	qsort(out, n, sizeof(struct reading *), by_time);
	return (n);
}

/* Since when what is open has been false, all the time as far as is known. */
static void
mark_false(struct rule_run *run, enum rule_truth truth)
{
	struct rule_state *st = &run->state;
	int64_t was = st->false_us;

	if (truth != RULE_FALSE || !st->open)
		st->false_us = INSTANT_NONE;
	else if (st->false_us == INSTANT_NONE)
		st->false_us = st->clock_us;
	run->changed |= st->false_us != was;
}

/* What the rule says at its clock becomes an anomaly, or ends one. */
static enum err
settle(struct analysis *a, struct rule_run *run, int64_t awake_us)
{
	struct rule_state *st = &run->state;
	enum rule_truth truth = rule_eval(run, awake_us);

	mark_false(run, truth);
	if (truth == RULE_TRUE && !st->open) {
		st->since_us = st->clock_us;
		run->changed = true;
		return (rule_raise(a, run, false));
	}
	if (truth == RULE_FALSE && st->open &&
	    st->clock_us - st->false_us >= run->rule.clear_us) {
		st->false_us = INSTANT_NONE;
		run->changed = true;
		return (rule_clear(a, run));
	}
	return (ERR_OK);
}

static void
see(struct rule_seen *seen, const struct reading *r)
{
	*seen = (struct rule_seen){
	    .series = seen->series,
	    .quality = r->quality,
	    .t_us = r->t_us,
	    .before_us = seen->t_us,
	    .value = r->value,
	    .before = seen->value,
	};
}

/* What was unknown for a while did not hold all that time, though it does on
 * both sides. */
static void
mind_gap(struct rule_run *run, const struct reading *const *r, size_t n)
{
	const struct rule_seen *seen;
	const struct series *s;
	size_t i;

	for (i = 0; i < n; i++) {
		seen = rule_state_find(&run->state, r[i]->series);
		s = run->series[seen - run->state.seen];
		if (seen->t_us != INSTANT_NONE &&
		    r[i]->t_us - seen->t_us >
			(s->silence_us > 0 ? s->silence_us : RULES_FRESH_US)) {
			mark_false(run, rule_eval(run, INSTANT_NONE));
			return;
		}
	}
}

static enum err
judge_run(struct analysis *a, struct rule_run *run,
    const struct reading *const *r, size_t n)
{
	struct rule_state *st = &run->state;
	struct rule_seen *seen;
	size_t i, end;
	enum err err = ERR_OK;
	bool any;

	for (i = 0; err == ERR_OK && i < n; i = end) {
		for (end = i; end < n && r[end]->t_us == r[i]->t_us; end++)
			;
		if (r[i]->t_us > st->clock_us)
			st->clock_us = r[i]->t_us;
		mind_gap(run, &r[i], end - i);
		for (any = false; i < end; i++) {
			seen = rule_state_find(st, r[i]->series);
			if (seen->t_us >= r[i]->t_us)
				continue;
			see(seen, r[i]);
			any = true;
		}
		if (any) {
			run->changed = true;
			err = settle(a, run, INSTANT_NONE);
		}
	}
	/* Once a batch is enough to say that it goes on. */
	if (err == ERR_OK && n > 0 && st->open && st->since_us < st->clock_us &&
	    st->false_us == INSTANT_NONE)
		err = rule_raise(a, run, true);
	return (err);
}

static enum err
tick_run(struct analysis *a, struct rule_run *run)
{
	struct rule_mark was[RULE_NODES];
	enum err err;

	memcpy(was, run->state.marks, sizeof(was));
	if (run->state.clock_us == INSTANT_NONE ||
	    a->now_us <= run->state.clock_us)
		return (ERR_OK);
	run->state.clock_us = a->now_us;
	err = settle(a, run, a->awake_us);
	if (memcmp(was, run->state.marks, sizeof(was)) != 0)
		run->changed = true;
	return (err);
}

static void
touch(struct rules *rs, const struct batch *b)
{
	size_t i, lo, hi, mid;

	for (i = 0; i < b->ngroups && rs->nuses > 0; i++) {
		for (lo = 0, hi = rs->nuses; lo < hi;) {
			mid = lo + (hi - lo) / 2;
			if (rs->uses[mid].series < b->groups[i].series)
				lo = mid + 1;
			else
				hi = mid;
		}
		for (; lo < rs->nuses &&
		     rs->uses[lo].series == b->groups[i].series;
		     lo++)
			rs->runs[rs->uses[lo].run].touched = true;
	}
}

/* What other loops have newly stored of their series, as a batch. */
static enum err
hear_others(struct rules *rs, const struct analysis *a, struct batch *ret)
{
	const struct telemetry_port *t = &a->ports->telemetry;
	struct batch b = {0};
	struct reading *r;
	size_t i, n, at = 0;
	enum err err;

	*ret = b;
	if (rs->nforeign == 0)
		return (ERR_OK);
	err = t->newest(
	    t->self, a->arena, rs->foreign, rs->nforeign, &r, &n, a->info);
	if (err != ERR_OK)
		return (err);
	if ((b.groups = arena_alloc(a->arena, n * sizeof(*b.groups))) == NULL)
		return (no_memory(a->info));
	for (i = 0; i < n; i++) {
		while (rs->foreign[at] != r[i].series)
			at++;
		if (r[i].t_us <= rs->foreign_us[at])
			continue;
		rs->foreign_us[at] = r[i].t_us;
		b.groups[b.ngroups++] = (struct group){r[i].series, i, 1};
	}
	b.readings = r;
	b.n = n;
	*ret = b;
	return (ERR_OK);
}

/* Versions that are not judged any more. */
static enum err
clear_orphans(struct rules *rs, struct analysis *a)
{
	const struct knowledge_port *k = &a->ports->knowledge;
	struct rule_row *row;
	struct condition c;
	enum err err = ERR_OK;
	size_t i;

	for (i = 0; err == ERR_OK && i < rs->norphans; i++) {
		row = &rs->orphans[i];
		if (!rule_state_open(row->state, row->len, &c))
			continue;
		if (!row->shadow)
			err = finding_clear(a, &c, a->now_us,
			    "{\"reason\":\"the rule was changed or taken "
			    "away\"}");
		else
			err = k->rule_found(k->self,
			    &(struct rule_finding){.rule = row->rule,
				.version = row->version,
				.series = c.series,
				.clear = true,
				.at_us = a->now_us},
			    a->info);
	}
	return (err);
}

enum err
rules_judge(
    struct rules *rs, struct analysis *a, const struct batch *b, bool tick)
{
	const struct reading **buf;
	struct batch foreign;
	struct rule_run *run;
	size_t i;
	enum err err = clear_orphans(rs, a);

	if (err != ERR_OK || rs->n == 0 ||
	    (err = hear_others(rs, a, &foreign)) != ERR_OK)
		return (err);
	buf = arena_alloc(a->arena, (b->n + foreign.n) * sizeof(*buf));
	if (buf == NULL)
		return (no_memory(a->info));
	touch(rs, b);
	touch(rs, &foreign);
	for (i = 0; err == ERR_OK && i < rs->n; i++) {
		run = &rs->runs[i];
		if (run->touched)
			err = judge_run(
			    a, run, buf, gather(run, b, &foreign, buf));
		run->touched = false;
		if (err == ERR_OK && tick && run->tells_age)
			err = tick_run(a, run);
	}
	return (err);
}

static enum err
encode(struct arena *a, const struct rule_run *run, struct rule_row *row,
    struct err_info *info)
{
	unsigned char buf[RULE_STATE_BYTES];
	unsigned char *copy;
	size_t len = rule_state_encode(&run->state, run->rule.n, buf);

	if ((copy = arena_alloc(a, len)) == NULL)
		return (no_memory(info));
	memcpy(copy, buf, len);
	*row = (struct rule_row){run->id, run->version, run->shadow, copy, len};
	return (ERR_OK);
}

enum err
rules_save(struct rules *rs, const struct knowledge_port *k, struct arena *a,
    struct err_info *info)
{
	struct rule_row *rows;
	size_t i, n = 0;
	enum err err = ERR_OK;

	if (rs->n + rs->norphans == 0)
		return (ERR_OK);
	rows = arena_alloc(a, (rs->n + rs->norphans) * sizeof(*rows));
	if (rows == NULL)
		return (no_memory(info));
	/* What is gone. */
	for (i = 0; i < rs->norphans; i++) {
		rows[n] = rs->orphans[i];
		rows[n++].len = 0;
	}
	if (n > 0 && (err = k->rules_save(k->self, rows, n, info)) != ERR_OK)
		return (err);
	for (i = 0, n = 0; err == ERR_OK && i < rs->n; i++) {
		if (rs->runs[i].changed)
			err = encode(a, &rs->runs[i], &rows[n++], info);
	}
	if (err == ERR_OK && n > 0)
		err = k->rules_save(k->self, rows, n, info);
	for (i = 0; err == ERR_OK && i < rs->n; i++)
		rs->runs[i].changed = false;
	if (err == ERR_OK)
		rs->norphans = 0;
	return (err);
}
