#include "store/cold_depot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err
failed(const char *path, struct err_info *info)
{
	return (err_set(info, errno == ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL,
	    NULL, "%s: %s", path, strerror(errno)));
}

static enum err
full_path(const struct depot *d, const char *path, char ret[static PATH_MAX],
    struct err_info *info)
{
	int n = snprintf(ret, PATH_MAX, "%s/%s", d->dir, path);

	if (n < 0 || n >= PATH_MAX)
		return (err_set(
		    info, ERR_INTERNAL, NULL, "%s: path too long", path));
	return (ERR_OK);
}

/* Makes the folders of a path; each is on disk before what is in it. */
static enum err
make_folders(char *path, struct err_info *info)
{
	char *slash;
	bool bad;

	for (slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		bad = mkdir(path, 0750) == -1 && errno != EEXIST;
		*slash = '/';
		if (bad)
			return (failed(path, info));
	}
	return (ERR_OK);
}

enum err
depot_begin(const struct depot *d, const char *path, struct depot_file *ret,
    struct err_info *info)
{
	struct depot_file f = {.file = NULL};
	enum err e;
	int fd = -1;

	if (d->dir == NULL) {
		(void)snprintf(f.path, sizeof(f.path), "%s", path);
		f.file = tmpfile();
		if (f.file == NULL)
			return (failed("temporary file", info));
		*ret = f;
		return (ERR_OK);
	}
	if ((e = full_path(d, path, f.path, info)) != ERR_OK ||
	    (e = make_folders(f.path, info)) != ERR_OK)
		return (e);
	/* A leading dot: tools that load the folder pass over it. */
	if (snprintf(f.made, sizeof(f.made), "%.*s/.%s.part",
		(int)(strrchr(f.path, '/') - f.path), f.path,
		strrchr(f.path, '/') + 1) >= PATH_MAX)
		return (err_set(
		    info, ERR_INTERNAL, NULL, "%s: path too long", path));
	fd = open(f.made, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd == -1 || (f.file = fdopen(fd, "w+")) == NULL) {
		e = failed(f.made, info);
		if (fd != -1)
			(void)close(fd);
		return (e);
	}
	*ret = f;
	return (ERR_OK);
}

/* Also the folders above: they may be new. */
static bool
sync_folders(const char *dir, const char *path)
{
	char folder[PATH_MAX];
	char *slash;
	int fd;
	bool ok = true;

	(void)snprintf(folder, sizeof(folder), "%s", path);
	while (ok && (slash = strrchr(folder, '/')) != NULL && slash > folder &&
	    strlen(folder) > strlen(dir)) {
		*slash = '\0';
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ok = fd != -1 && fsync(fd) == 0;
		if (fd != -1)
			(void)close(fd);
	}
	return (ok);
}

static enum err
commit_file(const struct depot *d, struct depot_file *f, struct err_info *info)
{
	if (fflush(f->file) != 0 || fsync(fileno(f->file)) != 0 ||
	    rename(f->made, f->path) != 0)
		return (failed(f->path, info));
	f->made[0] = '\0';
	return (sync_folders(d->dir, f->path) ? ERR_OK : failed(f->path, info));
}

static enum err
commit_object(const struct depot *d, struct depot_file *f, uint64_t len,
    const unsigned char sha256[static 32], struct err_info *info)
{
	uint64_t there = 0;
	enum err e;

	if (fflush(f->file) != 0)
		return (failed("temporary file", info));
	if ((e = s3_put(&d->s3, f->path, f->file, len, sha256, info)) !=
		ERR_OK ||
	    (e = s3_size(&d->s3, f->path, &there, info)) != ERR_OK)
		return (e);
	if (there != len)
		return (err_set(info, ERR_ARCHIVE, NULL,
		    "S3 %s: %llu bytes came in, not %llu", f->path,
		    (unsigned long long)there, (unsigned long long)len));
	return (ERR_OK);
}

enum err
depot_commit(const struct depot *d, struct depot_file *f, uint64_t len,
    const unsigned char sha256[static 32], struct err_info *info)
{
	enum err e = d->dir != NULL ? commit_file(d, f, info)
				    : commit_object(d, f, len, sha256, info);

	depot_abandon(f);
	return (e);
}

void
depot_abandon(struct depot_file *f)
{
	if (f->file != NULL)
		(void)fclose(f->file);
	if (f->made[0] != '\0')
		(void)unlink(f->made);
	f->file = NULL;
	f->made[0] = '\0';
}

enum err
depot_open(const struct depot *d, const char *path, uint64_t len, FILE **ret,
    struct err_info *info)
{
	char full[PATH_MAX];
	enum err e = ERR_OK;
	struct stat st;
	FILE *f;

	if (d->dir == NULL) {
		if ((f = tmpfile()) == NULL)
			return (failed("temporary file", info));
		e = s3_get(&d->s3, path, 0, len, f, info);
		if (e == ERR_OK && fseek(f, 0, SEEK_SET) != 0)
			e = failed("temporary file", info);
	} else {
		if ((e = full_path(d, path, full, info)) != ERR_OK)
			return (e);
		if ((f = fopen(full, "re")) == NULL)
			return (failed(full, info));
		if (fstat(fileno(f), &st) == -1)
			e = failed(full, info);
		else if ((uint64_t)st.st_size != len)
			e = err_set(info, ERR_INTERNAL, NULL,
			    "%s: has %lld bytes, not %llu", full,
			    (long long)st.st_size, (unsigned long long)len);
	}
	if (e != ERR_OK) {
		(void)fclose(f);
		return (e);
	}
	*ret = f;
	return (ERR_OK);
}

static enum err
read_file(const char *full, uint64_t from, uint64_t len, char *ret,
    struct err_info *info)
{
	int fd = open(full, O_RDONLY | O_CLOEXEC);
	enum err e = ERR_OK;
	ssize_t n;

	if (fd == -1)
		return (failed(full, info));
	while (e == ERR_OK && len > 0) {
		n = pread(fd, ret, len, (off_t)from);
		if (n > 0) {
			ret += n;
			from += (uint64_t)n;
			len -= (uint64_t)n;
		} else if (n == 0) {
			e = err_set(info, ERR_INTERNAL, NULL,
			    "%s: is %llu bytes short", full,
			    (unsigned long long)len);
		} else if (errno != EINTR) {
			e = failed(full, info);
		}
	}
	(void)close(fd);
	return (e);
}

static enum err
read_object(const struct depot *d, const char *path, uint64_t from,
    uint64_t len, void *ret, struct err_info *info)
{
	/* It puts a NUL behind what was written, or over its last byte. */
	FILE *f = fmemopen(ret, len + 1, "w");
	enum err e;

	if (f == NULL)
		return (failed("memory", info));
	setbuf(f, NULL);
	e = s3_get(&d->s3, path, from, len, f, info);
	if (fclose(f) != 0 && e == ERR_OK)
		e = failed("memory", info);
	return (e);
}

enum err
depot_read(const struct depot *d, const char *path, uint64_t from, uint64_t len,
    void *ret, struct err_info *info)
{
	char full[PATH_MAX];
	enum err e;

	if (len == 0)
		return (ERR_OK);
	if (d->dir == NULL)
		return (read_object(d, path, from, len, ret, info));
	if ((e = full_path(d, path, full, info)) != ERR_OK)
		return (e);
	return (read_file(full, from, len, ret, info));
}

enum err
depot_slurp(const struct depot *d, const char *path, size_t max, char **ret,
    struct err_info *info)
{
	char full[PATH_MAX], *text;
	struct stat st;
	uint64_t len = 0;
	enum err e;

	if (d->dir == NULL) {
		e = s3_size(&d->s3, path, &len, info);
	} else if ((e = full_path(d, path, full, info)) == ERR_OK) {
		if (stat(full, &st) == -1)
			e = failed(full, info);
		else
			len = (uint64_t)st.st_size;
	}
	if (e != ERR_OK)
		return (e);
	if (len > max)
		return (
		    err_set(info, ERR_INTERNAL, NULL, "%s: too long", path));
	if ((text = malloc(len + 1)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "%s", path));
	if ((e = depot_read(d, path, 0, len, text, info)) != ERR_OK) {
		free(text);
		return (e);
	}
	text[len] = '\0';
	*ret = text;
	return (ERR_OK);
}
