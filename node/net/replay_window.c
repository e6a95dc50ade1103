#include "node/net/replay_window.h"

/* A ring of words, as in RFC 6479: moving the window forward clears whole words and shifts nothing. One word is always
 * being filled, so the window reaches back REPLAY_WINDOW - 64 counters at least. */
#define WORDS (REPLAY_WINDOW / 64)

bool replay_window_fresh(const struct replay_window *w, uint64_t counter) {
    if (counter >= w->next) {
        return true;
    }
    uint64_t newest = (w->next - 1) / 64;
    if (newest - counter / 64 >= WORDS) {
        return false;
    }
    return (w->seen[counter / 64 % WORDS] >> (counter % 64) & 1) == 0;
}

void replay_window_mark(struct replay_window *w, uint64_t counter) {
    if (counter >= w->next) {
        /* Words between the newest one and the counter's are of an older turn of the ring. */
        uint64_t newest = w->next == 0 ? 0 : (w->next - 1) / 64;
        uint64_t steps = counter / 64 - newest;
        for (uint64_t i = 1; i <= steps && i <= WORDS; i++) {
            w->seen[(newest + i) % WORDS] = 0;
        }
        w->next = counter + 1;
    }
    w->seen[counter / 64 % WORDS] |= (uint64_t)1 << (counter % 64);
}
