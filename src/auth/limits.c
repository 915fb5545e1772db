#include "auth/limits.h"

#include <stdlib.h>
#include <string.h>

#define WHO_MAX 120 /* bytes */

/* Digits only; -1 for what is none or too large. */
static int64_t
number(const char **at, int64_t max)
{
	int64_t n = 0;
	const char *p;

	for (p = *at; *p >= '0' && *p <= '9' && n <= max; p++)
		n = n * 10 + (*p - '0');
	if (p == *at || n > max)
		return (-1);
	*at = p;
	return (n);
}

enum err
limits_parse(const char *text, struct limit *ret, struct err_info *info)
{
	const char *p = text;
	int64_t quota = number(&p, LIMIT_QUOTA_MAX), window = 0;

	if (quota > 0 && *p == '/') {
		p++;
		window = number(&p, LIMIT_WINDOW_S_MAX);
	}
	if (quota < 0 || *p != '\0' || (quota > 0 && window < 1))
		return (err_set(info, ERR_INVALID, NULL,
		    "must be REQUESTS/SECONDS, up to %d in up to %d, or 0 for "
		    "any number",
		    LIMIT_QUOTA_MAX, LIMIT_WINDOW_S_MAX));
	ret->quota = quota;
	ret->window_s = window;
	if (quota > 0)
		ret->rate = (struct rate){window * 1000000 / quota, quota};
	return (ERR_OK);
}

bool
limits_draw(const struct limits *ls, const struct limit *l, const char *who,
    size_t len, int64_t now_us, struct drawn *ret)
{
	unsigned char key[WHO_MAX + 1];

	if (ls->buckets == NULL || l->quota == 0)
		return (true);
	if (len > WHO_MAX)
		len = WHO_MAX;
	/* Each limit has buckets of its own. */
	key[0] = (unsigned char)(l - &ls->of[0][0]);
	memcpy(key + 1, who, len);
	return (buckets_draw(ls->buckets,
	    buckets_key(ls->buckets, key, len + 1), &l->rate, now_us, ret));
}
