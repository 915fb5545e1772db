#include "mape/policy.h"

#include "domain/plan.h"

static const char *
policy_of(const struct act *a, const struct plan *p, bool emergency)
{
	if (a->now_us >= p->expires_us || p->anomaly_cleared || p->undoes != 0)
		return (NULL);
	if (emergency)
		return (p->preapproved ? "emergency" : NULL);
	return (a->rules->low_risk && p->risk == RISK_LOW ? "low-risk" : NULL);
}

enum err
policy_decide(struct act *a)
{
	const struct knowledge_port *k = &a->ports->knowledge;
	const struct decisions_port *d = &a->ports->decisions;
	const struct notifier_port *notifier = &a->ports->notifier;
	struct plan *plans;
	const char *policy;
	bool emergency, allowed;
	size_t i, n;
	enum err err;

	if ((err = k->emergency(k->self, &emergency, a->info)) != ERR_OK ||
	    (!emergency && !a->rules->low_risk))
		return (err);
	err =
	    d->plans_in(d->self, a->arena, PLAN_PROPOSED, &plans, &n, a->info);
	for (i = 0; err == ERR_OK && i < n; i++) {
		if ((policy = policy_of(a, &plans[i], emergency)) == NULL)
			continue;
		err = d->plan_unasked(
		    d->self, plans[i].id, policy, &allowed, a->info);
		if (err == ERR_OK && allowed)
			notifier->notify(
			    notifier->self, "plan_unasked", plans[i].id, "{}");
	}
	return (err);
}
