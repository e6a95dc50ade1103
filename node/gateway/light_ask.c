#include "node/gateway/light_ask.h"

#include "base/clock.h"
#include "node/fetch/client.h"
#include "node/host/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_MS 1000000l
#define MISSES_MAX 3u /* a source that missed so many is asked, but not waited for */

/* One source and the thread that asks it. A worker takes the newest question and leaves its answer; an answer to an
 * older question is dropped. */
struct worker {
    struct light_ask *ask;
    pthread_t thread;
    bool running;
    struct client *client;
    uint64_t question; /* number of the one it works on or has answered */
    bool answered;
    unsigned misses; /* questions in a row it did not answer in time */
    enum err result;
    struct why why;
    struct buffer body;
};

struct question {
    uint64_t number; /* rises; 0: none yet */
    char path[LIGHT_PATH_MAX];
    const char *accept;
    size_t limit;
};

struct light_ask {
    const struct config_sources *sources;
    pthread_mutex_t lock; /* everything below; held shortly */
    pthread_cond_t asked;
    pthread_cond_t answered;
    bool stopping;
    struct question question;
    struct worker workers[CONFIG_SOURCES_MAX];
    struct light_source known[CONFIG_SOURCES_MAX];
};

/* ---- Workers ----------------------------------------------------------------------------------------------------- */

static void *run_worker(void *arg) {
    struct worker *worker = arg;
    struct light_ask *ask = worker->ask;
    struct question question;
    (void)pthread_mutex_lock(&ask->lock);
    while (!ask->stopping) {
        if (ask->question.number == worker->question) {
            (void)pthread_cond_wait(&ask->asked, &ask->lock);
            continue;
        }
        question = ask->question;
        worker->question = question.number;
        worker->answered = false;
        (void)pthread_mutex_unlock(&ask->lock);
        struct buffer body = BUFFER_INIT;
        enum err e = client_get_bytes(worker->client, question.path, question.accept, question.limit, &body);
        (void)pthread_mutex_lock(&ask->lock);
        buffer_free(&worker->body);
        worker->body = body;
        worker->result = e;
        why_set(&worker->why, "%s", client_why(worker->client));
        worker->answered = true;
        (void)pthread_cond_broadcast(&ask->answered);
    }
    (void)pthread_mutex_unlock(&ask->lock);
    return NULL;
}

static enum err start_workers(struct light_ask *ask) {
    for (size_t i = 0; i < ask->sources->count; i++) {
        struct worker *worker = &ask->workers[i];
        const struct client_config client = {.url = ask->sources->url[i],
                                             .http.connect_timeout_ms = LIGHT_CALL_TIMEOUT_MS,
                                             .timeout_ms = LIGHT_CALL_TIMEOUT_MS};
        ask->known[i].url = ask->sources->url[i];
        worker->ask = ask;
        enum err e = client_new(&client, &worker->client);
        if (e != OK) {
            return e;
        }
        if (pthread_create(&worker->thread, NULL, run_worker, worker) != 0) {
            return ERR_NOMEM;
        }
        worker->running = true;
    }
    return OK;
}

/* ---- Life cycle -------------------------------------------------------------------------------------------------- */

enum err light_ask_new(const struct config_sources *sources, struct light_ask **out) {
    struct light_ask *ask = calloc(1, sizeof *ask);
    if (ask == NULL) {
        return ERR_NOMEM;
    }
    ask->sources = sources;
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&ask->lock, NULL);
    (void)pthread_cond_init(&ask->asked, NULL);
    (void)pthread_cond_init(&ask->answered, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    enum err e = start_workers(ask);
    if (e != OK) {
        light_ask_free(ask);
        return e;
    }
    *out = ask;
    return OK;
}

void light_ask_stop(struct light_ask *ask) {
    if (ask == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&ask->lock);
    ask->stopping = true;
    (void)pthread_cond_broadcast(&ask->asked);
    (void)pthread_cond_broadcast(&ask->answered);
    (void)pthread_mutex_unlock(&ask->lock);
}

void light_ask_free(struct light_ask *ask) {
    if (ask == NULL) {
        return;
    }
    light_ask_stop(ask);
    for (size_t i = 0; i < CONFIG_SOURCES_MAX; i++) {
        struct worker *worker = &ask->workers[i];
        if (worker->running) {
            (void)pthread_join(worker->thread, NULL);
        }
        client_free(worker->client);
        buffer_free(&worker->body);
    }
    (void)pthread_cond_destroy(&ask->answered);
    (void)pthread_cond_destroy(&ask->asked);
    (void)pthread_mutex_destroy(&ask->lock);
    free(ask);
}

/* ---- Asking ---------------------------------------------------------------------------------------------- */

/* Under the lock. Logged once per change of what is wrong. */
static void note(struct light_source *source, const char *why) {
    if (strcmp(source->last_why.text, why) != 0) {
        why_set(&source->last_why, "%s", why);
        log_event(LOG_WARN, "source.refused", log_text("url", source->url), log_text("why", why));
    }
}

/* Under the lock. */
static void note_lie(struct light_source *source, const char *why) {
    source->lies++;
    source->lied_ms = clock_mono_ms();
    note(source, why);
}

void light_ask_blame(struct light_ask *ask, size_t source, const char *why) {
    (void)pthread_mutex_lock(&ask->lock);
    note_lie(&ask->known[source], why);
    (void)pthread_mutex_unlock(&ask->lock);
}

/* Under the lock, which is given up while the answer is judged. True when it was good. */
static bool take_answer(struct light_ask *ask, size_t i, const struct light_judge *judge) {
    struct worker *worker = &ask->workers[i];
    struct light_source *source = &ask->known[i];
    if (worker->result != OK) {
        source->failures++;
        note(source, worker->why.text);
        return false;
    }
    struct buffer body = worker->body;
    const char *why = "";
    worker->body = BUFFER_INIT;
    (void)pthread_mutex_unlock(&ask->lock);
    enum light_answer kind = judge->judge(judge->arg, i, buffer_bytes(&body), &why);
    (void)pthread_mutex_lock(&ask->lock);
    buffer_free(&body);
    switch (kind) {
    case ANSWER_GOOD:
        source->answers++;
        if (why_said(&source->last_why)) {
            source->last_why = WHY_NONE;
            log_event(LOG_INFO, "source.good_again", log_text("url", source->url));
        }
        break;
    case ANSWER_OLD: /* every node is behind for a moment now and then: counted, not told */
        source->failures++;
        break;
    case ANSWER_STALE:
        source->failures++;
        note(source, why);
        break;
    case ANSWER_LIE:
        note_lie(source, why);
        break;
    }
    return kind == ANSWER_GOOD;
}

static struct timespec timespec_of_ms(uint64_t mono_ms) {
    return (struct timespec){.tv_sec = (time_t)(mono_ms / 1000), .tv_nsec = (long)(mono_ms % 1000) * NS_PER_MS};
}

/* Under the lock: once there is a good answer, is anybody left who is worth waiting for? Those who are late again and
 * again are waited for at times: who is quick must not keep what slower ones know from being heard for good. */
static bool is_awaited(const struct light_ask *ask, const bool taken[CONFIG_SOURCES_MAX], size_t good) {
    bool patient = ask->question.number % LIGHT_PATIENT_EVERY == 0;
    for (size_t i = 0; i < ask->sources->count; i++) {
        if (!taken[i] && (good == 0 || patient || ask->workers[i].misses < MISSES_MAX)) {
            return true;
        }
    }
    return false;
}

/* Under the lock. Who answers just inside the grace holds everybody up as well. */
static void note_misses(struct light_ask *ask, const bool taken[CONFIG_SOURCES_MAX],
                        const bool late[CONFIG_SOURCES_MAX], size_t good) {
    for (size_t i = 0; i < ask->sources->count; i++) {
        struct worker *worker = &ask->workers[i];
        worker->misses = taken[i] && !late[i] ? 0 : worker->misses + 1;
        if (!taken[i]) {
            ask->known[i].failures++;
            if (good == 0) {
                note(&ask->known[i], "no answer in time");
            }
        }
    }
}

/* Puts one question to all sources and judges what comes back until all have answered or time is up. OK when at least
 * one answer was good. */
enum err light_ask_all(struct light_ask *ask, const char *path, const char *accept, size_t limit,
                       const struct light_judge *judge) {
    bool taken[CONFIG_SOURCES_MAX] = {false}, late[CONFIG_SOURCES_MAX] = {false};
    size_t count = ask->sources->count, good = 0;
    uint64_t first_ms = 0; /* when the first good answer came */
    uint64_t deadline_ms = clock_mono_ms() + LIGHT_CALL_TIMEOUT_MS;
    (void)pthread_mutex_lock(&ask->lock);
    (void)snprintf(ask->question.path, sizeof ask->question.path, "%s", path);
    ask->question.accept = accept;
    ask->question.limit = limit;
    uint64_t number = ++ask->question.number;
    (void)pthread_cond_broadcast(&ask->asked);
    while (is_awaited(ask, taken, good) && !ask->stopping && clock_mono_ms() < deadline_ms) {
        bool any = false;
        for (size_t i = 0; i < count; i++) {
            const struct worker *worker = &ask->workers[i];
            if (taken[i] || !worker->answered || worker->question != number) {
                continue;
            }
            taken[i] = any = true;
            late[i] = good > 0 && clock_mono_ms() - first_ms > LIGHT_LATE_MS;
            if (take_answer(ask, i, judge) && good++ == 0) {
                first_ms = clock_mono_ms();
                uint64_t grace_ms = first_ms + LIGHT_GRACE_MS;
                deadline_ms = grace_ms < deadline_ms ? grace_ms : deadline_ms;
            }
        }
        if (!any) {
            const struct timespec until = timespec_of_ms(deadline_ms);
            (void)pthread_cond_timedwait(&ask->answered, &ask->lock, &until);
        }
    }
    if (!ask->stopping) {
        note_misses(ask, taken, late, good);
    }
    bool stopping = ask->stopping;
    (void)pthread_mutex_unlock(&ask->lock);
    if (good > 0) {
        return OK;
    }
    return stopping ? ERR_CLOSED : ERR_NETWORK;
}

size_t light_ask_sources(struct light_ask *ask, struct light_source out[CONFIG_SOURCES_MAX]) {
    (void)pthread_mutex_lock(&ask->lock);
    memcpy(out, ask->known, sizeof ask->known);
    (void)pthread_mutex_unlock(&ask->lock);
    return ask->sources->count;
}
