/* What a full node answers of the contracts' records: the records themselves (their tables stand with the contracts) and
 * what is told beside them. */
#ifndef ASSAY_NODE_ANSWERS_REGISTRY_H
#define ASSAY_NODE_ANSWERS_REGISTRY_H

#include "contracts/class/class_definition.h"
#include "contracts/device/device.h"
#include "contracts/firmware/release.h"
#include "contracts/governance/governance_proposal.h"
#include "contracts/update/update.h"

/* A class: what it is, and what its devices should run. */
struct class_answer {
    struct class_definition definition;
    struct class_record record;
};
extern const struct record class_answer_shape;

struct device_answer {
    struct device_record record;
    uint64_t running_sequence;
};
extern const struct record device_answer_shape;

/* One entry of a record's history. */
struct history_answer {
    uint64_t height;
    uint64_t time_ms;
    bool is_of_tx; /* else it fell due */
    uint8_t tx_id[HASH_LEN];
    uint8_t signer[ED25519_KEY_LEN];
    struct bytes action, detail;
};
extern const struct record history_answer_shape;

struct release_answer {
    struct release_record release;
    void *history;
};
extern const struct record release_answer_shape;

struct latest_answer {
    struct release_record release;
    uint64_t floor;
    uint64_t at_height;
};
extern const struct record latest_answer_shape;

struct update_answer_page { /* a page of its devices */
    struct update_record update;
    struct update_counts counts;
    void *devices;
    bool has_more;
    const char *next;
    uint64_t at_height;
};
extern const struct record update_answer_shape;

struct update_history_entry {
    struct history_answer entry;
    bool is_of_device;
    uint8_t device_id[KEY_LEN];
};
extern const struct record update_history_entry_shape;

struct update_history_answer { /* a page of its devices */
    uint8_t update_id[HASH_LEN];
    void *history;
    bool has_more;
    const char *next;
};
extern const struct record update_history_shape;

struct proposal_answer {
    struct proposal_record proposal;
    uint32_t needed;
    void *votes;
};
extern const struct record proposal_answer_shape;

struct params_answer {
    struct params_record record;
    bool changes_protocol;
    struct protocol_next next;
};
extern const struct record params_answer_shape;

#endif
