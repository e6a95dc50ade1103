#include "contracts/firmware/class_definition.h"

#include "base/uuid.h"
#include "contracts/author/author.h"
#include "contracts/governance/governance.h"
#include "contracts/kernel/method.h"

#include <string.h>

#define CONTRACT "firmware"

void class_definition_ids(const char *vendor_domain, const char *class_name, uint8_t out_vendor[UUID_BYTES],
                          uint8_t out_class[UUID_BYTES]) {
    uint8_t vendor[UUID_LEN];
    uuid_vendor(bytes_str(vendor_domain), vendor);
    uuid_class(vendor, bytes_str(class_name), out_class);
    memcpy(out_vendor, vendor, UUID_BYTES);
}

struct record_key class_definition_key(const uint8_t class_id[UUID_BYTES]) {
    return record_key(CONTRACT, "class/", bytes_of(class_id, UUID_BYTES));
}

static const char *authors_flaw(const struct genesis_class *def) {
    if (def->author_count == 0 || def->author_count > GENESIS_CLASS_AUTHORS_MAX) {
        return "a class names 1 to 16 authors";
    }
    if (def->required_signers == 0 || def->required_signers > def->author_count) {
        return "required signers must be 1 to the number of authors";
    }
    for (size_t i = 0; i < def->author_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (memcmp(def->authors[i], def->authors[j], HASH_LEN) == 0) {
                return "an author is named twice";
            }
        }
    }
    return NULL;
}

static const char *slots_flaw(const struct genesis_class *def) {
    if (def->slot_count == 0 || def->slot_count > GENESIS_SLOTS_MAX) {
        return "a class has 1 to 8 component slots";
    }
    for (size_t i = 0; i < def->slot_count; i++) {
        if (def->slots[i].max_size == 0) {
            return "a component slot has no size";
        }
        for (size_t j = 0; j < i; j++) {
            if (def->slots[i].component == def->slots[j].component) {
                return "a component slot is listed twice";
            }
        }
    }
    return NULL;
}

const char *class_definition_flaw(const struct genesis_class *def) {
    if (def->vendor_domain[0] == '\0' || text_judge(def->vendor_domain, GENESIS_TEXT_MAX) != CODE_OK) {
        return "vendor domain must be 1 to 128 bytes of clean text";
    }
    if (def->class_name[0] == '\0' || text_judge(def->class_name, GENESIS_TEXT_MAX) != CODE_OK) {
        return "class name must be 1 to 128 bytes of clean text";
    }
    if (bytes_is_zero(def->root_key, sizeof def->root_key)) {
        return "root key is missing";
    }
    const char *flaw = authors_flaw(def);
    return flaw != NULL ? flaw : slots_flaw(def);
}

static void class_encode(const struct class_definition *class, struct buffer *out) {
    const struct genesis_class *def = &class->def;
    record_stamp_write(out, &class->stamp);
    buffer_put(out, class->vendor_id, UUID_BYTES);
    buffer_put(out, class->class_id, UUID_BYTES);
    record_text_write(out, def->vendor_domain);
    record_text_write(out, def->class_name);
    record_text_write(out, def->org);
    buffer_put(out, def->root_key, sizeof def->root_key);
    buffer_u32(out, def->min_hardware_revision);
    buffer_u8(out, def->required_signers);
    buffer_u8(out, def->author_count);
    buffer_put(out, def->authors, (size_t)def->author_count * HASH_LEN);
    buffer_u8(out, def->slot_count);
    for (size_t i = 0; i < def->slot_count; i++) {
        buffer_u8(out, def->slots[i].component);
        buffer_u64(out, def->slots[i].max_size);
    }
}

static enum err class_decode(struct bytes value, void *out) {
    struct reader r = reader_of(value);
    struct class_definition class = {0};
    struct genesis_class *def = &class.def;
    record_stamp_read(&r, &class.stamp);
    read_bytes(&r, class.vendor_id, UUID_BYTES);
    read_bytes(&r, class.class_id, UUID_BYTES);
    record_text_read(&r, def->vendor_domain, sizeof def->vendor_domain);
    record_text_read(&r, def->class_name, sizeof def->class_name);
    record_text_read(&r, def->org, sizeof def->org);
    read_bytes(&r, def->root_key, sizeof def->root_key);
    def->min_hardware_revision = read_u32(&r);
    def->required_signers = read_u8(&r);
    def->author_count = read_u8(&r);
    if (def->author_count > GENESIS_CLASS_AUTHORS_MAX) {
        return ERR_CORRUPT;
    }
    read_bytes(&r, def->authors, (size_t)def->author_count * HASH_LEN);
    def->slot_count = read_u8(&r);
    if (def->slot_count > GENESIS_SLOTS_MAX) {
        return ERR_CORRUPT;
    }
    for (size_t i = 0; i < def->slot_count; i++) {
        def->slots[i].component = read_u8(&r);
        def->slots[i].max_size = read_u64(&r);
    }
    if (!reader_done(&r)) {
        return ERR_CORRUPT;
    }
    *(struct class_definition *)out = class;
    return OK;
}

enum err class_definition_get(const struct state *state, const uint8_t class_id[UUID_BYTES],
                              struct class_definition *out, bool *out_found) {
    struct record_key key = class_definition_key(class_id);
    return state_get_record(state, &key, class_decode, out, out_found);
}

struct class_visit {
    enum err (*each)(void *arg, const struct class_definition *class);
    void *arg;
};

static enum err visit_class(void *arg, struct bytes rest, struct bytes value) {
    const struct class_visit *visit = arg;
    struct class_definition class;
    (void)rest;
    enum err e = class_decode(value, &class);
    return e == OK ? visit->each(visit->arg, &class) : e;
}

enum err class_definition_list(const struct state *state, const uint8_t *after, size_t limit,
                               enum err (*each)(void *arg, const struct class_definition *class), void *arg) {
    struct record_key prefix = record_key(CONTRACT, "class/", bytes_of(NULL, 0));
    struct class_visit visit = {each, arg};
    return state_each(state, &prefix, bytes_of(after, after == NULL ? 0 : UUID_BYTES), limit, visit_class, &visit);
}

enum err class_definition_put(const struct call *call, const struct genesis_class *def, struct class_definition *out) {
    struct class_definition class = {.stamp = record_stamp_new(call), .def = *def};
    class_definition_ids(def->vendor_domain, def->class_name, class.vendor_id, class.class_id);
    struct buffer value = BUFFER_INIT;
    class_encode(&class, &value);
    struct record_key key = class_definition_key(class.class_id);
    enum err e = state_put_buffer(&call->state, &key, &value);
    buffer_free(&value);
    if (e != OK) {
        return e;
    }
    struct class_record record = {.height = call->height, .time_ms = call->time_ms};
    memcpy(record.vendor_id, class.vendor_id, UUID_BYTES);
    memcpy(record.class_id, class.class_id, UUID_BYTES);
    uint8_t user_key[CLASS_RECORD_KEY_LEN], encoded[CLASS_RECORD_LEN];
    class_record_key(class.class_id, user_key);
    class_record_encode(&record, encoded);
    struct record_key latest = record_key(CONTRACT, "", bytes_of(user_key, sizeof user_key));
    e = state_put(&call->state, &latest, bytes_of(encoded, sizeof encoded));
    if (e == OK) {
        e = state_history(&call->state, &key, "define", def->class_name);
    }
    if (e == OK) {
        *out = class;
    }
    return e;
}

bool class_definition_has_author(const struct class_definition *class, const uint8_t author_id[HASH_LEN]) {
    for (size_t i = 0; i < class->def.author_count; i++) {
        if (memcmp(class->def.authors[i], author_id, HASH_LEN) == 0) {
            return true;
        }
    }
    return false;
}

uint64_t class_definition_slot(const struct class_definition *class, uint8_t component) {
    for (size_t i = 0; i < class->def.slot_count; i++) {
        if (class->def.slots[i].component == component) {
            return class->def.slots[i].max_size;
        }
    }
    return 0;
}

enum err class_definition_authorizes(const struct call *call, const struct class_definition *class, bool authors,
                                     enum code *out_code) {
    for (size_t i = 0; authors && i < call->signer_count; i++) {
        struct author_record author;
        enum code judged;
        if (!class_definition_has_author(class, call->signers[i])) {
            continue;
        }
        enum err e = author_judge(&call->state, call->signers[i], call->time_ms, &author, &judged);
        if (e != OK) {
            return e;
        }
        /* A P-256 author's id is a hash that must not pass for a key. */
        if (judged == CODE_OK && author.key.type == AUTHOR_ED25519) {
            *out_code = CODE_OK;
            return OK;
        }
    }
    return org_authorizes(call, class->def.org, NULL, out_code);
}

enum err class_definition_genesis(const struct call *call, const struct genesis *genesis) {
    enum err e = OK;
    for (size_t i = 0; i < genesis->class_count && e == OK; i++) {
        struct class_definition class;
        e = class_definition_put(call, &genesis->classes[i], &class);
    }
    return e;
}
