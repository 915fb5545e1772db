/*
 * judge: what the words of a gateway's answer mean, whichever way it came.
 *
 * Runs on: C. Frees: nothing. Errors: an answer that is not one well-formed
 * JSON object, says no word of ours, or names another command's key is none.
 */
#ifndef PENSTOCK_FIELD_JUDGE_H
#define PENSTOCK_FIELD_JUDGE_H

#include "core/ports.h"

#include <stddef.h>

/* Sets outcome, and detail if that is no answer; false then. `whole` false:
 * the transport says that it is none, whatever its words are. */
bool judge_answer(const char *json, size_t len, const struct command *,
    bool whole, struct gateway_reply *);

#endif
