#include "store/warm.h"

#include "core/instant.h"
#include "core/log.h"
#include "core/text.h"
#include "store/warm_segments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct warm *
warm_new(const char *conninfo, const char *application_name)
{
	struct warm *w = calloc(1, sizeof(*w));
	char host[64] = "";

	if (w == NULL)
		return (NULL);
	pthread_mutex_init(&w->cancel_lock, NULL);
	w->conninfo = strdup(conninfo);
	w->name = strdup(application_name);
	w->version = -1;
	(void)gethostname(host, sizeof(host) - 1);
	(void)snprintf(
	    w->instance, sizeof(w->instance), "%s:%ld", host, (long)getpid());
	if (w->conninfo == NULL || w->name == NULL) {
		warm_free(w);
		return (NULL);
	}
	return (w);
}

void
warm_free(struct warm *w)
{
	size_t i;

	if (w == NULL)
		return;
	PQfreeCancel(w->cancel);
	PQfinish(w->conn);
	for (i = 0; i < WARM_ARGS; i++)
		wire_done(&w->wires[i]);
	pthread_mutex_destroy(&w->cancel_lock);
	warm_segments_done(w);
	free(w->taken);
	free(w->conninfo);
	free(w->name);
	free(w);
}

void
warm_forget(struct warm *w)
{
	w->ntaken = 0;
	w->nevents = w->nmore = 0;
	w->nparts = w->nwanted = w->ndays = 0;
	w->locked = false;
}

/* The operator's conninfo comes after our defaults and before the name. */
enum err
warm_connect(struct warm *w, struct err_info *info)
{
	const char *keys[] = {"connect_timeout", "keepalives_idle",
	    "keepalives_interval", "keepalives_count", "tcp_user_timeout",
	    "dbname", "application_name", NULL};
	const char *values[] = {
	    "5", "10", "5", "3", "20000", w->conninfo, w->name, NULL};
	AUTO_RESULT r = NULL;
	enum err e;

	if (w->conn != NULL)
		return (ERR_OK);
	w->conn = PQconnectdbParams(keys, values, 1);
	if (w->conn == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "connect"));
	if (PQstatus(w->conn) != CONNECTION_OK)
		return (warm_error(w, NULL, "connect", info));
	pthread_mutex_lock(&w->cancel_lock);
	w->cancel = PQgetCancel(w->conn);
	pthread_mutex_unlock(&w->cancel_lock);
	if ((e = warm_run(w, ST_cycle_setup, NULL, &r, info)) == ERR_OK) {
		w->rollups_oid = (uint32_t)warm_get_i32(r, 0, 0);
		w->latest_oid = (uint32_t)warm_get_i32(r, 0, 1);
		w->open_oid = (uint32_t)warm_get_i32(r, 0, 2);
		log_event(LOG_LEVEL_INFO, "connected", "name", LOG_STR, w->name,
		    "instance", LOG_STR, w->instance, NULL);
	}
	return (e);
}

enum err
warm_open(struct warm *w, struct err_info *info)
{
	return (warm_connect(w, info));
}

enum err
warm_lead(struct warm *w, bool *ret_leader, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	bool was = w->leader;
	enum err e = warm_connect(w, info);

	if (e != ERR_OK)
		return (e);
	e = warm_run(w, was ? ST_cycle_leads : ST_cycle_lead, NULL, &r, info);
	if (e != ERR_OK)
		return (e);
	w->leader = warm_get_bool(r, 0, 0);
	if (w->leader != was)
		log_event(LOG_LEVEL_INFO,
		    w->leader ? "loop_leads" : "loop_leads_no_more", "instance",
		    LOG_STR, w->instance, NULL);
	*ret_leader = w->leader;
	return (ERR_OK);
}

enum err
warm_name(struct warm *w, const char *cycle_id, struct err_info *info)
{
	struct warm_args a = {0};
	char name[64]; /* NAMEDATALEN */

	(void)snprintf(name, sizeof(name), "%s %s", w->name, cycle_id);
	warm_text(&a, name);
	return (warm_run(w, ST_cycle_name, &a, NULL, info));
}

enum err
warm_gauges(struct warm *w, struct warm_gauges *ret, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	enum err e = warm_run(w, ST_cycle_gauges, NULL, &r, info);
	int i;

	if (e != ERR_OK)
		return (e);
	ret->backlog = (int64_t)((double)warm_get_i64(r, 0, 0) * w->row_mean);
	for (i = 0; i < 3; i++)
		ret->open[i] = warm_get_i64(r, 0, 1 + i);
	ret->breakers = warm_get_i64(r, 0, 4);
	ret->unacknowledged = warm_get_i64(r, 0, 5);
	ret->stale = warm_get_i64(r, 0, 6);
	ret->raised = warm_get_i64(r, 0, 7);
	ret->reviews = warm_get_i64(r, 0, 8);
	for (i = 0; i < PLAN_STATE_COUNT; i++)
		ret->plans[i] = warm_get_i64(r, 0, 9 + i);
	return (ERR_OK);
}

void
warm_cancel(struct warm *w)
{
	char why[256];

	pthread_mutex_lock(&w->cancel_lock);
	if (w->cancel != NULL)
		(void)PQcancel(w->cancel, why, sizeof(why));
	pthread_mutex_unlock(&w->cancel_lock);
}

/* NOTIFY takes less than 8,000 bytes; the detail is the first to go. */
static void
notify(void *self, const char *what, int64_t id, const char *detail)
{
	struct warm *w = self;
	struct warm_args a = {0};
	struct err_info info = {0};
	struct warm_event *event;
	char buf[7900];
	struct text t;
	bool whole = detail != NULL && strlen(detail) < sizeof(buf) - 200;

	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_string(&t, "event", what);
	json_int(&t, "id", id);
	if (whole)
		json_raw(&t, "detail", detail, strlen(detail));
	json_object_end(&t);
	warm_text(&a, buf);
	if (warm_run(w, ST_cycle_notify, &a, NULL, &info) != ERR_OK) {
		log_event(LOG_LEVEL_WARN, "notify_failed", "what", LOG_STR,
		    what, "why", LOG_STR, info.detail, NULL);
		return;
	}
	if (PQtransactionStatus(w->conn) == PQTRANS_IDLE) {
		log_event(LOG_LEVEL_INFO, what, "id", LOG_INT, id, NULL);
	} else if (w->nevents < WARM_EVENTS) {
		event = &w->events[w->nevents++];
		(void)snprintf(event->what, sizeof(event->what), "%s", what);
		event->id = id;
	} else {
		w->nmore++;
	}
}

void
warm_ports(struct warm *w, struct ports *p)
{
	p->telemetry = warm_telemetry(w);
	p->knowledge = warm_knowledge(w);
	p->decisions = warm_decisions(w);
	p->notifier = (struct notifier_port){w, notify};
}
