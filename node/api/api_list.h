/* What several lists share: pages of records, a class as an argument, histories. */
#ifndef ASSAY_NODE_API_API_LIST_H
#define ASSAY_NODE_API_API_LIST_H

#include "node/answers/page.h"
#include "node/api/api.h"

#define LIST_DEFAULT 50
#define LIST_BYTES (4u * 1024u * 1024u) /* of a page */
#define PROOF_BYTES (1024u * 1024u)     /* of a bundle, or of one in words */
#define LIST_CURSOR_MAX 64u

/* Arguments of a list's route. */
#define LIST_LIMIT(cap, usual)                                                                                         \
    { "limit", "how many at most", HTTP_NUMBER, .least = 1, .most = (cap), .fallback = (usual) }
#define LIST_AFTER(bytes)                                                                                              \
    { "after", "next_after of the page before", HTTP_HEX, .most = (bytes) }
#define LIST_CLASS_TEXT                                                                                                \
    "class", "for example acme.example/thermostat", HTTP_TEXT, .most = 2 * GENESIS_TEXT_MAX + 1,                       \
                                                               .pattern = LIST_CLASS_PATTERN, .judge = api_is_class,   \
                                                               .must = "VENDOR_DOMAIN/CLASS"
#define LIST_CLASS                                                                                                     \
    { LIST_CLASS_TEXT }
#define LIST_CLASS_REQUIRED                                                                                            \
    { LIST_CLASS_TEXT, .is_required = true }
#define LIST_CLASS_PATTERN "^[^/\\u0000-\\u001f\\u007f]{1,128}/[^\\u0000-\\u001f\\u007f]{1,128}$"
_Static_assert(GENESIS_TEXT_MAX == 128, "the pattern says it");
bool api_is_class(const char *text);
/* A contract's name, whether there is such a contract or not. */
#define CONTRACT_PATTERN "^[a-z_]{1,32}$"
_Static_assert(LIMIT_TX_NAME == 32, "the pattern says it");
bool api_is_contract(const char *text);
/* How a proof is wanted. */
extern const char *const proof_formats[];
#define PROOF_EPOCH                                                                                                    \
    { "epoch", "the set that the caller trusts; the bundle leads on from it", HTTP_NUMBER, .most = INT64_MAX }
#define PROOF_FORMAT                                                                                                   \
    { "format", "json: the bundle in words", HTTP_CHOICE, .choices = proof_formats }

/* A page under way. What was seen last is where the next page begins. */
struct api_list {
    json_t *items;
    size_t limit, seen;
    char last[2 * LIST_CURSOR_MAX + 1];
};

struct api_list api_list_begin(size_t limit);
/* Takes over the item (NULL: out of memory); its place in the list is `cursor`, which is told in hex. */
NODISCARD enum err api_list_add(struct api_list *list, json_t *consumed, const void *cursor, size_t cursor_len);
/* Something that is passed over counts as seen, so that a page looks at no more than its limit. */
void api_list_pass(struct api_list *list, const void *cursor, size_t cursor_len);
/* Answers with the page, or with the error of the walk that made it; the list is used up. */
void api_list_end(struct api *api, struct http_request *request, struct api_list *list, const struct record *page,
                  enum err e);

/* The argument class as a class id. False: it was left out. */
bool api_class_argument(const struct http_request *request, uint8_t out_class_id[UUID_BYTES]);

/* Appends the first `limit` entries of a record's history to the array as `shape`, whose struct begins with a struct
 * history_answer: `entry` is it, and what it holds besides is told with each. */
NODISCARD enum err api_history(struct chain_view *view, struct bytes record_key, size_t limit,
                               const struct record *shape, void *entry, json_t *out);

#endif
