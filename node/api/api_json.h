/* Shapes that several routes share. */
#ifndef ASSAY_NODE_API_API_JSON_H
#define ASSAY_NODE_API_API_JSON_H

#include "contracts/kernel/state.h"
#include "node/api/api.h"
#include "verify/class_record.h"

/* created_height, created_ms, changed_height, changed_ms. */
void api_stamp(json_t *object, const struct record_stamp *stamp);
/* "latest" (null or an object), floor, highest_released, highest_revoked. */
void api_class_record(json_t *object, const struct class_record *record);
/* The image's CID as text. */
void api_cid(json_t *object, const char *name, const uint8_t cid[CID_BINARY_LEN]);
/* The query argument class=VENDOR_DOMAIN/CLASS as a class id; on failure 400 has been answered. */
bool api_query_class(struct http_request *request, uint8_t out_class_id[UUID_BYTES]);
/* The query argument after=CURSOR of `len` bytes: `*out` points to `cursor` or is NULL when it is absent. On failure
 * 400 has been answered. */
bool api_query_after(struct http_request *request, size_t len, uint8_t *cursor, const uint8_t **out);
/* {NAME: items, "next_after": cursor or null}; consumes the items. There may be more when the page is full. */
json_t *api_page(const char *name, json_t *consumed, size_t limit, const uint8_t *last, size_t last_len);
/* Has the request a member's token? If not, 401 has been answered. */
bool api_member(struct api *api, struct http_request *request);
/* Appends the first `limit` entries of a record's history to the array: {height, time_ms, tx_id, signer, action,
 * detail}. An error when it can't be read as far. */
NODISCARD enum err api_history(struct chain_view *view, struct bytes record_key, size_t limit, json_t *out);

#endif
