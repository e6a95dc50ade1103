#include "base/assert.h"
#include "contracts/kernel/due_queue.h"
#include "contracts/kernel/method.h"

#include <stdlib.h>
#include <string.h>

static bool name_is(struct bytes name, const char *text) {
    return bytes_equal(name, bytes_str(text));
}

static const struct contract *find_contract(struct bytes name) {
    for (const struct contract *c = contracts_table; c->name != NULL; c++) {
        if (name_is(name, c->name)) {
            return c;
        }
    }
    return NULL;
}

static const struct method *find_method(const struct contract *contract, struct bytes name) {
    for (const struct method *m = contract->methods; m->name != NULL; m++) {
        if (name_is(name, m->name)) {
            return m;
        }
    }
    return NULL;
}

/* ---- Arguments ---------------------------------------------------------------------------------------------- */

/* protobuf-c answers NULL both for bad bytes and for a failed allocation. The first is an answer that every node must
 * give alike, the second a local fault: the allocator remembers which it was. */
static void *args_alloc(void *failed, size_t size) {
    void *p = malloc(size);
    if (p == NULL) {
        *(bool *)failed = true;
    }
    return p;
}

static void args_free(void *failed, void *p) {
    (void)failed;
    free(p);
}

/* Canonical means: what packing the decoded message gives again. So no unknown or repeated fields, no spelled-out
 * defaults, no zero bytes hidden behind the end of a text: one meaning has one form. */
static enum err is_canonical(const ProtobufCMessage *message, struct bytes args, bool *out_canonical) {
    struct buffer packed = BUFFER_INIT;
    size_t len = protobuf_c_message_get_packed_size(message);
    bool same = len == args.len;
    enum err e = OK;
    if (same && len > 0) {
        uint8_t *at = buffer_extend(&packed, len);
        e = buffer_ok(&packed);
        if (e == OK) {
            protobuf_c_message_pack(message, at);
            same = memcmp(at, args.data, len) == 0;
        }
    }
    buffer_free(&packed);
    if (e == OK) {
        *out_canonical = same;
    }
    return e;
}

static bool has_unknown_fields(const ProtobufCMessage *message);

/* Looks into one field that holds messages: many, or one, which may be missing or the unset part of a oneof. */
static bool field_has_unknown_fields(const uint8_t *base, const ProtobufCFieldDescriptor *field) {
    ProtobufCMessage *const *items;
    ProtobufCMessage *item;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count;
        memcpy(&count, base + field->quantifier_offset, sizeof count);
        memcpy(&items, base + field->offset, sizeof items);
        for (size_t j = 0; j < count; j++) {
            if (has_unknown_fields(items[j])) {
                return true;
            }
        }
        return false;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t chosen;
        memcpy(&chosen, base + field->quantifier_offset, sizeof chosen);
        if (chosen != field->id) {
            return false;
        }
    }
    memcpy(&item, base + field->offset, sizeof item);
    return item != NULL && has_unknown_fields(item);
}

/* Unknown fields survive packing, so they are looked for by themselves, in nested messages too. The depth is that of
 * our own messages, three. */
static bool has_unknown_fields(const ProtobufCMessage *message) {
    if (message->n_unknown_fields > 0) {
        return true;
    }
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (field->type == PROTOBUF_C_TYPE_MESSAGE && field_has_unknown_fields((const uint8_t *)message, field)) {
            return true;
        }
    }
    return false;
}

/* ---- Entry points ------------------------------------------------------------------------------------------- */

/* Everything that can be said without running the method; runs it as well when `run`. */
static enum err dispatch(const struct call *call, struct bytes contract_name, struct bytes name, struct bytes args,
                         bool run, struct answer *answer) {
    const struct contract *contract = find_contract(contract_name);
    const struct method *method = contract == NULL ? NULL : find_method(contract, name);
    if (method == NULL) {
        return refuse(answer, CODE_UNKNOWN_METHOD, "%.*s.%.*s", (int)contract_name.len,
                      (const char *)contract_name.data, (int)name.len, (const char *)name.data);
    }
    bool known = false;
    enum err e = call->signer_count == 0 ? OK : contract->sender_known(call, method, &known);
    if (e != OK || !known) {
        return e != OK ? e : refuse(answer, CODE_UNKNOWN_SENDER, "the first signer is nobody who may send this");
    }
    uint32_t args_max = method->args_max != 0 ? method->args_max : METHOD_ARGS_MAX;
    if (!run && args.len > args_max) {
        return refuse(answer, CODE_BAD_ARGUMENTS, "%zu bytes, at most %u", args.len, args_max);
    }
    bool out_of_memory = false, canonical = false;
    ProtobufCAllocator allocator = {args_alloc, args_free, &out_of_memory};
    ProtobufCMessage *message = protobuf_c_message_unpack(method->args, &allocator, args.len, args.data);
    if (message == NULL) {
        return out_of_memory ? ERR_NOMEM : refuse(answer, CODE_BAD_ARGUMENTS, "not a %s", method->args->short_name);
    }
    e = is_canonical(message, args, &canonical);
    if (e == OK && (!canonical || has_unknown_fields(message))) {
        e = refuse(answer, CODE_BAD_ARGUMENTS, "%s: unknown field or bytes not canonical", method->args->short_name);
    } else if (e == OK && run) {
        e = method->run(call, message, answer);
    }
    protobuf_c_message_free_unpacked(message, &allocator);
    return e;
}

enum err contracts_execute(const struct call *call, struct bytes contract, struct bytes method, struct bytes args,
                           struct answer *answer) {
    ASSERT(call->state.ops->put != NULL);                       /* a method may write, contracts_check may not */
    ASSERT(answer->code == CODE_OK && answer->result.len == 0); /* nobody has answered yet */
    return dispatch(call, contract, method, args, true, answer);
}

enum err contracts_check(const struct call *call, struct bytes contract, struct bytes method, struct bytes args,
                         struct answer *answer) {
    return dispatch(call, contract, method, args, false, answer);
}

enum err contracts_begin_block(const struct call *call) {
    ASSERT(call->state.ops->put != NULL && call->signer_count == 0); /* nobody signs what height alone decides */
    enum err e = OK;
    for (const struct contract *c = contracts_table; c->name != NULL && e == OK; c++) {
        e = c->begin_block == NULL ? OK : c->begin_block(call);
    }
    return e;
}

const struct method *contracts_method(struct bytes contract, struct bytes method) {
    const struct contract *c = find_contract(contract);
    return c == NULL ? NULL : find_method(c, method);
}

enum contract_event contracts_event(struct bytes contract, struct bytes method) {
    const struct method *m = contracts_method(contract, method);
    return m == NULL ? CONTRACT_EVENT_NONE : m->event;
}

const char *contract_event_name(enum contract_event event) {
#define CONTRACT_EVENT_NAME(name, text) text,
    static const char *const names[] = {"", CONTRACT_EVENTS(CONTRACT_EVENT_NAME)};
#undef CONTRACT_EVENT_NAME
    ASSERT(event < CONTRACT_EVENT_COUNT);
    return names[event];
}
