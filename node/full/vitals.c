#include "node/full/vitals.h"

#include "base/clock.h"
#include "contracts/governance/governance.h"
#include "node/host/descriptors.h"
#include "node/host/log.h"
#include "node/ledger/execute.h"
#include "node/ledger/ledger_time.h"

#include <stdio.h>
#include <string.h>

#define DESCRIPTORS_LOOK_MS 1000u
#define HTTPS "https://"
#define ALARM_AGAIN_MS 600000u /* what still holds is said again */

void vitals_init(struct vitals *v) {
    memset(v, 0, sizeof *v);
    v->last_block_ms = clock_mono_ms();
    status_board_init(&v->board);
}

void vitals_close(struct vitals *v) {
    status_board_close(&v->board);
}

/* ---- Alarms ------------------------------------------------------------------------------------------------------ */

static void say(struct vitals *v, const char *name, const char *text) {
    log_event(LOG_WARN, "alarm", log_text("name", name), log_text("text", text));
    if (v->from.events != NULL) {
        events_alarm(v->from.events, name, text);
    }
}

void vitals_alarm(struct vitals *v, const char *name, const char *text) {
    (void)alarms_raise(&v->alarms, name, text, clock_mono_ms());
    say(v, name, text);
}

/* Said once, and shown as long as it lasts. */
static void keep_raised(struct vitals *v, const char *name, const char *text, uint64_t now_ms) {
    if (alarms_raise(&v->alarms, name, text, now_ms)) {
        say(v, name, text);
    }
}

/* Shown exactly as long as it is so. */
static void hold(struct vitals *v, const char *name, bool is_so, const char *text, uint64_t now_ms) {
    if (is_so) {
        keep_raised(v, name, text, now_ms);
    } else if (alarms_end(&v->alarms, name)) {
        log_event(LOG_INFO, "alarm.over", log_text("name", name));
    }
}

/* The epoch's validators to which there is a link, and this node where it is one. */
static uint16_t count_within_reach(const struct vitals *v, const struct status_facts *facts,
                                   const struct chain_epoch *epoch) {
    uint16_t count = 0;
    for (uint16_t k = 0; k < epoch->count; k++) {
        bool is_near = memcmp(epoch->keys[k], v->from.key, KEY_LEN) == 0;
        for (size_t i = 0; i < facts->peer_count && !is_near; i++) {
            is_near = facts->peers[i].up && memcmp(facts->peers[i].key, epoch->keys[k], KEY_LEN) == 0;
        }
        count = (uint16_t)(count + (is_near ? 1 : 0));
    }
    return count;
}

static void look_at_standing(struct vitals *v, struct status_facts *facts, uint64_t now_ms) {
    const struct chain_epoch *epoch = chain_epoch(v->from.chain);
    const struct standing_facts now = {.configured = v->from.role,
                                       .is_on_ledger = v->is_on_ledger,
                                       .validates = facts->validates,
                                       .epoch = epoch->number,
                                       .validators = epoch->count,
                                       .within_reach = count_within_reach(v, facts, epoch),
                                       .last_block_ms = v->last_block_ms,
                                       .heartbeat_ms = chain_params(v->from.chain)->heartbeat_ms};
    char text[STANDING_TEXT_MAX] = "";
    standing_look(&v->standing, &now, now_ms);
    facts->is_on_ledger = now.is_on_ledger;
    facts->within_reach = now.within_reach;
    facts->overdue_ms = standing_overdue_ms(&now, now_ms);
    hold(v, "not-on-ledger", standing_is_stranger(&now, text), text, now_ms);
    hold(v, "not-a-validator", standing_is_deposed(&now, text), text, now_ms);
    hold(v, "stalled", standing_is_stalled(&now, now_ms, text), text, now_ms);
    hold(v, "no-quorum", standing_is_apart(&v->standing, &now, now_ms, text), text, now_ms);
}

#define CERTIFICATE_LOOK_MS 10000u

static void look_at_certificate(struct vitals *v, uint64_t now_ms) {
    struct why why = WHY_NONE;
    if (v->from.http == NULL || (v->certificate_ms != 0 && now_ms - v->certificate_ms < CERTIFICATE_LOOK_MS)) {
        return;
    }
    v->certificate_ms = now_ms;
    bool warns = http_server_tls_warning(v->from.http, v->host[0] != '\0' ? v->host : NULL, clock_wall_ms(), &why);
    hold(v, "certificate", warns, why.text, now_ms);
}

static void look_at_descriptors(struct vitals *v, const struct status_facts *facts, uint64_t now_ms) {
    char text[LEDGER_TIME_TEXT_MAX];
    if (now_ms - v->counted_ms < DESCRIPTORS_LOOK_MS) {
        return;
    }
    v->counted_ms = now_ms;
    uint64_t open = descriptors_open();
    uint64_t known = facts->links.connections + facts->links.dialled + v->from.http_connections + DESCRIPTORS_STORAGE +
                     DESCRIPTORS_DIALS;
    if (descriptors_leak(&v->leaking_since_ms, open, known, now_ms)) {
        (void)snprintf(text, sizeof text, "%llu descriptors are open, %llu more than connections and storage explain",
                       (unsigned long long)open, (unsigned long long)(open - known));
        keep_raised(v, "connections-held", text, now_ms);
    }
}

/* What can be seen by looking is raised here; what has not been raised again for a while is over. */
static void look_at_alarms(struct vitals *v, const struct status_facts *facts, uint64_t now_ms) {
    char text[LEDGER_TIME_TEXT_MAX];
    (void)snprintf(text, sizeof text, "%llu MiB are left on the disk that holds the data",
                   (unsigned long long)(facts->disk_free_bytes >> 20));
    hold(v, "disk-low", facts->disk_low, text, now_ms);
    look_at_descriptors(v, facts, now_ms);
    look_at_certificate(v, now_ms);
    char fault[STATUS_FAULT_MAX];
    if (status_board_take_fault(&v->board, fault)) {
        keep_raised(v, "read-failed", fault, now_ms);
    }
    const char *ahead = ledger_time_alarm(facts->ahead_ms, v->from.clock_ahead_ms, text);
    if (ahead != NULL) {
        keep_raised(v, ahead, text, now_ms);
    }
    for (const char *over = alarms_pass(&v->alarms, now_ms); over != NULL; over = alarms_pass(&v->alarms, now_ms)) {
        log_event(LOG_INFO, "alarm.over", log_text("name", over), log_number("quiet_ms", ALARMS_KEPT_MS));
    }
}

enum err vitals_look_at_governance(struct vitals *v) {
    struct chain_view view;
    enum err e = chain_view_open(v->from.chain, &view);
    if (e != OK) {
        return e;
    }
    struct state state = state_of_view(view.kv);
    bool found = false;
    uint16_t held;
    v->dominating[0] = '\0';
    struct node_record own;
    e = node_get(&state, v->from.key, &own, &v->is_on_ledger);
    v->host[0] = '\0';
    if (e == OK && v->is_on_ledger && strncmp(own.node.http, HTTPS, strlen(HTTPS)) == 0) {
        const char *host = own.node.http + strlen(HTTPS);
        bool bracketed = host[0] == '[';
        size_t len = bracketed ? strcspn(host + 1, "]") : strcspn(host, ":/");
        (void)snprintf(v->host, sizeof v->host, "%.*s", (int)len, host + bracketed);
    }
    if (e == OK) {
        e = governance_dominating_org(&state, v->dominating, &held, &found);
    }
    if (!found) {
        v->dominating[0] = '\0';
    }
    v->dominating_ms = 0;
    chain_view_close(&view);
    return e;
}

/* Nothing is wrong with this node, so its health is not touched. */
static void warn_of_dominance(struct vitals *v, uint64_t now_ms) {
    if (v->dominating[0] == '\0' || (v->dominating_ms != 0 && now_ms - v->dominating_ms < ALARM_AGAIN_MS)) {
        return;
    }
    char text[160];
    v->dominating_ms = now_ms;
    (void)snprintf(text, sizeof text,
                   "organisation %s holds more than a third of the validators: alone it can stop the "
                   "ledger",
                   v->dominating);
    say(v, "dominating-org", text);
}

/* ---- Facts ------------------------------------------------------------------------------------------------------- */

void vitals_admitted(struct vitals *v) {
    if (v->waiting_since_ms == 0) {
        v->waiting_since_ms = clock_mono_ms();
    }
}

void vitals_block_final(struct vitals *v, const struct block *block) {
    v->blocks_final++;
    v->last_block_ms = clock_mono_ms();
    v->txs_final += block->tx_count;
    v->waiting_since_ms = mempool_count(v->from.mempool) > 0 ? clock_mono_ms() : 0;
}

static void write_peers(struct vitals *v, struct status_facts *facts) {
    facts->peer_count = 0;
    struct peer_facts known;
    for (uint16_t i = 0; i < PEERS_MAX && facts->peer_count < STATUS_PEERS_MAX; i++) {
        if (!peers_get(v->from.peers, i, &known)) {
            continue;
        }
        const struct links_peer_stats stats = known.link;
        struct status_peer *peer = &facts->peers[facts->peer_count++];
        *peer = (struct status_peer){.up = stats.up,
                                     .bytes_in = stats.bytes_in,
                                     .bytes_out = stats.bytes_out,
                                     .messages_in = stats.messages_in,
                                     .messages_out = stats.messages_out,
                                     .handshakes = stats.handshakes,
                                     .rejected = stats.rejected,
                                     .queued_bytes = stats.queued_bytes,
                                     .lost = stats.lost,
                                     .fouls = replica_fouls(v->from.replica, i)};
        for (size_t c = 0; c < FRAME_CLASSES; c++) {
            peer->dropped += stats.dropped[c];
        }
        memcpy(peer->key, known.key, sizeof peer->key);
        memcpy(peer->address, known.address, strnlen(known.address, sizeof peer->address - 1));
    }
}

void vitals_write(struct vitals *v, uint64_t now_ms) {
    warn_of_dominance(v, now_ms);
    struct status_facts facts = {0};
    const struct status_sources sources = {.replica = v->from.replica,
                                           .submit = v->from.submit,
                                           .mempool = v->from.mempool,
                                           .gossip = v->from.gossip,
                                           .times = &v->times,
                                           .data_dir = v->from.data_dir};
    status_facts_from(&sources, now_ms, &facts);
    facts.ahead_ms = ledger_time_ahead(clock_wall_ms(), chain_head(v->from.chain)->header.time_ms);
    facts.links = peers_links(v->from.peers);
    write_peers(v, &facts);
    look_at_standing(v, &facts, now_ms);
    facts.due_stands_still = facts.ahead_ms > v->from.clock_ahead_ms;
    look_at_alarms(v, &facts, now_ms);
    status_facts_alarms(&v->alarms, &facts);
    if (facts.pending == 0) {
        v->waiting_since_ms = 0;
    } else if (v->waiting_since_ms == 0) {
        v->waiting_since_ms = now_ms;
    }
    facts.oldest_pending_ms = v->waiting_since_ms != 0 ? now_ms - v->waiting_since_ms : 0;
    facts.blocks_final = v->blocks_final;
    facts.txs_final = v->txs_final;
    facts.checkpoints = v->checkpoints;
    facts.loop_turns = v->loop_turns;
    status_board_write(&v->board, &facts);
}
