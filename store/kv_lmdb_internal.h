/* What the files of the LMDB floor share; nobody else includes this. */
#ifndef ASSAY_STORE_KV_LMDB_INTERNAL_H
#define ASSAY_STORE_KV_LMDB_INTERNAL_H

#include "store/crc32c.h"
#include "store/kv.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

/* Behind every value: CRC-32C over table number (1) | key | value. */
#define CHECKSUM_LEN 4u

struct home_lock;
struct snapshot;

struct lmdb {
    struct home_lock *lock; /* NULL: only looked at */
    MDB_env *env;
    MDB_dbi tables[KV_TABLES];
    atomic_bool broken; /* a fault ended a write: nothing is written any more */
    pthread_mutex_t idle_lock;
    struct snapshot *idle;
    size_t idle_count;
};

extern const char *const kv_lmdb_tables[KV_TABLES];

/* Notes what LMDB said while doing `what`, and gives the error that fits. */
enum err kv_lmdb_failed(const char *what, int code);
/* The same for an entry, named by table and key: "damaged" in one way or another. */
enum err kv_lmdb_damaged(enum kv_table table, struct bytes key, const char *how);

static inline MDB_val kv_lmdb_val(struct bytes b) {
    return (MDB_val){b.len, (void *)(uintptr_t)b.data};
}

static inline struct bytes kv_lmdb_bytes(const MDB_val *v) {
    return bytes_of(v->mv_data, v->mv_size);
}

static inline uint32_t kv_lmdb_checksum(enum kv_table table, struct bytes key, struct bytes value) {
    uint8_t number = (uint8_t)table;
    return crc32c(crc32c(crc32c(0, &number, 1), key.data, key.len), value.data, value.len);
}

/* Reading (kv_lmdb_read.c): the backend's operations of these names. */
NODISCARD enum err kv_lmdb_snapshot(void *ctx, void **out);
void kv_lmdb_release(void *ctx, void *snapshot);
enum err kv_lmdb_get(void *ctx, void *snapshot, enum kv_table table, struct bytes key, struct bytes *out);
enum err kv_lmdb_seek(void *ctx, void *snapshot, enum kv_table table, struct bytes from, struct bytes *out_key,
                      struct bytes *out_value);
enum err kv_lmdb_seek_back(void *ctx, void *snapshot, enum kv_table table, struct bytes from, struct bytes *out_key,
                           struct bytes *out_value);
void kv_lmdb_free_idle(struct lmdb *db);

#endif
