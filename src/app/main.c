/*
 * main: Kore's hooks. Kore loads this module, calls kore_parent_configure()
 * once, forks the workers, and calls the worker hooks in each.
 *
 * Runs on: parent, then L.
 */
#include "api/api.h"
#include "api/openapi.h"
#include "app/config.h"
#include "app/fit.h"
#include "app/limits.h"
#include "app/logsink.h"
#include "app/trust.h"
#include "app/worker.h"
#include "auth/gateway_key.h"
#include "core/log.h"
#include "core/metrics.h"
#include "edge/edge.h"
#include "field/connector.h"
#include "ingest/last_seen.h"
#include "store/hot.h"
#include "store/resolve.h"

#include <kore/kore.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static struct config config;
static struct shared shared;
static struct limits limits;

EDGE_EXPORT void kore_parent_configure(int, char **);
EDGE_EXPORT void kore_worker_configure(void);
EDGE_EXPORT void kore_worker_teardown(void);

static void __attribute__((noreturn)) refuse(const struct err_info *info)
{
	fprintf(stderr, "penstock: %s\n", info->detail);
	exit(1);
}

/* Zeroed, shared with the workers, and there after a worker's death. */
static void *
share(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		fprintf(
		    stderr, "penstock: no %zu bytes of shared memory\n", size);
		exit(1);
	}
	return (p);
}

static void
make_shared(void)
{
	size_t max = (size_t)config.series_max;

	metrics_open(share(metrics_size()));
	shared.last_seen = last_seen_init(share(last_seen_size(max)), max);
	shared.pids = share((METRIC_WORKERS + 1) * sizeof(*shared.pids));
	shared.hot = share(hot_shared_size());
	hot_shared_init(shared.hot);
	limits_share(&limits, share(buckets_size()));
	shared.limits = &limits;
}

/* Names are looked up here, once: the workers must never wait for DNS. */
static void
resolve_names(void)
{
	struct err_info info = {0};
	char address[80];

	if ((config.database_url =
		    resolve_conninfo(config.database_url, &info)) == NULL)
		refuse(&info);
	snprintf(address, sizeof(address), "%s:%d", config.redis_host,
	    (int)config.redis_port);
	shared.redis_address = config.redis_socket[0] != '\0'
	    ? config.redis_socket
	    : resolve_address(address, &info);
	if (shared.redis_address == NULL)
		refuse(&info);
}

static enum err
check_sending(const char *name, const char *secret, const char *nets,
    struct err_info *info)
{
	struct err_info why = {0};
	struct address_rules rules;
	size_t len = strlen(secret);

	if (address_rules_parse(nets, &rules, &why) != ERR_OK)
		return (err_set(info, ERR_INVALID, NULL, "PENSTOCK_%s_NETS: %s",
		    name, why.detail));
	if (len > 0 && len < GATEWAY_SECRET_LEAST)
		return (err_set(info, ERR_INVALID, NULL,
		    "PENSTOCK_%s_SECRET has fewer than %d characters", name,
		    GATEWAY_SECRET_LEAST));
	return (ERR_OK);
}

static enum err
check_gateways(struct err_info *info)
{
	enum err e = check_sending(
	    "GATEWAY", config.gateway_secret, config.gateway_nets, info);

	return (e != ERR_OK ? e
			    : check_sending("WEBHOOK", config.webhook_secret,
				  config.webhook_nets, info));
}

void
kore_parent_configure(int argc, char **argv)
{
	struct err_info info = {0};
	struct edge_config edge;

	(void)argc;
	(void)argv;
	edge_harden();
	if (config_load(&config, getenv, &info) != ERR_OK ||
	    limits_load(&config, &limits, &info) != ERR_OK ||
	    trust_check(&config, &info) != ERR_OK ||
	    logsink_open(config.log_level, config.log_file, &info) != ERR_OK ||
	    check_gateways(&info) != ERR_OK ||
	    fit_check(config.fit_at, &info) != ERR_OK ||
	    connector_start(&info) != ERR_OK)
		refuse(&info);
	(void)openapi_make(); /* if not now, when it is asked for */
	resolve_names();
	make_shared();
	edge = (struct edge_config){.host = config.host,
	    .port = (uint16_t)config.port,
	    .workers = (unsigned)config.workers,
	    .connections_max = (unsigned)config.connections_max,
	    .proxies = config.proxies,
	    .proxy_field = config.proxy_field,
	    .address_max = (unsigned)config.address_max,
	    .cert_path = config.tls_cert,
	    .key_path = config.tls_key,
	    .client_ca_path = config.tls_client_ca,
	    .ticket_life_s = (unsigned)config.tls_ticket_life_s,
	    .header_max = (size_t)config.header_max,
	    .body_max = (size_t)config.body_max,
	    .heads = true,
	    .route_body_max = api_body_max,
	    .keepalive_s = (unsigned)config.keepalive_s,
	    .header_timeout_s = (unsigned)config.header_timeout_s,
	    .body_timeout_s = (unsigned)config.body_timeout_s,
	    .drain_ms = (unsigned)config.drain_ms};
	edge_parent(&edge);
	log_event(LOG_LEVEL_INFO, "started", "version", LOG_STR,
	    PENSTOCK_VERSION, "port", LOG_INT, config.port, NULL);
}

void
kore_worker_configure(void)
{
	edge_worker(worker_handle);
	if (worker_start(&config, &shared, worker->id) != ERR_OK)
		exit(1); /* the parent forks another */
}

void
kore_worker_teardown(void)
{
	worker_halt_loop();
	edge_teardown(worker_idle);
	worker_stop_loop();
	worker_stop();
}
