/* Index files. The input is completed with its right checksum, so that the checks behind it are reached; whatever is
 * accepted is written back bit for bit. */
#include "base/assert.h"
#include "ipfs-lite/repo_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct repo_index index = {0};
    struct buffer file = BUFFER_INIT;
    uint8_t sum[SHA256_LEN];
    buffer_put(&file, data, size);
    sha256(data, size, sum);
    buffer_put(&file, sum, SHA256_LEN);
    if (buffer_ok(&file) == OK && repo_index_decode(buffer_bytes(&file), &index) == OK) {
        struct buffer again = BUFFER_INIT;
        repo_index_encode(&index, &again);
        ASSERT(bytes_equal(buffer_bytes(&again), buffer_bytes(&file)));
        buffer_free(&again);
    }
    repo_index_free(&index);
    repo_index_free(&index);
    index = (struct repo_index){0};
    (void)!repo_index_decode(bytes_of(data, size), &index);
    repo_index_free(&index);
    buffer_free(&file);
    return 0;
}
