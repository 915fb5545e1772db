#include "app/controls_json.h"

#include "model/controls.h"
#include "model/system.h"

#include <stdlib.h>

enum err
controls_json(
    const char *inp, size_t len, struct text *ret, struct err_info *info)
{
	struct control *c = calloc(SYSTEM_CONTROLS_MOST, sizeof(*c));
	size_t i, n;

	if (c == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "rules"));
	n = controls_parse(inp, len, c, SYSTEM_CONTROLS_MOST);
	json_array(ret, NULL);
	for (i = 0; i < n; i++) {
		json_object(ret, NULL);
		json_string(ret, "link", c[i].link);
		json_bool(ret, "open", c[i].open);
		json_string(ret, "node", c[i].node);
		json_bool(ret, "above", c[i].above);
		json_double(ret, "level", c[i].level);
		json_object_end(ret);
	}
	json_array_end(ret);
	free(c);
	if (!text_ok(ret))
		return (err_set(info, ERR_NO_MEMORY, NULL, "rules"));
	return (ERR_OK);
}
