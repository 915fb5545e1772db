/*
 * warm_deliveries: what webhooks are to be sent, on a connection of `struct
 * warm`; and the tidying of events, which goes with it.
 *
 * Runs on: T. Frees: deliveries_free(). Units: s. Errors: as warm.h; what was
 * claimed and not settled is due again when its lease is over.
 */
#ifndef PENSTOCK_STORE_WARM_DELIVERIES_H
#define PENSTOCK_STORE_WARM_DELIVERIES_H

#include "store/warm.h"

struct delivery {
	int64_t event;
	int32_t hook, attempt, version;
	bool old_too; /* sign by the version before as well */
	char *url, *type, *body;
};

struct outcome {
	bool delivered;
	int status;	   /* 0: no answer */
	const char *error; /* NULL if delivered */
	double life_s;
};

/* Connects if need be. */
enum err deliveries_connect(struct warm *, struct err_info *);
/* Up to `max` for hooks that are not among the busy; *ret_n of them in ret. */
enum err deliveries_claim(struct warm *, const int32_t *busy, size_t nbusy,
    struct delivery *ret, size_t max, size_t *ret_n, double lease_s,
    struct err_info *);
void delivery_done(struct delivery *);
enum err deliveries_settle(struct warm *, const struct delivery *,
    const struct outcome *, struct err_info *);
/* Events older than that go, and dossiers are sealed, some of it. */
enum err deliveries_tidy(
    struct warm *, double keep_s, bool *ret_more, struct err_info *);

#endif
