#include "core/log.h"
#include "core/text.h"

#include <stdarg.h>

#define LINE_MAX_BYTES 2048
#define CUT_MARK       ",\"cut\":true}"

static log_sink *sink;
static enum log_level least;

void
log_open(log_sink *to, enum log_level from)
{
	sink = to;
	least = from;
}

static void
add_pair(struct text *t, const char *key, va_list *ap)
{
	switch (va_arg(*ap, enum log_kind)) {
	case LOG_STR:
		json_string(t, key, va_arg(*ap, const char *));
		break;
	case LOG_INT:
		json_int(t, key, va_arg(*ap, int64_t));
		break;
	case LOG_DBL:
		json_double(t, key, va_arg(*ap, double));
		break;
	}
}

void
log_event(enum log_level level, const char *event, ...)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	char buf[LINE_MAX_BYTES];
	const char *key;
	struct text t;
	size_t whole;
	va_list ap;

	if (sink == NULL || level < least)
		return;
	/* What is kept back is the room for the end of a cut line. */
	text_init_fixed(&t, buf, sizeof(buf) - sizeof(CUT_MARK));
	json_object(&t, NULL);
	json_string(&t, "event", event);
	json_string(&t, "level", names[level]);
	whole = t.len;
	va_start(ap, event);
	while (text_ok(&t) && (key = va_arg(ap, const char *)) != NULL) {
		add_pair(&t, key, &ap);
		if (text_ok(&t))
			whole = t.len;
	}
	va_end(ap);
	t.cap = sizeof(buf) - 1;
	t.size = sizeof(buf);
	if (text_ok(&t))
		json_object_end(&t);
	else {
		t.failed = false;
		t.len = whole;
		text_puts(&t, CUT_MARK);
	}
	sink(level, t.s, t.len);
}
