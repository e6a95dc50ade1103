/* A node's HTTP API over the chain of chain_fixture.h: a real server, a real ledger thread that makes every transaction
 * it admits final in a block of its own, and a client over raw sockets. */
#ifndef ASSAY_TESTS_LIB_API_FIXTURE_H
#define ASSAY_TESTS_LIB_API_FIXTURE_H

#include "base/why.h"
#include "tests/lib/chain_fixture.h"

#include "node/api/api.h"
#include "node/api/events.h"
#include "node/api/ipfs_routes.h"
#include "node/http/auth.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

struct api_fixture {
    struct chain_fixture ledger;
    struct config config;
    struct status_board board;
    struct submit *submit;
    struct events *events;
    struct auth *auth;
    struct http_server *server;
    struct api api;
    uint16_t port;
    uv_loop_t loop;
    uv_async_t wish; /* the test asks for something on the ledger thread */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t wanted_blocks, devices_in_each;
    bool stop;
    bool hold;              /* admits without making anything final */
    enum err admit_answer;  /* OK: the mempool's own */
    const char *member_org; /* who any key belongs to; NULL: nobody */
};

/* Blocks of so many new devices, made final by the ledger thread before this returns. */
void api_blocks(struct api_fixture *f, size_t blocks, size_t devices);

/* ---- Opening and closing ------------------------------------------------------------------------------------------ */

void api_open(struct api_fixture *f);
void api_close(struct api_fixture *f);

/* ---- The client ----------------------------------------------------------------------------------------------------- */

int api_dial(const struct api_fixture *f);

struct api_answer {
    int status;
    struct buffer all;
    struct bytes body;
};

/* One request on a connection of its own. `headers` (may be "") ends every line with CR LF. */
int api_ask(const struct api_fixture *f, const char *method, const char *path, const char *headers, struct bytes body,
            struct api_answer *out);
int api_get(const struct api_fixture *f, const char *path, struct api_answer *out);

/* The body as JSON; the caller owns it. NULL when it is none. */
json_t *api_json(const struct api_answer *answer);

/* The error's code, "" when the answer is none; valid until the next call. */
const char *api_code(const struct api_answer *answer);

#endif
