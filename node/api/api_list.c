#include "node/api/api_list.h"

#include "base/assert.h"
#include "contracts/class/class_definition.h"
#include "node/answers/registry.h"
#include "node/json/record_json.h"
#include "node/ledger/execute.h"

#include <string.h>

struct api_list api_list_begin(size_t limit) {
    return (struct api_list){.items = json_array(), .limit = limit};
}

void api_list_pass(struct api_list *list, const void *cursor, size_t cursor_len) {
    ASSERT(cursor_len <= LIST_CURSOR_MAX && list->seen < list->limit);
    hex_encode(cursor, cursor_len, list->last);
    list->seen++;
}

enum err api_list_add(struct api_list *list, json_t *consumed, const void *cursor, size_t cursor_len) {
    api_list_pass(list, cursor, cursor_len);
    return json_array_append_new(list->items, consumed) == 0 ? OK : ERR_NOMEM;
}

void api_list_end(struct api *api, struct http_request *request, struct api_list *list, const struct record *page,
                  enum err e) {
    const struct page_answer answer = {.items = list->items, .has_more = list->seen == list->limit, .next = list->last};
    api_outcome(api, request, e, page->fields[0].name, page, &answer);
    json_decref(list->items);
}

bool api_is_contract(const char *text) {
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
    return len >= 1 && len <= LIMIT_TX_NAME && text[len] == '\0';
}

static size_t characters(const char *text, size_t len) {
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        count += ((uint8_t)text[i] & 0xc0) != 0x80;
    }
    return count;
}

bool api_is_class(const char *text) {
    const char *slash = strchr(text, '/');
    size_t domain = slash != NULL ? characters(text, (size_t)(slash - text)) : 0;
    size_t name = slash != NULL ? characters(slash + 1, strlen(slash + 1)) : 0;
    return domain >= 1 && domain <= GENESIS_TEXT_MAX && name >= 1 && name <= GENESIS_TEXT_MAX;
}

bool api_class_argument(const struct http_request *request, uint8_t out_class_id[UUID_BYTES]) {
    const char *text = http_text(request, "class");
    char domain[4 * GENESIS_TEXT_MAX + 1]; /* as many characters, of four bytes each: no class has such a name */
    if (text == NULL) {
        return false;
    }
    size_t len = strcspn(text, "/");
    ASSERT(len < sizeof domain && text[len] == '/'); /* api_is_class has judged it */
    memcpy(domain, text, len);
    domain[len] = '\0';
    uint8_t vendor_id[UUID_BYTES];
    class_ids(domain, text + len + 1, vendor_id, out_class_id);
    return true;
}

static void entry_of(const struct history_entry *from, struct history_answer *out) {
    out->height = from->height;
    out->time_ms = from->time_ms;
    out->is_of_tx = from->index > 0;
    memcpy(out->tx_id, from->tx_id, HASH_LEN);
    memcpy(out->signer, from->signer, ED25519_KEY_LEN);
    out->action = from->action;
    out->detail = from->detail;
}

enum err api_history(struct chain_view *view, struct bytes record_key, size_t limit, const struct record *shape,
                     void *entry, json_t *out) {
    uint8_t from[LIMIT_TX_NAME + 1 + LIMIT_STATE_KEY + HISTORY_KEY_SUFFIX + 1];
    if (record_key.len + HISTORY_KEY_SUFFIX + 1 > sizeof from) {
        return ERR_TOOLARGE;
    }
    memcpy(from, record_key.data, record_key.len);
    from[record_key.len] = 0;
    size_t prefix_len = record_key.len + 1;
    size_t from_len = prefix_len;
    for (size_t i = 0; i < limit; i++) {
        struct bytes key, value;
        struct history_entry found;
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
        if (history_decode(key, value, &found) != OK) {
            return ERR_CORRUPT;
        }
        entry_of(&found, entry);
        if (json_array_append_new(out, record_json(shape, entry)) != 0) {
            return ERR_NOMEM;
        }
        memcpy(from, key.data, key.len);
        from[key.len] = 0; /* the successor in byte order */
        from_len = key.len + 1;
    }
    return OK;
}
