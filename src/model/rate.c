#include "model/rate.h"

#include "core/instant.h"

double
rate_per_min(double x0, int64_t t0_us, double x1, int64_t t1_us)
{
	return ((x1 - x0) * (double)US_PER_MINUTE / (double)(t1_us - t0_us));
}

enum direction
rate_judge(double limit_per_min, double rate)
{
	if (rate > limit_per_min)
		return (DIRECTION_HIGH);
	if (rate < -limit_per_min)
		return (DIRECTION_LOW);
	return (DIRECTION_NONE);
}
