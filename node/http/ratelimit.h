/* Token buckets by address, in a table of fixed size: how many requests a second one address may make.
 *
 * When the table is full the bucket that has been still longest is given away; it was full again by then or its owner
 * gains one burst at most. Thread-safe.
 */
#ifndef ASSAY_NODE_HTTP_RATELIMIT_H
#define ASSAY_NODE_HTTP_RATELIMIT_H

#include "base/bytes.h"

#define RATELIMIT_SLOTS 1024
#define RATELIMIT_WAYS 8 /* slots one address may fall into */
#define RATELIMIT_KEY_MAX 16

struct ratelimit;

/* `per_second` tokens flow in, up to twice as many are kept. */
NODISCARD enum err ratelimit_new(uint32_t per_second, struct ratelimit **out);
void ratelimit_free(struct ratelimit *limit);
/* One token of the key's bucket; false when it is empty. */
bool ratelimit_take(struct ratelimit *limit, const void *key, size_t len, uint64_t now_ms);

#endif
