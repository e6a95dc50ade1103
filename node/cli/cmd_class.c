/* assay class list|show|define. */
#include "node/answers/page.h"
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/names.h"
#include "node/cli/txcmd.h"

#include "contracts/firmware/firmware.pb-c.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int class_list(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct txcmd_list list = {0};
    const struct args_option options[] = {CLIENT_OPTIONS(o), LIST_OPTIONS(list), {0}};
    const struct args_spec spec = {"class list [options]", "Device classes.", options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    return status == ARGS_GO_ON ? txcmd_show_list(&o, &list, "/v1/classes", &classes_page) : status;
}

static int class_show(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {CLIENT_OPTIONS(o), {0}};
    const struct args_spec spec = {"class show CLASS [options]", "One class, such as acme.example/thermostat.", options,
                                   1, 1};
    struct args_operands operands;
    struct class_name name;
    struct buffer path = BUFFER_INIT;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON) {
        status = names_class(operands.item[0], &name);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    buffer_words(&path, "/v1/classes");
    names_class_query(operands.item[0], &path);
    status = txcmd_show(&o, buffer_text(&path));
    buffer_free(&path);
    return status;
}

/* ---- define ---- */

struct definition {
    struct class_name name;
    uint8_t root_key[ED25519_KEY_LEN];
    uint8_t authors[GENESIS_CLASS_AUTHORS_MAX][ED25519_KEY_LEN];
    size_t author_count;
    Assay__ComponentSlot slots[GENESIS_SLOTS_MAX];
    size_t slot_count;
};

/* "0:67108864": component and largest image. */
static int take_slot(const char *text, struct definition *d) {
    char *end = NULL;
    Assay__ComponentSlot slot;
    assay__component_slot__init(&slot);
    unsigned long component = strtoul(text, &end, 10);
    unsigned long long size = *end == ':' ? strtoull(end + 1, &end, 10) : 0;
    if (d->slot_count == GENESIS_SLOTS_MAX || text[0] < '0' || text[0] > '9' || *end != '\0' || component > 255 ||
        size == 0) {
        return args_wrong("--slot '%s' is not COMPONENT:BYTES, such as 0:67108864 (at most %d slots)", text,
                          GENESIS_SLOTS_MAX);
    }
    slot.component = (uint32_t)component;
    slot.max_size = size;
    d->slots[d->slot_count++] = slot;
    return ARGS_GO_ON;
}

static int take_lists(const struct args_list *authors, const struct args_list *slots, struct definition *d) {
    int status = ARGS_GO_ON;
    if (authors->count == 0 || authors->count > GENESIS_CLASS_AUTHORS_MAX || slots->count == 0) {
        return args_wrong("a class needs 1 to %d --author and at least one --slot COMPONENT:BYTES",
                          GENESIS_CLASS_AUTHORS_MAX);
    }
    for (size_t i = 0; i < authors->count && status == ARGS_GO_ON; i++) {
        status = names_public_key("--author", authors->item[i], d->authors[d->author_count++]);
    }
    for (size_t i = 0; i < slots->count && status == ARGS_GO_ON; i++) {
        status = take_slot(slots->item[i], d);
    }
    return status;
}

static int send_definition(const struct txcmd_options *o, struct definition *d, char *org, uint64_t policy,
                           uint64_t revision) {
    Assay__DefineClass message;
    assay__define_class__init(&message);
    ProtobufCBinaryData authors[GENESIS_CLASS_AUTHORS_MAX];
    Assay__ComponentSlot *slots[GENESIS_SLOTS_MAX];
    for (size_t i = 0; i < d->author_count; i++) {
        authors[i] = names_binary(d->authors[i], ED25519_KEY_LEN);
    }
    for (size_t i = 0; i < d->slot_count; i++) {
        slots[i] = &d->slots[i];
    }
    message.vendor_domain = d->name.domain;
    message.class_name = d->name.name;
    message.org = org;
    message.root_key = names_binary(d->root_key, sizeof d->root_key);
    message.min_hardware_revision = (uint32_t)revision;
    message.required_signers = (uint32_t)policy;
    message.n_authors = d->author_count;
    message.authors = authors;
    message.n_slots = d->slot_count;
    message.slots = slots;
    return txcmd_message(o, "firmware", "define_class", &message.base);
}

static int class_define(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct args_list authors = {.count = 0};
    struct args_list slots = {.count = 0};
    char *org = NULL;
    const char *root = NULL;
    uint64_t policy = 1;
    uint64_t revision = 0;
    const struct args_option options[] = {
        TXCMD_OPTIONS(o),
        {"org", ARGS_TEXT, &org, "ID", "owner, an organisation of kind vendor", 0, 0},
        {"root-key", ARGS_TEXT, &root, "KEY", "vendor's root key: 64 hex digits or a key file", 0, 0},
        {"author", ARGS_LIST, &authors, "KEY", "author of the class; may be repeated", 0, 0},
        {"policy", ARGS_NUMBER, &policy, "M", "authors who must sign a release (default 1)", 1,
         GENESIS_CLASS_AUTHORS_MAX},
        {"slot", ARGS_LIST, &slots, "C:BYTES", "component and its largest image; may be repeated", 0, 0},
        {"min-hardware", ARGS_NUMBER, &revision, "N", "least hardware revision (default 0)", 0, UINT32_MAX},
        {0},
    };
    const struct args_spec spec = {
        "class define CLASS --org ID --root-key KEY --author KEY... --slot C:BYTES --key ADMIN",
        "Defines a device class: who may publish for it and what fits.", options, 1, 1};
    struct args_operands operands;
    struct definition d = {.author_count = 0};
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (org == NULL || root == NULL) {
        return args_wrong("class define needs --org and --root-key");
    }
    status = names_class(operands.item[0], &d.name);
    if (status == ARGS_GO_ON) {
        status = names_public_key_of("--root-key", root, KEYFILE_ED25519, o.passphrase_file, d.root_key);
    }
    if (status == ARGS_GO_ON) {
        status = take_lists(&authors, &slots, &d);
    }
    return status == ARGS_GO_ON ? send_definition(&o, &d, org, policy, revision) : status;
}

int cmd_class(int argc, char **argv) {
    static const struct args_verb verbs[] = {{"list", "all of them", class_list},
                                             {"show", "one", class_show},
                                             {"define", "a new one", class_define},
                                             {NULL, NULL, NULL}};
    return args_dispatch("class", verbs, argc, argv);
}
