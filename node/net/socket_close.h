/* Closing an nng socket in bounded time.
 *
 * Under heavy traffic on a loaded machine nng_close (nng 1.5.2) was seen to hang: the library's one reaper thread
 * waited for a pipe's task that no thread ran, and every close of the process waited for the reaper. Why is not known.
 * So a close runs on a thread of its own and is waited for; when it does not end in time, the socket is left behind,
 * and its owner keeps whatever nng may still touch (socket_keep).
 */
#ifndef ASSAY_NODE_NET_SOCKET_CLOSE_H
#define ASSAY_NODE_NET_SOCKET_CLOSE_H

#include <nng/nng.h>
#include <stdbool.h>

#define SOCKET_CLOSE_MS 1000u /* and once one was left behind, a tenth of that for each further one */

/* False: it did not end in time. */
bool socket_close(nng_socket socket);
/* Memory that a socket left behind may still use: never freed, and known as such to leak checkers. */
void socket_keep(void *memory);

#endif
