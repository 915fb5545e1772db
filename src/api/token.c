#include <jansson.h> /* before core/text.h */

#include "api/handlers.h"

#include "api/api.h"
#include "auth/password.h"
#include "auth/token.h"

#include <stdio.h>
#include <string.h>

struct login {
	struct request *r;
	const char *username, *password;
	bool known, same;
	char hash[PASSWORD_HASH];
	enum role role;
};

static const char *
member(const struct request *r, const char *name)
{
	return (json_string_value(json_object_get(r->body, name)));
}

struct token_config
api_token_config(const struct api *api)
{
	return ((struct token_config){
	    .secret = api->jwt_secret,
	    .kid = api->jwt_kid,
	    .issuer = api->jwt_issuer,
	    .audience = api->jwt_audience,
	    .life_s = api->token_life_s,
	});
}

static void
send_token(struct request *r, const struct login *l)
{
	const struct api *api = r->api;
	struct token_config config = api_token_config(api);
	struct err_info info = {.code = ERR_OK};
	char token[TOKEN_MAX], buf[TOKEN_MAX + 256];
	struct text t;

	if (token_issue(&config, l->username, l->role, api->clocks.now_us(),
		token, &info) != ERR_OK) {
		reply_problem(r, &info);
		return;
	}
	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_string(&t, "access_token", token);
	json_string(&t, "token_type", "Bearer");
	json_int(&t, "expires_in", api->token_life_s);
	json_string(&t, "role", role_name(l->role));
	json_object_end(&t);
	reply_text(r, 200, &t);
}

/* On a thread. */
static void
verify(void *arg)
{
	struct login *l = arg;

	l->same = password_verify(l->known ? l->hash : NULL, l->password);
}

static void
verified(void *arg)
{
	struct login *l = arg;
	struct request *r = l->r;

	if (!request_gone(r)) {
		if (l->same)
			send_token(r, l);
		else
			reply_error(r, ERR_UNAUTHORIZED, NULL,
			    "the username or the password is wrong");
	}
	request_release(r);
}

/* Role and hash of the user, if there is one who is not disabled. */
static void
take_user(struct login *l, const struct rows *rows)
{
	int len, role;
	const char *hash, *word;

	if (rows->n != 1)
		return;
	hash = rows->get(rows, 0, 0, &len);
	if (len <= 0 || (size_t)len >= sizeof(l->hash))
		return;
	word = rows->get(rows, 0, 1, &role);
	if ((role = role_parse(word)) < 0)
		return;
	memcpy(l->hash, hash, (size_t)len + 1);
	l->role = (enum role)role;
	l->known = true;
}

static void
on_user(struct request *r, const struct rows *rows)
{
	struct login *l = r->state;
	enum err e;

	take_user(l, rows);
	e = r->api->offload.run(r->api->offload.self, verify, verified, l);
	if (e != ERR_OK)
		reply_error(r, e, NULL, "too many wait for a token");
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
	l->r = r;
	l->username = member(r, "username");
	l->password = member(r, "password");
	r->state = l;
	request_ask(r,
	    &(struct query){
		.statement = ST_user_login,
		.lane = LANE_FAST,
		.params = &(struct param){l->username, -1, false},
		.nparams = 1,
	    },
	    on_user);
}
