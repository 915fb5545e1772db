/*
 * problem: RFC 9457 application/problem+json, written without a tree. Used
 * by src/edge (protocol errors) and src/api (all others).
 *
 * Runs on: C. Members: type, title, status, detail, instance is left out,
 * request_id, `reason` where a closed list has a word, and `errors`
 * [{pointer, detail}] where an item is to blame.
 */
#ifndef PENSTOCK_CORE_PROBLEM_H
#define PENSTOCK_CORE_PROBLEM_H

#include "core/err.h"
#include "core/text.h"

#define PROBLEM_TYPE "application/problem+json"

void
problem_write(struct text *, const struct err_info *, const char *request_id);

#endif
