#include "contracts/kernel/due_work.h"

#include "base/assert.h"
#include "contracts/kernel/table.h"

static const struct due_handler *handler_of(uint8_t kind) {
    for (const struct contract *c = contracts_table; c->name != NULL; c++) {
        for (const struct due_handler *h = c->due; h != NULL && h->kind != 0; h++) {
            if (h->kind == kind) {
                return h;
            }
        }
    }
    return NULL;
}

uint8_t due_kinds(void) {
    uint8_t highest = 0;
    for (uint8_t kind = 1; kind <= DUE_KINDS_MAX; kind++) {
        highest = handler_of(kind) != NULL ? kind : highest;
    }
    return highest;
}

enum err due_work(const struct call *call, const struct due_item *item) {
    const struct due_handler *handler = handler_of(item->kind);
    ASSERT(call->signer_count == 0 && item->due_ms <= call->time_ms); /* it is time, and nobody signs */
    enum err e = due_queue_remove(call, item);
    return e != OK || handler == NULL ? e : handler->run(call, due_item_subject(item));
}

enum err due_work_refused(const struct call *call, const struct due_item *item) {
    const struct due_handler *handler = handler_of(item->kind);
    ASSERT(call->signer_count == 0 && item->due_ms <= call->time_ms);
    enum err e = due_queue_remove(call, item);
    return e != OK || handler == NULL ? e : handler->refused(call, due_item_subject(item));
}

enum err due_note_refused(const struct call *call, const struct record_key *key) {
    return state_history(&call->state, key, "due_refused", code_name(CODE_TOO_MANY_WRITES));
}
