/* What the device client remembers across power cuts: one record, in two copies that take turns.
 *
 * A copy: magic "ADS1" (4) | generation (8) | fields (fixed layout, state.c) | SHA-256 over all before it. A save
 * erases and writes the copy that is not the newest, so a power cut during it leaves the other; loading takes the valid
 * copy with the higher generation. It is written at state moves (and now and then within a long download), not at
 * polls.
 */
#ifndef ASSAY_DEVICE_CORE_STATE_H
#define ASSAY_DEVICE_CORE_STATE_H

#include "device/core/seam.h"
#include "verify/statement.h"

#define DEVICE_VALIDATORS_MAX 16

/* The states in the order of an update. check, manifest and proof are passed in memory only: a power cut there goes
 * back to idle. */
enum device_phase {
    PHASE_IDLE = 0,
    PHASE_CHECK = 1,
    PHASE_MANIFEST = 2,
    PHASE_PROOF = 3,
    PHASE_DOWNLOAD = 4,
    PHASE_VERIFY = 5,
    PHASE_ARMED = 6,
    PHASE_TRIAL = 7,
    PHASE_CONFIRMED = 8,
    PHASE_REVERTED = 9,
};
#define PHASES 10

struct device_image {
    uint64_t sequence;
    uint64_t size;
    uint8_t digest[HASH_LEN];
};

/* The update at hand. */
struct device_candidate {
    uint8_t update_id[HASH_LEN];
    uint8_t manifest_digest[HASH_LEN];
    struct device_image image;
    bool needs_open;
};

/* A statement that is on its way: it is sent again, byte by byte the same, until it has arrived. */
struct device_said {
    uint8_t kind; /* enum statement_kind; 0: none */
    uint64_t counter;
    uint8_t nonce[NONCE_LEN];
};

struct device_report {
    uint8_t outcome; /* enum report_outcome; 0: none */
    uint16_t reason;
    uint8_t update_id[HASH_LEN];
    uint64_t counter;
    uint8_t nonce[NONCE_LEN];
};

struct device_state {
    enum device_phase phase;
    uint8_t active; /* slot of the image that runs, also while it is on trial */
    struct device_image running;
    struct device_candidate candidate;
    uint32_t pages_done; /* of the download: these pages of the inactive slot were written */
    uint8_t attempts;    /* mismatches in a row */
    uint8_t trial_boots;
    uint64_t counter; /* the last that any statement used */
    struct device_said said;
    struct device_report report;
    uint16_t last_error;             /* device.h, reasons; of the last refused or failed update */
    uint8_t failed_update[HASH_LEN]; /* that update */
    bool failed_for_good;            /* it is not tried again */
    uint64_t epoch;                  /* trusted epoch, its validators, and the height last seen */
    uint64_t height;
    uint16_t validator_count;
    uint8_t validators[DEVICE_VALIDATORS_MAX][KEY_LEN];
};

#define STATE_COPY_LEN 1024
/* Room the flash must give: two copies in whole pages. */
#define STATE_AREA_MIN(page_size) (2 * ((STATE_COPY_LEN + (page_size)-1) / (page_size)) * (page_size))

/* `work` is STATE_COPY_LEN bytes. False when no valid copy is there (a device that was never provisioned). */
bool state_load(const struct device_flash *flash, const struct verify_crypto *crypto, uint8_t *work,
                struct device_state *out);
/* False when the flash failed: then what the flash holds is the old state or the new one. */
bool state_save(const struct device_flash *flash, const struct verify_crypto *crypto, uint8_t *work,
                const struct device_state *state);

/* Does the record make sense? Run after every move and every load. */
bool state_is_sound(const struct device_flash *flash, const struct device_state *state);

const char *phase_name(enum device_phase phase); /* "idle", "check", ... */

#endif
