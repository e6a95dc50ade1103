#include "node/snapshot_join.h"

#include "base/clock.h"
#include "base/file.h"
#include "node/home_chain.h"
#include "node/host_crypto.h"
#include "node/ledger/chain_store.h"
#include "node/snapshot_install.h"
#include "node/snapshot_make.h"
#include "store/home_lock.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 8
#define MAKING_WAIT_MS 300000u /* for a snapshot that is being made for us */
#define POLL_NS 300000000L

/* Where this home's own ledger stands. */
struct own {
    bool any;
    struct block_header head;
    uint64_t epoch; /* the newest it knows */
    struct buffer epoch_entry;
};

struct join {
    const struct snapshot_join_config *config;
    char *why;
    struct own own;
    struct snapshot_pin pin;
    bool pinned;
    struct snapshot_fetch *fetch;
    struct buffer encoded; /* of the manifest */
    struct snapshot_manifest manifest;
    struct block_header header;
    uint8_t refused[ROUNDS_MAX][HASH_LEN]; /* content ids of snapshots that can't be used */
    size_t refused_count;
};

static enum err say(char *why, enum err e, const char *what) {
    if (e != OK && why[0] == '\0') {
        daemon_explain(why, "%s: %s", what, err_text(e));
    }
    return e;
}

static enum err path_in(const struct daemon_home *home, const char *name, char out[CONFIG_PATH_MAX]) {
    char part[128];
    (void)snprintf(part, sizeof part, "join%s%s", name[0] != '\0' ? "/" : "", name);
    return home_path(home, part, out);
}

static bool exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

/* ---- Changing places --------------------------------------------------------------------------------------------- */

/* One folder: the old one out of the way first, then the new one in its place. Either may have happened already. */
static enum err change_place(const struct daemon_home *home, const char *name) {
    char from[CONFIG_PATH_MAX], to[CONFIG_PATH_MAX], old[CONFIG_PATH_MAX], part[64];
    (void)snprintf(part, sizeof part, "store/%s", name);
    enum err e = path_in(home, part, from);
    if (e == OK) {
        (void)snprintf(part, sizeof part, "old/%s", name);
        e = path_in(home, part, old);
    }
    if (e == OK) {
        e = home_path(home, name, to);
    }
    if (e != OK || !exists(from)) {
        return e;
    }
    if (exists(to) && rename(to, old) != 0) {
        return err_from_errno(errno);
    }
    return rename(from, to) == 0 ? OK : err_from_errno(errno);
}

enum err snapshot_join_finish(const struct daemon_home *home, char why[DAEMON_WHY_MAX]) {
    static const char *const synced[] = {"", "join/store", "join/old"};
    char path[CONFIG_PATH_MAX], old[CONFIG_PATH_MAX], join[CONFIG_PATH_MAX];
    enum err e = path_in(home, "ready", path);
    if (e != OK || !exists(path)) {
        return e;
    }
    e = path_in(home, "old", old);
    if (e == OK) {
        e = dir_make(old);
    }
    if (e == OK) {
        e = change_place(home, "blocks");
    }
    if (e == OK) {
        e = change_place(home, "state");
    }
    for (size_t i = 0; i < sizeof synced / sizeof synced[0] && e == OK; i++) {
        e = home_path(home, synced[i], old);
        e = e == OK ? dir_sync(old) : e;
    }
    /* The mark goes first and for good: what is left of the folder then means nothing. */
    if (e == OK && unlink(path) != 0) {
        e = err_from_errno(errno);
    }
    if (e == OK) {
        e = path_in(home, "", join);
    }
    if (e == OK) {
        e = dir_sync(join);
    }
    if (e == OK) {
        e = snapshot_remove_folder(join);
    }
    return say(why, e, "putting the joined ledger in its place");
}

/* ---- Where we stand ---------------------------------------------------------------------------------------------- */

/* Is there a block log? Then the state can be made again from it, and nothing is new. */
static enum err has_log(const struct daemon_home *home, bool *out) {
    char path[CONFIG_PATH_MAX];
    enum err e = home_path(home, "blocks", path);
    DIR *dir = e == OK ? opendir(path) : NULL;
    *out = false;
    if (dir == NULL) {
        return e != OK || errno == ENOENT ? e : err_from_errno(errno);
    }
    for (const struct dirent *d = readdir(dir); d != NULL; d = readdir(dir)) {
        *out = *out || strncmp(d->d_name, "block-", strlen("block-")) == 0;
    }
    (void)closedir(dir);
    return OK;
}

static enum err read_own(struct kv_view *view, struct own *own) {
    static const uint8_t last[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct chain_store_head head;
    struct bytes key, value;
    enum err e = chain_store_head(&host_crypto, view, &head);
    if (e == OK) {
        e = kv_seek_back(view, KV_EPOCHS, bytes_of(last, sizeof last), &key, &value);
    }
    if (e == OK && key.len == 8) {
        own->any = true;
        own->head = head.header;
        own->epoch = load_u64(key.data);
        buffer_put(&own->epoch_entry, value.data, value.len);
        e = buffer_ok(&own->epoch_entry);
    }
    return e;
}

static enum err find_own(struct join *j) {
    char state[CONFIG_PATH_MAX];
    struct kv_backend backend;
    struct kv *kv = NULL;
    struct kv_view *view = NULL;
    enum err e = home_path(j->config->home, "state", state);
    if (e == OK) {
        e = kv_lmdb_look(state, HOME_MAP_BYTES, &backend);
    }
    if (e == OK) {
        e = kv_open(backend, &kv);
    }
    if (e == OK) {
        e = kv_view_open(kv, &view);
    }
    if (e == OK) {
        e = read_own(view, &j->own);
    }
    kv_view_close(view);
    kv_close(kv);
    /* Whatever is wrong with a store is for whoever opens it to say; a joined one takes its place only if asked for. */
    return e == ERR_NOMEM ? e : OK;
}

/* Is there anything to do? A node that has a block log but no state makes that from the log. */
static enum err is_new(const struct join *j, bool *out) {
    bool log = false;
    enum err e = has_log(j->config->home, &log);
    *out = !log && (!j->own.any || j->own.head.height == 0);
    return e;
}

static bool worth(const struct join *j, bool fresh, const struct snapshot_offer *offer) {
    if (j->own.any && offer->height <= j->own.head.height) {
        return false;
    }
    uint64_t behind_ms = j->config->home->config.snapshot.join_behind_ms;
    return fresh || j->config->wanted ||
           (j->own.any && offer->time_ms > j->own.head.time_ms && offer->time_ms - j->own.head.time_ms > behind_ms);
}

/* ---- Whom and what to trust -------------------------------------------------------------------------------------- */

/* What the walk must meet on its way: our own newest epoch, and perhaps the pinned block. */
struct meeting {
    const struct join *join;
    bool own_met, pin_met, contradicted;
};

static enum err meet_epoch(void *arg, const struct snapshot_epoch *epoch) {
    struct meeting *m = arg;
    const struct join *j = m->join;
    struct block_header closing;
    uint8_t hash[HASH_LEN];
    if (block_header_decode(epoch->closing.data, &closing) != GOOD) {
        return ERR_MALFORMED;
    }
    block_header_hash(&host_crypto, epoch->closing.data, hash);
    if (j->own.any && epoch->number == j->own.epoch) {
        struct bytes own = buffer_bytes(&j->own.epoch_entry);
        m->own_met = own.len >= 8 && load_u64(own.data) == closing.height &&
                     bytes_equal(bytes_of(own.data + 8, own.len - 8), epoch->set);
    }
    if (j->pinned && closing.height == j->pin.height) {
        m->pin_met = memcmp(hash, j->pin.hash, HASH_LEN) == 0;
        m->contradicted = !m->pin_met;
    }
    return OK;
}

/* The operator's block is the snapshot's, a closing block, or one of those whose bodies come along; the last is seen
 * when they are here. */
static enum err check_pin(struct join *j, const struct meeting *m) {
    if (m->contradicted ||
        (j->pin.height == j->manifest.height && memcmp(j->pin.hash, j->manifest.block, HASH_LEN) != 0)) {
        daemon_explain(j->why, "the chain that is offered has another block at the checkpoint's height %llu",
                       (unsigned long long)j->pin.height);
        return ERR_INVALID;
    }
    bool in_window = j->pin.height >= j->manifest.bodies[0].first && j->pin.height <= j->manifest.height;
    if (!m->pin_met && !in_window) {
        daemon_explain(j->why,
                       "the checkpoint at height %llu is not among what the snapshot at %llu proves: give a block from "
                       "%llu to %llu",
                       (unsigned long long)j->pin.height, (unsigned long long)j->manifest.height,
                       (unsigned long long)j->manifest.bodies[0].first, (unsigned long long)j->manifest.height);
        return ERR_DENIED;
    }
    return OK;
}

static enum err check_trust(struct join *j) {
    struct meeting m = {.join = j};
    struct block_header header;
    struct bytes finalization;
    uint64_t since_ms = j->config->home->genesis.time_ms, now_ms = clock_wall_ms();
    enum err e = snapshot_epochs(&j->manifest, meet_epoch, &m, &header, &finalization);
    if (e != OK) {
        return e;
    }
    if (j->own.any && j->own.epoch > 0 && !m.own_met) {
        daemon_explain(j->why, "the chain that is offered does not contain epoch %llu of this node's own",
                       (unsigned long long)j->own.epoch);
        return ERR_INVALID;
    }
    if (j->own.any && j->own.head.time_ms > since_ms) {
        since_ms = j->own.head.time_ms;
    }
    if (j->pinned) {
        return check_pin(j, &m);
    }
    if (now_ms > since_ms && now_ms - since_ms > SNAPSHOT_TRUSTING_MS) {
        daemon_explain(j->why, "what this node trusts is older than 90 days: set snapshot.checkpoint (or give "
                               "--checkpoint) to HEIGHT:HASH of a recent block, learned from somebody you trust");
        return ERR_DENIED;
    }
    return OK;
}

/* ---- The manifest ------------------------------------------------------------------------------------------------ */

static void forget_manifest(struct join *j) {
    snapshot_manifest_free(&j->manifest);
    buffer_reset(&j->encoded);
}

/* What an earlier call was fetching; nothing when it is damaged. */
static enum err load_manifest(struct join *j) {
    char path[CONFIG_PATH_MAX], words[SNAPSHOT_WHY_SIZE];
    forget_manifest(j);
    enum err e = path_in(j->config->home, "manifest", path);
    if (e == OK) {
        e = file_read(path, SNAPSHOT_MANIFEST_MAX, &j->encoded);
    }
    if (e == OK) {
        e = snapshot_manifest_decode(&host_crypto, buffer_bytes(&j->encoded), &j->manifest);
    }
    if (e == OK) {
        e = snapshot_verify(&host_crypto, &j->config->home->genesis, &j->manifest, &j->header, words);
    }
    if (e != OK) {
        forget_manifest(j);
    }
    return e == ERR_NOMEM ? e : OK;
}

static enum err save_manifest(struct join *j) {
    char path[CONFIG_PATH_MAX];
    enum err e = path_in(j->config->home, "", path);
    if (e == OK) {
        e = snapshot_remove_folder(path);
    }
    if (e == OK) {
        e = path_in(j->config->home, "chunks", path);
    }
    if (e == OK) {
        e = dir_make(path);
    }
    if (e == OK) {
        e = path_in(j->config->home, "manifest", path);
    }
    return e == OK ? file_write_atomic(path, buffer_bytes(&j->encoded), 0600) : e;
}

/* Asks one source after the other until one gives a manifest of this content that can be believed. */
static enum err get_manifest(struct join *j, const struct snapshot_offer *offer) {
    char words[SNAPSHOT_WHY_SIZE] = "";
    size_t source = 0;
    enum err e;
    forget_manifest(j);
    while ((e = snapshot_fetch_manifest(j->fetch, offer, &j->encoded, &source)) == OK) {
        e = snapshot_manifest_decode(&host_crypto, buffer_bytes(&j->encoded), &j->manifest);
        if (e == OK) {
            e = snapshot_verify(&host_crypto, &j->config->home->genesis, &j->manifest, &j->header, words);
        }
        if (e == OK) {
            return save_manifest(j);
        }
        forget_manifest(j);
        if (e == ERR_NOMEM) {
            return e;
        }
        snapshot_fetch_refuse(j->fetch, source, words[0] != '\0' ? words : "sent a manifest that can't be read");
    }
    return e;
}

/* ---- A round ----------------------------------------------------------------------------------------------------- */

static bool is_refused(const struct join *j, const uint8_t content[HASH_LEN]) {
    for (size_t i = 0; i < j->refused_count; i++) {
        if (memcmp(j->refused[i], content, HASH_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static bool go_on(const struct join *j, enum snapshot_join_part part, uint64_t done, uint64_t total) {
    return j->config->progress == NULL || j->config->progress(j->config->arg, part, done, total);
}

/* Asks who has what, waiting for a snapshot that somebody makes for us. */
static enum err find_offer(struct join *j, struct snapshot_offer *out, bool *out_found) {
    uint64_t started_ms = clock_mono_ms();
    for (;;) {
        bool making = false;
        enum err e = snapshot_fetch_list(j->fetch, &making);
        if (e != OK) {
            return e;
        }
        *out_found = (j->manifest.state != NULL && snapshot_fetch_best(j->fetch, j->manifest.content, out)) ||
                     snapshot_fetch_best(j->fetch, NULL, out);
        uint64_t waited_ms = clock_mono_ms() - started_ms;
        if (*out_found || !making || waited_ms > MAKING_WAIT_MS) {
            return OK;
        }
        if (!go_on(j, JOIN_WAIT, waited_ms, MAKING_WAIT_MS)) {
            return ERR_CLOSED;
        }
        const struct timespec pause = {0, POLL_NS};
        (void)nanosleep(&pause, NULL);
    }
}

/* The manifest of the offer: the one at hand, or a new one, for which what arrived of the old is thrown away. */
static enum err settle_manifest(struct join *j, const struct snapshot_offer *offer) {
    bool same = j->manifest.state != NULL && memcmp(j->manifest.content, offer->content, HASH_LEN) == 0;
    enum err e = same ? OK : get_manifest(j, offer);
    return e == OK ? check_trust(j) : e;
}

static enum err fetch_chunks(struct join *j) {
    char path[CONFIG_PATH_MAX];
    enum err e = path_in(j->config->home, "chunks", path);
    if (e == OK) {
        e = dir_make(path);
    }
    if (e == OK) {
        e = snapshot_fetch_chunks(j->fetch, &j->manifest, path);
    }
    if (e == ERR_INVALID) {
        snapshot_fetch_refuse_content(j->fetch, j->manifest.content, "lists bodies that do not belong together");
        memcpy(j->refused[j->refused_count++], j->manifest.content, HASH_LEN);
        forget_manifest(j);
    }
    return e;
}

static bool build_progress(void *arg, uint64_t done, uint64_t total) {
    return go_on(arg, JOIN_BUILD, done, total);
}

static enum err build(struct join *j) {
    char join[CONFIG_PATH_MAX], ready[CONFIG_PATH_MAX];
    enum err e = path_in(j->config->home, "", join);
    if (e == OK) {
        e = path_in(j->config->home, "ready", ready);
    }
    const struct snapshot_install_config install = {.genesis = &j->config->home->genesis,
                                                    .manifest = &j->manifest,
                                                    .header = &j->header,
                                                    .pin = j->pinned ? &j->pin : NULL,
                                                    .dir = join,
                                                    .map_bytes = HOME_MAP_BYTES,
                                                    .segment_bytes = j->config->home->config.ledger.log_segment_bytes,
                                                    .progress = build_progress,
                                                    .arg = j};
    if (e == OK) {
        e = snapshot_install(&install, j->why);
    }
    if (e == OK) {
        e = file_write_atomic(ready, bytes_str("whole\n"), 0600);
    }
    return e == OK ? snapshot_join_finish(j->config->home, j->why) : e;
}

/* One try with one snapshot. ERR_NOTFOUND and ERR_INVALID without words: another round may do better. */
static enum err one_round(struct join *j, bool fresh, struct snapshot_join_report *report, bool *out_done) {
    struct snapshot_offer offer;
    bool found = false;
    enum err e = find_offer(j, &offer, &found);
    if (e != OK) {
        return e;
    }
    if (!found || is_refused(j, offer.content)) {
        *out_done = true;
        return j->config->wanted ? ERR_NOTFOUND : OK;
    }
    if (!worth(j, fresh, &offer)) {
        *out_done = true;
        return OK;
    }
    e = settle_manifest(j, &offer);
    if (e == OK) {
        e = fetch_chunks(j);
    }
    if (e == OK) {
        *report = (struct snapshot_join_report){
            .height = j->manifest.height, .bytes = snapshot_bytes(&j->manifest), .joined = true};
        memcpy(report->block, j->manifest.block, HASH_LEN);
        e = build(j);
        *out_done = e == OK;
        report->joined = e == OK;
    }
    return e;
}

static enum err rounds(struct join *j, struct snapshot_join_report *report) {
    bool fresh = false, done = false;
    enum err e = is_new(j, &fresh);
    if (e == OK && !fresh && !j->own.any && !j->config->wanted) {
        return OK;
    }
    if (e == OK) {
        e = load_manifest(j);
    }
    if (e != OK) {
        return e;
    }
    for (int i = 0; i < ROUNDS_MAX; i++) {
        e = one_round(j, fresh, report, &done);
        bool again = !done && j->why[0] == '\0' && (e == ERR_NOTFOUND || e == ERR_INVALID || e == ERR_CORRUPT);
        if (!again) {
            break;
        }
    }
    if (e == ERR_NOTFOUND && !j->config->wanted) {
        return OK; /* the blocks themselves are there too */
    }
    return say(j->why, e, e == ERR_NOTFOUND ? "no source has a snapshot that can be used" : "joining by snapshot");
}

/* ---- Sources ----------------------------------------------------------------------------------------------------- */

static size_t choose_sources(const struct snapshot_join_config *config, const char *urls[SNAPSHOT_SOURCES_MAX]) {
    const struct daemon_home *home = config->home;
    const struct config_sources *set = &home->config.snapshot.sources;
    size_t count = 0;
    for (size_t i = 0; i < config->source_count && count < SNAPSHOT_SOURCES_MAX; i++) {
        urls[count++] = config->sources[i];
    }
    for (size_t i = 0; config->source_count == 0 && i < set->count && count < SNAPSHOT_SOURCES_MAX; i++) {
        urls[count++] = set->url[i];
    }
    bool none = count == 0;
    for (size_t i = 0; none && i < home->genesis.node_count && count < SNAPSHOT_SOURCES_MAX; i++) {
        const struct genesis_node *node = &home->genesis.nodes[i];
        bool ours = memcmp(node->key, home->key, ED25519_KEY_LEN) == 0;
        if (!ours && node->role != NODE_GATEWAY && node->http[0] != '\0') {
            urls[count++] = node->http;
        }
    }
    return count;
}

static bool fetch_progress(void *arg, uint64_t have, uint64_t total) {
    return go_on(arg, JOIN_FETCH, have, total);
}

static void source_left(void *arg, const char *url, enum err reason, const char *what) {
    const struct join *j = arg;
    if (j->config->source_left != NULL) {
        j->config->source_left(j->config->arg, url, reason, what);
    }
}

static enum err take_pin(struct join *j) {
    const char *text = j->config->home->config.snapshot.checkpoint;
    j->pinned = j->config->pin != NULL || text[0] != '\0';
    if (j->config->pin != NULL) {
        j->pin = *j->config->pin;
    } else if (j->pinned && snapshot_pin_parse(text, &j->pin) != OK) {
        daemon_explain(j->why, "snapshot.checkpoint must be HEIGHT:HASH, not '%.80s'", text);
        return ERR_CONFIG;
    }
    return OK;
}

static enum err join_locked(struct join *j, struct snapshot_join_report *report) {
    const char *urls[SNAPSHOT_SOURCES_MAX];
    const struct snapshot_fetch_config fetch = {.http = j->config->http,
                                                .crypto = &host_crypto,
                                                .progress = fetch_progress,
                                                .source_left = source_left,
                                                .arg = j};
    enum err e = snapshot_join_finish(j->config->home, j->why);
    if (e == OK) {
        e = take_pin(j);
    }
    if (e == OK) {
        e = find_own(j);
    }
    if (e == OK) {
        e = snapshot_fetch_new(&fetch, urls, choose_sources(j->config, urls), &j->fetch);
    }
    if (e == OK) {
        e = rounds(j, report);
        report->fetched = snapshot_fetch_bytes(j->fetch);
    }
    snapshot_fetch_free(j->fetch);
    return say(j->why, e, "joining by snapshot");
}

enum err snapshot_join(const struct snapshot_join_config *config, struct snapshot_join_report *out,
                       char why[DAEMON_WHY_MAX]) {
    struct snapshot_join_report report = {0};
    struct join *j = calloc(1, sizeof *j);
    struct home_lock *lock = NULL;
    why[0] = '\0';
    if (j == NULL) {
        return ERR_NOMEM;
    }
    j->config = config;
    j->why = why;
    enum err e = home_chain_lock(config->home, &lock, why);
    if (e == OK) {
        e = join_locked(j, &report);
        home_lock_release(lock);
    }
    forget_manifest(j);
    buffer_free(&j->encoded);
    buffer_free(&j->own.epoch_entry);
    free(j);
    if (e == OK) {
        *out = report;
    }
    return e;
}
