#include "node/vitals.h"

#include "base/clock.h"
#include "contracts/governance.h"
#include "node/ledger/execute.h"
#include "node/log.h"

#include <stdio.h>
#include <string.h>

#define ALARM_KEPT_MS 60000u   /* shown this long after it was last raised */
#define ALARM_AGAIN_MS 600000u /* what still holds is said again */

void vitals_init(struct vitals *v) {
    memset(v, 0, sizeof *v);
    status_board_init(&v->board);
}

void vitals_close(struct vitals *v) {
    status_board_close(&v->board);
}

/* ---- Alarms ------------------------------------------------------------------------------------------------------ */

/* Some alarms say that the node itself is no longer what it should be; the others pass when they are not raised again.
 */
static bool alarm_stays(const char *name) {
    static const char *const lasting[] = {"equivocation", "safety", "old-journal", "journal-damaged"};
    for (size_t i = 0; i < sizeof lasting / sizeof lasting[0]; i++) {
        if (strcmp(name, lasting[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void say(struct vitals *v, const char *name, const char *text) {
    log_event(LOG_WARN, "alarm", log_text("name", name), log_text("text", text));
    if (v->from.events != NULL) {
        events_alarm(v->from.events, name, text);
    }
}

void vitals_alarm(struct vitals *v, const char *name, const char *text) {
    (void)snprintf(v->alarm, sizeof v->alarm, "%s: %s", name, text);
    v->alarm_ms = clock_mono_ms();
    v->alarm_stays = alarm_stays(name);
    say(v, name, text);
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
    e = governance_dominating_org(&state, v->dominating, &held, &found);
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
                                     .rejected = stats.rejected};
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
    struct replica_stats stats;
    struct submit_stats submitted = submit_stats(v->from.submit);
    replica_stats(v->from.replica, &stats);
    facts.epoch = stats.consensus.epoch;
    facts.view = stats.consensus.view;
    facts.catching_up = stats.catching_up;
    facts.may_vote = !stats.consensus.refused;
    facts.timeouts = stats.consensus.timeouts;
    facts.pending = mempool_count(v->from.mempool);
    facts.pending_bytes = mempool_bytes(v->from.mempool);
    if (facts.pending == 0) {
        v->waiting_since_ms = 0;
    } else if (v->waiting_since_ms == 0) {
        v->waiting_since_ms = now_ms;
    }
    facts.oldest_pending_ms = v->waiting_since_ms != 0 ? now_ms - v->waiting_since_ms : 0;
    facts.submit_queued = submitted.queued;
    facts.submit_waiting = submitted.waiting;
    facts.submit_accepted = submitted.accepted;
    facts.submit_refused = submitted.refused;
    facts.submit_timed_out = submitted.timed_out;
    facts.blocks_final = v->blocks_final;
    facts.txs_final = v->txs_final;
    facts.checkpoints = v->checkpoints;
    facts.loop_turns = v->loop_turns;
    facts.beat_mono_ms = now_ms;
    if (!v->alarm_stays && v->alarm[0] != '\0' && now_ms - v->alarm_ms > ALARM_KEPT_MS) {
        v->alarm[0] = '\0';
        log_event(LOG_INFO, "alarm.over", log_number("quiet_ms", ALARM_KEPT_MS));
    }
    memcpy(facts.alarm, v->alarm, sizeof facts.alarm);
    write_peers(v, &facts);
    status_board_write(&v->board, &facts);
}
