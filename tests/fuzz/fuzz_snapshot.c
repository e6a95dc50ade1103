/* A snapshot's manifest, its bundle's epochs, and both kinds of chunk. The first byte picks; for chunks the manifest is
 * one that lists them as they are, so that everything behind the length check is reached. */
#include "base/ed25519.h"
#include "node/host/host_crypto.h"
#include "node/snapshot/snapshot_bodies.h"
#include "node/snapshot/snapshot_verify.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err count_epoch(void *arg, const struct snapshot_epoch *epoch) {
    *(uint64_t *)arg += epoch->set.len;
    return OK;
}

static void try_manifest(struct bytes input) {
    struct snapshot_manifest m;
    if (snapshot_manifest_decode(&host_crypto, input, &m) != OK) {
        return;
    }
    struct buffer again = BUFFER_INIT;
    struct block_header header;
    struct bytes finalization;
    uint8_t root[HASH_LEN];
    uint64_t bytes = 0;
    snapshot_state_root(&host_crypto, &m, root);
    if (snapshot_epochs(&m, count_epoch, &bytes, &header, &finalization) == OK && finalization.len > input.len) {
        abort();
    }
    /* What decodes encodes to the same bytes. */
    if (snapshot_manifest_encode(&host_crypto, &m, &again) != OK || !bytes_equal(buffer_bytes(&again), input)) {
        abort();
    }
    buffer_free(&again);
    snapshot_manifest_free(&m);
}

static void try_chunks(struct bytes input) {
    struct snapshot_state_chunk state = {.bytes = (uint32_t)input.len};
    struct snapshot_body_chunk body = {.first = 3, .bytes = (uint32_t)input.len};
    struct snapshot_manifest m = {.height = 5, .state = &state, .body_count = 1, .bodies = &body};
    enum err e = snapshot_chunk_read(&host_crypto, &m, 0, input, NULL, NULL);
    if (e == OK && input.len > 0) {
        abort(); /* the root is zeros */
    }
    e = snapshot_bodies_read(&m, 0, input, NULL, NULL);
    if (e == OK) {
        abort(); /* no block hashes to zeros */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool started;
    if (!started && crypto_start() != OK) {
        abort();
    }
    started = true;
    if (size > 0 && data[0] % 2 == 0) {
        try_manifest(bytes_of(data + 1, size - 1));
    } else if (size > 0) {
        try_chunks(bytes_of(data + 1, size - 1));
    }
    return 0;
}
