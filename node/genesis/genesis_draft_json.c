/* The draft as text. */
#include "node/genesis/genesis_draft.h"

#include "node/genesis/genesis_json_records.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT "assay-genesis-draft-1"

static void take_signature(struct shape *s, json_t *from, void *record) {
    struct genesis_draft_signature *out = record;
    shape_hex(s, from, "admin", out->admin, sizeof out->admin);
    shape_hex(s, from, "signature", out->signature, sizeof out->signature);
    shape_end(s, from);
}

static void take_part(struct shape *s, json_t *from, void *record) {
    struct genesis_draft_part *out = record;
    json_t *org = shape_object(s, from, "organisation");
    if (org != NULL) {
        shape_enter(s, "organisation");
        genesis_json_take_org(s, org, &out->org);
        shape_leave(s);
        json_decref(org);
    }
    out->nodes = shape_records(s, from, "nodes", genesis_json_take_node, sizeof *out->nodes, NODES_PER_ORG_MAX,
                               &out->node_count);
    shape_array(s, from, "signatures", take_signature, out->signatures, sizeof out->signatures[0], GENESIS_ADMINS_MAX,
                &out->signature_count);
    shape_end(s, from);
}

static void take_draft(struct shape *s, json_t *from, struct genesis_draft *out) {
    static const struct shape_choice format[] = {{FORMAT, 1}, {NULL, 0}};
    int version = 0;
    shape_choice(s, from, "format", format, &version);
    shape_text(s, from, "name", out->name, sizeof out->name);
    shape_u64(s, from, "time_ms", 0, INT64_MAX, &out->time_ms);
    shape_hex(s, from, "salt", out->salt, sizeof out->salt);
    json_t *params = shape_object(s, from, "params");
    if (params != NULL) {
        shape_enter(s, "params");
        genesis_json_take_params(s, params, &out->params);
        shape_leave(s);
        json_decref(params);
    }
    out->parts = shape_records(s, from, "parts", take_part, sizeof *out->parts, ORGS_MAX, &out->part_count);
    shape_end(s, from);
}

bool genesis_draft_is(struct bytes text) {
    json_t *json = text.len > GENESIS_JSON_MAX || text.data == NULL
                       ? NULL
                       : json_loadb((const char *)text.data, text.len, 0, NULL);
    const char *format = json_string_value(json_object_get(json, "format"));
    bool is = format != NULL && strcmp(format, FORMAT) == 0;
    json_decref(json);
    return is;
}

enum err genesis_draft_parse(struct bytes text, struct genesis_draft *out, struct why *out_why) {
    json_t *json = NULL;
    struct shape s;
    struct genesis_draft draft = {0};
    shape_init(&s, out_why);
    enum err e = shape_load(&s, text, GENESIS_JSON_MAX, &json);
    if (e != OK) {
        return e;
    }
    take_draft(&s, json, &draft);
    json_decref(json);
    if (s.result != OK) {
        genesis_draft_free(&draft);
        return s.result;
    }
    genesis_draft_sort(&draft);
    *out = draft;
    return OK;
}

/* ---- Writing ---- */

static json_t *signature_of(const struct genesis_draft_signature *from) {
    char admin[2 * ED25519_KEY_LEN + 1], signature[2 * ED25519_SIG_LEN + 1];
    hex_encode(from->admin, sizeof from->admin, admin);
    hex_encode(from->signature, sizeof from->signature, signature);
    return json_pack("{s:s, s:s}", "admin", admin, "signature", signature);
}

static json_t *part_of(struct genesis_json_render *r, const struct genesis_draft_part *part) {
    json_t *nodes = json_array(), *signatures = json_array();
    for (size_t i = 0; i < part->node_count; i++) {
        r->failed |= json_array_append_new(nodes, genesis_json_node(r, &part->nodes[i])) != 0;
    }
    for (size_t i = 0; i < part->signature_count; i++) {
        r->failed |= json_array_append_new(signatures, signature_of(&part->signatures[i])) != 0;
    }
    return json_pack("{s:o, s:o, s:o}", "organisation", genesis_json_org(r, &part->org), "nodes", nodes, "signatures",
                     signatures);
}

enum err genesis_draft_render(const struct genesis_draft *draft, struct buffer *out) {
    struct genesis_json_render r = {false};
    char salt[2 * sizeof draft->salt + 1];
    json_t *parts = json_array();
    hex_encode(draft->salt, sizeof draft->salt, salt);
    for (size_t i = 0; i < draft->part_count; i++) {
        r.failed |= json_array_append_new(parts, part_of(&r, &draft->parts[i])) != 0;
    }
    json_t *root = json_pack("{s:s, s:s, s:I, s:s, s:o, s:o}", "format", FORMAT, "name", draft->name, "time_ms",
                             (json_int_t)draft->time_ms, "salt", salt, "params",
                             genesis_json_params(&r, &draft->params), "parts", parts);
    char *text = r.failed || root == NULL ? NULL : json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (text == NULL) {
        return ERR_NOMEM;
    }
    buffer_put(out, text, strlen(text));
    buffer_u8(out, '\n');
    free(text);
    return buffer_ok(out);
}
