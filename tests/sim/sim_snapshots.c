#include "tests/sim/sim_snapshots.h"

#include "base/file.h"
#include "node/host/host_crypto.h"
#include "node/snapshot/snapshot_join.h"
#include "node/snapshot/snapshot_make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHELF_PATH 256

/* ---- The shelf --------------------------------------------------------------------------------------------------- */

void sim_snapshot_free(struct sim_snapshot *snapshot) {
    for (uint32_t i = 0; i < snapshot->count; i++) {
        buffer_free(&snapshot->chunks[i]);
    }
    free(snapshot->chunks);
    buffer_free(&snapshot->manifest);
    memset(snapshot, 0, sizeof *snapshot);
}

void sim_shelf_free(struct sim_shelf *shelf) {
    for (size_t i = 0; shelf != NULL && i < SIM_SNAPSHOTS_KEPT; i++) {
        sim_snapshot_free(&shelf->kept[i]);
    }
    free(shelf);
}

enum err sim_snapshot_describe(struct sim_snapshot *snapshot) {
    struct snapshot_manifest manifest;
    struct block_header header;
    struct bytes finalization;
    enum err e = snapshot_manifest_decode(&host_crypto, buffer_bytes(&snapshot->manifest), &manifest);
    if (e != OK) {
        return e;
    }
    e = snapshot_epochs(&manifest, NULL, NULL, &header, &finalization);
    if (e == OK) {
        snapshot->height = manifest.height;
        snapshot->time_ms = header.time_ms;
        memcpy(snapshot->content, manifest.content, HASH_LEN);
        snapshot->count = snapshot_chunk_count(&manifest);
    }
    snapshot_manifest_free(&manifest);
    return e;
}

/* What was made, from its files. */
static enum err take_in(const char *dir, uint64_t height, struct sim_snapshot *out) {
    char path[SHELF_PATH];
    (void)snprintf(path, sizeof path, "%s/%llu/%s", dir, (unsigned long long)height, SNAPSHOT_MANIFEST_NAME);
    enum err e = file_read(path, SNAPSHOT_MANIFEST_MAX, &out->manifest);
    if (e == OK) {
        e = sim_snapshot_describe(out);
    }
    if (e == OK) {
        out->chunks = calloc(out->count, sizeof *out->chunks);
    }
    for (uint32_t i = 0; i < out->count && e == OK; i++) {
        (void)snprintf(path, sizeof path, "%s/%llu/%u", dir, (unsigned long long)height, i);
        e = file_read(path, SNAPSHOT_CHUNK_MAX, &out->chunks[i]);
        e = e == ERR_NOTFOUND ? OK : e; /* one without leaves */
    }
    return e;
}

static void put_up(struct sim_shelf *shelf, const struct sim_snapshot *snapshot) {
    sim_snapshot_free(&shelf->kept[SIM_SNAPSHOTS_KEPT - 1]);
    memmove(&shelf->kept[1], &shelf->kept[0], (SIM_SNAPSHOTS_KEPT - 1) * sizeof shelf->kept[0]);
    shelf->kept[0] = *snapshot;
    shelf->count += shelf->count < SIM_SNAPSHOTS_KEPT;
}

/* Made in files of a folder that is in memory where there is one, and goes at once. */
static enum err make(struct sim_node *node, struct chain_view *view, struct sim_snapshot *out) {
    char dir[] = "/dev/shm/assay-sim-XXXXXX", elsewhere[] = "/tmp/assay-sim-XXXXXX";
    const char *made = mkdtemp(dir) != NULL ? dir : mkdtemp(elsewhere);
    if (made == NULL) {
        return ERR_IO;
    }
    const struct snapshot_make_config config = {
        .chain = node->chain, .view = view, .dir = made, .chunk_target = (uint32_t)node->world->options.snapshot_chunk};
    enum err e = snapshot_make(&config);
    if (e == OK) {
        e = take_in(made, view->head.header.height, out);
    }
    enum err removed = snapshot_remove_folder(made);
    return e == OK ? removed : e;
}

void sim_snapshots_tick(struct sim_node *node) {
    struct sim_world *w = node->world;
    uint64_t every = w->options.snapshot_blocks, height = chain_head(node->chain)->header.height;
    struct sim_snapshot snapshot = {0};
    struct chain_view view;
    if (every == 0 || height < every) {
        return;
    }
    if (node->shelf == NULL) {
        node->shelf = calloc(1, sizeof *node->shelf);
    }
    /* Also of some that close an epoch, which are few: what follows them is not in their proof. */
    bool closes = height > node->shelf->last_height && block_header_closes(&chain_head(node->chain)->header) &&
                  sim_chance(&node->process, 300);
    if (height / every <= node->shelf->last_height / every && !closes) {
        return;
    }
    node->shelf->last_height = height;
    enum err e = chain_view_open(node->chain, &view);
    if (e == OK) {
        e = make(node, &view, &snapshot);
        chain_view_close(&view);
    }
    if (e == OK) {
        sim_trace(w, "node %u makes a snapshot at height %llu", node->number, (unsigned long long)height);
        sim_count(w, COUNT_SNAPSHOT_MADE);
        put_up(node->shelf, &snapshot);
        return;
    }
    sim_snapshot_free(&snapshot);
    /* Its block may be final through a later one only, or bodies of the window may have gone while a store was joined.
     */
    if (e != ERR_NOTFOUND) {
        (void)sim_node_survived(node, e, "making a snapshot");
    }
}

/* ---- Joining ----------------------------------------------------------------------------------------------------- */

struct joining {
    struct sim_node *node;
    struct sim_sources *sources;
};

/* Whoever told the truth may not be taken for a liar. */
static void source_left(void *arg, const char *url, enum err reason, const char *what) {
    const struct joining *j = arg;
    sim_trace(j->node->world, "node %u leaves source %s: %s", j->node->number, url, what);
    sim_sources_leave(j->sources, url);
    if (reason != ERR_MISMATCH) {
        return;
    }
    sim_count(j->node->world, COUNT_SNAPSHOT_REFUSED);
    if (!sim_sources_lied(j->sources, url)) {
        sim_fail(j->node->world, "slander", "node %u refuses source %s, which told the truth: %s", j->node->number, url,
                 what);
    }
}

enum err sim_snapshots_join(struct sim_node *node) {
    struct sim_world *w = node->world;
    struct joining joining = {.node = node};
    struct snapshot_join_report report = {0};
    const char *addresses[SIM_NODES_MAX];
    struct why why = WHY_NONE;
    if (w->options.snapshot_blocks == 0) {
        return OK;
    }
    joining.sources = sim_sources_new(node);
    const struct snapshot_join_config config = {
        .place = {.disk = sim_disk_ops(node->disk), .state = sim_disk_state(node->disk), .dir = SIM_HOME},
        .genesis = w->genesis,
        .transport = sim_sources_transport(joining.sources),
        .sources = addresses,
        .source_count = sim_sources_list(joining.sources, addresses),
        .wall_ms = SIM_GENESIS_MS + w->now_us / 1000,
        .behind_ms = w->options.snapshot_behind_ms,
        .segment_bytes = sim_block_segment(w),
        .source_left = source_left,
        .arg = &joining};
    enum err e = snapshot_join(&config, &report, &why);
    if (e == OK && report.joined) {
        sim_trace(w, "node %u joins by snapshot at height %llu", node->number, (unsigned long long)report.height);
        sim_count(w, COUNT_SNAPSHOT_JOINED);
        node->joined = true;
        node->must_notice = node->must_notice && !node->damaged; /* a damaged block log is gone */
        if (report.height <= report.before) {
            sim_fail(w, "rolled back", "node %u joins at height %llu, below its own log at %llu", node->number,
                     (unsigned long long)report.height, (unsigned long long)report.before);
        }
        if (sim_sources_believed(joining.sources)) {
            sim_fail(w, "believed", "node %u joins, and goes on asking a source whose list its manifest disproved",
                     node->number);
        }
    } else if (e != OK) {
        sim_trace(w, "node %u can't join: %s", node->number, why.text);
    }
    sim_sources_free(joining.sources);
    return e;
}
