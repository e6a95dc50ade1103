/* What the ledger proved about the classes this gateway has devices of: the class record, its latest release with
 * everything a device needs of it, and the updates that push it. From this and a device's own place (fleet.h) follows
 * what the device is offered.
 *
 * A plain table without a lock of its own: its owner guards it.
 */
#ifndef ASSAY_NODE_GATEWAY_CATALOG_H
#define ASSAY_NODE_GATEWAY_CATALOG_H

#include "contracts/update/update.h"
#include "node/gateway/fleet.h"
#include "node/gateway/shared_blob.h"

#define CATALOG_CLASSES_MAX 256u
#define CATALOG_UPDATES_MAX 256u /* of a class's latest release; the oldest gives way */
#define CATALOG_PROOFS_KEPT 16u  /* of a class record: a device finishes fetching the one it began with */
#define CATALOG_CLASS_NAME_MAX (2 * GENESIS_TEXT_MAX + 2)

/* An update that pushes the class's latest release. */
struct catalog_update {
    uint8_t id[HASH_LEN];
    uint64_t created_ms;
    bool whole_class;
    uint8_t targets[UPDATE_TARGETS_MAX][KEY_LEN]; /* of one that names devices, as far as hints tell */
    size_t target_count;
    uint32_t targets_named; /* how many it names */
};

/* The latest release, complete: what is not is not here. */
struct catalog_release {
    uint8_t id[HASH_LEN];
    uint64_t sequence;
    uint8_t image_digest[HASH_LEN];
    uint64_t image_size;
    uint8_t image_cid[CID_BINARY_LEN];
    char version[RELEASE_VERSION_MAX + 1];
    struct shared_blob *envelope;
    struct shared_blob *delegation;
    bool image_here; /* in the cache, checked */
};

struct catalog_proof {
    struct shared_blob *bundle;
    uint64_t height;
    uint64_t time_ms; /* of its block */
};

struct catalog_class {
    uint8_t id[UUID_BYTES];
    char name[CATALOG_CLASS_NAME_MAX]; /* "acme.example/thermostat"; "" until the definition was proven */
    uint8_t root_key[KEY_LEN];         /* from the definition */
    bool has_record;
    struct class_record record;
    struct catalog_proof proofs[CATALOG_PROOFS_KEPT]; /* newest first */
    size_t proof_count;
    struct catalog_release *release; /* NULL: none, or not complete yet */
    struct catalog_update *updates;  /* CATALOG_UPDATES_MAX, newest first */
    size_t update_count;
};

struct catalog;

NODISCARD enum err catalog_new(struct catalog **out);
void catalog_free(struct catalog *catalog);

size_t catalog_count(const struct catalog *catalog);
struct catalog_class *catalog_at(struct catalog *catalog, size_t i); /* stays where it is until catalog_free */
struct catalog_class *catalog_find(struct catalog *catalog, const uint8_t class_id[UUID_BYTES]);
/* Finds or enters it. ERR_FULL, ERR_NOMEM. */
NODISCARD enum err catalog_enter(struct catalog *catalog, const uint8_t class_id[UUID_BYTES],
                                 struct catalog_class **out);

/* A proven class record and its bundle (taken over). What is no longer the latest release goes, and its updates. */
void catalog_set_record(struct catalog_class *class, const struct class_record *record, struct shared_blob *bundle,
                        uint64_t height, uint64_t time_ms);
/* Takes the release over (heap) if it is the class's latest, else frees it. */
void catalog_set_release(struct catalog_class *class, struct catalog_release *release);
void catalog_release_free(struct catalog_release *release);

struct catalog_update *catalog_update_find(struct catalog_class *class, const uint8_t update_id[HASH_LEN]);
/* A proven update of the class's latest release; others are ignored. NULL then. */
struct catalog_update *catalog_update_add(struct catalog_class *class, const struct update_record *record);
/* A hint that the update names this device. */
void catalog_update_target(struct catalog_update *update, const uint8_t device_id[KEY_LEN]);

struct catalog_offer {
    const struct catalog_update *update;
    const struct catalog_release *release;
    bool needs_open;
};

enum catalog_answer {
    CATALOG_NOTHING,
    CATALOG_OFFER,
    CATALOG_UNPROVEN, /* an update may be for the device, its place in it must be proven first: `out->update` */
    CATALOG_NOT_HERE, /* there is an offer, the image is still on its way */
};

/* What the device should be told now; `time_ms` is certified block time. */
enum catalog_answer catalog_match(const struct catalog_class *class, struct fleet_device *device, uint64_t time_ms,
                                  struct catalog_offer *out);

#endif
