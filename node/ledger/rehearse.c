#include "node/ledger/rehearse.h"

#include "node/host/host_crypto.h"
#include "node/ledger/operation.h"

enum err rehearse(struct chain_view *view, const struct rehearsal *what, struct answer *answer, bool *out_writes) {
    const struct block_header *head = &view->head.header;
    const struct execution execution = {
        .crypto = &host_crypto,
        .chain_id = what->chain_id,
        .view = view->kv,
        .height = head->height + 1,
        .time_ms = what->time_ms > head->time_ms ? what->time_ms : head->time_ms + 1,
        .budget = {LIMIT_OPERATION_WRITES, LIMIT_OPERATION_NOTES, LIMIT_OPERATION_BYTES}};
    struct operation *op = operation_new(&execution);
    if (op == NULL) {
        return ERR_NOMEM;
    }
    operation_begin(op, 0, NULL);
    const struct call call = {.state = operation_state(op),
                              .crypto = execution.crypto,
                              .chain_id = what->chain_id,
                              .signers = what->signers,
                              .signer_count = what->signer_count,
                              .height = execution.height,
                              .time_ms = execution.time_ms};
    enum err e = contracts_execute(&call, what->contract, what->method, what->args, answer);
    if (operation_is_over(op)) {
        answer->code = CODE_TOO_MANY_WRITES;
        e = OK;
    }
    if (e == OK && out_writes != NULL) {
        *out_writes = operation_writes(op);
    }
    operation_free(op);
    return e;
}
