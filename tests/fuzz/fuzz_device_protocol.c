/* Any bytes as a request and as an answer of the device protocol: what is understood must be written the same again. */
#include "device/core/protocol.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes in = {data, size};
    struct protocol_request request;
    struct protocol_answer answer;
    static uint8_t back[1 << 16];
    size_t len;
    if (size > sizeof back) {
        return 0;
    }
    if (protocol_request_decode(in, &request) == GOOD &&
        (protocol_request_encode(&request, back, sizeof back, &len) != GOOD || len != size ||
         memcmp(back, data, len) != 0)) {
        abort();
    }
    if (protocol_answer_decode(in, &answer) == GOOD &&
        (protocol_answer_encode(&answer, back, sizeof back, &len) != GOOD || len != size ||
         memcmp(back, data, len) != 0)) {
        abort();
    }
    return 0;
}
