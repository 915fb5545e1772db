/*
 * handlers: what the rows of routes_core.inc call.
 *
 * Runs on: L. Frees: nothing. Errors: each answers exactly once.
 */
#ifndef PENSTOCK_API_HANDLERS_H
#define PENSTOCK_API_HANDLERS_H

#include "api/request.h"
#include "auth/token.h"

/* health.c */
void health_get(struct request *);
void ready_get(struct request *);
void metrics_get(struct request *);
/* token.c */
void token_post(struct request *);
void token_refresh(struct request *);
/* session.c */
void me_get(struct request *);
/* users.c */
void users_post(struct request *);
void users_password_put(struct request *);
void own_password_put(struct request *);
/* keys.c */
void keys_post(struct request *);
void keys_rotate(struct request *);
/* gateway_secret.c */
void gateway_secret_post(struct request *);
/* readings.c */
void readings_post(struct request *);
/* imports.c */
void import_part_put(struct request *);
/* latest.c */
void latest_get(struct request *);
void latest_node_get(struct request *);
/* history.c */
void history_get(struct request *);
/* machines.c */
void machines_get(struct request *);
/* before.c */
void before_get(struct request *);
/* webhooks.c: creates, and makes another secret */
void webhooks_post(struct request *);
/* rules.c: creates and changes */
void rules_put(struct request *);
/* backtest.c */
void rules_backtest(struct request *);
/* controls.c */
void zone_controls_put(struct request *);
/* dossier.c */
void dossier_get(struct request *);
/* events.c */
void stream_get(struct request *);

#endif
