/* A system as bytes: a version, what it knows, what it remembers. */
#include "model/joint_pack.h"
#include "model/pack.h"
#include "model/system_state.h"

#include <stdlib.h>
#include <string.h>

#define VERSION	   2
#define BYTES_MOST (64 * 1024 * 1024)

static void
walk_replay(struct pack *p, struct replay *r)
{
	size_t i, k;

	pack_half(p, &r->n);
	pack_half(p, &r->repeats);
	pack_doubles(p, r->run, REPLAY_RUN);
	pack_half(p, &r->learnt);
	pack_half(p, &r->events);
	pack_half(p, &r->lag);
	if (replay_repeats(r))
		return;
	for (i = 0; i < REPLAY_SETS; i++)
		for (k = 0; k < REPLAY_WAYS; k++) {
			pack_half(p, &r->slot[i][k].tag);
			pack_half(p, &r->slot[i][k].at);
		}
}

static void
walk_balances(struct pack *p, struct system *y)
{
	size_t i;

	pack_count(p, &y->nbalances, y->n > 0 ? BALANCES_MOST : 0);
	for (i = 0; i < y->n && !p->failed; i++) {
		size_t metric = y->metric[i];

		pack_count(p, &metric, BALANCE_OF_LEVEL);
		y->metric[i] = (enum balance_metric)metric;
	}
	for (i = 0; i < y->nbalances && !p->failed; i++)
		system_balance_pack(p, &y->balances[i], y->n);
}

/* Signals are told from 1 on, 0: none. */
static void
walk_bound(struct pack *p, int *signal, size_t n)
{
	size_t from1 = (size_t)(*signal + 1);

	pack_count(p, &from1, n);
	*signal = (int)from1 - 1;
}

static void
walk_control(struct pack *p, struct system_control *c, size_t n)
{
	struct control *k = &c->control;

	pack_name(p, k->link, CONTROL_NAME);
	pack_name(p, k->node, CONTROL_NAME);
	pack_bool(p, &k->open);
	pack_bool(p, &k->above);
	pack_doubles(p, &k->level, 1);
	pack_doubles(p, k->seen, CONTROL_SEEN);
	pack_doubles(p, &k->now, 1);
	walk_bound(p, &c->status, n);
	walk_bound(p, &c->level, n);
	pack_doubles(p, &c->ratio, 1);
	if (c->status < 0 || c->level < 0)
		c->ratio = 0;
}

static void
walk_part(struct pack *p, struct joint_part *part)
{
	pack_doubles(p, &part->ratio, 1);
	pack_doubles(p, &part->expected, 1);
	pack_doubles(p, &part->band, 1);
}

static void
walk(struct pack *p, struct system *y)
{
	size_t i;

	pack_bool(p, &y->learnt);
	pack_doubles(p, &y->target, 1);
	pack_instant(p, &y->t_us);
	pack_instant(p, &y->since_us);
	pack_instant(p, &y->step_us);
	pack_doubles(p, &y->ratio, 1);
	pack_count(p, &y->width, y->n);
	pack_count(p, &y->alone, y->width);
	for (i = 0; i < y->n && !p->failed; i++) {
		walk_replay(p, &y->replays[i]);
		pack_doubles(p, &y->now[i], 1);
		pack_half(p, &y->ago[i]);
		walk_part(p, &y->parts[i]);
	}
	for (i = 0; i < y->ncontrols && !p->failed; i++)
		walk_control(p, &y->controls[i], y->n);
	if (!p->failed)
		walk_balances(p, y);
}

enum err
system_pack(const struct system *y, unsigned char **ret, size_t *ret_len)
{
	struct system copy = *y;
	struct text out;
	struct pack p = {.to = &out};
	uint64_t version = VERSION;

	text_init(&out, BYTES_MOST);
	pack_word(&p, &version);
	pack_count(&p, &copy.n, SYSTEM_SIGNALS_MOST);
	pack_count(&p, &copy.ncontrols, SYSTEM_CONTROLS_MOST);
	walk(&p, &copy);
	(void)joint_pack(&p, &copy.joint);
	if (!pack_ok(&p)) {
		text_done(&out);
		return (ERR_NO_MEMORY);
	}
	*ret = (unsigned char *)text_take(&out, ret_len);
	text_done(&out);
	return (ERR_OK);
}

/* What holds n signals and their controls, the bytes being there. */
static struct system *
empty(struct pack *p, size_t n, size_t ncontrols)
{
	struct system *y = NULL;

	if (!pack_room(p,
		n * REPLAY_RUN * sizeof(double) +
		    ncontrols * 2 * CONTROL_NAME) ||
	    (y = calloc(1, sizeof(*y))) == NULL)
		return (NULL);
	y->n = n;
	y->ncontrols = ncontrols;
	y->replays = calloc(n + 1, sizeof(*y->replays));
	y->controls = calloc(ncontrols + 1, sizeof(*y->controls));
	y->balances = calloc(BALANCES_MOST, sizeof(*y->balances));
	if (y->replays == NULL || y->controls == NULL || y->balances == NULL) {
		system_free(y);
		return (NULL);
	}
	return (y);
}

enum err
system_unpack(const unsigned char *bytes, size_t len, struct system **ret)
{
	struct pack p = {.at = bytes, .end = bytes + len};
	uint64_t version = 0;
	size_t n = 0, ncontrols = 0;
	struct system *y;
	enum err e;

	pack_word(&p, &version);
	pack_count(&p, &n, SYSTEM_SIGNALS_MOST);
	pack_count(&p, &ncontrols, SYSTEM_CONTROLS_MOST);
	if (p.failed || version != VERSION)
		return (ERR_INVALID);
	if ((y = empty(&p, n, ncontrols)) == NULL)
		return (p.failed ? ERR_INVALID : ERR_NO_MEMORY);
	walk(&p, y);
	e = p.failed ? ERR_INVALID : joint_pack(&p, &y->joint);
	if (e == ERR_OK &&
	    (!pack_ok(&p) || (y->joint == NULL) != (y->width == 0) ||
		(y->joint != NULL && joint_signals(y->joint) != y->width)))
		e = ERR_INVALID;
	if (e == ERR_OK)
		*ret = y;
	else
		system_free(y);
	return (e);
}
