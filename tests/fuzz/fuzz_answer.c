/* What a gateway answers, against jansson: a member is heard where it is said,
 * and nowhere else. */
#include <jansson.h>

#include "field/answer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEEP 8 /* well within what answer.c takes */

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* jansson passes over a NUL behind a number, and knows an escaped word. */
static bool
is_flat(const char *s, size_t len)
{
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		depth += s[i] == '{' || s[i] == '[';
		if (depth > DEEP || s[i] == '\\' || s[i] == '\0')
			return (false);
	}
	return (true);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *s = malloc(len); /* so that what is beyond it is seen */
	bool says;
	json_error_t e;
	const char *v;
	json_t *j;

	memcpy(s, data, len);
	says = answer_says(s, len, "result", "done");
	j = json_loadb(s, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
	v = json_string_value(json_object_get(j, "result"));
	/* jansson refuses what is no UTF-8, what overflows, and any member's
	 * name that comes twice: none of that changes what is said. */
	if (says && j != NULL && (v == NULL || strcmp(v, "done") != 0))
		abort();
	if (says && j == NULL &&
	    json_error_code(&e) == json_error_premature_end_of_input)
		abort();
	if (!says && v != NULL && strcmp(v, "done") == 0 && is_flat(s, len))
		abort();
	json_decref(j);
	free(s);
	return (0);
}
