/*
 * backtest: the loop over readings of the past, in memory, with the network
 * and plan templates of today; nobody approves anything. One at a time.
 *
 * Runs on: L; the work on a thread of the offload port. Frees:
 * backtester_free(), only when none is at work.
 */
#ifndef PENSTOCK_APP_BACKTEST_H
#define PENSTOCK_APP_BACKTEST_H

#include "api/api.h"
#include "core/backtest_port.h"

struct backtester;
struct knowledge;
struct arena;

/* NULL if memory is out. */
struct backtester *
backtester_new(const char *database_url, const struct offload_port *);
void backtester_free(struct backtester *);
struct backtest_port backtester_port(struct backtester *);
/* T. The work itself, with that knowledge, of which the arena may hold a part:
 * the same in, the same bytes out. */
enum err
backtest_run(struct backtest *, const struct knowledge *, struct arena *);

#endif
