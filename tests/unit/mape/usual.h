/*
 * usual: three series behind the loop on the twin, with a district's day, and
 * what was found of them.
 *
 * Runs on: tests of mape/unusual.h. Frees: stop().
 */
#ifndef PENSTOCK_TESTS_UNIT_MAPE_USUAL_H
#define PENSTOCK_TESTS_UNIT_MAPE_USUAL_H

#include "core/instant.h"
#include "domain/anomaly.h"
#include "mape/loop.h"
#include "store/twin.h"

#define T0     (instant_from_civil(2026, 5, 1, 12 * US_PER_HOUR))
#define STEP   (15 * US_PER_MINUTE)
#define DAY    96 /* steps */
#define SERIES 3

extern struct twin *t;
extern struct ports ports;
extern struct loop_ctx ctx;
extern struct loop_figures figures;
extern struct err_info info;
extern struct series series[SERIES];

/* A context as it is after a start. */
void begin(void);
void start(void);
void stop(void);
/* From -0.5 to 0.5, the same in each test. */
double random_part(void);
/* What is measured at a time, with noise. */
double usual(int64_t t_us);
void hear(int32_t id, double value);
enum err cycle(void);
/* A reading of each series, with so much more on the second, and a cycle. */
void step(double more);
void steps(int n, double more);
/* The one anomaly there is. */
const struct twin_anomaly *found(void);

#endif
