#include "node/http/workers.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 64u

struct workers {
    void (*run)(void *arg);
    void (*drop)(void *arg);
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct workers_job *first, **end;
    uint32_t waiting;
    struct connection_address running[THREADS_MAX]; /* of the jobs under way */
    bool runs[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    uint32_t count;
    bool stopping;
};

static uint32_t under_way(const struct workers *w, const struct connection_address *address) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        count += w->runs[i] && memcmp(&w->running[i], address, sizeof *address) == 0 ? 1 : 0;
    }
    return count;
}

/* The lock is held, and something waits. */
static struct workers_job *take(struct workers *w) {
    struct workers_job **best = &w->first;
    uint32_t fewest = UINT32_MAX;
    for (struct workers_job **slot = &w->first; *slot != NULL && fewest > 0; slot = &(*slot)->next) {
        uint32_t running = under_way(w, &(*slot)->address);
        if (running < fewest) {
            fewest = running;
            best = slot;
        }
    }
    struct workers_job *job = *best;
    ASSERT(job != NULL && w->waiting > 0);
    *best = job->next;
    if (job->next == NULL) {
        w->end = best;
    }
    w->waiting--;
    return job;
}

struct thread_start {
    struct workers *workers;
    uint32_t number;
};

static void *work(void *arg) {
    struct thread_start start = *(struct thread_start *)arg;
    struct workers *w = start.workers;
    free(arg);
    (void)pthread_mutex_lock(&w->lock);
    for (;;) {
        while (w->first == NULL && !w->stopping) {
            (void)pthread_cond_wait(&w->changed, &w->lock);
        }
        if (w->stopping) {
            break;
        }
        const struct workers_job *job = take(w);
        void *request = job->arg; /* the job may be gone once it runs */
        w->running[start.number] = job->address;
        w->runs[start.number] = true;
        (void)pthread_mutex_unlock(&w->lock);
        w->run(request);
        (void)pthread_mutex_lock(&w->lock);
        w->runs[start.number] = false;
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

enum err workers_new(uint32_t threads, void (*run)(void *arg), void (*drop)(void *arg), struct workers **out) {
    struct workers *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return ERR_NOMEM;
    }
    w->run = run;
    w->drop = drop;
    w->end = &w->first;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->changed, NULL);
    for (uint32_t i = 0; i < threads && i < THREADS_MAX; i++) {
        struct thread_start *start = malloc(sizeof *start);
        if (start == NULL) {
            workers_free(w);
            return ERR_NOMEM;
        }
        *start = (struct thread_start){w, i};
        if (pthread_create(&w->threads[i], NULL, work, start) != 0) {
            free(start);
            workers_free(w);
            return ERR_NOMEM;
        }
        (void)pthread_mutex_lock(&w->lock);
        w->count = i + 1;
        (void)pthread_mutex_unlock(&w->lock);
    }
    *out = w;
    return OK;
}

bool workers_put(struct workers *w, struct workers_job *job) {
    (void)pthread_mutex_lock(&w->lock);
    uint32_t of_address = 0;
    for (const struct workers_job *at = w->first; at != NULL; at = at->next) {
        of_address += memcmp(&at->address, &job->address, sizeof job->address) == 0 ? 1 : 0;
    }
    bool taken = !w->stopping && w->waiting < WORKERS_QUEUE_MAX && of_address < WORKERS_ADDRESS_MAX;
    if (taken) {
        job->next = NULL;
        *w->end = job;
        w->end = &job->next;
        w->waiting++;
        (void)pthread_cond_signal(&w->changed);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return taken;
}

void workers_stop(struct workers *w) {
    (void)pthread_mutex_lock(&w->lock);
    w->stopping = true;
    uint32_t threads = w->count;
    (void)pthread_cond_broadcast(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
    for (uint32_t i = 0; i < threads; i++) {
        (void)pthread_join(w->threads[i], NULL);
    }
    w->count = 0;
    while (w->first != NULL) {
        struct workers_job *job = w->first;
        w->first = job->next;
        w->drop(job->arg);
    }
    w->end = &w->first;
    w->waiting = 0;
}

void workers_free(struct workers *w) {
    if (w != NULL) {
        workers_stop(w);
        (void)pthread_mutex_destroy(&w->lock);
        (void)pthread_cond_destroy(&w->changed);
        free(w);
    }
}
