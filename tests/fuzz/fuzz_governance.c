/* Governance: first byte 0: any bytes as a change, which must survive being written and read again; else a method with
 * random arguments, signed by an admin, then a block. After each the records must hold together. */
#include <stdio.h>

#include "tests/lib/council_sound.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct council council;
static struct memory_state clean;

static void try_change(struct bytes bytes) {
    struct governance_change first, second;
    struct buffer once = BUFFER_INIT, twice = BUFFER_INIT;
    if (record_decode(&governance_change_shape, bytes, &first) == OK) {
        record_encode(&governance_change_shape, &first, &once);
        ASSERT(record_decode(&governance_change_shape, buffer_bytes(&once), &second) == OK);
        record_encode(&governance_change_shape, &second, &twice);
        ASSERT(bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
    }
    buffer_free(&once);
    buffer_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (clean.count == 0) {
        council_open(&council, 1, 5, 3);
        clean = memory_clone(&council.w.memory);
    }
    if (size < 2) {
        return 0;
    }
    if (data[0] == 0) {
        try_change(bytes_of(data + 1, size - 1));
        return 0;
    }
    struct world *w = &council.w;
    uint8_t signers[2][ED25519_KEY_LEN];
    memcpy(signers[0], council.public_key[ADMIN(0)], KEY_LEN);
    memcpy(signers[1], council.public_key[NODE(data[1] % 8)], KEY_LEN);
    struct call call = world_call(w, signers, 2);
    size_t methods = 0;
    while (governance_methods[methods].name != NULL) {
        methods++;
    }
    const char *method = governance_methods[data[0] % methods].name;
    w->answer.code = CODE_OK;
    buffer_reset(&w->answer.result);
    enum err e =
        contracts_execute(&call, bytes_str("governance"), bytes_str(method), bytes_of(data + 2, size - 2), &w->answer);
    ASSERT(e == OK);
    if (w->answer.code == CODE_OK) {
        ASSERT(council_flaw(&council) == NULL);
        ASSERT(world_block(w, w->now_ms + 1) == OK);
        ASSERT(council_flaw(&council) == NULL);
        memory_free(&w->memory);
        w->memory = memory_clone(&clean);
        w->height = 1;
        w->now_ms = WORLD_START_MS + 1000;
    } else {
        ASSERT(w->memory.count == clean.count);
    }
    return 0;
}
