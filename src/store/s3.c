#include "store/s3.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIES	    3
#define CONNECT_MS  5000L
#define STALLED_S   30L /* below a KiB a second */
#define ANSWER_MOST 512

enum { PUT, GET, HEAD };

/* SHA-256 of nothing. */
#define SHA_EMPTY \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct call {
	const struct s3 *s3;
	const char *key;
	int method;
	FILE *file;
	uint64_t from, len; /* len of HEAD: the answer */
	const char *sha256; /* hex */
	/* Of one try. */
	CURL *easy;
	struct curl_slist *headers;
	long start; /* of the file */
	uint64_t received;
	char answer[ANSWER_MOST + 1], why[CURL_ERROR_SIZE];
	size_t answer_len;
};

/* What the server says of a failure is short; what it sends else is data. */
static size_t
on_data(char *data, size_t one, size_t n, void *arg)
{
	struct call *c = arg;
	size_t room = ANSWER_MOST - c->answer_len;
	long status = 0;

	n *= one;
	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (c->method == GET && status / 100 == 2) {
		c->received += n;
		if (c->received > c->len)
			return (0);
		return (fwrite(data, 1, n, c->file));
	}
	if (room > n)
		room = n;
	memcpy(c->answer + c->answer_len, data, room);
	c->answer_len += room;
	c->answer[c->answer_len] = '\0';
	return (n);
}

/* Everything but the unreserved and '/' by its number (RFC 3986 section 2.1):
 * the server signs the path so, and '=' is in ours. */
static bool
encode_key(const char *key, char *ret, size_t size)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl"
				    "mnopqrstuvwxyz0123456789-._~/";
	size_t n = 0;

	for (; *key != '\0'; key++) {
		if (n + 4 > size)
			return (false);
		if (strchr(plain, *key) != NULL)
			ret[n++] = *key;
		else
			n += (size_t)snprintf(
			    ret + n, size - n, "%%%02X", (unsigned char)*key);
	}
	ret[n] = '\0';
	return (true);
}

static bool
set_url(struct call *c)
{
	char key[1024], url[2048];
	size_t n = strlen(c->s3->endpoint);
	int len;

	while (n > 0 && c->s3->endpoint[n - 1] == '/')
		n--;
	if (!encode_key(c->key, key, sizeof(key)))
		return (false);
	len = snprintf(url, sizeof(url), "%.*s/%s/%s", (int)n, c->s3->endpoint,
	    c->s3->bucket, key);
	return (len > 0 && len < (int)sizeof(url) &&
	    curl_easy_setopt(c->easy, CURLOPT_URL, url) == CURLE_OK);
}

static bool
add_header(struct call *c, const char *line)
{
	struct curl_slist *more = curl_slist_append(c->headers, line);

	if (more != NULL)
		c->headers = more;
	return (more != NULL);
}

/* libcurl 7.88 signs whatever is in this list, even a header that the list only
 * takes away ("Expect:"), so there is nothing else in it. */
static bool
set_identity(struct call *c)
{
	char sign[100], sha[120];

	(void)snprintf(sign, sizeof(sign), "aws:amz:%s:s3", c->s3->region);
	(void)snprintf(sha, sizeof(sha), "x-amz-content-sha256: %s", c->sha256);
	return (add_header(c, sha) &&
	    curl_easy_setopt(c->easy, CURLOPT_AWS_SIGV4, sign) == CURLE_OK &&
	    curl_easy_setopt(c->easy, CURLOPT_USERNAME, c->s3->access_key) ==
		CURLE_OK &&
	    curl_easy_setopt(c->easy, CURLOPT_PASSWORD, c->s3->secret_key) ==
		CURLE_OK &&
	    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers) ==
		CURLE_OK);
}

static void
set_transport(struct call *c)
{
	CURL *e = c->easy;

	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1024L);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, STALLED_S);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	if (c->s3->ca_path != NULL)
		curl_easy_setopt(e, CURLOPT_CAINFO, c->s3->ca_path);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->why);
}

static void
set_method(struct call *c)
{
	char range[64];

	if (c->method == PUT) {
		curl_easy_setopt(c->easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c->easy, CURLOPT_READDATA, c->file);
		curl_easy_setopt(
		    c->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)c->len);
	} else if (c->method == HEAD) {
		curl_easy_setopt(c->easy, CURLOPT_NOBODY, 1L);
	} else {
		(void)snprintf(range, sizeof(range), "%llu-%llu",
		    (unsigned long long)c->from,
		    (unsigned long long)(c->from + c->len - 1));
		curl_easy_setopt(c->easy, CURLOPT_RANGE, range);
	}
}

/* The reason in the server's XML, or the start of what it said. */
static const char *
said(struct call *c, int *ret_len)
{
	const char *at = strstr(c->answer, "<Code>"), *end;

	if (at != NULL && (end = strchr(at + 6, '<')) != NULL) {
		*ret_len = (int)(end - at - 6);
		return (at + 6);
	}
	*ret_len = (int)strcspn(c->answer, "\r\n");
	return (c->answer);
}

static enum err
judge(struct call *c, CURLcode rc, struct err_info *info)
{
	static const char *const verb[] = {"PUT", "GET", "HEAD"};
	curl_off_t size = -1;
	const char *text;
	long status = 0;
	enum err e;
	int len;

	if (rc != CURLE_OK)
		return (err_set(info, ERR_ARCHIVE, NULL, "S3 %s %s: %s",
		    verb[c->method], c->key,
		    c->why[0] != '\0' ? c->why : curl_easy_strerror(rc)));
	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(
	    c->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
	if (status == 200 && c->method == HEAD && size >= 0) {
		c->len = (uint64_t)size;
		return (ERR_OK);
	}
	/* 200 instead of 206: the server knows no ranges and sent it all. */
	if (status / 100 == 2 && c->method != HEAD &&
	    (c->method == PUT ||
		(c->received == c->len && (status == 206 || c->from == 0))))
		return (ERR_OK);
	e = status == 404		     ? ERR_NOT_FOUND
	    : status == 401 || status == 403 ? ERR_FORBIDDEN
					     : ERR_ARCHIVE;
	text = said(c, &len);
	return (err_set(info, e, NULL, "S3 %s %s: status %ld %.*s",
	    verb[c->method], c->key, status, len > 100 ? 100 : len, text));
}

static enum err
attempt(struct call *c, struct err_info *info)
{
	enum err e;

	c->received = 0;
	c->answer_len = 0;
	c->answer[0] = c->why[0] = '\0';
	c->headers = NULL;
	if (c->file != NULL && (fseek(c->file, c->start, SEEK_SET) != 0))
		return (err_set(info, ERR_INTERNAL, NULL, "S3 file: no seek"));
	c->easy = curl_easy_init();
	if (c->easy == NULL || !set_url(c) || !set_identity(c)) {
		e = err_set(info, ERR_NO_MEMORY, NULL, "S3 request");
	} else {
		set_transport(c);
		set_method(c);
		e = judge(c, curl_easy_perform(c->easy), info);
	}
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	return (e);
}

/* Every request here may be repeated: none changes what the one before did. */
static enum err
run(struct call *c, struct err_info *info)
{
	struct timespec nap = {.tv_nsec = 200000000};
	enum err e;
	int i;

	if (c->file != NULL && (c->start = ftell(c->file)) == -1)
		return (err_set(info, ERR_INTERNAL, NULL, "S3 file: no seek"));
	for (i = 1;; i++) {
		err_clear(info);
		e = attempt(c, info);
		if (e != ERR_ARCHIVE || i == TRIES)
			return (e);
		(void)nanosleep(&nap, NULL);
		nap.tv_nsec *= 2;
	}
}

enum err
s3_put(const struct s3 *s, const char *key, FILE *f, uint64_t len,
    const unsigned char sha256[static 32], struct err_info *info)
{
	char hex[65];
	struct call c = {.s3 = s,
	    .key = key,
	    .method = PUT,
	    .file = f,
	    .len = len,
	    .sha256 = hex};
	int i;

	for (i = 0; i < 32; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", sha256[i]);
	rewind(f);
	return (run(&c, info));
}

enum err
s3_get(const struct s3 *s, const char *key, uint64_t from, uint64_t len,
    FILE *to, struct err_info *info)
{
	struct call c = {.s3 = s,
	    .key = key,
	    .method = GET,
	    .file = to,
	    .from = from,
	    .len = len,
	    .sha256 = SHA_EMPTY};

	return (run(&c, info));
}

enum err
s3_size(const struct s3 *s, const char *key, uint64_t *ret_len,
    struct err_info *info)
{
	struct call c = {
	    .s3 = s, .key = key, .method = HEAD, .sha256 = SHA_EMPTY};
	enum err e = run(&c, info);

	if (e == ERR_OK)
		*ret_len = c.len;
	return (e);
}
