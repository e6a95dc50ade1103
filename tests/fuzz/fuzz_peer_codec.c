/* Peer messages: whatever decodes is within its limits and encodes again. */
#include "base/assert.h"
#include "node/ledger/peer_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct peer_message message;
    if (peer_decode(bytes_of(data, size), &message) != OK) {
        return 0;
    }
    ASSERT(message.vote_count <= PEER_VOTES_MAX && message.span_count <= PEER_BODIES_MAX);
    struct buffer again = BUFFER_INIT;
    ASSERT(peer_encode(&message, &again) == OK);
    struct peer_message same;
    ASSERT(peer_decode(buffer_bytes(&again), &same) == OK);
    ASSERT(same.kind == message.kind && same.vote_count == message.vote_count);
    peer_free(&same);
    peer_free(&message);
    buffer_free(&again);
    return 0;
}
