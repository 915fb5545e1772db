#include <jansson.h> /* before core/text.h */

#include "api/handlers.h"

#include "api/api.h"
#include "auth/password.h"

#include <ctype.h>
#include <string.h>

struct newcomer {
	struct request *r;
	const char *username, *password, *role;
	char hash[PASSWORD_HASH];
	struct err_info info;
};

/* As the CHECK on users.username has it. */
static bool
is_username(const char *s)
{
	static const char others[] = "._@-";
	size_t n = strlen(s);

	if (n < 1 || n > 63 || strchr(others, s[0]) != NULL)
		return (false);
	return (strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._@-") == n);
}

static void
on_created(struct request *r, const struct rows *rows)
{
	const struct newcomer *u = r->state;
	const char *body;
	char location[128];
	int len;

	if (rows->n != 1) {
		reply_error(r, ERR_CONFLICT, "/username",
		    "there is or was a user %s", u->username);
		return;
	}
	body = rows->get(rows, 0, 0, &len);
	(void)snprintf(
	    location, sizeof(location), "/api/v1/users/%s", u->username);
	reply_with(r, 201, &(struct header){"Location", location}, 1, body,
	    (size_t)len);
}

/* On a thread. */
static void
hash(void *arg)
{
	struct newcomer *u = arg;

	(void)password_hash(u->password, u->hash, &u->info);
}

static void
hashed(void *arg)
{
	struct newcomer *u = arg;
	struct request *r = u->r;

	if (!request_gone(r)) {
		if (u->info.code != ERR_OK)
			reply_problem(r, &u->info);
		else
			request_ask(r,
			    &(struct query){
				.statement = ST_user_create,
				.lane = LANE_SLOW,
				.params = (struct param[]){{u->username, -1,
							       false},
				    {u->hash, -1, false}, {u->role, -1, false}},
				.nparams = 3,
			    },
			    on_created);
	}
	request_release(r);
}

void
users_post(struct request *r)
{
	struct newcomer *u = arena_calloc(&r->arena, 1, sizeof(*u));
	json_t *body = r->body;
	enum err e;

	if (u == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	*u = (struct newcomer){
	    .r = r,
	    .username = json_string_value(json_object_get(body, "username")),
	    .password = json_string_value(json_object_get(body, "password")),
	    .role = json_string_value(json_object_get(body, "role")),
	};
	r->state = u;
	if (!is_username(u->username)) {
		reply_error(r, ERR_INVALID, "/username",
		    "a username has 1 to 63 of a-z 0-9 . _ @ - and begins "
		    "with a letter or digit");
		return;
	}
	e = r->api->offload.run(r->api->offload.self, hash, hashed, u);
	if (e != ERR_OK)
		reply_error(r, e, NULL, "too many wait for a password hash");
	else
		request_hold(r);
}
