/* State as it stands in a view: what queries read, and what an operation finds under its own writes. */
#ifndef ASSAY_NODE_LEDGER_STATE_VIEW_H
#define ASSAY_NODE_LEDGER_STATE_VIEW_H

#include "contracts/kernel/contract.h"
#include "store/kv.h"

/* A read-only handle, valid as long as the view. */
struct state state_of_view(struct kv_view *view);

/* As in struct state_ops, for handles of one's own. */
NODISCARD enum err state_view_get(struct kv_view *view, struct bytes key, struct buffer *out, bool *out_found);
NODISCARD enum err state_view_next(struct kv_view *view, struct bytes prefix, struct bytes after, bool inclusive,
                                   struct buffer *out_key, struct buffer *out_value, bool *out_found);
/* The same without copies: key and value are borrowed from the view. ERR_NOTFOUND. */
NODISCARD enum err state_view_seek(struct kv_view *view, struct bytes prefix, struct bytes after, bool inclusive,
                                   struct bytes *out_key, struct bytes *out_value);

#endif
