#include "node/api/api_json.h"

#include "contracts/class/class_definition.h"
#include "ipfs-lite/cid.h"
#include "node/http/auth.h"
#include "node/ledger/execute.h"

#include <string.h>

void api_stamp(json_t *object, const struct record_stamp *stamp) {
    api_u64(object, "created_height", stamp->created_height);
    api_u64(object, "created_ms", stamp->created_ms);
    api_u64(object, "changed_height", stamp->changed_height);
    api_u64(object, "changed_ms", stamp->changed_ms);
}

void api_cid(json_t *object, const char *name, const uint8_t cid[CID_BINARY_LEN]) {
    struct cid decoded;
    char text[CID_TEXT_SIZE];
    if (cid_decode(bytes_of(cid, CID_BINARY_LEN), &decoded) == OK) {
        cid_format(&decoded, text);
        api_set(object, name, json_string(text));
    } else {
        api_set(object, name, json_null());
    }
}

void api_class_record(json_t *object, const struct class_record *record) {
    if (record->has_release) {
        json_t *latest = json_object();
        api_u64(latest, "sequence", record->sequence);
        api_hex(latest, "release_id", record->release_id, HASH_LEN);
        api_hex(latest, "manifest_digest", record->manifest_digest, HASH_LEN);
        api_hex(latest, "sha256", record->image_digest, HASH_LEN);
        api_u64(latest, "size", record->image_size);
        api_cid(latest, "cid", record->image_cid);
        api_hex(latest, "tree_root", record->image_tree_root, HASH_LEN);
        api_set(object, "latest", latest);
    } else {
        api_set(object, "latest", json_null());
    }
    api_u64(object, "floor", record->floor);
    api_u64(object, "highest_released", record->highest_released);
    api_u64(object, "highest_revoked", record->highest_revoked);
}

bool api_query_class(struct http_request *request, uint8_t out_class_id[UUID_BYTES]) {
    const char *text = http_query(request, "class");
    const char *slash = text != NULL ? strchr(text, '/') : NULL;
    char domain[GENESIS_TEXT_MAX + 1];
    if (slash == NULL || slash == text || slash[1] == '\0' || (size_t)(slash - text) >= sizeof domain ||
        strlen(slash + 1) > GENESIS_TEXT_MAX) {
        http_respond(request, http_error(400, "BAD_PARAMETER", "for example class=acme.example/thermostat",
                                         "class must be VENDOR_DOMAIN/CLASS"));
        return false;
    }
    memcpy(domain, text, (size_t)(slash - text));
    domain[slash - text] = '\0';
    uint8_t vendor_id[UUID_BYTES];
    class_ids(domain, slash + 1, vendor_id, out_class_id);
    return true;
}

static json_t *history_json(const struct history_entry *entry) {
    json_t *out = json_object();
    api_u64(out, "height", entry->height);
    api_u64(out, "time_ms", entry->time_ms);
    if (entry->index > 0) {
        api_hex(out, "tx_id", entry->tx_id, HASH_LEN);
        api_hex(out, "signer", entry->signer, ED25519_KEY_LEN);
    } else { /* fell due by itself */
        api_set(out, "tx_id", json_null());
        api_set(out, "signer", json_null());
    }
    api_set(out, "action", json_stringn((const char *)entry->action.data, entry->action.len));
    api_set(out, "detail", json_stringn((const char *)entry->detail.data, entry->detail.len));
    return out;
}

enum err api_history(struct chain_view *view, struct bytes record_key, size_t limit, json_t *out) {
    uint8_t from[LIMIT_TX_NAME + 1 + LIMIT_STATE_KEY + HISTORY_KEY_SUFFIX + 1];
    if (record_key.len + HISTORY_KEY_SUFFIX + 1 > sizeof from) {
        return ERR_TOOLARGE;
    }
    memcpy(from, record_key.data, record_key.len);
    from[record_key.len] = 0;
    size_t prefix_len = record_key.len + 1;
    size_t from_len = prefix_len;
    while (json_array_size(out) < limit) {
        struct bytes key, value;
        struct history_entry entry;
        enum err e = kv_seek(view->kv, KV_HISTORY, bytes_of(from, from_len), &key, &value);
        if (e == ERR_NOTFOUND) {
            return OK;
        }
        if (e != OK) {
            return e;
        }
        if (key.len != record_key.len + HISTORY_KEY_SUFFIX || memcmp(key.data, from, prefix_len) != 0) {
            return OK;
        }
        e = history_decode(key, value, &entry);
        if (e != OK) {
            return ERR_CORRUPT;
        }
        (void)json_array_append_new(out, history_json(&entry));
        memcpy(from, key.data, key.len);
        from[key.len] = 0; /* the successor in byte order */
        from_len = key.len + 1;
    }
    return OK;
}

bool api_member(struct api *api, struct http_request *request) {
    struct auth_identity who;
    return auth_require(api->auth, request, NULL, &who);
}

bool api_query_after(struct http_request *request, size_t len, uint8_t *cursor, const uint8_t **out) {
    const char *text = http_query(request, "after");
    if (text != NULL && hex_decode(text, cursor, len) != OK) {
        http_respond(request, http_error(400, "BAD_PARAMETER", "give the next_after of the page before",
                                         "after is not a cursor of this list"));
        return false;
    }
    *out = text != NULL ? cursor : NULL;
    return true;
}

json_t *api_page(const char *name, json_t *consumed, size_t limit, const uint8_t *last, size_t last_len) {
    json_t *out = json_object();
    bool full = json_array_size(consumed) == limit;
    api_set(out, name, consumed);
    if (full) {
        api_hex(out, "next_after", last, last_len);
    } else {
        api_set(out, "next_after", json_null());
    }
    return out;
}
