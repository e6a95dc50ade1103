/* The follow thread: keeps what the site knows in step with the ledger, through the light client alone.
 *
 * Every poll_ms, and at once when poked (an event at a source, a device nobody knew), it proves for each class of the
 * site: the class record; the latest release, its envelope and an author's delegation when it is a new one; the updates
 * that push it. Which updates there are it learns from unproven lists; what such a list names is proven before it is
 * used, and one source that leaves something out does not hide it as long as another one tells.
 *
 * Between that it does what others ask for: look up a device, prove a device's place in an update.
 */
#ifndef ASSAY_NODE_GATEWAY_FOLLOW_H
#define ASSAY_NODE_GATEWAY_FOLLOW_H

#include "node/gateway/images.h"
#include "node/gateway/light.h"
#include "node/gateway/site.h"

#define FOLLOW_JOBS_MAX 8192u        /* more are dropped: devices ask again */
#define FOLLOW_HINTS_PER_SOURCE 128u /* update ids taken from each, of one question to all sources */
#define FOLLOW_REJECTED_MAX 512u     /* ids that hints named and the ledger does not know, remembered */
#define FOLLOW_GAP_MS 30u            /* between two rounds, however often it is poked */
#define FOLLOW_SAVE_MS 1000u         /* between two writings of the fleet's file, at least */

struct follow;

struct follow_config {
    struct light *light; /* all borrowed */
    struct site *site;
    struct images *images;
    struct image_sources *image_sources;
    const uint8_t *gateway_key; /* devices of other gateways are not ours */
    const char *fleet_file;
    uint64_t poll_ms;
    /* Something about one device, or (NULL) about everybody, is new. On the follow thread, without the site's lock. */
    void (*changed)(void *ctx, const uint8_t *device_id);
    void *ctx;
};

NODISCARD enum err follow_new(const struct follow_config *config, struct follow **out);
void follow_stop(struct follow *follow);
/* Writes the fleet's file if it has to. */
void follow_free(struct follow *follow);

/* Any thread; the site's lock may be held. */
void follow_poke(struct follow *follow);
/* False: there is no room for it now. */
NODISCARD bool follow_look_up(struct follow *follow, const uint8_t device_id[KEY_LEN]);
/* Dropped when there is no room. */
void follow_prove(struct follow *follow, const uint8_t update_id[HASH_LEN], const uint8_t device_id[KEY_LEN]);

struct follow_stats {
    uint64_t rounds, look_ups, proofs, jobs_dropped;
};
void follow_stats(struct follow *follow, struct follow_stats *out);

#endif
