#include "core/exchange.h"

const char *
method_name(enum method m)
{
	static const char *const names[METHOD_COUNT] = {
	    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

	return (names[m]);
}
