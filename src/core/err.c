#include "core/err.h"

#include <stdio.h>
#include <string.h>

struct row {
	enum log_level level;
	int status;
	const char *slug, *title;
};

#define X(code, level, status, slug, title) \
	[code] = {LOG_LEVEL_##level, status, slug, title},
static const struct row table[ERR_COUNT] = {ERR_TABLE(X)};
#undef X

static const struct row *
row_of(enum err e)
{
	return (&table[(unsigned)e < ERR_COUNT ? e : ERR_INTERNAL]);
}

enum log_level
err_level(enum err e)
{
	return (row_of(e)->level);
}

int
err_status(enum err e)
{
	return (row_of(e)->status);
}

const char *
err_slug(enum err e)
{
	return (row_of(e)->slug);
}

const char *
err_title(enum err e)
{
	return (row_of(e)->title);
}

enum err
err_set(struct err_info *info, enum err code, const char *pointer,
    const char *fmt, ...)
{
	va_list ap;

	if (info == NULL || info->code != ERR_OK)
		return (code);
	info->code = code;
	(void)snprintf(info->pointer, sizeof(info->pointer), "%s",
	    pointer != NULL ? pointer : "");
	va_start(ap, fmt);
	(void)vsnprintf(info->detail, sizeof(info->detail), fmt, ap);
	va_end(ap);
	return (code);
}

void
err_clear(struct err_info *info)
{
	info->code = ERR_OK;
	info->detail[0] = info->pointer[0] = '\0';
	info->reason = NULL;
}
