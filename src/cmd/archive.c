/*
 * penstock-archive: closed months of readings to Avro files in a folder or an
 * S3 bucket, and back. Started by a person or a timer, or at work every night;
 * the service only reads what it wrote, so that whoever gets into it cannot
 * write there.
 */
#include "cmd/database.h"
#include "cmd/tool.h"
#include "core/instant.h"
#include "store/cold_archive.h"

#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRACE_S	 "10"
#define AT_S	 (2 * 3600 + 30 * 60) /* nightly, unless told otherwise */
#define AGAIN_US US_PER_HOUR
#define STEP_MS	 30000

struct options {
	const char *database;
	struct archiver_choice choice;
	int64_t grace_s, at_s; /* of the day, UTC */
};

static enum err nightly_run(
    struct archiver *, const struct archiver_choice *, struct err_info *);

static const struct verb {
	const char *name;
	enum err (*run)(struct archiver *, const struct archiver_choice *,
	    struct err_info *);
	bool span; /* needs --from and --to */
} verbs[] = {
    {"run", archiver_run, false},
    {"drop", archiver_drop, false},
    {"list", archiver_list, false},
    {"verify", archiver_verify, false},
    {"restore", archiver_restore, true},
    {"nightly", nightly_run, false},
};

static int
usage(void)
{
	fputs("usage: penstock-archive run [--before T] [--class C] [--keep]\n"
	      "       penstock-archive drop|list|verify [--from T] [--to T] "
	      "[--class C]\n"
	      "       penstock-archive restore --from T --to T [--class C]\n"
	      "       penstock-archive nightly [--at HH:MM]\n"
	      "run takes the months that are older than their class is kept "
	      "or, with --before,\nthat end before T: writes, reads back, "
	      "compares, waits --grace seconds (" GRACE_S ")\nfor the workers "
	      "to hear of it, and drops. --keep: stop before that, for drop.\n"
	      "restore takes every archived month that touches the span.\n"
	      "nightly stays, and does a run every day at that time (02:30 "
	      "UTC), or as soon as\nit can if that was missed; a run that "
	      "failed it tries again an hour later, then after two.\n"
	      "T: 2026-11-20 or 2026-11-20T00:00:00Z, UTC. --database CONNINFO "
	      "or\nPENSTOCK_ARCHIVE_URL, or else PENSTOCK_DATABASE_URL; the "
	      "store "
	      "by PENSTOCK_ARCHIVE_DIR or\nPENSTOCK_S3_*.\n",
	    stderr);
	return (TOOL_USAGE);
}

static bool
take_time(const char *option, const char *text, int64_t *ret)
{
	char whole[64];

	(void)snprintf(whole, sizeof(whole), "%s%s", text,
	    strlen(text) == 10 ? "T00:00:00Z" : "");
	if (instant_parse(whole, strlen(whole), ret))
		return (true);
	tool_error("%s must be a date or a time, not \"%s\"", option, text);
	return (false);
}

static bool
take_clock(const char *option, const char *text, int64_t *ret_s)
{
	int h, m, n = 0;

	if (sscanf(text, "%2d:%2d%n", &h, &m, &n) == 2 && text[n] == '\0' &&
	    h >= 0 && h < 24 && m >= 0 && m < 60) {
		*ret_s = h * 3600 + m * 60;
		return (true);
	}
	tool_error("%s must be a time of day, not \"%s\"", option, text);
	return (false);
}

static bool
take_option(struct options *o, int c, const char *value)
{
	switch (c) {
	case 'd':
		o->database = value;
		return (true);
	case 'c':
		o->choice.class = value;
		return (true);
	case 'f':
		return (take_time("--from", value, &o->choice.from_us));
	case 't':
		return (take_time("--to", value, &o->choice.to_us));
	case 'b':
		return (take_time("--before", value, &o->choice.to_us));
	case 'a':
		return (take_clock("--at", value, &o->at_s));
	case 'k':
		o->choice.keep = true;
		return (true);
	case 'g':
		return (tool_number("--grace", value, 0, 3600, &o->grace_s));
	default:
		return (false);
	}
}

/* The setting, or what the file named by it with _FILE behind holds. */
static const char *
setting(const char *name, char *buf, size_t size)
{
	char file[64];
	const char *value = getenv(name);

	if (value != NULL && value[0] != '\0')
		return (value);
	(void)snprintf(file, sizeof(file), "%s_FILE", name);
	if ((value = getenv(file)) == NULL || value[0] == '\0')
		return (NULL);
	return (tool_secret(value, buf, size) ? buf : NULL);
}

static bool
take_depot(struct depot *d)
{
	static char secrets[6][512];
	const char *const names[] = {"PENSTOCK_ARCHIVE_DIR",
	    "PENSTOCK_S3_ENDPOINT", "PENSTOCK_S3_BUCKET", "PENSTOCK_S3_REGION",
	    "PENSTOCK_S3_ACCESS_KEY", "PENSTOCK_S3_SECRET_KEY"};
	const char *v[6], *ca = getenv("PENSTOCK_S3_CA");
	int i;

	for (i = 0; i < 6; i++)
		v[i] = setting(names[i], secrets[i], sizeof(secrets[i]));
	*d = (struct depot){.dir = v[0],
	    .s3 = {.endpoint = v[1],
		.bucket = v[2],
		.region = v[3] != NULL ? v[3] : "us-east-1",
		.access_key = v[4],
		.secret_key = v[5],
		.ca_path = ca != NULL && ca[0] != '\0' ? ca : NULL}};
	if (v[0] != NULL)
		return (true);
	for (i = 1; i < 6; i++) {
		if (v[i] != NULL || i == 3)
			continue;
		tool_error("set PENSTOCK_ARCHIVE_DIR, or %s with the other "
			   "PENSTOCK_S3_*",
		    names[i]);
		return (false);
	}
	return (true);
}

static void
tell(const char *line)
{
	tool_log("%s", line);
}

/* from_us: the moment since which a run may have been already. */
static enum err
nightly_run(
    struct archiver *a, const struct archiver_choice *c, struct err_info *info)
{
	const struct archiver_choice all = {
	    .from_us = INSTANT_NONE, .to_us = INSTANT_NONE};
	bool ran = false;
	enum err e = archiver_ran(a, c->from_us, &ran, info);

	return (e != ERR_OK || ran ? e : archiver_run(a, &all, info));
}

static enum err
once(const struct archiver_config *config, const struct verb *verb,
    const struct archiver_choice *choice)
{
	struct err_info info = {0};
	struct archiver *a = NULL;
	enum err e = archiver_new(config, &a, &info);

	if (e == ERR_OK)
		e = verb->run(a, choice, &info);
	archiver_free(a);
	if (e != ERR_OK)
		tool_error("%s", info.detail);
	return (e);
}

/* By the clock, which may be set meanwhile. */
static void
sleep_until(int64_t t_us)
{
	int64_t left;

	while ((left = (t_us - tool_now_us()) / 1000) > 0 &&
	    tool_sleep_ms(left < STEP_MS ? left + 1 : STEP_MS))
		;
}

/* Beside others that do the same: one archiver works at a time, and who comes
 * second finds that the run has been. What fails is tried again ever more
 * seldom: it may pack for hours each time. */
static void
nightly(
    const struct archiver_config *config, const struct verb *verb, int64_t at_s)
{
	const int64_t at_us = at_s * US_PER_SECOND;
	struct archiver_choice since = {0};
	int64_t next, again_us = AGAIN_US, now;

	while (!tool_stopping()) {
		since.from_us =
		    instant_floor(tool_now_us() - at_us, US_PER_DAY) + at_us;
		next = since.from_us + US_PER_DAY;
		if (once(config, verb, &since) == ERR_OK)
			again_us = AGAIN_US;
		else {
			now = tool_now_us();
			next = next < now + again_us ? next : now + again_us;
			again_us *= again_us < US_PER_DAY ? 2 : 1;
		}
		sleep_until(next);
	}
}

static int
archive(const struct verb *verb, const struct options *o)
{
	struct depot depot;
	struct archiver_config config = {.depot = &depot,
	    .grace_ms = o->grace_s * 1000,
	    .tell = tell,
	    .stopping = tool_stopping};
	char *conninfo;
	enum err e = ERR_OK;

	if (!take_depot(&depot) ||
	    (conninfo = database_conninfo(
		 o->database, "PENSTOCK_ARCHIVE_URL")) == NULL)
		return (TOOL_USAGE);
	config.conninfo = conninfo;
	if (verb->run == nightly_run)
		nightly(&config, verb, o->at_s);
	else
		e = once(&config, verb, &o->choice);
	free(conninfo);
	return (e == ERR_OK ? TOOL_OK : TOOL_FAILED);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"database", required_argument, NULL, 'd'},
	    {"class", required_argument, NULL, 'c'},
	    {"from", required_argument, NULL, 'f'},
	    {"to", required_argument, NULL, 't'},
	    {"before", required_argument, NULL, 'b'},
	    {"grace", required_argument, NULL, 'g'},
	    {"at", required_argument, NULL, 'a'},
	    {"keep", no_argument, NULL, 'k'}, {NULL, 0, NULL, 0}};
	struct options o = {
	    .choice = {.from_us = INSTANT_NONE, .to_us = INSTANT_NONE},
	    .grace_s = strtoll(GRACE_S, NULL, 10),
	    .at_s = AT_S};
	const struct verb *verb = NULL;
	size_t i;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!take_option(&o, c, optarg))
			return (usage());
	for (i = 0; optind == argc - 1 && i < sizeof(verbs) / sizeof(*verbs);
	     i++)
		if (strcmp(argv[optind], verbs[i].name) == 0)
			verb = &verbs[i];
	if (verb == NULL ||
	    (verb->span &&
		(o.choice.from_us == INSTANT_NONE ||
		    o.choice.to_us == INSTANT_NONE)))
		return (usage());
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
		tool_error("libcurl does not start");
		return (TOOL_FAILED);
	}
	tool_catch_signals();
	c = archive(verb, &o);
	curl_global_cleanup();
	return (c);
}
