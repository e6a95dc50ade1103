#include "node/fetch/transfers.h"

#include "base/assert.h"
#include "node/fetch/fetch_curl.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEPALIVE_S 15L       /* of a stream: how soon a peer that is gone is noticed */
#define KEPT_BYTES (2u << 20) /* a body's room up to this size is kept for the next */

struct transfer {
    CURL *easy; /* kept for its connection */
    struct curl_slist *headers;
    struct fetch_curl_head head;
    bool active;
    bool too_long;
    struct transfer_request request; /* without its texts */
    struct buffer body;
};

struct transfers {
    struct fetch_options options;
    CURLM *multi;
    struct buffer spare; /* room for a body, so that a transfer is free for another while its answer is told */
    size_t max, active;
    struct transfer all[];
};

enum err transfers_new(const struct fetch_options *options, size_t max, struct transfers **out) {
    ASSERT(max > 0 && max <= TRANSFERS_MAX);
    struct transfers *transfers = calloc(1, sizeof *transfers + max * sizeof transfers->all[0]);
    if (transfers == NULL) {
        return ERR_NOMEM;
    }
    transfers->options = *options;
    transfers->max = max;
    transfers->multi = curl_multi_init();
    if (transfers->multi == NULL) {
        free(transfers);
        return ERR_NOMEM;
    }
    *out = transfers;
    return OK;
}

static void end(struct transfers *transfers, struct transfer *t) {
    (void)curl_multi_remove_handle(transfers->multi, t->easy);
    t->active = false;
    transfers->active--;
}

void transfers_drop(struct transfers *transfers, const void *tag) {
    for (size_t i = 0; i < transfers->max; i++) {
        struct transfer *t = &transfers->all[i];
        if (t->active && (tag == NULL || t->request.tag == tag)) {
            end(transfers, t);
        }
    }
}

void transfers_free(struct transfers *transfers) {
    if (transfers == NULL) {
        return;
    }
    transfers_drop(transfers, NULL);
    for (size_t i = 0; i < transfers->max; i++) {
        struct transfer *t = &transfers->all[i];
        curl_easy_cleanup(t->easy);
        curl_slist_free_all(t->headers);
        buffer_free(&t->body);
    }
    buffer_free(&transfers->spare);
    (void)curl_multi_cleanup(transfers->multi);
    free(transfers);
}

size_t transfers_active(const struct transfers *transfers) {
    return transfers->active;
}

void transfers_wake(struct transfers *transfers) {
    (void)curl_multi_wakeup(transfers->multi);
}

/* ---- Beginning --------------------------------------------------------------------------------------------------- */

static size_t take(char *data, size_t size, size_t count, void *arg) {
    struct transfer *t = arg;
    size_t len = size * count;
    if (t->request.piece != NULL) {
        t->request.piece(t->request.tag, bytes_of(data, len));
        return len;
    }
    if (len > t->request.limit - t->body.len) {
        t->too_long = true;
        return CURL_WRITEFUNC_ERROR;
    }
    buffer_put(&t->body, data, len);
    return t->body.failed ? CURL_WRITEFUNC_ERROR : len;
}

static bool set_headers(const struct fetch_options *options, struct transfer *t, const char *accept) {
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    return fetch_curl_header(&t->headers, "Accept", accept) && fetch_curl_token(options, &t->headers) &&
           curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK;
}

/* What ends a transfer by itself: a stream only when its peer is gone. A stream is read no faster than anybody has to
 * tell in it: what is sent faster waits at its sender. */
#define STREAM_RATE 65536 /* bytes a second */

static bool set_patience(const struct fetch_options *o, CURL *easy, const struct transfer_request *request) {
    if (request->piece != NULL) {
        return curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t)STREAM_RATE) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S) == CURLE_OK;
    }
    return curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms) == CURLE_OK &&
           fetch_curl_set_stall(o, easy);
}

static bool set_options(const struct fetch_options *o, struct transfer *t, const struct transfer_request *request,
                        const char *url) {
    curl_easy_reset(t->easy);
    return fetch_curl_set(o, t->easy, &t->head) && curl_easy_setopt(t->easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t) == CURLE_OK && set_patience(o, t->easy, request) &&
           set_headers(o, t, request->accept);
}

static struct transfer *idle(struct transfers *transfers) {
    for (size_t i = 0; i < transfers->max; i++) {
        if (!transfers->all[i].active) {
            return &transfers->all[i];
        }
    }
    return NULL;
}

enum err transfers_get(struct transfers *transfers, const struct transfer_request *request) {
    char url[TRANSFER_URL_MAX];
    struct transfer *t = idle(transfers);
    if (t == NULL) {
        return ERR_FULL;
    }
    size_t len = strlen(request->base);
    while (len > 0 && request->base[len - 1] == '/') {
        len--;
    }
    int n = snprintf(url, sizeof url, "%.*s%s", (int)len, request->base, request->path);
    if (n < 0 || (size_t)n >= sizeof url) {
        return ERR_TOOLARGE;
    }
    if (t->easy == NULL) {
        t->easy = curl_easy_init();
    }
    if (t->easy == NULL || !set_options(&transfers->options, t, request, url)) {
        return ERR_NOMEM;
    }
    t->request = *request;
    t->request.base = t->request.path = t->request.accept = NULL;
    t->too_long = false;
    buffer_reset(&t->body);
    if (curl_multi_add_handle(transfers->multi, t->easy) != CURLM_OK) {
        return ERR_NOMEM;
    }
    t->active = true;
    transfers->active++;
    return OK;
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

static struct transfer_answer answer_of(const struct transfer *t, CURLcode code) {
    struct transfer_answer answer = {.e = ERR_NETWORK, .tag = t->request.tag, .body = buffer_bytes(&t->body)};
    long status = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    bool missing = status == 404 || status == 410 || status == 451;
    if (code == CURLE_OK && status == 200) {
        answer.e = OK;
    } else if (t->too_long && status == 200) {
        answer.e = ERR_TOOLARGE;
        why_set(&answer.why, "sent more bytes than that can have");
    } else if (missing) {
        answer.e = ERR_NOTFOUND;
        why_set(&answer.why, "does not have it");
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        answer.e = ERR_TIMEOUT;
        why_set(&answer.why, "too slow");
    } else if (code == CURLE_OK || t->too_long || code == CURLE_HTTP_RETURNED_ERROR) {
        why_set(&answer.why, "answered with status %ld", status);
    } else {
        why_set(&answer.why, "%s", curl_easy_strerror(code));
    }
    return answer;
}

/* The transfer is free for another before its answer is told; the body lives until then in the spare room. */
static enum err tell(struct transfers *transfers, struct transfer *t, CURLcode code,
                     enum err (*done)(void *arg, const struct transfer_answer *answer), void *arg) {
    struct transfer_answer answer = answer_of(t, code);
    struct buffer body = t->body;
    t->body = transfers->spare;
    transfers->spare = BUFFER_INIT;
    end(transfers, t);
    enum err e = body.failed ? ERR_NOMEM : done(arg, &answer);
    if (body.failed || body.cap > KEPT_BYTES) {
        buffer_free(&body);
    }
    transfers->spare = body;
    return e;
}

enum err transfers_run(struct transfers *transfers, int wait_ms,
                       enum err (*done)(void *arg, const struct transfer_answer *answer), void *arg) {
    int running = 0, left = 0;
    const CURLMsg *message;
    /* One that was just begun ends the wait at once. */
    if (curl_multi_poll(transfers->multi, NULL, 0, wait_ms, NULL) != CURLM_OK ||
        curl_multi_perform(transfers->multi, &running) != CURLM_OK) {
        return ERR_NETWORK;
    }
    while ((message = curl_multi_info_read(transfers->multi, &left)) != NULL) {
        struct transfer *t = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t) != CURLE_OK) {
            continue;
        }
        enum err e = tell(transfers, t, code, done, arg);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}
