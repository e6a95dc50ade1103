#include "consensus/pace.h"

#include "base/assert.h"
#include "consensus/views.h"

#define BACKOFF_MAX 16

/* Past this many views without finality something is wrong that time-outs at the usual cap do not cure (clocks far
 * apart, a network slower than the cap), and places of the window are worth saving: every SLOW_STEP views the cap
 * doubles. An outage then costs about an eighth of its length once more, and the window lasts for weeks. */
#define SLOW_AFTER 32
#define SLOW_STEP 8

static unsigned slowness(const struct consensus *core) {
    uint64_t fruitless = core->view - core->final_view;
    ASSERT(fruitless < CONSENSUS_WINDOW); /* the cap is shifted by an eighth of it, and fits 64 bits */
    return fruitless > SLOW_AFTER ? (unsigned)((fruitless - SLOW_AFTER) / SLOW_STEP) : 0;
}

bool pace_is_slow(const struct consensus *core) {
    return slowness(core) > 0;
}

static uint64_t scaled(const struct consensus *core, uint32_t base_ms) {
    uint64_t cap = (uint64_t)core->config.timing.timeout_cap_ms << slowness(core);
    cap = cap > base_ms ? cap : base_ms;
    ASSERT(core->backoff <= BACKOFF_MAX);
    uint64_t t = (uint64_t)base_ms << core->backoff;
    return t < cap ? t : cap;
}

static const struct slot *current(const struct consensus *core) {
    return views_get(core, core->view);
}

static uint64_t leader_deadline(const struct consensus *core) {
    const struct peer_view *leader = &core->peers[core_leader(core, core->view)];
    bool skipped = leader->silent && !pace_is_slow(core);
    uint64_t wait =
        skipped ? core->config.timing.silent_timeout_ms : scaled(core, core->config.timing.leader_timeout_ms);
    return core->active_since_ms + wait;
}

/* A proposal whose time our clock refuses gets no vote here any more. What a quorum thinks of it shows soon. */
static bool is_untimely(const struct consensus *core) {
    struct slot *slot = views_get(core, core->view);
    const struct slot_block *block =
        slot != NULL && slot->proposed ? views_block(slot, slot->proposal.subject.block) : NULL;
    return block != NULL && block->state == BLOCK_UNTIMELY;
}

static uint64_t advance_deadline(const struct consensus *core) {
    uint32_t wait =
        is_untimely(core) ? core->config.timing.leader_timeout_ms / 4 : core->config.timing.advance_timeout_ms;
    return core->active_since_ms + scaled(core, wait);
}

static uint64_t heartbeat_at(const struct consensus *core) {
    return core->final_ms + core->config.timing.heartbeat_ms;
}

static bool heartbeat_due(const struct consensus *core) {
    return core->config.timing.heartbeat_ms != 0 && core->now_ms >= heartbeat_at(core);
}

/* Half of a leader timeout leaves the block time to arrive before anybody gives up on the leader. */
static uint64_t filler_at(const struct consensus *core) {
    return core->active_since_ms + core->config.timing.leader_timeout_ms / 2;
}

/* A block that is notarized and not final yet. */
static bool is_unfinished(const struct consensus *core) {
    return core->top_notarized > core->final_view;
}

void pace_refresh(struct consensus *core) {
    const struct slot *slot = current(core);
    bool active = core->work || is_unfinished(core) || (slot != NULL && slot->touched) || heartbeat_due(core);
    if (active && !core->active) {
        core->active_since_ms = core->now_ms;
    }
    core->active = active;
}

void pace_view_entered(struct consensus *core, bool timed_out) {
    core->entered_ms = core->now_ms;
    core->progress_ms = core->now_ms;
    core->active_since_ms = core->now_ms;
    if (timed_out && core->backoff < BACKOFF_MAX) {
        core->backoff++;
    }
}

void pace_progress(struct consensus *core) {
    core->backoff = 0;
    core->final_ms = core->now_ms;
    core->progress_ms = core->now_ms;
}

bool pace_leader_is_late(const struct consensus *core) {
    const struct slot *slot = current(core);
    return core->active && (slot == NULL || !slot->proposed) && core->now_ms >= leader_deadline(core);
}

bool pace_view_is_late(const struct consensus *core) {
    return core->active && core->now_ms >= advance_deadline(core);
}

bool pace_wants_filler(const struct consensus *core) {
    /* The block of a heartbeat, notarized a moment ago, is no reason for another: only when it stays unfinished. */
    return (heartbeat_due(core) && !is_unfinished(core)) || (core->active && core->now_ms >= filler_at(core));
}

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Time without anything to do is no stall. */
static uint64_t resend_at(const struct consensus *core) {
    return later(later(core->progress_ms, core->active_since_ms), core->resent_ms) + core->config.timing.resend_ms;
}

/* Unfinished business that a lost message may be holding up: an active view, or a start without its answers. */
bool pace_wants_resend(const struct consensus *core) {
    return core->active && core->now_ms >= resend_at(core);
}

/* Votes that are late only by what lies between two nodes come well before; and a leader that is helped now still has
 * most of its time. */
static uint64_t help_at(const struct consensus *core) {
    return core->active_since_ms + core->config.timing.leader_timeout_ms / 4;
}

/* Nothing led to view 1. */
static bool is_help_due(const struct consensus *core) {
    return core->active && core->view > 1 && core->helped_view < core->view;
}

bool pace_wants_help(const struct consensus *core) {
    return is_help_due(core) && core->now_ms >= help_at(core);
}

static void sooner(uint64_t *deadline, uint64_t at) {
    if (*deadline == 0 || at < *deadline) {
        *deadline = at;
    }
}

static void view_deadlines(const struct consensus *core, uint64_t *deadline) {
    const struct slot *slot = current(core);
    bool proposed = slot != NULL && slot->proposed;
    bool given_up = slot != NULL && core_is_validator(core) && views_cast(views_own(core, slot), VOTE_NULLIFY);
    if (!given_up) {
        sooner(deadline, proposed ? advance_deadline(core) : leader_deadline(core));
        if (!proposed && core_leader(core, core->view) == core->config.me && core->now_ms < filler_at(core)) {
            sooner(deadline, filler_at(core));
        }
    }
    if (is_help_due(core)) {
        sooner(deadline, help_at(core));
    }
    sooner(deadline, resend_at(core));
}

uint64_t pace_deadline(const struct consensus *core) {
    uint64_t deadline = 0;
    if (!core->started || !core_is_validator(core)) {
        return 0;
    }
    if (core->recalling) {
        sooner(&deadline, core->recall_asked_ms + core->config.timing.recall_wait_ms);
    }
    if (core->active) {
        view_deadlines(core, &deadline);
    } else if (core->config.timing.heartbeat_ms != 0) {
        sooner(&deadline, heartbeat_at(core));
    }
    /* A deadline that passed without effect (a node that may not vote yet) must not make the timer spin. */
    return deadline != 0 && deadline <= core->now_ms ? core->now_ms + core->config.timing.silent_timeout_ms + 1
                                                     : deadline;
}
