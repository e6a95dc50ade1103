#include "node/fetch/blob_fetch.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "ipfs-lite/repo_partial.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRANSFERS_MAX 16
#define PER_SOURCE_MAX 8u
#define FAILURES_MAX 3u
#define POLL_MS 100
#define BACKOFF_MS 200u
#define BLOCK_DEADLINE_MS 2000u
#define URL_SIZE 1024
#define RAW_TYPE "application/vnd.ipld.raw"

struct source {
    const char *url;
    bool left; /* asked no more */
    unsigned failures;
    unsigned active;
    uint64_t wait_until_ms;
};

struct transfer {
    CURL *easy;            /* kept for its connection */
    struct source *source; /* NULL: idle */
    struct repo_want want;
    struct buffer body;
    bool too_long;
    uint64_t started_ms;
};

struct fetch {
    const struct blob_fetch_options *options;
    struct repo_partial *partial;
    CURLM *multi;
    struct curl_slist *headers;
    struct source sources[BLOB_FETCH_SOURCES_MAX];
    size_t source_count;
    struct transfer transfers[TRANSFERS_MAX];
    unsigned active;
    unsigned per_source;
    uint64_t started_ms;
    uint64_t fetched;
    uint64_t busy_ms;     /* sum over finished transfers, to know what is slow */
    enum err last_reason; /* why the last source was left */
    struct why *why;
};

static void leave_source(struct fetch *f, struct source *source, enum err reason, const char *what) {
    if (source->left) {
        return;
    }
    source->left = true;
    f->last_reason = reason;
    why_set(f->why, "%s: %s", source->url, what);
    if (f->options->source_left != NULL) {
        f->options->source_left(f->options->arg, source->url, reason, what);
    }
}

static void source_failed(struct fetch *f, struct source *source, enum err reason, const char *what) {
    source->failures++;
    source->wait_until_ms = clock_mono_ms() + ((uint64_t)BACKOFF_MS << source->failures);
    if (source->failures >= FAILURES_MAX) {
        leave_source(f, source, reason, what);
    }
}

/* ---- One transfer ---------------------------------------------------------------------------------------------- */

static size_t take_body(char *data, size_t size, size_t count, void *arg) {
    struct transfer *t = arg;
    size_t len = size * count;
    if (len > t->want.max_block - t->body.len) {
        t->too_long = true;
        return CURL_WRITEFUNC_ERROR;
    }
    buffer_put(&t->body, data, len);
    return t->body.failed ? CURL_WRITEFUNC_ERROR : len;
}

static enum err set_options(struct fetch *f, struct transfer *t, const char *url) {
    const struct blob_fetch_options *o = f->options;
    uint32_t stall_ms = o->stall_ms == 0 ? 10000 : o->stall_ms;
    long stall_s = (long)((stall_ms + 999) / 1000);
    curl_easy_reset(t->easy);
    bool ok =
        curl_easy_setopt(t->easy, CURLOPT_URL, url) == CURLE_OK &&
        curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
        curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
        curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, f->headers) == CURLE_OK &&
        curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
        curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t) == CURLE_OK &&
        curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t) == CURLE_OK &&
        curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS,
                         o->connect_timeout_ms == 0 ? 5000L : (long)o->connect_timeout_ms) == CURLE_OK &&
        curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_LIMIT, o->min_rate == 0 ? 1024L : (long)o->min_rate) == CURLE_OK &&
        curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_TIME, stall_s) == CURLE_OK;
    if (ok && o->ca_file != NULL) {
        ok = curl_easy_setopt(t->easy, CURLOPT_CAINFO, o->ca_file) == CURLE_OK;
    }
    return ok ? OK : ERR_NOMEM;
}

static enum err start_transfer(struct fetch *f, struct transfer *t, struct source *source,
                               const struct repo_want *want) {
    char cid[CID_TEXT_SIZE];
    char url[URL_SIZE];
    cid_format(&want->cid, cid);
    size_t len = strlen(source->url);
    len -= len > 0 && source->url[len - 1] == '/' ? 1 : 0;
    (void)snprintf(url, sizeof url, "%.*s/ipfs/%s?format=raw", (int)len, source->url, cid);
    if (t->easy == NULL) {
        t->easy = curl_easy_init();
    }
    if (t->easy == NULL || set_options(f, t, url) != OK) {
        return ERR_NOMEM;
    }
    t->want = *want;
    t->too_long = false;
    t->started_ms = clock_mono_ms();
    buffer_reset(&t->body);
    if (curl_multi_add_handle(f->multi, t->easy) != CURLM_OK) {
        return ERR_NOMEM;
    }
    t->source = source;
    source->active++;
    f->active++;
    return OK;
}

static void end_transfer(struct fetch *f, struct transfer *t) {
    (void)curl_multi_remove_handle(f->multi, t->easy);
    t->source->active--;
    t->source = NULL;
    f->active--;
}

/* ---- The plan -------------------------------------------------------------------------------------------------- */

static struct source *free_source(struct fetch *f) {
    uint64_t now = clock_mono_ms();
    struct source *best = NULL;
    for (size_t i = 0; i < f->source_count; i++) {
        struct source *s = &f->sources[i];
        /* After a failure one transfer at a time shows whether it has recovered. */
        unsigned limit = s->failures > 0 ? 1 : f->per_source;
        if (!s->left && s->active < limit && now >= s->wait_until_ms && (best == NULL || s->active < best->active)) {
            best = s;
        }
    }
    return best;
}

static bool any_source(const struct fetch *f) {
    for (size_t i = 0; i < f->source_count; i++) {
        if (!f->sources[i].left) {
            return true;
        }
    }
    return false;
}

static enum err start_transfers(struct fetch *f) {
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        struct transfer *t = &f->transfers[i];
        struct repo_want want;
        if (t->source != NULL) {
            continue;
        }
        struct source *source = free_source(f);
        if (source == NULL || !repo_partial_next(f->partial, &want)) {
            return OK;
        }
        enum err e = start_transfer(f, t, source, &want);
        if (e != OK) {
            repo_partial_give_back(f->partial, &want);
            return e;
        }
    }
    return OK;
}

/* The root says how large the image is: is that the one that was asked for? */
static enum err check_size(struct fetch *f) {
    struct repo_partial_progress progress;
    repo_partial_progress(f->partial, &progress);
    if (f->options->size == 0 || progress.total == 0 || progress.total == f->options->size) {
        return OK;
    }
    why_set(f->why, "the image has %llu bytes, the release says %llu", (unsigned long long)progress.total,
            (unsigned long long)f->options->size);
    return ERR_MISMATCH;
}

static enum err keep_block(struct fetch *f, struct transfer *t) {
    struct source *source = t->source;
    enum err e = repo_partial_put(f->partial, &t->want, buffer_bytes(&t->body));
    if (e == ERR_MISMATCH) {
        leave_source(f, source, ERR_MISMATCH, "sent a block that does not hash to its CID");
        repo_partial_give_back(f->partial, &t->want);
        return OK;
    }
    if (e != OK) {
        why_set(f->why, "cannot keep a block of this image: %s", err_text(e));
        return e;
    }
    source->failures = 0;
    f->fetched += t->body.len;
    f->busy_ms += clock_mono_ms() - t->started_ms;
    return check_size(f);
}

static enum err finish_transfer(struct fetch *f, struct transfer *t, CURLcode code) {
    struct source *source = t->source;
    long status = 0;
    char what[96];
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && status == 200) {
        return keep_block(f, t);
    }
    repo_partial_give_back(f->partial, &t->want);
    if (t->body.failed) {
        return ERR_NOMEM;
    }
    (void)snprintf(what, sizeof what, "answered with status %ld", status);
    if (t->too_long && status == 200) {
        leave_source(f, source, ERR_MISMATCH, "sent more bytes than the block can have");
    } else if (status == 404 || status == 410 || status == 451) {
        leave_source(f, source, ERR_NOTFOUND, "does not have it");
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        source_failed(f, source, ERR_TIMEOUT, "too slow");
    } else if (code != CURLE_OK && !t->too_long) {
        source_failed(f, source, ERR_NETWORK, curl_easy_strerror(code));
    } else {
        source_failed(f, source, ERR_NETWORK, what);
    }
    return OK;
}

static enum err finish_transfers(struct fetch *f, size_t *out_finished) {
    int left;
    *out_finished = 0;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(f->multi, &left)) != NULL) {
        struct transfer *t = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t) != CURLE_OK) {
            continue;
        }
        enum err e = finish_transfer(f, t, code);
        end_transfer(f, t);
        (*out_finished)++;
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

static void drop_transfer(struct fetch *f, struct transfer *t) {
    repo_partial_give_back(f->partial, &t->want);
    end_transfer(f, t);
}

/* A block that takes far longer than blocks do is asked of somebody else, if there is anybody. */
static bool is_slow(struct fetch *f, const struct transfer *t, uint64_t now) {
    if (f->fetched == 0) {
        return false;
    }
    uint64_t limit_ms = 4 * t->want.max_block * (f->busy_ms + 1) / f->fetched;
    limit_ms = limit_ms < BLOCK_DEADLINE_MS ? BLOCK_DEADLINE_MS : limit_ms;
    const struct source *other = free_source(f);
    return now - t->started_ms > limit_ms && other != NULL && other != t->source;
}

static void drop_transfers(struct fetch *f) {
    uint64_t now = clock_mono_ms();
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        struct transfer *t = &f->transfers[i];
        if (t->source == NULL) {
            continue;
        }
        if (t->source->left) {
            drop_transfer(f, t);
        } else if (is_slow(f, t, now)) {
            source_failed(f, t->source, ERR_TIMEOUT, "too slow");
            drop_transfer(f, t);
        }
    }
}

static enum err check_going_on(struct fetch *f) {
    const struct blob_fetch_options *o = f->options;
    if (o->deadline_ms != 0 && clock_mono_ms() - f->started_ms >= o->deadline_ms) {
        why_set(f->why, "not whole after %llu ms", (unsigned long long)o->deadline_ms);
        return ERR_TIMEOUT;
    }
    if (f->active == 0 && !any_source(f)) {
        return f->last_reason == ERR_NOTFOUND ? ERR_NOTFOUND : ERR_NETWORK;
    }
    if (o->progress != NULL) {
        struct repo_partial_progress p;
        repo_partial_progress(f->partial, &p);
        const struct blob_fetch_progress told = {p.have, p.total, p.resumed, p.copied, f->fetched};
        if (!o->progress(o->arg, &told)) {
            why_set(f->why, "cancelled");
            return ERR_CLOSED;
        }
    }
    return OK;
}

static enum err run(struct fetch *f) {
    enum err e = check_size(f);
    while (e == OK && !repo_partial_is_whole(f->partial)) {
        int running = 0;
        size_t finished = 0;
        e = check_going_on(f);
        if (e == OK) {
            e = start_transfers(f);
        }
        if (e == OK && curl_multi_perform(f->multi, &running) != CURLM_OK) {
            e = ERR_NETWORK;
        }
        if (e == OK) {
            e = finish_transfers(f, &finished);
        }
        if (e == OK) {
            drop_transfers(f);
        }
        /* Waiting is right only when there is nothing to start in place of what has just finished. */
        if (e == OK && finished == 0 && !repo_partial_is_whole(f->partial) &&
            curl_multi_poll(f->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK) {
            e = ERR_NETWORK;
        }
    }
    return e;
}

/* ---- Beginning and end ----------------------------------------------------------------------------------------- */

static enum err set_up(struct fetch *f, const char *const *urls, size_t url_count) {
    if (url_count > BLOB_FETCH_SOURCES_MAX) {
        url_count = BLOB_FETCH_SOURCES_MAX;
    }
    for (size_t i = 0; i < url_count; i++) {
        f->sources[i].url = urls[i];
    }
    f->source_count = url_count;
    f->last_reason = ERR_NETWORK;
    f->per_source = f->options->per_source == 0 ? 4 : f->options->per_source;
    f->per_source = f->per_source > PER_SOURCE_MAX ? PER_SOURCE_MAX : f->per_source;
    f->multi = curl_multi_init();
    f->headers = curl_slist_append(NULL, "Accept: " RAW_TYPE);
    if (f->headers != NULL && f->options->token != NULL) {
        char line[2048];
        int n = snprintf(line, sizeof line, "Authorization: Bearer %s", f->options->token);
        struct curl_slist *grown = n < (int)sizeof line ? curl_slist_append(f->headers, line) : NULL;
        if (grown == NULL) {
            return ERR_TOOLARGE;
        }
    }
    return f->multi == NULL || f->headers == NULL ? ERR_NOMEM : OK;
}

static void tear_down(struct fetch *f) {
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        struct transfer *t = &f->transfers[i];
        if (t->source != NULL) {
            end_transfer(f, t);
        }
        curl_easy_cleanup(t->easy);
        buffer_free(&t->body);
    }
    (void)curl_multi_cleanup(f->multi);
    curl_slist_free_all(f->headers);
}

static enum err already_here(struct repo *repo, const struct cid *root, const struct blob_fetch_options *options,
                             struct repo_image *out, struct why *why) {
    struct repo_image image;
    enum err e = repo_stat(repo, root, &image);
    if (e == OK && ((options->size != 0 && options->size != image.size) ||
                    (options->sha256 != NULL && memcmp(options->sha256, image.sha256, SHA256_LEN) != 0))) {
        why_set(why, "the image under this CID is not the one of the release");
        return ERR_MISMATCH;
    }
    if (e == OK) {
        *out = image;
    }
    return e;
}

enum err blob_fetch(struct repo *repo, const struct cid *root, const char *const *urls, size_t url_count,
                    const struct blob_fetch_options *options, struct repo_image *out, struct why *out_why) {
    struct fetch f = {.options = options, .why = out_why, .started_ms = clock_mono_ms()};
    *out_why = WHY_NONE;
    enum err e = repo_partial_open(repo, root, options->max_size, &f.partial);
    if (e == ERR_EXISTS) {
        return already_here(repo, root, options, out, out_why);
    }
    if (e == OK) {
        e = set_up(&f, urls, url_count);
        if (e == OK) {
            e = run(&f);
        }
        tear_down(&f);
        if (e == OK) {
            e = repo_partial_finish(f.partial, options->sha256, out);
        } else if (e == ERR_MISMATCH) {
            repo_partial_discard(f.partial);
        } else {
            repo_partial_close(f.partial);
        }
    }
    if (e == OK) {
        *out_why = WHY_NONE;
    } else if (!why_said(out_why)) {
        why_set(out_why, "%s", err_text(e));
    }
    return e;
}
