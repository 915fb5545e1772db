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

static int n = 1000;

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
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

static const char *const shapes[] = {
    [FORM_JSON] = "%s{\"node\":\"DMA-%04d\",\"metric\":\"flow\","
		  "\"ts\":\"2026-11-20T%02d:%02d:%02dZ\",\"value\":%.*g}",
    [FORM_CSV] = "%sDMA-%04d,flow,2026-11-20T%02d:%02d:%02dZ,%.*g",
    [FORM_NDJSON] = "%s{\"node\": \"DMA-%04d\", \"metric\": \"flow\", "
		    "\"ts\": \"2026-11-20T%02d:%02d:%02dZ\", \"value\": %.*g}",
};

static void
make_body(struct text *t, enum body_form form, int digits)
{
	int i;

	text_puts(t,
	    form == FORM_JSON	   ? "{\"readings\":["
		: form == FORM_CSV ? "node,metric,ts,value\n"
				   : "");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	for (i = 0; i < n; i++)
		text_printf(t, shapes[form],
		    i == 0		    ? ""
			: form == FORM_JSON ? ","
					    : "\n",
		    i % NODES, i / 3600 % 24, i / 60 % 60, i % 60, digits,
		    10 + (i * 7919 % 30000) / 997.0);
#pragma GCC diagnostic pop
	text_puts(t, form == FORM_JSON ? "]}" : "\n");
}

static void
report(const char *what, double took, double rounds, size_t len)
{
	printf("%-34s %7.1f MB/s %8.1f ns/reading (%.0f bytes each)\n", what,
	    (double)len * rounds / took / 1e6, took / rounds / n * 1e9,
	    (double)len / n);
}

static void
decode(const struct text *t, enum body_form form, int rounds, const char *what)
{
	struct decoder d;
	struct item item;
	struct err_info info;
	double sum = 0, from = seconds();
	bool more;
	int i;

	for (i = 0; i < rounds; i++) {
		decoder_init(&d, form, t->s, t->len, 1000000, &info);
		while (decoder_next(&d, &item, &more) == ERR_OK && more)
			sum += item.value;
		if (info.code != ERR_OK)
			printf("%s\n", info.detail);
	}
	report(what, seconds() - from, rounds, t->len);
	if (sum == 0)
		printf("nothing was read\n");
}

static void
batches(const struct text *t, enum body_form form, int rounds, const char *what)
{
	struct batch_input in = {.form = form,
	    .body = t->s,
	    .len = t->len,
	    .max = 1000000,
	    .registry = make_registry(),
	    .limits = {.now_us = INT64_C(1795200000) * US_PER_SECOND,
		.future_us = 5 * US_PER_MINUTE}};
	struct err_info info = {0};
	struct arena arena;
	struct batch b = {0};
	double from = seconds();
	bool more;
	int i;

	arena_init(&arena, 64u << 20);
	for (i = 0; i < rounds; i++) {
		arena_reset(&arena);
		if (batch_open(&b, &in, &arena, &info) != ERR_OK ||
		    batch_decode(&b, SIZE_MAX, &more, &info) != ERR_OK ||
		    b.n != (size_t)n)
			printf("%zu of %d: %s\n", b.n, n, info.detail);
	}
	report(what, seconds() - from, rounds, t->len);
	arena_done(&arena);
	registry_free((struct registry *)(uintptr_t)in.registry);
}

int
main(int argc, char **argv)
{
	static const char *const forms[] = {"json", "csv", "ndjson, blanks"};
	int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 2000;
	int digits, form;
	char what[60];
	struct text t;

	if (argc > 1)
		n = (int)strtol(argv[1], NULL, 10);
	for (form = FORM_JSON; form <= FORM_NDJSON; form++)
		for (digits = 5; digits <= 17; digits += 12) {
			text_init(&t, 1u << 30);
			make_body(&t, (enum body_form)form, digits);
			(void)snprintf(what, sizeof(what), "%s, %d digits",
			    forms[form], digits);
			decode(&t, (enum body_form)form, rounds, what);
			(void)snprintf(what, sizeof(what),
			    "%s, %d digits, normalised", forms[form], digits);
			batches(&t, (enum body_form)form, rounds, what);
			text_done(&t);
		}
	return (0);
}
