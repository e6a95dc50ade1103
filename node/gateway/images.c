#include "node/gateway/images.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "node/fetch/blob_fetch.h"
#include "node/host/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIST_PAGE 64
#define USES_MAX 4096u /* images whose last use is remembered; others count as unused since the start */

struct wish {
    struct images_wish want;
    uint64_t wait_until_ms;
    uint32_t backoff_ms;
};

struct use {
    struct cid root;
    uint64_t last; /* rises with every use */
};

struct images {
    struct images_config config;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    struct wish wishes[IMAGES_WANTED_MAX];
    size_t wish_count;
    struct use uses[USES_MAX];
    size_t use_count;
    uint64_t clock;
    struct images_stats stats;
};

/* ---- Uses ------------------------------------------------------------------------------------------------ */

static struct use *find_use(struct images *images, const struct cid *root) {
    for (size_t i = 0; i < images->use_count; i++) {
        if (cid_equal(&images->uses[i].root, root)) {
            return &images->uses[i];
        }
    }
    return NULL;
}

/* Under the lock. */
static void note_use(struct images *images, const struct cid *root) {
    struct use *use = find_use(images, root);
    if (use == NULL && images->use_count < USES_MAX) {
        use = &images->uses[images->use_count++];
        use->root = *root;
    }
    if (use != NULL) {
        use->last = ++images->clock;
    }
}

static bool is_wanted(const struct images *images, const struct cid *root) {
    for (size_t i = 0; i < images->wish_count; i++) {
        if (cid_equal(&images->wishes[i].want.root, root)) {
            return true;
        }
    }
    return false;
}

/* ---- Room ------------------------------------------------------------------------------------------------ */

/* The image not wanted now that was used longest ago. */
static bool find_victim(struct images *images, struct cid *out) {
    struct repo_image page[LIST_PAGE];
    struct cid after;
    bool found = false, first = true;
    uint64_t oldest = UINT64_MAX;
    size_t n;
    while ((n = repo_list(images->config.repo, first ? NULL : &after, page, LIST_PAGE)) > 0) {
        first = false;
        after = page[n - 1].root;
        (void)pthread_mutex_lock(&images->lock);
        for (size_t i = 0; i < n; i++) {
            const struct use *use = find_use(images, &page[i].root);
            uint64_t last = use != NULL ? use->last : 0;
            if (!is_wanted(images, &page[i].root) && last < oldest) {
                oldest = last;
                *out = page[i].root;
                found = true;
            }
        }
        (void)pthread_mutex_unlock(&images->lock);
    }
    return found;
}

/* Makes room for `size` more bytes as far as that is possible. */
static void make_room(struct images *images, uint64_t size) {
    struct repo_stats stats;
    struct cid victim;
    repo_stats(images->config.repo, &stats);
    while (stats.bytes + size > images->config.cache_bytes && find_victim(images, &victim)) {
        char text[CID_TEXT_SIZE];
        cid_format(&victim, text);
        enum err e = repo_remove(images->config.repo, &victim);
        if (e != OK) {
            log_event(LOG_WARN, "image.not_evicted", log_text("cid", text), log_err(e));
            return;
        }
        log_event(LOG_INFO, "image.evicted", log_text("cid", text));
        (void)pthread_mutex_lock(&images->lock);
        images->stats.evicted++;
        struct use *use = find_use(images, &victim);
        if (use != NULL) {
            *use = images->uses[--images->use_count];
        }
        (void)pthread_mutex_unlock(&images->lock);
        repo_stats(images->config.repo, &stats);
    }
}

/* ---- Fetching -------------------------------------------------------------------------------------------- */

static bool on_progress(void *arg, const struct blob_fetch_progress *progress) {
    struct images *images = arg;
    (void)pthread_mutex_lock(&images->lock);
    images->stats.fetching_have = progress->have;
    images->stats.fetching_total = progress->total;
    bool go_on = !images->stopping;
    (void)pthread_mutex_unlock(&images->lock);
    return go_on;
}

static void on_source_left(void *arg, const char *url, enum err reason, const char *what) {
    struct images *images = arg;
    log_event(LOG_WARN, "image.source_left", log_text("url", url), log_err(reason), log_text("what", what));
    (void)pthread_mutex_lock(&images->lock);
    images->stats.bad_sources += reason == ERR_MISMATCH;
    (void)pthread_mutex_unlock(&images->lock);
}

static enum err fetch(struct images *images, const struct images_wish *wish, struct why *why) {
    struct repo_image image;
    const struct blob_fetch_options options = {.size = wish->size,
                                               .sha256 = wish->sha256,
                                               .max_size = wish->size,
                                               .deadline_ms = IMAGES_DEADLINE_MS,
                                               .progress = on_progress,
                                               .source_left = on_source_left,
                                               .arg = images};
    if (wish->size > images->config.cache_bytes) {
        why_set(why, "the image is larger than gateway.cache_bytes");
        return ERR_TOOLARGE;
    }
    make_room(images, wish->size);
    char list[BLOB_FETCH_SOURCES_MAX][CONFIG_URL_MAX];
    const char *urls[BLOB_FETCH_SOURCES_MAX];
    size_t count = image_sources_list(images->config.sources, list);
    for (size_t i = 0; i < count; i++) {
        urls[i] = list[i];
    }
    return blob_fetch(images->config.repo, &wish->root, urls, count, &options, &image, why);
}

/* Under the lock: the first wish that is due and not here; else when the next one is (0: none). */
static struct wish *next_wish(struct images *images, uint64_t now_ms, uint64_t *out_next_ms) {
    struct repo_image image;
    *out_next_ms = 0;
    for (size_t i = 0; i < images->wish_count; i++) {
        struct wish *wish = &images->wishes[i];
        if (repo_stat(images->config.repo, &wish->want.root, &image) == OK) {
            continue;
        }
        if (wish->wait_until_ms <= now_ms) {
            return wish;
        }
        *out_next_ms = *out_next_ms == 0 || wish->wait_until_ms < *out_next_ms ? wish->wait_until_ms : *out_next_ms;
    }
    return NULL;
}

/* Under the lock. */
static void settle(struct images *images, const struct images_wish *want, enum err e, const struct why *why) {
    images->stats.fetching = false;
    images->stats.fetched += e == OK;
    images->stats.failed += e != OK && !images->stopping;
    images->stats.last_why = e == OK ? WHY_NONE : *why;
    for (size_t i = 0; i < images->wish_count; i++) {
        struct wish *wish = &images->wishes[i];
        if (cid_equal(&wish->want.root, &want->root)) {
            wish->backoff_ms = backoff_next(wish->backoff_ms, IMAGES_RETRY_MIN_MS, IMAGES_RETRY_MAX_MS);
            wish->wait_until_ms = clock_mono_ms() + wish->backoff_ms;
        }
    }
}

/* Under the lock, which is given up meanwhile. */
static void fetch_one(struct images *images, const struct images_wish *want) {
    struct why why = WHY_NONE;
    char text[CID_TEXT_SIZE];
    images->stats.fetching = true;
    images->stats.fetching_have = 0;
    images->stats.fetching_total = want->size;
    (void)pthread_mutex_unlock(&images->lock);
    uint64_t start = clock_mono_ms();
    enum err e = fetch(images, want, &why);
    cid_format(&want->root, text);
    if (e == OK) {
        log_event(LOG_INFO, "image.fetched", log_text("cid", text), log_number("size", want->size),
                  log_number("ms", clock_mono_ms() - start));
        images->config.arrived(images->config.ctx, &want->root);
    } else if (e != ERR_CLOSED) {
        log_event(LOG_WARN, "image.not_fetched", log_text("cid", text), log_text("why", why.text));
    }
    (void)pthread_mutex_lock(&images->lock);
    settle(images, want, e, &why);
    note_use(images, &want->root);
}

static void *run(void *arg) {
    struct images *images = arg;
    (void)pthread_mutex_lock(&images->lock);
    while (!images->stopping) {
        uint64_t next_ms;
        const struct wish *wish = next_wish(images, clock_mono_ms(), &next_ms);
        if (wish != NULL) {
            const struct images_wish want = wish->want;
            fetch_one(images, &want);
        } else if (next_ms != 0) {
            const struct timespec until = {.tv_sec = (time_t)(next_ms / 1000),
                                           .tv_nsec = (long)(next_ms % 1000) * 1000000l};
            (void)pthread_cond_timedwait(&images->changed, &images->lock, &until);
        } else {
            (void)pthread_cond_wait(&images->changed, &images->lock);
        }
    }
    (void)pthread_mutex_unlock(&images->lock);
    return NULL;
}

/* ---- Life cycle ------------------------------------------------------------------------------------------ */

enum err images_new(const struct images_config *config, struct images **out) {
    struct images *images = calloc(1, sizeof *images);
    pthread_condattr_t monotonic;
    if (images == NULL) {
        return ERR_NOMEM;
    }
    images->config = *config;
    (void)pthread_mutex_init(&images->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&images->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (pthread_create(&images->thread, NULL, run, images) != 0) {
        images_free(images);
        return ERR_NOMEM;
    }
    images->running = true;
    *out = images;
    return OK;
}

void images_stop(struct images *images) {
    if (images != NULL) {
        (void)pthread_mutex_lock(&images->lock);
        images->stopping = true;
        (void)pthread_cond_broadcast(&images->changed);
        (void)pthread_mutex_unlock(&images->lock);
    }
}

void images_join(struct images *images) {
    if (images != NULL && images->running) {
        images_stop(images);
        (void)pthread_join(images->thread, NULL);
        images->running = false;
    }
}

void images_free(struct images *images) {
    if (images == NULL) {
        return;
    }
    images_join(images);
    (void)pthread_cond_destroy(&images->changed);
    (void)pthread_mutex_destroy(&images->lock);
    free(images);
}

/* ---- Wishes and reading ---------------------------------------------------------------------------------- */

void images_want(struct images *images, const struct images_wish *wishes, size_t count) {
    count = count < IMAGES_WANTED_MAX ? count : IMAGES_WANTED_MAX;
    (void)pthread_mutex_lock(&images->lock);
    struct wish *before = calloc(images->wish_count + 1, sizeof *before);
    size_t before_count = before != NULL ? images->wish_count : 0;
    if (before != NULL) {
        memcpy(before, images->wishes, before_count * sizeof *before);
    }
    for (size_t i = 0; i < count; i++) {
        images->wishes[i] = (struct wish){.want = wishes[i]};
        for (size_t k = 0; k < before_count; k++) {
            if (cid_equal(&before[k].want.root, &wishes[i].root)) {
                images->wishes[i] = before[k];
            }
        }
    }
    images->wish_count = count;
    (void)pthread_cond_broadcast(&images->changed);
    (void)pthread_mutex_unlock(&images->lock);
    free(before);
}

bool images_has(struct images *images, const struct cid *root) {
    struct repo_image image;
    return repo_stat(images->config.repo, root, &image) == OK;
}

enum err images_read(struct images *images, const struct cid *root, uint64_t offset, uint8_t *out, size_t max,
                     size_t *out_len) {
    struct repo_block block;
    enum err e = repo_find(images->config.repo, root, &block);
    if (e != OK) {
        return e;
    }
    uint64_t left = offset < block.size ? block.size - offset : 0;
    size_t want = left < max ? (size_t)left : max;
    size_t done = 0;
    while (done < want && e == OK) {
        ssize_t n = pread(block.fd, out + done, want - done, (off_t)(block.offset + offset + done));
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            e = ERR_IO;
        }
    }
    repo_block_close(&block);
    if (e == OK) {
        (void)pthread_mutex_lock(&images->lock);
        note_use(images, root);
        (void)pthread_mutex_unlock(&images->lock);
        *out_len = done;
    }
    return e;
}

void images_stats(struct images *images, struct images_stats *out) {
    struct repo_stats repo;
    repo_stats(images->config.repo, &repo);
    (void)pthread_mutex_lock(&images->lock);
    *out = images->stats;
    (void)pthread_mutex_unlock(&images->lock);
    out->images = repo.images;
    out->bytes = repo.bytes;
    out->limit_bytes = images->config.cache_bytes;
}
