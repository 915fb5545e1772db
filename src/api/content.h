/*
 * content: the body of a request as its handler gets it: its media type told
 * and its coding (RFC 9110 section 8.4) undone. For the dispatcher.
 *
 * Runs on: L; what takes long to inflate goes to a thread. Frees: the request.
 * Errors: ERR_MEDIA_TYPE for a type or coding that the route does not take,
 * ERR_BAD_REQUEST for what is not gzip, ERR_TOO_LARGE beyond the route's
 * inflated_max or GUNZIP_RATIO, ERR_BUSY when too many wait for a thread.
 */
#ifndef PENSTOCK_API_CONTENT_H
#define PENSTOCK_API_CONTENT_H

#include "api/request.h"

/* Content-Type and Content-Encoding fit the route; sets r->form, r->coded. */
enum err content_check(struct request *, struct err_info *);
/* Sets r->content, then calls `next`, or answers. Not for a client that
 * left. */
void content_open(struct request *, void (*next)(struct request *));

#endif
