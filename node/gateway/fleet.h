/* The devices a gateway serves: who they are (as the ledger proved), what they run (as they say), where they stand in
 * their updates (as the ledger proved), and what became of the statements they handed over.
 *
 * A plain table without a lock of its own: its owner guards it. Devices that the ledger proved to be this gateway's are
 * kept for good, also across restarts (fleet_save, fleet_load); strangers who merely said hello are few and make room
 * for each other, oldest first, so that nobody can fill the table with made-up ids.
 *
 * File: magic "AGFL" (4) | version 1 (1) | chain id (32) | count (4) | devices: id (32) | key type (1) | key (65) |
 * class id (16) | hardware revision (4) | first sequence (8) | running sequence (8) | last seen ms (8) | endorsed (1) |
 * then SHA-256 of all before (32).
 */
#ifndef ASSAY_NODE_GATEWAY_FLEET_H
#define ASSAY_NODE_GATEWAY_FLEET_H

#include "contracts/device/device.h"
#include "node/gateway/fleet_place.h"
#include "node/gateway/shared_blob.h"
#include "verify/statement.h"

#define FLEET_DEVICES_MAX 1000000u
#define FLEET_STRANGERS_MAX 4096u
#define FLEET_UPDATES_PER_DEVICE 4 /* whose status is remembered, the latest used */
#define FLEET_ANSWERS_PER_DEVICE 8

enum fleet_state {
    FLEET_STRANGER = 1, /* said hello; not yet looked up */
    FLEET_REFUSED = 2,  /* looked up: not registered, or another gateway's */
    FLEET_KNOWN = 3,
};

/* A device's proven place in one update. All zero while it is PLACE_UNPROVEN but for `place` itself. */
struct fleet_update {
    uint8_t update_id[HASH_LEN];
    enum fleet_place place;
    bool present;                /* as `place` has it: there is a record; else proven that there is none */
    struct status_record status; /* if present */
    struct shared_blob *proof;   /* if present: the bundle, as devices get it */
    uint64_t height;             /* of the proof */
    uint64_t time_ms;            /* of its block */
    uint64_t proven_mono_ms;
    uint64_t used_mono_ms;
};

/* What became of a statement. */
struct fleet_answer {
    uint8_t hash[HASH_LEN]; /* SHA-256 of the statement */
    uint8_t update_id[HASH_LEN];
    uint64_t counter;
    bool refused;
    uint32_t code; /* the contract's, when refused */
};

struct fleet_device {
    uint8_t id[KEY_LEN];
    enum fleet_state state;
    struct author_key key;
    uint8_t class_id[UUID_BYTES];
    uint32_t hardware_revision;
    bool endorsed;
    bool queued;     /* for a look-up */
    const char *why; /* when refused: constant text */
    uint64_t first_sequence;
    uint64_t running_sequence; /* as it said last */
    uint64_t last_seen_ms;     /* wall */
    uint64_t looked_up_mono_ms;
    uint64_t said_hello;          /* rises over the table: which stranger came first */
    struct fleet_update *updates; /* FLEET_UPDATES_PER_DEVICE, or NULL */
    struct fleet_answer *answers; /* FLEET_ANSWERS_PER_DEVICE, or NULL */
    uint8_t next_answer;
};

struct fleet;

NODISCARD enum err fleet_new(struct fleet **out);
void fleet_free(struct fleet *fleet);

size_t fleet_count(const struct fleet *fleet); /* known ones */
struct fleet_device *fleet_find(const struct fleet *fleet, const uint8_t id[KEY_LEN]);
/* Finds it or enters it as a stranger. ERR_FULL, ERR_NOMEM. Pointers to devices stay valid until the stranger among
 * them gives way to a newer one. */
NODISCARD enum err fleet_meet(struct fleet *fleet, const uint8_t id[KEY_LEN], struct fleet_device **out);
/* Makes it a known one, as its record says. ERR_FULL. */
NODISCARD enum err fleet_accept(struct fleet *fleet, struct fleet_device *device, const struct device_record *record);
void fleet_refuse(struct fleet *fleet, struct fleet_device *device, const char *why);
/* Every device, in no particular order; an `each` that gives false ends it. It must not enter any. */
void fleet_each(const struct fleet *fleet, bool (*each)(void *arg, struct fleet_device *device), void *arg);

/* The place in an update, NULL when it was not proven yet. */
struct fleet_update *fleet_update_find(struct fleet_device *device, const uint8_t update_id[HASH_LEN]);
/* Notes a proof; a place that was proven absent gives way, else the least recently used. Older proofs than what is
 * known are dropped. Takes over `proof`, which there is where there is a `status`. ERR_NOMEM. */
NODISCARD enum err fleet_update_set(struct fleet_device *device, const uint8_t update_id[HASH_LEN],
                                    const struct status_record *status, struct shared_blob *proof, uint64_t height,
                                    uint64_t time_ms);

const struct fleet_answer *fleet_answer_find(const struct fleet_device *device, const uint8_t hash[HASH_LEN]);
NODISCARD enum err fleet_answer_add(struct fleet_device *device, const struct fleet_answer *answer);

/* Appends the file's bytes. */
void fleet_encode(const struct fleet *fleet, const uint8_t chain_id[CHAIN_ID_LEN], struct buffer *out);
/* Into an empty fleet. ERR_CORRUPT, ERR_MISMATCH (another chain's). */
NODISCARD enum err fleet_decode(struct fleet *fleet, const uint8_t chain_id[CHAIN_ID_LEN], struct bytes file);
/* Bytes fleet_encode makes at most. */
#define FLEET_ENTRY_LEN (KEY_LEN + 1 + P256_KEY_LEN + UUID_BYTES + 4 + 8 + 8 + 8 + 1)
#define FLEET_FILE_MAX (4 + 1 + CHAIN_ID_LEN + 4 + (size_t)FLEET_DEVICES_MAX * FLEET_ENTRY_LEN + HASH_LEN)

#endif
