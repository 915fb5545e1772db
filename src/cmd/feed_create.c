#include <jansson.h>

#include "cmd/feed_create.h"

#include "cmd/tool.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A million names are more than one file should hold. */
#define SEEN_MAX 1000000

/* False: seen before. Node codes have no '/', so keys do not clash. */
static bool
is_new(struct feed_create *c, const char *key)
{
	json_t *seen = c->seen;

	if (seen == NULL)
		c->seen = seen = json_pack("{}");
	if (json_object_get(seen, key) != NULL ||
	    json_object_size(seen) >= SEEN_MAX)
		return (false);
	json_object_set_new(seen, key, json_true());
	return (true);
}

static bool
ensure_node(struct feed_create *c, const char *node)
{
	char item[512] = "/api/v1/nodes", body[1024];
	struct text t;
	bool made;

	if (!is_new(c, node))
		return (true);
	text_init_fixed(&t, body, sizeof(body));
	json_object(&t, NULL);
	json_string(&t, "code", node);
	json_string(&t, "type", c->type);
	json_object_end(&t);
	if (!client_segment(item, sizeof(item), node) || !text_ok(&t)) {
		tool_error("the node code \"%.40s...\" is too long", node);
		return (false);
	}
	if (!ensure_there(&c->ensure, item, "/api/v1/nodes", body, &made))
		return (false);
	c->nodes += made;
	return (true);
}

bool
feed_create_series(struct feed_create *c, const char *node, const char *metric,
    const char *unit)
{
	char item[1024] = "/api/v1/series", body[2048], key[1024];
	struct text t;
	bool made;

	snprintf(key, sizeof(key), "%s/%s", node, metric);
	if (!is_new(c, key))
		return (true);
	if (!ensure_node(c, node))
		return (false);
	text_init_fixed(&t, body, sizeof(body));
	json_object(&t, NULL);
	json_string(&t, "node", node);
	json_string(&t, "metric", metric);
	if (unit[0] != '\0')
		json_string(&t, "unit", unit);
	json_object_end(&t);
	if (!client_segment(item, sizeof(item), node) ||
	    !client_segment(item, sizeof(item), metric) || !text_ok(&t)) {
		tool_error("the series %.40s... is too long", key);
		return (false);
	}
	if (!ensure_there(&c->ensure, item, "/api/v1/series", body, &made))
		return (false);
	c->series += made;
	return (true);
}

void
feed_create_free(struct feed_create *c)
{
	json_decref(c->seen);
	c->seen = NULL;
}
