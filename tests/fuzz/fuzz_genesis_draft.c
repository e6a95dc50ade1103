/* A draft of a genesis from anybody: no crash, and what is accepted renders to a text that reads back to the same. */
#include "base/assert.h"
#include "node/genesis/genesis_draft.h"
#include "node/host/host_crypto.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct genesis_draft draft, again;
    struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
    struct why why = WHY_NONE;
    bool is = genesis_draft_is(bytes_of(data, len));
    if (genesis_draft_parse(bytes_of(data, len), &draft, &why) != OK) {
        ASSERT(why_said(&why));
        return 0;
    }
    ASSERT(is);
    if (genesis_draft_check(&draft, &host_crypto, &why) != OK) {
        ASSERT(why_said(&why));
        ASSERT(genesis_draft_seal(&draft, &host_crypto, &first, &why) != OK && first.len == 0);
    }
    ASSERT(genesis_draft_render(&draft, &first) == OK);
    ASSERT(genesis_draft_parse(buffer_bytes(&first), &again, &why) == OK);
    ASSERT(genesis_draft_render(&again, &second) == OK);
    ASSERT(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    genesis_draft_free(&draft);
    genesis_draft_free(&again);
    buffer_free(&first);
    buffer_free(&second);
    return 0;
}
