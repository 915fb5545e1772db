/*
 * trust: whose tokens a worker takes: our own keys, read again when asked;
 * and those of one foreign identity provider, fetched on a thread at start,
 * every so often, and when a token names a key that is not known. The last
 * good ones stay.
 *
 * Runs on: L, one per worker; trust_check() in the parent. Frees:
 * trust_free(). Errors: trust_check() names the variable; what fails later is
 * logged, and changes nothing.
 */
#ifndef PENSTOCK_APP_TRUST_H
#define PENSTOCK_APP_TRUST_H

#include "api/api.h"
#include "app/config.h"

struct trust;

struct trust_config {
	const struct config *settings;
	struct loop *loop;
	struct offload_port offload;
	struct token_cache *tokens; /* cleared when a key goes */
};

enum err trust_check(const struct config *, struct err_info *);
struct trust *trust_new(const struct trust_config *, struct err_info *);
void trust_free(struct trust *);
const struct token_config *trust_tokens(const struct trust *);
/* Our own keys again, from their file. */
void trust_reload(struct trust *);
/* There is an identity provider. */
bool trust_foreign(const struct trust *);
/* Fetches its keys, then calls done(arg). ERR_BUSY: they were fetched a
 * moment ago, or too many wait; done is never called then. */
enum err trust_fetch(struct trust *, void (*done)(void *), void *arg);
/* For /ready. */
void trust_state(const struct trust *, struct dependency *);

#endif
