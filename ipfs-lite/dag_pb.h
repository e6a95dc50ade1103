/* The dag-pb block: a list of links and some data, in the one canonical form that IPFS hashes.
 *
 *   block = link*  data?                       links stand before the data
 *   link  = 0x12 | length | 0x0a 0x24 | CIDv1 (36) | 0x12 0x00 (name: present, empty) | 0x18 | Tsize
 *   data  = 0x0a | length | bytes
 *
 * Lengths and Tsize are minimal base-128 varints. Tsize is the length of the linked block plus the Tsizes it holds. A
 * file's links have empty names; named links (directories) and CIDv0 links are not read here.
 */
#ifndef ASSAY_IPFS_LITE_DAG_PB_H
#define ASSAY_IPFS_LITE_DAG_PB_H

#include "base/buffer.h"
#include "ipfs-lite/cid.h"

#define DAG_PB_BLOCK_MAX (2u * 1024u * 1024u) /* no block on the network is larger */
#define DAG_PB_LINKS_MAX 1024u                /* the widest profile's (ipfs-lite/unixfs.h) */

struct dag_pb_link {
    struct cid cid;
    uint64_t tsize;
};

/* Appends the block; check buffer_ok afterwards. */
void dag_pb_encode(const struct dag_pb_link *links, size_t count, struct bytes data, struct buffer *out);
/* Reads a block into `links` (room for DAG_PB_LINKS_MAX); `out_data` borrows from the block and is empty when the block
 * has none. Whatever dag_pb_encode would not have written is refused: ERR_MALFORMED, ERR_TOOLARGE (too many links,
 * block over the limit), ERR_UNSUPPORTED (foreign CIDs). */
NODISCARD enum err dag_pb_decode(struct bytes block, struct dag_pb_link *links, size_t *out_count,
                                 struct bytes *out_data);

/* Protobuf's varint, at most 64 bits; reading refuses non-minimal forms by setting `failed`. */
void dag_pb_put_varint(struct buffer *out, uint64_t v);
uint64_t dag_pb_varint(struct reader *r);

#endif
