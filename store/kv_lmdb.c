/* The lower floor in LMDB: one named database per table, every commit durable. LMDB has no checksums of its own, so
 * every value has one behind it. */
#include "base/assert.h"
#include "base/file.h"
#include "store/fault_guard.h"
#include "store/home_lock.h"
#include "store/kv_lmdb_internal.h"

#include <sys/mman.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READERS_MAX 512u
#define STORE_VERSION "2"
#define KEY_SHOWN 48u /* bytes of a key that an error names */

const char *const kv_lmdb_tables[KV_TABLES] = {
    [KV_META] = "meta",       [KV_STATE] = "state",     [KV_NODES] = "nodes",   [KV_ROOTS] = "roots",
    [KV_STALE] = "stale",     [KV_BLOCKS] = "blocks",   [KV_HASHES] = "hashes", [KV_TXS] = "txs",
    [KV_HISTORY] = "history", [KV_SENDERS] = "senders", [KV_EPOCHS] = "epochs",
};

static _Thread_local char error[256];

const char *kv_lmdb_error(void) {
    return error;
}

enum err kv_lmdb_failed(const char *what, int code) {
    ASSERT(code != 0); /* what went well is no failure */
    (void)snprintf(error, sizeof error, "%s: %s", what, mdb_strerror(code));
    switch (code) {
    case MDB_NOTFOUND:
        return ERR_NOTFOUND;
    case MDB_MAP_FULL:
        return ERR_NOSPACE;
    case MDB_READERS_FULL:
        return ERR_FULL;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_PANIC:
        return ERR_CORRUPT;
    case MDB_VERSION_MISMATCH:
        return ERR_UNSUPPORTED;
    case MDB_BAD_VALSIZE:
        return ERR_TOOLARGE;
    default:
        return code > 0 ? err_from_errno(code) : ERR_IO;
    }
}

enum err kv_lmdb_damaged(enum kv_table table, struct bytes key, const char *how) {
    char hex[2 * KEY_SHOWN + 1];
    ASSERT(table < KV_TABLES);
    size_t shown = key.len < KEY_SHOWN ? key.len : KEY_SHOWN;
    hex_encode(key.data, shown, hex);
    (void)snprintf(error, sizeof error, "table %s, key %s%s: %s", kv_lmdb_tables[table], shown > 0 ? hex : "(first)",
                   shown < key.len ? "..." : "", how);
    return ERR_CORRUPT;
}

/* ---- Commit ----------------------------------------------------------------------------------------------------- */

/* Writing one table in key order. What lies beyond the last key there was is appended, which is 20 times faster. */
struct table_write {
    enum kv_table table;
    MDB_cursor *cursor;
    bool empty;
    size_t last_len;
    uint8_t last[KV_KEY_MAX];
};

static enum err write_entry(void *arg, struct bytes key, struct bytes value) {
    struct table_write *w = arg;
    MDB_val k = kv_lmdb_val(key), v = {value.len + CHECKSUM_LEN, NULL};
    ASSERT(key.len > 0 && key.len <= KV_KEY_MAX); /* kv_layer_put takes no other */
    bool beyond = w->empty || bytes_compare(key, bytes_of(w->last, w->last_len)) > 0;
    if (value.data != NULL) {
        int code = mdb_cursor_put(w->cursor, &k, &v, MDB_RESERVE | (beyond ? MDB_APPEND : 0u));
        if (code != 0) {
            return kv_lmdb_failed("writing", code);
        }
        uint8_t *place = v.mv_data;
        if (value.len > 0) {
            memcpy(place, value.data, value.len);
        }
        store_u32(place + value.len, kv_lmdb_checksum(w->table, key, value));
        return OK;
    }
    int code = beyond ? MDB_NOTFOUND : mdb_cursor_get(w->cursor, &k, &v, MDB_SET);
    if (code == 0) {
        code = mdb_cursor_del(w->cursor, 0);
    }
    return code == 0 || code == MDB_NOTFOUND ? OK : kv_lmdb_failed("deleting", code);
}

static enum err write_table(MDB_txn *txn, MDB_dbi dbi, const struct kv_layer *layer, enum kv_table table) {
    struct table_write w = {.table = table, .empty = true};
    int code = mdb_cursor_open(txn, dbi, &w.cursor);
    if (code != 0) {
        return kv_lmdb_failed("opening a cursor", code);
    }
    MDB_val k, v;
    code = mdb_cursor_get(w.cursor, &k, &v, MDB_LAST);
    enum err e = code == 0 || code == MDB_NOTFOUND ? OK : kv_lmdb_failed("finding the last key", code);
    if (code == 0) {
        w.empty = false;
        w.last_len = k.mv_size;
        memcpy(w.last, k.mv_data, k.mv_size);
    }
    if (e == OK) {
        e = kv_layer_each(layer, table, write_entry, &w);
    }
    mdb_cursor_close(w.cursor);
    return e;
}

/* What a guarded write works on. */
struct write {
    struct lmdb *db;
    const struct kv_layer *merged;
    enum err result;
};

static void write_layer(void *arg) {
    struct write *w = arg;
    MDB_txn *txn;
    int code = mdb_txn_begin(w->db->env, NULL, 0, &txn);
    if (code != 0) {
        w->result = kv_lmdb_failed("beginning a checkpoint", code);
        return;
    }
    enum err e = OK;
    for (size_t table = 0; table < KV_TABLES && e == OK; table++) {
        e = write_table(txn, w->db->tables[table], w->merged, (enum kv_table)table);
    }
    if (e != OK) {
        mdb_txn_abort(txn);
    } else {
        code = mdb_txn_commit(txn); /* syncs, since the environment is opened without MDB_NOSYNC */
        e = code == 0 ? OK : kv_lmdb_failed("committing a checkpoint", code);
    }
    w->result = e;
}

/* What was read since lies in the page cache anyway: the process need not hold it too. The map is only read, so its
 * pages come back from there when they are wanted. */
static void let_go_of_pages(MDB_env *env) {
    MDB_envinfo info;
    MDB_stat stat;
    if (mdb_env_info(env, &info) == 0 && mdb_env_stat(env, &stat) == 0 && info.me_mapaddr != NULL) {
        (void)madvise(info.me_mapaddr, (info.me_last_pgno + 1) * stat.ms_psize, MADV_DONTNEED);
    }
}

static enum err lmdb_commit(void *ctx, const struct kv_layer *merged) {
    struct write w = {.db = ctx, .merged = merged};
    if (w.db->lock == NULL) {
        return ERR_DENIED;
    }
    if (atomic_load(&w.db->broken) || !fault_guard_run(write_layer, &w)) {
        atomic_store(&w.db->broken, true);
        (void)snprintf(error, sizeof error, "writing a checkpoint met a damaged page, or one that the disk can't read");
        return ERR_CORRUPT;
    }
    if (w.result == OK) {
        let_go_of_pages(w.db->env);
    }
    return w.result;
}

/* ---- Life ------------------------------------------------------------------------------------------------------- */

static void lmdb_close(void *ctx) {
    struct lmdb *db = ctx;
    kv_lmdb_free_idle(db);
    if (db->env != NULL) {
        mdb_env_close(db->env);
    }
    home_lock_release(db->lock);
    (void)pthread_mutex_destroy(&db->idle_lock);
    free(db);
}

static const struct kv_backend_ops lmdb_ops = {
    .snapshot = kv_lmdb_snapshot,
    .release = kv_lmdb_release,
    .get = kv_lmdb_get,
    .seek = kv_lmdb_seek,
    .seek_back = kv_lmdb_seek_back,
    .commit = lmdb_commit,
    .close = lmdb_close,
};

/* The version stands in LMDB's unnamed database, beside the names of the tables. */
static int check_version(MDB_txn *txn, bool only_look, bool *out_known) {
    MDB_dbi dbi;
    int code = mdb_dbi_open(txn, NULL, 0, &dbi);
    MDB_val k = kv_lmdb_val(bytes_str("version")), v;
    if (code == 0) {
        code = mdb_get(txn, dbi, &k, &v);
    }
    if (code == 0) {
        *out_known = bytes_equal(kv_lmdb_bytes(&v), bytes_str(STORE_VERSION));
        return 0;
    }
    if (code == MDB_NOTFOUND && !only_look) {
        *out_known = true;
        v = kv_lmdb_val(bytes_str(STORE_VERSION));
        code = mdb_put(txn, dbi, &k, &v, 0);
    }
    return code;
}

static enum err open_tables(struct lmdb *db) {
    MDB_txn *txn;
    bool known = false, only_look = db->lock == NULL;
    int code = mdb_txn_begin(db->env, NULL, only_look ? MDB_RDONLY : 0, &txn);
    if (code != 0) {
        return kv_lmdb_failed("opening the tables", code);
    }
    code = check_version(txn, only_look, &known);
    for (size_t i = 0; i < KV_TABLES && code == 0 && known; i++) {
        code = mdb_dbi_open(txn, kv_lmdb_tables[i], only_look ? 0 : MDB_CREATE, &db->tables[i]);
    }
    if (code != 0 || !known) {
        mdb_txn_abort(txn);
        return code != 0 ? kv_lmdb_failed("opening the tables", code) : ERR_UNSUPPORTED;
    }
    code = mdb_txn_commit(txn);
    return code == 0 ? OK : kv_lmdb_failed("opening the tables", code);
}

/* An assertion of LMDB's own that a damaged page broke; outside of guarded calls LMDB aborts after this. */
static void on_assert(MDB_env *env, const char *text) {
    (void)env;
    (void)text;
    fault_guard_give_up();
}

static enum err open_env(struct lmdb *db, const char *dir, uint64_t map_bytes) {
    int dead;
    bool only_look = db->lock == NULL;
    int code = mdb_env_create(&db->env);
    if (code == 0) {
        code = mdb_env_set_mapsize(db->env, map_bytes);
    }
    if (code == 0) {
        code = mdb_env_set_maxreaders(db->env, READERS_MAX);
    }
    if (code == 0) {
        code = mdb_env_set_maxdbs(db->env, KV_TABLES);
    }
    if (code == 0) {
        code = mdb_env_open(db->env, dir, MDB_NOTLS | (only_look ? MDB_RDONLY : 0u), 0600);
    }
    if (code == 0) {
        code = mdb_env_set_assert(db->env, on_assert);
    }
    if (code == 0 && !only_look) {
        code = mdb_reader_check(db->env, &dead); /* slots of processes that were killed */
    }
    return code == 0 ? OK : kv_lmdb_failed(dir, code);
}

struct opening {
    struct lmdb *db;
    const char *dir;
    uint64_t map_bytes;
    enum err result;
};

static void open_guarded(void *arg) {
    struct opening *o = arg;
    o->result = open_env(o->db, o->dir, o->map_bytes);
    if (o->result == OK) {
        o->result = open_tables(o->db);
    }
}

static enum err open_store(const char *dir, uint64_t map_bytes, bool only_look, struct kv_backend *out) {
    error[0] = '\0';
    struct lmdb *db = calloc(1, sizeof *db);
    if (db == NULL) {
        return ERR_NOMEM;
    }
    if (pthread_mutex_init(&db->idle_lock, NULL) != 0) {
        free(db);
        return ERR_NOMEM;
    }
    struct opening o = {.db = db, .dir = dir, .map_bytes = map_bytes};
    enum err e = fault_guard_start();
    if (e == OK && !only_look) {
        e = home_lock_take(dir, &db->lock);
    }
    if (e == OK && !fault_guard_run(open_guarded, &o)) {
        (void)snprintf(error, sizeof error, "%s: the store's first pages are damaged, or the disk can't read them",
                       dir);
        db->env = NULL; /* whatever state it is in, nothing of it is touched again */
        o.result = ERR_CORRUPT;
    }
    e = e == OK ? o.result : e;
    if (e == OK && !only_look) {
        e = dir_sync(dir); /* LMDB syncs its files and not their names */
    }
    if (e != OK) {
        lmdb_close(db);
        return e;
    }
    *out = (struct kv_backend){.ops = &lmdb_ops, .ctx = db};
    return OK;
}

enum err kv_lmdb_open(const char *dir, uint64_t map_bytes, struct kv_backend *out) {
    return open_store(dir, map_bytes, false, out);
}

enum err kv_lmdb_look(const char *dir, uint64_t map_bytes, struct kv_backend *out) {
    return open_store(dir, map_bytes, true, out);
}

static enum err open_with(const struct kv_opener *opener, const char *dir, bool only_look, struct kv_backend *out) {
    return open_store(dir, opener->map_bytes, only_look, out);
}

struct kv_opener kv_lmdb_opener(uint64_t map_bytes) {
    return (struct kv_opener){.open = open_with, .map_bytes = map_bytes};
}

/* ---- Copies ----------------------------------------------------------------------------------------------------- */

struct copying {
    const struct lmdb *db;
    const char *dir;
    int code;
};

static void copy_guarded(void *arg) {
    struct copying *c = arg;
    c->code = mdb_env_copy2(c->db->env, c->dir, MDB_CP_COMPACT);
}

/* LMDB does not sync what it copies. */
static enum err sync_copy(const char *dir) {
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/data.mdb", dir);
    if (n < 0 || (size_t)n >= sizeof path) {
        return ERR_TOOLARGE;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    enum err e = fsync(fd) == 0 ? OK : err_from_errno(errno);
    (void)close(fd);
    return e == OK ? dir_sync(dir) : e;
}

enum err kv_lmdb_copy(const struct kv_backend *backend, const char *dir) {
    struct copying c = {.db = backend->ctx, .dir = dir};
    error[0] = '\0';
    if (backend->ops != &lmdb_ops) {
        return ERR_UNSUPPORTED;
    }
    if (!fault_guard_run(copy_guarded, &c)) {
        (void)snprintf(error, sizeof error, "copying met a damaged page, or one that the disk can't read");
        return ERR_CORRUPT;
    }
    return c.code == 0 ? sync_copy(dir) : kv_lmdb_failed(dir, c.code);
}
