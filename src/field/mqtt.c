#include "field/mqtt.h"

#include "domain/plan.h"
#include "field/mqtt_parts.h"

#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>

struct mqtt {
	struct connector_config config;
};

enum err
mqtt_start(struct err_info *info)
{
	if (mosquitto_lib_init() != MOSQ_ERR_SUCCESS)
		return (err_set(
		    info, ERR_INTERNAL, NULL, "libmosquitto does not start"));
	return (ERR_OK);
}

static void *
open_config(const struct connector_config *config)
{
	struct mqtt *q = calloc(1, sizeof(*q));

	if (q != NULL)
		q->config = *config;
	return (q);
}

static void
on_subscribed(struct mosquitto *m, void *arg, int mid, int n, const int *qos,
    const mosquitto_property *props)
{
	struct mqtt_talk *t = arg;

	(void)m, (void)mid, (void)props;
	t->subscribed = n == 1 && qos[0] <= 1;
	if (!t->subscribed)
		mqtt_fail(t, "the broker lets us read no answers");
}

static bool
is_subscribed(const struct mqtt_talk *t)
{
	return (t->subscribed);
}

static bool
is_answered(const struct mqtt_talk *t)
{
	return (t->open == 0);
}

static bool
subscribe(struct mqtt_talk *t, int64_t end_us)
{
	char topic[MQTT_TOPIC];

	mosquitto_subscribe_v5_callback_set(t->m, on_subscribed);
	if (!mqtt_topic(topic, t->calls[0].command, "replies", "+") ||
	    mosquitto_subscribe_v5(t->m, NULL, topic, 1,
		MQTT_SUB_OPT_SEND_RETAIN_NEVER, NULL) != MOSQ_ERR_SUCCESS)
		mqtt_fail(t, "the answers' topic is none");
	mqtt_drive(t, is_subscribed, end_us);
	if (!t->subscribed)
		mqtt_fail(t, "the broker does not answer");
	return (!t->failed);
}

static void
converse(struct mqtt_talk *t)
{
	const struct connector_config *c = t->config;
	int64_t end = t->began_us + c->timeout_ms * 1000, last;
	struct err_info info = {.code = ERR_OK};
	size_t i;

	if (c->signer.self == NULL) {
		mqtt_fail(t, "PENSTOCK_GATEWAY_SECRET is not set");
		return;
	}
	if (broker_parse(t->calls[0].command->gateway_url, &t->broker, &info) !=
	    ERR_OK) {
		mqtt_fail(t, info.detail);
		return;
	}
	if (!mqtt_link(t, end) || !subscribe(t, end))
		return;
	for (i = 0; i < t->n; i++)
		mqtt_publish(t, &t->calls[i]);
	end = mqtt_now_us() + c->timeout_ms * 1000;
	last = t->began_us + c->whole_ms * 1000;
	mqtt_drive(t, is_answered, end < last ? end : last);
}

static void
tell(const struct mqtt_talk *t, struct mqtt_call *call)
{
	struct gateway_reply *r = call->reply;

	if (call->over)
		return;
	if (call->published)
		r->outcome = GATEWAY_NO_ANSWER;
	if (r->detail[0] == '\0')
		(void)snprintf(r->detail, sizeof(r->detail), "%s",
		    t->failed		  ? t->why
			: call->published ? "no answer in time"
					  : "the command could not be sent");
	r->took_us = mqtt_now_us() - t->began_us;
}

static void
send_all(
    void *self, const struct command *cmds, size_t n, struct gateway_reply *ret)
{
	const struct mqtt *q = self;
	struct mqtt_talk t = {.config = &q->config,
	    .n = n,
	    .began_us = mqtt_now_us(),
	    .calls = calloc(n, sizeof(*t.calls))};
	size_t i;

	for (i = 0; i < n; i++) {
		ret[i] = (struct gateway_reply){.outcome = GATEWAY_NOT_TAKEN};
		if (t.calls != NULL)
			t.calls[i] = (struct mqtt_call){
			    .command = &cmds[i], .reply = &ret[i]};
	}
	if (t.calls == NULL || n == 0)
		return;
	converse(&t);
	for (i = 0; i < n; i++)
		tell(&t, &t.calls[i]);
	if (t.m != NULL) {
		if (!t.failed && mosquitto_disconnect(t.m) == MOSQ_ERR_SUCCESS)
			(void)mosquitto_loop_write(t.m, 1);
		mosquitto_destroy(t.m);
	}
	free(t.calls);
}

const struct connector mqtt_connector = {
    broker_is, open_config, send_all, free};
