/* The draft as text. */
#include "node/genesis/genesis_draft.h"

#include "node/genesis/genesis_json_records.h"

#include <jansson.h>
#include <string.h>

#define FORMAT "assay-genesis-draft-1"

static const struct field signature_fields[] = {
    {"admin", "Who signed.", FIELD_HEX, MEMBER(struct genesis_draft_signature, admin)},
    {"signature", "Of the part and the draft's head.", FIELD_HEX, MEMBER(struct genesis_draft_signature, signature)},
};
static const struct record signature_shape = {"GenesisDraftSignature", "An admin's word for its part.",
                                              RECORD_OF(struct genesis_draft_signature, signature_fields)};

static const struct field part_fields[] = {
    {"organisation", "Who comes.", FIELD_RECORD, MEMBER(struct genesis_draft_part, org), .of = &genesis_json_org},
    {"nodes", "Its machines.", FIELD_ROWS, ROWS(struct genesis_draft_part, nodes, node_count, NODES_PER_ORG_MAX),
     .of = &genesis_json_node},
    {"signatures", "Of its admins.", FIELD_LIST, COUNTED(struct genesis_draft_part, signatures, signature_count),
     .of = &signature_shape},
};
static const struct record part_shape = {"GenesisDraftPart", "What one organisation brings.",
                                         RECORD_OF(struct genesis_draft_part, part_fields)};

static void format(const void *draft, struct buffer *out) {
    (void)draft;
    buffer_words(out, FORMAT);
}

static const struct field draft_fields[] = {
    GENESIS_JSON_HEAD(struct genesis_draft, format),
    {"parts", "One an organisation.", FIELD_ROWS, ROWS(struct genesis_draft, parts, part_count, ORGS_MAX),
     .of = &part_shape},
};
static const struct record draft_shape = {"GenesisDraft", "A genesis that is being agreed on.",
                                          RECORD_OF(struct genesis_draft, draft_fields)};

bool genesis_draft_is(struct bytes text) {
    json_t *json = text.len > GENESIS_JSON_MAX || text.data == NULL
                       ? NULL
                       : json_loadb((const char *)text.data, text.len, 0, NULL);
    const char *name = json_string_value(json_object_get(json, "format"));
    bool is = name != NULL && strcmp(name, FORMAT) == 0;
    json_decref(json);
    return is;
}

enum err genesis_draft_parse(struct bytes text, struct genesis_draft *out, struct why *out_why) {
    struct genesis_draft draft;
    enum err e = record_file_parse(&draft_shape, text, GENESIS_JSON_MAX, &draft, out_why);
    if (e != OK) {
        genesis_draft_free(&draft);
        return e;
    }
    genesis_draft_sort(&draft);
    *out = draft;
    return OK;
}

enum err genesis_draft_render(const struct genesis_draft *draft, struct buffer *out) {
    return record_file_render(&draft_shape, draft, out);
}
