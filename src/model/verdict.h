/*
 * verdict: what a detector says about one reading.
 *
 * Runs on: C. Value type.
 */
#ifndef PENSTOCK_MODEL_VERDICT_H
#define PENSTOCK_MODEL_VERDICT_H

enum verdict {
	VERDICT_NORMAL,
	VERDICT_RAISE, /* the condition begins with this reading */
	VERDICT_HOLD,  /* it goes on */
	VERDICT_CLEAR  /* it ends with this reading */
};

#endif
