/* Any bytes as a receipt, a transaction's index entry and a history entry: spans stay within what was given. */
#include "node/ledger/execute.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(struct bytes span, const uint8_t *data, size_t size) {
    return span.len == 0 || (span.data >= data && span.len <= size && span.data + span.len <= data + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct receipt receipt;
    struct history_entry entry;
    struct bytes span;
    uint64_t height;
    uint32_t index;
    if (receipt_decode(bytes_of(data, size), &receipt) == OK) {
        ASSERT(is_within(receipt.detail, data, size) && is_within(receipt.result, data, size));
        ASSERT(size == 1 + HASH_LEN + 4 + 2 + receipt.detail.len + 4 + receipt.result.len);
    }
    if (tx_entry_decode(bytes_of(data, size), &height, &index, &span) == OK) {
        ASSERT(is_within(span, data, size) && span.len == size - 12);
    }
    size_t key_len = size / 2;
    if (history_decode(bytes_of(data, key_len), bytes_of(data + key_len, size - key_len), &entry) == OK) {
        ASSERT(is_within(entry.action, data, size) && is_within(entry.detail, data, size));
    }
    return 0;
}
