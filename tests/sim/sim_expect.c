/* What must follow from a message: evidence from a contradiction, and that whoever runs on an old copy refuses to vote
 * once it was shown a vote of its own that the copy lacks. What a node holds is worked out from what reached it; where
 * that is not certain, nothing is expected. */
#include "tests/sim/sim.h"

#include "consensus/certificates.h"
#include "contracts/governance/governance_evidence.h"
#include "node/ledger/execute.h"
#include "node/ledger/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, HASH_LEN) == 0;
}

/* ---- What a node knows ------------------------------------------------------------------------------------------- */

#define SEEN_MAX 2048
#define REPORTED_VIEWS 64u

struct seen {
    uint64_t epoch, view; /* view 0: free */
    uint16_t key;
    uint8_t kind;
    bool reported; /* a contradiction of that validator in that view */
    uint8_t block[HASH_LEN];
};

/* Of one process: gone when it dies. The latest of each place counts. */
struct sim_knowledge {
    struct seen seen[SEEN_MAX];
    struct seen reported[SIM_KEYS_MAX][REPORTED_VIEWS];
    uint64_t held_epoch[SIM_KEYS_MAX], held[SIM_KEYS_MAX][5]; /* highest view of a vote, by kind */
    uint64_t owed_epoch[SIM_KEYS_MAX], owed[SIM_KEYS_MAX][5]; /* the same, when that validator asked */
    uint32_t asks[SIM_KEYS_MAX];                              /* that were not answered yet */
    bool spoils[SIM_KEYS_MAX]; /* sent bad votes of its own: what is held of it is its own affair */
};

static struct sim_knowledge *knowledge_of(struct sim_node *node) {
    if (node->knowledge == NULL) {
        node->knowledge = calloc(1, sizeof *node->knowledge);
    }
    return node->knowledge;
}

void sim_expect_forget(struct sim_node *node) {
    free(node->knowledge);
    node->knowledge = NULL;
    node->recall_nonce = 0;
    memset(node->answered, 0, sizeof node->answered);
    memset(node->evidence_due, 0, sizeof node->evidence_due);
}

static struct seen *seen_at(struct sim_knowledge *k, uint64_t view, uint16_t key, enum vote_kind kind) {
    return &k->seen[(view * 4 + (uint64_t)kind + key * 521u) % SEEN_MAX];
}

static bool is_seen(const struct seen *s, uint64_t epoch, uint64_t view, uint16_t key, enum vote_kind kind) {
    return s->view == view && s->epoch == epoch && s->key == key && s->kind == kind;
}

static struct seen *report_at(struct sim_knowledge *k, uint64_t view, uint16_t key) {
    return &k->reported[key][view % REPORTED_VIEWS];
}

void sim_expect_reported(struct sim_node *node, uint16_t accused, const struct vote_subject *subject) {
    if (accused < SIM_KEYS_MAX) {
        *report_at(knowledge_of(node), subject->view, accused) =
            (struct seen){.epoch = subject->epoch, .view = subject->view, .key = accused};
        sim_count(node->world, COUNT_CONTRADICTION);
    }
}

/* ---- Votes that arrive ------------------------------------------------------------------------------------------- */

static bool is_good(const struct sim_node *node, const struct consensus_vote *vote) {
    uint8_t text[VOTE_SIGNED_LEN];
    uint16_t key = sim_key_at(node->world, vote->subject.epoch, vote->signer);
    vote_signed_bytes(chain_id(node->chain), &vote->subject, text);
    return key < SIM_KEYS_MAX && ed25519_verify(node->world->keys[key], text, sizeof text, vote->signature);
}

static bool contradict(enum vote_kind kind, const uint8_t *block, enum vote_kind other_kind,
                       const uint8_t *other_block) {
    if (kind == other_kind) {
        return kind != VOTE_NULLIFY && !same(block, other_block);
    }
    enum vote_kind other = kind == VOTE_FINALIZE ? other_kind : kind;
    return (kind == VOTE_FINALIZE || other_kind == VOTE_FINALIZE) &&
           (other == VOTE_NULLIFY || (other == VOTE_NOTARIZE && !same(block, other_block)));
}

static void judge_report(struct sim_node *node, const struct consensus_vote *vote, uint16_t key) {
    struct sim_knowledge *k = knowledge_of(node);
    const struct vote_subject *s = &vote->subject;
    const struct seen *r = report_at(k, s->view, key);
    for (enum vote_kind kind = VOTE_NOTARIZE; kind <= VOTE_FINALIZE; kind++) {
        const struct seen *before = seen_at(k, s->view, key, kind);
        bool reported = r->view != 0; /* or another view's report took its place */
        if (is_seen(before, s->epoch, s->view, key, kind) && !reported &&
            contradict(s->kind, s->block, kind, before->block)) {
            sim_fail(node->world, "unreported",
                     "node %u has votes of kinds %d and %d of validator %u in view %llu and reports no contradiction",
                     node->number, kind, s->kind, key, (unsigned long long)s->view);
        }
    }
}

/* What the core surely took: of its epoch, above the last final view and not ahead of its own, before and after. */
static bool is_taken(const struct sim_expected *x, const struct consensus_status *now, const struct vote_subject *s) {
    return s->epoch == x->before.epoch && s->view > now->final_view && s->view <= x->before.view &&
           now->epoch == x->before.epoch && !now->closed && s->view - x->before.final_view < CONSENSUS_WINDOW - 2;
}

static void take_votes(struct sim_node *node, const struct sim_expected *x, const struct consensus_status *now) {
    const struct peer_votes votes = sim_votes_in(&x->message);
    for (size_t i = 0; i < votes.count; i++) {
        const struct consensus_vote *vote = &votes.items[i];
        const struct vote_subject *s = &vote->subject;
        uint16_t key = sim_key_at(node->world, s->epoch, vote->signer);
        bool formed = s->kind >= VOTE_NOTARIZE && s->kind <= VOTE_FINALIZE &&
                      (s->kind != VOTE_NULLIFY || bytes_is_zero(s->block, HASH_LEN));
        if (key >= SIM_KEYS_MAX || key == node->key) {
            continue;
        }
        struct sim_knowledge *k = knowledge_of(node);
        bool good = is_good(node, vote);
        k->spoils[key] = k->spoils[key] || (!good && key == x->from);
        if (k->spoils[key] && !sim_key_is_faulty(node->world, key)) {
            sim_fail(node->world, "spoiled", "validator %u sends a vote with a bad signature", key);
        }
        if (!formed || !is_taken(x, now, s) || !good) {
            continue;
        }
        judge_report(node, vote, key);
        struct seen *place = seen_at(k, s->view, key, s->kind);
        if (!is_seen(place, s->epoch, s->view, key, s->kind)) {
            *place = (struct seen){.epoch = s->epoch, .view = s->view, .key = key, .kind = (uint8_t)s->kind};
            memcpy(place->block, s->block, HASH_LEN);
        }
        if (k->held_epoch[key] != s->epoch) {
            memset(k->held[key], 0, sizeof k->held[key]);
            k->held_epoch[key] = s->epoch;
        }
        k->held[key][s->kind] = s->view > k->held[key][s->kind] ? s->view : k->held[key][s->kind];
    }
}

/* ---- Recalls ----------------------------------------------------------------------------------------------------- */

/* An answer names the highest votes that the answering node holds. */
static void judge_answer(struct sim_node *from, uint16_t to, const struct peer_message *m) {
    struct sim_knowledge *k = from->knowledge;
    for (enum vote_kind kind = VOTE_NOTARIZE; k != NULL && to < SIM_KEYS_MAX && kind <= VOTE_FINALIZE; kind++) {
        bool named = k->spoils[to] || k->owed[to][kind] == 0 || k->owed_epoch[to] != m->epoch;
        for (size_t i = 0; i < m->u.recall.votes.count; i++) {
            const struct vote_subject *s = &m->u.recall.votes.items[i].subject;
            named = named || (s->kind == kind && s->view >= k->owed[to][kind]);
        }
        if (!named) {
            sim_fail(from->world, "recall", "node %u holds a vote of validator %u in view %llu and does not say so",
                     from->number, to, (unsigned long long)k->owed[to][kind]);
        }
    }
    if (k != NULL && to < SIM_KEYS_MAX && k->asks[to] > 0) {
        k->asks[to]--;
    }
}

static void note_question(struct sim_node *from, const struct peer_message *m) {
    from->recall_nonce = m->u.recall_ask.nonce;
}

/* A vote that the journal of an old copy does not have is never cast once it refuses. */
static void judge_refusal(struct sim_node *from, const struct peer_message *m) {
    struct replica_stats stats;
    replica_stats(from->replica, &stats);
    const struct peer_votes votes = sim_votes_in(m);
    for (size_t i = 0; stats.consensus.refused && i < votes.count; i++) {
        const struct vote_subject *s = &votes.items[i].subject;
        if (s->epoch == stats.consensus.epoch &&
            (s->epoch != from->own_epoch[s->kind] || s->view > from->own_view[s->kind])) {
            sim_fail(from->world, "recall", "node %u refuses to vote, and votes in view %llu", from->number,
                     (unsigned long long)s->view);
        }
    }
}

void sim_expect_sent(struct sim_node *from, uint16_t to, struct bytes bytes) {
    struct peer_message m;
    bool judged = !from->faulty && !from->lost_votes;
    if ((!judged && !from->restored) || !from->world->has_foes || peer_decode(bytes, &m) != OK) {
        return;
    }
    if (m.kind == PEER_RECALL_ASK) {
        note_question(from, &m);
    } else if (m.kind == PEER_RECALL && judged) {
        judge_answer(from, to, &m);
    } else if (from->restored) {
        judge_refusal(from, &m);
    }
    peer_free(&m);
}

static bool is_lacking(const struct sim_node *node, const struct sim_expected *x, enum vote_kind kind, uint64_t epoch,
                       uint64_t view) {
    bool has = node->own_epoch[kind] == epoch && node->own_view[kind] >= view;
    return epoch == x->before.epoch && view > x->before.final_view && !has;
}

/* Does the message show a node on an old copy a vote of its own that the copy lacks? What stands first in it counts:
 * with that the recall may be over. */
static bool shows_own(struct sim_node *node, const struct sim_expected *x) {
    const struct peer_message *m = &x->message;
    uint16_t me = sim_index_of(node->world, x->before.epoch, node->key);
    bool answer = m->kind == PEER_RECALL && m->u.recall.nonce == node->recall_nonce, shown = false;
    const struct peer_votes said = answer ? m->u.recall.votes : sim_votes_in(m);
    for (size_t i = 0; i < said.count && i < (answer ? 4u : 1u); i++) {
        const struct consensus_vote *v = &said.items[i];
        bool votes = v->subject.kind != VOTE_PROPOSE && v->subject.view <= x->before.view;
        shown = shown || (v->signer == me && (answer || votes) && is_good(node, v) &&
                          is_lacking(node, x, v->subject.kind, v->subject.epoch, v->subject.view));
    }
    const struct peer_spans certificates = sim_certificates_in(m);
    for (size_t i = 0; !x->from_faulty && i < certificates.count && i < 1; i++) {
        struct certificate_parts parts;
        shown = shown || (certificates_parse(certificates.items[i], sim_validators_of(node->world, x->before.epoch),
                                             &parts) == OK &&
                          certificates_has(&parts, me) && parts.subject.view - x->before.final_view < 200 &&
                          is_lacking(node, x, parts.subject.kind, parts.subject.epoch, parts.subject.view));
    }
    return shown;
}

/* ---- Before and after a message ---------------------------------------------------------------------------------- */

void sim_expect(struct sim_node *node, uint16_t from, struct bytes bytes, struct sim_expected *out) {
    struct sim_world *w = node->world;
    struct replica_stats stats;
    bool judged = !node->faulty && !node->lost_votes;
    *out = (struct sim_expected){.from = from, .from_faulty = sim_key_is_faulty(w, from)};
    out->any = (judged || node->restored) && w->has_foes && peer_decode(bytes, &out->message) == OK;
    if (!out->any) {
        return;
    }
    replica_stats(node->replica, &stats);
    out->before = stats.consensus;
    const struct peer_message *m = &out->message;
    if (m->kind == PEER_RECALL && m->epoch == stats.consensus.epoch && from < SIM_KEYS_MAX) {
        node->answered[from] = m->epoch + 1;
    }
    struct sim_knowledge *k = knowledge_of(node);
    if (m->kind == PEER_RECALL_ASK && from < SIM_KEYS_MAX && k->asks[from]++ == 0) {
        memcpy(k->owed[from], k->held[from], sizeof k->owed[from]);
        k->owed_epoch[from] = k->held_epoch[from];
    }
    bool recalling = !stats.consensus.voting && !stats.consensus.refused && !stats.consensus.closed &&
                     stats.me != CONSENSUS_OBSERVER && sim_validators_of(w, stats.consensus.epoch) > 1;
    bool same_epoch = m->epoch == stats.consensus.epoch;
    out->refuses = node->restored && recalling && same_epoch && shows_own(node, out);
}

void sim_expect_met(struct sim_node *node, struct sim_expected *x) {
    if (!x->any) {
        return;
    }
    if (node->up) {
        struct replica_stats stats;
        replica_stats(node->replica, &stats);
        if (x->refuses && !stats.consensus.refused) {
            sim_fail(node->world, "recall", "node %u runs on an old copy, was shown a vote that it lacks, and goes on",
                     node->number);
        }
        if (!x->before.refused && stats.consensus.refused && node->restored) {
            sim_count(node->world, COUNT_OLD_COPY_REFUSED);
        }
        if (!node->faulty && x->message.epoch == x->before.epoch) {
            take_votes(node, x, &stats.consensus);
        }
    }
    peer_free(&x->message);
}

/* Before its first vote in an epoch a validator has heard enough others about what it said before. What it may have
 * journaled before it died is no new vote. */
void sim_expect_recalled(struct sim_node *node, uint64_t epoch, uint64_t view) {
    struct sim_world *w = node->world;
    uint16_t n = sim_validators_of(w, epoch), answers = 0;
    bool old = node->died_epoch > epoch || (node->died_epoch == epoch && view <= node->died_view + 1);
    if (old || !w->has_foes || n <= 1) {
        return;
    }
    for (uint16_t i = 0; i < n; i++) {
        uint16_t key = sim_key_at(w, epoch, i);
        answers = (uint16_t)(answers + (key < SIM_KEYS_MAX && node->answered[key] == epoch + 1 ? 1 : 0));
    }
    if (answers + 1 < validators_quorum(n)) {
        sim_fail(w, "recall", "node %u votes in view %llu and was told by %u others only what it voted before",
                 node->number, (unsigned long long)view, answers);
    }
}

/* ---- Old copies -------------------------------------------------------------------------------------------------- */

static enum err own_vote(void *arg, const struct consensus_vote *vote) {
    struct sim_node *node = arg;
    const struct vote_subject *s = &vote->subject;
    uint64_t *epoch = &node->own_epoch[s->kind], *view = &node->own_view[s->kind];
    if (s->epoch > *epoch || (s->epoch == *epoch && s->view > *view)) {
        *epoch = s->epoch;
        *view = s->view;
    }
    return OK;
}

static enum err pass_over(void *arg, struct bytes bytes) {
    (void)arg;
    (void)bytes;
    return OK;
}

static enum err pass_over_body(void *arg, uint64_t epoch, struct bytes body) {
    (void)epoch;
    return pass_over(arg, body);
}

/* The highest votes that stand in the journal on the node's disk. */
void sim_expect_restored(struct sim_node *node) {
    struct sim_disk *scratch = sim_disk_copy(node->disk, true);
    const struct journal_config config = {.disk = sim_disk_ops(scratch),
                                          .dir = SIM_HOME "/journal",
                                          .segment_bytes = node->world->options.journal_segment};
    const struct journal_reader reader = {
        .vote = own_vote, .body = pass_over_body, .certificate = pass_over, .arg = node};
    struct journal *journal = NULL;
    memset(node->own_epoch, 0, sizeof node->own_epoch);
    memset(node->own_view, 0, sizeof node->own_view);
    node->restored = journal_open(&config, &reader, &journal) == OK;
    journal_close(journal);
    sim_disk_free(scratch);
}

/* ---- Evidence ---------------------------------------------------------------------------------------------------- */

/* At the end: has all evidence that was handed in become final, or lost its object? */
bool sim_expect_settled(struct sim_world *w, char *out_text, size_t len) {
    for (uint16_t i = 0; i < w->node_count; i++) {
        struct sim_node *node = &w->nodes[i];
        for (uint16_t key = 0; key < SIM_KEYS_MAX && node->up && !node->faulty; key++) {
            struct chain_view view;
            struct evidence_record record;
            bool found = true;
            bool validator = sim_index_of(w, w->epoch_count - 1, key) != CONSENSUS_OBSERVER;
            uint64_t time_ms = w->final_header[w->top_height].time_ms, due_ms = node->evidence_due[key];
            bool over = time_ms >= due_ms || due_ms - time_ms > w->params.tx_max_lifetime_ms;
            if (over || !validator || chain_view_open(node->chain, &view) != OK) {
                node->evidence_due[key] = 0;
                continue;
            }
            struct state state = state_of_view(view.kv);
            enum err e = evidence_get(&state, w->keys[key], &record, &found);
            chain_view_close(&view);
            if (e == OK && !found) {
                (void)snprintf(out_text, len, "node %u handed in evidence against validator %u", i, key);
                return false;
            }
            sim_count(w, COUNT_EVIDENCE_FINAL);
            node->evidence_due[key] = 0;
        }
    }
    return true;
}
