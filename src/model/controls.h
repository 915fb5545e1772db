/*
 * controls: what a network file tells its links to do by the level of a node,
 * and how far what is seen contradicts it.
 *
 *	[CONTROLS]  LINK l OPEN|CLOSED|speed IF NODE n BELOW|ABOVE v
 *	[RULES]	    IF TANK n LEVEL BELOW|ABOVE v
 *		    THEN PUMP|PIPE|VALVE l STATUS|SETTING IS OPEN|CLOSED|speed
 *	excess = v - level (BELOW), level - v (ABOVE) while l is not as told
 *
 * Rules of several premises are passed over. A link may lag its rule, so an
 * excess counts beyond the largest one seen while that was learnt, but at most
 * twice the third largest, for what happened once or twice is not the link's
 * way; and a quarter more and 2 % of v.
 * Reference: EPANET 2.2 user manual, sections [CONTROLS], [RULES], [OPTIONS].
 * Runs on: C. Frees: nothing. Units: levels in m; those of a file whose UNITS
 * are CFS, GPM (where it says nothing), MGD, IMGD or AFD were feet. Errors: a
 * line that is no such control is passed over.
 */
#ifndef PENSTOCK_MODEL_CONTROLS_H
#define PENSTOCK_MODEL_CONTROLS_H

#include <stdbool.h>
#include <stddef.h>

#define CONTROL_NAME 32
#define CONTROL_SEEN 3

struct control {
	char link[CONTROL_NAME], node[CONTROL_NAME];
	bool open, above;
	double level;
	/* the largest excesses while learning, each of a time of its own */
	double seen[CONTROL_SEEN], now;
};

/* Gives how many there are, at most `most`. */
size_t
controls_parse(const char *inp, size_t len, struct control *ret, size_t most);
/* 0 while the link does as told. */
double control_excess(const struct control *, double status, double level);
void control_learn(struct control *, double excess);
/* Of 1: the threshold. */
double control_ratio(const struct control *, double excess);

#endif
