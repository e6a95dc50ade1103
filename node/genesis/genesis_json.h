/* genesis.json <-> struct genesis (contracts/genesis/genesis.h; docs/formats.md has an example).
 *
 * Strict: unknown and repeated members, wrong types and values out of range are refused by name ("nodes[2].link_key:
 * ..."). Only the shape is checked here; genesis_check has the rules across records.
 */
#ifndef ASSAY_NODE_GENESIS_GENESIS_JSON_H
#define ASSAY_NODE_GENESIS_GENESIS_JSON_H

#include "base/why.h"
#include "contracts/genesis/genesis.h"

#define GENESIS_JSON_MAX (16u * 1024u * 1024u)
#define GENESIS_JSON_RECORDS_MAX 10000u /* of one kind */

/* On success the caller owns `*out` (genesis_free). ERR_MALFORMED, ERR_TOOLARGE, ERR_NOMEM. */
NODISCARD enum err genesis_json_parse(struct bytes text, struct genesis *out, struct why *out_why);
NODISCARD enum err genesis_json_load(const char *path, struct genesis *out, struct why *out_why);
/* Indented text, keys in the order of the header; parses back to the same. Appends. */
NODISCARD enum err genesis_json_render(const struct genesis *genesis, struct buffer *out);

#endif
