/* Reading the lower floor: snapshots, and entries whose checksum fits. Whatever touches LMDB's pages runs under a
 * guard, since a damaged page may lead it anywhere. */
#include "base/assert.h"
#include "store/fault_guard.h"
#include "store/kv_lmdb_internal.h"

#include <stdlib.h>
#include <string.h>

#define IDLE_MAX 64u /* read transactions kept for reuse */

struct snapshot {
    struct snapshot *next_idle;
    MDB_txn *txn;
    MDB_cursor *cursors[KV_TABLES]; /* opened when first needed */
    bool bound[KV_TABLES];          /* of this renewal of the transaction */
    bool faulted;                   /* its cursors may stand anywhere: not for reuse */
};

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

void kv_lmdb_free_idle(struct lmdb *db) {
    while (db->idle != NULL) {
        struct snapshot *next = db->idle->next_idle;
        snapshot_free(db->idle);
        db->idle = next;
    }
}

static struct snapshot *take_idle(struct lmdb *db) {
    (void)pthread_mutex_lock(&db->idle_lock);
    struct snapshot *s = db->idle;
    if (s != NULL) {
        ASSERT(db->idle_count > 0);
        db->idle = s->next_idle;
        db->idle_count--;
    }
    (void)pthread_mutex_unlock(&db->idle_lock);
    return s;
}

enum err kv_lmdb_snapshot(void *ctx, void **out) {
    struct lmdb *db = ctx;
    struct snapshot *s = take_idle(db);
    if (s != NULL) {
        int code = mdb_txn_renew(s->txn);
        if (code != 0) {
            snapshot_free(s);
            return kv_lmdb_failed("renewing a read transaction", code);
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
        return kv_lmdb_failed("beginning a read transaction", code);
    }
    *out = s;
    return OK;
}

void kv_lmdb_release(void *ctx, void *snapshot) {
    struct lmdb *db = ctx;
    struct snapshot *s = snapshot;
    mdb_txn_reset(s->txn);
    (void)pthread_mutex_lock(&db->idle_lock);
    bool keep = db->idle_count < IDLE_MAX && !s->faulted;
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

/* ---- One read --------------------------------------------------------------------------------------------------- */

enum read_kind { READ_EXACT, READ_FROM, READ_BACK };

/* What a guarded read works on. */
struct read {
    struct lmdb *db;
    struct snapshot *snapshot;
    enum kv_table table;
    enum read_kind kind;
    struct bytes from;
    MDB_val k, v;
    int code;
    bool whole; /* the checksum fits */
};

static int cursor_of(const struct read *r, MDB_cursor **out) {
    struct snapshot *s = r->snapshot;
    int code = 0;
    if (s->cursors[r->table] == NULL) {
        code = mdb_cursor_open(s->txn, r->db->tables[r->table], &s->cursors[r->table]);
    } else if (!s->bound[r->table]) {
        code = mdb_cursor_renew(s->txn, s->cursors[r->table]);
    }
    s->bound[r->table] = code == 0;
    *out = s->cursors[r->table];
    return code;
}

/* First key >= `from`, where `from` may be empty or one byte longer than any key. */
static int first_from(MDB_cursor *cursor, struct bytes from, MDB_val *k, MDB_val *v) {
    if (from.len == 0) {
        return mdb_cursor_get(cursor, k, v, MDB_FIRST);
    }
    struct bytes reachable = bytes_of(from.data, from.len > KV_KEY_MAX ? KV_KEY_MAX : from.len);
    *k = kv_lmdb_val(reachable);
    int code = mdb_cursor_get(cursor, k, v, MDB_SET_RANGE);
    if (code == 0 && reachable.len < from.len && bytes_equal(kv_lmdb_bytes(k), reachable)) {
        code = mdb_cursor_get(cursor, k, v, MDB_NEXT);
    }
    return code;
}

static int last_upto(MDB_cursor *cursor, struct bytes from, MDB_val *k, MDB_val *v) {
    int code = first_from(cursor, from, k, v);
    if (code == MDB_NOTFOUND) {
        code = mdb_cursor_get(cursor, k, v, MDB_LAST);
    } else if (code == 0 && !bytes_equal(kv_lmdb_bytes(k), from)) {
        code = mdb_cursor_get(cursor, k, v, MDB_PREV);
    }
    return code;
}

static void read_entry(void *arg) {
    struct read *r = arg;
    if (r->kind == READ_EXACT) {
        r->k = kv_lmdb_val(r->from);
        r->code = mdb_get(r->snapshot->txn, r->db->tables[r->table], &r->k, &r->v);
    } else {
        MDB_cursor *cursor;
        r->code = cursor_of(r, &cursor);
        if (r->code == 0) {
            r->code = (r->kind == READ_FROM ? first_from : last_upto)(cursor, r->from, &r->k, &r->v);
        }
    }
    if (r->code == 0 && r->v.mv_size >= CHECKSUM_LEN) {
        r->v.mv_size -= CHECKSUM_LEN;
        uint32_t stored = load_u32((const uint8_t *)r->v.mv_data + r->v.mv_size);
        r->whole = kv_lmdb_checksum(r->table, kv_lmdb_bytes(&r->k), kv_lmdb_bytes(&r->v)) == stored;
    }
}

/* Where a seek met damage, the key asked for is the nearest that can be named for sure. */
static enum err run_read(struct read *r) {
    if (!fault_guard_run(read_entry, r)) {
        r->snapshot->faulted = true;
        return kv_lmdb_damaged(r->table, r->from, "a damaged page, or one that the disk can't read");
    }
    if (r->code == MDB_NOTFOUND) {
        return ERR_NOTFOUND;
    }
    if (r->code == MDB_CORRUPTED || r->code == MDB_PAGE_NOTFOUND) {
        return kv_lmdb_damaged(r->table, r->from, mdb_strerror(r->code));
    }
    if (r->code != 0) {
        return kv_lmdb_failed("reading", r->code);
    }
    return r->whole ? OK : kv_lmdb_damaged(r->table, kv_lmdb_bytes(&r->k), "an entry whose checksum does not fit");
}

enum err kv_lmdb_get(void *ctx, void *snapshot, enum kv_table table, struct bytes key, struct bytes *out) {
    if (key.len == 0 || key.len > KV_KEY_MAX) {
        return ERR_NOTFOUND;
    }
    struct read r = {.db = ctx, .snapshot = snapshot, .table = table, .kind = READ_EXACT, .from = key};
    enum err e = run_read(&r);
    if (e == OK) {
        *out = kv_lmdb_bytes(&r.v);
    }
    return e;
}

static enum err seek(struct read *r, struct bytes *out_key, struct bytes *out_value) {
    enum err e = run_read(r);
    if (e == OK) {
        *out_key = kv_lmdb_bytes(&r->k);
        *out_value = kv_lmdb_bytes(&r->v);
    }
    return e;
}

enum err kv_lmdb_seek(void *ctx, void *snapshot, enum kv_table table, struct bytes from, struct bytes *out_key,
                      struct bytes *out_value) {
    struct read r = {.db = ctx, .snapshot = snapshot, .table = table, .kind = READ_FROM, .from = from};
    return seek(&r, out_key, out_value);
}

enum err kv_lmdb_seek_back(void *ctx, void *snapshot, enum kv_table table, struct bytes from, struct bytes *out_key,
                           struct bytes *out_value) {
    struct read r = {.db = ctx, .snapshot = snapshot, .table = table, .kind = READ_BACK, .from = from};
    return seek(&r, out_key, out_value);
}
