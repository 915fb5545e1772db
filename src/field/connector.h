/*
 * connector: one way to speak with field gateways. What a command says, what
 * its answer means (judge.h), which addresses are let to (address.h) and how
 * both are signed (auth/gateway_key.h) is the same in each.
 *
 * Runs on: T; what is open belongs to one thread. Frees: close(). Units: ms.
 * Errors: in the replies.
 */
#ifndef PENSTOCK_FIELD_CONNECTOR_H
#define PENSTOCK_FIELD_CONNECTOR_H

#include "core/ports.h"
#include "core/text.h"
#include "field/address.h"

/* The setting that names the networks, for people. */
#define CONNECTOR_NETS "PENSTOCK_GATEWAY_NETS"

struct connector_config {
	long timeout_ms;     /* of one call */
	long whole_ms;	     /* of one send(), however many commands */
	const char *ca_path; /* PEM; NULL: the system's */
	struct address_rules rules;
	struct signer_port signer;
	/* Told to the broker of that name alone; NULL: to none. */
	const char *broker, *broker_user, *broker_password;
};

struct connector {
	bool (*speaks)(const char *url);
	/* The config is copied, its strings are borrowed. NULL: no memory. */
	void *(*open)(const struct connector_config *);
	/* All to one gateway; as actuator_port's. */
	void (*send)(void *self, const struct command *, size_t n,
	    struct gateway_reply *ret);
	void (*close)(void *self);
};

/* Once in the program, before its threads: the libraries ask for it. */
enum err connector_start(struct err_info *);
/* By its gateway's address; NULL: nobody speaks so. */
const struct connector *connector_for(const char *url);
/* Opens, sends, closes. */
void connector_send(const struct connector_config *, const struct command *,
    size_t n, struct gateway_reply *ret);

/* What a command is to its gateway: one JSON object. */
void connector_body(struct text *, const struct command *);
/* Signed as METHOD PATH TIME BODY; "" if nothing is. */
void connector_sign(const struct connector_config *, const struct command *,
    struct signed_request *, char ret[static SIGNATURE_TEXT]);

#endif
