#include "model/joint_pack.h"
#include "model/joint_state.h"

#include <stdlib.h>

void
joint_pack_signal(struct pack *p, struct joint_signal *s)
{
	double *const single[] = {&s->mean, &s->sd, &s->error, &s->scale,
	    &s->limit, &s->follow, &s->smooth, &s->level, &s->whole, &s->off,
	    &s->tail, &s->top, &s->peak, &s->alarm};
	size_t i;

	for (i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		pack_doubles(p, single[i], 1);
	pack_doubles(p, s->past, JOINT_DELAY);
	pack_bool(p, &s->judged);
	pack_count(p, &s->calm, JOINT_SMOOTH);
}

static void
walk(struct pack *p, struct joint *m)
{
	size_t i;

	pack_count(p, &m->step, SIZE_MAX);
	pack_count(p, &m->learnt, SIZE_MAX);
	pack_doubles(p, &m->target, 1);
	for (i = 0; i < m->n; i++) {
		joint_pack_signal(p, &m->signals[i]);
		pack_bool(p, &m->missing[i]);
	}
	pack_doubles(p, m->weights, m->n * m->width);
	pack_doubles(p, m->row, m->width);
}

enum err
joint_pack(struct pack *p, struct joint **model)
{
	size_t n = *model != NULL ? (*model)->n : 0;
	struct joint *m = *model;

	pack_count(p, &n, JOINT_SIGNALS_MOST);
	if (p->failed || n == 0)
		return (p->failed ? ERR_INVALID : ERR_OK);
	if (p->to == NULL) {
		if (!pack_room(p, n * (2 * n + 1) * sizeof(double)))
			return (ERR_INVALID);
		if ((m = joint_make(n)) == NULL)
			return (ERR_NO_MEMORY);
	}
	walk(p, m);
	if (p->failed) {
		if (p->to == NULL)
			joint_free(m);
		return (ERR_INVALID);
	}
	*model = m;
	return (ERR_OK);
}
