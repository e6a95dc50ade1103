/* dag-pb and UnixFS blocks: whatever is accepted is written back bit for bit. */
#include "base/assert.h"
#include "ipfs-lite/unixfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct unixfs_node node;
    static struct dag_pb_link links[DAG_PB_LINKS_MAX];
    struct bytes block = bytes_of(data, size);
    struct bytes inner;
    size_t count;
    if (dag_pb_decode(block, links, &count, &inner) == OK) {
        struct buffer out = BUFFER_INIT;
        dag_pb_encode(links, count, inner, &out);
        ASSERT(bytes_equal(buffer_bytes(&out), block));
        buffer_free(&out);
    }
    if (unixfs_decode(block, &node) == OK) {
        struct buffer out = BUFFER_INIT;
        unixfs_encode(&node, &out);
        ASSERT(bytes_equal(buffer_bytes(&out), block));
        buffer_free(&out);
        for (size_t i = 0; unixfs_profiles[i] != NULL; i++) {
            for (uint32_t level = 0; level < 4; level++) {
                (void)!unixfs_check(unixfs_profiles[i], level, node.size, &node);
            }
        }
    }
    return 0;
}
