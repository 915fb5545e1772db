/*
 * A page behind Kore's own parser: 200 for everything, and on stdout what was
 * asked for, as tests/edge_probe tells it.
 */
#include <sys/types.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <kore/kore.h>

#include <kore/http.h>

__attribute__((visibility("default"))) int page(struct http_request *);

__attribute__((constructor)) static void
line_buffer(void)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
}

static void
put_hex(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		(void)printf("%02x", (unsigned char)data[i]);
}

int
page(struct http_request *r)
{
	char body[4096];
	ssize_t n;

	(void)printf("seen %s ", http_method_text(r->method));
	put_hex(r->path, strlen(r->path));
	(void)printf(" ");
	if (r->query_string != NULL)
		put_hex(r->query_string, strlen(r->query_string));
	(void)printf(" ");
	while ((n = http_body_read(r, body, sizeof(body))) > 0)
		put_hex(body, (size_t)n);
	(void)printf("\n");
	http_response(r, HTTP_STATUS_OK, "{}", 2);
	return (KORE_RESULT_OK);
}
