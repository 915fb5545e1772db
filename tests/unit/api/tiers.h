/*
 * tiers: hot, warm and archive as ports of readings in memory, for tests of
 * src/api: what each holds, how it cuts it into chunks, and how it fails.
 * Series 1 is N1/flow, 2 N1/level, 3 N2/level, all in zone Z1.
 *
 * Runs on: tests. Frees: fake_done(). Errors: assert.
 */
#ifndef TESTS_UNIT_API_TIERS_H
#define TESTS_UNIT_API_TIERS_H

#include "api/fake.h"
#include "core/instant.h"
#include "core/range_port.h"
#include "domain/reading.h"

#define T1	  "2026-11-18T11:00:00Z"
#define T1_US	  INT64_C(1794999600000000) /* within two days before now */
#define T0	  "2026-01-01T00:00:00Z"
#define T0_US	  INT64_C(1767225600000000)
#define TIER_MOST 6000

enum { HOT, WARM, COLD, TIERS };

struct tier {
	struct reading readings[TIER_MOST];
	size_t n, step;	  /* readings in a chunk, 0: all */
	enum err refuses; /* read() itself */
	enum err fails;	  /* the answer, from chunk `fails_at` on */
	size_t fails_at, reads;
	struct range asked;
};

extern struct tier tiers[TIERS];
extern int64_t cold_from_us, cold_to_us; /* only the archive has these */

/* The fake world, with the warm tier alone. */
void tiers_init(void);
void tiers_with(int tier);
/* n readings of values 0, 1, 2, …, a second apart, each other one suspect. */
void tiers_fill(int tier, int32_t series, int64_t from_us, size_t n);
void tiers_put(int32_t id, const char *node, const char *metric);
/* GET as a viewer; accept NULL: none. */
struct fake_call get(const char *path, const char *accept);
void expect(const char *path, int status, const char *body);

#define Q     "/api/v1/readings?node=N1&metric=flow"
#define SPAN  "&from=" T1 "&to=2026-11-18T12:00:00Z"
#define FLOW  "{\"node\":\"N1\",\"metric\":\"flow\",\"unit\":\"m\","
#define LEVEL "{\"node\":\"N1\",\"metric\":\"level\",\"unit\":\"m\","
#define ITEM0                                           \
	"{\"ts\":\"2026-11-18T11:00:00Z\",\"value\":0," \
	"\"quality\":\"good\","                         \
	"\"received_at\":\"2026-11-18T11:00:00.001000Z\"}"
#define ITEM1                                           \
	"{\"ts\":\"2026-11-18T11:00:01Z\",\"value\":1," \
	"\"quality\":\"suspect\","                      \
	"\"received_at\":\"2026-11-18T11:00:01.001000Z\"}"

#endif
