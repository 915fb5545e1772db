/* The life of alarms, as the loop reads and writes it. */
#include "core/instant.h"
#include "core/log.h"
#include "core/text.h"
#include "domain/alarm.h"
#include "store/warm_conn.h"

#include <string.h>

/* Alarms per cycle: what is left comes in the next. */
#define DUE_MOST 5000
#define JSON_MAX ((size_t)64 << 20)

enum err
warm_holds_turn(void *self, int64_t now_us, struct err_info *info)
{
	struct warm_args a = {0};

	warm_time(&a, now_us);
	return (warm_run(self, ST_cycle_holds_turn, &a, NULL, info));
}

static void
class_of(const PGresult *r, int i, struct alarm_class *c)
{
	*c = (struct alarm_class){
	    .needs_ack = warm_get_bool(r, i, 16),
	    .latching = warm_get_bool(r, i, 17),
	    .escalate_us = warm_get_span(r, i, 18),
	    .climb_us = warm_get_span(r, i, 19),
	    .fall_us = warm_get_span(r, i, 20),
	    .chatter_limit = warm_get_i32(r, i, 21),
	    .chatter_window_us = warm_get_span(r, i, 22),
	    .chatter_hold_us = warm_get_span(r, i, 23),
	};
}

static bool
alarm_of(struct arena *arena, const PGresult *r, int i, struct alarm *x)
{
	int type = anomaly_type_parse(warm_get_text(r, i, 2));
	int direction = direction_parse(warm_get_text(r, i, 3));
	int severity = severity_parse(warm_get_text(r, i, 4));
	int state = fsm_state(&alarm_fsm, warm_get_text(r, i, 5));
	int priority = severity_parse(warm_get_text(r, i, 7));

	*x = (struct alarm){
	    .id = warm_get_i64(r, i, 0),
	    .condition = {warm_get_i32(r, i, 1), (enum anomaly_type)type,
		(enum direction)direction, (enum severity)severity, 0},
	    .state = (enum alarm_state)state,
	    .open = warm_get_bool(r, i, 6),
	    .priority = (enum severity)priority,
	    .last_us = warm_get_time(r, i, 8),
	    .state_us = warm_get_time(r, i, 9),
	    .priority_us = warm_get_time(r, i, 10),
	    .turned_us = warm_get_time(r, i, 11),
	    .shelved_until_us = warm_get_time(r, i, 12),
	    .due_us = INSTANT_NONE,
	    .times = warm_get_i32(r, i, 13),
	    .escalations = warm_get_i32(r, i, 14),
	    .times_before = warm_get_i32(r, i, 15),
	    .maintenance = warm_get_i64(r, i, 24),
	    .out_of_service = warm_get_i64(r, i, 25),
	    .sensor_fault = warm_get_i64(r, i, 26),
	    .successor = warm_get_i64(r, i, 27),
	    .evidence = warm_dup_text(arena, r, i, 28),
	};
	class_of(r, i, &x->class);
	return (type >= 0 && direction >= 0 && severity >= 0 && state >= 0 &&
	    priority >= 0);
}

enum err
warm_alarms_due(void *self, struct arena *arena, int64_t now_us,
    struct alarm **ret, size_t *ret_n, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	struct alarm *x;
	size_t n = 0;
	int i;
	enum err e;

	warm_time(&a, now_us);
	warm_i64(&a, DUE_MOST);
	e = warm_run(self, ST_cycle_alarms_due, &a, &r, info);
	if (e != ERR_OK)
		return (e);
	x = arena_alloc(arena, (size_t)PQntuples(r) * sizeof(*x));
	for (i = 0; x != NULL && i < PQntuples(r); i++) {
		if (!alarm_of(arena, r, i, &x[n])) {
			log_event(LOG_LEVEL_ERROR, "alarm_unreadable", "id",
			    LOG_INT, x[n].id, NULL);
			continue;
		}
		if (x[n].evidence == NULL)
			return (err_set(info, ERR_NO_MEMORY, NULL, "alarms"));
		n++;
	}
	if (x == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "alarms"));
	*ret = x;
	*ret_n = n;
	return (ERR_OK);
}

static void
write_time(struct text *t, const char *key, int64_t t_us)
{
	if (t_us == INSTANT_NONE)
		json_null(t, key);
	else
		json_instant(t, key, t_us);
}

static void
write_alarm(struct text *t, const struct alarm *x, int moves, bool again)
{
	json_object(t, NULL);
	json_int(t, "id", x->id);
	json_string(t, "state", alarm_state_name(x->state));
	json_string(t, "priority", severity_name(x->priority));
	write_time(t, "state_at", x->state_us);
	write_time(t, "priority_at", x->priority_us);
	write_time(t, "turned_at", x->turned_us);
	write_time(t, "shelved_until", x->shelved_until_us);
	write_time(t, "due_at", x->due_us);
	json_int(t, "times", x->times);
	json_int(t, "escalations", x->escalations);
	json_int(t, "moves", moves);
	json_bool(t, "again", again);
	json_object_end(t);
}

static void
write_move(struct text *t, const struct alarm_move *m, size_t n)
{
	json_object(t, NULL);
	json_int(t, "n", (int64_t)n);
	json_int(t, "id", m->id);
	json_string(t, "row", m->row->id);
	json_string(t, "from", alarm_fsm.states[m->row->from]);
	json_string(t, "to", alarm_fsm.states[m->row->to]);
	json_string(t, "event", alarm_fsm.events[m->row->event]);
	json_instant(t, "at", m->at_us);
	json_raw(t, "facts", m->facts, strlen(m->facts));
	json_object_end(t);
}

struct alarms {
	const struct alarm *alarms;
	size_t n;
	const struct alarm_move *moves; /* in the order of their alarms */
	size_t nmoves;
};

static void
write_all(struct text *alarms, struct text *moves, const struct alarms *p)
{
	const struct alarm *x = p->alarms;
	const struct alarm_move *m = p->moves;
	size_t i, at = 0, first;
	bool again;

	json_array(alarms, NULL);
	json_array(moves, NULL);
	for (i = 0; i < p->n; i++) {
		again = false;
		for (first = at; at < p->nmoves && m[at].id == x[i].id; at++) {
			again |= m[at].row->to == ALARM_UNACKNOWLEDGED &&
			    m[at].row->from != ALARM_UNACKNOWLEDGED;
			write_move(moves, &m[at], at);
		}
		write_alarm(alarms, &x[i], (int)(at - first), again);
	}
	json_array_end(alarms);
	json_array_end(moves);
}

enum err
warm_alarms_put(void *self, const struct alarm *x, size_t n,
    const struct alarm_move *m, size_t nmoves, struct err_info *info)
{
	struct warm *w = self;
	struct warm_args a = {0};
	struct text alarms, moves;
	enum err e = ERR_NO_MEMORY;

	text_init(&alarms, JSON_MAX);
	text_init(&moves, JSON_MAX);
	write_all(&alarms, &moves, &(struct alarms){x, n, m, nmoves});
	if (text_ok(&alarms) && text_ok(&moves)) {
		warm_text(&a, alarms.s);
		warm_text(&a, moves.s);
		warm_i64(&a, w->version);
		e = warm_run(w, ST_cycle_alarms_put, &a, NULL, info);
	} else {
		(void)err_set(info, e, NULL, "alarms");
	}
	text_done(&alarms);
	text_done(&moves);
	return (e);
}

enum err
warm_alarms_group(void *self, int64_t now_us, struct err_info *info)
{
	struct warm_args a = {0};

	warm_time(&a, now_us);
	return (warm_run(self, ST_cycle_incidents, &a, NULL, info));
}
