#include "store/redis_sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_S 1

void
redis_sync_init(struct redis_sync *s, const char *address)
{
	s->address = address;
	s->c = NULL;
	s->argc = 0;
}

void
redis_sync_close(struct redis_sync *s)
{
	if (s->c != NULL)
		redisFree(s->c);
	s->c = NULL;
}

enum err
redis_sync_fail(struct redis_sync *s, const char *why, struct err_info *info)
{
	(void)err_set(info, ERR_CACHE, NULL, "%s", why);
	redis_sync_close(s);
	return (ERR_CACHE);
}

/* "/path", "address:port" or "[address]:port". */
static redisContext *
connect_to(const char *address, struct timeval timeout)
{
	const char *colon = strrchr(address, ':');
	char host[128];
	int len;

	if (address[0] == '/' || colon == NULL)
		return (redisConnectUnixWithTimeout(address, timeout));
	len = (int)(colon - address);
	if (address[0] == '[')
		snprintf(host, sizeof(host), "%.*s", len - 2, address + 1);
	else
		snprintf(host, sizeof(host), "%.*s", len, address);
	return (redisConnectWithTimeout(
	    host, (int)strtol(colon + 1, NULL, 10), timeout));
}

static enum err
open_redis(struct redis_sync *s, struct err_info *info)
{
	const struct timeval timeout = {.tv_sec = TIMEOUT_S};

	if (s->c != NULL)
		return (ERR_OK);
	s->c = connect_to(s->address, timeout);
	if (s->c == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "redis"));
	if (s->c->err != 0)
		return (redis_sync_fail(s, s->c->errstr, info));
	(void)redisSetTimeout(s->c, timeout);
	return (ERR_OK);
}

void
redis_sync_arg(struct redis_sync *s, const void *p, size_t len)
{
	s->argv[s->argc] = p;
	s->lens[s->argc++] = len;
}

void
redis_sync_text(struct redis_sync *s, const char *text)
{
	redis_sync_arg(s, text, strlen(text));
}

char *
redis_sync_place(struct redis_sync *s)
{
	return (s->texts[s->argc]);
}

void
redis_sync_number(struct redis_sync *s, int64_t v)
{
	char *text = redis_sync_place(s);

	redis_sync_arg(
	    s, text, (size_t)snprintf(text, SYNC_TEXT, "%lld", (long long)v));
}

void
redis_sync_start(struct redis_sync *s, const char *command)
{
	s->argc = 0;
	redis_sync_text(s, command);
}

void
redis_sync_eval(struct redis_sync *s, const char *script, size_t nkeys)
{
	redis_sync_start(s, "EVAL");
	redis_sync_text(s, script);
	redis_sync_number(s, (int64_t)nkeys);
}

enum err
redis_sync_push(struct redis_sync *s, struct err_info *info)
{
	enum err e = open_redis(s, info);

	if (e == ERR_OK &&
	    redisAppendCommandArgv(s->c, s->argc, s->argv, s->lens) != REDIS_OK)
		return (redis_sync_fail(s, s->c->errstr, info));
	return (e);
}

enum err
redis_sync_pull(struct redis_sync *s, redisReply **ret, struct err_info *info)
{
	void *r;

	if (redisGetReply(s->c, &r) != REDIS_OK)
		return (redis_sync_fail(s, s->c->errstr, info));
	*ret = r;
	return (ERR_OK);
}

enum err
redis_sync_ask(struct redis_sync *s, redisReply **ret, struct err_info *info)
{
	enum err e = redis_sync_push(s, info);

	return (e != ERR_OK ? e : redis_sync_pull(s, ret, info));
}

enum err
redis_sync_ask_bool(struct redis_sync *s, bool *ret, struct err_info *info)
{
	AUTO_REPLY r = NULL;
	enum err e = redis_sync_ask(s, &r, info);

	if (e != ERR_OK)
		return (e);
	if (r->type == REDIS_REPLY_ERROR)
		return (redis_sync_fail(s, r->str, info));
	*ret = r->type == REDIS_REPLY_INTEGER && r->integer == 1;
	return (ERR_OK);
}
