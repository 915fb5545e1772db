#include <jansson.h> /* before core/text.h */

#include "api/handlers.h"

#include "api/api.h"
#include "api/login.h"
#include "api/resource.h"
#include "auth/password.h"
#include "auth/password_rules.h"

#include <stdlib.h>
#include <string.h>

/* A password on its way into the database. */
struct fresh {
	struct request *r;
	const char *username, *password;
	const char *old; /* hash of the one before, if that was asked for */
	void (*store)(struct fresh *);
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

/* On a thread. */
static void
hash(void *arg)
{
	struct fresh *f = arg;

	(void)password_hash(f->password, f->hash, &f->info);
}

static void
hashed(void *arg)
{
	struct fresh *f = arg;
	struct request *r = f->r;

	if (!request_gone(r)) {
		if (f->info.code != ERR_OK)
			reply_problem(r, &f->info);
		else
			f->store(f);
	}
	request_release(r);
}

/* A copy of a member of the body, which the body then has no more: it goes to
 * the database without. NULL: answered. */
static const char *
take_secret(struct request *r, const char *name)
{
	const char *s = arena_strdup(
	    &r->arena, json_string_value(json_object_get(r->body, name)));

	(void)json_object_del(r->body, name);
	if (s == NULL)
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
	return (s);
}

/* NULL: answered. */
static struct fresh *
fresh_new(struct request *r, const char *username, const char *member)
{
	struct fresh *f = arena_calloc(&r->arena, 1, sizeof(*f));
	const char *password = take_secret(r, member);
	struct err_info info = {.code = ERR_OK};
	char pointer[24];

	if (password == NULL)
		return (NULL);
	(void)snprintf(pointer, sizeof(pointer), "/%s", member);
	if (f == NULL)
		(void)err_set(&info, ERR_NO_MEMORY, NULL, "request too large");
	else if (password_check(password, username, pointer, &info) == ERR_OK) {
		*f = (struct fresh){
		    .r = r, .username = username, .password = password};
		return (f);
	}
	reply_problem(r, &info);
	return (NULL);
}

static void
fresh_hash(struct fresh *f)
{
	struct request *r = f->r;
	enum err e;

	r->state = f;
	e = r->api->offload.run(r->api->offload.self, hash, hashed, f);
	if (e != ERR_OK)
		reply_error(r, e, NULL, "too many wait for a password hash");
	else
		request_hold(r);
}

static void
create(struct fresh *f)
{
	struct request *r = f->r;
	char *body = json_dumps(r->body, JSON_COMPACT);

	if (body == NULL)
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
	else
		request_ask(r,
		    &(struct query){
			.statement = ST_user_create,
			.lane = LANE_SLOW,
			.params = (struct param[]){{body, -1, false},
			    {f->hash, -1, false}},
			.nparams = 2,
		    },
		    resource_answer);
	free(body);
}

void
users_post(struct request *r)
{
	const char *username =
	    json_string_value(json_object_get(r->body, "username"));
	struct fresh *f;

	if (!is_username(username)) {
		reply_error(r, ERR_INVALID, "/username",
		    "a username has 1 to 63 of a-z 0-9 . _ @ - and begins "
		    "with a letter or digit");
		return;
	}
	if ((f = fresh_new(r, username, "password")) == NULL)
		return;
	f->store = create;
	fresh_hash(f);
}

static void
on_stored(struct request *r, const struct rows *rows)
{
	int len;

	if (rows->n == 1 && rows->get(rows, 0, 0, &len)[0] == 't')
		reply_with(r, 204, NULL, 0, NULL, 0);
	else
		reply_error(
		    r, ERR_CONFLICT, NULL, "the password changed meanwhile");
}

static void
replace(struct fresh *f)
{
	request_ask(f->r,
	    &(struct query){
		.statement = ST_user_set_password,
		.lane = LANE_SLOW,
		.params = (struct param[]){{f->username, -1, false},
		    {f->hash, -1, false}, {f->old, -1, false}},
		.nparams = 3,
	    },
	    on_stored);
}

void
users_password_put(struct request *r)
{
	struct fresh *f = fresh_new(r, request_path(r, "username"), "password");

	if (f == NULL)
		return;
	f->store = replace;
	fresh_hash(f);
}

/* The old password and the new one that waited for it. */
struct change {
	struct login login;
	struct fresh *fresh;
};

static void
on_old_known(struct request *r, const struct login *l)
{
	struct change *c = (struct change *)(uintptr_t)l;

	(void)r;
	c->fresh->old = l->hash;
	fresh_hash(c->fresh);
}

void
own_password_put(struct request *r)
{
	struct change *c = arena_calloc(&r->arena, 1, sizeof(*c));
	struct fresh *f = fresh_new(r, r->who.name, "new_password");

	if (f == NULL)
		return;
	if (c == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	f->store = replace;
	c->fresh = f;
	c->login.username = r->who.name;
	c->login.password =
	    json_string_value(json_object_get(r->body, "old_password"));
	c->login.refusal.code = ERR_INVALID;
	c->login.refusal.pointer = "/old_password";
	c->login.refusal.detail = "that is not your password";
	c->login.next = on_old_known;
	login_run(r, &c->login);
}
