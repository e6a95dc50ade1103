/* The voting rules of docs/consensus.md as a Promela model: n = 4, f = 1, one validator Byzantine. `make model` runs it.
 *
 * Checked after every step, whatever order things happen in:
 *   one_notarized  no view has notarizations of two blocks
 *   one_outcome    no view has a finalization together with a nullification or with another block's finalization
 *   agreement      of two final blocks one stands on the other
 *   epoch_end      with -DEPOCH: nothing but E itself is final above a final closing block E
 *
 * What is left out only allows more than the rules do, so that what holds here holds there:
 *   - The Byzantine validator has signed every vote there is: a certificate needs Q - 1 of the three honest ones. Where
 *     it leads, each honest validator may see either of two blocks on any parent that it can be made to believe. (A third block
 *     adds nothing: no quorum is left for it.)
 *   - The network keeps, delays, repeats and loses: every message ever sent may or may not be known to a validator when
 *     it moves. So no inbox is kept: "knows a certificate" is "its votes were cast", and not knowing is not moving.
 *   - Time: a validator may give up its current view at any moment.
 *   - A validator may finalize in the view it is in (the code leaves it first), and does not mind a leader's equivocation.
 *   - With -DCRASH a validator may fall back to view 1 at any time; its own votes are in its journal.
 *   - Every body is at hand, every block valid. Recall and the window of 256 views are not modelled; views end at VIEWS.
 *
 * -DVIEWS=n       how many views (at most 4)
 * -DBYZ_LEADS=v   the view that the Byzantine validator leads (0: none of these)
 * -DEPOCH         blocks may close the epoch
 * -DGOAL_x        claims that x never happens: a run that refutes it shows that the model can do x
 * -DMUTANT_x      breaks one rule: the checks above must notice
 */
#ifndef VIEWS
#define VIEWS 3
#endif
#ifndef BYZ_LEADS
#define BYZ_LEADS 1
#endif
#ifdef MUTANT_QUORUM
#define Q 2
#else
#define Q 3
#endif
#define HONEST 3

/* Block 0 is the last final one of before; view v has room for blocks 2v - 1 and 2v. */
#define BLOCKS (2 * VIEWS + 1)
#define FIRST(v) (2 * (v) - 1)
#define VIEW(b) (((b) + 1) / 2)

/* Honest validators are 0, 1, 2. Which of them leads a view the Byzantine one does not: they take turns. */
#define LEADS(i, v) ((v) != BYZ_LEADS && (v) % HONEST == (i))

bit proposed[BLOCKS];
byte parent[BLOCKS];
byte view[HONEST] = 1;

/* Votes, by view and validator. A block's number is vote enough: 0 is none. */
#define AT(i, v) (((v) - 1) * HONEST + (i))
byte notarize[VIEWS * HONEST];
bit nullify[VIEWS * HONEST];
byte finalize[VIEWS * HONEST];

#ifdef EPOCH
bit closes[BLOCKS]; /* the block, or what it stands for, ends the epoch */
bit again[BLOCKS];  /* the view proposes its parent once more */
#define MAY_STAND_ON(p, a) ((a) == closes[p])
#else
#define MAY_STAND_ON(p, a) (!(a))
#endif
#if defined(MUTANT_BUILD_ON_CLOSING)
#undef MAY_STAND_ON
#define MAY_STAND_ON(p, a) (!(a) || closes[p])
#endif

/* ---- Certificates: the Byzantine vote is always there ------------------------------------------------------------- */

#define VOTES(votes, v, b) ((votes[AT(0, v)] == (b)) + (votes[AT(1, v)] == (b)) + (votes[AT(2, v)] == (b)) + 1)
#define NOTARIZED(b) ((b) == 0 || VOTES(notarize, VIEW(b), b) >= Q)
#define FINALIZED(b) ((b) == 0 || VOTES(finalize, VIEW(b), b) >= Q)
#define NULLIFIED(v) (VOTES(nullify, v, 1) >= Q)
#define CERTIFIED(v) (NULLIFIED(v) || NOTARIZED(FIRST(v)) || NOTARIZED(FIRST(v) + 1))

/* Rules 2 and 3: the parent is notarized and every view since nullified. */
#define SKIPPED(w, p, v) ((w) <= VIEW(p) || (w) >= (v) || NULLIFIED(w))
#if VIEWS == 4
#define GAP(p, v) (SKIPPED(1, p, v) && SKIPPED(2, p, v) && SKIPPED(3, p, v))
#elif VIEWS == 3
#define GAP(p, v) (SKIPPED(1, p, v) && SKIPPED(2, p, v))
#else
#define GAP(p, v) SKIPPED(1, p, v)
#endif
#if defined(MUTANT_STALE_PARENT)
#define PROVEN(p, v, a) (VIEW(p) < (v) && NOTARIZED(p))
#elif defined(MUTANT_STALE_AGAIN)
#define PROVEN(p, v, a) (VIEW(p) < (v) && NOTARIZED(p) && ((a) || GAP(p, v)))
#else
#define PROVEN(p, v, a) (VIEW(p) < (v) && NOTARIZED(p) && GAP(p, v))
#endif

#ifdef MUTANT_NOTARIZE_TWICE
#define MAY_NOTARIZE(i, v) (!nullify[AT(i, v)])
#else
#define MAY_NOTARIZE(i, v) (notarize[AT(i, v)] == 0 && !nullify[AT(i, v)])
#endif
#ifdef MUTANT_NULLIFY_AFTER_FINALIZE
#define MAY_NULLIFY(i, v) (!nullify[AT(i, v)])
#else
#define MAY_NULLIFY(i, v) (!nullify[AT(i, v)] && finalize[AT(i, v)] == 0)
#endif
#if defined(MUTANT_FINALIZE_AFTER_NULLIFY)
#define MAY_FINALIZE(i, v, b) (NOTARIZED(b) && (notarize[AT(i, v)] == 0 || notarize[AT(i, v)] == (b)))
#elif defined(MUTANT_FINALIZE_UNNOTARIZED)
#define MAY_FINALIZE(i, v, b) (!nullify[AT(i, v)])
#else
#define MAY_FINALIZE(i, v, b) \
    (NOTARIZED(b) && !nullify[AT(i, v)] && (notarize[AT(i, v)] == 0 || notarize[AT(i, v)] == (b)))
#endif

/* ---- What must hold ----------------------------------------------------------------------------------------------- */

hidden byte low, high, walk;
hidden byte one_notarized, one_outcome, agreement, epoch_end;
hidden byte no_block_final, no_gap_crossed, no_view_with_both, no_epoch_closed_late;

inline check_view(v) {
    one_notarized = !(NOTARIZED(FIRST(v)) && NOTARIZED(FIRST(v) + 1));
    assert(one_notarized);
    one_outcome = !(FINALIZED(FIRST(v)) && FINALIZED(FIRST(v) + 1)) &&
                  !(NULLIFIED(v) && (FINALIZED(FIRST(v)) || FINALIZED(FIRST(v) + 1)));
    assert(one_outcome);
#ifdef GOAL_BOTH
    no_view_with_both = !(NULLIFIED(v) && (NOTARIZED(FIRST(v)) || NOTARIZED(FIRST(v) + 1)));
    assert(no_view_with_both);
#endif
}

/* Every pair of final blocks: from the higher one down to where the lower one must be. */
inline check_final() {
    high = BLOCKS - 1;
    do
    :: high > 0 && !(proposed[high] && FINALIZED(high)) -> high--
    :: high > 0 && proposed[high] && FINALIZED(high) ->
        low = 1;
        do
        :: low < high ->
            if
            :: proposed[low] && FINALIZED(low) ->
                walk = high;
                epoch_end = true;
                do
                :: walk > low ->
#ifdef EPOCH
                    epoch_end = epoch_end && (!closes[low] || again[walk]);
#endif
                    walk = parent[walk]
                :: else -> break
                od;
                agreement = (walk == low);
                assert(agreement);
                assert(epoch_end)
            :: else
            fi;
            low++
        :: else -> break
        od;
#ifdef GOAL_FINAL
        no_block_final = false;
        assert(no_block_final);
#endif
#ifdef GOAL_GAP
        no_gap_crossed = (VIEW(high) == VIEW(parent[high]) + 1 || VIEWS == 1);
        assert(no_gap_crossed);
#endif
#ifdef GOAL_AGAIN
        no_epoch_closed_late = !again[high];
        assert(no_epoch_closed_late);
#endif
        high--
    :: else -> break
    od;
    low = 0;
    walk = 0
}

/* ---- What a validator may do -------------------------------------------------------------------------------------- */

/* Puts block b of view v on parent p. */
inline lay(b, p, a, c) {
    proposed[b] = 1;
    parent[b] = p;
#ifdef EPOCH
    again[b] = a;
    closes[b] = (a || c)
#endif
}

inline cast_notarize(i, b) {
    notarize[AT(i, VIEW(b))] = b;
    check_view(VIEW(b))
}

/* One of the blocks below view v, and, with EPOCH, what is made of it. */
inline pick_parent() {
    if
    :: p = 0
    :: p = 1
    :: p = 2
#if VIEWS > 2
    :: p = 3
    :: p = 4
#endif
#if VIEWS > 3
    :: p = 5
    :: p = 6
#endif
    fi;
#ifdef EPOCH
    if
    :: a = 0; c = 0
    :: a = 0; c = 1
    :: a = 1; c = 0
    fi
#endif
}

#define CAN_LAY(v) (VIEW(p) < (v) && (p == 0 || proposed[p]) && MAY_STAND_ON(p, a) && PROVEN(p, v, a))

byte p, b;
bit a, c;

#define NOW view[me]
#define OPEN (NOW <= VIEWS)

#define ENTER(w) \
    :: d_step { w <= VIEWS && w >= NOW && CERTIFIED(w) -> NOW = w + 1 }
#define FINALIZE(w, x) \
    :: d_step { proposed[x] && finalize[AT(me, w)] == 0 && MAY_FINALIZE(me, w, x) -> \
        finalize[AT(me, w)] = x; \
        check_view(w); \
        check_final() }

proctype validator(byte me) {
end:
    do
    /* Rule 1 */
    ENTER(1)
    ENTER(2)
#if VIEWS > 2
    ENTER(3)
#endif
#if VIEWS > 3
    ENTER(4)
#endif
    /* Rule 2, and rule 3 for the leader's own block */
    :: atomic {
        OPEN && LEADS(me, NOW) && !proposed[FIRST(NOW)] && MAY_NOTARIZE(me, NOW) ->
        pick_parent();
        if
        :: d_step { CAN_LAY(NOW) -> b = FIRST(NOW); lay(b, p, a, c); cast_notarize(me, b) }
        :: else
        fi;
        d_step { p = 0; a = 0; c = 0; b = 0 }
    }
    /* Rule 3: the proposal of an honest leader, which proved its choice */
    :: d_step {
        OPEN && NOW != BYZ_LEADS && proposed[FIRST(NOW)] && MAY_NOTARIZE(me, NOW) ->
        b = FIRST(NOW);
        cast_notarize(me, b);
        b = 0
    }
    /* Rule 3: whatever the Byzantine leader shows to this validator */
    :: atomic {
        OPEN && NOW == BYZ_LEADS && MAY_NOTARIZE(me, NOW) ->
        if
        :: b = FIRST(NOW)
        :: proposed[FIRST(NOW)] -> b = FIRST(NOW) + 1
        fi;
        if
        :: proposed[b] -> d_step { cast_notarize(me, b) }
        :: else ->
            pick_parent();
            if
            :: d_step { CAN_LAY(NOW) -> lay(b, p, a, c); cast_notarize(me, b) }
            :: else
            fi
        fi;
        d_step { p = 0; a = 0; c = 0; b = 0 }
    }
    /* Rule 4 */
    :: d_step {
        OPEN && MAY_NULLIFY(me, NOW) ->
        nullify[AT(me, NOW)] = 1;
        check_view(NOW)
    }
    /* Rules 5 and 7 */
    FINALIZE(1, 1)
    FINALIZE(1, 2)
    FINALIZE(2, 3)
    FINALIZE(2, 4)
#if VIEWS > 2
    FINALIZE(3, 5)
    FINALIZE(3, 6)
#endif
#if VIEWS > 3
    FINALIZE(4, 7)
    FINALIZE(4, 8)
#endif
#ifdef CRASH
    :: d_step { NOW > 1 -> NOW = 1 }
#endif
#ifdef MUTANT_FORGET
    :: d_step { OPEN -> notarize[AT(me, NOW)] = 0; nullify[AT(me, NOW)] = 0; finalize[AT(me, NOW)] = 0 }
#endif
    od
}

init {
    atomic {
        run validator(0);
        run validator(1);
        run validator(2)
    }
}
