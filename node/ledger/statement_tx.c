#include "node/ledger/statement_tx.h"

#include "contracts/kernel/transaction.h"
#include "contracts/update/update.pb-c.h"
#include "node/ledger/ledger_time.h"

const char *statement_tx_method(enum statement_kind kind) {
    switch (kind) {
    case STATEMENT_OPEN:
        return "open";
    case STATEMENT_VERIFY:
        return "verify";
    case STATEMENT_REPORT:
        return "report";
    }
    return NULL;
}

enum err statement_tx_args(const uint8_t body[STATEMENT_TX_BODY_LEN], struct buffer *out) {
    Assay__UpdateStatement message = ASSAY__UPDATE_STATEMENT__INIT;
    /* protobuf-c takes what it packs as writable, and only reads it. */
    message.statement.data = (uint8_t *)(uintptr_t)body;
    message.statement.len = STATEMENT_LEN;
    message.signature.data = (uint8_t *)(uintptr_t)(body + STATEMENT_LEN);
    message.signature.len = SIG_LEN;
    uint8_t *at = buffer_extend(out, assay__update_statement__get_packed_size(&message));
    enum err e = buffer_ok(out);
    if (e == OK) {
        (void)assay__update_statement__pack(&message, at);
    }
    return e;
}

enum err statement_tx_build(const uint8_t chain_id[CHAIN_ID_LEN], const uint8_t (*secret)[ED25519_SECRET_LEN],
                            const uint8_t body[STATEMENT_TX_BODY_LEN], enum statement_kind kind, uint64_t now_ms,
                            uint64_t max_lifetime_ms, struct buffer *out) {
    struct buffer args = BUFFER_INIT;
    const char *method = statement_tx_method(kind);
    enum err e = method != NULL ? statement_tx_args(body, &args) : ERR_RANGE;
    if (e != OK) {
        buffer_free(&args);
        return e;
    }
    struct transaction_draft draft = {.chain_id = chain_id,
                                      .expiry_ms = ledger_time_expiry(now_ms, max_lifetime_ms),
                                      .contract = "update",
                                      .method = method,
                                      .args = buffer_bytes(&args)};
    random_fill(draft.salt, sizeof draft.salt);
    const uint8_t(*secrets[1])[ED25519_SECRET_LEN] = {secret};
    e = transaction_build(&draft, secrets, 1, out);
    buffer_free(&args);
    return e;
}
