/*
 * mqtt: the connector for field gateways behind a broker, by MQTT 5 and QoS 1.
 * A command is a message to penstock/GATEWAY/commands/KEY, the question what
 * became of one goes to penstock/GATEWAY/questions/KEY, and the gateway
 * answers both at penstock/GATEWAY/replies/KEY. What they say is what HTTP's
 * bodies say (http.h); the headers of HTTP are user properties here, in both
 * directions: Penstock-Time and Penstock-Signature (auth/gateway_key.h), whose
 * METHOD is PUBLISH and whose PATH is the topic.
 *
 *	the answers of http.h			as there
 *	{"status":"unknown"} to a question	NEVER_HAD
 *	the broker refuses it or has nobody
 *	who listens, or it surely never left	NOT_TAKEN
 *	no answer in time			NO_ANSWER
 *
 * An answer that is retained, not signed by the gateway, five minutes from our
 * clock or otherwise none is passed over: a better one may follow. A command
 * dies at the broker at its not-after.
 *
 * Runs on: T, one thread at a time. Errors: in the replies. TLS is verified;
 * not a byte goes to an address that the rules do not allow; without a signer
 * nothing goes at all.
 */
#ifndef PENSTOCK_FIELD_MQTT_H
#define PENSTOCK_FIELD_MQTT_H

#include "field/connector.h"

extern const struct connector mqtt_connector;

/* Once in the program, before its threads: libmosquitto asks for it. */
enum err mqtt_start(struct err_info *);

#endif
