#include "node/snapshot/snapshot_make.h"

#include "base/file.h"
#include "contracts/governance/governance.h"
#include "node/host/host_crypto.h"
#include "node/host/log.h"
#include "node/ledger/chain_store.h"
#include "node/ledger/execute.h"
#include "node/snapshot/snapshot_bodies.h"
#include "store/snapshot_split.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REMOVE_FDS 8

struct make {
    const struct snapshot_make_config *config;
    char tmp[SNAPSHOT_PATH_MAX];
    struct snapshot_manifest manifest;
    size_t body_cap;
    struct buffer chunk; /* the body chunk being filled */
    uint64_t chunk_first;
};

/* ---- Bodies ------------------------------------------------------------------------------------------------------ */

static enum err write_file(const struct make *m, const char *name, struct bytes data) {
    char path[SNAPSHOT_PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", m->tmp, name);
    return n > 0 && (size_t)n < sizeof path ? file_write_atomic(path, data, 0600) : ERR_TOOLARGE;
}

/* The chunk that is being filled ends with this block. */
static enum err end_chunk(struct make *m, const uint8_t last_hash[HASH_LEN]) {
    struct snapshot_manifest *manifest = &m->manifest;
    char name[16];
    if (manifest->body_count == SNAPSHOT_BODY_CHUNKS_MAX || m->chunk.len > SNAPSHOT_CHUNK_MAX) {
        return ERR_TOOLARGE;
    }
    if (manifest->body_count == m->body_cap) {
        size_t cap = m->body_cap == 0 ? 64 : m->body_cap * 2;
        struct snapshot_body_chunk *grown = realloc(manifest->bodies, cap * sizeof *grown);
        if (grown == NULL) {
            return ERR_NOMEM;
        }
        manifest->bodies = grown;
        m->body_cap = cap;
    }
    (void)snprintf(name, sizeof name, "%u", snapshot_chunk_count(manifest));
    enum err e = write_file(m, name, buffer_bytes(&m->chunk));
    if (e == OK) {
        struct snapshot_body_chunk *chunk = &manifest->bodies[manifest->body_count++];
        *chunk = (struct snapshot_body_chunk){.first = m->chunk_first, .bytes = (uint32_t)m->chunk.len};
        memcpy(chunk->last_hash, last_hash, HASH_LEN);
        buffer_reset(&m->chunk);
    }
    return e;
}

static enum err receipts_of(struct make *m, const struct block *block, struct bytes *out) {
    enum err e = OK;
    for (size_t i = 0; i < block->tx_count && e == OK; i++) {
        struct bytes entry;
        uint64_t height;
        uint32_t index;
        e = kv_get(m->config->view->kv, KV_TXS, bytes_of(block->txs[i].id, HASH_LEN), &entry);
        if (e == OK && tx_entry_decode(entry, &height, &index, &out[i]) != OK) {
            e = ERR_CORRUPT;
        }
    }
    return e;
}

static enum err put_block(struct make *m, uint64_t height, struct buffer *body) {
    struct block block;
    buffer_reset(body);
    enum err e = chain_read(m->config->chain, height, body, NULL);
    if (e == OK) {
        e = block_decode(buffer_bytes(body), &block);
    }
    if (e != OK) {
        return e;
    }
    struct bytes *receipts = calloc(block.tx_count + 1, sizeof *receipts);
    e = receipts != NULL ? receipts_of(m, &block, receipts) : ERR_NOMEM;
    if (e == OK) {
        if (m->chunk.len == 0) {
            m->chunk_first = height;
        }
        snapshot_bodies_put(&m->chunk, &block, receipts);
        e = buffer_ok(&m->chunk);
    }
    if (e == OK && (m->chunk.len >= (m->config->chunk_target != 0 ? m->config->chunk_target : SNAPSHOT_CHUNK_TARGET) ||
                    height == m->manifest.height)) {
        e = end_chunk(m, block.hash);
    }
    free(receipts);
    block_free(&block);
    return e;
}

static enum err make_bodies(struct make *m) {
    struct buffer body = BUFFER_INIT;
    uint64_t height = 0;
    /* The same on every node that has the blocks; one that has not makes no snapshot. */
    enum err e = chain_store_window(m->config->view->kv, &m->config->view->head.header, &height);
    for (; e == OK && height <= m->manifest.height; height++) {
        bool stop = m->config->stop != NULL && m->config->stop(m->config->arg);
        e = stop ? ERR_CLOSED : put_block(m, height, &body);
    }
    buffer_free(&body);
    return e;
}

/* ---- The manifest ------------------------------------------------------------------------------------------------ */

/* A block that became final through a later one has no finalization in the pinned view; a fresh one links to it. */
static enum err put_bundle(struct make *m, struct buffer *out) {
    struct bytes contract = bytes_str(SNAPSHOT_BUNDLE_CONTRACT), no_key = bytes_of(NULL, 0);
    enum err e = chain_view_prove(m->config->view, contract, no_key, 0, 0, out);
    if (e == ERR_NOTFOUND) {
        struct chain_view fresh;
        e = chain_view_open(m->config->chain, &fresh);
        if (e == OK) {
            e = chain_view_prove(&fresh, contract, no_key, m->manifest.height, 0, out);
            chain_view_close(&fresh);
        }
    }
    return e;
}

static enum err make_manifest(struct make *m) {
    struct buffer bundle = BUFFER_INIT, encoded = BUFFER_INIT;
    enum err e = put_bundle(m, &bundle);
    if (e == OK) {
        m->manifest.bundle = buffer_bytes(&bundle);
        e = snapshot_manifest_encode(&host_crypto, &m->manifest, &encoded);
    }
    if (e == OK) {
        e = write_file(m, SNAPSHOT_MANIFEST_NAME, buffer_bytes(&encoded));
    }
    buffer_free(&bundle);
    buffer_free(&encoded);
    return e;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

enum err snapshot_remove_folder(const char *path) {
    errno = 0;
    if (nftw(path, remove_entry, REMOVE_FDS, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT) {
        return OK;
    }
    return err_from_errno(errno);
}

static enum err make_parts(struct make *m) {
    const struct snapshot_split_config split = {.crypto = &host_crypto,
                                                .view = m->config->view->kv,
                                                .dir = m->tmp,
                                                .chunk_target = m->config->chunk_target,
                                                .stop = m->config->stop,
                                                .arg = m->config->arg};
    uint8_t root[HASH_LEN];
    enum err e = snapshot_remove_folder(m->tmp);
    if (e == OK) {
        e = dir_make(m->tmp);
    }
    if (e == OK) {
        e = snapshot_split(&split, &m->manifest.bits, &m->manifest.state);
    }
    if (e == OK) {
        snapshot_state_root(&host_crypto, &m->manifest, root);
        e = memcmp(root, m->config->view->head.header.state_root, HASH_LEN) == 0 ? OK : ERR_CORRUPT;
    }
    if (e == OK) {
        e = make_bodies(m);
    }
    return e == OK ? make_manifest(m) : e;
}

enum err snapshot_make(const struct snapshot_make_config *config) {
    struct make m = {.config = config};
    const struct chain_head *head = &config->view->head;
    char path[SNAPSHOT_PATH_MAX];
    unsigned long long height = head->header.height;
    int n = snprintf(path, sizeof path, "%s/%llu", config->dir, height);
    int k = snprintf(m.tmp, sizeof m.tmp, "%s/%llu.tmp", config->dir, height);
    if (n < 0 || (size_t)n >= sizeof path || k < 0 || (size_t)k >= sizeof m.tmp) {
        return ERR_TOOLARGE;
    }
    if (height == 0) {
        return ERR_RANGE;
    }
    if (access(path, F_OK) == 0) {
        return ERR_EXISTS;
    }
    m.manifest.height = height;
    memcpy(m.manifest.chain_id, head->header.chain_id, CHAIN_ID_LEN);
    memcpy(m.manifest.block, head->hash, HASH_LEN);
    enum err e = make_parts(&m);
    if (e == OK) {
        e = dir_sync(m.tmp);
    }
    if (e == OK && rename(m.tmp, path) != 0) {
        e = err_from_errno(errno);
    }
    if (e == OK) {
        e = dir_sync(config->dir);
    }
    if (e != OK) {
        enum err removed = snapshot_remove_folder(m.tmp);
        if (removed != OK) {
            log_event(LOG_WARN, "snapshot.leftover", log_text("folder", m.tmp), log_err(removed));
        }
    }
    snapshot_manifest_free(&m.manifest);
    buffer_free(&m.chunk);
    return e;
}
