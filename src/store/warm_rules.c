/* What the loop remembers of rules, and what those in shadow found. */
#include "domain/series.h"
#include "store/warm_conn.h"

#include <string.h>

static enum err
no_memory(struct err_info *info)
{
	return (err_set(info, ERR_NO_MEMORY, NULL, "rules are too many"));
}

enum err
warm_rules_load(void *self, struct arena *a, struct rule_row **ret,
    size_t *ret_n, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	struct rule_row *rows;
	unsigned char *copy;
	int i, n;
	enum err e = warm_run(self, ST_cycle_rule_states_get, NULL, &r, info);

	if (e != ERR_OK)
		return (e);
	n = PQntuples(r);
	if ((rows = arena_calloc(a, (size_t)n, sizeof(*rows))) == NULL)
		return (no_memory(info));
	for (i = 0; i < n; i++) {
		rows[i] = (struct rule_row){
		    .rule = warm_get_i32(r, i, 0),
		    .version = warm_get_i32(r, i, 1),
		    .shadow = warm_get_bool(r, i, 2),
		    .len = (size_t)PQgetlength(r, i, 3),
		};
		if ((copy = arena_alloc(a, rows[i].len)) == NULL)
			return (no_memory(info));
		memcpy(copy, PQgetvalue(r, i, 3), rows[i].len);
		rows[i].state = copy;
	}
	*ret = rows;
	*ret_n = (size_t)n;
	return (ERR_OK);
}

enum err
warm_rules_save(
    void *self, const struct rule_row *rows, size_t n, struct err_info *info)
{
	struct warm *w = self;
	struct warm_args a = {0};
	size_t i, c;

	if (n == 0)
		return (ERR_OK);
	for (c = 0; c < 4; c++) {
		wire_reset(&w->wires[c]);
		wire_array(&w->wires[c], c == 3 ? OID_BYTEA : OID_INT4, n);
	}
	for (i = 0; i < n; i++) {
		wire_put_i32(&w->wires[0], rows[i].rule);
		wire_put_i32(&w->wires[1], rows[i].version);
		wire_put_i32(&w->wires[2], rows[i].shadow);
		wire_i32(&w->wires[3], (int32_t)rows[i].len);
		if (rows[i].len > 0)
			wire_bytes(&w->wires[3], rows[i].state, rows[i].len);
	}
	for (c = 0; c < 4; c++) {
		if (!wire_ok(&w->wires[c]))
			return (no_memory(info));
		warm_wired(&a, &w->wires[c]);
	}
	return (warm_run(w, ST_cycle_rule_states_put, &a, NULL, info));
}

enum err
warm_rule_found(void *self, const struct rule_finding *f, struct err_info *info)
{
	struct warm_args a = {0};

	warm_i32(&a, f->rule);
	warm_i32(&a, f->version);
	if (f->clear) {
		warm_time(&a, f->at_us);
		return (
		    warm_run(self, ST_cycle_rule_shadow_clear, &a, NULL, info));
	}
	warm_i32(&a, f->series);
	warm_text(&a, severity_name((enum severity)f->severity));
	warm_time(&a, f->at_us);
	warm_text(&a, f->evidence);
	return (warm_run(self, ST_cycle_rule_shadow_add, &a, NULL, info));
}
