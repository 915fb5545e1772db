#include "core/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN	  16u
#define BLOCK_MIN ((size_t)8192)
#define BLOCK_MAX ((size_t)1 << 20)

struct arena_block {
	struct arena_block *older;
	size_t size, used; /* of data */
	_Alignas(ALIGN) unsigned char data[];
};

void
arena_init(struct arena *a, size_t cap)
{
	*a = (struct arena){.cap = cap};
}

static void
free_until(struct arena *a, const struct arena_block *last)
{
	struct arena_block *b;

	while ((b = a->head) != last) {
		a->head = b->older;
		a->used -= b->size;
		free(b);
	}
}

void
arena_done(struct arena *a)
{
	free_until(a, NULL);
}

void
arena_reset(struct arena *a)
{
	struct arena_block *first = a->head;

	if (first == NULL)
		return;
	while (first->older != NULL)
		first = first->older;
	free_until(a, first);
	first->used = 0;
}

/* Blocks double, so that a big cycle makes few of them. */
static struct arena_block *
grow(struct arena *a, size_t need)
{
	struct arena_block *b;
	size_t size = a->used < BLOCK_MIN ? BLOCK_MIN : a->used;
	size_t room = a->cap - a->used;

	if (need > room)
		return (NULL);
	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (size > room)
		size = room;
	if (size < need)
		size = need;
	if (size > SIZE_MAX - sizeof(*b) ||
	    (b = malloc(sizeof(*b) + size)) == NULL)
		return (NULL);
	*b = (struct arena_block){.older = a->head, .size = size};
	a->head = b;
	a->used += size;
	return (b);
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct arena_block *b = a->head;
	void *p;

	if (n > SIZE_MAX - ALIGN)
		return (NULL);
	n = n == 0 ? ALIGN : (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if ((b == NULL || b->size - b->used < n) && (b = grow(a, n)) == NULL)
		return (NULL);
	p = b->data + b->used;
	b->used += n;
	return (p);
}

void *
arena_calloc(struct arena *a, size_t count, size_t size)
{
	size_t n;
	void *p;

	if (__builtin_mul_overflow(count, size, &n) ||
	    (p = arena_alloc(a, n)) == NULL)
		return (NULL);
	return (memset(p, 0, n));
}

char *
arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = n == SIZE_MAX ? NULL : arena_alloc(a, n + 1);

	if (p == NULL)
		return (NULL);
	memcpy(p, s, n);
	p[n] = '\0';
	return (p);
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return (arena_strndup(a, s, strlen(s)));
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p = NULL;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n >= 0 && (p = arena_alloc(a, (size_t)n + 1)) != NULL)
		(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return (p);
}
