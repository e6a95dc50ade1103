#include "store/tree_node.h"

#include "base/assert.h"

#include <string.h>

enum err tree_prove(struct kv_view *view, struct tree_root root, const uint8_t key[SHA256_LEN], struct buffer *out,
                    bool *out_present) {
    size_t start = out->len;
    enum state_path_end end = PATH_EMPTY;
    struct tree_node node = {0};
    uint16_t steps = 0;
    int upper = -1;
    enum err e = OK;
    buffer_u8(out, 1);
    buffer_u16(out, 0);
    for (uint64_t id = root.id; id != 0 && e == OK;) {
        e = tree_node_get(view, NULL, id, &node);
        if (e != OK || node.leaf) {
            break;
        }
        if ((int)node.bit <= upper) {
            e = ERR_CORRUPT;
            break;
        }
        upper = node.bit;
        bool right = state_key_bit(key, node.bit);
        buffer_u8(out, node.bit);
        buffer_put(out, node.child[!right].hash, SHA256_LEN);
        steps++;
        id = node.child[right].id;
    }
    if (e == OK && root.id != 0) {
        end = memcmp(node.key, key, SHA256_LEN) == 0 ? PATH_PRESENT : PATH_OTHER;
    }
    buffer_u8(out, (uint8_t)end);
    if (end == PATH_OTHER) {
        buffer_put(out, node.key, SHA256_LEN);
        buffer_put(out, node.value_hash, SHA256_LEN);
    }
    if (e == OK) {
        e = buffer_ok(out);
    }
    if (e != OK) {
        out->len = start;
        return e;
    }
    ASSERT(steps <= TREE_DEPTH_MAX); /* bits rise */
    store_u16(out->data + start + 1, steps);
    *out_present = end == PATH_PRESENT;
    return OK;
}
