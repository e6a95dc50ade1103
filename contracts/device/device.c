#include "contracts/device/device.h"

#include "contracts/author/author.h"
#include "contracts/author/class_authority.h"
#include "contracts/class/class_definition.h"
#include "contracts/device/device.pb-c.h"
#include "contracts/governance/governance.h"
#include "contracts/kernel/method.h"

#include <stdlib.h>
#include <string.h>

#define CONTRACT "device"

struct record_key device_key(const uint8_t id[KEY_LEN]) {
    return record_key(CONTRACT, "device/", bytes_of(id, KEY_LEN));
}

static const struct field device_fields[] = {
    STAMP(struct device_record),
    {"id", "Its key; of a P-256 key the SHA-256.", FIELD_HEX, MEMBER(struct device_record, id)},
    AUTHOR_KEY(struct device_record, key, "The key it signs with."),
    {"vendor_id", "UUID of its vendor, from the vendor's domain.", FIELD_HEX, MEMBER(struct device_record, vendor_id)},
    {"class_id", "UUID of its class.", FIELD_HEX, MEMBER(struct device_record, class_id)},
    {"hardware_revision", "Which build of the hardware it is.", FIELD_NUMBER,
     MEMBER(struct device_record, hardware_revision)},
    {"first_sequence", "What it ran when it was registered.", FIELD_DECIMAL,
     MEMBER(struct device_record, first_sequence)},
    {"gateway", "Signing key of the gateway it comes under.", FIELD_HEX, MEMBER(struct device_record, gateway)},
    {NULL, NULL, FIELD_HEX, FIELD_KEPT, MEMBER(struct device_record, mac_hmac)},
    {"endorsed", "Has the vendor vouched for its key?", FIELD_BOOL, MEMBER(struct device_record, endorsed)},
};
const struct record device_shape = {"Device", "A device that the ledger knows.",
                                    RECORD_OF(struct device_record, device_fields)};

static enum err device_put(const struct call *call, const struct device_record *record, const char *action) {
    struct record_key key = device_key(record->id);
    enum err e = state_write(&call->state, &key, &device_shape, record);
    return e == OK ? state_history(&call->state, &key, action, "") : e;
}

enum err device_get(const struct state *state, const uint8_t id[KEY_LEN], struct device_record *out, bool *out_found) {
    struct record_key key = device_key(id);
    return state_read(state, &key, &device_shape, out, out_found);
}

struct device_visit {
    enum err (*each)(void *arg, const struct device_record *device);
    void *arg;
};

static enum err visit_device(void *arg, struct bytes rest, struct bytes value) {
    const struct device_visit *visit = arg;
    struct device_record record;
    (void)rest;
    enum err e = record_decode(&device_shape, value, &record);
    return e == OK ? visit->each(visit->arg, &record) : e;
}

enum err device_list(const struct state *state, const uint8_t *after, size_t limit,
                     enum err (*each)(void *arg, const struct device_record *device), void *arg) {
    struct record_key prefix = record_key(CONTRACT, "device/", bytes_of(NULL, 0));
    struct device_visit visit = {each, arg};
    return state_each(state, &prefix, bytes_of(after, after == NULL ? 0 : KEY_LEN), limit, visit_device, &visit);
}

/* ---- Methods ------------------------------------------------------------------------------------------------ */

/* Gives the gateway the device comes under: the one that signs, or the one the class's owner names. */
static enum err judge_gateway(const struct call *call, const Assay__DeviceRegister *args,
                              const struct class_definition *class, uint8_t out_gateway[ED25519_KEY_LEN],
                              struct answer *answer) {
    const uint8_t *wanted = args->gateway.len != 0 ? args->gateway.data : call->signers[0];
    struct node_record node;
    bool found = false;
    enum err e = node_get(&call->state, wanted, &node, &found);
    if (e != OK) {
        return e;
    }
    if (!found || node.node.role != NODE_GATEWAY) {
        return refuse(answer, CODE_GATEWAY_UNKNOWN, "a device comes under a gateway of this chain");
    }
    if (!call_signed_by(call, wanted)) {
        enum code code;
        e = class_authorizes(call, class, false, &code);
        if (e != OK || code != CODE_OK) {
            return e != OK ? e : refuse(answer, code, "the gateway or admins of %s must sign", class->def.org);
        }
    }
    memcpy(out_gateway, wanted, ED25519_KEY_LEN);
    return OK;
}

static enum err device_register(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__DeviceRegister *args = (const Assay__DeviceRegister *)(const void *)message;
    struct device_record record = {.stamp = record_stamp_new(call),
                                   .hardware_revision = args->hardware_revision,
                                   .first_sequence = args->running_sequence};
    if (!author_key_parse(args->key_type, bytes_of_pb(args->key), &record.key)) {
        return refuse(answer, CODE_DEVICE_KEY_INVALID, "type %u, %zu bytes", args->key_type, args->key.len);
    }
    author_id(&record.key, record.id);
    if (refuse_length(answer, args->class_id, UUID_BYTES, "class_id") ||
        refuse_length(answer, args->mac_hmac, HASH_LEN, "mac_hmac") ||
        (args->gateway.len != 0 && refuse_length(answer, args->gateway, ED25519_KEY_LEN, "gateway"))) {
        return OK;
    }
    struct class_definition class;
    bool found = false;
    enum err e = class_definition_get(&call->state, args->class_id.data, &class, &found);
    if (e != OK || !found) {
        return e != OK ? e : refuse(answer, CODE_CLASS_UNKNOWN, "define the class first");
    }
    e = judge_gateway(call, args, &class, record.gateway, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    if (record.hardware_revision < class.def.min_hardware_revision) {
        return refuse(answer, CODE_DEVICE_HARDWARE_TOO_OLD, "revision %u, the class needs %u", record.hardware_revision,
                      class.def.min_hardware_revision);
    }
    struct record_key key = device_key(record.id);
    e = state_has(&call->state, &key, &found);
    if (e != OK || found) {
        return e != OK ? e : refuse(answer, CODE_DEVICE_EXISTS, "registered before");
    }
    memcpy(record.vendor_id, class.vendor_id, UUID_BYTES);
    memcpy(record.class_id, class.class_id, UUID_BYTES);
    memcpy(record.mac_hmac, args->mac_hmac.data, HASH_LEN);
    e = device_put(call, &record, "register");
    if (e != OK) {
        return e;
    }
    Assay__DeviceRegisterResult result = ASSAY__DEVICE_REGISTER_RESULT__INIT;
    result.device_id = pb_of(record.id, KEY_LEN);
    return answer_with(answer, &result.base);
}

static enum err device_endorse(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__DeviceEndorse *args = (const Assay__DeviceEndorse *)(const void *)message;
    if (refuse_length(answer, args->device_id, KEY_LEN, "device_id")) {
        return OK;
    }
    struct device_record record;
    bool found = false;
    enum err e = device_get(&call->state, args->device_id.data, &record, &found);
    if (e != OK || !found) {
        return e != OK ? e : refuse(answer, CODE_DEVICE_UNKNOWN, "no such device");
    }
    struct class_definition class;
    e = class_definition_get(&call->state, record.class_id, &class, &found);
    if (e != OK || !found) {
        return e != OK ? e : ERR_CORRUPT;
    }
    enum code code;
    e = class_authorizes(call, &class, false, &code);
    if (e != OK || code != CODE_OK) {
        return e != OK ? e : refuse(answer, code, "admins of organisation %s must sign", class.def.org);
    }
    if (record.endorsed) {
        return refuse(answer, CODE_DEVICE_ALREADY_ENDORSED, "endorsed before");
    }
    record.endorsed = true;
    record_stamp_touch(&record.stamp, call);
    return device_put(call, &record, "endorse");
}

const struct method device_methods[] = {
    {"register", "register a device", &assay__device_register__descriptor, device_register,
     .event = CONTRACT_EVENT_DEVICE},
    {"endorse", "endorse the key of a device", &assay__device_endorse__descriptor, device_endorse,
     .event = CONTRACT_EVENT_DEVICE},
    {.name = NULL},
};

static enum err check_device(const struct genesis_checking *c, const struct genesis_device *device, const char *name) {
    if (!author_key_is_sound(device->key_type, device->key)) {
        return genesis_broken(c, "device %s: not a usable key of its type", name);
    }
    uint8_t vendor[UUID_BYTES], id[UUID_BYTES];
    if (text_judge(device->vendor_domain, GENESIS_TEXT_MAX, TEXT_NAME) != CODE_OK ||
        text_judge(device->class_name, GENESIS_TEXT_MAX, TEXT_NAME) != CODE_OK) {
        return genesis_broken(c, "device %s: class is not clean text", name);
    }
    class_ids(device->vendor_domain, device->class_name, vendor, id);
    const struct genesis_class *class = genesis_find_class(c->genesis, id);
    if (class == NULL) {
        return genesis_broken(c, "device %s: no such class: %.32s/%.32s", name, device->vendor_domain,
                              device->class_name);
    }
    if (device->hardware_revision < class->min_hardware_revision) {
        return genesis_broken(c, "device %s: hardware revision is below the class's minimum", name);
    }
    const struct genesis_node *gateway = genesis_find_node(c->genesis, device->gateway);
    if (gateway == NULL || gateway->role != NODE_GATEWAY) {
        return genesis_broken(c, "device %s: its gateway is no node of role gateway", name);
    }
    return OK;
}

enum err device_genesis_check(const struct genesis_checking *c) {
    const struct genesis *g = c->genesis;
    uint8_t(*ids)[HASH_LEN] = malloc((g->device_count + 1) * sizeof *ids);
    if (ids == NULL) {
        return ERR_NOMEM;
    }
    enum err e = OK;
    for (size_t i = 0; i < g->device_count && e == OK; i++) {
        struct author_key key = {.type = g->devices[i].key_type};
        char name[2 * HASH_LEN + 1];
        memcpy(key.key, g->devices[i].key, P256_KEY_LEN);
        author_id(&key, ids[i]);
        hex_encode(ids[i], HASH_LEN, name);
        e = check_device(c, &g->devices[i], name);
    }
    if (e != OK) {
        free(ids);
        return e;
    }
    return genesis_unique(c, "device", ids, g->device_count);
}

enum err device_genesis(const struct call *call, const struct genesis *genesis) {
    enum err e = OK;
    for (size_t i = 0; i < genesis->device_count && e == OK; i++) {
        const struct genesis_device *from = &genesis->devices[i];
        struct device_record record = {.stamp = record_stamp_new(call),
                                       .key.type = from->key_type,
                                       .hardware_revision = from->hardware_revision,
                                       .first_sequence = from->running_sequence,
                                       .endorsed = from->endorsed};
        memcpy(record.key.key, from->key, P256_KEY_LEN);
        author_id(&record.key, record.id);
        class_ids(from->vendor_domain, from->class_name, record.vendor_id, record.class_id);
        memcpy(record.gateway, from->gateway, ED25519_KEY_LEN);
        memcpy(record.mac_hmac, from->mac_hmac, HASH_LEN);
        e = device_put(call, &record, "genesis");
    }
    return e;
}
