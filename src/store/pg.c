#include "store/pg.h"

#include "store/pg_lane.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A deadline drops our end only; the first two end the server's, lest every
 * attempt leave a backend behind until there is none left to be had. */
#define SESSION                                     \
	"-c client_connection_check_interval=1000 " \
	"-c statement_timeout=60000 -c timezone=UTC -c datestyle=ISO"

#define KEYWORDS 10

struct pg {
	struct pg_conn lanes[LANE_COUNT];
	pg_notify_cb *notify;
	void *notify_arg;
	const char *keywords[KEYWORDS + 1], *values[KEYWORDS + 1];
	char *conninfo, *name, *options;
	char hostaddr[INET6_ADDRSTRLEN];
};

static const struct {
	const char *name;
	unsigned deadline_ms;
} lane_table[LANE_COUNT] = {
    [LANE_LOG] = {"log", 10000},
    [LANE_LOOKUP] = {"lookup", 10000},
    [LANE_FAST] = {"fast", 5000},
    [LANE_SLOW] = {"slow", 20000},
};

const char *
pg_lane_name(enum lane lane)
{
	return (lane_table[lane].name);
}

static const char *
option(const PQconninfoOption *o, const char *keyword)
{
	for (; o->keyword != NULL; o++) {
		if (strcmp(o->keyword, keyword) == 0)
			return (o->val == NULL ? "" : o->val);
	}
	return ("");
}

/* Keeps an address apart as hostaddr, so that libpq resolves nothing. */
static enum err
check_host(struct pg *pg, const PQconninfoOption *o, struct err_info *info)
{
	const char *host = option(o, "host");
	struct in6_addr a;

	if (host[0] == '\0' || host[0] == '/' || host[0] == '@' ||
	    option(o, "hostaddr")[0] != '\0')
		return (ERR_OK);
	if (inet_pton(AF_INET, host, &a) != 1 &&
	    inet_pton(AF_INET6, host, &a) != 1)
		return (err_set(info, ERR_INVALID, NULL,
		    "host %s: an address or a socket directory is needed",
		    host));
	snprintf(pg->hostaddr, sizeof(pg->hostaddr), "%s", host);
	return (ERR_OK);
}

static enum err
read_conninfo(struct pg *pg, struct err_info *info)
{
	char *why = NULL;
	PQconninfoOption *o = PQconninfoParse(pg->conninfo, &why);
	enum err e;

	if (o == NULL) {
		e = err_set(info, ERR_INVALID, NULL, "%s",
		    why == NULL ? "out of memory" : why);
		PQfreemem(why);
		return (e);
	}
	e = check_host(pg, o, info);
	if (e == ERR_OK &&
	    asprintf(&pg->options, SESSION " %s", option(o, "options")) < 0) {
		pg->options = NULL;
		e = err_set(info, ERR_NO_MEMORY, NULL, "pg");
	}
	PQconninfoFree(o);
	return (e);
}

/* What stands before dbname the conninfo may change, what follows not. */
static void
set_keywords(struct pg *pg)
{
	const struct {
		const char *keyword, *value;
	} all[KEYWORDS] = {
	    {"keepalives_idle", "10"},
	    {"keepalives_interval", "5"},
	    {"keepalives_count", "3"},
	    {"tcp_user_timeout", "15000"},
	    {"dbname", pg->conninfo},
	    {"hostaddr", pg->hostaddr},
	    {"application_name", pg->name},
	    {"options", pg->options},
	    {"client_encoding", "UTF8"},
	};
	size_t i;

	for (i = 0; i < KEYWORDS; i++) {
		pg->keywords[i] = all[i].keyword;
		pg->values[i] = all[i].value;
	}
}

static void
notified(void *arg, const char *payload)
{
	struct pg *pg = arg;

	if (pg->notify != NULL)
		pg->notify(pg->notify_arg, payload);
}

static bool
start_lanes(struct pg *pg, struct loop *loop, const struct pg_config *cf)
{
	struct pg_conn *c;
	int i;

	for (i = 0; i < LANE_COUNT; i++) {
		c = &pg->lanes[i];
		c->loop = loop;
		c->lane = (enum lane)i;
		c->keywords = pg->keywords;
		c->values = pg->values;
		c->name = pg->name;
		c->deadline_ms = cf->deadline_ms[i] != 0
		    ? cf->deadline_ms[i]
		    : lane_table[i].deadline_ms;
		c->connect_ms = cf->connect_ms != 0 ? cf->connect_ms : 5000;
		if (i == LANE_FAST) {
			c->notify = notified;
			c->notify_arg = pg;
		}
		if (!lane_init(c, cf->queue_max != 0 ? cf->queue_max : 1024))
			return (false);
	}
	return (true);
}

struct pg *
pg_new(struct loop *loop, const struct pg_config *cf, struct err_info *info)
{
	struct pg *pg = calloc(1, sizeof(*pg));

	if (pg == NULL || (pg->conninfo = strdup(cf->conninfo)) == NULL ||
	    (pg->name = strdup(cf->name)) == NULL) {
		err_set(info, ERR_NO_MEMORY, NULL, "pg");
		pg_free(pg);
		return (NULL);
	}
	if (read_conninfo(pg, info) != ERR_OK) {
		pg_free(pg);
		return (NULL);
	}
	set_keywords(pg);
	if (!start_lanes(pg, loop, cf)) {
		err_set(info, ERR_NO_MEMORY, NULL, "pg");
		pg_free(pg);
		return (NULL);
	}
	return (pg);
}

void
pg_free(struct pg *pg)
{
	int i;

	if (pg == NULL)
		return;
	for (i = 0; i < LANE_COUNT; i++)
		lane_done(&pg->lanes[i]);
	free(pg->conninfo);
	free(pg->name);
	free(pg->options);
	free(pg);
}

static enum err
run(void *self, const struct query *q, query_cb *cb, void *arg,
    struct err_info *info)
{
	struct pg *pg = self;

	return (lane_run(&pg->lanes[q->lane], q, cb, arg, info));
}

struct query_port
pg_port(struct pg *pg)
{
	return ((struct query_port){.self = pg, .run = run});
}

void
pg_on_notify(struct pg *pg, pg_notify_cb *cb, void *arg)
{
	pg->notify = cb;
	pg->notify_arg = arg;
}

void
pg_state(const struct pg *pg, enum lane lane, struct pg_lane_state *ret)
{
	const struct pg_conn *c = &pg->lanes[lane];

	ret->connected = c->connected;
	ret->since_us = c->since_us;
	ret->in_flight = c->count;
	memcpy(ret->error, c->error, sizeof(ret->error));
}
