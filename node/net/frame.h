/* What stands inside a sealed datagram: messages, several small ones together or one large one in parts.
 *
 *   whole   class (1) | length (2) | bytes
 *   part    class + 0x80 (1) | length (2) | message id (4) | total length (4) | offset (4) | bytes
 *
 * Class is 0 consensus, 1 sync, 2 gossip. No message is empty. Parts of one class come in order and one message at a
 * time; parts of different classes may be mixed, so that a vote overtakes a long answer. A datagram without frames is a
 * sign of life. A message whose parts don't all arrive in order is lost, as on any link that was cut.
 */
#ifndef ASSAY_NODE_NET_FRAME_H
#define ASSAY_NODE_NET_FRAME_H

#include "base/buffer.h"
#include "base/limits.h"

/* By falling value: under pressure the last is dropped first. */
enum frame_class { FRAME_CONSENSUS, FRAME_SYNC, FRAME_GOSSIP, FRAME_CLASSES };

#define FRAME_WHOLE_HEADER 3u
#define FRAME_PART_HEADER 15u
#define FRAME_MESSAGE_MAX ((size_t)LIMIT_PEER_MESSAGE)
/* Of messages half arrived, all classes together. */
#define FRAME_HELD_MAX (2 * FRAME_MESSAGE_MAX)

/* A message on its way out. */
struct frame_source {
    enum frame_class class;
    uint32_t id; /* differs from that of the class's message before */
    struct bytes message;
    size_t sent; /* how much of it has been put into frames */
};
/* Writes the next frame of the message into `out`; gives its length, 0 when `room` is too small to be worth it.
 * `fresh` says that the datagram is still empty, so that waiting for a roomier one would not help. */
size_t frame_put(struct frame_source *source, uint8_t *out, size_t room, bool fresh);

/* Messages on their way in, of one peer. All zeros is an empty one. */
struct frame_sink {
    struct frame_partial {
        struct buffer data;
        uint32_t id;
        uint32_t total; /* 0: no message is under way */
    } partial[FRAME_CLASSES];
    size_t held;   /* bytes in them */
    uint64_t lost; /* messages that were begun and not ended */
};
void frame_sink_reset(struct frame_sink *sink);

typedef void (*frame_deliver)(void *arg, enum frame_class class, struct bytes message);
/* Hands over every message that is complete with this datagram; the span is valid during the call. What precedes a bad
 * frame is delivered. ERR_MALFORMED: not made by this code. ERR_TOOLARGE. ERR_NOMEM. */
NODISCARD enum err frame_read(struct frame_sink *sink, struct bytes plain, frame_deliver deliver, void *arg);

#endif
