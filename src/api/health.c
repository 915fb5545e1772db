#include "api/handlers.h"

#include "api/api.h"

#define DEPENDENCIES_MAX 16

void
health_get(struct request *r)
{
	static const char body[] = "{\"status\":\"alive\"}";

	reply_json(r, 200, body, sizeof(body) - 1);
}

static void
write_dependency(struct text *t, const struct dependency *d)
{
	json_object(t, NULL);
	json_string(t, "name", d->name);
	json_bool(t, "ok", d->ok);
	json_bool(t, "required", d->required);
	json_string(t, "state", d->state);
	json_double(t, "age_s", d->age_s);
	json_object_end(t);
}

/* Ready: whatever is required is well. Degraded is ready, too. */
void
ready_get(struct request *r)
{
	struct dependency all[DEPENDENCIES_MAX];
	size_t n = r->api->dependencies(all, DEPENDENCIES_MAX);
	bool draining = r->api->draining(), ready = !draining, well = true;
	char buf[8192];
	struct text t;

	for (size_t i = 0; i < n; i++) {
		well = well && all[i].ok;
		ready = ready && (all[i].ok || !all[i].required);
	}
	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_string(&t, "status",
	    draining	 ? "draining"
		: !ready ? "not_ready"
		: well	 ? "ready"
			 : "degraded");
	json_string(&t, "version", PENSTOCK_VERSION);
	json_array(&t, "dependencies");
	for (size_t i = 0; i < n; i++)
		write_dependency(&t, &all[i]);
	json_array_end(&t);
	json_object_end(&t);
	if (ready)
		reply_text(r, 200, &t);
	else
		reply_with(r, 503, &(struct header){"Retry-After", "1"}, 1, t.s,
		    t.len);
}

#define METRICS_CAP ((size_t)4 << 20)

void
metrics_get(struct request *r)
{
	static const struct header type = {
	    "Content-Type", "text/plain; version=0.0.4; charset=utf-8"};
	struct text t;

	text_init(&t, METRICS_CAP);
	r->api->metrics(&t);
	if (text_ok(&t))
		reply_with(r, 200, &type, 1, t.s, t.len);
	else
		reply_error(r, ERR_NO_MEMORY, NULL, "no room for the metrics");
	text_done(&t);
}
