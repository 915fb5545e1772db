#include "core/problem.h"

#include <stdio.h>

void
problem_write(
    struct text *t, const struct err_info *info, const char *request_id)
{
	char type[64];

	(void)snprintf(
	    type, sizeof(type), "/problems/%s", err_slug(info->code));
	json_object(t, NULL);
	json_string(t, "type", type);
	json_string(t, "title", err_title(info->code));
	json_int(t, "status", err_status(info->code));
	if (info->detail[0] != '\0')
		json_string(t, "detail", info->detail);
	if (info->reason != NULL)
		json_string(t, "reason", info->reason);
	if (request_id != NULL && request_id[0] != '\0')
		json_string(t, "request_id", request_id);
	if (info->pointer[0] != '\0') {
		json_array(t, "errors");
		json_object(t, NULL);
		json_string(t, "pointer", info->pointer);
		json_string(t, "detail", info->detail);
		json_object_end(t);
		json_array_end(t);
	}
	json_object_end(t);
}
