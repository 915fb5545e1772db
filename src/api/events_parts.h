/*
 * events_parts: what the files of events share.
 *
 * Runs on: L. Frees: see events.h. Units: ids of events; µs monotonic.
 */
#ifndef PENSTOCK_API_EVENTS_PARTS_H
#define PENSTOCK_API_EVENTS_PARTS_H

#include "api/api.h"
#include "api/events.h"

#include <sys/queue.h>

#define EVENTS_KEPT	 4096		   /* events, */
#define EVENTS_BYTES	 ((size_t)4 << 20) /* and bytes of them */
#define EVENTS_PAGE	 "100"		   /* rows asked for at once */
#define EVENTS_PAGE_ROWS 100
#define EVENTS_TURN	 64 /* listeners served before others' turn */
#define EVENTS_ZONES	 100
#define EVENTS_WORDS	 16
#define EVENTS_WORD_MAX	 48
#define EVENTS_NOWHERE	 (-1) /* a zone's id */

struct event {
	int64_t id;
	int32_t zone; /* or EVENTS_NOWHERE */
	int kind;     /* see events_kind() */
	char type[EVENTS_WORD_MAX];
	char *frame;
	size_t len;
};

/* What a listener hears; all zones, all types if there are none. */
struct events_filter {
	enum role role;
	int32_t *zones;
	size_t nzones;
	bool all_zones;
	char words[EVENTS_WORDS][EVENTS_WORD_MAX]; /* kinds and types */
	size_t nwords;
};

struct listener {
	TAILQ_ENTRY(listener) list;
	struct events *feed;
	struct request *r;
	struct events_filter filter;
	int64_t newest;	  /* when he began */
	int64_t at;	  /* he has heard all up to this one */
	uint64_t place;	  /* of his next one in what is kept, unless behind */
	int64_t wrote_us; /* last */
	bool behind;	  /* he is given pages from the database */
	bool asking;	  /* for one */
	bool thirsty;	  /* he can take more */
	bool greeted;
	bool resumes; /* he said where */
	bool follows; /* beyond `newest` */
	bool gone;
};

TAILQ_HEAD(listeners, listener);

struct events {
	struct api *api;
	struct events_config config;
	/* Events number first to next - 1, in a ring; base is the id behind
	 * which they are all there are, up to tail. */
	struct event ring[EVENTS_KEPT];
	uint64_t first, next;
	size_t bytes;
	int64_t base, tail;
	bool open;   /* base and tail are known: somebody listens */
	bool asking; /* the database for what follows tail */
	bool again;  /* and once more after that */
	struct listeners listeners;
	size_t nlisteners;
	struct listener *turn; /* who is served next in this round, or NULL */
	bool once_more;	       /* a round after this one */
	struct loop_timer *round, *tick;
};

/* events_filter.c. A kind's number, -1: unknown, then admins alone hear it. */
int events_kind(const char *name, size_t len);
/* Words with commas. False: *ret_word is not one. */
bool events_filter_types(
    struct events_filter *, const char *list, const char **ret_word);
/* Numbers with commas, NULL: all. False: no memory. */
bool
events_filter_zones(struct events_filter *, struct arena *, const char *list);
bool events_filter_fits(const struct events_filter *, const struct event *);

/* events_feed.c. One row of events_after; the frame is malloc'd. */
bool events_read(const struct rows *, int row, struct event *ret);
/* The id up to which events are gone. */
int64_t events_pruned(const struct rows *);
/* The first listener has come, or the last one has left. */
void events_open(struct events *, int64_t newest);
void events_close(struct events *);
void events_ask(struct events *);
/* The number of the first one that is kept behind that id. */
uint64_t events_place(const struct events *, int64_t id);
static inline struct event *
events_at(struct events *e, uint64_t place)
{
	return (&e->ring[place % EVENTS_KEPT]);
}

/* events.c. What is kept has grown, or changed. */
void events_serve(struct events *);

#endif
