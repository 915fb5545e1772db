/*
 * probe: what /ready says of each dependency, kept fresh by a look at the
 * database every two seconds.
 *
 * Runs on: L, one per worker. Frees: probe_free().
 */
#ifndef PENSTOCK_APP_PROBE_H
#define PENSTOCK_APP_PROBE_H

#include "api/api.h"
#include "core/loop.h"

struct probe;
struct pg;
struct redis;
struct hot_port;
struct hot;
struct loader;
struct revoked;
struct log_writer;
struct trust;

struct probe_config {
	struct loop *loop;
	struct pg *pg;
	struct redis *redis;
	struct hot_port hot;
	const struct hot *hot_tier;
	struct loader *loader;
	struct revoked *revoked;
	struct log_writer *log_writer, *late_writer;
	const struct trust *trust;
	int64_t loop_period_ms;
	const char *zone; /* borrowed */
	bool archive;	  /* a place for one is set */
};

struct probe *probe_new(const struct probe_config *);
void probe_free(struct probe *);
size_t
probe_dependencies(const struct probe *, struct dependency *ret, size_t max);

#endif
