/* The follow thread's way through one class: record, release, updates, devices' places in them. One thread. */
#ifndef ASSAY_NODE_GATEWAY_FOLLOW_CLASS_H
#define ASSAY_NODE_GATEWAY_FOLLOW_CLASS_H

#include "node/gateway/images.h"
#include "node/gateway/light.h"
#include "node/gateway/site.h"

struct follow_class;

struct follow_class_config {
    struct light *light; /* borrowed, as is the rest */
    struct site *site;
    struct images *images;
    /* A device's place in an update should be proven soon. */
    void (*prove_later)(void *ctx, const uint8_t update_id[HASH_LEN], const uint8_t device_id[KEY_LEN]);
    void *ctx;
};

NODISCARD enum err follow_class_new(const struct follow_class_config *config, struct follow_class **out);
void follow_class_free(struct follow_class *follow);

/* Asks for the newest head, when no class does so anyway. */
void follow_class_head(struct follow_class *follow, bool no_class);
/* Proves what is new about a class. Faults are logged by the light client; the next round tries again. False when no
 * source answers, so that the rest of the round need not be waited for. */
bool follow_class_refresh(struct follow_class *follow, struct catalog_class *class);
/* A device of the class was accepted: updates that name it, beyond those the class's list shows. */
void follow_class_new_device(struct follow_class *follow, struct catalog_class *class,
                             const uint8_t device_id[KEY_LEN]);
NODISCARD enum err follow_class_prove_status(struct follow_class *follow, const uint8_t update_id[HASH_LEN],
                                             const uint8_t device_id[KEY_LEN]);
/* Tells the image cache what is wanted now, and the site what is there. */
void follow_class_wish_images(struct follow_class *follow);

#endif
