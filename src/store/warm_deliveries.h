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
	bool ailing;  /* the hook's last one failed */
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
struct delivery_room {
	size_t most, ailing; /* of them at most to hooks whose last failed */
	const int32_t *busy; /* hooks that get none now */
	size_t nbusy;
	double lease_s;
};

/* Up to room->most; *ret_n of them in ret. */
enum err deliveries_claim(struct warm *, const struct delivery_room *,
    struct delivery *ret, size_t *ret_n, struct err_info *);
void delivery_done(struct delivery *);
enum err deliveries_settle(struct warm *, const struct delivery *,
    const struct outcome *, struct err_info *);
/* Events older than that go, and dossiers are sealed, some of it. */
enum err deliveries_tidy(
    struct warm *, double keep_s, bool *ret_more, struct err_info *);

#endif
