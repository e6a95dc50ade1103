/* The lower floor in LMDB: one named database per table, every commit durable. */
#include "store/home_lock.h"
#include "store/kv.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READERS_MAX 512u
#define IDLE_MAX 64u /* read transactions kept for reuse */
#define STORE_VERSION "1"

struct snapshot {
    struct snapshot *next_idle;
    MDB_txn *txn;
    MDB_cursor *cursors[KV_TABLES]; /* opened when first needed */
    bool bound[KV_TABLES];          /* of this renewal of the transaction */
};

struct lmdb {
    struct home_lock *lock;
    MDB_env *env;
    MDB_dbi tables[KV_TABLES];
    pthread_mutex_t idle_lock;
    struct snapshot *idle;
    size_t idle_count;
};

static const char *const table_names[KV_TABLES] = {
    [KV_META] = "meta",       [KV_STATE] = "state",     [KV_NODES] = "nodes",   [KV_ROOTS] = "roots",
    [KV_STALE] = "stale",     [KV_BLOCKS] = "blocks",   [KV_HASHES] = "hashes", [KV_TXS] = "txs",
    [KV_HISTORY] = "history", [KV_SENDERS] = "senders",
};

static _Thread_local char error[160];

const char *kv_lmdb_error(void) {
    return error;
}

static enum err failed(const char *what, int code) {
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

static MDB_val val_of(struct bytes b) {
    return (MDB_val){b.len, (void *)(uintptr_t)b.data};
}

static struct bytes bytes_of_val(const MDB_val *v) {
    return bytes_of(v->mv_data, v->mv_size);
}

/* ---- Snapshots -------------------------------------------------------------------------------------------------- */

static void snapshot_free(struct snapshot *s) {
    for (size_t i = 0; i < KV_TABLES; i++) {
        if (s->cursors[i] != NULL) {
            mdb_cursor_close(s->cursors[i]);
        }
    }
    mdb_txn_abort(s->txn);
    free(s);
}

static struct snapshot *take_idle(struct lmdb *db) {
    (void)pthread_mutex_lock(&db->idle_lock);
    struct snapshot *s = db->idle;
    if (s != NULL) {
        db->idle = s->next_idle;
        db->idle_count--;
    }
    (void)pthread_mutex_unlock(&db->idle_lock);
    return s;
}

static enum err lmdb_snapshot(void *ctx, void **out) {
    struct lmdb *db = ctx;
    struct snapshot *s = take_idle(db);
    if (s != NULL) {
        int code = mdb_txn_renew(s->txn);
        if (code != 0) {
            snapshot_free(s);
            return failed("renewing a read transaction", code);
        }
        memset(s->bound, 0, sizeof s->bound);
        *out = s;
        return OK;
    }
    s = calloc(1, sizeof *s);
    if (s == NULL) {
        return ERR_NOMEM;
    }
    int code = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &s->txn);
    if (code != 0) {
        free(s);
        return failed("beginning a read transaction", code);
    }
    *out = s;
    return OK;
}

static void lmdb_release(void *ctx, void *snapshot) {
    struct lmdb *db = ctx;
    struct snapshot *s = snapshot;
    mdb_txn_reset(s->txn);
    (void)pthread_mutex_lock(&db->idle_lock);
    bool keep = db->idle_count < IDLE_MAX;
    if (keep) {
        s->next_idle = db->idle;
        db->idle = s;
        db->idle_count++;
    }
    (void)pthread_mutex_unlock(&db->idle_lock);
    if (!keep) {
        snapshot_free(s);
    }
}

static enum err lmdb_get(void *ctx, void *snapshot, enum kv_table table, struct bytes key, struct bytes *out) {
    struct lmdb *db = ctx;
    struct snapshot *s = snapshot;
    if (key.len == 0 || key.len > KV_KEY_MAX) {
        return ERR_NOTFOUND;
    }
    MDB_val k = val_of(key), v;
    int code = mdb_get(s->txn, db->tables[table], &k, &v);
    if (code != 0) {
        return code == MDB_NOTFOUND ? ERR_NOTFOUND : failed("reading", code);
    }
    *out = bytes_of_val(&v);
    return OK;
}

static int cursor_of(struct lmdb *db, struct snapshot *s, enum kv_table table, MDB_cursor **out) {
    int code = 0;
    if (s->cursors[table] == NULL) {
        code = mdb_cursor_open(s->txn, db->tables[table], &s->cursors[table]);
    } else if (!s->bound[table]) {
        code = mdb_cursor_renew(s->txn, s->cursors[table]);
    }
    s->bound[table] = code == 0;
    *out = s->cursors[table];
    return code;
}

/* First key >= `from`, where `from` may be empty or one byte longer than any key. */
static int first_from(MDB_cursor *cursor, struct bytes from, MDB_val *k, MDB_val *v) {
    if (from.len == 0) {
        return mdb_cursor_get(cursor, k, v, MDB_FIRST);
    }
    struct bytes reachable = bytes_of(from.data, from.len > KV_KEY_MAX ? KV_KEY_MAX : from.len);
    *k = val_of(reachable);
    int code = mdb_cursor_get(cursor, k, v, MDB_SET_RANGE);
    if (code == 0 && reachable.len < from.len && bytes_equal(bytes_of_val(k), reachable)) {
        code = mdb_cursor_get(cursor, k, v, MDB_NEXT);
    }
    return code;
}

static enum err found(int code, const MDB_val *k, const MDB_val *v, struct bytes *out_key, struct bytes *out_value) {
    if (code != 0) {
        return code == MDB_NOTFOUND ? ERR_NOTFOUND : failed("seeking", code);
    }
    *out_key = bytes_of_val(k);
    *out_value = bytes_of_val(v);
    return OK;
}

static enum err lmdb_seek(void *ctx, void *snapshot, enum kv_table table, struct bytes from, struct bytes *out_key,
                          struct bytes *out_value) {
    MDB_cursor *cursor;
    MDB_val k = {0}, v = {0};
    int code = cursor_of(ctx, snapshot, table, &cursor);
    if (code == 0) {
        code = first_from(cursor, from, &k, &v);
    }
    return found(code, &k, &v, out_key, out_value);
}

static enum err lmdb_seek_back(void *ctx, void *snapshot, enum kv_table table, struct bytes from, struct bytes *out_key,
                               struct bytes *out_value) {
    MDB_cursor *cursor;
    MDB_val k = {0}, v = {0};
    int code = cursor_of(ctx, snapshot, table, &cursor);
    if (code == 0) {
        code = first_from(cursor, from, &k, &v);
        if (code == MDB_NOTFOUND) {
            code = mdb_cursor_get(cursor, &k, &v, MDB_LAST);
        } else if (code == 0 && !bytes_equal(bytes_of_val(&k), from)) {
            code = mdb_cursor_get(cursor, &k, &v, MDB_PREV);
        }
    }
    return found(code, &k, &v, out_key, out_value);
}

/* ---- Commit ----------------------------------------------------------------------------------------------------- */

/* Writing one table in key order. What lies beyond the last key there was is appended, which is 20 times faster. */
struct table_write {
    MDB_cursor *cursor;
    bool empty;
    size_t last_len;
    uint8_t last[KV_KEY_MAX];
};

static enum err write_entry(void *arg, struct bytes key, struct bytes value) {
    struct table_write *w = arg;
    MDB_val k = val_of(key), v = val_of(value);
    bool beyond = w->empty || bytes_compare(key, bytes_of(w->last, w->last_len)) > 0;
    if (value.data != NULL) {
        int code = mdb_cursor_put(w->cursor, &k, &v, beyond ? MDB_APPEND : 0);
        return code == 0 ? OK : failed("writing", code);
    }
    int code = beyond ? MDB_NOTFOUND : mdb_cursor_get(w->cursor, &k, &v, MDB_SET);
    if (code == 0) {
        code = mdb_cursor_del(w->cursor, 0);
    }
    return code == 0 || code == MDB_NOTFOUND ? OK : failed("deleting", code);
}

static enum err write_table(MDB_txn *txn, MDB_dbi dbi, const struct kv_layer *layer, enum kv_table table) {
    struct table_write w = {.empty = true};
    int code = mdb_cursor_open(txn, dbi, &w.cursor);
    if (code != 0) {
        return failed("opening a cursor", code);
    }
    MDB_val k, v;
    code = mdb_cursor_get(w.cursor, &k, &v, MDB_LAST);
    enum err e = code == 0 || code == MDB_NOTFOUND ? OK : failed("finding the last key", code);
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

static enum err lmdb_commit(void *ctx, const struct kv_layer *merged) {
    struct lmdb *db = ctx;
    MDB_txn *txn;
    int code = mdb_txn_begin(db->env, NULL, 0, &txn);
    if (code != 0) {
        return failed("beginning a checkpoint", code);
    }
    enum err e = OK;
    for (size_t table = 0; table < KV_TABLES && e == OK; table++) {
        e = write_table(txn, db->tables[table], merged, (enum kv_table)table);
    }
    if (e != OK) {
        mdb_txn_abort(txn);
        return e;
    }
    code = mdb_txn_commit(txn); /* syncs, since the environment is opened without MDB_NOSYNC */
    return code == 0 ? OK : failed("committing a checkpoint", code);
}

/* ---- Life ------------------------------------------------------------------------------------------------------- */

static void lmdb_close(void *ctx) {
    struct lmdb *db = ctx;
    while (db->idle != NULL) {
        struct snapshot *next = db->idle->next_idle;
        snapshot_free(db->idle);
        db->idle = next;
    }
    if (db->env != NULL) {
        mdb_env_close(db->env);
    }
    home_lock_release(db->lock);
    (void)pthread_mutex_destroy(&db->idle_lock);
    free(db);
}

static const struct kv_backend_ops lmdb_ops = {
    .snapshot = lmdb_snapshot,
    .release = lmdb_release,
    .get = lmdb_get,
    .seek = lmdb_seek,
    .seek_back = lmdb_seek_back,
    .commit = lmdb_commit,
    .close = lmdb_close,
};

/* The version stands in LMDB's unnamed database, beside the names of the tables. */
static int check_version(MDB_txn *txn, bool *out_known) {
    MDB_dbi dbi;
    int code = mdb_dbi_open(txn, NULL, 0, &dbi);
    MDB_val k = val_of(bytes_str("version")), v;
    if (code == 0) {
        code = mdb_get(txn, dbi, &k, &v);
    }
    if (code == 0) {
        *out_known = bytes_equal(bytes_of_val(&v), bytes_str(STORE_VERSION));
        return 0;
    }
    if (code == MDB_NOTFOUND) {
        *out_known = true;
        v = val_of(bytes_str(STORE_VERSION));
        code = mdb_put(txn, dbi, &k, &v, 0);
    }
    return code;
}

static enum err open_tables(struct lmdb *db) {
    MDB_txn *txn;
    bool known = false;
    int code = mdb_txn_begin(db->env, NULL, 0, &txn);
    if (code != 0) {
        return failed("opening the tables", code);
    }
    code = check_version(txn, &known);
    for (size_t i = 0; i < KV_TABLES && code == 0 && known; i++) {
        code = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &db->tables[i]);
    }
    if (code != 0 || !known) {
        mdb_txn_abort(txn);
        return code != 0 ? failed("opening the tables", code) : ERR_UNSUPPORTED;
    }
    code = mdb_txn_commit(txn);
    return code == 0 ? OK : failed("opening the tables", code);
}

static enum err open_env(struct lmdb *db, const char *dir, uint64_t map_bytes) {
    int dead;
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
        code = mdb_env_open(db->env, dir, MDB_NOTLS, 0600);
    }
    if (code == 0) {
        code = mdb_reader_check(db->env, &dead); /* slots of processes that were killed */
    }
    return code == 0 ? OK : failed(dir, code);
}

enum err kv_lmdb_open(const char *dir, uint64_t map_bytes, struct kv_backend *out) {
    error[0] = '\0';
    struct lmdb *db = calloc(1, sizeof *db);
    if (db == NULL) {
        return ERR_NOMEM;
    }
    if (pthread_mutex_init(&db->idle_lock, NULL) != 0) {
        free(db);
        return ERR_NOMEM;
    }
    enum err e = home_lock_take(dir, &db->lock);
    if (e == OK) {
        e = open_env(db, dir, map_bytes);
    }
    if (e == OK) {
        e = open_tables(db);
    }
    if (e != OK) {
        lmdb_close(db);
        return e;
    }
    *out = (struct kv_backend){.ops = &lmdb_ops, .ctx = db};
    return OK;
}

enum err kv_lmdb_copy(const struct kv_backend *backend, const char *dir) {
    const struct lmdb *db = backend->ctx;
    if (backend->ops != &lmdb_ops) {
        return ERR_UNSUPPORTED;
    }
    int code = mdb_env_copy2(db->env, dir, MDB_CP_COMPACT);
    return code == 0 ? OK : failed(dir, code);
}
