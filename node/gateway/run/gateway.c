/* A gateway: the light client, what stands on it, and the device protocol in front. The main thread waits for signals.
 */
#include "node/gateway/run/gateway.h"

#include "base/clock.h"
#include "base/file.h"
#include "node/fetch/blob_fetch.h"
#include "node/gateway/run/gateway_api.h"
#include "node/gateway/links/link_http.h"
#include "node/genesis/checkpoint_file.h"
#include "node/home/home_chain.h"
#include "node/host/log.h"
#include "node/host/notify.h"
#include "node/http/listen.h"
#include "store/home_lock.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_SEGMENT_BYTES (4u << 20)
#define WATCH_S 1               /* how often the log is told of what is wrong now */
#define DEVICE_POLLS_PER_POLL 5 /* devices ask this much less often than the gateway itself does */

struct gateway {
    struct daemon_home *home;
    struct lifecycle *life;
    struct why *why;
    sigset_t signals;
    struct home_lock *lock;
    struct light *light;
    struct site site;
    struct repo *repo;
    struct image_sources *image_sources;
    struct images *images;
    struct statement_queue *queue;
    struct follow *follow;
    struct uplink *uplink;
    struct device_door *devices;
    struct source_watch *watch;
    struct http_server *server;
    struct gateway_api api;
    char fleet_file[CONFIG_PATH_MAX];
};

static enum err say(struct gateway *g, enum err e, const char *what, const char *detail) {
    if (e != OK && !why_said(g->why)) {
        why_set(g->why, "%s: %s", what, detail != NULL && detail[0] != '\0' ? detail : err_text(e));
    }
    return e;
}

/* ---- What the parts tell each other ---------------------------------------------------------------------- */

static void on_changed(void *ctx, const uint8_t *device_id) {
    struct gateway *g = ctx;
    device_door_changed(g->devices, device_id);
}

static void on_settled(void *ctx, const struct uplink_result *result) {
    struct gateway *g = ctx;
    device_door_settled(g->devices, result);
}

static void on_event(void *ctx) {
    struct gateway *g = ctx;
    follow_poke(g->follow);
}

/* An image is here: releases that wait for it can be offered. */
static void on_image(void *ctx, const struct cid *root) {
    struct gateway *g = ctx;
    uint8_t cid[CID_LEN];
    cid_encode(root, cid);
    site_lock(&g->site);
    for (size_t i = 0; i < catalog_count(g->site.catalog); i++) {
        struct catalog_release *release = catalog_at(g->site.catalog, i)->release;
        if (release != NULL && memcmp(release->image_cid, cid, CID_LEN) == 0) {
            release->image_here = true;
        }
    }
    site_unlock(&g->site);
    follow_poke(g->follow);
}

/* ---- Opening --------------------------------------------------------------------------------------------- */

/* Before any thread, so that all of them leave the signals to the main one. */
static enum err block_signals(struct gateway *g) {
    (void)sigemptyset(&g->signals);
    (void)sigaddset(&g->signals, SIGTERM);
    (void)sigaddset(&g->signals, SIGINT);
    (void)sigaddset(&g->signals, SIGHUP);
    return pthread_sigmask(SIG_BLOCK, &g->signals, NULL) == 0 ? OK : say(g, ERR_UNSUPPORTED, "signals", NULL);
}

static enum err open_home(struct gateway *g) {
    char dir[CONFIG_PATH_MAX];
    enum err e = home_path(g->home, "", dir);
    if (e == OK) {
        e = dir_make(dir);
    }
    if (e == OK) {
        e = home_lock_take(dir, &g->lock);
    }
    return say(g, e, dir, e == ERR_BUSY ? "another node runs on this home; stop it first" : NULL);
}

static const char *light_words(enum err e) {
    switch (e) {
    case ERR_CONFIG:
        return "gateway.sources must be http:// or https:// URLs";
    case ERR_CORRUPT:
        return "data/light is damaged, or genesis.json is not that of the chain it follows: put the right one back, or "
               "remove data/light to begin anew";
    case ERR_MISMATCH:
        return "gateway.checkpoint is of another chain; make one of this";
    case ERR_INVALID:
        return "gateway.checkpoint contradicts what this gateway has followed (data/light): one of them is of a forged "
               "history; compare with other organisations, and remove data/light if the checkpoint is theirs";
    case ERR_DENIED:
        return "TRUST_EXPIRED: the newest block this gateway trusts is older than 90 days by its clock; if the clock "
               "is right, set gateway.checkpoint to a recent one ('assay checkpoint make', on the machine of somebody "
               "you trust)";
    default:
        return NULL;
    }
}

/* What no other start mends is named as what it is (node/host/exit_status.h): a setting, or something to look into. */
static enum err trust_error(enum err e) {
    switch (e) {
    case ERR_MISMATCH:
    case ERR_DENIED:
        return ERR_CONFIG;
    case ERR_INVALID:
        return ERR_CORRUPT;
    default:
        return e;
    }
}

static enum err open_light(struct gateway *g) {
    const struct config *config = &g->home->config;
    struct why why = WHY_NONE;
    char file[CONFIG_PATH_MAX];
    struct checkpoint_file *pinned = calloc(1, sizeof *pinned);
    enum err e = pinned != NULL ? home_path(g->home, "light", file) : ERR_NOMEM;
    bool has_pin = config->gateway.checkpoint[0] != '\0';
    if (e == OK && has_pin) {
        e = say(g, checkpoint_file_load(config->gateway.checkpoint, NULL, pinned, &why), "gateway.checkpoint",
                why.text);
        e = e == OK || e == ERR_NOMEM ? e : ERR_CONFIG;
    }
    const struct light_config light = {.genesis = &g->home->genesis,
                                       .sources = &config->gateway.sources,
                                       .state_file = file,
                                       .freshness_ms = config->gateway.freshness_ms,
                                       .checkpoint = has_pin && e == OK ? &pinned->checkpoint : NULL};
    if (e == OK) {
        e = light_new(&light, &g->light);
    }
    free(pinned);
    return trust_error(say(g, e, "light client", light_words(e)));
}

/* Every class with a device is followed from the start. */
static bool enter_class(void *arg, struct fleet_device *device) {
    struct gateway *g = arg;
    struct catalog_class *class;
    return catalog_enter(g->site.catalog, device->class_id, &class) == OK;
}

/* Nothing where there is no file yet. */
static enum err read_fleet(struct gateway *g) {
    struct buffer file = BUFFER_INIT;
    enum err e = file_read(g->fleet_file, FLEET_FILE_MAX, &file);
    if (e == OK) {
        e = fleet_decode(g->site.fleet, light_chain_id(g->light), buffer_bytes(&file));
    } else if (e == ERR_NOTFOUND) {
        e = OK;
    }
    buffer_free(&file);
    return e;
}

static enum err open_site(struct gateway *g) {
    enum err e = home_path(g->home, "fleet", g->fleet_file);
    if (e == OK) {
        e = fleet_new(&g->site.fleet);
    }
    if (e == OK) {
        e = catalog_new(&g->site.catalog);
    }
    if (e == OK) {
        e = read_fleet(g);
    }
    if (e == OK) {
        fleet_each(g->site.fleet, enter_class, g);
    }
    return say(g, e, g->fleet_file,
               e == ERR_CORRUPT || e == ERR_MISMATCH
                   ? "damaged or of another chain; remove it: devices are looked up again when they say hello"
                   : NULL);
}

/* Images may come from anybody: only the hash counts. */
static enum err open_images(struct gateway *g) {
    const struct config *config = &g->home->config;
    char dir[CONFIG_PATH_MAX];
    enum err e = image_sources_new(&config->gateway.sources, &g->home->genesis, &g->image_sources);
    if (e == OK) {
        e = home_path(g->home, "blobs", dir);
    }
    const struct repo_config repo = {.dir = dir, .max_image_bytes = config->blobs.max_image_bytes};
    if (e == OK) {
        e = repo_open(&repo, &g->repo);
    }
    const struct images_config images = {.repo = g->repo,
                                         .sources = g->image_sources,
                                         .cache_bytes = config->gateway.cache_bytes,
                                         .arrived = on_image,
                                         .ctx = g};
    if (e == OK) {
        e = images_new(&images, &g->images);
    }
    return say(g, e, "image cache", NULL);
}

static enum err open_queue(struct gateway *g) {
    char dir[CONFIG_PATH_MAX];
    enum err e = home_path(g->home, "statements", dir);
    const struct statement_queue_config config = {
        .disk = disk_posix(), .dir = dir, .segment_bytes = QUEUE_SEGMENT_BYTES};
    if (e == OK) {
        e = dir_make(dir);
    }
    if (e == OK) {
        e = statement_queue_open(&config, &g->queue);
    }
    return say(g, e, "statement queue", e == ERR_CORRUPT ? "data/statements is damaged" : NULL);
}

/* The parts call each other, so the door for devices is there before the threads that tell it things. */
static enum err open_threads(struct gateway *g) {
    const struct config *config = &g->home->config;
    g->api.parts =
        (struct device_door_config){.light = g->light,
                                    .site = &g->site,
                                    .images = g->images,
                                    .queue = g->queue,
                                    .device_poll_ms = (uint32_t)(config->gateway.poll_ms * DEVICE_POLLS_PER_POLL)};
    const struct follow_config follow = {.light = g->light,
                                         .site = &g->site,
                                         .images = g->images,
                                         .image_sources = g->image_sources,
                                         .gateway_key = g->home->key,
                                         .fleet_file = g->fleet_file,
                                         .poll_ms = config->gateway.poll_ms,
                                         .changed = on_changed,
                                         .ctx = g};
    const struct uplink_config uplink = {.light = g->light,
                                         .queue = g->queue,
                                         .sources = &config->gateway.sources,
                                         .secret = (const uint8_t(*)[ED25519_SECRET_LEN]) & g->home->secret,
                                         .settled = on_settled,
                                         .ctx = g};
    const struct source_watch_config watch = {.sources = &config->gateway.sources, .poke = on_event, .ctx = g};
    enum err e = device_door_new(&g->api.parts, &g->devices);
    if (e == OK) {
        e = follow_new(&follow, &g->follow);
    }
    if (e == OK) {
        e = uplink_new(&uplink, &g->uplink);
    }
    if (e == OK) {
        e = source_watch_new(&watch, &g->watch);
    }
    if (e == OK) {
        g->api.parts.follow = g->follow;
        g->api.parts.uplink = g->uplink;
        device_door_attach(g->devices, g->follow, g->uplink);
    }
    return say(g, e, "threads", NULL);
}

static enum err open_http(struct gateway *g) {
    const struct config *config = &g->home->config;
    struct http_config http;
    struct why why = WHY_NONE;
    if (!listen_settings(config, &http, g->why)) {
        return ERR_CONFIG;
    }
    g->api.devices = g->devices;
    g->api.watch = g->watch;
    g->api.config = config;
    g->api.chain = g->home->genesis.name;
    g->api.started_mono_ms = clock_mono_ms();
    memcpy(g->api.node_key, g->home->key, sizeof g->api.node_key);
    enum err e = http_server_new(&http, &g->server);
    g->api.server = g->server;
    if (e == OK) {
        e = link_http_routes(g->devices, g->server);
    }
    if (e == OK) {
        e = gateway_api_routes(&g->api, g->server);
    }
    if (e == OK) {
        e = http_server_start(g->server, &why);
    }
    return say(g, e, config->http.listen, why.text);
}

static enum err announce(struct gateway *g) {
    char url[HTTP_LISTEN_MAX + 16];
    struct light_head head;
    light_head(g->light, &head);
    lifecycle_move(g->life, LIFECYCLE_SERVES);
    (void)snprintf(url, sizeof url, "%s://%s", http_server_has_tls(g->server) ? "https" : "http",
                   http_server_address(g->server));
    log_event(LOG_INFO, "node.ready", log_text("role", node_role_names[NODE_GATEWAY]), log_text("http", url),
              log_number("devices", fleet_count(g->site.fleet)), log_number("queued", statement_queue_count(g->queue)),
              log_number("height", head.height));
    enum err e = notify_ready("", url, head.height);
    if (e != OK) { /* nobody who would hear it: it serves all the same */
        log_event(LOG_WARN, "notify.failed", log_text("state", "ready"), log_err(e));
    }
    return OK;
}

/* ---- Running --------------------------------------------------------------------------------------------- */

/* Until a signal asks for the end. */
static void wait_for_the_end(struct gateway *g) {
    const struct timespec pause = {.tv_sec = WATCH_S};
    for (int number = 0; number != SIGTERM && number != SIGINT;) {
        number = sigtimedwait(&g->signals, NULL, &pause);
        if (number == SIGHUP && daemon_home_reload(g->home)) {
            listen_reload(&g->home->config, g->server);
        }
        gateway_api_tell_alarm(&g->api);
    }
}

/* All are told to end before any is waited for, so that the longest call in the network is waited for once. */
static void shut_down(struct gateway *g) {
    http_server_stop(g->server);
    light_stop(g->light);
    images_stop(g->images);
    if (g->follow != NULL) {
        follow_stop(g->follow);
    }
    uplink_stop(g->uplink);
    source_watch_free(g->watch);
    /* What follows the ledger and what fetches images call each other: neither goes before both have ended. */
    images_join(g->images);
    uplink_free(g->uplink);
    follow_free(g->follow);
    images_free(g->images);
    image_sources_free(g->image_sources);
    device_door_free(g->devices);
    http_server_free(g->server);
    statement_queue_close(g->queue);
    repo_close(g->repo);
    catalog_free(g->site.catalog);
    fleet_free(g->site.fleet);
    light_free(g->light);
    home_lock_release(g->lock);
    (void)pthread_mutex_destroy(&g->site.lock);
}

enum err gateway_run(struct daemon_home *home, struct lifecycle *life, struct why *why) {
    struct gateway *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return ERR_NOMEM;
    }
    g->home = home;
    g->life = life;
    g->why = why;
    (void)pthread_mutex_init(&g->site.lock, NULL);
    enum err (*const steps[])(struct gateway *) = {block_signals, open_home,    open_light, open_site, open_images,
                                                   open_queue,    open_threads, open_http,  announce};
    enum err e = OK;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && e == OK; i++) {
        e = steps[i](g);
    }
    if (e == OK) {
        wait_for_the_end(g);
        lifecycle_move(life, LIFECYCLE_TOLD_TO_STOP);
        (void)!notify_send("STOPPING=1");
    }
    shut_down(g);
    log_event(e == OK ? LOG_INFO : LOG_ERROR, "node.stopped", log_text("result", err_name(e)));
    free(g);
    return e;
}
