/* Sockets by hand for tests of what listens and dials: on loopback, and a loop that turns until something has happened.
 * What fails fails the test. */
#ifndef ASSAY_TESTS_LIB_LOOPBACK_H
#define ASSAY_TESTS_LIB_LOOPBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define LOOPBACK_ADDRESS_MAX 32
#define LOOPBACK_DEADLINE_MS 60000 /* for events; a busy machine is slow */

/* A connection from 127.0.0.0 and so much; 0: from wherever the kernel likes. */
int loopback_connect(unsigned host, uint16_t port);
/* A listener that does not block, 0: at any port; and "127.0.0.1:PORT". */
int loopback_listen(uint16_t port, char address[LOOPBACK_ADDRESS_MAX]);
/* A frame of node/net/wire.h, at once; the other end may have cut the connection. */
void loopback_send_frame(int fd, const void *data, size_t len);
/* Has the other end closed or cut it? Reads away what has come. */
bool loopback_has_ended(int fd);

/* Turns the loop until the condition holds or the time is up; gives whether it holds. */
bool loopback_turn(uv_loop_t *loop, bool (*condition)(void *ctx, void *arg), void *ctx, void *arg, uint64_t limit_ms);
/* The condition that never holds: the loop turns for so long. */
bool loopback_never(void *ctx, void *arg);

#endif
