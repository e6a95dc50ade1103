/* Messages waiting to be sent to one peer: three first-in-first-out lists, one a class, under one limit.
 *
 * The class of most value goes first. When there is no room the newest messages of the classes of less value make
 * place; a message that finds only its own class or better is refused. Belongs to one thread.
 */
#ifndef ASSAY_NODE_NET_SENDQ_H
#define ASSAY_NODE_NET_SENDQ_H

#include "node/net/frame.h"

/* Bytes shared by the queues of several peers. */
struct parcel {
    size_t refs;
    unsigned kind; /* under which its bytes are counted */
    size_t len;
    uint8_t data[];
};
/* With one reference; NULL when there is no memory. */
struct parcel *parcel_new(unsigned kind, struct bytes message);
void parcel_release(struct parcel *parcel);

struct sendq_item;

/* All zeros but the limits is an empty one. */
struct sendq {
    size_t max_bytes;
    size_t max_messages;
    size_t bytes;
    size_t messages;
    struct sendq_list {
        struct sendq_item *first, *last;
    } list[FRAME_CLASSES];
    uint32_t next_id;
    uint64_t dropped[FRAME_CLASSES]; /* made place or were refused */
};

/* Takes a reference of its own. ERR_FULL, ERR_NOMEM; both are counted as dropped. */
NODISCARD enum err sendq_push(struct sendq *q, enum frame_class class, struct parcel *parcel);
/* Kinds that bytes are counted by: the caller's own. */
#define SENDQ_KINDS 16u
/* What left a queue: messages that are now wholly sent, and bytes of frames by kind. */
struct sendq_sent {
    uint64_t messages, bytes[SENDQ_KINDS];
};
/* Fills a datagram of `room` >= SENDQ_ROOM_MIN bytes with frames; gives how many bytes it wrote, and adds to `sent`. */
#define SENDQ_ROOM_MIN 4096u
size_t sendq_fill(struct sendq *q, uint8_t *out, size_t room, struct sendq_sent *sent);
/* At most how many bytes the frames of everything waiting take. */
size_t sendq_need(const struct sendq *q);
/* Is there something waiting, and all of it of this class? */
bool sendq_only(const struct sendq *q, enum frame_class class);
/* Drops everything, counted. */
void sendq_clear(struct sendq *q);

#endif
