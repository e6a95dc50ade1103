#include "node/home/home_trim.h"

#include "base/file.h"
#include "contracts/governance/governance.h"
#include "node/host/host_crypto.h"
#include "node/ledger/chain_prune.h"
#include "node/ledger/execute.h"
#include "store/home_lock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err say(enum err e, const char *what, const char *detail, struct why *why) {
    if (e != OK && !why_said(why)) {
        why_set(why, "%s: %s", what, detail[0] != '\0' ? detail : err_text(e));
    }
    return e;
}

/* ---- Compacting -------------------------------------------------------------------------------------------------- */

struct compaction {
    char state[CONFIG_PATH_MAX];
    char copy[CONFIG_PATH_MAX]; /* a folder beside it */
};

static enum err join(const char *dir, const char *name, char out[CONFIG_PATH_MAX]) {
    int n = snprintf(out, CONFIG_PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < CONFIG_PATH_MAX ? OK : ERR_TOOLARGE;
}

static enum err file_size(const char *dir, uint64_t *out) {
    char path[CONFIG_PATH_MAX];
    struct stat st;
    enum err e = join(dir, "data.mdb", path);
    if (e == OK && stat(path, &st) != 0) {
        e = err_from_errno(errno);
    }
    if (e == OK) {
        *out = (uint64_t)st.st_size;
    }
    return e;
}

/* Whatever an earlier try left. */
static void remove_copy(const struct compaction *c) {
    static const char *const names[] = {"data.mdb", "lock.mdb", "lock"};
    char path[CONFIG_PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (join(c->copy, names[i], path) == OK) {
            (void)unlink(path);
        }
    }
    (void)rmdir(c->copy);
}

static enum err read_head(const char *dir, struct chain_store_head *out) {
    struct kv_backend backend;
    struct kv *kv = NULL;
    struct kv_view *view = NULL;
    enum err e = kv_lmdb_look(dir, HOME_MAP_BYTES, &backend);
    if (e == OK) {
        e = kv_open(backend, &kv);
    }
    if (e == OK) {
        e = kv_view_open(kv, &view);
    }
    if (e == OK) {
        e = chain_store_head(&host_crypto, view, out);
    }
    kv_view_close(view);
    kv_close(kv);
    return e;
}

/* A copy that says the same of itself as the store does. */
static enum err make_copy(const struct compaction *c) {
    struct kv_backend backend;
    struct chain_store_head old, new;
    enum err e = kv_lmdb_open(c->state, HOME_MAP_BYTES, &backend);
    if (e != OK) {
        return e;
    }
    e = dir_make_new(c->copy);
    if (e == OK) {
        e = kv_lmdb_copy(&backend, c->copy);
    }
    backend.ops->close(backend.ctx);
    if (e == OK) {
        e = read_head(c->state, &old);
    }
    if (e == OK) {
        e = read_head(c->copy, &new);
    }
    return e == OK && memcmp(old.hash, new.hash, HASH_LEN) != 0 ? ERR_MISMATCH : e;
}

/* One rename makes the copy the store. LMDB's list of readers goes with the old one: it counts transactions that the
 * new one has not had. */
static enum err take_copy(const struct compaction *c) {
    char from[CONFIG_PATH_MAX], to[CONFIG_PATH_MAX], readers[CONFIG_PATH_MAX];
    enum err e = join(c->copy, "data.mdb", from);
    if (e == OK) {
        e = join(c->state, "data.mdb", to);
    }
    if (e == OK) {
        e = join(c->state, "lock.mdb", readers);
    }
    if (e == OK && rename(from, to) != 0) {
        e = err_from_errno(errno);
    }
    if (e == OK && unlink(readers) != 0 && errno != ENOENT) {
        e = err_from_errno(errno);
    }
    return e == OK ? dir_sync(c->state) : e;
}

enum err home_compact(const struct daemon_home *home, uint64_t *out_before, uint64_t *out_after, struct why *why) {
    struct home_lock *lock = NULL;
    struct compaction c;
    uint64_t before = 0, after = 0;
    *why = WHY_NONE;
    enum err e = home_path(home, "state", c.state);
    if (e == OK) {
        e = home_path(home, "state.compact", c.copy);
    }
    if (e == OK) {
        e = home_chain_lock(home, &lock, why);
    }
    if (e != OK) {
        return say(e, home->path, "", why);
    }
    remove_copy(&c);
    e = say(file_size(c.state, &before), c.state, "", why);
    if (e == OK) {
        e = say(make_copy(&c), "copying the state", kv_lmdb_error(), why);
    }
    if (e == OK) {
        e = say(take_copy(&c), c.state, "", why);
    }
    remove_copy(&c);
    if (e == OK) {
        e = say(file_size(c.state, &after), c.state, "", why);
    }
    home_lock_release(lock);
    if (e == OK) {
        *out_before = before;
        *out_after = after;
    }
    return e;
}

/* ---- Pruning ----------------------------------------------------------------------------------------------------- */

struct pruning {
    struct kv *kv;
    struct seglog *log;
    struct chain_store_head head;
};

/* What the head says, and from which height on the wish keeps bodies. */
static enum err read_wish(struct pruning *p, const struct home_prune_wish *wish, uint64_t *out_below) {
    struct kv_view *view;
    uint64_t first = 1, below = UINT64_MAX;
    enum err e = kv_view_open(p->kv, &view);
    if (e != OK) {
        return e;
    }
    e = chain_store_head(&host_crypto, view, &p->head);
    uint64_t height = e == OK ? p->head.header.height : 0;
    if (e == OK && wish->count != 0) {
        below = wish->count < height ? height - wish->count + 1 : 1;
    }
    if (e == OK && wish->since_ms != 0 && height > 0) {
        uint64_t since = 1;
        e = chain_store_first(view, &first);
        if (e == OK) {
            e = chain_store_since(view, first, height, wish->since_ms, &since);
        }
        below = since < below ? since : below;
    }
    kv_view_close(view);
    if (e == OK) {
        *out_below = below;
    }
    return e;
}

static enum err open_parts(const struct daemon_home *home, struct pruning *p, struct why *why) {
    char state[CONFIG_PATH_MAX], blocks[CONFIG_PATH_MAX];
    struct kv_backend backend;
    struct kv_view *view;
    enum err e = home_path(home, "state", state);
    if (e == OK) {
        e = home_path(home, "blocks", blocks);
    }
    if (e == OK) {
        e = say(kv_lmdb_open(state, HOME_MAP_BYTES, &backend), state, kv_lmdb_error(), why);
    }
    if (e == OK) {
        e = kv_open(backend, &p->kv);
    }
    if (e == OK) {
        e = kv_view_open(p->kv, &view);
    }
    if (e != OK) {
        return say(e, state, "", why);
    }
    e = chain_store_head(&host_crypto, view, &p->head);
    kv_view_close(view);
    if (e != OK) {
        return say(e, state, e == ERR_NOTFOUND ? "there is no ledger here yet" : "", why);
    }
    const struct seglog_config config = {.disk = disk_posix(),
                                         .dir = blocks,
                                         .stem = "block",
                                         .segment_bytes = home->config.ledger.log_segment_bytes,
                                         .trusted_below = p->head.header.height + 1,
                                         .give_back = true};
    return say(seglog_open(&config, NULL, NULL, &p->log), "block log", seglog_error(), why);
}

enum err home_prune(const struct daemon_home *home, const struct home_prune_wish *wish, struct home_prune_report *out,
                    struct why *why) {
    struct home_lock *lock = NULL;
    struct pruning p = {0};
    struct home_prune_report report = {0};
    uint64_t below = 0;
    size_t segments;
    *why = WHY_NONE;
    enum err e = home_chain_lock(home, &lock, why);
    if (e == OK) {
        e = open_parts(home, &p, why);
    }
    if (e == OK) {
        e = say(read_wish(&p, wish, &below), "state", kv_lmdb_error(), why);
    }
    if (e == OK) {
        e = say(seglog_size(p.log, &report.before, &segments), "block log", seglog_error(), why);
    }
    if (e == OK) {
        e = chain_prune_store(&host_crypto, p.kv, p.log, below, &report.kept_from);
        e = say(e, "pruning", seglog_error()[0] != '\0' ? seglog_error() : kv_lmdb_error(), why);
    }
    if (e == OK) {
        e = say(seglog_size(p.log, &report.after, &segments), "block log", seglog_error(), why);
    }
    report.head = p.head.header.height;
    report.limited = below > report.kept_from;
    seglog_close(p.log);
    kv_close(p.kv);
    home_lock_release(lock);
    if (e == OK) {
        *out = report;
    }
    return e;
}
