/* The voting rules of docs/consensus.md as a Promela model: n = 4, f = 1, one validator Byzantine. */
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

/* Block 0 is the last final one of before; view v has room for blocks 2v - 1 and 2v. */
#define BLOCKS (2 * VIEWS + 1)
#define FIRST(v) (2 * (v) - 1)
#define VIEW(b) (((b) + 1) / 2)

bit proposed[BLOCKS];
byte parent[BLOCKS];

#define BITS 5
#define SLOT(b) (2 - (b) % 2)
#define SHIFT(v) (((v) - 1) * BITS)
int said[3];

#define NOT(x, v) ((x >> SHIFT(v)) & 3)
#define NUL(x, v) ((x >> (SHIFT(v) + 2)) & 1)
#define FIN(x, v) ((x >> (SHIFT(v) + 3)) & 3)

#ifdef EPOCH
bit closes[BLOCKS]; /* the block, or what it stands for, ends the epoch */
bit again[BLOCKS];  /* the view proposes its parent once more */
#define MAY_STAND_ON(p, a) ((a) == closes[p])
#else
#define MAY_STAND_ON(p, a) (!(a))
#endif

#define COUNT(what, v, x) ((what(said[0], v) == (x)) + (what(said[1], v) == (x)) + (what(said[2], v) == (x)) + 1)
#define NOTARIZED(b) ((b) == 0 || COUNT(NOT, VIEW(b), SLOT(b)) >= Q)
#ifdef LAZY
#define COULD(x, v, s) (!NUL(x, v) && (NOT(x, v) == 0 || NOT(x,v) == s))
#define FINALIZED(b) ((b) == 0 || (NOTARIZED(b) && COULD(said[0], VIEW(b), SLOT(b)) + COULD(said[1], VIEW(b), SLOT(b)) + COULD(said[2], VIEW(b), SLOT(b)) + 1 >= Q))
#else
#define FINALIZED(b) ((b) == 0 || COUNT(FIN, VIEW(b), SLOT(b)) >= Q)
#endif
#define NULLIFIED(v) (COUNT(NUL, v, 1) >= Q)
#define CERTIFIED(v) (NULLIFIED(v) || NOTARIZED(FIRST(v)) || NOTARIZED(FIRST(v) + 1))
#define ENTERED(v) ((v) == 1 || CERTIFIED(v - 1) )

#define SKIPPED(w, p, v) ((w) <= VIEW(p) || (w) >= (v) || NULLIFIED(w))
#if VIEWS == 4
#define GAP(p, v) (SKIPPED(1, p, v) && SKIPPED(2, p, v) && SKIPPED(3, p, v))
#elif VIEWS == 3
#define GAP(p, v) (SKIPPED(1, p, v) && SKIPPED(2, p, v))
#else
#define GAP(p, v) SKIPPED(1, p, v)
#endif
#define PROVEN(p, v, a) (VIEW(p) < (v) && NOTARIZED(p) && GAP(p, v))

hidden byte low, high, walk;
hidden byte one_notarized, one_outcome, agreement, epoch_end;
hidden int swap;

inline check_view(v) {
    one_notarized = !(NOTARIZED(FIRST(v)) && NOTARIZED(FIRST(v) + 1));
    assert(one_notarized);
    one_outcome = !(FINALIZED(FIRST(v)) && FINALIZED(FIRST(v) + 1)) &&
                  !(NULLIFIED(v) && (FINALIZED(FIRST(v)) || FINALIZED(FIRST(v) + 1)));
    assert(one_outcome);
}

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
        high--
    :: else -> break
    od;
}
#define SORT2(i,j) if :: said[i] > said[j] -> swap = said[i]; said[i] = said[j]; said[j] = swap :: else fi
inline done(v) {
    check_view(v); check_final();
    SORT2(0,1); SORT2(1,2); SORT2(0,1);
    me = 0; p = 0; b = 0; a = 0; c = 0; w=0
}

inline lay(b, p, a, c) {
    proposed[b] = 1;
    parent[b] = p;
#ifdef EPOCH
    again[b] = a;
    closes[b] = (a || c)
#endif
}
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
byte p, b, me, w;
bit a, c;
#define CAN_LAY(v) (VIEW(p) < (v) && (p == 0 || proposed[p]) && MAY_STAND_ON(p, a) && PROVEN(p, v, a))

active proctype network() {
end:
    do
    :: atomic {
        if :: me = 0 :: me = 1 :: me = 2 fi;
        if :: w = 1 :: w = 2
#if VIEWS > 2
           :: w = 3
#endif
#if VIEWS > 3
           :: w = 4
#endif
        fi;
        if
        :: ENTERED(w) && NOT(said[me], w) == 0 && !NUL(said[me], w) ->
            if
            :: b = FIRST(w)
            :: w == BYZ_LEADS && proposed[FIRST(w)] -> b = FIRST(w) + 1
            fi;
            if
            :: proposed[b]
            :: !proposed[b] -> pick_parent();
               if :: CAN_LAY(w) -> lay(b,p,a,c) :: else -> b = 0 fi
            fi;
            if :: b != 0 -> said[me] = said[me] | (SLOT(b) << SHIFT(w)) :: else fi;
        :: ENTERED(w) && !NUL(said[me], w) && !FIN(said[me],w) ->
            said[me] = said[me] | (4 << SHIFT(w))
#ifndef LAZY
        :: !NUL(said[me], w) && !FIN(said[me],w) ->
            if :: b = FIRST(w) :: b = FIRST(w) + 1 fi;
            if :: proposed[b] && NOTARIZED(b) && (NOT(said[me],w) == 0 || NOT(said[me],w) == SLOT(b)) -> 
              said[me] = said[me] | (SLOT(b) << (SHIFT(w)+3)) :: else fi
#endif
        :: else
        fi;
        d_step { done(w) }
    }
    od
}
