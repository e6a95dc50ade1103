#include "node/snapshot/snapshots.h"

#include "base/clock.h"
#include "base/file.h"
#include "node/host/host_crypto.h"
#include "node/host/log.h"
#include "node/snapshot/snapshot_make.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAKER_NICE 19

struct snapshots {
    struct chain *chain;
    char *dir;
    uint64_t interval;
    pthread_t thread;
    bool thread_runs;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct snapshots_entry kept[SNAPSHOTS_KEPT]; /* newest first */
    size_t kept_count;
    uint64_t last_height;   /* of the newest that was made or tried */
    struct chain_view view; /* handed over, not yet taken */
    bool has_view;
    bool busy; /* has_view, or the thread is at work */
    bool stop;
};

static bool stopping(void *arg) {
    struct snapshots *s = arg;
    (void)pthread_mutex_lock(&s->lock);
    bool stop = s->stop;
    (void)pthread_mutex_unlock(&s->lock);
    return stop;
}

/* ---- The folder -------------------------------------------------------------------------------------------------- */

static enum err path_of(const struct snapshots *s, const char *name, const char *file, char out[SNAPSHOT_PATH_MAX]) {
    int n = snprintf(out, SNAPSHOT_PATH_MAX, "%s/%s%s%s", s->dir, name, file[0] != '\0' ? "/" : "", file);
    return n > 0 && n < SNAPSHOT_PATH_MAX ? OK : ERR_TOOLARGE;
}

static enum err read_entry(const struct snapshots *s, const char *name, struct snapshots_entry *out) {
    char path[SNAPSHOT_PATH_MAX];
    struct buffer encoded = BUFFER_INIT;
    struct snapshot_manifest manifest = {0};
    struct block_header header;
    struct bytes finalization;
    enum err e = path_of(s, name, SNAPSHOT_MANIFEST_NAME, path);
    if (e == OK) {
        e = file_read(path, SNAPSHOT_MANIFEST_MAX, &encoded);
    }
    if (e == OK) {
        e = snapshot_manifest_decode(&host_crypto, buffer_bytes(&encoded), &manifest);
    }
    if (e == OK) {
        e = snapshot_epochs(&manifest, NULL, NULL, &header, &finalization);
    }
    if (e == OK && memcmp(header.chain_id, chain_id(s->chain), CHAIN_ID_LEN) != 0) {
        e = ERR_MISMATCH; /* of the chain that this one took over from */
    }
    if (e == OK) {
        *out = (struct snapshots_entry){.height = manifest.height,
                                        .time_ms = header.time_ms,
                                        .bytes = snapshot_bytes(&manifest),
                                        .manifest_bytes = encoded.len,
                                        .chunks = snapshot_chunk_count(&manifest)};
        memcpy(out->block, manifest.block, HASH_LEN);
        memcpy(out->content, manifest.content, HASH_LEN);
    }
    snapshot_manifest_free(&manifest);
    buffer_free(&encoded);
    return e;
}

static void remove_snapshot(const struct snapshots *s, const char *name) {
    char path[SNAPSHOT_PATH_MAX];
    enum err e = path_of(s, name, "", path);
    if (e == OK) {
        e = snapshot_remove_folder(path);
    }
    if (e != OK) {
        log_event(LOG_WARN, "snapshot.remove", log_text("name", name), log_err(e));
    }
}

/* Takes an entry into the list; the one that has to go is removed. The caller holds the lock or is alone. */
static void keep(struct snapshots *s, const struct snapshots_entry *entry) {
    size_t at = 0;
    while (at < s->kept_count && s->kept[at].height > entry->height) {
        at++;
    }
    const struct snapshots_entry *gone = at == SNAPSHOTS_KEPT ? entry : NULL;
    struct snapshots_entry last = s->kept[SNAPSHOTS_KEPT - 1];
    if (gone == NULL) {
        gone = s->kept_count == SNAPSHOTS_KEPT ? &last : NULL;
        size_t moved = (s->kept_count < SNAPSHOTS_KEPT ? s->kept_count : SNAPSHOTS_KEPT - 1) - at;
        memmove(&s->kept[at + 1], &s->kept[at], moved * sizeof s->kept[0]);
        s->kept[at] = *entry;
        s->kept_count += s->kept_count < SNAPSHOTS_KEPT;
    }
    if (gone != NULL) {
        char name[24];
        (void)snprintf(name, sizeof name, "%llu", (unsigned long long)gone->height);
        remove_snapshot(s, name);
    }
}

static bool is_height(const char *name) {
    size_t len = strlen(name);
    return len > 0 && len < 20 && strspn(name, "0123456789") == len;
}

static enum err scan(struct snapshots *s) {
    DIR *dir = opendir(s->dir);
    if (dir == NULL) {
        return err_from_errno(errno);
    }
    for (const struct dirent *d = readdir(dir); d != NULL; d = readdir(dir)) {
        struct snapshots_entry entry;
        if (d->d_name[0] == '.') {
            continue;
        }
        if (is_height(d->d_name) && read_entry(s, d->d_name, &entry) == OK) {
            keep(s, &entry);
        } else {
            remove_snapshot(s, d->d_name);
        }
    }
    (void)closedir(dir);
    s->last_height = s->kept_count > 0 ? s->kept[0].height : 0;
    return OK;
}

/* ---- Making ------------------------------------------------------------------------------------------------------ */

static void make_one(struct snapshots *s, struct chain_view *view) {
    const struct snapshot_make_config config = {
        .chain = s->chain, .view = view, .dir = s->dir, .stop = stopping, .arg = s};
    uint64_t height = view->head.header.height, started_ms = clock_mono_ms();
    char name[24];
    struct snapshots_entry entry;
    (void)snprintf(name, sizeof name, "%llu", (unsigned long long)height);
    enum err e = snapshot_make(&config);
    if (e == OK) {
        e = read_entry(s, name, &entry);
    }
    (void)pthread_mutex_lock(&s->lock);
    if (e == OK) {
        keep(s, &entry);
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (e == OK) {
        log_event(LOG_INFO, "snapshot.made", log_number("height", height), log_number("bytes", entry.bytes),
                  log_number("chunks", entry.chunks), log_number("ms", clock_mono_ms() - started_ms));
    } else if (e != ERR_CLOSED && e != ERR_EXISTS) {
        log_event(LOG_WARN, "snapshot.failed", log_number("height", height), log_err(e));
    }
}

static void *run(void *arg) {
    struct snapshots *s = arg;
    /* It has all the time there is: the ledger goes first. On Linux a thread has a niceness of its own. */
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), MAKER_NICE);
    (void)pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        if (!s->has_view) {
            (void)pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        struct chain_view view = s->view;
        s->has_view = false;
        (void)pthread_mutex_unlock(&s->lock);
        make_one(s, &view);
        chain_view_close(&view);
        (void)pthread_mutex_lock(&s->lock);
        s->busy = false;
    }
    if (s->has_view) {
        chain_view_close(&s->view);
        s->has_view = false;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Claims the thread for a view that comes next. */
static bool claim(struct snapshots *s, uint64_t height) {
    (void)pthread_mutex_lock(&s->lock);
    bool free = !s->busy && !s->stop && height > s->last_height;
    s->busy = s->busy || free;
    (void)pthread_mutex_unlock(&s->lock);
    return free;
}

/* Hands the view over, or gives the claim back when there is none. */
static void hand_over(struct snapshots *s, const struct chain_view *view) {
    (void)pthread_mutex_lock(&s->lock);
    if (view != NULL) {
        s->view = *view;
        s->has_view = true;
        s->last_height = view->head.header.height;
        (void)pthread_cond_signal(&s->changed);
    } else {
        s->busy = false;
    }
    (void)pthread_mutex_unlock(&s->lock);
}

static void make_of_head(struct snapshots *s, uint64_t height) {
    struct chain_view view;
    if (claim(s, height)) {
        enum err e = chain_view_open(s->chain, &view);
        hand_over(s, e == OK ? &view : NULL);
    }
}

void snapshots_tick(struct snapshots *snapshots) {
    uint64_t height = chain_head(snapshots->chain)->header.height;
    if (snapshots->interval == 0 || height < snapshots->interval) {
        return;
    }
    (void)pthread_mutex_lock(&snapshots->lock);
    bool due = height / snapshots->interval > snapshots->last_height / snapshots->interval;
    (void)pthread_mutex_unlock(&snapshots->lock);
    if (due) {
        make_of_head(snapshots, height);
    }
}

/* Makes one of a view, which it takes over in any case. */
static void offer(struct snapshots *snapshots, struct chain_view *view) {
    if (claim(snapshots, view->head.header.height)) {
        hand_over(snapshots, view);
    } else {
        chain_view_close(view);
    }
}

bool snapshots_want(struct snapshots *snapshots) {
    struct chain_view view;
    (void)pthread_mutex_lock(&snapshots->lock);
    bool none = snapshots->kept_count == 0, busy = snapshots->busy;
    (void)pthread_mutex_unlock(&snapshots->lock);
    if (!none || busy) {
        return busy;
    }
    if (chain_view_open(snapshots->chain, &view) != OK) {
        return false;
    }
    if (view.head.header.height < SNAPSHOTS_WORTH_BLOCKS) {
        chain_view_close(&view);
        return false;
    }
    offer(snapshots, &view);
    (void)pthread_mutex_lock(&snapshots->lock);
    busy = snapshots->busy;
    (void)pthread_mutex_unlock(&snapshots->lock);
    return busy;
}

/* ---- Life -------------------------------------------------------------------------------------------------------- */

enum err snapshots_open(const struct snapshots_config *config, struct snapshots **out) {
    struct snapshots *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->chain = config->chain;
    s->interval = config->interval_blocks;
    s->dir = strdup(config->dir);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->changed, NULL);
    enum err e = s->dir != NULL ? dir_make(s->dir) : ERR_NOMEM;
    if (e == OK) {
        e = scan(s);
    }
    if (e == OK) {
        s->thread_runs = pthread_create(&s->thread, NULL, run, s) == 0;
        e = s->thread_runs ? OK : ERR_NOMEM;
    }
    if (e != OK) {
        snapshots_close(s);
        return e;
    }
    *out = s;
    return OK;
}

void snapshots_close(struct snapshots *snapshots) {
    if (snapshots == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&snapshots->lock);
    snapshots->stop = true;
    (void)pthread_cond_broadcast(&snapshots->changed);
    (void)pthread_mutex_unlock(&snapshots->lock);
    if (snapshots->thread_runs) {
        (void)pthread_join(snapshots->thread, NULL);
    }
    (void)pthread_cond_destroy(&snapshots->changed);
    (void)pthread_mutex_destroy(&snapshots->lock);
    free(snapshots->dir);
    free(snapshots);
}

/* ---- Serving ----------------------------------------------------------------------------------------------------- */

size_t snapshots_list(struct snapshots *snapshots, struct snapshots_entry out[SNAPSHOTS_KEPT]) {
    (void)pthread_mutex_lock(&snapshots->lock);
    size_t count = snapshots->kept_count;
    memcpy(out, snapshots->kept, count * sizeof *out);
    (void)pthread_mutex_unlock(&snapshots->lock);
    return count;
}

enum err snapshots_file(struct snapshots *snapshots, uint64_t height, const char *name, int *out_fd,
                        uint64_t *out_size) {
    char folder[24], path[SNAPSHOT_PATH_MAX];
    struct stat st;
    if (!is_height(name) && strcmp(name, SNAPSHOT_MANIFEST_NAME) != 0) {
        return ERR_NOTFOUND;
    }
    (void)snprintf(folder, sizeof folder, "%llu", (unsigned long long)height);
    enum err e = path_of(snapshots, folder, name, path);
    if (e != OK) {
        return e;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOTFOUND : err_from_errno(errno);
    }
    if (fstat(fd, &st) != 0) {
        e = err_from_errno(errno);
        (void)close(fd);
        return e;
    }
    *out_fd = fd;
    *out_size = (uint64_t)st.st_size;
    return OK;
}
