/* The table of contracts. Its order is that of laying a genesis: a row may count on what those above it have laid. */
#include "contracts/contracts.h"

#include "contracts/author/author.h"
#include "contracts/class/class_definition.h"
#include "contracts/device/device.h"
#include "contracts/firmware/firmware.h"
#include "contracts/governance/governance.h"
#include "contracts/governance/governance_params.h"
#include "contracts/kernel/method.h"
#include "contracts/update/update.h"

/* A node, an admin, an author; a device of a method that devices send. */
static enum err somebody_known(const struct call *call, const struct method *method, bool *out_known) {
    const uint8_t *key = call->signers[0];
    struct record_key author = author_record_key(key), device = device_key(key);
    struct node_record node;
    bool known = false;
    enum err e = admin_known(&call->state, key, &known);
    if (e == OK && !known) {
        e = node_get(&call->state, key, &node, &known);
    }
    if (e == OK && !known) {
        e = state_has(&call->state, &author, &known);
    }
    if (e == OK && !known && method->for_devices) {
        e = state_has(&call->state, &device, &known);
    }
    if (e == OK) {
        *out_known = known;
    }
    return e;
}

const struct contract contracts_table[] = {
    {.name = "governance",
     .methods = governance_methods,
     .sender_known = governance_sender_known,
     .genesis_check = governance_genesis_check,
     .genesis = governance_genesis,
     .begin_block = governance_protocol_begin_block,
     .due = governance_due},
    {.name = "firmware",
     .methods = firmware_methods,
     .sender_known = somebody_known,
     .genesis_check = class_definition_genesis_check,
     .genesis = class_definition_genesis,
     .due = firmware_due},
    {.name = "author",
     .methods = author_methods,
     .sender_known = somebody_known,
     .genesis_check = author_genesis_check,
     .genesis = author_genesis},
    {.name = "device",
     .methods = device_methods,
     .sender_known = somebody_known,
     .genesis_check = device_genesis_check,
     .genesis = device_genesis},
    {.name = "update", .methods = update_methods, .sender_known = somebody_known, .due = update_due},
    {.name = NULL},
};

enum err contracts_genesis_check(const struct genesis *genesis, const struct verify_crypto *crypto,
                                 struct why *out_why) {
    const struct genesis_checking c = {genesis, crypto, out_why};
    *out_why = WHY_NONE;
    if (genesis->name[0] == '\0' || text_judge(genesis->name, GENESIS_NAME_MAX, TEXT_NAME) != CODE_OK) {
        return genesis_broken(&c, "name must be 1 to 64 bytes of clean text");
    }
    if (genesis->time_ms == 0) {
        return genesis_broken(&c, "time_ms is missing");
    }
    enum err e = OK;
    for (const struct contract *row = contracts_table; row->name != NULL && e == OK; row++) {
        e = row->genesis_check == NULL ? OK : row->genesis_check(&c);
    }
    return e;
}

enum err contracts_genesis(const struct genesis *genesis, const struct verify_crypto *crypto,
                           const struct state *state) {
    uint8_t chain_id[CHAIN_ID_LEN];
    genesis_chain_id(genesis, crypto, chain_id);
    const struct call call = {.state = *state, .crypto = crypto, .chain_id = chain_id, .time_ms = genesis->time_ms};
    enum err e = OK;
    for (const struct contract *row = contracts_table; row->name != NULL && e == OK; row++) {
        e = row->genesis == NULL ? OK : row->genesis(&call, genesis);
    }
    return e;
}
