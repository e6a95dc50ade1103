/* CID text and binary: whatever is accepted is written back the same way (or, for CIDv0, means the same block). */
#include "base/assert.h"
#include "ipfs-lite/cid.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cid cid;
    struct cid back;
    char text[128];
    if (cid_decode(bytes_of(data, size), &cid) == OK) {
        uint8_t binary[CID_LEN];
        cid_encode(&cid, binary);
        ASSERT(size == CID_LEN && memcmp(binary, data, CID_LEN) == 0);
    }
    if (size >= sizeof text) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (cid_parse(text, &cid) == OK) {
        char again[CID_TEXT_SIZE];
        cid_format(&cid, again);
        ASSERT(cid_parse(again, &back) == OK && cid_equal(&cid, &back));
        ASSERT(text[0] == 'Q' || strcmp(text, again) == 0);
    }
    return 0;
}
