/* The reader of frames, as an authenticated but malicious member can feed it: several datagrams one after the other. */
#include "node/net/frame.h"

#include <stdlib.h>

static void deliver(void *arg, enum frame_class class, struct bytes message) {
    (void)arg;
    if (class >= FRAME_CLASSES || message.len == 0 || message.len > LIMIT_PEER_MESSAGE) {
        abort();
    }
    volatile uint8_t ends = (uint8_t)(message.data[0] ^ message.data[message.len - 1]);
    (void)ends;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct frame_sink sink = {0};
    while (size >= 2) {
        size_t len = (size_t)data[0] << 8 | data[1];
        data += 2;
        size -= 2;
        len = len < size ? len : size;
        (void)!frame_read(&sink, bytes_of(data, len), deliver, NULL);
        size_t held = 0;
        for (size_t i = 0; i < FRAME_CLASSES; i++) {
            held += sink.partial[i].data.len;
        }
        if (held != sink.held || held > FRAME_HELD_MAX) {
            abort();
        }
        data += len;
        size -= len;
    }
    frame_sink_reset(&sink);
    return 0;
}
