/*
 * unusual: how each series usually goes (model/watch.h), kept between cycles
 * and across restarts, and whether a reading is an anomaly for it.
 *
 * Runs on: C. Frees: unusual_done(). Units: canonical; µs UTC. Errors: those
 * of the port, ERR_NO_MEMORY.
 *
 * A state takes in every reading that is judged, once, in the order of event
 * time. What is stored of it is written in the unit of work that stores those
 * readings: a snapshot now and then, and each time the readings after it,
 * bits and all; so what is found again is what was there, to the byte. Four
 * kilobytes a series, of those alone that have had a reading.
 *
 * How many alarms a week are to be had by chance is said for the network, and
 * shared by its series. What is learnt for less than UNUSUAL_YOUNG_US raises
 * nothing; nor does a gap that is over, nor another pace
 * where no cadence was said, nor anything on a series that something else is
 * open on: a limit's evidence says what was expected. An anomaly ends after
 * UNUSUAL_CALM readings in a row that lie within twice the band; that a series
 * was unheard, for longer than its own waits let expect (model/silence.h), as it
 * is heard.
 */
#ifndef PENSTOCK_MAPE_UNUSUAL_H
#define PENSTOCK_MAPE_UNUSUAL_H

#include "core/instant.h"
#include "core/ports.h"
#include "domain/reading.h"
#include "domain/series_state.h"
#include "mape/agenda.h"
#include "model/verdict.h"
#include "model/watch.h"

#define UNUSUAL_TAIL	 32 /* readings after a snapshot, at most */
#define UNUSUAL_CALM	 24
#define UNUSUAL_YOUNG_US (14 * US_PER_DAY)
/* From this score on it is a warning: one in a milliard. */
#define UNUSUAL_WARNS 0.75
/* Of what is stored; bytes of another version are void. */
#define UNUSUAL_VERSION \
	(WATCH_VERSION << 16 | (int32_t)sizeof(struct unusual_state))

/* A value type without pointers. */
struct unusual_state {
	struct watch watch;
	int64_t first_us; /* the first reading that it took in */
	int64_t seen;	  /* readings */
};

/* What is open, or was last. */
struct unusual_open {
	bool is;
	enum direction direction;
	enum severity severity;
	enum watch_rule rule;
	int32_t calm;  /* readings in a row; of silence: as often of late */
	int32_t score; /* the highest, in ten-thousandths */
	int64_t since_us;
};

struct watched {
	int32_t series;
	bool changed;
	bool anew; /* nothing is stored that it goes on from */
	struct unusual_open open;
	struct unusual_state state;
	int64_t kept; /* state.seen at the snapshot */
	struct unusual_reading {
		int64_t t_us;
		double value;
	} tail[UNUSUAL_TAIL]; /* after it; of no meaning beyond its length */
};

struct unusual {
	double a_week;	    /* of the network; 0: nothing is judged */
	double share;	    /* of each series */
	struct watched **w; /* rising by series */
	size_t n;
	struct watched **moved; /* those that have changed; room for all */
	size_t nmoved;
	size_t void_states; /* of another version, since it was last set to 0 */
	int32_t swept;	    /* up to it nothing is kept of what is not judged */
	struct agenda unheard; /* when each can have been so for too long */
	bool listed;	       /* they are all in it */
};

struct unusual_left {
	const int32_t *ids; /* rising; NULL: no series is judged */
	size_t nids;
	struct {
		int32_t series;
		struct unusual_open open;
	} * of; /* if ids is NULL only what is open */
	size_t n;
};

void unusual_done(struct unusual *);
/* Shares the alarms among the series that are judged now. */
void unusual_share(struct unusual *, const struct knowledge *);
/* Whether readings of it are judged. */
bool unusual_judges(const struct unusual *, const struct series *);
/* All of `s` (rising by id) are there afterwards. */
enum err unusual_need(struct unusual *, const struct knowledge_port *,
    struct arena *, const struct series *const *s, size_t n, struct err_info *);
/* NULL if it was never asked for. */
struct watched *unusual_find(const struct unusual *, int32_t series);
/* Takes the reading in, if its quality is good; else false. */
bool unusual_look(struct unusual *, struct watched *, const struct reading *,
    struct watch_verdict *);
/* After the other rules have judged the same reading. w->open tells of what. To
 * raise is taken back if something else turns out to be open. */
enum verdict unusual_decide(struct watched *, const struct series *,
    const struct series_state *, const struct reading *,
    const struct watch_verdict *);
void unusual_withdraw(struct watched *);
/* How long it may be unheard; 0: that is not known, or people say it. */
int64_t unusual_silence(
    const struct unusual *, const struct series *, const struct series_state *);
/* Whether to tell that it was unheard for longer is for this. */
bool unusual_may_miss(const struct watched *, const struct series_state *);
/* It is told. */
void unusual_miss(struct unusual *, struct watched *, int64_t since_us);
/* It is so, or was last, again and again: its senders have other ways now. */
bool unusual_misses_often(const struct watched *);
/* It was heard. False: that it was not had not been told. */
bool unusual_heard(struct unusual *, struct watched *);
/* Whether the series is known well enough to say what was expected of it. */
bool unusual_knows(const struct watched *);
enum err unusual_save(struct unusual *, const struct knowledge_port *,
    struct arena *, struct err_info *);
/* Finds what is stored of series that are not judged any more. */
enum err unusual_left(const struct knowledge_port *, struct arena *,
    struct unusual_left *, struct err_info *);
/* Nothing is known of them from now on. */
enum err unusual_close(struct unusual *, const struct knowledge_port *,
    struct arena *, const struct unusual_left *, struct err_info *);

#endif
