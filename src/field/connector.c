#include "field/connector.h"

#include "core/instant.h"
#include "domain/plan.h"
#include "field/http.h"
#include "field/mqtt.h"

#include <stdio.h>
#include <string.h>

#define BODY_MOST 65536

static const struct connector *const connectors[] = {
    &http_connector, &mqtt_connector};

enum err
connector_start(struct err_info *info)
{
	enum err e = http_start(info);

	return (e != ERR_OK ? e : mqtt_start(info));
}

const struct connector *
connector_for(const char *url)
{
	size_t i;

	for (i = 0; i < sizeof(connectors) / sizeof(connectors[0]); i++)
		if (connectors[i]->speaks(url))
			return (connectors[i]);
	return (NULL);
}

void
connector_send(const struct connector_config *config,
    const struct command *cmds, size_t n, struct gateway_reply *ret)
{
	const struct connector *c =
	    n > 0 ? connector_for(cmds[0].gateway_url) : NULL;
	void *self = c != NULL ? c->open(config) : NULL;
	size_t i;

	for (i = 0; i < n; i++) {
		ret[i] = (struct gateway_reply){.outcome = GATEWAY_NOT_TAKEN};
		if (self == NULL)
			(void)snprintf(ret[i].detail, sizeof(ret[i].detail),
			    c == NULL ? "no connector speaks so"
				      : "the command could not be sent");
	}
	if (self == NULL)
		return;
	c->send(self, cmds, n, ret);
	c->close(self);
}

void
connector_body(struct text *t, const struct command *c)
{
	text_init(t, BODY_MOST);
	json_object(t, NULL);
	json_int(t, "command", c->id);
	json_string(t, "link", c->link);
	json_string(t, "action", c->action);
	json_raw(t, "argument", c->argument, strlen(c->argument));
	json_int(t, "plan", c->plan_id);
	json_string(t, "idempotency_key", c->key);
	if (c->not_after_us != INSTANT_NONE)
		json_instant(t, "not_after", c->not_after_us);
	json_object_end(t);
}

void
connector_sign(const struct connector_config *config, const struct command *c,
    struct signed_request *q, char ret[static SIGNATURE_TEXT])
{
	const struct signer_port *signer = &config->signer;

	q->gateway = c->gateway;
	q->secret_version = c->secret_version;
	ret[0] = '\0';
	if (signer->self != NULL)
		signer->sign(signer->self, q, ret);
}
