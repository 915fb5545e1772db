#include "edge/hops.h"
#include "edge/internal.h"
#include "edge/ticket.h"
#include "edge/tls.h"

#include "core/log.h"
#include "core/metrics.h"

#include <dlfcn.h>
#include <netdb.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <kore/kore.h>
#include <kore/tasks.h>

#define TICK_MS		 500
#define DRAIN_STEP	 20  /* ms */
#define SPARE_FDS	 256 /* database, cache, gateways, files */
#define OPEN_FDS	 32
#define RESTART_PAUSE_US 200000
#define FULL_ROOM	 64 /* accepted and closed at once, see below */

static struct edge_config config;
static pid_t parent_pid;
static atomic_bool *stopping; /* shared by all workers */
static struct peers *peers;   /* likewise */
static struct hops hops;
static volatile sig_atomic_t reload_asked;
static void (*reload_also)(void);
static bool torn_down;

/* Piped stdout is block-buffered: lines would be lost or doubled by fork. */
__attribute__((constructor)) static void
line_buffer(void)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
}

static void
set_defaults(void)
{
	if (config.header_max == 0)
		config.header_max = 8192;
	if (config.header_max > EDGE_HEADER_MAX)
		config.header_max = EDGE_HEADER_MAX;
	if (config.body_max == 0)
		config.body_max = (size_t)8 << 20;
	if (config.headers_max == 0 || config.headers_max > EDGE_HEADERS_MAX)
		config.headers_max = EDGE_HEADERS_MAX;
	if (config.keepalive_s == 0)
		config.keepalive_s = 60;
	if (config.header_timeout_s == 0)
		config.header_timeout_s = 10;
	if (config.body_timeout_s == 0)
		config.body_timeout_s = 60;
	if (config.ticket_life_s == 0)
		config.ticket_life_s = 7200;
	if (config.drain_ms == 0)
		config.drain_ms = 8000;
}

static void
set_kore(void)
{
	worker_count = (u_int8_t)config.workers;
	worker_max_connections = config.connections_max;
	/* A lone worker keeps the accept lock, and beyond Kore's limit it
	 * would spin on the listener; so we close what is too much. */
	if (config.workers == 1)
		worker_max_connections += FULL_ROOM;
	worker_rlimit_nofiles = worker_max_connections + SPARE_FDS;
	worker_accept_threshold = 1; /* else one worker takes them all */
	worker_set_affinity = 0;     /* threads would inherit the one core */
	kore_task_threads = EDGE_THREADS;
}

/* Kore unloads the module before a worker exits, threads or not. */
static void
stay_loaded(void)
{
	Dl_info self;

	if (dladdr(&config, &self) == 0 ||
	    dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE) ==
		NULL)
		fatal("cannot pin the module: %s", dlerror());
}

/*
 * Each worker looks at every descriptor up to the soft limit, which may be a
 * thousand million in a container. And one that runs out of them spins on the
 * listener and cannot reach the database again.
 */
static void
bound_descriptors(void)
{
	/* Kore asks for as many more as are open: two per worker and a few. */
	rlim_t need = worker_rlimit_nofiles + 2 * config.workers + OPEN_FDS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		fatal("getrlimit: %s", errno_s);
	limit.rlim_cur = need;
	if (limit.rlim_max < need)
		limit.rlim_max = need;
	if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
		fatal("%u connections per worker need %llu open files: %s",
		    config.connections_max, (unsigned long long)need, errno_s);
}

/* Kore would end without a word about the setting. */
static void
check_host(void)
{
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(config.host, NULL, NULL, &list);

	if (rc != 0)
		fatal("PENSTOCK_HOST %s: %s", config.host, gai_strerror(rc));
	freeaddrinfo(list);
}

static void *
share(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fatal("mmap: %s", errno_s);
	return (p);
}

static void
share_state(void)
{
	uint64_t seed;

	stopping = share(sizeof(*stopping));
	peers = share(peers_size(config.workers));
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		fatal("getrandom: %s", errno_s);
	peers_init(peers, config.workers, seed);
}

static void
open_hops(void)
{
	struct err_info info = {.code = ERR_OK};

	if (config.proxies != NULL &&
	    hops_parse(config.proxies, config.proxy_field, &hops, &info) !=
		ERR_OK)
		fatal(
		    "PENSTOCK_PROXIES, PENSTOCK_PROXY_FIELD: %s", info.detail);
}

static void
open_tls(void)
{
	struct err_info info = {.code = ERR_OK};
	struct tls_config tls = {.cert_path = config.cert_path,
	    .key_path = config.key_path,
	    .client_ca_path = config.client_ca_path,
	    .ticket_life_s = config.ticket_life_s};

	if (tls_open(&tls, &info) != ERR_OK)
		fatal("%s", info.detail);
	metric_gauge_set(GAUGE_TLS_EXPIRES_US, tls_expires_us());
	if (tls_expires_us() < (int64_t)time(NULL) * 1000000)
		log_event(LOG_LEVEL_ERROR, "tls_expired", "certificate",
		    LOG_STR, config.cert_path, NULL);
}

void
edge_parent(const struct edge_config *given)
{
	struct kore_server *server;
	char port[8];

	config = *given;
	set_defaults();
	set_kore();
	bound_descriptors();
	stay_loaded();
	parent_pid = getpid();
	share_state();
	open_hops();
	open_tls();
	check_host();
	/* TLS is ours: to Kore it is a plain server without domains. */
	server = kore_server_create("penstock");
	server->tls = 0;
	(void)snprintf(port, sizeof(port), "%u", (unsigned)config.port);
	if (!kore_server_bind(server, config.host, port, "edge_accept"))
		fatal(
		    "PENSTOCK_PORT: cannot listen on %s:%s", config.host, port);
	/* Kore would unload this module under our feet. */
	(void)signal(SIGHUP, SIG_IGN);
}

static void
on_usr1(int sig)
{
	(void)sig;
	reload_asked = 1;
}

static void
reload(void)
{
	struct err_info info = {.code = ERR_OK};

	if (tls_reload(&info) == ERR_OK) {
		metric_count(COUNTER_TLS_LOADED, 1);
		metric_gauge_set(GAUGE_TLS_EXPIRES_US, tls_expires_us());
		log_event(LOG_LEVEL_INFO, "tls_loaded", "worker", LOG_INT,
		    (int64_t)worker->id, NULL);
		return;
	}
	metric_count(COUNTER_TLS_KEPT, 1);
	log_event(LOG_LEVEL_ERROR, "tls_kept", "worker", LOG_INT,
	    (int64_t)worker->id, "reason", LOG_STR, info.detail, NULL);
}

void
edge_on_reload(void (*also)(void))
{
	reload_also = also;
}

static void
on_tick(void *arg, u_int64_t now)
{
	(void)arg;
	(void)now;
	if (reload_asked) {
		reload_asked = 0;
		reload();
		if (reload_also != NULL)
			reload_also();
	}
	ticket_tick(edge_monotonic_us());
	conn_tick();
	loop_bury();
}

/*
 * A worker that exits with 0 by mistake is never replaced and keeps the
 * accept lock. And one that is done must not run the destructors of a dozen
 * libraries while threads are alive: some of them wait for locks.
 */
static void
on_exit_handler(void)
{
	(void)fflush(NULL);
	_exit(torn_down ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void
set_signals(void)
{
	struct sigaction sa = {.sa_handler = on_usr1, .sa_flags = SA_RESTART};

	(void)sigfillset(&sa.sa_mask);
	(void)sigaction(SIGUSR1, &sa, NULL);
	(void)signal(SIGHUP, SIG_IGN);
}

void
edge_worker(void (*handle)(struct exchange *))
{
	/* Kore's workers outlive a killed parent. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1)
		fatal("prctl: %s", errno_s);
	if (getppid() != parent_pid)
		_exit(EXIT_FAILURE);
	(void)atexit(on_exit_handler);
	set_signals();
	if (worker->restarted) {
		/* Kore forks again at once, hundreds of times a second. */
		(void)usleep(RESTART_PAUSE_US);
		/* The parent's certificate may be an old one by now. */
		reload();
	}
	client_open(peers, worker->id - 1u, &hops, config.address_max);
	conn_open(&config, handle);
	(void)kore_timer_add(on_tick, TICK_MS, NULL, 0);
}

bool
edge_draining(void)
{
	return (stopping != NULL && atomic_load(stopping));
}

void
edge_teardown(bool (*idle)(void))
{
	u_int64_t now = kore_time_ms(), end = now + config.drain_ms;
	unsigned active;

	atomic_store(stopping, true);
	if (worker->has_lock)
		kore_platform_disable_accept();
	conn_drain();
	while (((active = conn_active()) > 0 || edge_offload_pending() > 0 ||
		   (idle != NULL && !idle())) &&
	    now < end) {
		kore_platform_event_wait(DRAIN_STEP);
		now = kore_time_ms();
		kore_timer_run(now);
		kore_connection_prune(KORE_CONNECTION_PRUNE_DISCONNECT);
	}
	if (active > 0)
		log_event(LOG_LEVEL_WARN, "drain_cut", "worker", LOG_INT,
		    (int64_t)worker->id, "requests", LOG_INT, (int64_t)active,
		    NULL);
	conn_close_all();
	torn_down = true;
}
