#include "node/home/home_backup.h"

#include "base/clock.h"
#include "base/file.h"
#include "node/host/host_crypto.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_TRIES 3 /* the node may prune while its log is copied */
#define GENESIS_MAX (16u << 20)

struct backup {
    const struct daemon_home *home;
    struct home_backup_report *report;
    struct why *why;
    char partial[CONFIG_PATH_MAX];
};

static enum err path_in(const struct backup *b, const char *name, char out[CONFIG_PATH_MAX]) {
    int n = snprintf(out, CONFIG_PATH_MAX, "%s/%s", b->partial, name);
    return n > 0 && n < CONFIG_PATH_MAX ? OK : ERR_TOOLARGE;
}

static enum err say(const struct backup *b, enum err e, const char *what, const char *detail) {
    if (e != OK && !why_said(b->why)) {
        why_set(b->why, "%s: %s", what, detail != NULL && detail[0] != '\0' ? detail : err_text(e));
    }
    return e;
}

static enum err make_folder(const struct backup *b, const char *name) {
    char path[CONFIG_PATH_MAX];
    enum err e = path_in(b, name, path);
    if (e == OK) {
        e = dir_make_new(path);
    }
    return say(b, e, path, NULL);
}

/* ---- Parts ------------------------------------------------------------------------------------------------------- */

/* Opens the state that was copied and reads its head. */
static enum err check_state(const struct backup *b, struct chain_store_head *out_head, uint64_t *out_bodies) {
    char state[CONFIG_PATH_MAX];
    struct kv_backend backend;
    struct kv *kv = NULL;
    struct kv_view *view = NULL;
    enum err e = path_in(b, "data/state", state);
    if (e == OK) {
        e = kv_lmdb_look(state, HOME_MAP_BYTES, &backend);
    }
    if (e == OK) {
        e = kv_open(backend, &kv);
    }
    if (e == OK) {
        e = kv_view_open(kv, &view);
    }
    if (e == OK) {
        e = chain_store_head(&host_crypto, view, out_head);
    }
    if (e == OK) {
        e = chain_store_bodies(view, out_bodies);
    }
    kv_view_close(view);
    kv_close(kv);
    return say(b, e, "the copied state", kv_lmdb_error());
}

static enum err copy_state(const struct backup *b, const struct home_look *look) {
    char state[CONFIG_PATH_MAX];
    enum err e = path_in(b, "data/state", state);
    if (e == OK) {
        e = say(b, kv_lmdb_copy(&look->backend, state), "copying the state", kv_lmdb_error());
    }
    return e == OK ? check_state(b, &b->report->head, &b->report->bodies_from) : e;
}

static void remove_name(void *arg, const char *name) {
    char path[CONFIG_PATH_MAX + DISK_NAME_MAX + 1];
    (void)snprintf(path, sizeof path, "%s/%s", (const char *)arg, name);
    (void)unlink(path);
}

/* One try: the log as it is now, which reaches at least as far as the state that was copied before. */
static enum err try_log(const struct backup *b, const char *from, const char *to) {
    struct disk disk = disk_posix();
    struct seglog *log = NULL;
    size_t segments;
    enum err e = home_look_log(from, b->report->head.header.height, &log, b->why);
    if (e == OK) {
        e = seglog_copy(log, &disk, to);
    }
    if (e == OK) {
        b->report->log_height = seglog_last(log);
        e = seglog_size(log, &b->report->bytes, &segments);
    }
    seglog_close(log);
    return e;
}

static enum err copy_log(const struct backup *b) {
    char from[CONFIG_PATH_MAX], to[CONFIG_PATH_MAX];
    struct disk disk = disk_posix();
    enum err e = home_path(b->home, "blocks", from);
    if (e == OK) {
        e = path_in(b, "data/blocks", to);
    }
    if (e != OK) {
        return say(b, e, "path", NULL);
    }
    e = try_log(b, from, to);
    for (int i = 1; i < LOG_TRIES && e == ERR_NOTFOUND; i++) {
        *b->why = WHY_NONE;
        e = disk.ops->list(disk.ctx, to, remove_name, to);
        e = e == OK ? try_log(b, from, to) : e;
    }
    return say(b, e, "copying the block log", seglog_error());
}

/* Every record of the copy is read: what can't be read back is no backup. */
static enum err check_log(const struct backup *b) {
    char dir[CONFIG_PATH_MAX];
    struct seglog *log = NULL;
    enum err e = path_in(b, "data/blocks", dir);
    const struct seglog_config config = {
        .disk = disk_posix_look(), .dir = dir, .stem = "block", .segment_bytes = HOME_BLOCK_SEGMENT_BYTES};
    if (e == OK) {
        e = seglog_open(&config, NULL, NULL, &log);
    }
    if (e == OK && (seglog_last(log) != b->report->log_height ||
                    (seglog_last(log) > 0 && seglog_first(log) > b->report->bodies_from))) {
        e = ERR_MISMATCH;
    }
    seglog_close(log);
    return say(b, e, "the copied block log", seglog_error());
}

static enum err copy_settings(const struct backup *b) {
    struct why text = WHY_NONE;
    char from[CONFIG_PATH_MAX], to[CONFIG_PATH_MAX];
    struct buffer conf = BUFFER_INIT, genesis = BUFFER_INIT;
    struct config config;
    enum err e = config_resolve(b->home->path, "assay.conf", from);
    if (e == OK) {
        e = file_read(from, CONFIG_FILE_MAX, &conf);
    }
    if (e == OK) {
        e = config_parse(buffer_bytes(&conf), &config, &text);
    }
    if (e == OK) {
        config.node.role = NODE_OBSERVER;
        (void)snprintf(config.node.genesis, sizeof config.node.genesis, "genesis.json");
        e = path_in(b, "assay.conf", to);
    }
    if (e == OK) {
        e = config_write(&config, to);
    }
    (void)say(b, e, "assay.conf", text.text);
    if (e == OK) {
        e = file_read(b->home->config.node.genesis, GENESIS_MAX, &genesis);
    }
    if (e == OK) {
        e = path_in(b, "genesis.json", to);
    }
    if (e == OK) {
        e = file_write_atomic(to, buffer_bytes(&genesis), 0644);
    }
    buffer_free(&conf);
    buffer_free(&genesis);
    return say(b, e, "genesis.json", NULL);
}

static enum err write_manifest(const struct backup *b) {
    char path[CONFIG_PATH_MAX], chain[2 * HASH_LEN + 1], hash[2 * HASH_LEN + 1], root[2 * HASH_LEN + 1];
    const struct chain_store_head *head = &b->report->head;
    hex_encode(head->header.chain_id, CHAIN_ID_LEN, chain);
    hex_encode(head->hash, HASH_LEN, hash);
    hex_encode(head->header.state_root, HASH_LEN, root);
    json_t *manifest =
        json_pack("{s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:s}", "format", "assay-backup-1", "chain_id", chain,
                  "height", (json_int_t)head->header.height, "hash", hash, "state_root", root, "bodies_from",
                  (json_int_t)b->report->bodies_from, "log_height", (json_int_t)b->report->log_height, "made_ms",
                  (json_int_t)clock_wall_ms(), "version", ASSAY_VERSION);
    char *text = manifest != NULL ? json_dumps(manifest, JSON_INDENT(2)) : NULL;
    enum err e = text != NULL ? path_in(b, "backup.json", path) : ERR_NOMEM;
    if (e == OK) {
        e = file_write_atomic(path, bytes_of(text, strlen(text)), 0644);
    }
    free(text);
    json_decref(manifest);
    return say(b, e, "backup.json", NULL);
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

static enum err sync_folders(const struct backup *b) {
    static const char *const names[] = {"data/state", "data/blocks", "data", "."};
    enum err e = OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && e == OK; i++) {
        char path[CONFIG_PATH_MAX];
        e = path_in(b, names[i], path);
        e = e == OK ? dir_sync(path) : e;
    }
    return say(b, e, b->partial, NULL);
}

/* The folder gets its name when all of it is there. */
static enum err give_name(const struct backup *b, const char *dir) {
    char parent[CONFIG_PATH_MAX];
    (void)snprintf(parent, sizeof parent, "%s", dir);
    char *slash = strrchr(parent, '/');
    if (slash != NULL) {
        slash[slash == parent ? 1 : 0] = '\0';
    }
    enum err e = rename(b->partial, dir) == 0 ? OK : err_from_errno(errno);
    if (e == OK) {
        e = dir_sync(slash != NULL ? parent : ".");
    }
    return say(b, e, dir, NULL);
}

static enum err begin(struct backup *b, const char *dir) {
    struct stat st;
    int n = snprintf(b->partial, sizeof b->partial, "%s.partial", dir);
    if (n < 0 || (size_t)n >= sizeof b->partial) {
        return say(b, ERR_TOOLARGE, dir, "the path is too long");
    }
    if (lstat(dir, &st) == 0) {
        return say(b, ERR_EXISTS, dir, "it exists already; a backup is never written over anything");
    }
    if (lstat(b->partial, &st) == 0) {
        return say(b, ERR_EXISTS, b->partial, "left by a backup that did not end; remove it first");
    }
    static const char *const folders[] = {"", "data", "data/state", "data/blocks"};
    enum err e = OK;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && e == OK; i++) {
        e = make_folder(b, folders[i]);
    }
    return e;
}

enum err home_backup(const struct daemon_home *home, const char *dir, struct home_backup_report *out, struct why *why) {
    struct home_backup_report report = {0};
    struct backup b = {.home = home, .report = &report, .why = why};
    struct home_look look = {0};
    *why = WHY_NONE;
    enum err e = home_look_open(home, &look, why);
    if (e == OK) {
        e = begin(&b, dir);
    }
    if (e == OK) {
        e = copy_state(&b, &look);
    }
    home_look_close(&look);
    enum err (*const steps[])(const struct backup *) = {copy_log,     check_log,      copy_settings,
                                                        sync_folders, write_manifest, sync_folders};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && e == OK; i++) {
        e = steps[i](&b);
    }
    if (e == OK) {
        e = give_name(&b, dir);
    }
    if (e == OK) {
        *out = report;
    }
    return e;
}
