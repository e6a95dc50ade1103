#include "node/snapshot/snapshot_fetch.h"

#include "node/answers/blob.h"
#include "node/json/record_json.h"
#include "node/snapshot/snapshot_bodies.h"
#include "node/snapshot/snapshot_verify.h"
#include "node/snapshot/snapshot_window.h"
#include "store/disk_files.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX (64u << 10)
#define LIST_TIMEOUT_MS 5000u
#define OFFERS_MAX 4 /* of one source */
#define PER_SOURCE 4u
#define FAILURES_MAX 3u
#define BACKOFF_MS 200u
#define WAIT_MS 100
/* A chunk may take so long and a millisecond more for every so many bytes; then somebody else is asked. */
#define CHUNK_GRACE_MS 10000u
#define RATE_MIN 16u
#define PATH_SIZE 1024

struct source {
    char url[CONFIG_URL_MAX];
    bool refused; /* it lied: for good */
    bool left;    /* not for this snapshot, until the lists are asked for again */
    unsigned failures, active;
    uint64_t wait_until_ms;
    struct snapshot_offer offers[OFFERS_MAX];
    size_t offer_count;
    bool making;
};

/* What a transfer is for. */
struct job {
    bool used;
    size_t source;
    uint32_t chunk;
};

enum chunk_state { CHUNK_WANTED, CHUNK_UNDER_WAY, CHUNK_HERE };

struct snapshot_fetch {
    struct snapshot_fetch_config config;
    struct source sources[SNAPSHOT_SOURCES_MAX];
    size_t source_count;
    struct job jobs[SNAPSHOT_TRANSFERS];
    uint64_t fetched;

    /* The snapshot at hand. */
    const struct snapshot_manifest *manifest;
    const char *dir;
    uint8_t *state; /* enum chunk_state, a byte a chunk */
    uint32_t last;  /* only chunks whose place is below are wanted */
    uint32_t next;  /* no place below has one that is wanted */
    uint32_t missing;
    uint64_t have, total, under_way; /* bytes */
    struct buffer *manifest_out;     /* while a manifest is asked for */
    bool manifest_done;
};

enum err snapshot_fetch_new(const struct snapshot_fetch_config *config, const char *const *urls, size_t count,
                            struct snapshot_fetch **out) {
    struct snapshot_fetch *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return ERR_NOMEM;
    }
    f->config = *config;
    for (size_t i = 0; i < count && f->source_count < SNAPSHOT_SOURCES_MAX; i++) {
        if (strlen(urls[i]) < CONFIG_URL_MAX) {
            memcpy(f->sources[f->source_count++].url, urls[i], strlen(urls[i]) + 1);
        }
    }
    *out = f;
    return OK;
}

void snapshot_fetch_free(struct snapshot_fetch *fetch) {
    if (fetch != NULL) {
        fetch->config.transport.ops->drop(fetch->config.transport.ctx);
        free(fetch);
    }
}

uint64_t snapshot_fetch_bytes(const struct snapshot_fetch *fetch) {
    return fetch->fetched;
}

/* ---- The transport ----------------------------------------------------------------------------------------------- */

static uint64_t now_ms(const struct snapshot_fetch *f) {
    return f->config.transport.ops->now_ms(f->config.transport.ctx);
}

static bool is_active(const struct snapshot_fetch *f) {
    return f->config.transport.ops->active(f->config.transport.ctx) > 0;
}

static enum err get(struct snapshot_fetch *f, const struct source *source, const char *path, size_t limit,
                    uint32_t timeout_ms, void *tag) {
    return f->config.transport.ops->get(f->config.transport.ctx, source->url, path, limit, timeout_ms, tag);
}

static enum err run(struct snapshot_fetch *f,
                    enum err (*done)(void *arg, void *tag, const struct snapshot_answer *answer)) {
    return f->config.transport.ops->run(f->config.transport.ctx, WAIT_MS, done, f);
}

/* ---- Sources ----------------------------------------------------------------------------------------------------- */

static void tell_left(struct snapshot_fetch *f, const struct source *source, enum err reason, const char *what) {
    if (f->config.source_left != NULL) {
        f->config.source_left(f->config.arg, source->url, reason, what);
    }
}

static void leave(struct snapshot_fetch *f, struct source *source, enum err reason, const char *what) {
    if (!source->left && !source->refused) {
        source->left = true;
        source->refused = reason == ERR_MISMATCH;
        tell_left(f, source, reason, what);
    }
}

static void failed(struct snapshot_fetch *f, struct source *source, enum err reason, const char *what) {
    source->failures++;
    source->wait_until_ms = now_ms(f) + ((uint64_t)BACKOFF_MS << source->failures);
    if (reason == ERR_NOTFOUND || source->failures >= FAILURES_MAX) {
        leave(f, source, reason, what);
    }
}

void snapshot_fetch_refuse(struct snapshot_fetch *fetch, size_t source, const char *what) {
    leave(fetch, &fetch->sources[source], ERR_MISMATCH, what);
}

static const struct snapshot_offer *offer_of(const struct source *source, const uint8_t *content) {
    const struct snapshot_offer *best = NULL;
    for (size_t i = 0; i < source->offer_count && !source->refused; i++) {
        const struct snapshot_offer *o = &source->offers[i];
        bool fits = content == NULL || memcmp(o->content, content, HASH_LEN) == 0;
        best = fits && (best == NULL || o->height > best->height) ? o : best;
    }
    return best;
}

void snapshot_fetch_refuse_content(struct snapshot_fetch *fetch, const uint8_t content[HASH_LEN], const char *what) {
    for (size_t i = 0; i < fetch->source_count; i++) {
        if (offer_of(&fetch->sources[i], content) != NULL) {
            fetch->sources[i].left = false;
            leave(fetch, &fetch->sources[i], ERR_MISMATCH, what);
        }
    }
}

void snapshot_fetch_refuse_false(struct snapshot_fetch *fetch, const struct snapshot_offer *proven) {
    for (size_t i = 0; i < fetch->source_count; i++) {
        struct source *source = &fetch->sources[i];
        for (size_t k = 0; k < source->offer_count; k++) {
            const struct snapshot_offer *o = &source->offers[k];
            bool same = memcmp(o->content, proven->content, HASH_LEN) == 0;
            if (same && (o->height != proven->height || o->time_ms != proven->time_ms)) {
                source->left = false;
                leave(fetch, source, ERR_MISMATCH, "lists a snapshot with another height or time than it has");
                break;
            }
        }
    }
}

bool snapshot_fetch_best(const struct snapshot_fetch *fetch, const uint8_t *content, struct snapshot_offer *out) {
    const struct snapshot_offer *best = NULL;
    for (size_t i = 0; i < fetch->source_count; i++) {
        const struct snapshot_offer *o = offer_of(&fetch->sources[i], content);
        best = o != NULL && (best == NULL || o->height > best->height) ? o : best;
    }
    if (best != NULL) {
        *out = *best;
    }
    return best != NULL;
}

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

static void note_offer(const struct snapshot_answer_entry *entry, struct source *source) {
    if (source->offer_count < OFFERS_MAX && entry->height > 0 && entry->time_ms > 0) {
        struct snapshot_offer *offer = &source->offers[source->offer_count++];
        offer->height = entry->height;
        offer->time_ms = entry->time_ms;
        memcpy(offer->content, entry->content, HASH_LEN);
    }
}

/* Entries that are none are passed over: others of the list may be good. */
static void read_offers(const json_t *list, struct source *source) {
    struct snapshots_answer answer;
    struct snapshot_answer_entry entry;
    struct why why;
    if (record_of_json(&snapshots_answer_shape, list, &answer, &why) != OK) {
        return;
    }
    const json_t *items = answer.snapshots;
    for (size_t i = 0; i < json_array_size(items); i++) {
        if (record_of_json(&snapshot_entry_shape, json_array_get(items, i), &entry, &why) == OK) {
            note_offer(&entry, source);
        }
    }
    source->making = answer.making;
}

static enum err take_list(void *arg, void *tag, const struct snapshot_answer *answer) {
    struct snapshot_fetch *f = arg;
    struct source *source = tag;
    if (answer->e != OK) {
        leave(f, source, answer->e, answer->why.text);
        return OK;
    }
    json_t *list = json_loadb((const char *)answer->body.data, answer->body.len, JSON_REJECT_DUPLICATES, NULL);
    read_offers(list, source);
    json_decref(list);
    return OK;
}

enum err snapshot_fetch_list(struct snapshot_fetch *fetch, bool *out_making) {
    enum err e = OK;
    for (size_t i = 0; i < fetch->source_count && e == OK; i++) {
        struct source *s = &fetch->sources[i];
        s->left = s->refused;
        s->failures = 0;
        s->wait_until_ms = 0;
        s->offer_count = 0;
        s->making = false;
        if (!s->refused) {
            e = get(fetch, s, "/v1/snapshots", LIST_MAX, LIST_TIMEOUT_MS, s);
        }
    }
    while (e == OK && is_active(fetch)) {
        e = run(fetch, take_list);
    }
    bool making = false;
    for (size_t i = 0; i < fetch->source_count; i++) {
        making = making || fetch->sources[i].making;
    }
    if (e == OK) {
        *out_making = making;
    }
    return e;
}

/* ---- The manifest ------------------------------------------------------------------------------------------------ */

static enum err take_manifest(void *arg, void *tag, const struct snapshot_answer *answer) {
    struct snapshot_fetch *f = arg;
    struct source *source = tag;
    f->manifest_done = true;
    if (answer->e == ERR_TOOLARGE) {
        leave(f, source, ERR_MISMATCH, answer->why.text);
    } else if (answer->e != OK) {
        leave(f, source, answer->e, answer->why.text);
    } else {
        buffer_reset(f->manifest_out);
        buffer_put(f->manifest_out, answer->body.data, answer->body.len);
        return buffer_ok(f->manifest_out);
    }
    return OK;
}

/* From one source; an empty buffer when it did not give one. */
static enum err ask_manifest(struct snapshot_fetch *f, struct source *source, uint64_t height, struct buffer *out) {
    char path[64];
    (void)snprintf(path, sizeof path, "/v1/snapshots/%llu/manifest", (unsigned long long)height);
    buffer_reset(out);
    f->manifest_out = out;
    f->manifest_done = false;
    enum err e = get(f, source, path, SNAPSHOT_MANIFEST_MAX, 0, source);
    while (e == OK && !f->manifest_done) {
        e = run(f, take_manifest);
    }
    return e;
}

enum err snapshot_fetch_manifest(struct snapshot_fetch *fetch, const struct snapshot_offer *offer, struct buffer *out,
                                 size_t *out_source) {
    for (size_t i = 0; i < fetch->source_count; i++) {
        struct source *s = &fetch->sources[i];
        struct snapshot_manifest manifest;
        const struct snapshot_offer *own = offer_of(s, offer->content);
        if (own == NULL || s->left) {
            continue;
        }
        enum err e = ask_manifest(fetch, s, own->height, out);
        if (e != OK) {
            return e;
        }
        if (out->len == 0) {
            continue;
        }
        e = snapshot_manifest_decode(fetch->config.crypto, buffer_bytes(out), &manifest);
        bool good = e == OK && memcmp(manifest.content, offer->content, HASH_LEN) == 0;
        if (e == OK) {
            snapshot_manifest_free(&manifest);
        }
        if (e == ERR_NOMEM) {
            return e;
        }
        if (good) {
            *out_source = i;
            return OK;
        }
        leave(fetch, s, ERR_MISMATCH, "sent a manifest that is not the one it lists");
    }
    return ERR_NOTFOUND;
}

/* ---- Chunks ------------------------------------------------------------------------------------------------------ */

static enum err chunk_path(const struct snapshot_fetch *f, uint32_t chunk, char out[PATH_SIZE]) {
    int n = snprintf(out, PATH_SIZE, "%s/%u", f->dir, chunk);
    return n > 0 && n < PATH_SIZE ? OK : ERR_TOOLARGE;
}

/* Is it in the folder, whole? One that is damaged goes. */
static enum err look_for(struct snapshot_fetch *f, uint32_t chunk, bool *out_here) {
    char path[PATH_SIZE];
    struct buffer bytes = BUFFER_INIT;
    enum err e = chunk_path(f, chunk, path);
    if (e != OK) {
        return e;
    }
    e = disk_read_file(&f->config.disk, path, SNAPSHOT_CHUNK_MAX, &bytes);
    if (e == OK) {
        e = snapshot_chunk_check(f->config.crypto, f->manifest, chunk, buffer_bytes(&bytes));
        if (e != OK && e != ERR_NOMEM && e != ERR_INVALID) {
            (void)f->config.disk.ops->remove(f->config.disk.ctx, path);
        }
    }
    buffer_free(&bytes);
    *out_here = e == OK;
    return e == ERR_NOMEM || e == ERR_INVALID || e == ERR_IO ? e : OK;
}

/* Body chunks go from the last to the first, and then comes the state chunk that tells how far back they must reach, so
 * that a manifest that lies about them is found out early. */
static uint32_t chunk_at(const struct snapshot_manifest *manifest, uint32_t place) {
    if (place < manifest->body_count) {
        return snapshot_chunk_count(manifest) - 1 - place;
    }
    uint32_t rule = snapshot_window_chunk(manifest), state = place - manifest->body_count;
    if (state == 0) {
        return rule;
    }
    return state <= rule ? state - 1 : state;
}

static enum err take_stock(struct snapshot_fetch *f, enum snapshot_part part) {
    uint32_t count = snapshot_chunk_count(f->manifest);
    f->last = part == SNAPSHOT_WINDOW ? f->manifest->body_count + 1 : count;
    f->next = 0;
    f->missing = 0;
    f->have = 0;
    f->under_way = 0;
    f->total = snapshot_bytes(f->manifest);
    for (uint32_t place = 0; place < f->last; place++) {
        uint32_t i = chunk_at(f->manifest, place);
        bool here = snapshot_chunk_bytes(f->manifest, i) == 0;
        enum err e = here ? OK : look_for(f, i, &here);
        if (e != OK) {
            return e;
        }
        f->state[i] = here ? CHUNK_HERE : CHUNK_WANTED;
        f->missing += !here;
        f->have += here ? snapshot_chunk_bytes(f->manifest, i) : 0;
    }
    return OK;
}

static struct source *free_source(struct snapshot_fetch *f) {
    uint64_t now = now_ms(f);
    struct source *best = NULL;
    for (size_t i = 0; i < f->source_count; i++) {
        struct source *s = &f->sources[i];
        /* After a failure one transfer at a time shows whether it has recovered. */
        unsigned limit = s->failures > 0 ? 1 : PER_SOURCE;
        if (!s->left && s->active < limit && now >= s->wait_until_ms && offer_of(s, f->manifest->content) != NULL &&
            (best == NULL || s->active < best->active)) {
            best = s;
        }
    }
    return best;
}

static bool anybody_left(const struct snapshot_fetch *f) {
    for (size_t i = 0; i < f->source_count; i++) {
        if (!f->sources[i].left && offer_of(&f->sources[i], f->manifest->content) != NULL) {
            return true;
        }
    }
    return false;
}

static struct job *free_job(struct snapshot_fetch *f) {
    for (size_t i = 0; i < SNAPSHOT_TRANSFERS; i++) {
        if (!f->jobs[i].used) {
            return &f->jobs[i];
        }
    }
    return NULL;
}

static bool next_chunk(struct snapshot_fetch *f, uint32_t *out) {
    while (f->next < f->last && f->state[chunk_at(f->manifest, f->next)] != CHUNK_WANTED) {
        f->next++;
    }
    if (f->next == f->last) {
        return false;
    }
    *out = chunk_at(f->manifest, f->next);
    return true;
}

static enum err start_transfers(struct snapshot_fetch *f) {
    for (;;) {
        uint32_t chunk;
        char path[64];
        struct job *job = free_job(f);
        struct source *source = free_source(f);
        if (job == NULL || source == NULL || f->under_way >= SNAPSHOT_FETCH_BYTES || !next_chunk(f, &chunk)) {
            return OK;
        }
        uint32_t bytes = snapshot_chunk_bytes(f->manifest, chunk);
        (void)snprintf(path, sizeof path, "/v1/snapshots/%llu/chunks/%u", (unsigned long long)f->manifest->height,
                       chunk);
        enum err e = get(f, source, path, bytes, CHUNK_GRACE_MS + bytes / RATE_MIN, job);
        if (e != OK) {
            return e;
        }
        *job = (struct job){.used = true, .source = (size_t)(source - f->sources), .chunk = chunk};
        f->state[chunk] = CHUNK_UNDER_WAY;
        f->under_way += bytes;
        source->active++;
    }
}

static void give_back(struct snapshot_fetch *f, uint32_t chunk) {
    f->state[chunk] = CHUNK_WANTED;
    f->next = 0;
}

static enum err keep_chunk(struct snapshot_fetch *f, uint32_t chunk, struct source *source, struct bytes body) {
    char path[PATH_SIZE];
    enum err e = snapshot_chunk_check(f->config.crypto, f->manifest, chunk, body);
    if (e == ERR_MISMATCH) {
        leave(f, source, ERR_MISMATCH, "sent a chunk that is not what the state root stands for");
        give_back(f, chunk);
        return OK;
    }
    if (e == OK) {
        e = chunk_path(f, chunk, path);
    }
    if (e == OK) {
        e = disk_write_file(&f->config.disk, path, body);
    }
    if (e == OK) {
        f->state[chunk] = CHUNK_HERE;
        f->missing--;
        f->have += body.len;
        f->fetched += body.len;
        source->failures = 0;
    }
    return e;
}

static enum err take_chunk(void *arg, void *tag, const struct snapshot_answer *answer) {
    struct snapshot_fetch *f = arg;
    struct job *job = tag;
    struct source *source = &f->sources[job->source];
    uint32_t chunk = job->chunk;
    job->used = false;
    source->active--;
    f->under_way -= snapshot_chunk_bytes(f->manifest, chunk);
    if (answer->e == OK) {
        return keep_chunk(f, chunk, source, answer->body);
    }
    give_back(f, chunk);
    if (answer->e == ERR_TOOLARGE) {
        leave(f, source, ERR_MISMATCH, answer->why.text);
    } else {
        failed(f, source, answer->e, answer->why.text);
    }
    return OK;
}

static enum err fetch_missing(struct snapshot_fetch *f) {
    enum err e = OK;
    while (e == OK && f->missing > 0) {
        if (f->config.progress != NULL && !f->config.progress(f->config.arg, f->have, f->total)) {
            return ERR_CLOSED;
        }
        if (!is_active(f) && !anybody_left(f)) {
            return ERR_NOTFOUND;
        }
        e = start_transfers(f);
        if (e == OK) {
            e = run(f, take_chunk);
        }
    }
    if (e == OK && f->config.progress != NULL && !f->config.progress(f->config.arg, f->have, f->total)) {
        e = ERR_CLOSED;
    }
    return e;
}

enum err snapshot_fetch_chunks(struct snapshot_fetch *fetch, const struct snapshot_manifest *manifest,
                               enum snapshot_part part, const char *dir) {
    fetch->manifest = manifest;
    fetch->dir = dir;
    fetch->state = calloc(snapshot_chunk_count(manifest), 1);
    if (fetch->state == NULL) {
        return ERR_NOMEM;
    }
    enum err e = take_stock(fetch, part);
    if (e == OK) {
        e = fetch_missing(fetch);
    }
    free(fetch->state);
    fetch->state = NULL;
    fetch->manifest = NULL;
    /* Transfers that are still under way would call back for what is gone. */
    fetch->config.transport.ops->drop(fetch->config.transport.ctx);
    memset(fetch->jobs, 0, sizeof fetch->jobs);
    for (size_t i = 0; i < fetch->source_count; i++) {
        fetch->sources[i].active = 0;
    }
    return e;
}
