/* Any bytes as the records that a chain takes over, named by their own hash. */
#include "contracts/governance/genesis_inherit.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct genesis_predecessor named = {.named = true};
    sha256(data, size, named.records_hash);
    if (size >= 124) { /* what the head says is what was named, so that records are looked at too */
        memcpy(named.chain_id, data + 12, CHAIN_ID_LEN);
        named.height = load_u64(data + 44);
        memcpy(named.block_hash, data + 52, HASH_LEN);
        memcpy(named.state_root, data + 84, HASH_LEN);
    }
    (void)genesis_inherit_check(&named, bytes_of(data, size));
    return 0;
}
