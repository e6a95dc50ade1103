/* assay.conf from anybody: no crash, and what is accepted renders to a text that reads back the same. */
#include "base/assert.h"
#include "node/host/config.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct config config;
    struct config again;
    struct buffer text = BUFFER_INIT;
    struct why why = WHY_NONE;
    if (config_parse(bytes_of(data, len), &config, &why) == OK) {
        ASSERT(config_render(&config, &text) == OK);
        ASSERT(config_parse(buffer_bytes(&text), &again, &why) == OK);
        buffer_free(&text);
    } else {
        ASSERT(why_said(&why));
    }
    return 0;
}
