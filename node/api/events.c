#include "node/api/events.h"

#include "base/assert.h"
#include "base/clock.h"
#include "node/answers/block.h"
#include "node/api/api.h"
#include "node/json/record_json.h"
#include "node/ledger/block_events.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* One that listens. The pump alone moves it, and frees it. */
struct subscriber {
    struct subscriber *next;
    struct http_stream *stream;
    unsigned wanted; /* bit per event_type */
    uint64_t height; /* of the block it is told of next, ... */
    uint32_t from;   /* ... and of its transactions, from which on */
    uint64_t alarm;  /* number of the alarm it is told of next */
    bool is_broken; /* what it asked for could not be read: its stream ends, and is asked for again from where it was */
};

#define ALARMS_KEPT 64u /* for who takes them slowly; who is further behind misses the oldest */

struct events {
    struct chain *chain;
    pthread_t pump;
    bool pump_runs;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    bool woken; /* something may have changed since the pump looked */
    struct subscriber *subscribers;
    uint64_t height; /* final */
    char *alarms[ALARMS_KEPT];
    uint64_t alarm_count; /* ever */
    /* The pump's own: the block that was read last. */
    struct buffer body;
    uint64_t body_height;              /* 0: none */
    struct http_argument arguments[3]; /* of the route; the last is empty */
    char types_pattern[256], types_must[160];
};

static void *pump(void *arg);

enum err events_new(struct chain *chain, struct events **out) {
    struct events *events = calloc(1, sizeof *events);
    pthread_condattr_t attr;
    if (events == NULL) {
        return ERR_NOMEM;
    }
    events->chain = chain;
    events->height = chain_head(chain)->header.height;
    (void)pthread_mutex_init(&events->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&events->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    events->pump_runs = pthread_create(&events->pump, NULL, pump, events) == 0;
    if (!events->pump_runs) {
        events_free(events);
        return ERR_NOMEM;
    }
    *out = events;
    return OK;
}

static void subscriber_free(struct subscriber *s) {
    http_stream_close(s->stream);
    free(s);
}

static void wake(struct events *events) {
    events->woken = true;
    (void)pthread_cond_signal(&events->changed);
}

/* A stream has taken what was queued, or is over. */
static void on_drained(void *ctx) {
    struct events *events = ctx;
    (void)pthread_mutex_lock(&events->lock);
    wake(events);
    (void)pthread_mutex_unlock(&events->lock);
}

void events_free(struct events *events) {
    if (events == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&events->lock);
    events->stopping = true;
    wake(events);
    (void)pthread_mutex_unlock(&events->lock);
    if (events->pump_runs) {
        (void)pthread_join(events->pump, NULL);
    }
    while (events->subscribers != NULL) {
        struct subscriber *next = events->subscribers->next;
        subscriber_free(events->subscribers);
        events->subscribers = next;
    }
    for (size_t i = 0; i < ALARMS_KEPT; i++) {
        free(events->alarms[i]);
    }
    buffer_free(&events->body);
    (void)pthread_mutex_destroy(&events->lock);
    (void)pthread_cond_destroy(&events->changed);
    free(events);
}

void events_block_final(struct events *events, const struct block *block) {
    (void)pthread_mutex_lock(&events->lock);
    events->height = block->header.height;
    if (events->subscribers != NULL) {
        wake(events);
    }
    (void)pthread_mutex_unlock(&events->lock);
}

/* The data of an event; NULL without memory. The caller frees it. */
static char *event_text(const struct record *shape, const void *value) {
    json_t *event = record_json(shape, value);
    char *text = json_dumps(event, JSON_COMPACT);
    json_decref(event);
    return text;
}

void events_alarm(struct events *events, const char *name, const char *text) {
    const struct alarm_event event = {name, text};
    char *data = event_text(&alarm_event_shape, &event);
    if (data == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&events->lock);
    char **place = &events->alarms[events->alarm_count++ % ALARMS_KEPT];
    free(*place);
    *place = data;
    wake(events);
    (void)pthread_mutex_unlock(&events->lock);
}

/* ---- Events of a block ------------------------------------------------------------------------------------------- */

/* A few subscribers that stand at the same place and have room: what is told is made once for all of them. */
#define GROUP_MAX 64u

struct group {
    struct subscriber *members[GROUP_MAX];
    size_t count;
    unsigned wanted; /* by any of them */
    uint64_t height;
    uint32_t from;
    size_t bytes; /* told in this turn */
};

static bool wants(const struct subscriber *s, unsigned type) {
    return (s->wanted >> type & 1u) != 0;
}

/* Room was looked for: what does not get in finds its stream over. */
static void tell(struct group *group, unsigned type, const char *id, const char *data) {
    for (size_t i = 0; i < group->count; i++) {
        if (wants(group->members[i], type)) {
            (void)http_stream_send(group->members[i]->stream, id, type_name(type), data);
        }
    }
    group->bytes += strlen(data) + 64;
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

static char *block_text(const struct chain_block_info *info) {
    struct block_event event = {
        .height = info->header.height, .time_ms = info->header.time_ms, .tx_count = info->tx_count};
    memcpy(event.hash, info->hash, HASH_LEN);
    memcpy(event.state_root, info->header.state_root, HASH_LEN);
    return event_text(&block_event_shape, &event);
}

static enum err tell_tx(void *arg, const struct block_event_tx *event) {
    struct group *group = arg;
    bool of_contract = event->event != CONTRACT_EVENT_NONE && (group->wanted >> event->event & 1u) != 0;
    if ((group->wanted >> EVENT_TX & 1u) == 0 && !of_contract) {
        return OK;
    }
    char *data = tx_text(event->tx, event->height, event->has_receipt ? &event->receipt : NULL);
    if (data == NULL) {
        return ERR_NOMEM;
    }
    tell(group, EVENT_TX, NULL, data);
    if (of_contract) {
        tell(group, event->event, NULL, data);
    }
    free(data);
    return OK;
}

/* Does anybody want what only the body tells? */
static bool wants_body(const struct group *group) {
    return (group->wanted & ~(1u << EVENT_OF_BLOCK | 1u << EVENT_ALARM)) != 0;
}

static enum err read_body(struct events *events, uint64_t height) {
    if (events->body_height == height) {
        return OK;
    }
    buffer_reset(&events->body);
    events->body_height = 0;
    enum err e = chain_read(events->chain, height, &events->body, NULL);
    events->body_height = e == OK ? height : 0;
    return e;
}

#define PART_TXS 64u /* of a block, in one turn; the most that their events come to fits into a stream with room */
#define TX_EVENT_MAX 1400u
_Static_assert(2 * PART_TXS * TX_EVENT_MAX <= HTTP_STREAM_PIECE, "a part fits");

/* A part of the block, and behind its last transaction the block itself. `*out_next` is where the next part begins; 0:
 * the block has been told. */
static enum err tell_part(struct events *events, struct group *group, uint32_t *out_next) {
    struct chain_view view;
    struct chain_block_info info;
    struct block part = {0};
    uint32_t total = 0;
    enum err e = chain_view_open(events->chain, &view);
    if (e != OK) {
        return e;
    }
    e = chain_view_block(&view, group->height, &info);
    if (e == OK && info.tx_count > 0 && wants_body(group)) {
        e = read_body(events, group->height);
        if (e == OK) {
            e = block_decode_part(buffer_bytes(&events->body), group->from, PART_TXS, &part, &total);
        }
        if (e == OK) {
            e = block_events(&view, &part, tell_tx, group);
        }
    }
    chain_view_close(&view);
    uint32_t told = group->from + (uint32_t)part.tx_count;
    block_free(&part);
    if (e != OK || told < total) {
        *out_next = told;
        return e;
    }
    char *data = block_text(&info);
    char id[24];
    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)group->height);
    for (size_t i = 0; i < group->count && data != NULL; i++) {
        bool all = wants(group->members[i], EVENT_OF_BLOCK);
        /* An id alone is only the place to resume from, which no client shows. */
        (void)http_stream_send(group->members[i]->stream, id, all ? type_name(EVENT_OF_BLOCK) : NULL,
                               all ? data : NULL);
    }
    e = data != NULL ? OK : ERR_NOMEM;
    free(data);
    *out_next = 0;
    return e;
}

/* ---- The pump ---------------------------------------------------------------------------------------------------- */

/* The lock is held. Streams that are over go. */
static void drop_over(struct events *events) {
    struct subscriber **slot = &events->subscribers;
    while (*slot != NULL) {
        struct subscriber *s = *slot;
        if (s->is_broken || http_stream_over(s->stream)) {
            *slot = s->next;
            subscriber_free(s);
        } else {
            slot = &s->next;
        }
    }
}

/* The lock is held. Alarms are few and short, and go before blocks. */
static void tell_alarms(struct events *events, struct subscriber *s) {
    if (!wants(s, EVENT_ALARM)) {
        return;
    }
    uint64_t oldest = events->alarm_count > ALARMS_KEPT ? events->alarm_count - ALARMS_KEPT : 0;
    s->alarm = s->alarm > oldest ? s->alarm : oldest;
    while (s->alarm < events->alarm_count && http_stream_has_room(s->stream)) {
        (void)http_stream_send(s->stream, NULL, type_name(EVENT_ALARM), events->alarms[s->alarm++ % ALARMS_KEPT]);
    }
}

/* The lock is held. Somebody who can be told something, and those at the same place. Newest blocks come first: who
 * replays must not make others late. Of those who replay it is the one who has waited longest. */
static bool gather(struct events *events, struct group *group) {
    group->count = 0;
    for (struct subscriber *s = events->subscribers; s != NULL; s = s->next) {
        tell_alarms(events, s);
        bool ready = s->height <= events->height && http_stream_has_room(s->stream);
        if (ready && (group->count == 0 || s->height == events->height)) {
            *group = (struct group){.height = s->height, .from = s->from};
            group->count = 1; /* all of them are gathered below */
        }
    }
    if (group->count == 0) {
        return false;
    }
    group->count = 0;
    for (struct subscriber *s = events->subscribers; s != NULL && group->count < GROUP_MAX; s = s->next) {
        if (s->height == group->height && s->from == group->from && http_stream_has_room(s->stream)) {
            group->members[group->count++] = s;
            group->wanted |= s->wanted;
        }
    }
    return true;
}

/* The lock is held. */
static void to_the_end(struct events *events, struct subscriber *s) {
    struct subscriber **slot = &events->subscribers;
    while (*slot != s) {
        slot = &(*slot)->next;
    }
    *slot = s->next;
    while (*slot != NULL) {
        slot = &(*slot)->next;
    }
    s->next = NULL;
    *slot = s;
}

/* The lock is held. Who has been served waits until the others have. */
static void move_on(struct events *events, struct group *group, enum err e, uint32_t next) {
    for (size_t i = 0; i < group->count; i++) {
        struct subscriber *s = group->members[i];
        s->is_broken = e != OK;
        s->from = next;
        s->height += next == 0 ? 1 : 0;
        if (s->wanted == 1u << EVENT_ALARM && s->height < events->height) {
            s->height = events->height; /* no block has anything for it: only where to resume is told */
        }
        to_the_end(events, s);
    }
}

/* How long past blocks are told for at a stretch, and how long the pump then rests, so that replaying takes no more
 * than a quarter of one processor; blocks that become final meanwhile are told at once. */
#define REPLAY_SHARE 3u

static void rest(struct events *events, uint64_t us) {
    struct timespec until;
    uint64_t height = events->height;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(us / 1000000);
    until.tv_nsec += (long)(us % 1000000) * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!events->stopping && events->height == height &&
           pthread_cond_timedwait(&events->changed, &events->lock, &until) == 0) {
    }
}

static void *pump(void *arg) {
    struct events *events = arg;
    struct group group;
    (void)pthread_mutex_lock(&events->lock);
    while (!events->stopping) {
        events->woken = false;
        drop_over(events);
        if (!gather(events, &group)) {
            while (!events->woken && !events->stopping) {
                (void)pthread_cond_wait(&events->changed, &events->lock);
            }
            continue;
        }
        bool replays = group.height < events->height;
        (void)pthread_mutex_unlock(&events->lock);
        uint32_t next = 0;
        uint64_t began_us = clock_mono_ns() / 1000;
        enum err e = tell_part(events, &group, &next);
        uint64_t took_us = clock_mono_ns() / 1000 - began_us;
        (void)pthread_mutex_lock(&events->lock);
        move_on(events, &group, e, next);
        if (replays) {
            rest(events, REPLAY_SHARE * took_us);
        }
    }
    (void)pthread_mutex_unlock(&events->lock);
    return NULL;
}

/* ---- Subscribing ------------------------------------------------------------------------------------------------- */

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
    if (http_is_head(request)) {
        http_respond(request, http_static(200, "text/event-stream", bytes_of("", 0)));
        return;
    }
    struct subscriber *s = calloc(1, sizeof *s);
    if (s == NULL) {
        http_respond(request, NULL);
        return;
    }
    s->wanted = wanted;
    s->height = after + 1;
    s->stream = http_stream_open(request, on_drained, events);
    if (s->stream == NULL) {
        free(s);
        return;
    }
    (void)pthread_mutex_lock(&events->lock);
    s->alarm = events->alarm_count;
    s->next = events->subscribers;
    events->subscribers = s;
    wake(events);
    (void)pthread_mutex_unlock(&events->lock);
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
                                     HTTP_BUDGET(LIMIT_BLOCK_BYTES, 1, 0),
                                     .summary = "What becomes final, as server-sent events; resumes by Last-Event-ID",
                                     .arguments = events->arguments,
                                     .media = "text/event-stream",
                                     .events = data};
    return http_server_route(server, &route);
}
