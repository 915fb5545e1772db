#include "store/hot_wire.h"

#include "store/hot_hours.h"
#include "store/resp.h"

#include <hiredis/hiredis.h>

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPIRY_S "172800" /* 48 h */

/*
 * KEYS: ps:epoch, then one per value. ARGV: epoch, expiry, the values.
 * Returns 0, or the present epoch if it is above the caller's: then nothing
 * was written. Event times are compared as two halves because Lua's numbers
 * hold 53 bits. Of two values at the same time the first stays. The newer of
 * two is whole if one of them was: whoever told the newest did not know the
 * other yet. A key that holds anything but a record is written over.
 */
static const char script[] =
    "local e = redis.pcall('GET', KEYS[1])\n"
    "local now = type(e) == 'string' and tonumber(e) or 0\n"
    "local mine = tonumber(ARGV[1])\n"
    "if now > mine then return now end\n"
    "if now < mine then redis.call('SET', KEYS[1], ARGV[1]) end\n"
    "for i = 2, #KEYS do\n"
    "  local old, new = redis.pcall('GET', KEYS[i]), ARGV[i + 1]\n"
    "  local part = #new == 29\n"
    "  if type(old) == 'string' and (#old == 28 or #old == 29) then\n"
    "    local oh, ol = struct.unpack('>i4I4', old)\n"
    "    local nh, nl = struct.unpack('>i4I4', new)\n"
    "    part = part and #old == 29\n"
    "    if oh > nh or (oh == nh and ol >= nl) then new = old end\n"
    "  end\n"
    "  new = string.sub(new, 1, 28) .. (part and '+' or '')\n"
    "  if new ~= old then redis.call('SET', KEYS[i], new, 'EX', ARGV[2]) end\n"
    "end\n"
    "return 0\n";

static char *
put_key(char *p, const char *prefix, size_t len, int32_t series)
{
	char key[48], *end = key + len;

	memcpy(key, prefix, len);
	end = resp_digits(end, series);
	return (resp_bulk(p, key, (size_t)(end - key)));
}

static size_t
key_prefix(char buf[static 32], int64_t epoch)
{
	return ((size_t)snprintf(buf, 32, "ps:%lld:l:", (long long)epoch));
}

static char *
put_value(char *p, const struct reading *r, bool whole)
{
	unsigned char v[WIRE_VALUE + 1];
	uint64_t u = htobe64((uint64_t)r->t_us);
	uint32_t q = htobe32((uint32_t)(int32_t)r->quality);

	memcpy(v, &u, 8);
	memcpy(&u, &r->value, 8);
	u = htobe64(u);
	memcpy(v + 8, &u, 8);
	memcpy(v + 16, &q, 4);
	u = htobe64((uint64_t)r->received_us);
	memcpy(v + 20, &u, 8);
	v[WIRE_VALUE] = WIRE_PARTIAL;
	return (resp_bulk(p, v, whole ? WIRE_VALUE : sizeof(v)));
}

size_t
wire_epoch_get(char *buf)
{
	char *p = resp_head(buf, '*', 2);

	p = resp_text(p, "GET");
	return ((size_t)(resp_text(p, HOURS_EPOCH) - buf));
}

size_t
wire_store(char *buf, int64_t epoch, const struct reading *r, const bool *whole,
    size_t n)
{
	char prefix[32], *p;
	size_t i, len = key_prefix(prefix, epoch);

	p = resp_head(buf, '*', 3 + (1 + n) + (2 + n));
	p = resp_text(p, "EVAL");
	p = resp_bulk(p, script, sizeof(script) - 1);
	p = resp_number(p, (int64_t)(1 + n));
	p = resp_text(p, HOURS_EPOCH);
	for (i = 0; i < n; i++)
		p = put_key(p, prefix, len, r[i].series);
	p = resp_number(p, epoch);
	p = resp_text(p, EXPIRY_S);
	for (i = 0; i < n; i++)
		p = put_value(p, &r[i], whole[i]);
	return ((size_t)(p - buf));
}

size_t
wire_fetch(char *buf, int64_t epoch, const struct reading *r, size_t n)
{
	char prefix[32], *p;
	size_t i, len = key_prefix(prefix, epoch);

	p = resp_head(buf, '*', 2 + n);
	p = resp_text(p, "MGET");
	p = resp_text(p, HOURS_EPOCH);
	for (i = 0; i < n; i++)
		p = put_key(p, prefix, len, r[i].series);
	return ((size_t)(p - buf));
}

int64_t
wire_number(const struct redisReply *reply)
{
	long long n;
	char *end;

	if (reply->type == REDIS_REPLY_INTEGER)
		return (reply->integer);
	if (reply->type != REDIS_REPLY_STRING)
		return (0);
	n = strtoll(reply->str, &end, 10);
	return (*end == '\0' && n > 0 ? n : 0);
}

static uint64_t
get64(const char *p)
{
	uint64_t u;

	memcpy(&u, p, sizeof(u));
	return (be64toh(u));
}

bool
wire_value(const struct redisReply *reply, struct reading *ret, bool *ret_whole)
{
	const char *v = reply->str;
	uint64_t bits;
	uint32_t q;

	if (reply->type != REDIS_REPLY_STRING ||
	    ((size_t)reply->len != WIRE_VALUE &&
		(size_t)reply->len != WIRE_VALUE + 1))
		return (false);
	*ret_whole = (size_t)reply->len == WIRE_VALUE;
	memcpy(&q, v + 16, sizeof(q));
	bits = get64(v + 8);
	ret->t_us = (int64_t)get64(v);
	memcpy(&ret->value, &bits, sizeof(ret->value));
	ret->quality = (int16_t)be32toh(q);
	ret->received_us = (int64_t)get64(v + 20);
	return (true);
}
