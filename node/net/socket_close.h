/* Ending nng sockets and connections without ever waiting for them longer than one chooses.
 *
 * nng 1.5.2 can hang here. Its TCP transport reads a message in two steps, length and body (and writes a long one in
 * several). When a connection is closed between the end of one step and the callback that begins the next, the next is
 * refused without a word, the operation above it never ends, and the library's one reaper thread waits for it for ever;
 * with it wait all closes of the process. So
 *  - sockets are closed on threads of this module, a moment after their owner stopped reading and sending, when no step
 *    is likely to be under way;
 *  - whatever nng may still touch belongs to the closing until it ended: the owner gives its memory away;
 *  - one connection is ended by shutting down its descriptor, which nng takes for the peer's doing: then it closes the
 *    connection itself, after the step that failed.
 *
 * One list for the process; any thread may call.
 */
#ifndef ASSAY_NODE_NET_SOCKET_CLOSE_H
#define ASSAY_NODE_NET_SOCKET_CLOSE_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOCKET_QUIET_MS 20u   /* between the begin and nng_close */
#define SOCKET_CLOSE_MS 1000u /* a close that takes longer counts as left behind */

/* Part of what owns the socket. Begin needs no memory and can't fail. */
struct socket_closing {
    nng_socket socket;
    nng_aio *aio;            /* freed when the socket is closed; may be NULL */
    void (*gone)(void *arg); /* then called on a thread of this module: frees the memory that this lies in */
    void *arg;
    struct socket_closing *before, *after;
    uint64_t begun_ms;
    bool taken;       /* by a thread */
    bool left_behind; /* a wait gave up on it */
};

/* Returns at once. The caller has stopped reading and sending and doesn't touch the memory any more. */
void socket_close_begin(struct socket_closing *c);
/* Waits until all that were begun are gone, at most so long altogether; gives how many it gave up on. Those are closed
 * all the same if nng ever lets go of them, and no later wait looks at them. */
size_t socket_close_wait(uint32_t limit_ms);
/* How many are overdue now. */
size_t socket_close_left_behind(void);

/* Ends one connection; its removal is told like that of a connection that the peer ended. */
void socket_cut(nng_pipe pipe);

#endif
