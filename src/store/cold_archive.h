/*
 * cold_archive: closed partitions of segments to files, proven, then dropped;
 * and back again.
 *
 * Runs on: T: blocks on PostgreSQL and the depot for as long as it takes.
 * Frees: archiver_free(). Units: µs UTC. Errors: ERR_CONFLICT if another
 * archiver works on this database, ERR_ARCHIVE if the depot cannot answer,
 * ERR_INVALID if what was read back is not what was written: nothing was
 * dropped then. What is half done is found and done anew by the next run.
 */
#ifndef PENSTOCK_STORE_COLD_ARCHIVE_H
#define PENSTOCK_STORE_COLD_ARCHIVE_H

#include "core/err.h"
#include "store/cold_depot.h"

#include <stdbool.h>
#include <stdint.h>

struct archiver;

struct archiver_config {
	const char *conninfo;
	const struct depot *depot;
	/* Between the moment the files answer and the drop: the time in which
	 * every worker must have heard of it. */
	int64_t grace_ms;
	void (*tell)(const char *line);
	bool (*stopping)(void); /* a run ends early, with ERR_DRAINING */
};

/* Which archives; INSTANT_NONE and NULL leave that side open. */
struct archiver_choice {
	int64_t from_us, to_us;
	const char *class;
	bool keep; /* run: stop before the drop; the files answer already */
};

/* Connects and takes the archivers' lock. */
enum err archiver_new(
    const struct archiver_config *, struct archiver **ret, struct err_info *);
void archiver_free(struct archiver *);
/* What lies before to_us or, if that is INSTANT_NONE, what is older than its
 * class keeps it; from_us is not looked at. */
enum err archiver_run(
    struct archiver *, const struct archiver_choice *, struct err_info *);
/* Whether a run of all that was due has begun since then and ended well. */
enum err
archiver_ran(struct archiver *, int64_t since_us, bool *ret, struct err_info *);
/* Drops the partitions of archives that a run with `keep` has left. */
enum err archiver_drop(
    struct archiver *, const struct archiver_choice *, struct err_info *);
/* Reads every file of the archives and holds it against its SHA-256, its
 * manifest and the stored roll-ups. */
enum err archiver_verify(
    struct archiver *, const struct archiver_choice *, struct err_info *);
enum err archiver_restore(
    struct archiver *, const struct archiver_choice *, struct err_info *);
enum err archiver_list(
    struct archiver *, const struct archiver_choice *, struct err_info *);

#endif
