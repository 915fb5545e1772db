/*
 * Speed of decoding and of a whole batch on one core; not a test.
 * Usage: bench_decode [readings per body [rounds]]
 */
#include "core/instant.h"
#include "ingest/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NODES 500

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec * 1e-9);
}

static struct registry *
make_registry(void)
{
	struct registry *r = registry_new();
	char code[32];
	int i;

	for (i = 0; i < NODES; i++) {
		(void)snprintf(code, sizeof(code), "DMA-%04d", i);
		registry_put_node(r, &(struct node_row){code, "Z1", false, 1});
		registry_put_series(r,
		    &(struct series_row){.id = i + 1,
			.node = code,
			.metric = "flow",
			.unit = "L/s",
			.canonical = "m3/h",
			.low = -1e6,
			.high = 1e6,
			.change = 1});
	}
	return (r);
}

static void
make_body(struct text *t, int n, int digits)
{
	char number[40];
	int i;

	text_puts(t, "{\"readings\":[");
	for (i = 0; i < n; i++) {
		(void)snprintf(number, sizeof(number), "%.*g", digits,
		    10 + (i * 7919 % 30000) / 997.0);
		text_printf(t,
		    "%s{\"node\":\"DMA-%04d\",\"metric\":\"flow\","
		    "\"ts\":\"2026-11-20T%02d:%02d:%02dZ\",\"value\":%s}",
		    i ? "," : "", i % NODES, i / 3600 % 24, i / 60 % 60, i % 60,
		    number);
	}
	text_puts(t, "]}");
}

static void
report(const char *what, double took, double rounds, int n, size_t len)
{
	printf("%-34s %7.1f MB/s %8.1f ns/reading (%.0f bytes each)\n", what,
	    (double)len * rounds / took / 1e6, took / rounds / n * 1e9,
	    (double)len / n);
}

static void
decode(const struct text *t, int n, int rounds, const char *what)
{
	struct json_readings d;
	struct json_reading item;
	struct err_info info;
	double sum = 0, from = seconds();
	bool more;
	int i;

	for (i = 0; i < rounds; i++) {
		json_readings_init(&d, t->s, t->len, 1000000, &info);
		while (json_readings_next(&d, &item, &more) == ERR_OK && more)
			sum += item.value;
		if (info.code != ERR_OK)
			printf("%s\n", info.detail);
	}
	report(what, seconds() - from, rounds, n, t->len);
	if (sum == 0)
		printf("nothing was read\n");
}

static void
batches(const struct text *t, int n, int rounds, const char *what)
{
	struct batch_input in = {.body = t->s,
	    .len = t->len,
	    .max = 1000000,
	    .registry = make_registry(),
	    .limits = {.now_us = INT64_C(1795200000) * US_PER_SECOND,
		.future_us = 5 * US_PER_MINUTE}};
	struct err_info info = {0};
	struct arena arena;
	struct batch b = {0};
	double from = seconds();
	int i;

	arena_init(&arena, 64u << 20);
	for (i = 0; i < rounds; i++) {
		arena_reset(&arena);
		if (batch_decode(&b, &in, &arena, &info) != ERR_OK ||
		    b.n != (size_t)n)
			printf("%zu of %d: %s\n", b.n, n, info.detail);
	}
	report(what, seconds() - from, rounds, n, t->len);
	arena_done(&arena);
	registry_free((struct registry *)(uintptr_t)in.registry);
}

int
main(int argc, char **argv)
{
	int n = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000;
	int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 2000;
	struct text five, seventeen;

	text_init(&five, 1u << 30);
	text_init(&seventeen, 1u << 30);
	make_body(&five, n, 5);
	make_body(&seventeen, n, 17);
	decode(&five, n, rounds, "decode, values of 5 digits");
	decode(&seventeen, n, rounds, "decode, values of 17 digits");
	batches(&five, n, rounds, "decode, look up, normalise");
	batches(&seventeen, n, rounds, "the same, values of 17 digits");
	text_done(&five);
	text_done(&seventeen);
	return (0);
}
