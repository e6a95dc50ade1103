#include "contracts/class/class_definition.h"

#include "base/uuid.h"
#include "contracts/kernel/method.h"

#include <string.h>

#define CONTRACT "firmware"

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
    if (def->vendor_domain[0] == '\0' || text_judge(def->vendor_domain, GENESIS_TEXT_MAX, TEXT_NAME) != CODE_OK) {
        return "vendor domain must be 1 to 128 bytes of clean text";
    }
    if (def->class_name[0] == '\0' || text_judge(def->class_name, GENESIS_TEXT_MAX, TEXT_NAME) != CODE_OK) {
        return "class name must be 1 to 128 bytes of clean text";
    }
    if (bytes_is_zero(def->root_key, sizeof def->root_key)) {
        return "root key is missing";
    }
    const char *flaw = authors_flaw(def);
    return flaw != NULL ? flaw : slots_flaw(def);
}

static void full_name(const void *value, struct buffer *out) {
    const struct class_definition *class = value;
    buffer_put(out, class->def.vendor_domain, strlen(class->def.vendor_domain));
    buffer_u8(out, '/');
    buffer_put(out, class->def.class_name, strlen(class->def.class_name));
}

static const struct field slot_fields[] = {
    {"component", "SUIT component identifier.", FIELD_NUMBER, MEMBER(struct genesis_slot, component)},
    {"max_size", "Bytes that fit into it.", FIELD_DECIMAL, MEMBER(struct genesis_slot, max_size)},
};
static const struct record slot_shape = {"Slot", "A component of the device that takes an image.",
                                         RECORD_OF(struct genesis_slot, slot_fields)};

static const struct field class_fields[] = {
    STAMP(struct class_definition),
    {"class", "VENDOR_DOMAIN/CLASS.", FIELD_MADE, FIELD_SHOWN, .make = full_name, .pattern = "^.+/.+$"},
    {"vendor_id", "UUID of the vendor, from its domain.", FIELD_HEX, MEMBER(struct class_definition, vendor_id)},
    {"class_id", "UUID of the class, from both names.", FIELD_HEX, MEMBER(struct class_definition, class_id)},
    {NULL, NULL, FIELD_TEXT, FIELD_KEPT, MEMBER(struct class_definition, def.vendor_domain)},
    {NULL, NULL, FIELD_TEXT, FIELD_KEPT, MEMBER(struct class_definition, def.class_name)},
    {"organisation", "Who owns it.", FIELD_TEXT, MEMBER(struct class_definition, def.org)},
    {"root_key", "The vendor's root key, which signs delegations.", FIELD_HEX,
     MEMBER(struct class_definition, def.root_key)},
    {"min_hardware_revision", "Devices below it are no devices of the class.", FIELD_NUMBER,
     MEMBER(struct class_definition, def.min_hardware_revision)},
    {"required_signers", "How many of the authors must sign a release.", FIELD_NUMBER,
     MEMBER(struct class_definition, def.required_signers)},
    {"authors", "Ids of those who may sign.", FIELD_LIST,
     COUNTED(struct class_definition, def.authors, def.author_count)},
    {"slots", "What an image may be for.", FIELD_LIST, COUNTED(struct class_definition, def.slots, def.slot_count),
     .of = &slot_shape},
};
const struct record class_definition_shape = {"ClassDefinition", "What a vendor builds, and who may publish for it.",
                                              RECORD_OF(struct class_definition, class_fields)};

enum err class_definition_get(const struct state *state, const uint8_t class_id[UUID_BYTES],
                              struct class_definition *out, bool *out_found) {
    struct record_key key = class_definition_key(class_id);
    return state_read(state, &key, &class_definition_shape, out, out_found);
}

struct class_visit {
    enum err (*each)(void *arg, const struct class_definition *class);
    void *arg;
};

static enum err visit_class(void *arg, struct bytes rest, struct bytes value) {
    const struct class_visit *visit = arg;
    struct class_definition class;
    (void)rest;
    enum err e = record_decode(&class_definition_shape, value, &class);
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
    class_ids(def->vendor_domain, def->class_name, class.vendor_id, class.class_id);
    struct record_key key = class_definition_key(class.class_id);
    enum err e = state_write(&call->state, &key, &class_definition_shape, &class);
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

static enum err check_class(const struct genesis_checking *c, const struct genesis_class *class) {
    const char *flaw = class_definition_flaw(class);
    if (flaw != NULL) {
        return genesis_broken(c, "class %.64s/%.64s: %s", class->vendor_domain, class->class_name, flaw);
    }
    const struct genesis_org *org = genesis_find_org(c->genesis, class->org);
    if (org == NULL || org->kind != ORG_VENDOR) {
        return genesis_broken(c, "class %.64s: owner %s is no organisation of kind vendor", class->class_name,
                              class->org);
    }
    uint8_t vendor[UUID_BYTES], id[UUID_BYTES];
    class_ids(class->vendor_domain, class->class_name, vendor, id);
    if (genesis_find_class(c->genesis, id) != class) {
        return genesis_broken(c, "class %.64s/%.64s is listed twice", class->vendor_domain, class->class_name);
    }
    return OK;
}

enum err class_definition_genesis_check(const struct genesis_checking *c) {
    enum err e = OK;
    for (size_t i = 0; i < c->genesis->class_count && e == OK; i++) {
        e = check_class(c, &c->genesis->classes[i]);
    }
    return e;
}

enum err class_definition_genesis(const struct call *call, const struct genesis *genesis) {
    enum err e = OK;
    for (size_t i = 0; i < genesis->class_count && e == OK; i++) {
        struct class_definition class;
        e = class_definition_put(call, &genesis->classes[i], &class);
    }
    return e;
}
