#include "node/ledger/block_events.h"

enum err final_tx_find(struct chain_view *view, const uint8_t id[HASH_LEN], uint64_t *out_height, uint32_t *out_index,
                       struct receipt *out_receipt) {
    struct bytes value, receipt;
    enum err e = kv_get(view->kv, KV_TXS, bytes_of(id, HASH_LEN), &value);
    if (e == OK) {
        e = tx_entry_decode(value, out_height, out_index, &receipt);
    }
    return e == OK ? receipt_decode(receipt, out_receipt) : e;
}

enum err block_events(struct chain_view *view, const struct block *block,
                      enum err (*each)(void *arg, const struct block_event_tx *event), void *arg) {
    enum err e = OK;
    for (size_t i = 0; i < block->tx_count && e == OK; i++) {
        const struct transaction *tx = &block->txs[i];
        struct block_event_tx event = {.tx = tx, .height = block->header.height, .index = (uint32_t)i};
        uint64_t height;
        uint32_t index;
        e = final_tx_find(view, tx->id, &height, &index, &event.receipt);
        event.has_receipt = e == OK;
        if (e == OK && event.receipt.code == CODE_OK) {
            event.event = contracts_event(tx->contract, tx->method);
        }
        e = e == ERR_NOTFOUND ? OK : e;
        e = e == OK ? each(arg, &event) : e;
    }
    return e;
}
