/* A client of the node's HTTP API, for the command line and the gateway: JSON in and out, errors in words.
 *
 * One client serves one thread. A failed call leaves one line in client_why: what, why, and what to do where the node
 * gave a hint.
 */
#ifndef ASSAY_NODE_FETCH_CLIENT_H
#define ASSAY_NODE_FETCH_CLIENT_H

#include "base/buffer.h"
#include "base/ed25519.h"
#include "node/fetch/fetch_options.h"

#include <jansson.h>

#define CLIENT_JSON_MAX (16u * 1024u * 1024u)

struct client_config {
    const char *url;           /* "http://127.0.0.1:26601", with or without a trailing '/' */
    struct fetch_options http; /* their pace is that of uploads [1 byte a second, 60000 ms] */
    uint32_t timeout_ms;       /* of a call as a whole, 0: 30 s; uploads have none but must move */
};

struct client;

/* Once at program start, before threads. */
NODISCARD enum err client_start(void);

NODISCARD enum err client_new(const struct client_config *config, struct client **out);
void client_free(struct client *client);
const char *client_url(const struct client *client);

/* The last failure in words, "" if none; its HTTP status (0: no answer came) and error code ("" if none). */
const char *client_why(const struct client *client);
long client_status(const struct client *client);
const char *client_error_code(const struct client *client);

/* Status 2xx and a JSON document, else: ERR_NETWORK (no answer), ERR_NOTFOUND (404), ERR_DENIED (401, 403), ERR_BUSY
 * (429, 503), ERR_INVALID (any other refusal), ERR_MALFORMED (not JSON), ERR_TOOLARGE. `path` begins with '/' and is
 * already encoded (client_escape). The caller owns `*out`. */
NODISCARD enum err client_get_json(struct client *client, const char *path, json_t **out);
NODISCARD enum err client_post_bytes(struct client *client, const char *path, const char *content_type,
                                     struct bytes body, json_t **out);
/* Any 2xx body of at most `limit` bytes, appended. */
NODISCARD enum err client_get_bytes(struct client *client, const char *path, const char *accept, size_t limit,
                                    struct buffer *out);
/* Appends `text` percent-encoded for a path segment or query value. */
void client_escape(const char *text, struct buffer *out);

/* Logs in with an author (or admin) key: challenge, signature, token; later calls carry the token, instead of the one
 * in the options. */
NODISCARD enum err client_login(struct client *client, const uint8_t secret[ED25519_SECRET_LEN]);

/* Streams a file as the body of a POST; a progress bar on stderr if `progress` and stderr is a terminal. */
NODISCARD enum err client_upload_file(struct client *client, const char *path, const char *file, bool progress,
                                      json_t **out);

#endif
