#include "edge/octet.h"

/* clang-format off */
#define ALNUM \
	['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true
/* RFC 3986 section 3.3: unreserved, sub-delims, ":", "@"; "/" and "%". */
#define PATH \
	ALNUM, ['-'] = true, ['.'] = true, ['_'] = true, ['~'] = true, \
	['!'] = true, ['$' ... ','] = true, [';'] = true, ['='] = true, \
	[':'] = true, ['@'] = true, ['/'] = true

const bool octet_in_token[256] = {
	ALNUM, ['!'] = true, ['#' ... '\''] = true, ['*' ... '+'] = true,
	['-' ... '.'] = true, ['^' ... '`'] = true, ['|'] = true, ['~'] = true,
};
const bool octet_in_path[256] = { PATH };
const bool octet_in_query[256] = { PATH, ['?'] = true };
/* clang-format on */
