#include "app/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_FILE_MAX 4096

#define IS_TEXT	  false
#define IS_NUMBER true
const struct setting settings[] = {
#define X(member, type, variable, fallback, min, max, unit, secret, about) \
	{variable, fallback, unit, about, IS_##type, secret, min, max},
    SETTINGS(X)
#undef X
};
const size_t nsettings = sizeof(settings) / sizeof(settings[0]);

/* A secret's file: its text without the line end. */
static enum err
read_secret(const char *path, const char *variable, const char **ret,
    struct err_info *info)
{
	char buf[SECRET_FILE_MAX];
	size_t n;
	FILE *f;

	if ((f = fopen(path, "re")) == NULL)
		return (err_set(info, ERR_INVALID, NULL,
		    "%s: cannot read %s: %s", variable, path, strerror(errno)));
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	if (n == sizeof(buf))
		return (
		    err_set(info, ERR_INVALID, NULL, "%s: %s is over %d bytes",
			variable, path, SECRET_FILE_MAX - 1));
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
		n--;
	if ((*ret = strndup(buf, n)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "%s", variable));
	explicit_bzero(buf, sizeof(buf));
	return (ERR_OK);
}

/* The setting's text: variable, its file if secret, default. */
static enum err
find_text(const struct setting *s, char *(*getenv_fn)(const char *),
    const char **ret, struct err_info *info)
{
	char name[80];
	const char *v;

	if ((v = getenv_fn(s->variable)) != NULL) {
		*ret = v;
		return (ERR_OK);
	}
	if (s->secret) {
		snprintf(name, sizeof(name), "%s_FILE", s->variable);
		if ((v = getenv_fn(name)) != NULL)
			return (read_secret(v, name, ret, info));
	}
	if (s->fallback == NULL)
		return (err_set(info, ERR_INVALID, NULL, "%s is not set%s",
		    s->variable,
		    s->secret ? " (nor the same name with _FILE)" : ""));
	*ret = s->fallback;
	return (ERR_OK);
}

static enum err
check_text(const struct setting *s, const char *v, const char **ret,
    struct err_info *info)
{
	size_t len = strlen(v);

	if ((double)len < s->min || (double)len > s->max)
		return (err_set(info, ERR_INVALID, NULL,
		    "%s must have %.0f to %.0f characters, has %zu",
		    s->variable, s->min, s->max, len));
	*ret = v;
	return (ERR_OK);
}

enum err
config_secret(const char *variable, char *(*getenv_fn)(const char *),
    char **ret, struct err_info *info)
{
	const struct setting *s = settings;
	const char *text = NULL, *checked;
	char *copy;
	enum err e;

	while (strcmp(s->variable, variable) != 0)
		s++;
	if ((e = find_text(s, getenv_fn, &text, info)) == ERR_OK)
		e = check_text(s, text, &checked, info);
	copy = e == ERR_OK ? strdup(text) : NULL;
	if (e == ERR_OK && copy == NULL)
		e = err_set(info, ERR_NO_MEMORY, NULL, "%s", variable);
	if (e == ERR_OK)
		*ret = copy;
	return (e);
}

static enum err
check_number(
    const struct setting *s, const char *v, int64_t *ret, struct err_info *info)
{
	long long n;
	char *end;

	errno = 0;
	n = strtoll(v, &end, 10);
	if (errno != 0 || end == v || *end != '\0' || (double)n < s->min ||
	    (double)n > s->max)
		return (err_set(info, ERR_INVALID, NULL,
		    "%s must be a whole number from %.0f to %.0f (%s)",
		    s->variable, s->min, s->max, s->unit));
	*ret = n;
	return (ERR_OK);
}

enum err
config_load(
    struct config *ret, char *(*getenv_fn)(const char *), struct err_info *info)
{
	struct config c;
	const struct setting *s = settings;
	const char *v;
	enum err e;

	memset(&c, 0, sizeof(c));
#define LOAD_TEXT(member)   check_text(s, v, &c.member, info)
#define LOAD_NUMBER(member) check_number(s, v, &c.member, info)
#define X(member, type, ...)                                     \
	if ((e = find_text(s, getenv_fn, &v, info)) != ERR_OK || \
	    (e = LOAD_##type(member)) != ERR_OK)                 \
		return (e);                                      \
	s++;
	SETTINGS(X)
#undef X
	*ret = c;
	return (ERR_OK);
}
