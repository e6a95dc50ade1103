#include "node/gateway/follow.h"

#include "base/clock.h"
#include "base/file.h"
#include "node/gateway/follow_class.h"
#include "node/gateway/proven.h"
#include "node/host/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum job_kind { JOB_LOOK_UP, JOB_PROVE };

struct job {
    enum job_kind kind;
    uint8_t device_id[KEY_LEN];
    uint8_t update_id[HASH_LEN];
};

struct follow {
    struct follow_config config;
    char fleet_file[CONFIG_PATH_MAX];
    pthread_t thread;
    bool running;
    struct follow_class *classes;
    uint64_t images_failed; /* fetches, when the ledger's nodes were looked at last */
    uint64_t next_save_ms;
    uint64_t next_round_ms;     /* when nobody pokes */
    uint64_t earliest_round_ms; /* when somebody does */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
    bool poked;
    struct job jobs[FOLLOW_JOBS_MAX]; /* ring */
    size_t first_job, job_count;
    struct follow_stats stats;
};

/* ---- Jobs ------------------------------------------------------------------------------------------------ */

static bool push_job(struct follow *follow, enum job_kind kind, const uint8_t device_id[KEY_LEN],
                     const uint8_t *update_id) {
    (void)pthread_mutex_lock(&follow->lock);
    bool room = follow->job_count < FOLLOW_JOBS_MAX;
    if (room) {
        struct job *job = &follow->jobs[(follow->first_job + follow->job_count++) % FOLLOW_JOBS_MAX];
        job->kind = kind;
        memcpy(job->device_id, device_id, KEY_LEN);
        if (update_id != NULL) {
            memcpy(job->update_id, update_id, HASH_LEN);
        }
        (void)pthread_cond_signal(&follow->wake);
    } else {
        follow->stats.jobs_dropped++;
    }
    (void)pthread_mutex_unlock(&follow->lock);
    return room;
}

bool follow_look_up(struct follow *follow, const uint8_t device_id[KEY_LEN]) {
    return push_job(follow, JOB_LOOK_UP, device_id, NULL);
}

void follow_prove(struct follow *follow, const uint8_t update_id[HASH_LEN], const uint8_t device_id[KEY_LEN]) {
    (void)push_job(follow, JOB_PROVE, device_id, update_id);
}

void follow_poke(struct follow *follow) {
    (void)pthread_mutex_lock(&follow->lock);
    follow->poked = true;
    (void)pthread_cond_signal(&follow->wake);
    (void)pthread_mutex_unlock(&follow->lock);
}

/* ---- Looking up a device --------------------------------------------------------------------------------- */

/* NULL: it is ours. */
static const char *stranger_because(const struct follow *follow, bool found, const struct device_record *record,
                                    const uint8_t device_id[KEY_LEN]) {
    if (!found) {
        return "not registered";
    }
    if (memcmp(record->id, device_id, KEY_LEN) != 0) {
        return "its record is another device's";
    }
    return memcmp(record->gateway, follow->config.gateway_key, ED25519_KEY_LEN) == 0
               ? NULL
               : "registered with another gateway";
}

/* Writes down what the ledger said; the class to look at, NULL when the device is not ours. */
static struct catalog_class *note_device(struct follow *follow, const uint8_t device_id[KEY_LEN], bool found,
                                         const struct device_record *record) {
    struct site *site = follow->config.site;
    struct catalog_class *class = NULL;
    const char *why = stranger_because(follow, found, record, device_id);
    site_lock(site);
    struct fleet_device *device = fleet_find(site->fleet, device_id);
    if (device != NULL) {
        bool was_known = device->state == FLEET_KNOWN;
        device->queued = false;
        device->looked_up_mono_ms = clock_mono_ms();
        if (why == NULL && catalog_enter(site->catalog, record->class_id, &class) != OK) {
            why = "the gateway serves as many classes as it can";
        }
        if (why == NULL && fleet_accept(site->fleet, device, record) != OK) {
            why = "the gateway serves as many devices as it can";
        }
        if (why != NULL) {
            fleet_refuse(site->fleet, device, why);
            class = NULL;
        }
        site->fleet_changed = site->fleet_changed || was_known != (why == NULL);
        if (was_known != (why == NULL)) {
            log_event(LOG_INFO, why == NULL ? "device.accepted" : "device.refused",
                      log_hash("device", device_id, KEY_LEN), log_text("why", why != NULL ? why : ""));
        }
    }
    site_unlock(site);
    return class;
}

static void look_up(struct follow *follow, const uint8_t device_id[KEY_LEN]) {
    struct proven proven = PROVEN_INIT;
    struct device_record record;
    bool found = false;
    struct record_key key = device_key(device_id);
    site_lock(follow->config.site);
    bool asked_for = fleet_find(follow->config.site->fleet, device_id) != NULL;
    site_unlock(follow->config.site);
    if (!asked_for) {
        return; /* a stranger that gave way to newer ones: the sources are not asked for nothing */
    }
    enum err e = proven_get(follow->config.light, &key, &proven);
    if (e == OK) {
        struct state state = proven_state(&proven);
        e = device_get(&state, device_id, &record, &found);
    }
    proven_free(&proven);
    if (e == OK) {
        struct catalog_class *class = note_device(follow, device_id, found, &record);
        if (class != NULL) {
            follow_class_new_device(follow->classes, class, device_id);
        }
    } else {
        site_lock(follow->config.site);
        struct fleet_device *device = fleet_find(follow->config.site->fleet, device_id);
        if (device != NULL) {
            device->queued = false;
            device->looked_up_mono_ms = clock_mono_ms();
        }
        site_unlock(follow->config.site);
    }
    follow->config.changed(follow->config.ctx, device_id);
}

static void prove(struct follow *follow, const struct job *job) {
    if (follow_class_prove_status(follow->classes, job->update_id, job->device_id) == OK) {
        follow->config.changed(follow->config.ctx, job->device_id);
    }
}

static void do_job(struct follow *follow, const struct job *job) {
    switch (job->kind) {
    case JOB_LOOK_UP:
        look_up(follow, job->device_id);
        break;
    case JOB_PROVE:
        prove(follow, job);
        break;
    }
}

/* ---- The fleet's file ------------------------------------------------------------------------------------ */

/* Not sooner again than ten times what it took: a large fleet is written less often. */
static void save_fleet(struct follow *follow) {
    struct site *site = follow->config.site;
    struct buffer file = BUFFER_INIT;
    uint64_t start = clock_mono_ms();
    site_lock(site);
    bool changed = site->fleet_changed;
    if (changed) {
        fleet_encode(site->fleet, light_chain_id(follow->config.light), &file);
        site->fleet_changed = false;
    }
    site_unlock(site);
    if (changed) {
        enum err e = buffer_ok(&file);
        e = e == OK ? file_write_atomic(follow->fleet_file, buffer_bytes(&file), 0600) : e;
        if (e != OK) {
            log_event(LOG_ERROR, "fleet.not_saved", log_err(e), log_text("file", follow->fleet_file));
            site_lock(site);
            site->fleet_changed = true;
            site_unlock(site);
        }
    }
    buffer_free(&file);
    uint64_t now = clock_mono_ms(), pause = 10 * (now - start);
    follow->next_save_ms = now + (pause > FOLLOW_SAVE_MS ? pause : FOLLOW_SAVE_MS);
}

/* ---- The thread ------------------------------------------------------------------------------------------ */

static uint64_t round_due_ms(const struct follow *follow) {
    return follow->poked ? follow->earliest_round_ms : follow->next_round_ms;
}

/* Under the lock: sleeps until there is a job or a round is due. */
static void rest(struct follow *follow) {
    while (!follow->stopping && follow->job_count == 0 && clock_mono_ms() < round_due_ms(follow)) {
        uint64_t due_ms = round_due_ms(follow);
        const struct timespec until = {.tv_sec = (time_t)(due_ms / 1000), .tv_nsec = (long)(due_ms % 1000) * 1000000l};
        (void)pthread_cond_timedwait(&follow->wake, &follow->lock, &until);
    }
}

/* At once when an image could not be fetched: who has it may be new. */
static void look_at_nodes(struct follow *follow) {
    struct images_stats images;
    images_stats(follow->config.images, &images);
    image_sources_refresh(follow->config.image_sources, follow->config.light, images.failed != follow->images_failed);
    follow->images_failed = images.failed;
}

static void one_round(struct follow *follow) {
    struct site *site = follow->config.site;
    site_lock(site);
    size_t count = catalog_count(site->catalog);
    site_unlock(site);
    follow_class_head(follow->classes, count == 0);
    bool answered = true;
    for (size_t i = 0; i < count && answered; i++) {
        answered = follow_class_refresh(follow->classes, catalog_at(site->catalog, i));
    }
    follow_class_wish_images(follow->classes);
    if (answered) {
        look_at_nodes(follow);
    }
    follow->config.changed(follow->config.ctx, NULL);
}

static void *run(void *arg) {
    struct follow *follow = arg;
    (void)pthread_mutex_lock(&follow->lock);
    while (!follow->stopping) {
        rest(follow);
        bool round = clock_mono_ms() >= round_due_ms(follow);
        bool has_job = !follow->stopping && follow->job_count > 0;
        struct job job;
        if (has_job) {
            job = follow->jobs[follow->first_job];
            follow->first_job = (follow->first_job + 1) % FOLLOW_JOBS_MAX;
            follow->job_count--;
            follow->stats.look_ups += job.kind == JOB_LOOK_UP;
            follow->stats.proofs += job.kind == JOB_PROVE;
        }
        round = round && !follow->stopping;
        follow->poked = follow->poked && !round;
        follow->stats.rounds += round;
        (void)pthread_mutex_unlock(&follow->lock);
        if (has_job) {
            do_job(follow, &job);
        }
        if (round) {
            one_round(follow);
            follow->next_round_ms = clock_mono_ms() + follow->config.poll_ms;
            follow->earliest_round_ms = clock_mono_ms() + FOLLOW_GAP_MS;
        }
        if (clock_mono_ms() >= follow->next_save_ms) {
            save_fleet(follow);
        }
        (void)pthread_mutex_lock(&follow->lock);
    }
    (void)pthread_mutex_unlock(&follow->lock);
    return NULL;
}

static void wake_for_class(void *ctx, const uint8_t update_id[HASH_LEN], const uint8_t device_id[KEY_LEN]) {
    follow_prove(ctx, update_id, device_id);
}

enum err follow_new(const struct follow_config *config, struct follow **out) {
    struct follow *follow = calloc(1, sizeof *follow);
    pthread_condattr_t monotonic;
    if (follow == NULL) {
        return ERR_NOMEM;
    }
    follow->config = *config;
    (void)snprintf(follow->fleet_file, sizeof follow->fleet_file, "%s", config->fleet_file);
    (void)pthread_mutex_init(&follow->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&follow->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    const struct follow_class_config classes = {.light = config->light,
                                                .site = config->site,
                                                .images = config->images,
                                                .prove_later = wake_for_class,
                                                .ctx = follow};
    enum err e = follow_class_new(&classes, &follow->classes);
    if (e == OK && pthread_create(&follow->thread, NULL, run, follow) != 0) {
        e = ERR_NOMEM;
    }
    if (e != OK) {
        follow_free(follow);
        return e;
    }
    follow->running = true;
    *out = follow;
    return OK;
}

void follow_stop(struct follow *follow) {
    if (follow != NULL) {
        (void)pthread_mutex_lock(&follow->lock);
        follow->stopping = true;
        (void)pthread_cond_broadcast(&follow->wake);
        (void)pthread_mutex_unlock(&follow->lock);
    }
}

void follow_free(struct follow *follow) {
    if (follow == NULL) {
        return;
    }
    follow_stop(follow);
    if (follow->running) {
        (void)pthread_join(follow->thread, NULL);
        save_fleet(follow);
    }
    follow_class_free(follow->classes);
    (void)pthread_cond_destroy(&follow->wake);
    (void)pthread_mutex_destroy(&follow->lock);
    free(follow);
}

void follow_stats(struct follow *follow, struct follow_stats *out) {
    (void)pthread_mutex_lock(&follow->lock);
    *out = follow->stats;
    (void)pthread_mutex_unlock(&follow->lock);
}
