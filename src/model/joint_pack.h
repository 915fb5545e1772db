/*
 * joint_pack: the joint model as bytes and back: what is read goes on as if it
 * had never been written.
 *
 * Runs on: C. Frees: joint_free() of what was read. Errors: ERR_INVALID,
 * ERR_NO_MEMORY; nothing is read then.
 */
#ifndef PENSTOCK_MODEL_JOINT_PACK_H
#define PENSTOCK_MODEL_JOINT_PACK_H

#include "model/joint.h"
#include "model/pack.h"

struct joint_signal;

/* NULL, too: no model. */
enum err joint_pack(struct pack *, struct joint **);
void joint_pack_signal(struct pack *, struct joint_signal *);

#endif
