#include "app/limits.h"

#include "auth/digest.h"

#include <stddef.h>

static const struct {
	enum limit_class class;
	enum limit_by by;
	const char *name, *variable;
	size_t text; /* of struct config */
} rows[] = {
#define ROW(class, by, name, variable, member)             \
	{                                                  \
		LIMIT_##class, LIMIT_##by, name, variable, \
		    offsetof(struct config, member)        \
	}
    ROW(LOGIN, PRINCIPAL, "login", "PENSTOCK_LIMIT_LOGIN", limit_login),
    ROW(CHANGE, PRINCIPAL, "change", "PENSTOCK_LIMIT_CHANGE", limit_change),
    ROW(READ, PRINCIPAL, "read", "PENSTOCK_LIMIT_READ", limit_read),
    ROW(INGEST, PRINCIPAL, "ingest", "PENSTOCK_LIMIT_INGEST", limit_ingest),
    ROW(LOGIN, ADDRESS, "login-address", "PENSTOCK_LIMIT_ADDRESS_LOGIN",
	limit_address_login),
    ROW(CHANGE, ADDRESS, "change-address", "PENSTOCK_LIMIT_ADDRESS_CHANGE",
	limit_address_change),
    ROW(READ, ADDRESS, "read-address", "PENSTOCK_LIMIT_ADDRESS_READ",
	limit_address_read),
    ROW(INGEST, ADDRESS, "ingest-address", "PENSTOCK_LIMIT_ADDRESS_INGEST",
	limit_address_ingest),
#undef ROW
};

enum err
limits_load(const struct config *c, struct limits *ret, struct err_info *info)
{
	struct limits ls = {.buckets = NULL};
	struct err_info why = {.code = ERR_OK};
	const char *text;
	struct limit *l;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		l = &ls.of[rows[i].class][rows[i].by];
		l->name = rows[i].name;
		text = *(const char *const *)((const char *)c + rows[i].text);
		if (limits_parse(text, l, &why) != ERR_OK)
			return (err_set(info, ERR_INVALID, NULL, "%s %s",
			    rows[i].variable, why.detail));
	}
	*ret = ls;
	return (ERR_OK);
}

void
limits_share(struct limits *ls, void *memory)
{
	unsigned char seed[BUCKETS_SEED];

	random_bytes(seed, sizeof(seed));
	ls->buckets = buckets_init(memory, seed);
}
