/*
 * text: bounded text building, and JSON written as it goes (no tree).
 *
 * Runs on: C. Frees: text_done() (a text on a caller's buffer frees nothing).
 * Errors: sticky; text_ok() is false once anything did not fit in `cap` or
 * memory was out, and later calls do nothing.
 */
#ifndef PENSTOCK_CORE_TEXT_H
#define PENSTOCK_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *s; /* always NUL-terminated after init */
	size_t len, size, cap;
	bool owned, failed;
	bool comma; /* JSON writer: a comma is due before the next item */
};

/* Grows on the heap up to `cap` bytes. */
void text_init(struct text *, size_t cap);
/* On the caller's buffer of `size` bytes, never on the heap. */
void text_init_fixed(struct text *, char *buf, size_t size);
void text_done(struct text *);
void text_reset(struct text *);
bool text_ok(const struct text *);
void text_add(struct text *, const char *, size_t);
void text_puts(struct text *, const char *);
/* Where `n` bytes may be written, or NULL; text_grew() says how many were. */
char *text_room(struct text *, size_t n);
void text_grew(struct text *, size_t n);
void text_printf(struct text *, const char *, ...)
    __attribute__((format(printf, 2, 3)));
/* Gives the buffer away (malloc'd; the caller frees). */
char *text_take(struct text *, size_t *ret_len);
/* Bytes of the UTF-8 character at `s` (RFC 3629), 0 if it is not one. */
size_t text_utf8(const char *s, size_t len);

/*
 * JSON (RFC 8259). Commas are placed by the writer. `key` may be NULL inside
 * arrays. Numbers: doubles are written shortest-exact (round trip); NaN and
 * infinity become null. Strings are escaped and invalid UTF-8 is replaced
 * by U+FFFD.
 */
/* jansson has functions of these names, so the linker knows ours by others.
 * A file that needs both includes <jansson.h> first, and has only ours. */
#define json_object  text_json_object
#define json_array   text_json_array
#define json_string  text_json_string
#define json_stringn text_json_stringn
#define json_null    text_json_null
void json_object(struct text *, const char *key);
void json_object_end(struct text *);
void json_array(struct text *, const char *key);
void json_array_end(struct text *);
void json_string(struct text *, const char *key, const char *value);
void json_stringn(struct text *, const char *key, const char *, size_t);
void json_int(struct text *, const char *key, int64_t);
void json_double(struct text *, const char *key, double);
void json_bool(struct text *, const char *key, bool);
void json_null(struct text *, const char *key);
/* RFC 3339 in UTC with microseconds only where there are any. */
void json_instant(struct text *, const char *key, int64_t t_us);
/* Text that is JSON already. */
void json_raw(struct text *, const char *key, const char *json, size_t len);

#endif
