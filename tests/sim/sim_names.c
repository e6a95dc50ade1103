/* Names of files and folders: as they are, and as they will be after a power cut. */
#include "tests/sim/sim_disk_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t names_find_at(const struct names *names, const char *path) {
    size_t i = 0;
    while (i < names->count && strcmp(names->at[i].path, path) != 0) {
        i++;
    }
    return i;
}

struct inode *names_find(const struct names *names, const char *path) {
    size_t i = names_find_at(names, path);
    return i < names->count ? names->at[i].inode : NULL;
}

bool path_is_below(const char *path, const char *dir) {
    size_t len = strlen(dir);
    return strncmp(path, dir, len) == 0 && path[len] == '/';
}

static void path_parent(const char *path, char out[SIM_PATH_LEN]) {
    const char *slash = strrchr(path, '/');
    (void)snprintf(out, SIM_PATH_LEN, "%.*s", slash != NULL ? (int)(slash - path) : 0, path);
}

void names_add(struct names *names, const char *path, struct inode *inode) {
    if (names->count == names->cap) {
        names->cap = names->cap == 0 ? 32 : 2 * names->cap;
        names->at = realloc(names->at, names->cap * sizeof *names->at);
    }
    struct name *name = &names->at[names->count++];
    (void)snprintf(name->path, sizeof name->path, "%s", path);
    name->inode = inode_ref(inode);
}

void names_drop(struct names *names, size_t at) {
    inode_unref(names->at[at].inode);
    names->at[at] = names->at[--names->count];
}

void names_clear(struct names *names) {
    while (names->count > 0) {
        names_drop(names, names->count - 1);
    }
}

static void names_move(struct names *names, const char *from, const char *to) {
    char moved[SIM_PATH_LEN];
    size_t over = names_find_at(names, to), len = strlen(from);
    if (over < names->count) {
        names_drop(names, over);
    }
    for (size_t i = 0; i < names->count; i++) {
        struct name *name = &names->at[i];
        if (strcmp(name->path, from) == 0 || path_is_below(name->path, from)) {
            (void)snprintf(moved, sizeof moved, "%s%s", to, name->path + len);
            memcpy(name->path, moved, sizeof moved);
        }
    }
}

void names_apply(struct names *names, const struct change *change) {
    if (change->from[0] == '\0') {
        size_t at = names_find_at(names, change->to);
        if (at < names->count) {
            names_drop(names, at);
        }
        names_add(names, change->to, change->inode);
    } else if (change->to[0] != '\0') {
        names_move(names, change->from, change->to);
    } else if (names_find(names, change->from) != NULL) {
        names_drop(names, names_find_at(names, change->from));
    }
}

void disk_change(struct sim_disk *disk, const char *from, const char *to, struct inode *inode) {
    if (disk->change_count == disk->change_cap) {
        disk->change_cap = disk->change_cap == 0 ? 32 : 2 * disk->change_cap;
        disk->changes = realloc(disk->changes, disk->change_cap * sizeof *disk->changes);
    }
    struct change *change = &disk->changes[disk->change_count++];
    *change = (struct change){.from_synced = from[0] == '\0', .to_synced = to[0] == '\0'};
    (void)snprintf(change->from, sizeof change->from, "%s", from);
    (void)snprintf(change->to, sizeof change->to, "%s", to);
    change->inode = inode != NULL ? inode_ref(inode) : NULL;
    names_apply(&disk->now, change);
}

void disk_forget_changes(struct sim_disk *disk) {
    for (size_t i = 0; i < disk->change_count; i++) {
        inode_unref(disk->changes[i].inode);
    }
    disk->change_count = 0;
}

bool names_have_parent(const struct names *names, const char *path) {
    char parent[SIM_PATH_LEN];
    path_parent(path, parent);
    const struct inode *inode = names_find(names, parent);
    return parent[0] == '\0' || (inode != NULL && inode->folder);
}

bool names_is_empty(const struct names *names, const char *dir) {
    for (size_t i = 0; i < names->count; i++) {
        if (path_is_below(names->at[i].path, dir)) {
            return false;
        }
    }
    return true;
}

bool path_stands_in(const char *path, const char *dir) {
    char parent[SIM_PATH_LEN];
    path_parent(path, parent);
    return path[0] != '\0' && strcmp(parent, dir) == 0;
}

/* ---- What is not durable --------------------------------------------------------------------------------------- */

/* Is it about a name that an earlier one is about? */
static bool builds_on(const struct change *change, const struct change *earlier) {
    const char *const names[] = {earlier->from, earlier->to};
    for (size_t i = 0; i < 2; i++) {
        if (names[i][0] != '\0' && (strcmp(change->from, names[i]) == 0 || strcmp(change->to, names[i]) == 0)) {
            return true;
        }
    }
    return false;
}

void disk_settle(struct sim_disk *disk, const char *dir) {
    size_t kept = 0;
    for (size_t i = 0; i < disk->change_count; i++) {
        struct change *change = &disk->changes[i];
        change->from_synced = change->from_synced || path_stands_in(change->from, dir);
        change->to_synced = change->to_synced || path_stands_in(change->to, dir);
        bool ready = change->from_synced && change->to_synced;
        for (size_t k = 0; k < kept && ready; k++) {
            ready = !builds_on(change, &disk->changes[k]);
        }
        if (ready) {
            names_apply(&disk->durable, change);
            inode_unref(change->inode);
        } else {
            disk->changes[kept++] = *change;
        }
    }
    disk->change_count = kept;
}

bool change_follows(const struct change *change, const struct change *earlier) {
    char from[SIM_PATH_LEN], to[SIM_PATH_LEN];
    path_parent(change->from, from);
    path_parent(change->to, to);
    return (change->from[0] != '\0' && (path_stands_in(earlier->from, from) || path_stands_in(earlier->to, from))) ||
           (change->to[0] != '\0' && (path_stands_in(earlier->from, to) || path_stands_in(earlier->to, to)));
}
