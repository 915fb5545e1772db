/* Accept, Accept-Encoding and If-None-Match: within their bytes, and by their
 * own rules. */
#include "api/etag.h"
#include "api/gzip.h"
#include "api/media.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const offered[] = {"application/json", "text/csv"};
	static const char tag[] = "\"abc\"", entry[] = ",\"abc\"";
	char *s = malloc(len + sizeof(entry));
	int chosen, first;

	if (s == NULL)
		return (0);
	memcpy(s, data, len);
	s[len] = '\0';
	chosen = media_choose(s, offered, 2);
	first = media_choose(s, offered, 1);
	if (chosen < -1 || chosen > 1 || first < -1 || first > 0 ||
	    (chosen == -1 && first != -1))
		abort();
	/* Whoever names no coding, nor any, has not asked for this one. */
	if (gzip_accepted(s) && strcasestr(s, "gzip") == NULL &&
	    strchr(s, '*') == NULL)
		abort();
	/* What is matched stays matched, whatever follows it. */
	if (strchr(s, '*') == NULL && etag_matches(s, tag)) {
		memcpy(s + len, entry, sizeof(entry));
		if (strlen(s) == len + sizeof(entry) - 1 &&
		    !etag_matches(s, tag))
			abort();
	}
	free(s);
	return (0);
}
