/*
 * limits: the limits of requests as the settings have them, with buckets that
 * all workers share.
 *
 * Runs on: C, in the parent. Frees: nothing. Errors: the first wrong setting is
 * named in `info`.
 */
#ifndef PENSTOCK_APP_LIMITS_H
#define PENSTOCK_APP_LIMITS_H

#include "app/config.h"
#include "auth/limits.h"

enum err
limits_load(const struct config *, struct limits *ret, struct err_info *);
/* Once they are loaded; `memory` is buckets_size() of zeroed, shared bytes. */
void limits_share(struct limits *, void *memory);

#endif
