/* The voting rules of docs/consensus.md: n = 4, f = 1, one validator Byzantine. `make model` runs tests/model/run.
 *
 * Checked after every step of every order of steps:
 *   one_notarized  no view has notarizations of two blocks
 *   one_outcome    no view has a finalization together with a nullification, or finalizations of two blocks
 *   agreement      of two final blocks one stands on the other
 *   epoch_end      (-DEPOCH) once a closing block E is final, nothing above it is final but E itself, proposed again
 *
 * What is left out only allows more than the rules do, so what holds here holds there:
 *   - The Byzantine validator has cast every vote there is: a certificate takes Q - 1 of the three honest ones. In the view
 *     it leads, it shows each of them either of two blocks, on whatever they can be made to believe. (A third block adds
 *     nothing: two honest votes for one block leave no quorum for another.)
 *   - The network keeps, delays, repeats and loses. So there is no inbox: a validator knows of a certificate when its
 *     votes have been cast and it moves on it, and not having heard of it is not moving.
 *   - Time: a validator may give up a view at any moment.
 *   - A validator acts in any view it could ever have entered (rule 1), in any order: the journal keeps its votes, and where
 *     it stood when it crashed does not matter.
 *   - Which honest validator leads does not matter, only that its view has one block. So validators differ in nothing but
 *     what they have said, and are kept sorted by that: six orders are one state.
 *   - A leader's equivocation stops nobody from finalizing. Every block is valid, and every body at hand.
 * Recall and the window of 256 views are not modelled. Views end at VIEWS; epochs after the first are not looked at.
 *
 * -DVIEWS=n       views, 2 to 4
 * -DBYZ_LEADS=v   which of them the Byzantine validator leads; 0: none
 * -DEPOCH         blocks of the first two views may close the epoch
 * -DPROMISES      no finalize votes; whoever still may cast one counts as having done so. A finalize vote takes nothing
 *                 but the right to nullify, and who has not nullified has not used that: a bad state with votes is as
 *                 bad without, and one found here is reached by all casting now. Fewer states, so more views.
 * -DGOAL_x        asserts that x never happens: refuted, it shows that the model gets there
 * -DMUTANT_x      breaks a rule: a property above must be violated
 */
#ifndef VIEWS
#define VIEWS 3
#endif
#ifndef BYZ_LEADS
#define BYZ_LEADS 1
#endif
#ifdef MUTANT_QUORUM /* f + 1 */
#define Q 2
#else
#define Q 3
#endif

/* Block 0 was final before. View v has room for blocks 2v - 1 and 2v; only the Byzantine leader uses the second. */
#define BLOCKS (2 * VIEWS + 1)
#define FIRST(v) (2 * (v) - 1)
#define SECOND(v) (2 * (v))
#define VIEW(b) (((b) + 1) / 2)
#define SLOT(b) (2 - (b) % 2)

bit proposed[BLOCKS];
byte parent[BLOCKS];
#ifdef EPOCH
bit closes[BLOCKS]; /* ends the epoch */
bit again[BLOCKS];  /* is its parent, proposed again */
#endif

/* What an honest validator has said, five bits a view: notarized slot (2), nullified (1), finalized slot (2). */
int said[3];
#define AT(v) (5 * ((v) - 1))
#define NOTARIZE(x, v) ((x >> AT(v)) & 3)
#define NULLIFY(x, v) ((x >> (AT(v) + 2)) & 1)
#define FINALIZE(x, v) ((x >> (AT(v) + 3)) & 3)

/* What is being done; all zero between steps. */
byte me, v, b, p;
bit a, c;

/* ---- Certificates: the Byzantine vote is always there ---- */

#define VOTES(kind, v, s) ((kind(said[0], v) == s) + (kind(said[1], v) == s) + (kind(said[2], v) == s) + 1)
#define NOTARIZED(b) (b == 0 || VOTES(NOTARIZE, VIEW(b), SLOT(b)) >= Q)
#define NULLIFIED(v) (VOTES(NULLIFY, v, 1) >= Q)
#define CERTIFIED(v) (NULLIFIED(v) || NOTARIZED(FIRST(v)) || NOTARIZED(SECOND(v)))

/* ---- The rules ---- */

/* Rule 1 */
#define ENTERED(v) (v == 1 || CERTIFIED(v - 1))

/* Rules 2 and 3: the parent notarized, every view since nullified. */
#define LEFT(w, p, v) (w <= VIEW(p) || w >= v || NULLIFIED(w))
#if VIEWS == 4
#define GAP_NULLIFIED(p, v) (LEFT(1, p, v) && LEFT(2, p, v) && LEFT(3, p, v))
#elif VIEWS == 3
#define GAP_NULLIFIED(p, v) (LEFT(1, p, v) && LEFT(2, p, v))
#else
#define GAP_NULLIFIED(p, v) LEFT(1, p, v)
#endif
#if defined(MUTANT_STALE_PARENT)
#define PROVEN(p, v) NOTARIZED(p)
#elif defined(MUTANT_STALE_AGAIN)
#define PROVEN(p, v) (NOTARIZED(p) && (a || GAP_NULLIFIED(p, v)))
#elif defined(MUTANT_UNNOTARIZED_PARENT)
#define PROVEN(p, v) GAP_NULLIFIED(p, v)
#else
#define PROVEN(p, v) (NOTARIZED(p) && GAP_NULLIFIED(p, v))
#endif

/* On a closing block stands nothing in its epoch but itself. */
#if !defined(EPOCH)
#define FITS(p) true
#elif defined(MUTANT_BUILD_ON_CLOSING)
#define FITS(p) (!a || closes[p])
#else
#define FITS(p) (a == closes[p])
#endif
#define MAY_STAND_ON(p, v) (VIEW(p) < v && FITS(p) && PROVEN(p, v))

/* Rule 3 */
#ifdef MUTANT_NOTARIZE_TWICE
#define MAY_NOTARIZE(x, v) (ENTERED(v) && NOTARIZE(x, v) != 3 && !NULLIFY(x, v))
#undef VOTES
#define HAS(kind, x, v, s) ((kind(x, v) & s) == s)
#define VOTES(kind, v, s) (HAS(kind, said[0], v, s) + HAS(kind, said[1], v, s) + HAS(kind, said[2], v, s) + 1)
#else
#define MAY_NOTARIZE(x, v) (ENTERED(v) && NOTARIZE(x, v) == 0 && !NULLIFY(x, v))
#endif

/* Rule 4 */
#ifdef MUTANT_NULLIFY_AFTER_FINALIZE
#define MAY_NULLIFY(x, v) (ENTERED(v) && !NULLIFY(x, v))
#else
#define MAY_NULLIFY(x, v) (ENTERED(v) && !NULLIFY(x, v) && FINALIZE(x, v) == 0)
#endif

/* Rule 5 */
#ifdef MUTANT_FINALIZE_AFTER_NULLIFY
#define FREE(x, v) true
#else
#define FREE(x, v) (!NULLIFY(x, v))
#endif
#define NO_OTHER(x, b) (NOTARIZE(x, VIEW(b)) == 0 || NOTARIZE(x, VIEW(b)) == SLOT(b))
#if defined(MUTANT_FINALIZE_UNNOTARIZED)
#define MAY_FINALIZE(x, b) (FINALIZE(x, VIEW(b)) == 0 && FREE(x, VIEW(b)))
#else
#define MAY_FINALIZE(x, b) (FINALIZE(x, VIEW(b)) == 0 && FREE(x, VIEW(b)) && NO_OTHER(x, b) && NOTARIZED(b))
#endif

/* Rule 7 */
#ifdef PROMISES
#define FINAL(b) (proposed[b] && MAY_FINALIZE(said[0], b) + MAY_FINALIZE(said[1], b) + MAY_FINALIZE(said[2], b) + 1 >= Q)
#else
#define FINAL(b) (proposed[b] && VOTES(FINALIZE, VIEW(b), SLOT(b)) >= Q)
#endif

/* ---- What must hold ---- */

hidden byte low, high, walk;
hidden byte one_notarized, one_outcome, agreement, epoch_end, goal;

inline check_view(w) {
    one_notarized = !(NOTARIZED(FIRST(w)) && NOTARIZED(SECOND(w)));
    assert(one_notarized);
    one_outcome = FINAL(FIRST(w)) + FINAL(SECOND(w)) + NULLIFIED(w) <= 1;
    assert(one_outcome);
#ifdef GOAL_NULLIFIED_AND_NOTARIZED
    goal = !(NULLIFIED(w) && NOTARIZED(FIRST(w)));
    assert(goal);
#endif
}

/* Every two final blocks: from the higher one down to where the lower one must be. */
inline check_final() {
    high = BLOCKS - 1;
    do
    :: high == 0 -> break
    :: high > 0 && !FINAL(high) -> high--
    :: high > 0 && FINAL(high) ->
#ifdef GOAL_FINAL
        goal = false;
#endif
#ifdef GOAL_FINAL_ACROSS_NULLIFIED
        goal = (VIEW(high) == VIEW(parent[high]) + 1);
#endif
#ifdef GOAL_FINAL_AGAIN
        goal = !(again[high]);
#endif
        assert(goal);
        low = 1;
        do
        :: low == high -> break
        :: low < high && !FINAL(low) -> low++
        :: low < high && FINAL(low) ->
            walk = high;
            epoch_end = true;
            do
            :: walk > low ->
#ifdef EPOCH
                epoch_end = epoch_end && (!closes[low] || again[walk]);
#endif
                walk = parent[walk]
            :: walk <= low -> break
            od;
            agreement = (walk == low);
            assert(agreement);
            assert(epoch_end);
            low++
        od;
        high--
    od
}

/* ---- What validator `me` may do in view v ---- */

#define SWAP(i, j) \
    if \
    :: said[i] > said[j] -> walk_said = said[i]; said[i] = said[j]; said[j] = walk_said \
    :: else \
    fi
hidden int walk_said;

inline done() {
    d_step {
        goal = true;
        check_view(v);
        check_final();
        SWAP(0, 1);
        SWAP(1, 2);
        SWAP(0, 1);
        me = 0;
        v = 0;
        b = 0;
        p = 0;
        a = 0;
        c = 0
    }
}

/* Lays block b of view v on a parent that `me` believes in; else b is 0. */
inline propose() {
    if
    :: p = 0
    :: proposed[1] -> p = 1
    :: proposed[2] -> p = 2
#if VIEWS > 2
    :: proposed[3] -> p = 3
    :: proposed[4] -> p = 4
#endif
#if VIEWS > 3
    :: proposed[5] -> p = 5
    :: proposed[6] -> p = 6
#endif
    fi;
#ifdef EPOCH
    if
    :: true
    :: v <= 2 -> c = 1
    :: p != 0 && closes[p] -> a = 1
    fi;
#endif
    if
    :: MAY_STAND_ON(p, v) ->
        proposed[b] = 1;
        parent[b] = p;
#ifdef EPOCH
        again[b] = a;
        closes[b] = (a || c)
#endif
    :: else -> b = 0
    fi
}

active proctype network() {
end:
    do
    :: atomic {
        if
        :: me = 0
        :: said[1] != said[0] -> me = 1
        :: said[2] != said[1] -> me = 2
        fi;
        if
        :: v = 1
        :: v = 2
#if VIEWS > 2
        :: v = 3
#endif
#if VIEWS > 3
        :: v = 4
#endif
        fi;
        if
        :: MAY_NOTARIZE(said[me], v) ->
            if
            :: b = FIRST(v)
            :: v == BYZ_LEADS && proposed[FIRST(v)] -> b = SECOND(v)
            fi;
            if
            :: proposed[b]
            :: !proposed[b] -> propose()
            fi;
            if
            :: b != 0 -> said[me] = said[me] | (SLOT(b) << AT(v))
            :: else
            fi
        :: MAY_NULLIFY(said[me], v) ->
            said[me] = said[me] | (4 << AT(v))
#ifndef PROMISES
        :: proposed[FIRST(v)] && MAY_FINALIZE(said[me], FIRST(v)) ->
            said[me] = said[me] | (8 << AT(v))
        :: proposed[SECOND(v)] && MAY_FINALIZE(said[me], SECOND(v)) ->
            said[me] = said[me] | (16 << AT(v))
#endif
        :: else
        fi;
        done()
    }
    od
}
