#include "node/full/status_facts.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

bool status_disk_is_low(uint64_t free_bytes, uint64_t total_bytes) {
    uint64_t limit = total_bytes / 20 < STATUS_DISK_LOW_BYTES ? total_bytes / 20 : STATUS_DISK_LOW_BYTES;
    return total_bytes > 0 && free_bytes < limit;
}

static void from_replica(const struct replica *replica, struct status_facts *out) {
    struct replica_stats stats;
    replica_stats(replica, &stats);
    out->epoch = stats.consensus.epoch;
    out->view = stats.consensus.view;
    out->catching_up = stats.catching_up;
    out->may_vote = !stats.consensus.refused;
    out->validates = stats.me != CONSENSUS_OBSERVER;
    out->vote_refused = stats.consensus.refused && stats.me != CONSENSUS_OBSERVER;
    out->timeouts = stats.consensus.timeouts;
    out->signatures_checked = stats.consensus.signatures_checked;
    out->consensus_dropped = stats.consensus.dropped;
    out->height = stats.height;
    out->best_height = stats.best_height;
    out->journal_syncs = stats.journal_syncs;
    out->messages_in = stats.messages_in;
    out->messages_bad = stats.messages_bad;
    out->messages_out = stats.messages_out;
    out->outbox = stats.outbox;
    out->wanted_bodies = stats.wanted_bodies;
}

static void from_pools(const struct status_sources *sources, struct status_facts *out) {
    struct submit_stats submitted = submit_stats(sources->submit);
    struct mempool_stats pool = mempool_stats(sources->mempool);
    struct gossip_check_stats gossip = gossip_check_stats(sources->gossip);
    out->pending = mempool_count(sources->mempool);
    out->pending_bytes = mempool_bytes(sources->mempool);
    out->vouched = pool.vouched;
    out->block_checked = pool.checked;
    out->submit_queued = submitted.queued;
    out->submit_waiting = submitted.waiting;
    out->submit_accepted = submitted.accepted;
    out->submit_refused = submitted.refused;
    out->submit_timed_out = submitted.timed_out;
    out->gossip_queued = gossip.queued;
    out->gossip_taken = gossip.taken;
    out->gossip_known = gossip.known;
    out->gossip_good = gossip.good;
    out->gossip_refused = gossip.refused;
    out->gossip_overtaken = gossip.overtaken;
    out->gossip_dropped = gossip.dropped;
}

static void from_disk(const char *data_dir, struct status_facts *out) {
    struct statvfs fs;
    if (statvfs(data_dir, &fs) == 0) {
        out->disk_free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
        out->disk_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
        out->disk_low = status_disk_is_low(out->disk_free_bytes, out->disk_bytes);
    }
}

void status_facts_alarms(const struct alarms *alarms, struct status_facts *out) {
    const struct alarm *first = alarms_first(alarms);
    out->alarms = *alarms;
    if (first != NULL) {
        (void)snprintf(out->alarm, sizeof out->alarm, "%s: %s", first->name, first->text);
        out->alarm_is_mild = first->weight == ALARM_MILD;
    }
}

void status_facts_from(const struct status_sources *sources, uint64_t now_ms, struct status_facts *out) {
    from_replica(sources->replica, out);
    from_pools(sources, out);
    from_disk(sources->data_dir, out);
    memcpy(out->stages, sources->times->stages, sizeof out->stages);
    out->beat_mono_ms = now_ms;
}
