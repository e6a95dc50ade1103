#include "node/api/metrics.h"

#include "node/host/descriptors.h"
#include "node/host/log.h"
#include "node/ledger/peer_codec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void line(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(struct buffer *out, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < sizeof text) {
        buffer_put(out, text, (size_t)n);
    }
}

static void head_line(struct buffer *out, const char *name, const char *type, const char *help) {
    line(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

struct figure {
    const char *name, *type, *help;
    uint64_t value;
};

static void figures(struct buffer *out, const struct figure *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char name[96];
        (void)snprintf(name, sizeof name, "assay_%s", list[i].name);
        head_line(out, name, list[i].type, list[i].help);
        line(out, "%s %llu\n", name, (unsigned long long)list[i].value);
    }
}
#define FIGURES(out, list) figures(out, list, sizeof list / sizeof list[0])

static void ledger(struct buffer *out, const struct status_facts *f, const struct block_header *head) {
    uint64_t behind = f->best_height > f->height ? f->best_height - f->height : 0;
    const struct figure list[] = {
        {"height", "gauge", "Height of the last final block.", head->height},
        {"last_block_time_ms", "gauge", "Block time of the last final block.", head->time_ms},
        {"last_block_ahead_ms", "gauge", "Last final block's time ahead of this clock.", f->ahead_ms},
        {"view", "gauge", "View the node is in.", f->view},
        {"epoch", "gauge", "Epoch the node is in.", f->epoch},
        {"catching_up", "gauge", "1 while the node is behind its peers.", f->catching_up},
        {"blocks_behind", "gauge", "Final blocks that the validators claim and this node lacks.", behind},
        {"may_vote", "gauge", "0 when the journal forbids voting.", f->may_vote},
        {"stalled_ms", "gauge", "How long work, or a heartbeat, has waited without a new final block.",
         f->oldest_pending_ms > f->overdue_ms ? f->oldest_pending_ms : f->overdue_ms},
        {"on_ledger", "gauge", "1 while the ledger has a record of this node.", f->is_on_ledger},
        {"validates", "gauge", "1 while this node is one of the epoch's validators.", f->validates},
        {"validators_within_reach", "gauge", "The epoch's validators with a link, this node included.",
         f->within_reach},
        {"blocks_final_total", "counter", "Blocks made final since start.", f->blocks_final},
        {"transactions_final_total", "counter", "Transactions made final since start.", f->txs_final},
        {"view_timeouts_total", "counter", "Views left by nullification.", f->timeouts},
        {"vote_signatures_checked_total", "counter", "Signatures of votes checked.", f->signatures_checked},
        {"votes_dropped_total", "counter", "Votes that no place was left for.", f->consensus_dropped},
        {"journal_syncs_total", "counter", "Syncs of the vote journal.", f->journal_syncs},
        {"checkpoints_total", "counter", "Checkpoints written since start.", f->checkpoints},
        {"loop_turns_total", "counter", "Turns of the ledger thread.", f->loop_turns},
    };
    FIGURES(out, list);
}

static void queues(struct buffer *out, const struct status_facts *f) {
    const struct figure list[] = {
        {"mempool_transactions", "gauge", "Transactions waiting for a block.", f->pending},
        {"mempool_bytes", "gauge", "Bytes of transactions waiting for a block.", f->pending_bytes},
        {"submit_queued", "gauge", "Transactions on their way to the ledger thread.", f->submit_queued},
        {"submit_waiting", "gauge", "Clients waiting for finality.", f->submit_waiting},
        {"submit_accepted_total", "counter", "Transactions admitted from clients.", f->submit_accepted},
        {"submit_refused_total", "counter", "Transactions refused from clients.", f->submit_refused},
        {"submit_timed_out_total", "counter", "Clients that waited in vain.", f->submit_timed_out},
        {"gossip_queued", "gauge", "Gossiped transactions whose check is not done.", f->gossip_queued},
        {"gossip_taken_total", "counter", "Gossiped transactions taken in to be checked.", f->gossip_taken},
        {"gossip_known_total", "counter", "Gossiped copies of what was known already.", f->gossip_known},
        {"gossip_good_total", "counter", "Gossiped transactions found good.", f->gossip_good},
        {"gossip_refused_total", "counter", "Gossiped transactions found bad.", f->gossip_refused},
        {"gossip_overtaken_total", "counter", "Gossiped transactions that a block brought first.", f->gossip_overtaken},
        {"gossip_dropped_total", "counter", "Gossiped transactions dropped for want of room.", f->gossip_dropped},
        {"block_transactions_vouched_total", "counter", "Transactions of others' blocks whose signatures were known.",
         f->vouched},
        {"block_transactions_checked_total", "counter", "Transactions of others' blocks whose signatures were not.",
         f->block_checked},
        {"messages_in_total", "counter", "Messages from peers.", f->messages_in},
        {"messages_bad_total", "counter", "Messages from peers that could not be read.", f->messages_bad},
        {"messages_out_total", "counter", "Messages to peers, one to several counted once.", f->messages_out},
        {"outbox_messages", "gauge", "Messages of this turn that have not left yet.", f->outbox},
        {"bodies_wanted", "gauge", "Blocks waited for.", f->wanted_bodies},
        {"disk_free_bytes", "gauge", "Free space where the data lies.", f->disk_free_bytes},
        {"disk_bytes", "gauge", "Size of the file system where the data lies.", f->disk_bytes},
        {"log_dropped_lines_total", "counter", "Lines of the log that nobody took.", log_dropped()},
    };
    FIGURES(out, list);
}

static void stages(struct buffer *out, const struct status_facts *f) {
    static const char name[] = "assay_stage_seconds";
    head_line(out, name, "histogram", "How long the stages of a transaction's way take.");
    for (size_t s = 0; s < STAGE_COUNT; s++) {
        const struct stage_histogram *h = &f->stages[s];
        const char *stage = stage_name((enum stage)s);
        uint64_t below = 0;
        for (size_t i = 0; i < STAGE_BUCKETS; i++) {
            below += h->buckets[i];
            line(out, "%s_bucket{stage=\"%s\",le=\"%.4f\"} %llu\n", name, stage, (double)stage_bound_us(i) / 1e6,
                 (unsigned long long)below);
        }
        line(out, "%s_bucket{stage=\"%s\",le=\"+Inf\"} %llu\n", name, stage, (unsigned long long)h->count);
        line(out, "%s_sum{stage=\"%s\"} %.6f\n", name, stage, (double)h->sum_us / 1e6);
        line(out, "%s_count{stage=\"%s\"} %llu\n", name, stage, (unsigned long long)h->count);
    }
}

static void alarms(struct buffer *out, const struct alarms *list) {
    head_line(out, "assay_alarm", "gauge", "1 while the alarm is on.");
    for (size_t i = 0; i < list->count; i++) {
        line(out, "assay_alarm{name=\"%s\"} %d\n", list->items[i].name, list->items[i].on);
    }
    head_line(out, "assay_alarms_raised_total", "counter", "Times an alarm was raised.");
    for (size_t i = 0; i < list->count; i++) {
        line(out, "assay_alarms_raised_total{name=\"%s\"} %llu\n", list->items[i].name,
             (unsigned long long)list->items[i].raised);
    }
}

static void peers(struct buffer *out, const struct status_facts *f) {
    static const struct {
        const char *name, *type, *help;
    } names[] = {
        {"assay_peer_up", "gauge", "1 while the link is up."},
        {"assay_peer_bytes_in_total", "counter", "Bytes from the peer."},
        {"assay_peer_bytes_out_total", "counter", "Bytes to the peer."},
        {"assay_peer_messages_in_total", "counter", "Messages from the peer."},
        {"assay_peer_messages_out_total", "counter", "Messages to the peer."},
        {"assay_peer_queued_bytes", "gauge", "Bytes that wait for the link."},
        {"assay_peer_dropped_total", "counter", "Messages to the peer dropped for want of room."},
        {"assay_peer_lost_total", "counter", "Messages that the peer began and never completed."},
        {"assay_peer_handshakes_total", "counter", "Handshakes completed."},
        {"assay_peer_rejected_total", "counter", "Datagrams that no keys open."},
        {"assay_peer_false_total", "counter", "Messages and signatures that no honest node sends."},
    };
    for (size_t m = 0; m < sizeof names / sizeof names[0]; m++) {
        head_line(out, names[m].name, names[m].type, names[m].help);
        for (size_t i = 0; i < f->peer_count; i++) {
            const struct status_peer *p = &f->peers[i];
            const uint64_t values[] = {p->up,           p->bytes_in,     p->bytes_out, p->messages_in,
                                       p->messages_out, p->queued_bytes, p->dropped,   p->lost,
                                       p->handshakes,   p->rejected,     p->fouls};
            char hex[2 * ED25519_KEY_LEN + 1];
            hex_encode(p->key, sizeof p->key, hex);
            line(out, "%s{peer=\"%.16s\"} %llu\n", names[m].name, hex, (unsigned long long)values[m]);
        }
    }
}

static void links(struct buffer *out, const struct links_stats *l) {
    const struct figure list[] = {
        {"links_connections", "gauge", "Connections at the peers' door.", l->connections},
        {"links_dialled", "gauge", "Connections that this node made to peers.", l->dialled},
        {"links_refused_total", "counter", "Connections over a limit.", l->connections_refused},
        {"links_cut_total", "counter", "Connections cut.", l->connections_cut},
        {"links_garbage_total", "counter", "What is no datagram, or a handshake without the right code.", l->garbage},
        {"links_forged_total", "counter", "Handshakes whose cryptography fails.", l->forged},
        {"links_strangers_total", "counter", "Handshakes of nobody we know.", l->strangers},
        {"links_replayed_total", "counter", "Handshakes seen before, or too old.", l->replayed},
        {"links_throttled_total", "counter", "Handshakes over the budget.", l->throttled},
        {"links_unknown_total", "counter", "Datagrams for no session.", l->unknown},
    };
    FIGURES(out, list);
}

/* By what it is for. */
static void traffic(struct buffer *out, const struct links_stats *l) {
    static const char name[] = "assay_sent_bytes_total";
    head_line(out, name, "counter", "Bytes sent to peers, by what they are for, without TCP and IP.");
    for (unsigned kind = 0; kind < PEER_KINDS; kind++) {
        line(out, "%s{kind=\"%s\"} %llu\n", name, peer_traits((enum peer_kind)kind)->name,
             (unsigned long long)l->sent[kind]);
    }
    line(out, "%s{kind=\"link\"} %llu\n", name, (unsigned long long)l->sent_own);
}

/* Resident memory: what the process took for itself, and pages of files that the kernel may drop at any time. */
static void memory_of_process(uint64_t *out_anonymous, uint64_t *out_resident) {
    char text[160];
    unsigned long long kb;
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && fgets(text, sizeof text, status) != NULL) {
        if (sscanf(text, "VmRSS: %llu", &kb) == 1) {
            *out_resident = kb * 1024;
        } else if (sscanf(text, "RssAnon: %llu", &kb) == 1) {
            *out_anonymous = kb * 1024;
        }
    }
    if (status != NULL) {
        (void)fclose(status);
    }
}

static void process(struct buffer *out) {
    struct timespec cpu = {0};
    struct rlimit limit = {0};
    uint64_t anonymous = 0, resident = 0;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    memory_of_process(&anonymous, &resident);
    head_line(out, "process_cpu_seconds_total", "counter", "Processor time used.");
    line(out, "process_cpu_seconds_total %lld.%06ld\n", (long long)cpu.tv_sec, cpu.tv_nsec / 1000);
    head_line(out, "process_resident_memory_bytes", "gauge", "Memory held, mapped pages of the store included.");
    line(out, "process_resident_memory_bytes %llu\n", (unsigned long long)resident);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    head_line(out, "process_open_fds", "gauge", "Descriptors open.");
    line(out, "process_open_fds %llu\n", (unsigned long long)descriptors_open());
    head_line(out, "process_max_fds", "gauge", "Descriptors that may be open.");
    line(out, "process_max_fds %llu\n", (unsigned long long)limit.rlim_cur);
    head_line(out, "assay_memory_anonymous_bytes", "gauge", "Memory held that is no page of a file.");
    line(out, "assay_memory_anonymous_bytes %llu\n", (unsigned long long)anonymous);
}

void metrics_write(const struct status_facts *facts, const struct block_header *head, struct buffer *out) {
    ledger(out, facts, head);
    queues(out, facts);
    stages(out, facts);
    alarms(out, &facts->alarms);
    links(out, &facts->links);
    traffic(out, &facts->links);
    peers(out, facts);
    process(out);
}
