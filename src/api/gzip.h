/*
 * gzip: RFC 1952 both ways on zlib, a bounded piece at a time, so that no
 * call holds the loop up: level 1 takes about 10 ms for a megabyte in, and
 * inflating about 4 ms for a megabyte out.
 *
 * Runs on: C. Frees: gunzip_free(), gzip_free() (NULL is fine). Units: bytes.
 * Errors: ERR_BAD_REQUEST for what is no gzip, is cut short or goes on behind
 * its end; ERR_TOO_LARGE over `max` or over GUNZIP_RATIO times what came in
 * and GUNZIP_FREE; ERR_NO_MEMORY is new() giving NULL.
 */
#ifndef PENSTOCK_API_GZIP_H
#define PENSTOCK_API_GZIP_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

#define GUNZIP_RATIO 100
#define GUNZIP_FREE  65536 /* inflated bytes whatever the ratio */

struct gunzip;

/* No more than `max` inflated bytes in all. */
struct gunzip *gunzip_new(size_t max);
void gunzip_free(struct gunzip *);
/* The input: all of it, or the next piece once the last one is used up. It
 * is borrowed until then. */
void gunzip_feed(struct gunzip *, const void *, size_t len);
/*
 * Fills up to `room` bytes. *ret_len < room: the input is used up; feed more,
 * or if there is none, gunzip_end() says whether it was whole.
 */
enum err gunzip_read(
    struct gunzip *, char *to, size_t room, size_t *ret_len, struct err_info *);
enum err gunzip_end(const struct gunzip *, struct err_info *);

struct gzip;

struct gzip *gzip_new(void);
void gzip_free(struct gzip *);
/* As gunzip_feed(). */
void gzip_feed(struct gzip *, const void *, size_t len);
/* Fills up to `room` bytes (at least 64). *ret_len < room: the input is used
 * up, or with `last` the stream is complete. */
void
gzip_read(struct gzip *, bool last, char *to, size_t room, size_t *ret_len);

/* All at once, for what is small. 0: not within `room`. On one thread. */
size_t gzip_once(const void *, size_t len, char *to, size_t room);

/* Accept-Encoding's word on gzip (RFC 9110 section 12.5.3). NULL: absent. */
bool gzip_accepted(const char *accept_encoding);

#endif
