/*
 * conn: one connection and its request, shared by conn.c (life), client.c
 * (from whom), wire.c (bytes) and serve.c (requests and answers).
 *
 * Runs on: L. A connection is always in one state, and in all but BUSY it
 * has a deadline:
 *
 *	SHAKE -> IDLE -> HEAD -> BODY -> BUSY -> [POUR ->] SEND -> IDLE
 *	                                                   |-> LINGER -> closed
 *
 * POUR: the answer comes in pieces; no deadline while the handler is waited
 * for. HEAD and BODY may also go to SEND (refused). Kore's read and write paths
 * are not used: `struct connection` only carries descriptor, address and the
 * deferred free. One request at a time: in BUSY, POUR and SEND nothing is
 * read, and what came behind a request waits in `in` until its answer has
 * left. Whoever has said all that it will say (FIN) still gets its answer; one
 * that is gone (RST) does not.
 */
#ifndef PENSTOCK_EDGE_CONN_H
#define PENSTOCK_EDGE_CONN_H

#include "edge/chunk.h"
#include "edge/gate.h"
#include "edge/internal.h"
#include "edge/peers.h"

#include <openssl/ssl.h>
#include <sys/queue.h>

/* Head and most bodies in one piece. */
#define CONN_IN_SIZE (EDGE_HEADER_MAX + 1024)

struct connection; /* Kore's */

enum state { SHAKE, IDLE, HEAD, BODY, BUSY, POUR, SEND, LINGER, CLOSED };

struct conn {
	struct exchange x; /* first: the handler's pointer is ours */
	struct connection *c;
	SSL *ssl;
	enum state state;
	bool pumping;
	bool again; /* input waits in OpenSSL's buffer, epoll is silent */
	bool deaf;  /* the client talks while BUSY */
	bool write_wanted; /* by the handshake */
	bool closing;
	struct peer peer;
	bool begun;  /* of the body something came with the head */
	bool opened; /* it was asked for, or whether to was asked */
	void (*on_body)(struct exchange *); /* who waits for it, or NULL */
	bool counted;			    /* in peers */
	bool proxied;	     /* peer and x.peer are of the present request */
	unsigned armed;	     /* epoll's mask */
	int64_t deadline_us; /* 0: none */
	int64_t waits_us;    /* since when, for what the deadline is for */
	char *in;	     /* CONN_IN_SIZE, only while a request is there */
	size_t in_len, in_used; /* what is behind belongs to the next one */
	size_t scanned;
	bool skipped; /* an empty line before the request */
	char under;   /* the byte that the body's NUL stands on */
	struct gate_head head;
	struct chunk coding;
	char *body; /* in `in`, or its own if owned */
	size_t body_len, body_room, body_max;
	bool body_owned;
	int64_t body_from_us; /* of one that is owned */
	char *out;	      /* what the socket did not take yet */
	size_t out_len, out_at, out_room;
	size_t taken; /* of it by the client, since the deadline was set */
	bool hungry;  /* in POUR: to be asked for more */
	bool choked;  /* in POUR: memory was out, to be closed */
	bool chunked; /* each piece in POUR */
	void (*pull)(struct exchange *);
	TAILQ_ENTRY(conn) list;
};

static inline void
conn_expire_in(struct conn *k, int64_t us)
{
	k->waits_us = edge_monotonic_us();
	k->deadline_us = k->waits_us + us;
}

extern struct gate_limits conn_limits;
extern int64_t conn_header_timeout_us, conn_body_timeout_us;
extern void (*conn_handler)(struct exchange *);
extern bool conn_heads; /* it is to get requests without their body, too */
/* How large a body may be, by its route. */
size_t conn_body_max(const struct gate_head *);

/* A connection begins. False: there are too many of its address. */
bool client_enter(struct conn *);
void client_leave(struct conn *);
/* Of a proxied connection: who the request is from, unless too many of that
 * address are under way. */
enum err client_request(struct conn *, struct err_info *);
/* What comes next is the proxy's own until it says whose it is. */
void client_forget(struct conn *);

/* Refuses the body that comes most slowly and has had some time, to make room
 * for that of `k`. False: there is none. */
bool conn_make_room(const struct conn *k);

unsigned conn_keepalive_s(void);
/* True once answers must close their connection. */
bool conn_draining(void);
void conn_close(struct conn *);
/* Asks epoll for what the state waits for. */
void conn_arm(struct conn *);
/* Reads on, though not from inside this call. */
void conn_again(struct conn *);
/* The answer has left: the next request may come. */
void conn_next(struct conn *);

/* Time to send; more of it for each part that the client takes. */
void conn_expire_sending(struct conn *);

bool wire_in_take(struct conn *);
void wire_in_drop(struct conn *);
/* Drops the request that was answered; what came behind it stays. */
void wire_in_next(struct conn *);
/* Room for the body behind the head that ends at `end`. */
enum err wire_body_take(struct conn *, size_t end, struct err_info *);
/* Room for more of it, if there is none. */
enum err wire_body_grow(struct conn *, struct err_info *);
/* Takes the coding off what came of a chunked body. */
enum err wire_body_decode(struct conn *, struct err_info *);
/* SSL_accept's or SSL_read's: > 0, 0 if it would block, -1 if it is over. */
int wire_result(struct conn *, int r);
int wire_read(struct conn *, char *, size_t room);
/* Sends or keeps all of it; closes the connection if it cannot. */
void wire_send(struct conn *, const char *, size_t);
/* Keeps it for wire_flush(). False: no memory. */
bool wire_keep(struct conn *, const char *, size_t);
size_t wire_kept(const struct conn *);
void wire_out_drop(struct conn *);
/* Sends what was kept. False: the connection is over. */
bool wire_flush(struct conn *);

extern const struct exchange_ops serve_ops;
/* What was just read may complete a head, a body, a request. */
void serve_advance(struct conn *);
void serve_refuse(struct conn *, const struct err_info *);

#endif
