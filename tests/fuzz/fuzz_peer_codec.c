/* Peer messages: whatever decodes is within its limits and encodes again. */
#include "base/assert.h"
#include "node/ledger/peer_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct peer_message message;
    if (peer_decode(bytes_of(data, size), &message) != OK) {
        return 0;
    }
    struct buffer again = BUFFER_INIT, twice = BUFFER_INIT;
    ASSERT(message.kind < PEER_KINDS);
    ASSERT(peer_encode(&message, &again) == OK); /* lists over their limits it would refuse */
    struct peer_message same;
    ASSERT(peer_decode(buffer_bytes(&again), &same) == OK);
    ASSERT(same.kind == message.kind && same.epoch == message.epoch);
    ASSERT(peer_encode(&same, &twice) == OK && bytes_equal(buffer_bytes(&again), buffer_bytes(&twice)));
    peer_free(&same);
    peer_free(&message);
    buffer_free(&again);
    buffer_free(&twice);
    return 0;
}
