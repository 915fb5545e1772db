#include "cmd/mqtt_metrics.h"

#include "cmd/tool.h"
#include "core/text.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MOST 8192

struct mqtt_metrics {
	struct MHD_Daemon *daemon;
	const struct mqtt_counters *counters;
};

static void
write_counters(struct text *t, const struct mqtt_counters *c)
{
#define X(name, about)                                        \
	text_printf(t,                                        \
	    "# HELP penstock_mqtt_" #name "_total " about     \
	    ".\n# TYPE penstock_mqtt_" #name "_total counter" \
	    "\npenstock_mqtt_" #name "_total %llu\n",         \
	    (unsigned long long)atomic_load(&c->name));
	MQTT_COUNTERS(X)
#undef X
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *data, size_t *n,
    void **state)
{
	const struct mqtt_metrics *m = arg;
	struct MHD_Response *r;
	enum MHD_Result rc;
	char buf[TEXT_MOST];
	struct text t;
	bool ours = strcmp(method, "GET") == 0 && strcmp(url, "/metrics") == 0;

	(void)version, (void)data, (void)state;
	*n = 0;
	text_init_fixed(&t, buf, sizeof(buf));
	if (ours)
		write_counters(&t, m->counters);
	r = MHD_create_response_from_buffer(t.len, buf, MHD_RESPMEM_MUST_COPY);
	if (r == NULL)
		return (MHD_NO);
	MHD_add_response_header(
	    r, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	rc = MHD_queue_response(c, ours ? 200 : 404, r);
	MHD_destroy_response(r);
	return (rc);
}

struct mqtt_metrics *
mqtt_metrics_new(int port, const struct mqtt_counters *counters)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct mqtt_metrics *m = calloc(1, sizeof(*m));

	if (m == NULL) {
		tool_error("out of memory");
		return (NULL);
	}
	m->counters = counters;
	m->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD,
	    (uint16_t)port, NULL, NULL, on_request, m, MHD_OPTION_SOCK_ADDR,
	    (struct sockaddr *)&sin, MHD_OPTION_CONNECTION_LIMIT, 8u,
	    MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
	if (m->daemon != NULL)
		return (m);
	tool_error("cannot listen on 127.0.0.1:%d", port);
	free(m);
	return (NULL);
}

void
mqtt_metrics_free(struct mqtt_metrics *m)
{
	if (m == NULL)
		return;
	MHD_stop_daemon(m->daemon);
	free(m);
}
