#include "node/snapshot/snapshot_join.h"

#include "base/assert.h"
#include "node/host/host_crypto.h"
#include "node/ledger/chain_store.h"
#include "node/snapshot/join_phase.h"
#include "node/snapshot/snapshot_install.h"
#include "node/snapshot/snapshot_window.h"
#include "store/disk_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX (2 * SNAPSHOT_SOURCES_MAX) /* whoever lied is asked no more, so each source costs one */
#define MAKING_WAIT_MS 300000u                /* for a snapshot that is being made for us */
#define POLL_MS 300u

struct join {
    const struct snapshot_join_config *config;
    struct why *why;
    struct snapshot_own own;
    struct snapshot_fetch *fetch;
    struct buffer encoded; /* of the manifest */
    struct snapshot_manifest manifest;
    struct block_header header;
    bool fresh; /* there was neither state nor block log */
    unsigned rounds;
    struct snapshot_offer offer; /* of this round */
    enum err e;                  /* what the last phase came to */
    struct snapshot_join_report report;
    uint8_t refused[ROUNDS_MAX][HASH_LEN]; /* content ids of snapshots that can't be used */
    size_t refused_count;
    enum err unfit; /* that the last of those proved what this node can't use; OK: none was so */
    struct why unfit_why;
};

static enum err say(struct why *why, enum err e, const char *what) {
    if (e != OK && !why_said(why)) {
        why_set(why, "%s: %s", what, err_text(e));
    }
    return e;
}

/* ---- What is worth it --------------------------------------------------------------------------------------------- */

/* Is there anything to do? A node that has a block log but no state makes that from the log. */
static bool is_new(const struct join *j) {
    return !j->own.has_log && (!j->own.any || j->own.head.height == 0);
}

static bool worth(const struct join *j, const struct snapshot_offer *offer) {
    if (offer->height <= j->own.log_height || (j->own.any && offer->height <= j->own.head.height)) {
        return false;
    }
    uint64_t behind_ms = j->config->behind_ms;
    return j->fresh || j->config->wanted ||
           (j->own.any && offer->time_ms > j->own.head.time_ms && offer->time_ms - j->own.head.time_ms > behind_ms);
}

/* ---- Whom and what to trust -------------------------------------------------------------------------------------- */

/* The block given as HEIGHT:HASH, which has to be met; NULL: none was, or a whole file. */
static const struct checkpoint_pin *named_block(const struct snapshot_join_config *config) {
    return config->pin != NULL && !config->pin->whole ? &config->pin->pin : NULL;
}

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
    const struct checkpoint_pin *pin = named_block(j->config);
    if (pin != NULL && closing.height == pin->height) {
        m->pin_met = memcmp(hash, pin->hash, HASH_LEN) == 0;
        m->contradicted = !m->pin_met;
    }
    return OK;
}

/* The operator's block is the snapshot's, a closing block, or one of those whose bodies come along; the last is seen
 * when they are here. */
static enum err check_pin(struct join *j, const struct meeting *m) {
    const struct checkpoint_pin *pin = named_block(j->config);
    if (m->contradicted || (pin->height == j->manifest.height && memcmp(pin->hash, j->manifest.block, HASH_LEN) != 0)) {
        why_set(&j->unfit_why, "the chain that is offered has another block at the checkpoint's height %llu",
                (unsigned long long)pin->height);
        return ERR_INVALID;
    }
    bool in_window = pin->height >= j->manifest.bodies[0].first && pin->height <= j->manifest.height;
    if (!m->pin_met && !in_window) {
        why_set(&j->unfit_why,
                "the checkpoint at height %llu is not among what the snapshot at %llu proves: give a block from "
                "%llu to %llu",
                (unsigned long long)pin->height, (unsigned long long)j->manifest.height,
                (unsigned long long)j->manifest.bodies[0].first, (unsigned long long)j->manifest.height);
        return ERR_DENIED;
    }
    return OK;
}

/* From a checkpoint file on, the walk itself proves: its block need not be among what the snapshot brings along. */
static enum err check_walk(struct join *j) {
    const struct checkpoint_file *from = j->config->pin;
    struct checkpoint_room *room = malloc(sizeof *room);
    if (room == NULL) {
        return ERR_NOMEM;
    }
    enum verdict v = checkpoint_judge(j->config->genesis, from, j->manifest.bundle, room);
    free(room);
    if (v != GOOD) {
        why_set(&j->unfit_why, "the snapshot at height %llu does not follow from the checkpoint at %llu: %s",
                (unsigned long long)j->manifest.height, (unsigned long long)from->pin.height, verdict_text(v));
        return v == BAD_HEIGHT ? ERR_DENIED : ERR_INVALID;
    }
    return OK;
}

/* Is what the walk starts from recent enough? A block given as HEIGHT:HASH is the operator's word of today. */
static enum err check_start(struct join *j) {
    if (named_block(j->config) != NULL) {
        return OK;
    }
    uint64_t since_ms = checkpoint_start_ms(j->config->genesis, j->config->pin);
    if (j->own.any && j->own.head.time_ms > since_ms) {
        since_ms = j->own.head.time_ms;
    }
    if (freshness_start(FOLLOWER_JOINER, since_ms, j->config->wall_ms) != GOOD) {
        why_set(j->why,
                "what this node trusts is older than %d days: set snapshot.checkpoint (or give --checkpoint) to "
                "HEIGHT:HASH of a recent block, or a checkpoint file, from somebody you trust",
                FRESHNESS_TRUSTING_DAYS);
        return ERR_DENIED;
    }
    return OK;
}

/* Does it lead on from what this node trusts? What does not costs its sources, for others may have one that does. */
static enum err check_fit(struct join *j) {
    struct meeting m = {.join = j};
    struct block_header header;
    struct bytes finalization;
    enum err e = snapshot_epochs(&j->manifest, meet_epoch, &m, &header, &finalization);
    if (e != OK) {
        why_set(&j->unfit_why, "the epochs of the snapshot that is offered can't be followed: %s", err_text(e));
        return e;
    }
    if (j->own.any && j->own.epoch > 0 && !m.own_met) {
        why_set(&j->unfit_why, "the chain that is offered does not contain epoch %llu of this node's own",
                (unsigned long long)j->own.epoch);
        return ERR_INVALID;
    }
    if (j->config->pin == NULL) {
        return OK;
    }
    return named_block(j->config) != NULL ? check_pin(j, &m) : check_walk(j);
}

/* ---- The manifest ------------------------------------------------------------------------------------------------ */

static void forget_manifest(struct join *j) {
    snapshot_manifest_free(&j->manifest);
    buffer_reset(&j->encoded);
}

static bool is_below_file(const struct join *j) {
    const struct checkpoint_file *pin = j->config->pin;
    return pin != NULL && pin->whole && j->manifest.height < pin->pin.height;
}

/* What an earlier call was fetching; nothing when it is damaged, or below the checkpoint of today. */
static enum err load_manifest(struct join *j) {
    struct why words = WHY_NONE;
    char path[DISK_PATH_MAX];
    forget_manifest(j);
    enum err e = snapshot_place_path(&j->config->place, "join/manifest", path);
    if (e == OK) {
        e = disk_read_file(&j->config->place.disk, path, SNAPSHOT_MANIFEST_MAX, &j->encoded);
    }
    if (e == OK) {
        e = snapshot_manifest_decode(&host_crypto, buffer_bytes(&j->encoded), &j->manifest);
    }
    if (e == OK) {
        e = snapshot_verify(&host_crypto, j->config->genesis, &j->manifest, &j->header, &words);
    }
    if (e != OK || is_below_file(j)) {
        forget_manifest(j);
    }
    return e == ERR_NOMEM ? e : OK;
}

static enum err save_manifest(struct join *j) {
    char path[DISK_PATH_MAX];
    enum err e = snapshot_place_path(&j->config->place, "join", path);
    if (e == OK) {
        e = disk_remove_all(&j->config->place.disk, path);
    }
    if (e == OK) {
        e = snapshot_place_path(&j->config->place, "join/chunks", path);
    }
    if (e == OK) {
        e = disk_make_folder(&j->config->place.disk, path);
    }
    if (e == OK) {
        e = snapshot_place_path(&j->config->place, "join/manifest", path);
    }
    return e == OK ? disk_write_file(&j->config->place.disk, path, buffer_bytes(&j->encoded)) : e;
}

/* Asks one source after the other until one gives a manifest of this content that can be believed. */
static enum err get_manifest(struct join *j, const struct snapshot_offer *offer) {
    struct why words = WHY_NONE;
    size_t source = 0;
    enum err e;
    forget_manifest(j);
    while ((e = snapshot_fetch_manifest(j->fetch, offer, &j->encoded, &source)) == OK) {
        e = snapshot_manifest_decode(&host_crypto, buffer_bytes(&j->encoded), &j->manifest);
        if (e == OK) {
            e = snapshot_verify(&host_crypto, j->config->genesis, &j->manifest, &j->header, &words);
        }
        if (e == OK) {
            return save_manifest(j);
        }
        forget_manifest(j);
        if (e == ERR_NOMEM) {
            return e;
        }
        snapshot_fetch_refuse(j->fetch, source, why_said(&words) ? words.text : "sent a manifest that can't be read");
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

/* This content is no use, and neither is whoever offers it. */
static void refuse(struct join *j, const char *what) {
    snapshot_fetch_refuse_content(j->fetch, j->manifest.content, what);
    memcpy(j->refused[j->refused_count++], j->manifest.content, HASH_LEN);
    forget_manifest(j);
}

static bool go_on(const struct join *j, enum snapshot_join_part part, uint64_t done, uint64_t total) {
    return j->config->progress == NULL || j->config->progress(j->config->arg, part, done, total);
}

/* Asks who has what, waiting for a snapshot that somebody makes for us. */
static enum err find_offer(struct join *j, struct snapshot_offer *out, bool *out_found) {
    const struct snapshot_transport *net = &j->config->transport;
    uint64_t started_ms = net->ops->now_ms(net->ctx);
    for (;;) {
        bool making = false;
        enum err e = snapshot_fetch_list(j->fetch, &making);
        if (e != OK) {
            return e;
        }
        *out_found = (j->manifest.state != NULL && snapshot_fetch_best(j->fetch, j->manifest.content, out)) ||
                     snapshot_fetch_best(j->fetch, NULL, out);
        uint64_t waited_ms = net->ops->now_ms(net->ctx) - started_ms;
        if (*out_found || !making || waited_ms > MAKING_WAIT_MS) {
            return OK;
        }
        if (!go_on(j, JOIN_WAIT, waited_ms, MAKING_WAIT_MS)) {
            return ERR_CLOSED;
        }
        net->ops->pause(net->ctx, POLL_MS);
    }
}

/* What the list said was only said: it must be what the manifest proves, or whoever said so is asked no more. */
static enum err check_offer(struct join *j, const struct snapshot_offer *offer) {
    struct snapshot_offer proven = {.height = j->manifest.height, .time_ms = j->header.time_ms};
    memcpy(proven.content, j->manifest.content, HASH_LEN);
    snapshot_fetch_refuse_false(j->fetch, &proven);
    return proven.height == offer->height && proven.time_ms == offer->time_ms ? OK : ERR_INVALID;
}

/* The manifest of the offer: the one at hand, or a new one, for which what arrived of the old is thrown away. */
static enum err settle_manifest(struct join *j, const struct snapshot_offer *offer) {
    bool same = j->manifest.state != NULL && memcmp(j->manifest.content, offer->content, HASH_LEN) == 0;
    enum err e = same ? OK : get_manifest(j, offer);
    if (e == OK) {
        e = check_offer(j, offer);
    }
    if (e == OK && check_start(j) != OK) {
        return ERR_DENIED;
    }
    if (e == OK) {
        e = check_fit(j);
        if (e != OK && e != ERR_NOMEM) {
            j->unfit = e;
            refuse(j, j->unfit_why.text);
            e = ERR_INVALID;
        }
    }
    return e;
}

static enum err fetch_part(struct join *j, enum snapshot_part part) {
    char path[DISK_PATH_MAX];
    enum err e = snapshot_place_path(&j->config->place, "join/chunks", path);
    if (e == OK) {
        e = snapshot_fetch_chunks(j->fetch, &j->manifest, part, path);
    }
    if (e == OK && part == SNAPSHOT_WINDOW) {
        e = snapshot_window_check(&host_crypto, &j->manifest, &j->header, &j->config->place.disk, path);
    }
    if (e == ERR_INVALID) {
        refuse(j, "lists bodies that do not belong together or do not reach back far enough");
    }
    return e;
}

static bool build_progress(void *arg, uint64_t done, uint64_t total) {
    return go_on(arg, JOIN_BUILD, done, total);
}

static enum err build(struct join *j) {
    char join[DISK_PATH_MAX], ready[DISK_PATH_MAX];
    enum err e = snapshot_place_path(&j->config->place, "join", join);
    if (e == OK) {
        e = snapshot_place_path(&j->config->place, "join/ready", ready);
    }
    const struct snapshot_install_config install = {.genesis = j->config->genesis,
                                                    .manifest = &j->manifest,
                                                    .header = &j->header,
                                                    .pin = named_block(j->config),
                                                    .dir = join,
                                                    .disk = j->config->place.disk,
                                                    .state = j->config->place.state,
                                                    .segment_bytes = j->config->segment_bytes,
                                                    .progress = build_progress,
                                                    .arg = j};
    if (e == OK) {
        e = snapshot_install(&install, j->why);
    }
    if (e == OK) {
        e = disk_write_file(&j->config->place.disk, ready, bytes_str("whole\n"));
    }
    return e == OK ? snapshot_place_finish(&j->config->place, j->why) : e;
}

/* ---- Phases ------------------------------------------------------------------------------------------------------ */

/* What a phase that ended with `e` came to. Without words, these three may be a source's fault. */
static enum join_step step_of(struct join *j, enum err e) {
    bool others_may_do_better = e == ERR_NOTFOUND || e == ERR_INVALID || e == ERR_CORRUPT;
    j->e = e;
    if (e == OK) {
        return JOIN_STEP_DONE;
    }
    return others_may_do_better && !why_said(j->why) && j->rounds < ROUNDS_MAX ? JOIN_STEP_AGAIN : JOIN_STEP_FAILED;
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

static enum join_step begin(struct join *j) {
    const struct snapshot_fetch_config fetch = {.transport = j->config->transport,
                                                .disk = j->config->place.disk,
                                                .crypto = &host_crypto,
                                                .progress = fetch_progress,
                                                .source_left = source_left,
                                                .arg = j};
    j->e = snapshot_place_finish(&j->config->place, j->why);
    if (j->e == OK) {
        j->e = snapshot_own_find(&j->config->place, j->config->segment_bytes, &j->own);
    }
    if (j->e == OK) {
        j->e = snapshot_fetch_new(&fetch, j->config->sources, j->config->source_count, &j->fetch);
    }
    if (j->e != OK) {
        return JOIN_STEP_FAILED;
    }
    j->fresh = is_new(j);
    if (!j->fresh && !j->own.any && !j->config->wanted) {
        return JOIN_STEP_NEEDLESS;
    }
    j->e = load_manifest(j);
    return j->e == OK ? JOIN_STEP_DONE : JOIN_STEP_FAILED;
}

static enum join_step ask(struct join *j) {
    bool found = false;
    j->rounds++;
    enum err e = find_offer(j, &j->offer, &found);
    if (e != OK) {
        return step_of(j, e);
    }
    if (!found) {
        j->e = ERR_NOTFOUND; /* nobody is left: another round would not do better */
        return JOIN_STEP_FAILED;
    }
    if (is_refused(j, j->offer.content)) {
        snapshot_fetch_refuse_content(j->fetch, j->offer.content, "offers a snapshot that was refused");
        return step_of(j, ERR_INVALID);
    }
    return worth(j, &j->offer) ? step_of(j, OK) : JOIN_STEP_NEEDLESS;
}

static enum join_step prove(struct join *j) {
    return step_of(j, settle_manifest(j, &j->offer));
}

static enum join_step fetch_window(struct join *j) {
    return step_of(j, fetch_part(j, SNAPSHOT_WINDOW));
}

static enum join_step fetch_rest(struct join *j) {
    return step_of(j, fetch_part(j, SNAPSHOT_WHOLE));
}

static enum join_step build_store(struct join *j) {
    j->report = (struct snapshot_join_report){
        .before = j->own.log_height, .height = j->manifest.height, .bytes = snapshot_bytes(&j->manifest)};
    memcpy(j->report.block, j->manifest.block, HASH_LEN);
    return step_of(j, build(j));
}

/* What the whole comes to. */
static enum err conclude(struct join *j, enum join_phase end) {
    bool needs_one = j->config->wanted || (j->fresh && j->unfit != OK);
    bool nobody = end == JOIN_PHASE_GAVE_UP && j->e == ERR_NOTFOUND;
    j->report.joined = end == JOIN_PHASE_JOINED;
    if (end == JOIN_PHASE_JOINED || end == JOIN_PHASE_NEEDLESS) {
        return OK;
    }
    if (nobody && !needs_one) {
        return OK; /* the blocks themselves are there too */
    }
    if (nobody && j->unfit != OK) {
        *j->why = j->unfit_why;
        return j->unfit;
    }
    return say(j->why, j->e, nobody ? "no source has a snapshot that can be used" : "joining by snapshot");
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

static enum err join(struct join *j) {
    static enum join_step (*const phases[JOIN_PHASES])(struct join *) = {
        [JOIN_PHASE_BEGIN] = begin,         [JOIN_PHASE_ASK] = ask,          [JOIN_PHASE_PROVE] = prove,
        [JOIN_PHASE_WINDOW] = fetch_window, [JOIN_PHASE_FETCH] = fetch_rest, [JOIN_PHASE_BUILD] = build_store};
    enum join_phase phase = JOIN_PHASE_BEGIN;
    while (!join_phase_is_end(phase)) {
        enum join_phase next = join_phase_after(phase, phases[phase](j));
        ASSERT(next != 0);
        phase = next;
    }
    if (j->fetch != NULL) {
        j->report.fetched = snapshot_fetch_bytes(j->fetch);
    }
    snapshot_fetch_free(j->fetch);
    return conclude(j, phase);
}

enum err snapshot_join(const struct snapshot_join_config *config, struct snapshot_join_report *out, struct why *why) {
    struct join *j = calloc(1, sizeof *j);
    if (j == NULL) {
        return ERR_NOMEM;
    }
    j->config = config;
    j->why = why;
    enum err e = join(j);
    if (e == OK) {
        *out = j->report;
    }
    forget_manifest(j);
    buffer_free(&j->encoded);
    snapshot_own_free(&j->own);
    free(j);
    return e;
}
