#include "domain/machines.h"

#include "core/fsm.h"
#include "domain/alarm.h"
#include "domain/plan.h"

static void
write_words(struct text *t, const char *key, const char *const *words, size_t n)
{
	size_t i;

	json_array(t, key);
	for (i = 0; i < n; i++)
		json_string(t, NULL, words[i]);
	json_array_end(t);
}

static void
write_state(struct text *t, const char *key, const struct fsm *f, int state)
{
	if (state == FSM_ANY)
		json_null(t, key);
	else
		json_string(t, key, f->states[state]);
}

static void
write_machine(struct text *t, const struct fsm *f)
{
	size_t i;

	json_object(t, NULL);
	json_string(t, "name", f->name);
	write_words(t, "states", f->states, f->nstates);
	write_words(t, "events", f->events, f->nevents);
	json_array(t, "rows");
	for (i = 0; i < f->nrows; i++) {
		json_object(t, NULL);
		json_string(t, "id", f->rows[i].id);
		write_state(t, "from", f, f->rows[i].from);
		json_string(t, "event", f->events[f->rows[i].event]);
		write_state(t, "to", f, f->rows[i].to);
		json_object_end(t);
	}
	json_array_end(t);
	json_object_end(t);
}

void
machines_write(struct text *t)
{
	static const struct fsm *const all[] = {
	    &anomaly_fsm, &alarm_fsm, &plan_fsm, &command_fsm};
	size_t i;

	json_object(t, NULL);
	json_array(t, "items");
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		write_machine(t, all[i]);
	json_array_end(t);
	json_object_end(t);
}
