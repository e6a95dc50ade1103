/* Sources of snapshots: the nodes that are up and can be reached, by a transport that answers from their shelves. A
 * Byzantine one may lie, and then does so consistently for as long as one node joins. */
#include "tests/sim/sim_snapshots.h"

#include "node/answers/blob.h"
#include "node/host/host_crypto.h"
#include "node/json/record_json.h"
#include "node/snapshot/snapshot_bodies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_SIZE 16
#define PATH_SIZE 64
#define SILENCE_MS 5000u

enum lie {
    LIE_NONE,
    LIE_SHORT,    /* all of it is proven, and the bodies are those of the last block alone */
    LIE_CHAIN,    /* it is of another chain */
    LIE_HEIGHT,   /* the list has a height that nobody has reached */
    LIE_CONTENT,  /* the list has a content that nobody can give */
    LIE_MANIFEST, /* one bit of it is another */
    LIE_CHUNK,    /* so here */
    LIE_RECEIPT,  /* and here, at the end of a chunk of bodies */
    LIE_SILENCE,  /* it takes the question and says nothing */
    LIE_KINDS
};

struct asked {
    uint16_t source;
    char path[PATH_SIZE];
    size_t limit;
    void *tag;
};

struct source {
    char address[ADDRESS_SIZE];
    enum lie lie;
    bool lied, disproven; /* disproven: its manifest showed that its list had lied */
    bool left;
    struct sim_snapshot forged; /* what it serves in the place of its newest */
};

struct sim_sources {
    struct sim_node *joiner;
    struct sim_random random;
    uint64_t now_ms;
    struct source at[SIM_NODES_MAX];
    struct asked asked[SNAPSHOT_TRANSFERS];
    size_t asked_count;
};

/* ---- Forging ----------------------------------------------------------------------------------------------------- */

struct last_block {
    uint64_t height;
    struct buffer *out;
};

static enum err put_last(void *arg, const struct block *block, const struct bytes *receipts) {
    const struct last_block *last = arg;
    if (block->header.height == last->height) {
        snapshot_bodies_put(last->out, block, receipts);
    }
    return OK;
}

/* The true one with a manifest that says something else; `bodies` takes the place of its body chunks when it holds
 * something. */
static enum err reissue(const struct sim_snapshot *of, struct snapshot_manifest *manifest, const struct buffer *bodies,
                        struct sim_snapshot *out) {
    enum err e = snapshot_manifest_encode(&host_crypto, manifest, &out->manifest);
    if (e == OK) {
        e = sim_snapshot_describe(out);
    }
    if (e != OK) {
        return e;
    }
    out->chunks = calloc(out->count, sizeof *out->chunks);
    for (uint32_t i = 0; i < out->count; i++) {
        const struct buffer *chunk = bodies->len > 0 && i + 1 == out->count ? bodies : &of->chunks[i];
        buffer_put(&out->chunks[i], chunk->data, chunk->len);
    }
    return OK;
}

static enum err forge_short(const struct sim_snapshot *of, struct snapshot_manifest *manifest,
                            struct sim_snapshot *out) {
    struct buffer bodies = BUFFER_INIT;
    struct last_block last = {manifest->height, &bodies};
    uint32_t index = manifest->body_count - 1;
    if (manifest->bodies[0].first == manifest->height) {
        return ERR_NOTFOUND; /* it is short as it is */
    }
    enum err e = snapshot_bodies_read(manifest, index, buffer_bytes(&of->chunks[of->count - 1]), put_last, &last);
    if (e == OK) {
        manifest->body_count = 1;
        manifest->bodies[0].first = manifest->height;
        memcpy(manifest->bodies[0].last_hash, manifest->block, HASH_LEN);
        manifest->bodies[0].bytes = (uint32_t)bodies.len;
        e = reissue(of, manifest, &bodies, out);
    }
    buffer_free(&bodies);
    return e;
}

static enum err forge(enum lie lie, const struct sim_snapshot *of, struct sim_snapshot *out) {
    struct snapshot_manifest manifest;
    struct buffer none = BUFFER_INIT;
    enum err e = snapshot_manifest_decode(&host_crypto, buffer_bytes(&of->manifest), &manifest);
    if (e != OK) {
        return e;
    }
    if (lie == LIE_SHORT) {
        e = forge_short(of, &manifest, out);
    } else {
        manifest.chain_id[7] ^= 1;
        e = reissue(of, &manifest, &none, out);
    }
    snapshot_manifest_free(&manifest);
    return e;
}

static void choose_lie(struct sim_sources *s, uint16_t i) {
    const struct sim_node *node = &s->joiner->world->nodes[i];
    struct source *source = &s->at[i];
    if (!node->byzantine || node->shelf == NULL || node->shelf->count == 0 ||
        !sim_chance(&s->random, s->joiner->world->options.snapshot_lies)) {
        return;
    }
    source->lie = (enum lie)sim_between(&s->random, LIE_SHORT, LIE_KINDS - 1);
    if ((source->lie == LIE_SHORT || source->lie == LIE_CHAIN) &&
        forge(source->lie, &node->shelf->kept[0], &source->forged) != OK) {
        source->lie = LIE_NONE;
    }
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

/* The answer that follows is a lie. */
static void lie(struct sim_sources *s, struct source *source) {
    source->lied = true;
    sim_count(s->joiner->world, COUNT_SNAPSHOT_LIE);
}

static const struct sim_snapshot *snapshot_at(const struct sim_sources *s, uint16_t i, size_t place) {
    const struct sim_shelf *shelf = s->joiner->world->nodes[i].shelf;
    const struct source *source = &s->at[i];
    bool forged = source->forged.count > 0;
    if (shelf == NULL || place >= (forged ? 1 : shelf->count)) {
        return NULL;
    }
    return forged ? &source->forged : &shelf->kept[place];
}

static void answer_list(struct sim_sources *s, uint16_t i, struct buffer *out) {
    struct source *source = &s->at[i];
    const struct sim_snapshot *at;
    json_t *items = json_array();
    for (size_t k = 0; (at = snapshot_at(s, i, k)) != NULL; k++) {
        uint64_t more = source->lie == LIE_HEIGHT || source->lie == LIE_CONTENT ? 1000 : 0;
        struct snapshot_answer_entry entry = {
            .height = at->height + more, .time_ms = at->time_ms + more * 1000, .chunks = at->count};
        memcpy(entry.content, at->content, HASH_LEN);
        entry.content[0] ^= source->lie == LIE_CONTENT ? 1 : 0;
        (void)json_array_append_new(items, record_json(&snapshot_entry_shape, &entry));
    }
    const struct snapshots_answer answer = {.snapshots = items};
    json_t *list = record_json(&snapshots_answer_shape, &answer);
    char *text = json_dumps(list, JSON_COMPACT);
    buffer_words(out, text);
    free(text);
    json_decref(list);
    json_decref(items);
    if (source->lie == LIE_HEIGHT || source->lie == LIE_CONTENT || source->forged.count > 0) {
        lie(s, source);
    }
}

static void flip(struct sim_sources *s, struct source *source, struct buffer *bytes, bool at_end) {
    if (bytes->len > 0) {
        size_t at = at_end ? bytes->len - 1 : (size_t)sim_below(&s->random, bytes->len);
        bytes->data[at] ^= (uint8_t)(1u << sim_below(&s->random, 8));
        lie(s, source);
    }
}

/* "/v1/snapshots/HEIGHT/manifest" or ".../chunks/N" */
static enum err answer_file(struct sim_sources *s, uint16_t i, const char *path, struct buffer *out) {
    struct source *source = &s->at[i];
    unsigned long long height = 0;
    unsigned chunk = 0;
    bool manifest = sscanf(path, "/v1/snapshots/%llu/chunks/%u", &height, &chunk) == 1;
    const struct sim_snapshot *at = NULL;
    for (size_t k = 0; (at = snapshot_at(s, i, k)) != NULL; k++) {
        if (at->height == height || (source->lie == LIE_HEIGHT && at->height + 1000 == height)) {
            break;
        }
    }
    if (at == NULL || (!manifest && chunk >= at->count)) {
        return ERR_NOTFOUND;
    }
    source->disproven = source->disproven || (manifest && source->lie == LIE_HEIGHT);
    const struct buffer *bytes = manifest ? &at->manifest : &at->chunks[chunk];
    buffer_put(out, bytes->data, bytes->len);
    if (source->lie == (manifest ? LIE_MANIFEST : LIE_CHUNK)) {
        flip(s, source, out, false);
    } else if (source->lie == LIE_RECEIPT && !manifest && chunk + 1 == at->count) {
        flip(s, source, out, true);
    }
    return buffer_ok(out);
}

static bool is_reached(const struct sim_sources *s, uint16_t i) {
    const struct sim_world *w = s->joiner->world;
    const struct sim_node *node = &w->nodes[i];
    return node->up && !node->paused && !w->cut[i][s->joiner->number] && !w->cut[s->joiner->number][i];
}

static void answer(struct sim_sources *s, const struct asked *a, struct buffer *body, struct snapshot_answer *out) {
    const struct sim_world *w = s->joiner->world;
    struct source *source = &s->at[a->source];
    *out = (struct snapshot_answer){.e = OK};
    bool silent = source->lie == LIE_SILENCE && strcmp(a->path, "/v1/snapshots") != 0;
    if (!is_reached(s, a->source) || silent) {
        s->now_ms += SILENCE_MS;
        out->e = ERR_TIMEOUT;
    } else if (!w->healed && sim_chance(&s->random, w->options.loss)) {
        out->e = ERR_NETWORK;
    } else if (strcmp(a->path, "/v1/snapshots") == 0) {
        answer_list(s, a->source, body);
    } else {
        out->e = answer_file(s, a->source, a->path, body);
    }
    if (out->e == OK && body->len > a->limit) {
        out->e = ERR_TOOLARGE;
    }
    why_set(&out->why, "%s", out->e == OK ? "" : err_text(out->e));
    out->body = buffer_bytes(body);
}

/* ---- The transport ----------------------------------------------------------------------------------------------- */

static enum err sources_get(void *ctx, const char *base, const char *path, size_t limit, uint32_t timeout_ms,
                            void *tag) {
    struct sim_sources *s = ctx;
    (void)timeout_ms;
    if (s->asked_count == SNAPSHOT_TRANSFERS) {
        return ERR_FULL;
    }
    struct asked *a = &s->asked[s->asked_count++];
    *a = (struct asked){.source = (uint16_t)strtoul(base + strlen("node:"), NULL, 10), .limit = limit, .tag = tag};
    (void)snprintf(a->path, sizeof a->path, "%s", path);
    return OK;
}

static size_t sources_active(void *ctx) {
    return ((const struct sim_sources *)ctx)->asked_count;
}

/* One of those that are under way ends. */
static enum err sources_run(void *ctx, int wait_ms,
                            enum err (*done)(void *arg, void *tag, const struct snapshot_answer *answer), void *arg) {
    struct sim_sources *s = ctx;
    struct snapshot_answer told;
    struct buffer body = BUFFER_INIT;
    if (s->asked_count == 0) {
        s->now_ms += (uint64_t)wait_ms;
        return OK;
    }
    size_t place = (size_t)sim_below(&s->random, s->asked_count);
    const struct asked a = s->asked[place];
    s->asked[place] = s->asked[--s->asked_count];
    s->now_ms++;
    answer(s, &a, &body, &told);
    enum err e = done(arg, a.tag, &told);
    buffer_free(&body);
    return e;
}

static void sources_drop(void *ctx) {
    ((struct sim_sources *)ctx)->asked_count = 0;
}

static uint64_t sources_now_ms(void *ctx) {
    return ((const struct sim_sources *)ctx)->now_ms;
}

static void sources_pause(void *ctx, uint32_t ms) {
    ((struct sim_sources *)ctx)->now_ms += ms;
}

static const struct snapshot_transport_ops ops = {
    .get = sources_get,
    .active = sources_active,
    .run = sources_run,
    .drop = sources_drop,
    .now_ms = sources_now_ms,
    .pause = sources_pause,
};

/* ---- Life -------------------------------------------------------------------------------------------------------- */

struct sim_sources *sim_sources_new(struct sim_node *joiner) {
    const struct sim_world *w = joiner->world;
    struct sim_sources *s = calloc(1, sizeof *s);
    s->joiner = joiner;
    s->random = sim_stream(w->played->seed, STREAM_SNAPSHOT, joiner->number, joiner->incarnation);
    for (uint16_t i = 0; i < w->node_count; i++) {
        (void)snprintf(s->at[i].address, sizeof s->at[i].address, "node:%u", i);
        choose_lie(s, i);
    }
    return s;
}

void sim_sources_free(struct sim_sources *sources) {
    for (size_t i = 0; i < SIM_NODES_MAX; i++) {
        sim_snapshot_free(&sources->at[i].forged);
    }
    free(sources);
}

struct snapshot_transport sim_sources_transport(struct sim_sources *sources) {
    return (struct snapshot_transport){.ops = &ops, .ctx = sources};
}

size_t sim_sources_list(const struct sim_sources *sources, const char *out[SIM_NODES_MAX]) {
    size_t count = 0;
    for (uint16_t i = 0; i < sources->joiner->world->node_count; i++) {
        if (i != sources->joiner->number) {
            out[count++] = sources->at[i].address;
        }
    }
    return count;
}

static unsigned long place_of(const char *address) {
    return strtoul(address + strlen("node:"), NULL, 10);
}

bool sim_sources_lied(const struct sim_sources *sources, const char *address) {
    return sources->at[place_of(address)].lied;
}

void sim_sources_leave(struct sim_sources *sources, const char *address) {
    sources->at[place_of(address)].left = true;
}

bool sim_sources_believed(const struct sim_sources *sources) {
    for (size_t i = 0; i < SIM_NODES_MAX; i++) {
        if (sources->at[i].disproven && !sources->at[i].left) {
            return true;
        }
    }
    return false;
}
