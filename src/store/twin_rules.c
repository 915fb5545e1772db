/* What is remembered of rules, and what those in shadow found, in memory. */
#include "store/twin.h"

#include <stdlib.h>
#include <string.h>

static enum err
full(const char *what, struct err_info *info)
{
	return (err_set(info, ERR_DATABASE, NULL, "no room for %s", what));
}

static enum err
rules_load(void *self, struct arena *a, struct rule_row **ret, size_t *ret_n,
    struct err_info *info)
{
	struct twin *t = self;
	unsigned char *copy;
	size_t i;
	enum err err = twin_enter(t, "rules_load", false, info);

	if (err != ERR_OK)
		return (err);
	if ((*ret = twin_list(t, a, t->nrules, sizeof(**ret))) == NULL)
		return (full("rules", info));
	for (i = 0; i < t->nrules; i++) {
		(*ret)[i] = t->rules[i].row;
		if ((copy = twin_list(t, a, 1, t->rules[i].row.len)) == NULL)
			return (full("rules", info));
		memcpy(copy, t->rules[i].state, t->rules[i].row.len);
		(*ret)[i].state = copy;
	}
	*ret_n = t->nrules;
	return (ERR_OK);
}

static enum err
put(struct twin *t, const struct rule_row *r, struct err_info *info)
{
	struct twin_rule *at = t->rules, *end = at + t->nrules;

	while (at < end &&
	    (at->row.rule != r->rule || at->row.shadow != r->shadow ||
		at->row.version != r->version))
		at++;
	if (at == t->rules + TWIN_RULES)
		return (full("rules", info));
	twin_touch(t, &t->nrules, sizeof(t->nrules));
	if (r->len == 0 && at < end) {
		twin_touch(t, at, (size_t)(end - at) * sizeof(*at));
		memmove(at, at + 1, (size_t)(end - at - 1) * sizeof(*at));
		t->nrules--;
		return (ERR_OK);
	}
	twin_touch(t, at, sizeof(*at));
	at->row = *r;
	at->row.state = NULL;
	memcpy(at->state, r->state, r->len);
	t->nrules += at == end && r->len > 0;
	return (ERR_OK);
}

static enum err
rules_save(
    void *self, const struct rule_row *r, size_t n, struct err_info *info)
{
	struct twin *t = self;
	enum err err = twin_enter(t, "rules_save", true, info);

	for (; err == ERR_OK && n > 0; n--, r++)
		err = put(t, r, info);
	return (err);
}

static enum err
rule_found(void *self, const struct rule_finding *f, struct err_info *info)
{
	struct twin *t = self;
	struct rule_finding *row = &t->findings[t->nfindings];
	enum err err = twin_enter(t, "rule_found", true, info);

	if (err != ERR_OK)
		return (err);
	if (t->nfindings == TWIN_FINDINGS)
		return (full("findings", info));
	twin_touch(t, &t->nfindings, sizeof(t->nfindings));
	twin_touch(t, row, sizeof(*row));
	*row = *f;
	row->evidence = twin_text(t, f->evidence);
	t->nfindings++;
	return (ERR_OK);
}

void
twin_rules(struct ports *p)
{
	p->knowledge.rules_load = rules_load;
	p->knowledge.rules_save = rules_save;
	p->knowledge.rule_found = rule_found;
}
