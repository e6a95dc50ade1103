#include "tests/lib/image_generator.h"

void generate(uint64_t offset, uint8_t *out, size_t len) {
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(((uint32_t)(offset + i) * UINT32_C(1103515245) + 12345u) >> 16);
    }
}
