/*
 * edge: HTTPS from the network to `struct exchange`, on Kore. The one place
 * that knows Kore's weak spots. Of Kore it uses processes, listener, epoll,
 * timers and task threads; TLS and HTTP/1.1 are our own: two parsers behind
 * one another may disagree, one cannot.
 *
 * Runs on: L, except edge_harden and edge_parent (parent process) and
 * edge_draining (C). Frees: nothing; all state lives as long as the process. Units: in the
 * names. Errors: edge_parent ends the process with a message; protocol
 * errors are answered as problems (RFC 9457) and never reach the handler.
 */
#ifndef PENSTOCK_EDGE_EDGE_H
#define PENSTOCK_EDGE_EDGE_H

#include "core/err.h"
#include "core/exchange.h"
#include "core/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDGE_HEADERS_MAX   64
#define EDGE_HEADER_MAX	   16384
#define EDGE_BODY_ANY	   65536 /* bytes; below it a route is not asked */
#define EDGE_OFFLOAD_QUEUE 16	 /* jobs that may wait for a thread */
#define EDGE_THREADS	   4

/* Hooks that Kore finds by name must survive -fvisibility=hidden. */
#define EDGE_EXPORT __attribute__((visibility("default")))

struct edge_config {
	const char *host; /* address */
	uint16_t port;
	unsigned workers;
	unsigned connections_max; /* per worker */
	unsigned address_max; /* connections of one address, 0: any number */
	/* Who may say whom a request is from, and by which field (hops.h);
	 * NULL or "": nobody. */
	const char *proxies, *proxy_field;
	const char *cert_path, *key_path; /* PEM; read again on SIGUSR1 */
	const char *client_ca_path; /* the same; NULL or "": none, see tls.h */
	unsigned ticket_life_s;	    /* 0: 7200 */
	size_t header_max;	    /* bytes, request line included; 0: 8192 */
	size_t body_max;	    /* bytes; 0: 8 MiB */
	/* Most bytes a body of that route may have; NULL: body_max for all. */
	size_t (*route_body_max)(enum method, const char *path);
	/* handle() also gets requests whose body is on its way, and says
	 * whether to take it (exchange.h). */
	bool heads;
	unsigned headers_max;	   /* fields; 0: EDGE_HEADERS_MAX */
	unsigned keepalive_s;	   /* 0: 60 */
	unsigned header_timeout_s; /* 0: 10 */
	unsigned body_timeout_s;   /* 0: 60 */
	unsigned drain_ms;	   /* 0: 8000 */
};

/* No core files, no foreign eyes on the memory, no new privileges; for the
 * workers too. Call in kore_parent_configure before any secret is read. */
void edge_harden(void);
/* Call in kore_parent_configure. Strings must outlive the process. */
void edge_parent(const struct edge_config *);
/* Call first in kore_worker_configure: `handle` gets every good request. */
void edge_worker(void (*handle)(struct exchange *));
/*
 * Call first in kore_worker_teardown. Returns when no request is in flight
 * and idle() (may be NULL) says so too, at the latest after drain_ms; then
 * all connections are closed and no callback of edge's will run.
 */
void edge_teardown(bool (*idle)(void));
/* Also to be called on SIGUSR1, once the certificate was read again. */
void edge_on_reload(void (*)(void));
/* True in every worker as soon as one of them has begun to stop. */
bool edge_draining(void);

struct loop *edge_loop(void);

/*
 * Runs work(arg) on a Kore task thread, then done(arg) on the loop. ERR_BUSY
 * if all threads work and EDGE_OFFLOAD_QUEUE jobs wait; then neither is
 * called. `self` is ignored (it fits api.h's offload port).
 */
enum err
edge_offload(void *self, void (*work)(void *), void (*done)(void *), void *arg);
/*
 * The same for a job that strangers must not hold up: it goes before all that
 * wait, and one place is kept for it.
 */
enum err edge_offload_first(
    void *self, void (*work)(void *), void (*done)(void *), void *arg);
/* Jobs waiting, running or not yet reported done. */
unsigned edge_offload_pending(void);

#endif
