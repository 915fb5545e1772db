#include "store/hot_hours.h"

#include "store/resp.h"

#include <string.h>

/* Of one group in a command: two keys and an hour, each with its frame. */
#define GROUP_BYTES (3 * (HOURS_KEY + RESP_EXTRA) + RESP_EXTRA)
#define HEAD_BYTES  8192u /* script, epoch and counts */

/*
 * KEYS: epoch, switch, then of each group the index and, of one that appends,
 * the string. ARGV: epoch, what ("append", "ask", "hole"), then of each group
 * "forget", "<" and an hour, or the hour and its records.
 *
 * The string is made with an empty packed run before the first record and
 * expires 53 h after its hour began. An index that cannot be counted in is
 * deleted: then its series is not whole. So is one whose hour grows beyond
 * 65,536 records. Numbers go to Redis as text where they can: Lua prints its
 * own with 17 digits, slowly. With the first record of an hour the index drops
 * the hours that are over, raises its floor above them and lives on with its
 * strings.
 */
static const char append_script[] =
    "local e = redis.pcall('GET', KEYS[1])\n"
    "local now = type(e) == 'string' and tonumber(e) or 0\n"
    "local mine = tonumber(ARGV[1])\n"
    "if now > mine then return now end\n"
    "if now < mine then redis.call('SET', KEYS[1], ARGV[1]) end\n"
    "if ARGV[2] == 'hole' then redis.call('DEL', KEYS[2]) return 0 end\n"
    "local g = redis.pcall('GET', KEYS[2])\n"
    "if type(g) ~= 'string' or\n"
    "  string.find(g, ARGV[1] .. ':', 1, true) ~= 1 then return 0 end\n"
    "if ARGV[2] == 'ask' then return -1 end\n"
    "local function floor(n, to)\n"
    "  local b = redis.pcall('HGET', n, 'b')\n"
    "  if b == false then return end\n"
    "  local of, h, token\n"
    "  if type(b) == 'string' then\n"
    "    of, h, token = string.match(b, '^(%d+:%x+):(%-?%d+)(.*)$')\n"
    "  end\n"
    "  h = tonumber(h)\n"
    "  if not h or (h < to and token ~= '') then redis.call('DEL', n)\n"
    "  elseif h < to then\n"
    "    redis.call('HSET', n, 'b', of .. ':' .. to)\n"
    "  end\n"
    "end\n"
    "local function turn(n, hour)\n"
    "  for _, f in ipairs(redis.call('HKEYS', n)) do\n"
    "    local h = tonumber(f)\n"
    "    if h and h < hour - 51 then redis.call('HDEL', n, f) end\n"
    "  end\n"
    "  floor(n, hour - 51)\n"
    "  local at = (hour + 53) * 3600\n"
    "  if redis.call('EXPIRETIME', n) < at then\n"
    "    redis.call('EXPIREAT', n, at)\n"
    "  end\n"
    "end\n"
    "local try = redis.pcall\n"
    "local function append(n, s, hour, new)\n"
    "  local len, count = try('APPEND', s, new), #new / 20\n"
    "  if type(len) ~= 'number' or len > 1310724 then\n"
    "    redis.call('DEL', n, s)\n"
    "    return\n"
    "  end\n"
    "  if len == #new then\n"
    "    redis.call('SET', s, '\\0\\0\\0\\0' .. new, 'EXAT',\n"
    "      (hour + 53) * 3600)\n"
    "  end\n"
    "  local c = try('HINCRBY', n, hour, count == 1 and '1' or count)\n"
    "  if type(c) ~= 'number' then redis.call('DEL', n)\n"
    "  elseif c == count then turn(n, tonumber(hour)) end\n"
    "end\n"
    "local k, a = 3, 3\n"
    "while KEYS[k] do\n"
    "  local n, what = KEYS[k], ARGV[a]\n"
    "  k, a = k + 1, a + 1\n"
    "  if what == 'forget' then redis.call('DEL', n)\n"
    "  elseif string.byte(what) == 60 then\n"
    "    floor(n, tonumber(string.sub(what, 2)) + 1)\n"
    "  else\n"
    "    append(n, KEYS[k], what, ARGV[a])\n"
    "    k, a = k + 1, a + 1\n"
    "  end\n"
    "end\n"
    "return -1\n";

/*
 * KEYS: epoch, switch, index, then a string of each hour. ARGV: most, hours.
 * See hours_fetch(). A count that is no number or a key of another type reads
 * as what does not match.
 */
static const char fetch_script[] =
    "local e = redis.pcall('GET', KEYS[1])\n"
    "if type(e) ~= 'string' then return {'0'} end\n"
    "local g, c = redis.pcall('GET', KEYS[2])\n"
    "if type(g) ~= 'string' or string.find(g, e .. ':', 1, true) ~= 1 then\n"
    "  return {e}\n"
    "end\n"
    "c = redis.pcall('HMGET', KEYS[3], 'b', unpack(ARGV, 2))\n"
    "local b = not c.err and c[1] or ''\n"
    "local h = string.sub(b, 1, #g + 1) == g .. ':' and\n"
    "  string.match(b, '^%-?%d+$', #g + 2)\n"
    "if not h or tonumber(h) > tonumber(ARGV[2]) then return {e} end\n"
    "local r, sum, most = {e}, 0, tonumber(ARGV[1])\n"
    "for i = 2, #ARGV do\n"
    "  local n = 0\n"
    "  if c[i] then n = tonumber(c[i]) or -1 end\n"
    "  local s = redis.pcall('GET', KEYS[i + 2])\n"
    "  if type(s) == 'table' then n, s = -1, '' end\n"
    "  r[#r + 1], r[#r + 2] = n, s or ''\n"
    "  sum = sum + n\n"
    "  if sum >= most then break end\n"
    "end\n"
    "return r\n";

size_t
hours_key(char *p, int32_t series, int32_t hour)
{
	char *end = p + 5;

	memcpy(p, "ps:h:", 5);
	end = resp_digits(end, series);
	*end++ = ':';
	return ((size_t)(resp_digits(end, hour) - p));
}

size_t
hours_index_key(char *p, int32_t series)
{
	memcpy(p, "ps:n:", 5);
	return ((size_t)(resp_digits(p + 5, series) - p));
}

static char *
put_key(char *p, int32_t series, int32_t hour)
{
	char key[HOURS_KEY];

	return (resp_bulk(p, key, hours_key(key, series, hour)));
}

static char *
put_index_key(char *p, int32_t series)
{
	char key[HOURS_KEY];

	return (resp_bulk(p, key, hours_index_key(key, series)));
}

static char *
put_eval(char *p, const char *script, size_t len, size_t nkeys, size_t nargs)
{
	p = resp_head(p, '*', 3 + nkeys + nargs);
	p = resp_text(p, "EVAL");
	p = resp_bulk(p, script, len);
	p = resp_number(p, (int64_t)nkeys);
	p = resp_text(p, HOURS_EPOCH);
	return (resp_text(p, HOURS_SWITCH));
}

static bool
appends(const struct gather_group *at)
{
	return (at->hour != GATHER_FLOOR && at->hour != GATHER_FORGET);
}

/* How many records of each group go along; returns how many groups. */
static size_t
plan(const struct gather *g, const struct hours_cursor *c,
    uint32_t n[static HOURS_GROUPS])
{
	size_t i, left, most, room = HOURS_APPEND - HEAD_BYTES;

	for (i = 0; i < HOURS_GROUPS && c->group + i < g->ngroups; i++) {
		if (room < GROUP_BYTES + HOUR_RECORD)
			break;
		room -= GROUP_BYTES;
		left = g->groups[c->group + i].n - (i == 0 ? c->sent : 0);
		most = room / HOUR_RECORD;
		n[i] = (uint32_t)(left < most ? left : most);
		room -= n[i] * HOUR_RECORD;
	}
	return (i);
}

static char *
put_records(char *p, const struct gather *g, struct hours_cursor *c, uint32_t n)
{
	const struct gather_group *at = &g->groups[c->group];
	size_t len = n * HOUR_RECORD;

	if (c->sent == 0)
		c->at = at->first;
	p = resp_number(p, at->hour);
	p = resp_head(p, '$', len);
	gather_copy(g, &c->at, n, (unsigned char *)p);
	memcpy(p + len, "\r\n", 2);
	c->sent += n;
	return (p + len + 2);
}

static char *
put_group(char *p, const struct gather *g, struct hours_cursor *c, uint32_t n)
{
	const struct gather_group *at = &g->groups[c->group];
	char text[1 + RESP_DIGITS] = "<";

	if (at->hour == GATHER_FORGET)
		p = resp_text(p, "forget");
	else if (at->hour == GATHER_FLOOR)
		p = resp_bulk(
		    p, text, (size_t)(resp_digits(text + 1, at->floor) - text));
	else
		p = put_records(p, g, c, n);
	if (c->sent == at->n) {
		c->group++;
		c->sent = 0;
	}
	return (p);
}

size_t
hours_append(
    char *buf, int64_t epoch, const struct gather *g, struct hours_cursor *c)
{
	const struct gather_group *at = &g->groups[c->group];
	uint32_t n[HOURS_GROUPS];
	size_t i, count = plan(g, c, n), strings = 0;
	char *p;

	for (i = 0; i < count; i++)
		strings += appends(&at[i]);
	p = put_eval(buf, append_script, sizeof(append_script) - 1,
	    2 + count + strings, 2 + count + strings);
	for (i = 0; i < count; i++) {
		p = put_index_key(p, at[i].series);
		if (appends(&at[i]))
			p = put_key(p, at[i].series, at[i].hour);
	}
	p = resp_number(p, epoch);
	p = resp_text(p, "append");
	for (i = 0; i < count; i++)
		p = put_group(p, g, c, n[i]);
	return ((size_t)(p - buf));
}

size_t
hours_note(char *buf, int64_t epoch, bool hole)
{
	char *p = put_eval(buf, append_script, sizeof(append_script) - 1, 2, 2);

	p = resp_number(p, epoch);
	return ((size_t)(resp_text(p, hole ? "hole" : "ask") - buf));
}

size_t
hours_fetch(char *buf, const struct hours_span *of)
{
	size_t n = (size_t)(of->last - of->first) + 1;
	int32_t hour;
	char *p;

	p = put_eval(buf, fetch_script, sizeof(fetch_script) - 1, 3 + n, 1 + n);
	p = put_index_key(p, of->series);
	for (hour = of->first; hour <= of->last; hour++)
		p = put_key(p, of->series, hour);
	p = resp_number(p, (int64_t)of->most);
	for (hour = of->first; hour <= of->last; hour++)
		p = resp_number(p, hour);
	return ((size_t)(p - buf));
}
