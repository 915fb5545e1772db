/* The gateway connector against gateways of all manners. */
#include "core/instant.h"
#include "domain/plan.h"
#include "field/answer.h"
#include "field/carrier.h"
#include "field/connector.h"
#include "support/gateway_fake.h"

#include <criterion/criterion.h>
#include <curl/curl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 300
#define WHOLE_MS   600
#define EXECUTED   "{\"status\":\"executed\"}"
#define SAYS(status, body)                             \
	"HTTP/1.1 " status "\r\nConnection: close\r\n" \
	"Content-Type: application/json\r\n\r\n" body

TestSuite(field, .timeout = 30);

static struct command
command(const char *url)
{
	return ((struct command){
	    .id = 12,
	    .plan_id = 3,
	    .link = "V\"1",
	    .gateway_url = url,
	    .action = "close_valve",
	    .argument = "{\"percent\": 100}",
	    .key = "6f1c1f0e-7f5a-4b0e-9d56-0f3f6f1f2a01",
	    .not_after_us = INT64_C(4102488000000000),
	});
}

static struct connector_config
settings(void)
{
	struct connector_config c = {
	    .timeout_ms = TIMEOUT_MS, .whole_ms = WHOLE_MS};
	struct err_info info = {0};

	cr_assert_eq(
	    address_rules_parse("127.0.0.0/8", &c.rules, &info), ERR_OK);
	return (c);
}

static struct gateway_reply
send_to(const char *url)
{
	struct connector_config config = settings();
	struct command c = command(url);
	struct gateway_reply r;

	connector_send(&config, &c, 1, &r);
	return (r);
}

/* Asked exactly once, whatever it does. */
static struct gateway_reply
once(enum gateway_mode mode, const char *answer)
{
	struct gateway_fake *g = gateway_fake_start(mode, answer);
	struct gateway_reply r;

	cr_assert_not_null(g);
	r = send_to(gateway_fake_url(g));
	cr_assert_eq(gateway_fake_requests(g), 1);
	gateway_fake_stop(g);
	return (r);
}

Test(field, sends_what_the_gateway_needs)
{
	struct gateway_fake *g =
	    gateway_fake_start(FAKE_ANSWER, SAYS("200 OK", EXECUTED));
	struct gateway_reply r = send_to(gateway_fake_url(g));
	const char *sent = gateway_fake_last(g);

	cr_assert_eq(r.outcome, GATEWAY_EXECUTED, "%s", r.detail);
	cr_assert_eq(r.http_status, 200);
	cr_assert_gt(r.took_us, 0);
	cr_assert_eq(strncmp(sent, "POST /commands HTTP/1.1\r\n", 25), 0);
	cr_assert_not_null(strstr(sent,
	    "\r\nIdempotency-Key: 6f1c1f0e-7f5a-4b0e-9d56-0f3f6f1f2a01\r\n"));
	cr_assert_str_eq(strstr(sent, "\r\n\r\n") + 4,
	    "{\"command\":12,\"link\":\"V\\\"1\",\"action\":\"close_valve\","
	    "\"argument\":{\"percent\": 100},\"plan\":3,\"idempotency_key\":"
	    "\"6f1c1f0e-7f5a-4b0e-9d56-0f3f6f1f2a01\",\"not_after\":"
	    "\"2100-01-01T12:00:00Z\"}");
	gateway_fake_stop(g);
}

Test(field, what_is_too_late_stays)
{
	struct gateway_fake *g =
	    gateway_fake_start(FAKE_ANSWER, SAYS("200 OK", EXECUTED));
	struct connector_config config = settings();
	struct command c = command(gateway_fake_url(g));
	struct gateway_reply r;

	c.not_after_us = US_PER_SECOND;
	connector_send(&config, &c, 1, &r);
	cr_assert_eq(r.outcome, GATEWAY_NOT_TAKEN);
	cr_assert_eq(gateway_fake_requests(g), 0);
	c.ask = true;
	connector_send(&config, &c, 1, &r);
	cr_assert_eq(gateway_fake_requests(g), 1, "%s", r.detail);
	gateway_fake_stop(g);
}

Test(field, judges_by_status_and_word)
{
	static const struct {
		const char *answer;
		enum gateway_outcome outcome;
	} cases[] = {
	    {SAYS("201 Created", "{\"a\":[1,{}],\"status\":\"executed\"}"),
		GATEWAY_EXECUTED},
	    {SAYS("409 Conflict", EXECUTED), GATEWAY_EXECUTED},
	    {SAYS("409 Conflict", "{}"), GATEWAY_NO_ANSWER},
	    {SAYS("202 Accepted", "{\"status\":\"accepted\"}"),
		GATEWAY_ACCEPTED},
	    {SAYS("200 OK", "{\"status\":\"failed\"}"), GATEWAY_REFUSED},
	    {SAYS("200 OK", "{\"status\":\"expired\"}"), GATEWAY_EXPIRED},
	    {SAYS("200 OK", "{\"status\":\"unknown\"}"), GATEWAY_NO_ANSWER},
	    {SAYS("200 OK",
		 "{\"idempotency_key\":\"another\",\"status\":"
		 "\"executed\"}"),
		GATEWAY_NO_ANSWER},
	    {SAYS("200 OK", "{\"status\":\"queued\"}"), GATEWAY_NO_ANSWER},
	    {SAYS("200 OK", "executed"), GATEWAY_NO_ANSWER},
	    {SAYS("200 OK", ""), GATEWAY_NO_ANSWER},
	    {SAYS("204 No Content", ""), GATEWAY_NO_ANSWER},
	    {SAYS("400 Bad Request", EXECUTED), GATEWAY_REFUSED},
	    {SAYS("404 Not Found", ""), GATEWAY_REFUSED},
	    {SAYS("408 Request Timeout", ""), GATEWAY_NO_ANSWER},
	    {SAYS("425 Too Early", ""), GATEWAY_NO_ANSWER},
	    {SAYS("429 Too Many Requests", ""), GATEWAY_NOT_TAKEN},
	    {SAYS("500 Oops", EXECUTED), GATEWAY_NO_ANSWER},
	    {SAYS("503 Busy", ""), GATEWAY_NO_ANSWER},
	    {"HTTP/1.1 302 Found\r\nLocation: /commands\r\nContent-Length: "
	     "0\r\n\r\n",
		GATEWAY_NO_ANSWER},
	    {"SSH-2.0-OpenSSH\r\n", GATEWAY_NO_ANSWER},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" EXECUTED,
		GATEWAY_NO_ANSWER},
	};
	struct gateway_reply r;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		r = once(FAKE_ANSWER, cases[i].answer);
		cr_assert_eq(
		    r.outcome, cases[i].outcome, "%zu: %s", i, r.detail);
	}
}

Test(field, answers_twice)
{
	struct gateway_reply r = once(FAKE_KEEP,
	    "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n" EXECUTED
	    "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");

	cr_assert_eq(r.outcome, GATEWAY_EXECUTED, "%s", r.detail);
}

Test(field, a_refusal_is_quoted_in_plain_text)
{
	struct gateway_reply r =
	    once(FAKE_ANSWER, SAYS("422 No", "no\xff\xfe\x01 water\"\n"));

	cr_assert_eq(r.outcome, GATEWAY_REFUSED);
	cr_assert_str_eq(r.detail, "status 422: no    water\" ");
}

Test(field, waits_no_longer_than_told)
{
	static const enum gateway_mode modes[] = {FAKE_SILENT, FAKE_TRICKLE};
	struct gateway_reply r;
	size_t i;

	for (i = 0; i < 2; i++) {
		r = once(modes[i], SAYS("200 OK", EXECUTED));
		cr_assert_eq(r.outcome, GATEWAY_NO_ANSWER);
		cr_assert_lt(r.took_us, (WHOLE_MS + 200) * 1000);
		cr_assert_neq(r.detail[0], '\0');
	}
}

Test(field, drops_and_floods_are_no_answer)
{
	struct gateway_reply r = once(FAKE_DROP, "");

	cr_assert_eq(r.outcome, GATEWAY_NO_ANSWER);
	cr_assert_eq(r.http_status, 0);
	r = once(FAKE_HUGE, "");
	cr_assert_eq(r.outcome, GATEWAY_NO_ANSWER);
	cr_assert_str_eq(r.detail, "the answer is too long");
}

/* What surely never left may be sent again. */
Test(field, what_did_not_leave_is_told_apart)
{
	struct gateway_reply r = send_to("http://127.0.0.1:1");

	cr_assert_eq(r.outcome, GATEWAY_NOT_TAKEN);
	r = send_to("file:///etc");
	cr_assert_eq(r.outcome, GATEWAY_NOT_TAKEN);
	r = send_to("http://there.is.no.such.name.invalid");
	cr_assert_eq(r.outcome, GATEWAY_NOT_TAKEN);
}

/* 127.0.0.0/8 is allowed, these are not, whatever they are written as. */
Test(field, addresses_are_judged_when_they_are_called)
{
	static const char *const urls[] = {"http://[::1]:9", "https://10.1.2.3",
	    "https://169.254.169.254/latest", "http://0.0.0.0:9",
	    "https://0xa000001", "https://[::ffff:192.168.1.1]",
	    "https://[fe80::1]", "http://192.0.2.7", "http://8.8.8.8"};
	struct gateway_reply r;
	size_t i;

	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		r = send_to(urls[i]);
		cr_assert_eq(r.outcome, GATEWAY_NOT_TAKEN, "%s", urls[i]);
		cr_assert_not_null(strstr(r.detail, "PENSTOCK_GATEWAY_NETS"),
		    "%s: %s", urls[i], r.detail);
	}
}

/* As the registries of IANA have it; our own networks by configuration. */
Test(field, addresses_that_are_public)
{
	static const struct {
		const char *at;
		bool tls, plain;
	} cases[] = {
	    {"8.8.8.8", true, false},
	    {"2606:4700::1111", true, false},
	    {"10.20.3.4", true, true},
	    {"10.21.3.4", false, false},
	    {"fd00:1::9", true, true},
	    {"fd00:2::9", false, false},
	    {"::ffff:10.20.3.4", true, true},
	    {"::ffff:127.0.0.1", false, false},
	    {"100.64.0.1", false, false},
	    {"100.128.0.1", true, false},
	    {"172.31.255.255", false, false},
	    {"172.32.0.0", true, false},
	    {"224.0.0.1", false, false},
	    {"255.255.255.255", false, false},
	    {"::", false, false},
	    {"::1", false, false},
	    {"fe80::1", false, false},
	    {"ff02::1", false, false},
	    {"2002:7f00:1::", false, false},
	    {"2001:db8::1", false, false},
	    {"64:ff9b::7f00:1", false, false},
	};
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *a;
	struct address_rules rules;
	struct err_info info = {0};
	size_t i;

	cr_assert_eq(
	    address_rules_parse("10.20.0.0/16,fd00:1::/32", &rules, &info),
	    ERR_OK);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(getaddrinfo(cases[i].at, NULL, &hints, &a), 0);
		cr_assert_eq(address_allows(&rules, a->ai_addr, true),
		    cases[i].tls, "%s by TLS", cases[i].at);
		cr_assert_eq(address_allows(&rules, a->ai_addr, false),
		    cases[i].plain, "%s", cases[i].at);
		freeaddrinfo(a);
	}
}

Test(field, what_is_no_network_is_refused)
{
	static const char *const wrong[] = {"10.0.0.0", "10.0.0.0/33",
	    "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8", "fd00::/129", "x/8",
	    "10.0.0.0/8,,11.0.0.0/8", "10.0.0.0/8 "};
	struct address_rules rules;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err_info info = {0};

		cr_assert_eq(address_rules_parse(wrong[i], &rules, &info),
		    ERR_INVALID, "%s", wrong[i]);
	}
}

static struct gateway_reply
ask(const char *answer)
{
	struct gateway_fake *g = gateway_fake_start(FAKE_ANSWER, answer);
	struct connector_config config = settings();
	struct command c = command(gateway_fake_url(g));
	struct gateway_reply r;

	c.ask = true;
	connector_send(&config, &c, 1, &r);
	cr_assert_eq(strncmp(gateway_fake_last(g),
			 "GET /commands/6f1c1f0e-7f5a-4b0e-9d56-0f3f6f1f2a01 "
			 "HTTP/1.1\r\n",
			 61),
	    0);
	gateway_fake_stop(g);
	return (r);
}

#define OURS "{\"idempotency_key\":\"6f1c1f0e-7f5a-4b0e-9d56-0f3f6f1f2a01\","

Test(field, asks_what_became_of_a_command)
{
	static const struct {
		const char *answer;
		enum gateway_outcome outcome;
	} cases[] = {
	    {SAYS("200 OK", OURS "\"status\":\"executed\"}"), GATEWAY_EXECUTED},
	    {SAYS("200 OK", OURS "\"status\":\"accepted\"}"), GATEWAY_ACCEPTED},
	    {SAYS("200 OK", OURS "\"status\":\"failed\"}"), GATEWAY_REFUSED},
	    {SAYS("200 OK", OURS "\"status\":\"expired\"}"), GATEWAY_EXPIRED},
	    {SAYS("200 OK", OURS "\"status\":\"unknown\"}"), GATEWAY_NEVER_HAD},
	    {SAYS("404 Not Found", OURS "\"status\":\"unknown\"}"),
		GATEWAY_NEVER_HAD},
	    {SAYS("404 Not Found", "{\"status\":\"unknown\"}"),
		GATEWAY_NO_ANSWER},
	    {SAYS("404 Not Found", ""), GATEWAY_NO_ANSWER},
	    {SAYS("401 Who", OURS "\"status\":\"refused\"}"),
		GATEWAY_NO_ANSWER},
	    {SAYS("200 OK", EXECUTED), GATEWAY_NO_ANSWER},
	    {SAYS("200 OK",
		 "{\"idempotency_key\":\"6\",\"status\":"
		 "\"executed\"}"),
		GATEWAY_NO_ANSWER},
	};
	struct gateway_reply r;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		r = ask(cases[i].answer);
		cr_assert_eq(
		    r.outcome, cases[i].outcome, "%zu: %s", i, r.detail);
	}
}

/* One that is silent delays no other, and all are back in one bound. */
Test(field, sends_all_at_once)
{
	struct gateway_fake *bad = gateway_fake_start(FAKE_SILENT, "");
	struct gateway_fake *good =
	    gateway_fake_start(FAKE_ANSWER, SAYS("200 OK", EXECUTED));
	struct connector_config config = settings();
	struct command c[6];
	struct gateway_reply r[6];
	int i;

	for (i = 0; i < 6; i++)
		c[i] = command(gateway_fake_url(i % 2 == 0 ? bad : good));
	connector_send(&config, c, 6, r);
	for (i = 0; i < 6; i++) {
		cr_assert_eq(r[i].outcome,
		    i % 2 == 0 ? GATEWAY_NO_ANSWER : GATEWAY_EXECUTED);
		cr_assert_lt(r[i].took_us, (WHOLE_MS + 200) * 1000);
	}
	cr_assert_eq(gateway_fake_requests(good), 3);
	gateway_fake_stop(bad);
	gateway_fake_stop(good);
}

static void
by_http(void *arg, const struct command *c, size_t n, struct gateway_reply *r)
{
	connector_send(arg, c, n, r);
}

/* The silent one's answers come later, the good one's at once. */
Test(field, a_carrier_waits_for_nobody)
{
	struct gateway_fake *bad = gateway_fake_start(FAKE_SILENT, "");
	struct gateway_fake *good =
	    gateway_fake_start(FAKE_ANSWER, SAYS("200 OK", EXECUTED));
	struct connector_config config = settings();
	struct carrier *carrier =
	    carrier_new(&(struct carrier_config){&config, by_http, 150, 2000});
	struct actuator_port port = carrier_port(carrier);
	struct gateway_late late[8];
	struct gateway_reply r[4];
	struct command c[4];
	struct arena a;
	size_t i, n = 0;

	for (i = 0; i < 4; i++) {
		c[i] = command(gateway_fake_url(i % 2 == 0 ? bad : good));
		c[i].id = (int64_t)i;
		c[i].gateway = "G";
		c[i].gateway_id = (int32_t)i % 2;
	}
	arena_init(&a, 1 << 20);
	port.send(port.self, c, 4, r);
	for (i = 0; i < 4; i++)
		cr_assert_eq(r[i].outcome,
		    i % 2 == 0 ? GATEWAY_PENDING : GATEWAY_EXECUTED);
	cr_assert_eq(port.collect(port.self, &a, late, 1), 0, "no room");
	for (i = 0; i < 100 && n == 0; i++) {
		usleep(20000);
		n = port.collect(port.self, &a, late, 8);
	}
	cr_assert_eq(n, 2);
	for (i = 0; i < 2; i++) {
		cr_assert_eq(late[i].command->id, (int64_t)(2 * i));
		cr_assert_str_eq(late[i].command->link, c[0].link);
		cr_assert_eq(late[i].reply.outcome, GATEWAY_NO_ANSWER);
	}
	cr_assert_eq(port.collect(port.self, &a, late, 8), 0);
	carrier_free(carrier);
	arena_done(&a);
	gateway_fake_stop(bad);
	gateway_fake_stop(good);
}

Test(answer, says_only_what_is_well_formed)
{
	static const struct {
		const char *json;
		bool says;
	} cases[] = {
	    {EXECUTED, true},
	    {" { \"x\" : -1.5e+3 , \"status\" : \"executed\" } \n", true},
	    {"{\"a\":{\"status\":\"no\"},\"status\":\"executed\"}", true},
	    {"{\"a\":[null,true,false,\"\\u00e9\\n\"],\"status\":"
	     "\"executed\"}",
		true},
	    {"{\"a\":{\"status\":\"executed\"}}", false},
	    {"[{\"status\":\"executed\"}]", false},
	    {"{\"status\":\"executed\",\"status\":\"executed\"}", false},
	    {"{\"status\":\"executed\"} x", false},
	    {"{\"status\":\"executed\"", false},
	    {"{\"status\":\"executed\",}", false},
	    {"{\"status\":\"executed\\u0020\"}", false},
	    {"{\"status\":1}", false},
	    {"{\"a\":01,\"status\":\"executed\"}", false},
	    {"{\"a\":.5,\"status\":\"executed\"}", false},
	    {"{\"a\":nul,\"status\":\"executed\"}", false},
	    {"{\"a\":\"\\x\",\"status\":\"executed\"}", false},
	    {"{\"a\":\"\n\",\"status\":\"executed\"}", false},
	    {"{}", false},
	    {"", false},
	    {"\"status\"", false},
	};
	char deep[4096];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(answer_says(cases[i].json, strlen(cases[i].json),
				 "status", "executed"),
		    cases[i].says, "%s", cases[i].json);
	memset(deep, '[', sizeof(deep));
	memcpy(deep, "{\"a\":", 5);
	cr_assert_not(answer_says(deep, sizeof(deep), "status", "executed"));
}
