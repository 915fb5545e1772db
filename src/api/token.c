#include <jansson.h> /* before core/text.h */

#include "api/handlers.h"

#include "api/api.h"
#include "api/login.h"
#include "auth/token.h"

#include <stdio.h>
#include <string.h>

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
	l->refusal.detail = "the username or the password is wrong";
	l->next = send_token;
	login_run(r, l);
}
