#include "core/instant.h"

#include <stdio.h>
#include <string.h>

#define YEAR_0001  INT64_C(-62135596800000000) /* 0001-01-01T00:00:00Z */
#define YEAR_10000 INT64_C(253402300800000000)

/* Days since 1970-01-01; Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms", days_from_civil. */
static int64_t
days_from_civil(int64_t y, unsigned m, unsigned d)
{
	int64_t era;
	unsigned yoe, doy, doe;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = (unsigned)(y - era * 400);
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return (era * 146097 + (int64_t)doe - 719468);
}

static void
civil_from_days(int64_t z, int64_t *ret_y, unsigned *ret_m, unsigned *ret_d)
{
	int64_t era;
	unsigned doe, yoe, doy, mp;

	z += 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = (unsigned)(z - era * 146097);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*ret_d = doy - (153 * mp + 2) / 5 + 1;
	*ret_m = mp < 10 ? mp + 3 : mp - 9;
	*ret_y = (int64_t)yoe + era * 400 + (*ret_m <= 2);
}

int64_t
instant_from_civil(int year, int month, int day, int64_t us_of_day)
{
	return (
	    days_from_civil(year, (unsigned)month, (unsigned)day) * US_PER_DAY +
	    us_of_day);
}

int64_t
instant_floor(int64_t t, int64_t width)
{
	int64_t r = t % width;

	return (t - r - (r < 0 ? width : 0));
}

/* `n` digits, -1 if they are not digits. */
static int
digits(const char *s, int n)
{
	int v = 0;
	unsigned d;

	while (n-- > 0) {
		if ((d = (unsigned char)*s++ - (unsigned)'0') > 9)
			return (-1);
		v = v * 10 + (int)d;
	}
	return (v);
}

static bool
is_day(int y, int m, int d)
{
	static const char days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);

	return (y >= 1 && m >= 1 && m <= 12 && d >= 1 &&
	    d <= days[m - 1] + (m == 2 && leap));
}

/* ".d{1,9}" at *s: microseconds, *s moved behind it; -1 if malformed. */
static int
fraction(const char **s, const char *end)
{
	const char *p = *s;
	int us = 0, n;
	unsigned d;

	if (p == end || *p != '.')
		return (0);
	for (n = 0, p++; p < end && n <= 9; n++, p++) {
		if ((d = (unsigned char)*p - (unsigned)'0') > 9)
			break;
		if (n < 6)
			us = us * 10 + (int)d;
	}
	if (n == 0 || n > 9)
		return (-1);
	for (; n < 6; n++)
		us *= 10;
	*s = p;
	return (us);
}

/* "Z" or "+hh:mm" filling [s, end): microseconds to take off. */
static bool
offset(const char *s, const char *end, int64_t *ret)
{
	int h, m;

	if (end - s == 1 && (*s == 'Z' || *s == 'z')) {
		*ret = 0;
		return (true);
	}
	if (end - s != 6 || (*s != '+' && *s != '-') || s[3] != ':')
		return (false);
	h = digits(s + 1, 2);
	m = digits(s + 4, 2);
	if (h < 0 || h > 23 || m < 0 || m > 59)
		return (false);
	*ret = (h * 60 + m) * US_PER_MINUTE * (*s == '-' ? -1 : 1);
	return (true);
}

bool
instant_parse(const char *s, size_t len, int64_t *ret_us)
{
	const char *end = s + len, *p = s + 19;
	int64_t t, off;
	int y, mo, d, h, mi, sec, us;

	if (len < 20 || s[4] != '-' || s[7] != '-' || s[13] != ':' ||
	    s[16] != ':' || (s[10] != 'T' && s[10] != ' ' && s[10] != 't'))
		return (false);
	y = digits(s, 4);
	mo = digits(s + 5, 2);
	d = digits(s + 8, 2);
	h = digits(s + 11, 2);
	mi = digits(s + 14, 2);
	sec = digits(s + 17, 2);
	if (!is_day(y, mo, d) || h < 0 || h > 23 || mi < 0 || mi > 59 ||
	    sec < 0 || sec > 60)
		return (false);
	if ((us = fraction(&p, end)) < 0 || !offset(p, end, &off))
		return (false);
	t = instant_from_civil(y, mo, d,
		h * US_PER_HOUR + mi * US_PER_MINUTE + sec * US_PER_SECOND) +
	    us - off;
	/* Leap seconds end a UTC day. */
	if (sec == 60 && t - instant_floor(t, US_PER_DAY) >= US_PER_SECOND)
		return (false);
	if (t < YEAR_0001 || t >= YEAR_10000)
		return (false);
	*ret_us = t;
	return (true);
}

/* `n` digits and what follows them. */
static char *
put(char *p, unsigned v, int n, char after)
{
	for (int i = n - 1; i >= 0; i--, v /= 10)
		p[i] = (char)('0' + v % 10);
	p[n] = after;
	return (p + n + 1);
}

size_t
instant_format(int64_t t, char buf[static INSTANT_TEXT])
{
	int64_t sec = t / US_PER_SECOND, us = t % US_PER_SECOND, day, y;
	unsigned m, d, s;
	char *p = buf;

	if (us < 0) {
		us += US_PER_SECOND;
		sec--;
	}
	day = instant_floor(sec, 86400) / 86400;
	s = (unsigned)(sec - day * 86400);
	civil_from_days(day, &y, &m, &d);
	if (y >= 0 && y <= 9999)
		p = put(p, (unsigned)y, 4, '-');
	else
		p += snprintf(buf, INSTANT_TEXT, "%04lld-", (long long)y);
	p = put(p, m, 2, '-');
	p = put(p, d, 2, 'T');
	p = put(p, s / 3600, 2, ':');
	p = put(p, s / 60 % 60, 2, ':');
	p = put(p, s % 60, 2, us != 0 ? '.' : 'Z');
	if (us != 0)
		p = put(p, (unsigned)us, 6, 'Z');
	*p = '\0';
	return ((size_t)(p - buf));
}

int64_t
instant_month(int64_t t_us, int months)
{
	int64_t y;
	unsigned m, d;

	civil_from_days(
	    instant_floor(t_us, US_PER_DAY) / US_PER_DAY, &y, &m, &d);
	y = y * 12 + m - 1 + months;
	return (instant_from_civil((int)(instant_floor(y, 12) / 12),
	    (int)(y - instant_floor(y, 12)) + 1, 1, 0));
}

int64_t
instant_year(int64_t t, int years)
{
	unsigned m, d;
	int64_t y;

	civil_from_days(instant_floor(t, US_PER_DAY) / US_PER_DAY, &y, &m, &d);
	return (days_from_civil(y + years, 1, 1) * US_PER_DAY);
}
