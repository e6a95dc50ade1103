/* genesis.json from anybody: no crash, and what is accepted renders to a text that reads back to the same text. */
#include "base/assert.h"
#include "contracts/contracts.h"
#include "node/genesis/genesis_json.h"
#include "node/host/host_crypto.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct genesis genesis;
    struct genesis again;
    struct buffer first = BUFFER_INIT;
    struct buffer second = BUFFER_INIT;
    struct why why = WHY_NONE;
    if (genesis_json_parse(bytes_of(data, len), &genesis, &why) != OK) {
        ASSERT(why_said(&why));
        return 0;
    }
    (void)!contracts_genesis_check(&genesis, &host_crypto, &why);
    ASSERT(genesis_json_render(&genesis, &first) == OK);
    ASSERT(genesis_json_parse(buffer_bytes(&first), &again, &why) == OK);
    ASSERT(genesis_json_render(&again, &second) == OK);
    ASSERT(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    genesis_free(&genesis);
    genesis_free(&again);
    buffer_free(&first);
    buffer_free(&second);
    return 0;
}
