/* What a device is given at the factory out of genesis.json: the chain's id, its first validators, and its class. */
#ifndef ASSAY_DEVICE_HOST_GENESIS_H
#define ASSAY_DEVICE_HOST_GENESIS_H

#include "base/why.h"
#include "verify/certificate.h"
#include "verify/class_record.h"

struct host_genesis {
    uint8_t chain_id[CHAIN_ID_LEN];
    uint8_t validators[VALIDATORS_MAX][KEY_LEN]; /* in the order of the file */
    uint16_t validator_count;
    uint8_t vendor_id[UUID_BYTES];
    uint8_t class_id[UUID_BYTES];
    uint8_t root_key[KEY_LEN];
    uint32_t min_hardware_revision;
    uint8_t component;  /* of the class's first slot */
    uint64_t slot_size; /* of it */
};

/* `class_name` is VENDOR_DOMAIN/CLASS. False: `why` says it. */
bool host_genesis_read(const char *path, const char *class_name, struct host_genesis *out, struct why *why);

#endif
