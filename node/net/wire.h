/* One connection between two nodes: frames over an nng byte stream.
 *
 *   frame   length (4, big-endian) | so many bytes
 *
 * What is put gathers and goes out in one write, as much of it as the network takes at once; the rest is for the next
 * wire_flush. A read is under way whenever no whole frame is at hand; its end is told by the hub's wake (or, for
 * strangers, to the door). Nothing here waits.
 *
 * A wire belongs to one thread at a time, its owner's; nng's threads only tell that a read has ended. Closing is
 * immediate, and the memory goes when nng has let go of it.
 */
#ifndef ASSAY_NODE_NET_WIRE_H
#define ASSAY_NODE_NET_WIRE_H

#include "base/bytes.h"

#include <nng/nng.h>

#define WIRE_LENGTH_LEN 4u
/* What may wait to be written: senders keep the rest, where the class of each message is known. */
#define WIRE_OUT_MAX ((size_t)128 * 1024)

/* Whom wires wake. Outlives them all, and its owner. */
struct wire_hub;
/* `wake` is called on nng's threads with a lock held: it must not block, nor call this module. NULL: no memory. */
struct wire_hub *wire_hub_new(void (*wake)(void *arg), void *arg);
struct wire_hub *wire_hub_ref(struct wire_hub *hub);
void wire_hub_unref(struct wire_hub *hub);
void wire_hub_wake(struct wire_hub *hub);
/* No wake is running, nor will one come, once this returned. */
void wire_hub_silence(struct wire_hub *hub);

struct wire;
/* Takes the stream, also on failure. Frames of up to `frame_max` bytes are taken. ERR_NOMEM. */
NODISCARD enum err wire_new(struct wire_hub *hub, nng_stream *stream, size_t frame_max, struct wire **out);
/* Until wire_own, the end of a read is told here instead, on one of nng's threads, which owns the wire meanwhile.
 * `drop` is called for `arg` when the wire is gone: until then `arg` must live. */
void wire_attend(struct wire *w, void (*ended)(struct wire *w, void *arg), void (*drop)(void *arg), void *arg);
/* No read is under way. From now on the hub is woken. */
void wire_own(struct wire *w);
/* Accepts NULL. Closed more than once is closed once. */
void wire_close(struct wire *w);
bool wire_is_closed(const struct wire *w);
/* Keeps the memory, and a frame that was given, over a wire_close in between. */
void wire_hold(struct wire *w);
void wire_let_go(struct wire *w);

/* The next whole frame, which may be changed in place and is valid until the next call; when there is none, a read is
 * begun. ERR_NOTFOUND: none yet. ERR_CLOSED: the stream has ended. ERR_MALFORMED: a length of 0 or above the limit.
 * ERR_NOMEM. */
NODISCARD enum err wire_next(struct wire *w, uint8_t **out_data, size_t *out_len);
/* The frame of `len` bytes that was last given comes again. */
void wire_return(struct wire *w, size_t len);
/* From now on larger frames are taken; the last one given is no longer valid. ERR_NOMEM. */
NODISCARD enum err wire_widen(struct wire *w, size_t frame_max);

/* Room for a frame of so many bytes; NULL when enough waits to be written, or there is no memory. */
uint8_t *wire_room(struct wire *w, size_t len);
/* The frame that was written there, of at most as many bytes. */
void wire_put(struct wire *w, size_t len);
/* Writes what was put. False: part of it still waits for the network; to be called again soon. */
bool wire_flush(struct wire *w);
/* How long the network has taken nothing of what waits to be written; 0: it takes what there is. */
uint64_t wire_stuck_ms(const struct wire *w, uint64_t now_ms);
/* A write has failed: nothing goes out any more. */
bool wire_is_broken(const struct wire *w);

/* One number for what counts as one address: IPv4, or the network half of IPv6; 0 when it is not known. */
uint64_t wire_address(const struct wire *w);

#endif
