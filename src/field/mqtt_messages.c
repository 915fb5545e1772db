#include "field/mqtt_parts.h"

#include "core/instant.h"
#include "domain/plan.h"
#include "field/answer.h"
#include "field/judge.h"

#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_MOST 65536
#define WINDOW_S    300 /* as gateways judge our own time */
#define TIME_NAME   "Penstock-Time"
#define SIGN_NAME   "Penstock-Signature"

bool
mqtt_topic(char ret[static MQTT_TOPIC], const struct command *c,
    const char *what, const char *key)
{
	int n = snprintf(
	    ret, MQTT_TOPIC, "penstock/%s/%s/%s", c->gateway, what, key);

	return (n > 0 && n < MQTT_TOPIC);
}

static void
end(struct mqtt_talk *t, struct mqtt_call *call)
{
	if (!call->over)
		t->open--;
	call->over = true;
	call->reply->took_us = mqtt_now_us() - t->began_us;
}

/* How long the broker may keep it: until its not-after. */
static uint32_t
life_s(const struct mqtt_talk *t, const struct command *c, time_t now)
{
	int64_t s = t->config->timeout_ms / 1000 + 1;

	if (!c->ask && c->not_after_us != INSTANT_NONE)
		s = c->not_after_us / US_PER_SECOND - now;
	return (s < 1 ? 1 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s);
}

static bool
add_properties(struct mqtt_talk *t, const struct command *c,
    struct signed_request *q, mosquitto_property **props)
{
	char time_text[24], signature[SIGNATURE_TEXT], reply_to[MQTT_TOPIC];

	connector_sign(t->config, c, q, signature);
	(void)snprintf(
	    time_text, sizeof(time_text), "%lld", (long long)q->time_s);
	if (!mqtt_topic(reply_to, c, "replies", c->key))
		return (false);
	return (mosquitto_property_add_string_pair(props,
		    MQTT_PROP_USER_PROPERTY, TIME_NAME, time_text) == 0 &&
	    mosquitto_property_add_string_pair(
		props, MQTT_PROP_USER_PROPERTY, SIGN_NAME, signature) == 0 &&
	    mosquitto_property_add_string(
		props, MQTT_PROP_RESPONSE_TOPIC, reply_to) == 0 &&
	    mosquitto_property_add_string(
		props, MQTT_PROP_CONTENT_TYPE, "application/json") == 0 &&
	    mosquitto_property_add_int32(props,
		MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
		life_s(t, c, (time_t)q->time_s)) == 0);
}

/* Connecting took time. Asking does no harm at any time. */
static bool
is_late(const struct command *c)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (!c->ask && c->not_after_us != INSTANT_NONE &&
	    t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000 > c->not_after_us);
}

static void
write_body(struct text *t, const struct command *c)
{
	if (!c->ask) {
		connector_body(t, c);
		return;
	}
	text_init(t, 256);
	json_object(t, NULL);
	json_string(t, "idempotency_key", c->key);
	json_object_end(t);
}

void
mqtt_publish(struct mqtt_talk *t, struct mqtt_call *call)
{
	const struct command *c = call->command;
	mosquitto_property *props = NULL;
	char topic[MQTT_TOPIC];
	struct text body;
	struct signed_request q = {.method = "PUBLISH", .path = topic};

	write_body(&body, c);
	if (text_ok(&body) && !is_late(c) &&
	    mqtt_topic(topic, c, c->ask ? "questions" : "commands", c->key)) {
		q.time_s = time(NULL);
		q.body = body.s;
		q.len = body.len;
		call->published = add_properties(t, c, &q, &props) &&
		    mosquitto_publish_v5(t->m, &call->mid, topic, (int)body.len,
			body.s, 1, false, props) == MOSQ_ERR_SUCCESS;
	}
	t->open += call->published;
	mosquitto_property_free_all(&props);
	text_done(&body);
}

void
mqtt_on_published(struct mosquitto *m, void *arg, int mid, int reason,
    const mosquitto_property *props)
{
	struct mqtt_talk *t = arg;
	struct mqtt_call *call;

	(void)m, (void)props;
	if (reason < MQTT_RC_NO_MATCHING_SUBSCRIBERS)
		return;
	for (call = t->calls; call < t->calls + t->n; call++) {
		if (!call->published || call->over || call->mid != mid)
			continue;
		call->reply->outcome = GATEWAY_NOT_TAKEN;
		(void)snprintf(call->reply->detail, sizeof(call->reply->detail),
		    "the broker: %s", mosquitto_reason_string(reason));
		end(t, call);
	}
}

/* The first user property of that name, without more than it should have. */
static bool
find_property(
    const mosquitto_property *props, const char *wanted, char *ret, size_t size)
{
	char *name = NULL, *value = NULL;
	bool found = false, skip = false;

	while (!found &&
	    (props = mosquitto_property_read_string_pair(props,
		 MQTT_PROP_USER_PROPERTY, &name, &value, skip)) != NULL) {
		skip = true;
		found = strcmp(name, wanted) == 0;
		if (found)
			(void)snprintf(ret, size, "%s", value);
		free(name);
		free(value);
		name = value = NULL;
	}
	return (found);
}

static bool
same(const char *a, const char *b, size_t len)
{
	unsigned char differ = 0;
	size_t i;

	for (i = 0; i < len; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return (differ == 0);
}

/* One of ours is the gateway's: it may know the secret of before only. */
static bool
matches(const char *ours, const char *theirs)
{
	size_t len, n = strlen(theirs);

	for (; *ours != '\0'; ours += len + (ours[len] == ',')) {
		len = strcspn(ours, ",");
		if (len == n && same(ours, theirs, n))
			return (true);
	}
	return (false);
}

static bool
is_authentic(struct mqtt_talk *t, const struct command *c,
    const struct mosquitto_message *msg, const mosquitto_property *props)
{
	char when[24], theirs[SIGNATURE_TEXT], ours[SIGNATURE_TEXT], *stop;
	struct signed_request q = {.method = "PUBLISH",
	    .path = msg->topic,
	    .body = msg->payload,
	    .len = (size_t)msg->payloadlen};
	int64_t age;

	if (!find_property(props, TIME_NAME, when, sizeof(when)) ||
	    !find_property(props, SIGN_NAME, theirs, sizeof(theirs)))
		return (false);
	if (strspn(when, "0123456789") != strlen(when) || strlen(when) > 12)
		return (false);
	q.time_s = strtoll(when, &stop, 10);
	age = time(NULL) - q.time_s;
	if (stop == when || age > WINDOW_S || age < -WINDOW_S)
		return (false);
	connector_sign(t->config, c, &q, ours);
	return (ours[0] != '\0' && matches(ours, theirs));
}

static struct mqtt_call *
call_of(struct mqtt_talk *t, const char *topic)
{
	char ours[MQTT_TOPIC];
	struct mqtt_call *call;

	for (call = t->calls; call < t->calls + t->n; call++)
		if (call->published && !call->over &&
		    mqtt_topic(
			ours, call->command, "replies", call->command->key) &&
		    strcmp(topic, ours) == 0)
			return (call);
	return (NULL);
}

static bool
says_never_had(const char *s, size_t len, const struct command *c)
{
	return (c->ask && answer_says(s, len, "idempotency_key", c->key) &&
	    answer_says(s, len, "status", "unknown"));
}

void
mqtt_on_message(struct mosquitto *m, void *arg,
    const struct mosquitto_message *msg, const mosquitto_property *props)
{
	struct mqtt_talk *t = arg;
	struct mqtt_call *call = call_of(t, msg->topic);
	size_t len = (size_t)msg->payloadlen;
	const char *why = NULL;

	(void)m;
	if (call == NULL || msg->retain)
		return;
	if (msg->payloadlen <= 0 || len > ANSWER_MOST)
		why = "the answer is too long, or empty";
	else if (!is_authentic(t, call->command, msg, props))
		why = "the answer is not signed by the gateway";
	if (why != NULL)
		(void)snprintf(call->reply->detail, sizeof(call->reply->detail),
		    "%s", why);
	else if (says_never_had(msg->payload, len, call->command)) {
		*call->reply =
		    (struct gateway_reply){.outcome = GATEWAY_NEVER_HAD};
		end(t, call);
	} else if (judge_answer(
		       msg->payload, len, call->command, true, call->reply))
		end(t, call);
}
