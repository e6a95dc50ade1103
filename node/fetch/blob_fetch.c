#include "node/fetch/blob_fetch.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "ipfs-lite/repo_partial.h"
#include "node/fetch/transfers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 16
#define PER_SOURCE_MAX 8u
#define FAILURES_MAX 3u
#define POLL_MS 100
#define BACKOFF_MS 200u
#define BLOCK_DEADLINE_MS 2000u
#define RAW_TYPE "application/vnd.ipld.raw"

struct source {
    const char *url;
    bool left; /* asked no more */
    unsigned failures;
    unsigned active;
    uint64_t wait_until_ms;
};

/* A block that was asked for. */
struct asked {
    struct source *source; /* NULL: the place is free */
    struct repo_want want;
    uint64_t started_ms;
};

struct fetch {
    const struct blob_fetch_options *options;
    struct repo_partial *partial;
    struct transfers *transfers;
    struct source sources[BLOB_FETCH_SOURCES_MAX];
    size_t source_count;
    struct asked asked[AT_ONCE];
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

static enum err start_transfer(struct fetch *f, struct asked *t, struct source *source, const struct repo_want *want) {
    char cid[CID_TEXT_SIZE], path[CID_TEXT_SIZE + 32];
    cid_format(&want->cid, cid);
    (void)snprintf(path, sizeof path, "/ipfs/%s?format=raw", cid);
    const struct transfer_request request = {
        .base = source->url, .path = path, .accept = RAW_TYPE, .limit = want->max_block, .tag = t};
    enum err e = transfers_get(f->transfers, &request);
    if (e == OK) {
        *t = (struct asked){.source = source, .want = *want, .started_ms = clock_mono_ms()};
        source->active++;
        f->active++;
    }
    return e;
}

static void end_transfer(struct fetch *f, struct asked *t) {
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
    for (size_t i = 0; i < AT_ONCE; i++) {
        struct asked *t = &f->asked[i];
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

static enum err keep_block(struct fetch *f, struct asked *t, struct bytes body) {
    struct source *source = t->source;
    enum err e = repo_partial_put(f->partial, &t->want, body);
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
    f->fetched += body.len;
    f->busy_ms += clock_mono_ms() - t->started_ms;
    return check_size(f);
}

static enum err finish_transfer(void *arg, const struct transfer_answer *answer) {
    struct fetch *f = arg;
    struct asked *t = answer->tag;
    struct source *source = t->source;
    enum err e = OK;
    if (answer->e == OK) {
        e = keep_block(f, t, answer->body);
    } else {
        repo_partial_give_back(f->partial, &t->want);
        if (answer->e == ERR_TOOLARGE) {
            leave_source(f, source, ERR_MISMATCH, "sent more bytes than the block can have");
        } else if (answer->e == ERR_NOTFOUND) {
            leave_source(f, source, ERR_NOTFOUND, answer->why.text);
        } else {
            source_failed(f, source, answer->e, answer->why.text);
        }
    }
    end_transfer(f, t);
    return e;
}

static void drop_transfer(struct fetch *f, struct asked *t) {
    transfers_drop(f->transfers, t);
    repo_partial_give_back(f->partial, &t->want);
    end_transfer(f, t);
}

/* A block that takes far longer than blocks do is asked of somebody else, if there is anybody. */
static bool is_slow(struct fetch *f, const struct asked *t, uint64_t now) {
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
    for (size_t i = 0; i < AT_ONCE; i++) {
        struct asked *t = &f->asked[i];
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
        e = check_going_on(f);
        if (e == OK) {
            e = start_transfers(f);
        }
        if (e == OK) {
            e = transfers_run(f->transfers, POLL_MS, finish_transfer, f);
        }
        if (e == OK) {
            drop_transfers(f);
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
    return transfers_new(&f->options->http, AT_ONCE, &f->transfers);
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
        transfers_free(f.transfers);
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
