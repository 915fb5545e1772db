#include <jansson.h> /* before core/text.h */

#include "api/handlers.h"

#include "api/api.h"
#include "api/login.h"
#include "auth/refresh.h"
#include "auth/token.h"
#include "core/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRONG "the username or the password is wrong"

static const char *
member(const struct request *r, const char *name)
{
	return (json_string_value(json_object_get(r->body, name)));
}

/* On the way to the tokens of a session. */
struct grant {
	struct refresh old, next;
	char text[REFRESH_LEN + 1]; /* of `next` */
	char life[16], idle[16], access[16];
	char peer[48]; /* also when the client has left */
};

static struct grant *
grant_new(struct request *r)
{
	const struct api *api = r->api;
	struct grant *g = arena_calloc(&r->arena, 1, sizeof(*g));

	if (g == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return (NULL);
	}
	if (r->x != NULL)
		memcpy(g->peer, r->x->peer, sizeof(g->peer));
	(void)snprintf(g->life, sizeof(g->life), "%d", api->session_life_s);
	(void)snprintf(g->idle, sizeof(g->idle), "%d", api->session_idle_s);
	(void)snprintf(g->access, sizeof(g->access), "%d", api->trust->life_s);
	r->state = g;
	return (g);
}

/* RFC 6749 section 5.1. */
static void
send_tokens(struct request *r, const struct token *who, int64_t refresh_in)
{
	const struct api *api = r->api;
	const struct grant *g = r->state;
	struct err_info info = {.code = ERR_OK};
	char token[TOKEN_MAX], buf[TOKEN_MAX + 512];
	struct text t;

	if (token_issue(api->trust, who, api->clocks.now_us(), token, &info) !=
	    ERR_OK) {
		reply_problem(r, &info);
		return;
	}
	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_string(&t, "access_token", token);
	json_string(&t, "token_type", "Bearer");
	json_int(&t, "expires_in", api->trust->life_s);
	json_string(&t, "refresh_token", g->text);
	json_int(&t, "refresh_expires_in", refresh_in);
	json_string(&t, "role", role_name(who->role));
	json_object_end(&t);
	reply_text(r, 200, &t);
}

enum grant_column { VERDICT, SESSION, USERNAME, ROLE, LIVES_S };

static const char *
text(const struct rows *rows, enum grant_column c)
{
	int len;

	return (rows->get(rows, 0, (int)c, &len));
}

static int64_t
number(const struct rows *rows, enum grant_column c)
{
	const char *s = text(rows, c);

	return (s != NULL ? strtoll(s, NULL, 10) : 0);
}

/* The row says ok. */
static void
send_grant(struct request *r, const struct rows *rows)
{
	const char *name = text(rows, USERNAME);
	const char *word = text(rows, ROLE);
	struct token who = {.session = number(rows, SESSION)};
	int role = word != NULL ? role_parse(word) : -1;

	if (name == NULL || strlen(name) >= sizeof(who.subject) || role < 0) {
		reply_error(r, ERR_INTERNAL, NULL, "no such session");
		return;
	}
	memcpy(who.subject, name, strlen(name) + 1);
	who.role = (enum role)role;
	send_tokens(r, &who, number(rows, LIVES_S));
}

static void
on_session(struct request *r, const struct rows *rows)
{
	if (rows->n == 1)
		send_grant(r, rows);
	else /* the user changed meanwhile */
		reply_error(r, ERR_UNAUTHORIZED, NULL, WRONG);
}

static void
begin_session(struct request *r, const struct login *l)
{
	struct grant *g = grant_new(r);

	if (g == NULL)
		return;
	refresh_new(&g->next, g->text);
	request_ask(r,
	    &(struct query){
		.statement = ST_session_begin,
		.lane = LANE_FAST,
		.params = (struct param[]){{l->username, -1, false},
		    {l->hash, -1, false},
		    {(const char *)g->next.handle, DIGEST_LEN, true},
		    {(const char *)g->next.secret, DIGEST_LEN, true},
		    {g->life, -1, false}, {g->idle, -1, false},
		    {g->access, -1, false}},
		.nparams = 7,
	    },
	    on_session);
}

static void
on_reused(struct request *r, const struct rows *rows)
{
	(void)rows;
	reply_error(r, ERR_UNAUTHORIZED, NULL,
	    "the refresh token was used before, so its session has ended");
}

/* Whoever sent it, or whoever used it before, has stolen it: neither goes on
 * (RFC 9700 section 4.14.2). */
static void
end_reused(struct request *r, const struct rows *rows)
{
	const char *session = text(rows, SESSION);
	const char *name = text(rows, USERNAME);
	const struct grant *g = r->state;

	log_event(LOG_LEVEL_WARN, "refresh_token_reused", "request_id", LOG_STR,
	    r->request_id, "user", LOG_STR, name != NULL ? name : "", "session",
	    LOG_STR, session, "peer", LOG_STR, g->peer, NULL);
	request_ask(r,
	    &(struct query){
		.statement = ST_session_reused,
		.lane = LANE_SLOW, /* it may wait for a change */
		.params = &(struct param){session, -1, false},
		.nparams = 1,
	    },
	    on_reused);
}

static void
on_refreshed(struct request *r, const struct rows *rows)
{
	const char *verdict = rows->n == 1 ? text(rows, VERDICT) : NULL;

	if (verdict == NULL)
		reply_error(r, ERR_INTERNAL, NULL, "no answer on the session");
	else if (strcmp(verdict, "ok") == 0)
		send_grant(r, rows);
	else if (strcmp(verdict, "spent") == 0)
		end_reused(r, rows);
	else if (strcmp(verdict, "over") == 0)
		reply_error(r, ERR_UNAUTHORIZED, NULL,
		    "the session has ended: log in again");
	else
		reply_error(
		    r, ERR_UNAUTHORIZED, NULL, "the refresh token is unknown");
}

/* Also for a client that has left: nobody keeps a session by that. */
static void
on_answer(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct request *r = arg;

	if (info->code != ERR_OK)
		reply_problem(r, info);
	else
		on_refreshed(r, rows);
	request_release(r);
}

void
token_refresh(struct request *r)
{
	const char *sent = member(r, "refresh_token");
	struct err_info info = {.code = ERR_OK};
	struct grant *g = grant_new(r);

	if (g == NULL)
		return;
	if (!refresh_parse(sent, &g->old)) {
		reply_error(
		    r, ERR_UNAUTHORIZED, NULL, "the refresh token is unknown");
		return;
	}
	refresh_next(sent, &g->next, g->text);
	if (r->api->query.run(r->api->query.self,
		&(struct query){
		    .statement = ST_session_refresh,
		    .lane = LANE_FAST,
		    .tag = r->request_id,
		    .origin = r->origin,
		    .params = (struct param[]){{(const char *)g->old.handle,
						   DIGEST_LEN, true},
			{(const char *)g->old.secret, DIGEST_LEN, true},
			{(const char *)g->next.secret, DIGEST_LEN, true},
			{g->idle, -1, false}, {g->access, -1, false}},
		    .nparams = 5,
		},
		on_answer, r, &info) != ERR_OK)
		reply_problem(r, &info);
	else
		request_hold(r);
}

void
token_post(struct request *r)
{
	struct login *l = arena_calloc(&r->arena, 1, sizeof(*l));

	if (l == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	l->username = member(r, "username");
	l->password = member(r, "password");
	l->refusal.code = ERR_UNAUTHORIZED;
	l->refusal.detail = WRONG;
	l->next = begin_session;
	login_run(r, l);
}
