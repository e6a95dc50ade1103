/* An HTTP server on loopback whose answer to the first request never ends: in its head, or in its trailers. */
#ifndef ASSAY_TESTS_LIB_ENDLESS_H
#define ASSAY_TESTS_LIB_ENDLESS_H

#include <pthread.h>
#include <stdint.h>

struct endless {
    const char *head; /* what it says first; lines without end follow */
    int listener;
    pthread_t thread;
    char url[64];
    uint64_t sent; /* after endless_end */
};

void endless_begin(struct endless *server, const char *head);
/* After the client has gone. */
void endless_end(struct endless *server);

#endif
