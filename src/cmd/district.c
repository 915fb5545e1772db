/*
 * penstock-district: the demo. A small simulated water network that reports
 * to Penstock through the public API like any sensor, and plays the field
 * gateway that Penstock's commands go to. The water follows src/model/
 * district.h: what a command does to the readings is physics, not script.
 *
 * Three threads' work: main measures on the beat, one sends, the gateway's
 * answer. With --gateway-only there is no water, only the gateway, hostile
 * if asked; its log is JSON lines for tests to read.
 */
#include <jansson.h>

#include "cmd/client.h"
#include "cmd/district_outbox.h"
#include "cmd/district_setup.h"
#include "cmd/gateway.h"
#include "cmd/gateway_check.h"
#include "cmd/tool.h"
#include "core/instant.h"
#include "core/text.h"
#include "model/district.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEVER	 INT64_MAX
#define SEND_MAX 1000
#define SETUP_MS (INT64_C(3600) * 1000)

struct options {
	const char *secret_file, *url, *ca, *token_file, *key_file;
	int64_t gateway_port, cadence_ms, seed, slow_ms;
	int64_t after_s[DISTRICT_FAULT_COUNT]; /* NEVER: not at all */
	enum gateway_mode mode;
	bool gateway_only;
};

struct site {
	const struct options *o;
	pthread_mutex_t lock; /* of the water */
	struct district water;
	bool done[DISTRICT_FAULT_COUNT]; /* injected by the schedule */
	struct outbox outbox;
	struct client *client; /* the sender's own */
	char key[CLIENT_SECRET];
};

static const char *const fault_words[DISTRICT_FAULT_COUNT] = {
    [DISTRICT_BURST] = "burst",
    [DISTRICT_FROZEN] = "frozen",
    [DISTRICT_SILENCE] = "silence"};

/* --- the gateway's side ------------------------------------------------- */

static bool
on_execute(
    void *arg, const char *link, const char *action, char *why, size_t size)
{
	struct site *s = arg;
	bool open = strcmp(action, "open_valve") == 0, ok;

	if (!open && strcmp(action, "close_valve") != 0) {
		snprintf(why, size, "only open_valve and close_valve");
		return (false);
	}
	pthread_mutex_lock(&s->lock);
	ok = district_valve_set(&s->water, link, open);
	pthread_mutex_unlock(&s->lock);
	if (!ok)
		snprintf(why, size, "there is no such valve");
	return (ok);
}

static bool
on_inject(void *arg, const char *what, bool on)
{
	struct site *s = arg;
	int fault = district_fault_parse(what);

	if (fault == -1)
		return (false);
	pthread_mutex_lock(&s->lock);
	district_inject(&s->water, (enum district_fault)fault, on);
	pthread_mutex_unlock(&s->lock);
	tool_log("%s %s", what, on ? "injected" : "taken back");
	return (true);
}

static void
on_state(void *arg, struct text *t)
{
	struct site *s = arg;
	int i;

	pthread_mutex_lock(&s->lock);
	json_bool(t, "valve_open", s->water.west_open);
	json_double(t, "tank_level_m", s->water.tank_level_m);
	json_double(t, "burst_m3h", s->water.burst_m3h);
	json_object(t, "faults");
	for (i = 0; i < DISTRICT_FAULT_COUNT; i++)
		json_bool(t, fault_words[i], s->water.faults[i]);
	json_object_end(t);
	pthread_mutex_unlock(&s->lock);
	json_int(t, "waiting", (int64_t)outbox_waiting(&s->outbox));
}

static void
on_received(void *arg, const char *key, const char *link, const char *action,
    const char *outcome, bool repeat, uint64_t executions)
{
	(void)arg, (void)executions;
	tool_log("command %s %s (key %s): %s%s", action, link, key, outcome,
	    repeat ? ", answered before" : "");
}

/* --- the sensors' side -------------------------------------------------- */

static void
inject_due(struct site *s, int64_t age_s)
{
	int i;

	for (i = 0; i < DISTRICT_FAULT_COUNT; i++)
		if (!s->done[i] && age_s >= s->o->after_s[i]) {
			s->done[i] = true;
			on_inject(s, fault_words[i], true);
		}
}

static void
measure(struct site *s, int64_t t_us)
{
	double values[DISTRICT_SERIES];
	size_t i;

	pthread_mutex_lock(&s->lock);
	district_step(&s->water, t_us);
	for (i = 0; i < DISTRICT_SERIES; i++)
		values[i] = district_read(&s->water, i);
	pthread_mutex_unlock(&s->lock);
	for (i = 0; i < DISTRICT_SERIES; i++)
		if (!isnan(values[i]))
			outbox_put(&s->outbox,
			    &(struct outbox_reading){t_us, values[i], i});
}

static void
measure_all(struct site *s)
{
	int64_t cadence = s->o->cadence_ms * 1000, start = tool_now_us(), t;

	t = instant_floor(start, cadence) + cadence;
	while (tool_sleep_ms((t - tool_now_us()) / 1000 + 1)) {
		inject_due(s, (tool_now_us() - start) / US_PER_SECOND);
		measure(s, t);
		/* After a stand-still the missed beats stay missed. */
		t = instant_floor(tool_now_us(), cadence) + cadence;
	}
}

/* What is rejected is told and not sent again: it would be rejected again. */
static void
take_answer(const struct client_reply *r)
{
	json_t *doc = json_loadb(r->body, r->len, 0, NULL), *item;
	json_int_t rejected;
	const char *reason, *detail;

	rejected = json_integer_value(json_object_get(doc, "rejected"));
	if (rejected > 0) {
		item = json_array_get(json_object_get(doc, "items"), 0);
		reason = json_string_value(json_object_get(item, "reason"));
		detail = json_string_value(json_object_get(item, "detail"));
		tool_log("%lld readings rejected, the first: %s %s",
		    (long long)rejected, reason == NULL ? "?" : reason,
		    detail == NULL ? "" : detail);
	}
	json_decref(doc);
}

/* False: wait before the next try. */
static bool
send_some(struct site *s, struct text *t, bool *failing)
{
	struct client_reply r;
	uint64_t behind;
	char buf[400];

	text_reset(t);
	if (outbox_write(&s->outbox, SEND_MAX, t, &behind) == 0)
		return (false);
	client_call(
	    s->client, "POST", "/api/v1/readings", s->key, t->s, t->len, &r);
	if (r.status == 200) {
		if (*failing)
			tool_log("readings are taken again");
		*failing = false;
		outbox_drop(&s->outbox, behind);
		take_answer(&r);
		return (true);
	}
	if (!*failing && !tool_stopping())
		tool_log("readings are kept back: %s",
		    client_reason(&r, buf, sizeof(buf)));
	*failing = true;
	return (false);
}

static void *
send_all(void *arg)
{
	struct site *s = arg;
	bool failing = false;
	uint64_t lost;
	struct text t;

	text_init(&t, 1024 * 1024);
	while (!tool_stopping()) {
		if (!send_some(s, &t, &failing))
			tool_sleep_ms(failing ? 1000 : 100);
		if ((lost = outbox_lost(&s->outbox)) > 0)
			tool_log("%llu of the oldest readings lost",
			    (unsigned long long)lost);
	}
	text_done(&t);
	return (NULL);
}

static bool
set_up(const struct options *o, struct gateway *gateway)
{
	char secret[GATEWAY_SECRET_MAX], token[CLIENT_SECRET];
	struct ensure e = {.token = token, .patience_ms = SETUP_MS};
	bool ok;

	if (!tool_secret(o->token_file, token, sizeof(token)))
		return (false);
	e.client = client_new(&(struct client_config){o->url, o->ca, 10000});
	if (e.client == NULL)
		return (false);
	ok = district_setup(
		 &e, (double)o->cadence_ms / 1000, (int)o->gateway_port) &&
	    district_secret(&e, secret);
	if (ok && secret[0] != '\0')
		gateway_trust(gateway, secret);
	explicit_bzero(secret, sizeof(secret));
	client_free(e.client);
	explicit_bzero(token, sizeof(token));
	return (ok);
}

static bool
work(struct site *s, struct gateway *gateway)
{
	pthread_t sender;

	if (!set_up(s->o, gateway))
		return (tool_stopping());
	tool_log("the district is known to %s; %d series every %lld ms",
	    s->o->url, DISTRICT_SERIES, (long long)s->o->cadence_ms);
	if (pthread_create(&sender, NULL, send_all, s) != 0) {
		tool_error("cannot start a thread");
		return (false);
	}
	measure_all(s);
	pthread_join(sender, NULL);
	return (true);
}

static bool
run_district(const struct options *o)
{
	struct gateway *gateway = NULL;
	struct site s = {.o = o};
	bool ok;

	if (!tool_secret(o->key_file, s.key, sizeof(s.key)))
		return (false);
	s.client = client_new(&(struct client_config){o->url, o->ca, 10000});
	pthread_mutex_init(&s.lock, NULL);
	district_init(
	    &s.water, (uint64_t)o->seed, tool_now_us(), o->cadence_ms * 1000);
	ok = outbox_init(&s.outbox) && s.client != NULL &&
	    (gateway = gateway_new(
		 &(struct gateway_config){.port = (int)o->gateway_port,
		     .mode = o->mode,
		     .slow_ms = o->slow_ms,
		     .arg = &s,
		     .execute = on_execute,
		     .inject = on_inject,
		     .state = on_state,
		     .received = on_received})) != NULL &&
	    work(&s, gateway);
	gateway_free(gateway);
	client_free(s.client);
	outbox_done(&s.outbox);
	pthread_mutex_destroy(&s.lock);
	return (ok);
}

/* --- the gateway alone -------------------------------------------------- */

static bool
execute_nothing(
    void *arg, const char *link, const char *action, char *why, size_t size)
{
	(void)arg, (void)link, (void)action, (void)why, (void)size;
	return (true);
}

static void
print_received(void *arg, const char *key, const char *link, const char *action,
    const char *outcome, bool repeat, uint64_t executions)
{
	char buf[1024];
	struct text t;

	(void)arg;
	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_string(&t, "event", "command");
	json_instant(&t, "at", tool_now_us());
	json_string(&t, "key", key);
	json_string(&t, "link", link);
	json_string(&t, "action", action);
	json_string(&t, "outcome", outcome);
	json_bool(&t, "repeat", repeat);
	json_int(&t, "executions", (int64_t)executions);
	json_object_end(&t);
	puts(text_ok(&t) ? buf : "{\"event\":\"command\"}");
	fflush(stdout);
}

static bool
run_gateway(const struct options *o)
{
	char secret[GATEWAY_SECRET_MAX] = "";
	struct gateway *g;

	if (o->secret_file != NULL &&
	    !tool_secret(o->secret_file, secret, sizeof(secret)))
		return (false);
	g = gateway_new(&(struct gateway_config){.port = (int)o->gateway_port,
	    .mode = o->mode,
	    .secret = o->secret_file != NULL ? secret : NULL,
	    .slow_ms = o->slow_ms,
	    .execute = execute_nothing,
	    .received = print_received});
	if (g == NULL)
		return (false);
	printf("{\"event\":\"listening\",\"port\":%lld}\n",
	    (long long)o->gateway_port);
	fflush(stdout);
	while (tool_sleep_ms(1000))
		;
	gateway_free(g);
	return (true);
}

/* --- options ------------------------------------------------------------ */

static const char usage_text[] =
    "usage: penstock-district --token-file FILE --key-file FILE [options]\n"
    "       penstock-district --gateway-only [--mode MODE] [options]\n"
    "  --url URL          default https://127.0.0.1:8443\n"
    "  --ca FILE          certificates to trust\n"
    "  --token-file FILE  bearer token of an admin, to make what is missing\n"
    "  --key-file FILE    device key, to send readings\n"
    "  --gateway-port N   on 127.0.0.1, default 8444\n"
    "  --cadence-ms N     between readings, default 5000\n"
    "  --seed N           of the noise, default 1\n"
    "  --burst-after S    seconds, or never; default 60\n"
    "  --freeze-after S   default 120\n"
    "  --silence-after S  default 150\n"
    "  --mode MODE        of the gateway: ok, slow, silent, 500,\n"
    "                     drop-after-accept, twice, accepts, lies, half,\n"
    "                     huge, redirect; default ok\n"
    "  --secret-file FILE with --gateway-only: its secret; what is not signed\n"
    "                     by it is refused\n"
    "  --slow-ms N        of mode slow, default 5000\n"
    "POST /inject {\"what\": \"burst\"|\"frozen\"|\"silence\", \"on\": true|"
    "false}\non the gateway's port injects and takes back; GET /state looks.\n";

static bool
seconds(const char *option, const char *text, int64_t *ret)
{
	if (strcmp(text, "never") == 0) {
		*ret = NEVER;
		return (true);
	}
	return (tool_number(option, text, 0, 86400 * 365, ret));
}

static bool
mode(const char *text, enum gateway_mode *ret)
{
	int m = gateway_mode_parse(text);

	if (m == -1) {
		tool_error("there is no gateway mode \"%s\"", text);
		return (false);
	}
	*ret = (enum gateway_mode)m;
	return (true);
}

static bool
set_option(struct options *o, int c)
{
	switch (c) {
	case 'u':
		o->url = optarg;
		return (true);
	case 'c':
		o->ca = optarg;
		return (true);
	case 't':
		o->token_file = optarg;
		return (true);
	case 'k':
		o->key_file = optarg;
		return (true);
	case 'g':
		return (tool_number(
		    "--gateway-port", optarg, 1, 65535, &o->gateway_port));
	case 'e':
		return (tool_number(
		    "--cadence-ms", optarg, 100, 3600000, &o->cadence_ms));
	case 'r':
		return (tool_number("--seed", optarg, 1, INT64_MAX, &o->seed));
	case 'l':
		return (
		    tool_number("--slow-ms", optarg, 0, 3600000, &o->slow_ms));
	case 'B':
		return (seconds(
		    "--burst-after", optarg, &o->after_s[DISTRICT_BURST]));
	case 'F':
		return (seconds(
		    "--freeze-after", optarg, &o->after_s[DISTRICT_FROZEN]));
	case 'S':
		return (seconds(
		    "--silence-after", optarg, &o->after_s[DISTRICT_SILENCE]));
	case 'm':
		return (mode(optarg, &o->mode));
	case 's':
		o->secret_file = optarg;
		return (true);
	case 'G':
		o->gateway_only = true;
		return (true);
	}
	fputs(usage_text, c == 'h' ? stdout : stderr);
	exit(c == 'h' ? TOOL_OK : TOOL_USAGE);
}

int
main(int argc, char **argv)
{
#define WORD(name, c)                            \
	{                                        \
		name, required_argument, NULL, c \
	}
	static const struct option table[] = {WORD("url", 'u'), WORD("ca", 'c'),
	    WORD("token-file", 't'), WORD("key-file", 'k'),
	    WORD("gateway-port", 'g'), WORD("cadence-ms", 'e'),
	    WORD("seed", 'r'), WORD("slow-ms", 'l'), WORD("burst-after", 'B'),
	    WORD("freeze-after", 'F'), WORD("silence-after", 'S'),
	    WORD("mode", 'm'), WORD("secret-file", 's'),
	    {"gateway-only", no_argument, NULL, 'G'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct options o = {.url = "https://127.0.0.1:8443",
	    .gateway_port = 8444,
	    .cadence_ms = 5000,
	    .seed = 1,
	    .slow_ms = 5000,
	    .after_s = {[DISTRICT_BURST] = 60,
		[DISTRICT_FROZEN] = 120,
		[DISTRICT_SILENCE] = 150}};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1)
		if (!set_option(&o, c))
			return (TOOL_USAGE);
	if (optind != argc ||
	    (!o.gateway_only && (o.token_file == NULL || o.key_file == NULL))) {
		fputs(usage_text, stderr);
		return (TOOL_USAGE);
	}
	tool_catch_signals();
	return ((o.gateway_only ? run_gateway(&o) : run_district(&o))
		? TOOL_OK
		: TOOL_FAILED);
}
