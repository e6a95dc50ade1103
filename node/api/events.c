#include "node/api/events.h"

#include "base/assert.h"
#include "node/answers/block.h"
#include "node/api/api.h"
#include "node/json/record_json.h"
#include "node/ledger/block_events.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPES_TEXT_MAX 256u /* of the argument */
#define REPLAY_MAX 10000    /* blocks; a client further behind pages through /v1/blocks first */

/* What a subscriber may ask for: every transaction, what contracts have to tell of those that were carried out
 * (CONTRACT_EVENTS), blocks, alarms. */
enum event_type { EVENT_TX, EVENT_OF_BLOCK = CONTRACT_EVENT_COUNT, EVENT_ALARM, EVENT_TYPES };

static const char *type_name(unsigned type) {
    switch (type) {
    case EVENT_TX:
        return "tx";
    case EVENT_OF_BLOCK:
        return "block";
    case EVENT_ALARM:
        return "alarm";
    default:
        return contract_event_name((enum contract_event)type);
    }
}

struct subscriber {
    struct subscriber *next;
    struct http_stream *stream;
    unsigned wanted; /* bit per event_type */
};

struct events {
    struct chain *chain;
    pthread_mutex_t lock;
    struct subscriber *subscribers; /* each has been sent every block up to `height` */
    uint64_t height;
    struct http_argument arguments[3]; /* of the route; the last is empty */
    char types_pattern[256], types_must[160];
};

enum err events_new(struct chain *chain, struct events **out) {
    struct events *events = calloc(1, sizeof *events);
    if (events == NULL) {
        return ERR_NOMEM;
    }
    events->chain = chain;
    events->height = chain_head(chain)->header.height;
    (void)pthread_mutex_init(&events->lock, NULL);
    *out = events;
    return OK;
}

static void subscriber_free(struct subscriber *s) {
    http_stream_close(s->stream);
    free(s);
}

static void drop_all(struct events *events) {
    while (events->subscribers != NULL) {
        struct subscriber *next = events->subscribers->next;
        subscriber_free(events->subscribers);
        events->subscribers = next;
    }
}

void events_free(struct events *events) {
    if (events == NULL) {
        return;
    }
    drop_all(events);
    (void)pthread_mutex_destroy(&events->lock);
    free(events);
}

/* ---- Events of a block ------------------------------------------------------------------------------------------- */

static void emit(const struct subscriber *s, unsigned type, const char *id, const char *data) {
    if ((s->wanted >> type & 1u) != 0) {
        (void)http_stream_send(s->stream, id, type_name(type), data); /* one that is over is dropped after the block */
    }
}

/* The data of an event; NULL without memory. The caller frees it. */
static char *event_text(const struct record *shape, const void *value) {
    json_t *event = record_json(shape, value);
    char *text = json_dumps(event, JSON_COMPACT);
    json_decref(event);
    return text;
}

static char *tx_text(const struct transaction *tx, uint64_t height, const struct receipt *receipt) {
    struct tx_event event = {
        .height = height, .contract = tx->contract, .method = tx->method, .has_receipt = receipt != NULL};
    memcpy(event.tx_id, tx->id, HASH_LEN);
    if (receipt != NULL) {
        event.result = api_result(receipt);
    }
    return event_text(&tx_event_shape, &event);
}

static char *block_text(const struct block *block) {
    struct block_event event = {
        .height = block->header.height, .time_ms = block->header.time_ms, .tx_count = (uint32_t)block->tx_count};
    memcpy(event.hash, block->hash, HASH_LEN);
    memcpy(event.state_root, block->header.state_root, HASH_LEN);
    return event_text(&block_event_shape, &event);
}

/* To every subscriber of a list. */
static enum err send_tx(void *list, const struct block_event_tx *event) {
    char *data = tx_text(event->tx, event->height, event->has_receipt ? &event->receipt : NULL);
    for (struct subscriber *s = list; data != NULL && s != NULL; s = s->next) {
        emit(s, EVENT_TX, NULL, data);
        if (event->event != CONTRACT_EVENT_NONE) {
            emit(s, event->event, NULL, data);
        }
    }
    enum err e = data != NULL ? OK : ERR_NOMEM;
    free(data);
    return e;
}

/* Sends one block's events to every subscriber of a list; all of them, or an error part of the way. */
static enum err send_block(struct subscriber *list, struct chain_view *view, const struct block *block) {
    enum err e = block_events(view, block, send_tx, list);
    char *data = e == OK ? block_text(block) : NULL;
    char id[24];
    if (e != OK || data == NULL) {
        return e != OK ? e : ERR_NOMEM;
    }
    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)block->header.height);
    for (struct subscriber *s = list; s != NULL; s = s->next) {
        emit(s, EVENT_OF_BLOCK, id, data);
        if ((s->wanted >> EVENT_OF_BLOCK & 1u) == 0) { /* only the place to resume from, which no client shows */
            (void)http_stream_send(s->stream, id, NULL, NULL);
        }
    }
    free(data);
    return OK;
}

static void drop_over(struct events *events) {
    struct subscriber **slot = &events->subscribers;
    while (*slot != NULL) {
        struct subscriber *s = *slot;
        if (http_stream_over(s->stream)) {
            *slot = s->next;
            subscriber_free(s);
        } else {
            slot = &s->next;
        }
    }
}

void events_block_final(struct events *events, const struct block *block) {
    (void)pthread_mutex_lock(&events->lock);
    events->height = block->header.height;
    struct chain_view view;
    enum err e = events->subscribers != NULL ? chain_view_open(events->chain, &view) : OK;
    if (events->subscribers != NULL && e == OK) {
        e = send_block(events->subscribers, &view, block);
        chain_view_close(&view);
        drop_over(events);
    }
    if (e != OK) { /* a stream that ends is asked for again from where it was; one with a gap would not be */
        drop_all(events);
    }
    (void)pthread_mutex_unlock(&events->lock);
}

void events_alarm(struct events *events, const char *name, const char *text) {
    const struct alarm_event event = {name, text};
    char *data = event_text(&alarm_event_shape, &event);
    (void)pthread_mutex_lock(&events->lock);
    for (struct subscriber *s = events->subscribers; data != NULL && s != NULL; s = s->next) {
        emit(s, EVENT_ALARM, NULL, data);
    }
    (void)pthread_mutex_unlock(&events->lock);
    free(data);
}

/* ---- Subscribing ------------------------------------------------------------------------------------------------- */

/* Sends a past block from the log. */
static bool replay(struct events *events, struct subscriber *s, uint64_t height) {
    struct chain_view view;
    struct buffer body = BUFFER_INIT;
    struct block block = {0};
    bool good = chain_view_open(events->chain, &view) == OK;
    if (good) {
        good = chain_read(events->chain, height, &body, NULL) == OK && block_decode(buffer_bytes(&body), &block) == OK;
        if (good) {
            good = send_block(s, &view, &block) == OK;
        }
        chain_view_close(&view);
    }
    block_free(&block);
    buffer_free(&body);
    return good && !http_stream_over(s->stream);
}

/* Joins the others once everything up to the present height has been sent. */
static bool join(struct events *events, struct subscriber *s, uint64_t next) {
    for (;;) {
        (void)pthread_mutex_lock(&events->lock);
        bool caught_up = next > events->height;
        if (caught_up) {
            s->next = events->subscribers;
            events->subscribers = s;
        }
        (void)pthread_mutex_unlock(&events->lock);
        if (caught_up) {
            return true;
        }
        if (!replay(events, s, next)) {
            return false;
        }
        next++;
    }
}

static bool parse_types(const char *text, unsigned *out) {
    *out = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        unsigned i = 0;
        while (i < EVENT_TYPES && (strlen(type_name(i)) != len || strncmp(type_name(i), text, len) != 0)) {
            i++;
        }
        if (i == EVENT_TYPES) {
            return false;
        }
        *out |= 1u << i;
        text += len + (text[len] == ',');
    }
    return *out != 0;
}

static bool are_types(const char *text) {
    unsigned wanted;
    return parse_types(text, &wanted);
}

/* Has the block that the replay begins with lost its body to pruning? */
static bool is_pruned(struct events *events, uint64_t height) {
    struct buffer body = BUFFER_INIT;
    enum err e = chain_read(events->chain, height, &body, NULL);
    buffer_free(&body);
    return e == ERR_NOTFOUND;
}

static void get_events(void *ctx, struct http_request *request) {
    struct events *events = ctx;
    const char *types = http_text(request, "types");
    const char *last = http_header(request, "Last-Event-ID");
    uint64_t after = http_number(request, "after");
    unsigned wanted = ~0u;
    if (types != NULL) {
        (void)parse_types(types, &wanted);
    }
    (void)pthread_mutex_lock(&events->lock);
    uint64_t height = events->height;
    (void)pthread_mutex_unlock(&events->lock);
    if (last != NULL && last[0] >= '0' && last[0] <= '9') {
        after = strtoull(last, NULL, 10);
    }
    if (after > height) {
        after = height;
    }
    if (height - after > REPLAY_MAX) {
        http_respond(request, http_error(410, "TOO_FAR_BACK", "page through /v1/blocks, then subscribe",
                                         "more than %d blocks have become final since", REPLAY_MAX));
        return;
    }
    if (after < height && is_pruned(events, after + 1)) {
        http_respond(request, http_error(410, "PRUNED", "page through /v1/blocks, then subscribe; or ask another node",
                                         "the bodies of the blocks that follow %llu were pruned on this node",
                                         (unsigned long long)after));
        return;
    }
    struct subscriber *s = calloc(1, sizeof *s);
    if (s == NULL) {
        http_respond(request, NULL);
        return;
    }
    (void)pthread_mutex_lock(&events->lock);
    drop_over(events); /* on a chain at rest nobody else makes room for newcomers */
    (void)pthread_mutex_unlock(&events->lock);
    s->wanted = wanted;
    s->stream = http_stream_open(request);
    if (s->stream == NULL) {
        free(s);
    } else if (!join(events, s, after + 1)) {
        subscriber_free(s);
    }
}

/* What `types` may be, in words and as a pattern: names of the table above, joined by commas. */
static enum err describe_types(struct events *events) {
    struct buffer names = BUFFER_INIT;
    for (unsigned i = 0; i < EVENT_TYPES; i++) {
        buffer_words(&names, i > 0 ? "|" : "");
        buffer_words(&names, type_name(i));
    }
    const char *text = buffer_text(&names);
    if (text != NULL) {
        int pattern = snprintf(events->types_pattern, sizeof events->types_pattern, "^(%s)(,(%s))*$", text, text);
        int must = snprintf(events->types_must, sizeof events->types_must, "one or more of %s, joined by commas", text);
        ASSERT(pattern > 0 && (size_t)pattern < sizeof events->types_pattern);
        ASSERT(must > 0 && (size_t)must < sizeof events->types_must);
    }
    enum err e = buffer_ok(&names);
    buffer_free(&names);
    return e;
}

enum err events_routes(struct events *events, struct http_server *server) {
    static const struct record *const data[] = {&tx_event_shape, &block_event_shape, &alarm_event_shape, NULL};
    enum err e = describe_types(events);
    if (e != OK) {
        return e;
    }
    events->arguments[0] = (struct http_argument){"types",
                                                  "only events of these types",
                                                  HTTP_TEXT,
                                                  .most = TYPES_TEXT_MAX,
                                                  .pattern = events->types_pattern,
                                                  .judge = are_types,
                                                  .must = events->types_must};
    events->arguments[1] = (struct http_argument){"after", "height to start behind", HTTP_NUMBER, .most = INT64_MAX,
                                                  .fallback = INT64_MAX};
    const struct http_route route = {HTTP_GET,
                                     "/v1/events",
                                     get_events,
                                     events,
                                     .summary = "What becomes final, as server-sent events; resumes by Last-Event-ID",
                                     .arguments = events->arguments,
                                     .media = "text/event-stream",
                                     .events = data};
    return http_server_route(server, &route);
}
