#include "ipfs-lite/dag_pb.h"

#include "base/assert.h"

#define FIELD_DATA 0x0a
#define FIELD_LINK 0x12
#define LINK_HASH 0x0a
#define LINK_NAME 0x12
#define LINK_TSIZE 0x18

static size_t varint_len(uint64_t v) {
    size_t n = 1;
    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}

void dag_pb_put_varint(struct buffer *out, uint64_t v) {
    while (v >= 0x80) {
        buffer_u8(out, (uint8_t)(v | 0x80));
        v >>= 7;
    }
    buffer_u8(out, (uint8_t)v);
}

uint64_t dag_pb_varint(struct reader *r) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = read_u8(r);
        if (r->failed || (shift == 63 && b > 1) || (shift > 0 && b == 0)) {
            break;
        }
        v |= (uint64_t)(b & 0x7f) << shift;
        if ((b & 0x80) == 0) {
            return v;
        }
    }
    r->failed = true;
    return 0;
}

static void put_link(struct buffer *out, const struct dag_pb_link *link) {
    uint8_t cid[CID_LEN];
    cid_encode(&link->cid, cid);
    buffer_u8(out, FIELD_LINK);
    dag_pb_put_varint(out, 2 + CID_LEN + 2 + 1 + varint_len(link->tsize));
    buffer_u8(out, LINK_HASH);
    buffer_u8(out, CID_LEN);
    buffer_put(out, cid, CID_LEN);
    buffer_u8(out, LINK_NAME);
    buffer_u8(out, 0);
    buffer_u8(out, LINK_TSIZE);
    dag_pb_put_varint(out, link->tsize);
}

void dag_pb_encode(const struct dag_pb_link *links, size_t count, struct bytes data, struct buffer *out) {
    ASSERT(count <= DAG_PB_LINKS_MAX); /* nobody could decode it */
    for (size_t i = 0; i < count; i++) {
        put_link(out, &links[i]);
    }
    if (data.len > 0) {
        buffer_u8(out, FIELD_DATA);
        dag_pb_put_varint(out, data.len);
        buffer_put(out, data.data, data.len);
    }
}

static struct bytes read_prefixed(struct reader *r) {
    uint64_t len = dag_pb_varint(r);
    if (len > r->left) {
        r->failed = true;
        return bytes_of(NULL, 0);
    }
    return read_span(r, (size_t)len);
}

static enum err read_link(struct bytes from, struct dag_pb_link *out) {
    struct reader r = reader_of(from);
    if (read_u8(&r) != LINK_HASH) {
        return ERR_MALFORMED;
    }
    struct bytes cid_bytes = read_prefixed(&r);
    if (r.failed || read_u8(&r) != LINK_NAME) {
        return ERR_MALFORMED;
    }
    struct bytes name = read_prefixed(&r);
    if (r.failed || read_u8(&r) != LINK_TSIZE) {
        return ERR_MALFORMED;
    }
    uint64_t tsize = dag_pb_varint(&r);
    if (!reader_done(&r)) {
        return ERR_MALFORMED;
    }
    if (name.len > 0 || cid_bytes.len != CID_LEN) {
        return ERR_UNSUPPORTED;
    }
    enum err e = cid_decode(cid_bytes, &out->cid);
    if (e == OK) {
        out->tsize = tsize;
    }
    return e;
}

enum err dag_pb_decode(struct bytes block, struct dag_pb_link *links, size_t *out_count, struct bytes *out_data) {
    if (block.len > DAG_PB_BLOCK_MAX) {
        return ERR_TOOLARGE;
    }
    struct reader r = reader_of(block);
    struct bytes data = bytes_of(NULL, 0);
    size_t count = 0;
    while (r.left > 0) {
        uint8_t field = read_u8(&r);
        struct bytes value = read_prefixed(&r);
        if (r.failed) {
            return ERR_MALFORMED;
        }
        if (field == FIELD_DATA) {
            if (r.left > 0 || value.len == 0) {
                return ERR_MALFORMED;
            }
            data = value;
            break;
        }
        if (field != FIELD_LINK) {
            return ERR_MALFORMED;
        }
        if (count == DAG_PB_LINKS_MAX) {
            return ERR_TOOLARGE;
        }
        enum err e = read_link(value, &links[count]);
        if (e != OK) {
            return e;
        }
        count++;
    }
    ASSERT(count <= DAG_PB_LINKS_MAX);
    *out_count = count;
    *out_data = data;
    return OK;
}
