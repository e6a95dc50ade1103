#include "node/home/home_look.h"

#include "node/host/host_crypto.h"
#include "store/home_lock.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

/* A log that is written while it is opened may look torn for a moment: a record that is not whole yet, with a whole one
 * behind it. Such a place moves on; damage stays. */
#define LOG_TRIES 5
#define LOG_RETRY_NS 50000000L

enum err home_look_log(const char *dir, uint64_t head, struct seglog **out, struct why *why) {
    const struct seglog_config config = {.disk = disk_posix_look(),
                                         .dir = dir,
                                         .stem = "block",
                                         .segment_bytes = HOME_BLOCK_SEGMENT_BYTES,
                                         .trusted_below = head + 1};
    enum err e = OK;
    for (int i = 0; i < LOG_TRIES; i++) {
        e = seglog_open(&config, NULL, NULL, out);
        if (e != ERR_CORRUPT && e != ERR_NOTFOUND) {
            break;
        }
        const struct timespec pause = {0, LOG_RETRY_NS};
        (void)nanosleep(&pause, NULL);
    }
    if (e != OK) {
        why_set(why, "block log: %s", seglog_error()[0] != '\0' ? seglog_error() : err_text(e));
    }
    return e;
}

static enum err open_view(const char *dir, struct home_look *out, struct why *why) {
    enum err e = kv_lmdb_look(dir, HOME_MAP_BYTES, &out->backend);
    if (e == OK) {
        e = kv_open(out->backend, &out->kv);
    }
    if (e == OK) {
        e = kv_view_open(out->kv, &out->view);
    }
    if (e == OK) {
        e = chain_store_head(&host_crypto, out->view, &out->head);
    }
    if (e == ERR_NOTFOUND) {
        why_set(why, "%s holds no ledger: start the node once, it makes it from genesis.json and the block log", dir);
    } else if (e == ERR_UNSUPPORTED) {
        why_set(why,
                "%s was written by another version of the program: move it away and start the node, which makes "
                "it again from the block log",
                dir);
    } else if (e != OK) {
        why_set(why, "%s: %s", dir, kv_lmdb_error()[0] != '\0' ? kv_lmdb_error() : err_text(e));
    }
    return e;
}

enum err home_look_open(const struct daemon_home *home, struct home_look *out, struct why *why) {
    char data[CONFIG_PATH_MAX], state[CONFIG_PATH_MAX], blocks[CONFIG_PATH_MAX];
    *out = (struct home_look){0};
    enum err e = home_path(home, "", data);
    if (e == OK) {
        e = home_path(home, "state", state);
    }
    if (e == OK) {
        e = home_path(home, "blocks", blocks);
    }
    if (e != OK) {
        why_set(why, "the home's path is too long");
        return e;
    }
    if (home_lock_holder(data, &out->pid) != OK) {
        out->pid = 0;
    }
    /* The view first: what the log has then reaches at least as far. */
    e = open_view(state, out, why);
    if (e == OK) {
        e = home_look_log(blocks, out->head.header.height, &out->log, why);
    }
    if (e != OK) {
        home_look_close(out);
    }
    return e;
}

void home_look_close(struct home_look *look) {
    seglog_close(look->log);
    kv_view_close(look->view);
    kv_close(look->kv);
    *look = (struct home_look){0};
}
