#include "usual.h"

#include <criterion/criterion.h>
#include <math.h>

struct twin *t;
struct ports ports;
struct loop_ctx ctx;
struct loop_figures figures;
struct err_info info;
struct series series[SERIES];
static uint64_t noise;

void
begin(void)
{
	loop_init(&ctx);
	ctx.unusual.a_week = 1;
}

void
start(void)
{
	size_t i;

	noise = 7;
	t = twin_new(T0, 1);
	twin_ports(t, &ports);
	begin();
	for (i = 0; i < SERIES; i++)
		series[i] = (struct series){
		    .id = 5 + (int32_t)i,
		    .node = "N",
		    .node_type = "dma",
		    .zone = "",
		    .metric = "flow",
		    .unit = "m3/h",
		    .max_rate_per_min = NAN,
		};
	t->knowledge.series = series;
	t->knowledge.nseries = SERIES;
}

void
stop(void)
{
	cr_expect_str_eq(t->violation, "");
	loop_done(&ctx);
	twin_free(t);
}

double
random_part(void)
{
	noise = noise * 6364136223846793005u + 1442695040888963407u;
	return ((double)(noise >> 40) / (1 << 24) - 0.5);
}

double
usual(int64_t t_us)
{
	double day = (double)(t_us % US_PER_DAY) / (double)US_PER_DAY;

	return (50 - 20 * cos(2 * M_PI * day) + 4 * random_part());
}

void
hear(int32_t id, double value)
{
	struct reading r = {id, QUALITY_GOOD, value, t->now_us, t->now_us};

	twin_log(t, &r, 1);
}

enum err
cycle(void)
{
	err_clear(&info);
	return (loop_cycle(&ctx, &ports, &figures, &info));
}

void
step(double more)
{
	size_t i;

	t->now_us += STEP;
	for (i = 0; i < SERIES; i++)
		hear(5 + (int32_t)i, usual(t->now_us) + (i == 1 ? more : 0));
	cr_assert_eq(cycle(), ERR_OK, "%s", info.detail);
}

void
steps(int n, double more)
{
	while (n-- > 0)
		step(more);
}

const struct twin_anomaly *
found(void)
{
	cr_assert_eq(t->nanomalies, 1, "%zu", t->nanomalies);
	return (&t->anomalies[0]);
}
