#include "store/hot_parts.h"

#include "core/instant.h"
#include "core/log.h"

#include <hiredis/hiredis.h>

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define RETRY_MS  500u
#define FAILED_MS 2000u
#define RAISE_US  US_PER_SECOND /* at most one raise in this time */
#define TELL_US	  US_PER_SECOND /* at most one word in this time */
/* Longer than TELL_US, so that who goes on without Redis is heard again. */
#define APART_US (3 * US_PER_SECOND)
/* Long enough for PostgreSQL to tell a write that nobody waits for. */
#define DOUBT_US (2 * US_PER_SECOND)
#define NAME_LEN 16

static void recover(struct hot *);
static void recover_in(struct hot *, unsigned ms);

int64_t
hot_wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ((int64_t)ts.tv_sec * US_PER_SECOND + ts.tv_nsec / 1000);
}

static uint64_t
draw(void)
{
	uint64_t v;

	while (getrandom(&v, sizeof(v), 0) != sizeof(v))
		;
	return (v);
}

uint64_t
hot_word(struct hot *h)
{
	if (++h->word == 0)
		h->word++;
	return (h->word);
}

void
hot_marks(const struct hot_mark *m, uint64_t ret[static HOT_WORKERS])
{
	for (size_t i = 0; i < HOT_WORKERS; i++)
		ret[i] = atomic_load(&m[i].noted);
}

bool
hot_marks_written(
    const struct hot_mark *m, const uint64_t noted[static HOT_WORKERS])
{
	for (size_t i = 0; i < HOT_WORKERS; i++)
		if (atomic_load(&m[i].written) < noted[i])
			return (false);
	return (true);
}

size_t
hot_shared_size(void)
{
	return (sizeof(struct hot_shared));
}

void
hot_shared_init(struct hot_shared *s)
{
	size_t i;

	atomic_store(&s->epoch, 0);
	atomic_store(&s->trusted, 0);
	atomic_store(&s->losses, 1);
	atomic_store(&s->stale_since_us, hot_wall_us());
	atomic_store(&s->raise_until_us, 0);
	atomic_store(&s->hold_until_us, 0);
	atomic_store(&s->apart_until_us, 0);
	atomic_store(&s->doubts, 0);
	atomic_store(&s->settled, 0);
	atomic_store(&s->wanted, 0);
	atomic_store(&s->read_us, 0);
	s->name = draw();
	atomic_store(&s->hours_word, (int)HOT_HOURS_WAIT);
	atomic_store(&s->hours_losses, 0);
	atomic_store(&s->hours_whole, 0);
	atomic_store(&s->hours_series, 0);
	for (i = 0; i < HOT_WORKERS; i++) {
		atomic_store(&s->marks[i].noted, 0);
		atomic_store(&s->marks[i].written, 0);
		atomic_store(&s->newest[i].noted, 0);
		atomic_store(&s->newest[i].written, 0);
	}
}

void
hot_hours(const struct hot *h, struct hot_hours *ret)
{
	const struct hot_shared *s = h->shared;

	ret->word = (enum hot_hours_word)atomic_load(&s->hours_word);
	if (ret->word != HOT_HOURS_FULL &&
	    atomic_load(&s->hours_losses) != atomic_load(&s->losses))
		ret->word = HOT_HOURS_WAIT;
	ret->whole = atomic_load(&s->hours_whole);
	ret->series = atomic_load(&s->hours_series);
}

bool
hot_trusted(const struct hot *h)
{
	uint64_t trusted = atomic_load(&h->shared->trusted);

	return (trusted == atomic_load(&h->shared->losses));
}

void
hot_lose(struct hot *h)
{
	if (hot_trusted(h)) {
		atomic_store(&h->shared->stale_since_us, hot_wall_us());
		log_event(LOG_LEVEL_WARN, "hot_untrusted", "epoch", LOG_INT,
		    atomic_load(&h->shared->epoch), NULL);
	}
	atomic_fetch_add(&h->shared->losses, 1);
	hot_recover_soon(h);
}

void
hot_adopt(struct hot *h, int64_t epoch)
{
	int64_t old = atomic_load(&h->shared->epoch);

	while (old < epoch &&
	    !atomic_compare_exchange_weak(&h->shared->epoch, &old, epoch))
		;
}

static void
later(_Atomic int64_t *at, int64_t until)
{
	int64_t old = atomic_load(at);

	while (old < until && !atomic_compare_exchange_weak(at, &old, until))
		;
}

static void
hold(struct hot *h, int64_t us)
{
	later(&h->shared->hold_until_us,
	    h->loop->ops->monotonic_us(h->loop) + us);
}

static bool
settled(const struct hot *h)
{
	return (atomic_load(&h->shared->settled) ==
	    atomic_load(&h->shared->doubts));
}

void
hot_doubt_newest(struct hot *h)
{
	hold(h, DOUBT_US);
	atomic_fetch_add(&h->shared->doubts, 1);
	hot_recover_soon(h);
}

void
hot_apart(struct hot *h, const char *name)
{
	int64_t now = h->loop->ops->monotonic_us(h->loop);

	if (strtoull(name, NULL, 16) == h->shared->name)
		return;
	later(&h->shared->apart_until_us, now + APART_US);
	hold(h, APART_US);
	hot_lose(h);
}

bool
hot_is_apart(const struct hot *h)
{
	return (h->loop->ops->monotonic_us(h->loop) <
	    atomic_load(&h->shared->apart_until_us));
}

static void
on_told(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct hot *h = arg;

	(void)info;
	if (!hot_arrived(h) || rows != NULL)
		return;
	h->owes = true;
	recover_in(h, FAILED_MS);
}

void
hot_tell(struct hot *h)
{
	char name[NAME_LEN + 1];
	struct param p = {name, NAME_LEN, false};
	struct query q = {.statement = ST_hot_apart,
	    .lane = LANE_FAST,
	    .params = &p,
	    .nparams = 1};
	int64_t now = h->loop->ops->monotonic_us(h->loop);

	if (h->closed ||
	    (!h->owes && h->told_us != 0 && now - h->told_us < TELL_US))
		return;
	snprintf(name, sizeof(name), "%016" PRIx64, h->shared->name);
	h->told_us = now;
	h->owes = h->pg.run(h->pg.self, &q, on_told, h, NULL) != ERR_OK;
	if (h->owes)
		recover_in(h, FAILED_MS);
	else
		h->under_way++;
}

void
hot_instance_ended(struct hot *h)
{
	hot_lose(h);
}

static void
catch_up(_Atomic uint64_t *at, uint64_t to)
{
	uint64_t old = atomic_load(at);

	while (old < to && !atomic_compare_exchange_weak(at, &old, to))
		;
}

static void
trust(struct hot *h)
{
	hot_adopt(h, h->raise_epoch);
	catch_up(&h->shared->settled, h->raise_doubts);
	catch_up(&h->shared->trusted, h->raise_losses);
	log_event(LOG_LEVEL_INFO, "hot_trusted", "epoch", LOG_INT,
	    h->raise_epoch, NULL);
}

enum err
hot_send(struct hot *h, size_t len, redis_reply_cb *cb)
{
	enum err e = redis_send(h->redis, h->buf, len, cb, h);

	if (e == ERR_OK)
		h->under_way++;
	return (e);
}

struct loop_timer *
hot_wait(struct hot *h, int64_t until_us, loop_timer_cb *cb)
{
	int64_t left = until_us - h->loop->ops->monotonic_us(h->loop);

	if (left < 1000)
		return (NULL);
	return (h->loop->ops->after(h->loop, (unsigned)(left / 1000), cb, h));
}

static void
release(struct hot *h)
{
	dirty_done(&h->pending);
	dirty_done(&h->flight);
	hot_append_done(h);
	hot_near_done(h);
	free(h->buf);
	free(h);
}

bool
hot_arrived(struct hot *h)
{
	h->under_way--;
	if (!h->closed)
		return (true);
	if (h->under_way == 0)
		release(h);
	return (false);
}

static void
on_retry(void *arg)
{
	struct hot *h = arg;

	h->retry = NULL;
	recover(h);
}

static void
recover_in(struct hot *h, unsigned ms)
{
	if (h->retry == NULL && !h->recovering && !h->closed)
		h->retry = h->loop->ops->after(h->loop, ms, on_retry, h);
}

void
hot_recover_soon(struct hot *h)
{
	recover_in(h, RETRY_MS);
}

static void
recovery_failed(struct hot *h)
{
	h->recovering = false;
	atomic_store(&h->shared->raise_until_us, 0);
	recover_in(h, FAILED_MS);
}

/* Redis knows the new epoch: from here on older writers are refused. */
static void
on_epoch_set(void *arg, const struct redisReply *reply)
{
	struct hot *h = arg;

	if (!hot_arrived(h))
		return;
	if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
		recovery_failed(h);
		return;
	}
	if (reply->integer > h->raise_epoch) /* another was quicker */
		h->raise_epoch = reply->integer;
	h->recovering = false;
	trust(h);
	if (!hot_trusted(h) || !settled(h))
		hot_recover_soon(h);
}

static void
on_raised(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct hot *h = arg;
	struct wire_batch batch = {.writer = h->shared->name};
	uint64_t epoch;

	(void)info;
	if (!hot_arrived(h))
		return;
	if (rows == NULL || rows->n != 1) {
		if (rows != NULL) /* it is there, and not yet quiet */
			hot_lose(h);
		recovery_failed(h);
		return;
	}
	memcpy(&epoch, rows->get(rows, 0, 0, NULL), sizeof(epoch));
	h->raise_epoch = (int64_t)be64toh(epoch);
	batch.epoch = h->raise_epoch;
	batch.word = hot_word(h);
	if (hot_send(h, wire_store(h->buf, &batch), on_epoch_set) != ERR_OK)
		recovery_failed(h);
}

static void
on_epoch_got(void *arg, const struct redisReply *reply)
{
	struct hot *h = arg;
	uint64_t seen;
	struct param p = {(const char *)&seen, 8, true};
	struct query q = {.statement = ST_hot_epoch_raise,
	    .lane = LANE_FAST,
	    .params = &p,
	    .nparams = 1,
	    .binary_result = true};

	if (!hot_arrived(h))
		return;
	/* LOADING, NOAUTH and the like: not yet. */
	if (reply == NULL ||
	    (reply->type == REDIS_REPLY_ERROR &&
		strncmp(reply->str, "WRONGTYPE", 9) != 0)) {
		recovery_failed(h);
		return;
	}
	seen = htobe64((uint64_t)wire_number(reply));
	if (h->pg.run(h->pg.self, &q, on_raised, h, NULL) != ERR_OK)
		recovery_failed(h);
	else
		h->under_way++;
}

static bool
may_raise(struct hot *h)
{
	int64_t now = h->loop->ops->monotonic_us(h->loop);
	int64_t until = atomic_load(&h->shared->raise_until_us);

	return (now >= until && now >= atomic_load(&h->shared->hold_until_us) &&
	    atomic_compare_exchange_strong(
		&h->shared->raise_until_us, &until, now + RAISE_US));
}

static void
recover(struct hot *h)
{
	if (h->owes)
		hot_tell(h);
	if (h->recovering || !h->up || (hot_trusted(h) && settled(h)))
		return;
	if (!may_raise(h)) {
		hot_recover_soon(h);
		return;
	}
	h->recovering = true;
	h->raise_losses = atomic_load(&h->shared->losses);
	h->raise_doubts = atomic_load(&h->shared->doubts);
	if (hot_send(h, wire_epoch_get(h->buf), on_epoch_got) != ERR_OK)
		recovery_failed(h);
}

static void
on_state(void *arg, bool up)
{
	struct hot *h = arg;

	h->up = up;
	if (up) {
		recover(h);
		return;
	}
	hot_lose(h);
	hot_writes_lost(h);
	hot_append_lost(h);
	hot_reads_fail(h);
	hot_ranges_fail(h);
}

void
hot_notified(struct hot *h)
{
	recover(h);
}

struct hot *
hot_new(struct loop *loop, struct redis *redis, const struct query_port *pg,
    struct hot_shared *shared, unsigned number)
{
	struct hot *h = calloc(1, sizeof(*h));
	struct redis_state now;

	if (h == NULL)
		return (NULL);
	h->buf = malloc(WIRE_SIZE);
	if (h->buf == NULL || !hot_append_open(h) || !hot_near_open(h)) {
		hot_append_done(h);
		free(h->buf);
		free(h);
		return (NULL);
	}
	h->word = draw();
	h->loop = loop;
	h->redis = redis;
	h->pg = *pg;
	h->shared = shared;
	h->number = number % HOT_WORKERS;
	hot_lose(h);
	hot_writes_lost(h);
	hot_append_lost(h);
	redis_on_state(redis, on_state, h);
	redis_state(redis, &now);
	h->up = now.connected;
	return (h);
}

void
hot_free(struct hot *h)
{
	if (h == NULL)
		return;
	redis_on_state(h->redis, NULL, NULL);
	h->up = false;
	h->closed = true;
	hot_writes_lost(h);
	hot_append_lost(h);
	hot_reads_fail(h);
	hot_ranges_fail(h);
	if (h->retry != NULL)
		h->loop->ops->cancel(h->loop, h->retry);
	if (h->fail != NULL)
		h->loop->ops->cancel(h->loop, h->fail);
	if (h->held_timer != NULL)
		h->loop->ops->cancel(h->loop, h->held_timer);
	if (h->write_timer != NULL)
		h->loop->ops->cancel(h->loop, h->write_timer);
	if (h->under_way == 0)
		release(h);
}

static int64_t
stale_since_us(void *self)
{
	struct hot *h = self;

	if (hot_trusted(h))
		return (INSTANT_NONE);
	hot_recover_soon(h);
	return (atomic_load(&h->shared->stale_since_us));
}

struct hot_port
hot_port(struct hot *h)
{
	return ((struct hot_port){.self = h,
	    .latest = hot_latest,
	    .near = hot_near,
	    .fill = hot_fill,
	    .note = hot_note,
	    .forget = hot_forget,
	    .doubt = hot_doubt,
	    .stale_since_us = stale_since_us});
}
