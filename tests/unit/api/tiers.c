#include "api/tiers.h"

#include "ingest/registry.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct tier tiers[TIERS];
int64_t cold_from_us, cold_to_us;

struct job {
	struct tier *tier;
	struct range range;
	range_cb *cb;
	void *arg;
};

static void
nothing(void *arg)
{
	(void)arg;
}

static void
deliver(void *arg)
{
	struct job *j = arg;
	struct tier *t = j->tier;
	struct reading out[TIER_MOST];
	struct range_part part = {out, 0, j->range.to_us};
	struct err_info info = {.code = ERR_OK};

	if (t->fails != ERR_OK && t->reads > t->fails_at)
		(void)err_set(&info, t->fails, NULL, "failed");
	for (size_t i = 0; i < t->n; i++) {
		const struct reading *r = &t->readings[i];

		if (r->series != j->range.series ||
		    r->t_us < j->range.from_us || r->t_us >= j->range.to_us)
			continue;
		if (t->step > 0 && part.n == t->step) {
			part.complete_to_us = r->t_us;
			break;
		}
		out[part.n++] = *r;
	}
	j->cb(j->arg, &part, &info);
	free(j);
}

static enum err
read_tier(void *self, const struct range *range, range_cb *cb, void *arg,
    struct err_info *info)
{
	struct tier *t = self;
	struct job *j;

	t->asked = *range;
	t->reads++;
	if (t->refuses != ERR_OK)
		return (err_set(info, t->refuses, NULL, "refused"));
	j = malloc(sizeof(*j));
	cr_assert_not_null(j);
	*j = (struct job){t, *range, cb, arg};
	return (fake.api.offload.run(NULL, nothing, deliver, j));
}

static bool
only_cold(void *self, int32_t series, int64_t t_us, int64_t *ret_end_us)
{
	bool only = t_us >= cold_from_us && t_us < cold_to_us;

	(void)self;
	(void)series;
	*ret_end_us = only	  ? cold_to_us
	    : t_us < cold_from_us ? cold_from_us
				  : INT64_MAX;
	return (only);
}

void
tiers_put(int32_t id, const char *node, const char *metric)
{
	struct node_row n = {.code = node, .zone = "Z1", .change = 1};
	struct series_row s = {.id = id,
	    .node = node,
	    .metric = metric,
	    .unit = "m",
	    .canonical = "m",
	    .kind = SERIES_INSTANT,
	    .change = id};

	cr_assert_eq(registry_put_node(fake.api.registry, &n), ERR_OK);
	cr_assert_eq(registry_put_series(fake.api.registry, &s), ERR_OK);
}

void
tiers_init(void)
{
	fake_init();
	memset(tiers, 0, sizeof(tiers));
	cold_from_us = cold_to_us = 0;
	tiers_put(1, "N1", "flow");
	tiers_put(2, "N1", "level");
	tiers_put(3, "N2", "level");
	fake.api.range_warm =
	    (struct range_port){.self = &tiers[WARM], .read = read_tier};
}

void
tiers_with(int tier)
{
	struct range_port port = {.self = &tiers[tier], .read = read_tier};

	if (tier == COLD) {
		port.only = only_cold;
		fake.api.range_cold = port;
	} else
		fake.api.range_hot = port;
}

/* n readings, a second apart. */
void
tiers_fill(int tier, int32_t series, int64_t from_us, size_t n)
{
	struct tier *t = &tiers[tier];

	for (size_t i = 0; i < n; i++) {
		int64_t at = from_us + (int64_t)i * US_PER_SECOND;

		cr_assert(t->n < TIER_MOST);
		t->readings[t->n++] = (struct reading){
		    series, (int16_t)(i % 2), (double)i, at, at + 1000};
	}
}

struct fake_call
get(const char *path, const char *accept)
{
	struct fake_call c;

	call_init(&c, METHOD_GET, path, NULL);
	call_header(&c, "Authorization", fake_bearer(ROLE_VIEWER));
	if (accept != NULL)
		call_header(&c, "Accept", accept);
	call_run(&c);
	return (c);
}

void
expect(const char *path, int status, const char *body)
{
	struct fake_call c = get(path, NULL);

	cr_expect_eq(c.status, status, "%s: %d", path, c.status);
	cr_expect_str_eq(c.body, body, "%s: %s", path, c.body);
	call_done(&c);
}
