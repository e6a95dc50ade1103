/* One question to all sources at once, each asked by a thread of its own, so that one that hangs holds nobody back.
 * Once one answer is good, the others have a short grace left. What an answer is worth, the caller judges.
 *
 * A source whose answers are refused is logged once per reason, until it does well again.
 */
#ifndef ASSAY_NODE_GATEWAY_LIGHT_ASK_H
#define ASSAY_NODE_GATEWAY_LIGHT_ASK_H

#include "base/why.h"
#include "node/host/config.h"

#define LIGHT_CALL_TIMEOUT_MS 3000 /* of one call to one source */
#define LIGHT_GRACE_MS 250         /* for the others, once one answer is good */
#define LIGHT_LATE_MS 60           /* behind the first good answer: three such in a row, and it is not waited for ... */
#define LIGHT_PATIENT_EVERY 8      /* ... but for every so many questions */
#define LIGHT_PATH_MAX 1024

struct light_ask;

/* ERR_CONFIG: a source is no http(s) URL. `sources` is borrowed; client_start was called. */
NODISCARD enum err light_ask_new(const struct config_sources *sources, struct light_ask **out);
/* Ends a question that is being asked; light_ask_free still has to wait for at most one call. */
void light_ask_stop(struct light_ask *ask);
void light_ask_free(struct light_ask *ask);

/* What a source's answer turned out to be. */
enum light_answer {
    ANSWER_GOOD,
    ANSWER_OLD,   /* honest nodes give it now and then: counted, not told */
    ANSWER_STALE, /* true, and older than the limit */
    ANSWER_LIE,
};

/* Called on the asking thread, for one answer after the other. */
struct light_judge {
    enum light_answer (*judge)(void *arg, size_t source, struct bytes body, const char **out_why);
    void *arg;
};

/* Puts one question to all sources and judges what comes back until all have answered or time is up. OK when at least
 * one answer was good; ERR_NETWORK, ERR_CLOSED. One question at a time is the caller's to see to. */
NODISCARD enum err light_ask_all(struct light_ask *ask, const char *path, const char *accept, size_t limit,
                                 const struct light_judge *judge);

/* What a source said has turned out to be false later. */
void light_ask_blame(struct light_ask *ask, size_t source, const char *why);

/* How each source did. */
struct light_source {
    const char *url;
    uint64_t answers;
    uint64_t failures;   /* no answer, one older than what is known, or one older than the limit */
    uint64_t lies;       /* answers that do not verify, or turned out to be false */
    uint64_t lied_ms;    /* monotonic, the last one; 0: none */
    struct why last_why; /* of the last failure or lie, none after a good answer */
};
/* Any thread. Gives how many there are. */
size_t light_ask_sources(struct light_ask *ask, struct light_source out[CONFIG_SOURCES_MAX]);

#endif
