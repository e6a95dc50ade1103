#include "node/net/frame.h"

#include <string.h>

#define PART_FLAG 0x80u
#define LENGTH_MAX 0xffffu
/* A part shorter than this isn't worth its header when a new datagram can begin. */
#define PART_MIN 1024u

size_t frame_put(struct frame_source *source, uint8_t *out, size_t room, bool fresh) {
    size_t left = source->message.len - source->sent;
    const uint8_t *from = source->message.data + source->sent;
    if (source->sent == 0 && left <= LENGTH_MAX && left + FRAME_WHOLE_HEADER <= room) {
        out[0] = (uint8_t)source->class;
        store_u16(out + 1, (uint16_t)left);
        memcpy(out + FRAME_WHOLE_HEADER, from, left);
        source->sent = source->message.len;
        return FRAME_WHOLE_HEADER + left;
    }
    if (!fresh && room < FRAME_PART_HEADER + PART_MIN) {
        return 0;
    }
    size_t n = room - FRAME_PART_HEADER;
    n = n < left ? n : left;
    n = n < LENGTH_MAX ? n : LENGTH_MAX;
    out[0] = (uint8_t)((unsigned)source->class | PART_FLAG);
    store_u16(out + 1, (uint16_t)n);
    store_u32(out + 3, source->id);
    store_u32(out + 7, (uint32_t)source->message.len);
    store_u32(out + 11, (uint32_t)source->sent);
    memcpy(out + FRAME_PART_HEADER, from, n);
    source->sent += n;
    return FRAME_PART_HEADER + n;
}

static void forget(struct frame_sink *sink, struct frame_partial *p) {
    sink->held -= p->data.len;
    buffer_free(&p->data);
    *p = (struct frame_partial){.data = BUFFER_INIT};
}

void frame_sink_reset(struct frame_sink *sink) {
    for (size_t i = 0; i < FRAME_CLASSES; i++) {
        if (sink->partial[i].total != 0) {
            sink->lost++;
        }
        forget(sink, &sink->partial[i]);
    }
}

static enum err read_part(struct frame_sink *sink, enum frame_class class, struct reader *r, size_t len,
                          frame_deliver deliver, void *arg) {
    struct frame_partial *p = &sink->partial[class];
    uint32_t id = read_u32(r);
    uint32_t total = read_u32(r);
    uint32_t offset = read_u32(r);
    struct bytes part = read_span(r, len);
    if (r->failed || len == 0 || len > total || offset > total - len) {
        return ERR_MALFORMED;
    }
    if (total > LIMIT_PEER_MESSAGE) {
        return ERR_TOOLARGE;
    }
    if (offset == 0) {
        sink->lost += p->total != 0;
        forget(sink, p);
        p->id = id;
        p->total = total;
    } else if (p->total != total || p->id != id || p->data.len != offset) {
        /* Something between was lost. What is left of that message can't be used. */
        sink->lost += p->total != 0;
        forget(sink, p);
        return OK;
    }
    if (sink->held + len > FRAME_HELD_MAX) {
        sink->lost++;
        forget(sink, p);
        return OK;
    }
    buffer_put(&p->data, part.data, part.len);
    if (buffer_ok(&p->data) != OK) {
        forget(sink, p);
        return ERR_NOMEM;
    }
    sink->held += len;
    if (p->data.len == p->total) {
        /* Out of the sink first: the receiver may do anything, even reset it. */
        struct buffer message = p->data;
        sink->held -= message.len;
        *p = (struct frame_partial){.data = BUFFER_INIT};
        deliver(arg, class, buffer_bytes(&message));
        buffer_free(&message);
    }
    return OK;
}

enum err frame_read(struct frame_sink *sink, struct bytes plain, frame_deliver deliver, void *arg) {
    struct reader r = reader_of(plain);
    while (r.left > 0) {
        uint8_t kind = read_u8(&r);
        uint16_t len = read_u16(&r);
        unsigned class = kind & ~PART_FLAG;
        if (r.failed || class >= FRAME_CLASSES) {
            return ERR_MALFORMED;
        }
        if ((kind & PART_FLAG) != 0) {
            enum err e = read_part(sink, (enum frame_class) class, &r, len, deliver, arg);
            if (e != OK) {
                return e;
            }
            continue;
        }
        struct bytes message = read_span(&r, len);
        if (r.failed || len == 0) {
            return ERR_MALFORMED;
        }
        deliver(arg, (enum frame_class) class, message);
    }
    return OK;
}
