/*
 * imports_part: the work of one part of an import: read, sorted out, stored,
 * told of in the transaction that stores it.
 *
 * Runs on: T, one thread at a time, but for import_job_free() (C). Frees:
 * import_job_free(). Units: µs UTC, bytes. Errors: in job->info; nothing is
 * stored then that a second try of the same part would count twice.
 */
#ifndef PENSTOCK_API_IMPORTS_PART_H
#define PENSTOCK_API_IMPORTS_PART_H

#include "api/api.h"
#include "core/err.h"
#include "core/text.h"
#include "ingest/import_part.h"
#include "ingest/import_spans.h"

#define IMPORT_PART_MAX	  ((size_t)8 << 20) /* bytes, inflated */
#define IMPORT_ANSWER_MAX ((size_t)256 << 10)

struct import_job {
	const struct api *api;
	int64_t id;
	int number;	 /* of the part */
	const char *csv; /* borrowed while work runs */
	size_t len;
	/* Results. */
	struct err_info info;
	bool alarms;	    /* readings are for the log: then record() */
	bool again;	    /* done before: answer as it was */
	struct text answer; /* JSON */
	struct import_part part;
	/* The newest that was stored of each series. */
	struct reading *latest;
	size_t nlatest;
	bool unsure; /* whether a commit that failed took place */
	/* The worker's own. */
	char sha256[65]; /* hex */
	char *header;	 /* NULL: this part brings it */
	int64_t began_us;
	int64_t accepted, duplicates;
	struct import_spans spans; /* archived: taken no readings of */
	/* What an earlier try of this part stored, as far as. */
	int32_t covered_series;
	int64_t covered_us;
	struct import_known *known;
	struct reading *fresh; /* of one transaction */
	size_t nfresh;
};

/* All of it; or, with `alarms`, as far as part.readings are what is not stored
 * yet, and then record() when they are in the log, or info says why not. */
void import_job_work(struct import_job *);
void import_job_record(struct import_job *);
void import_job_free(struct import_job *);

#endif
