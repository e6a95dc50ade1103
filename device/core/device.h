/* The device client: finds an update, believes it only on the vendor's signature and the ledger's proof together,
 * installs it into the other slot, and confirms it or goes back. C99, no heap, no OS, no recursion; all memory is in
 * the context that the caller gives.
 *
 * Life cycle, for a port:
 *   device_init      binds context, configuration and seams
 *   device_provision once in a device's life: which image runs, which validators are trusted first
 *   device_boot      first thing after every reset; says which slot to run. A trial that was not confirmed ends here.
 *   device_confirm   by the new image, when it is satisfied with itself
 *   device_step      again and again: does one piece of work and says what next
 *
 * States and who follows whom (machine.c has the table; the record's invariant is run after each move):
 *   idle -> check -> manifest -> proof -> download -> verify -> armed -> trial -> confirmed | reverted -> idle
 *   From check to verify every refusal leads back to idle and keeps the running image.
 *
 * What must hold before the other slot is ever booted, whoever the gateway is:
 *   - the manifest is signed by an author whose delegation the vendor's root key signed for this chain, class and
 *     sequence; it is made for this vendor, class and component, fits the slot, and its sequence is above the running
 *     one and not below the floor of the secure element's counter nor of the class record;
 *   - a quorum of the trusted validators stands behind a class record that names this manifest and image;
 *   - the slot's bytes have the manifest's digest, hashed anew from flash after the last write and again at boot;
 *   - the ledger's own record of this device says verified, success, for the nonce of this very attempt, and a class
 *     record not older than that neither revokes the release nor bars it.
 */
#ifndef ASSAY_DEVICE_CORE_DEVICE_H
#define ASSAY_DEVICE_CORE_DEVICE_H

#include "device/core/protocol.h"
#include "device/core/seam.h"
#include "device/core/state.h"
#include "verify/bundle.h"

/* Sizes that set the context's. A port may set smaller or larger ones for the whole build. */
#ifndef DEVICE_PAGE_MAX
#define DEVICE_PAGE_MAX 4096
#endif
#ifndef DEVICE_PIECE
#define DEVICE_PIECE 1024 /* bytes of an object asked for at once */
#endif
#define DEVICE_PATH_MAX 56                    /* steps of a state path: 2^40 values and more */
#define DEVICE_ENVELOPE_MAX (DEVICE_PAGE_MAX) /* a manifest with its signatures */
#define DEVICE_VALUE_MAX CLASS_RECORD_LEN
#define DEVICE_ANSWER_MAX (DEVICE_PIECE + PROTOCOL_ANSWER_HEAD_MAX)
#define DEVICE_ATTEMPTS_MAX 10   /* mismatches in a row, if the ledger does not end it before */
#define DEVICE_PROGRESS_PAGES 16 /* how often a download's progress is written down */

/* Reasons beside the verdicts (whose numbers are below them). */
enum device_reason {
    REASON_NONE = 0,
    REASON_EXPIRED = 0x101,       /* the ledger: window has passed */
    REASON_EXHAUSTED = 0x102,     /* the ledger: failed attempts used up */
    REASON_UNCONFIRMED = 0x103,   /* the new image did not confirm itself */
    REASON_NOT_HEARD = 0x104,     /* a statement was refused */
    REASON_ATTEMPTS = 0x105,      /* the image kept arriving wrong */
    REASON_NOT_REGISTERED = 0x106 /* the gateway does not know this device */
};
/* "BAD_DIGEST", "EXPIRED", ... and a text for people. Never NULL. */
const char *device_reason_name(uint16_t reason);
const char *device_reason_text(uint16_t reason);

/* Fixed at provisioning; belongs to the caller and outlives the context. */
struct device_config {
    uint8_t chain_id[CHAIN_ID_LEN];
    uint8_t vendor_id[UUID_BYTES];
    uint8_t class_id[UUID_BYTES];
    uint8_t component; /* SUIT component identifier of the image, one byte */
    uint32_t hardware_revision;
    uint64_t max_age_ms; /* with a clock: proofs of older blocks are refused; 0: no limit */
    uint32_t trial_ms;   /* how long a new image has to confirm itself */
    uint8_t trial_boots; /* how many boots it has for that; with 1, a power cut during the trial ends it */
};

struct device_seams {
    const struct verify_crypto *crypto;
    const struct device_flash *flash;
    const struct device_transport *transport;
    const struct device_secure *secure;
    const struct device_clock *clock;       /* or NULL */
    const struct device_watchdog *watchdog; /* or NULL */
    const struct device_reboot *reboot;     /* or NULL */
};

/* What the slow work needs, one thing at a time. */
union device_work {
    uint8_t page[DEVICE_PAGE_MAX];
    uint8_t envelope[DEVICE_ENVELOPE_MAX];
    uint8_t copy[STATE_COPY_LEN];
    struct {
        uint8_t sets[DEVICE_VALIDATORS_MAX][KEY_LEN];
        uint8_t path[DEVICE_PATH_MAX][33];
        uint8_t value[DEVICE_VALUE_MAX];
    } proof;
};

struct device {
    const struct device_config *config;
    struct device_seams seams;
    uint8_t id[KEY_LEN];
    struct device_state state;
    struct protocol_offer offer; /* of the last check */
    bool greeted;                /* hello was answered since boot */
    uint64_t time_ms;            /* certified block time of the last hello */
    uint32_t poll_ms;
    uint8_t request[PROTOCOL_REQUEST_MAX];
    uint8_t answer[DEVICE_ANSWER_MAX];
    union device_work work;
};

enum device_next {
    DEVICE_AGAIN,   /* there is more to do: call again */
    DEVICE_WAIT,    /* nothing to do for poll_ms */
    DEVICE_OFFLINE, /* the gateway gave no usable answer: call again after poll_ms */
    DEVICE_REFUSED, /* an update was refused: state.last_error says why */
    DEVICE_REBOOT,  /* a new image is armed */
    DEVICE_FAULT,   /* flash or secure element failed: nothing more can be done before a reset */
};

enum device_boot_result {
    BOOT_NOT_PROVISIONED,
    BOOT_RUN,     /* run state.active */
    BOOT_TRIAL,   /* the same, and it has to confirm itself */
    BOOT_DAMAGED, /* the running image is not the one that was confirmed */
    BOOT_FAULT
};

/* False when the flash's geometry or the secure element is unusable. */
bool device_init(struct device *device, const struct device_config *config, const struct device_seams *seams);

/* Writes the first record. `running` may have size 0 (no image yet); validators: 1 to DEVICE_VALIDATORS_MAX of `epoch`.
 */
bool device_provision(struct device *device, const struct device_image *running, uint64_t epoch,
                      const struct validator_set *validators);

enum device_boot_result device_boot(struct device *device);
/* False when there is no trial or the record could not be written. The report goes out with the next step. */
bool device_confirm(struct device *device);
enum device_next device_step(struct device *device);

#endif
