/* Devices as the ledger knows them. Registered by their gateway; the MAC stays there, only its HMAC comes here.
 *
 * Methods (contracts/device/device.proto):
 *   register   a gateway (it becomes the device's gateway), or enough admins of the class's owner, who then name the
 *              gateway
 *   endorse    enough admins of the class's owner: the vendor vouches for the device's key
 *
 * What a device runs, as it reports it, is a record of contract "update" (update.h: update_running_get).
 *
 * Record (contract "device", "device/" || device id; device id as in verify/statement.h, computed by author_id()):
 *   stamp | device id (32) | key type (1) | key (65; Ed25519 in the first 32, rest zero) | vendor id (16) |
 *   class id (16) | hardware revision (4) | sequence at registration (8) | gateway key (32) | HMAC of the MAC (32) |
 *   endorsed (1)
 */
#ifndef ASSAY_CONTRACTS_DEVICE_DEVICE_H
#define ASSAY_CONTRACTS_DEVICE_DEVICE_H

#include "contracts/genesis/genesis_check.h"
#include "contracts/kernel/state.h"
#include "contracts/kernel/table.h"

struct device_record {
    struct record_stamp stamp;
    uint8_t id[KEY_LEN];
    struct author_key key;
    uint8_t vendor_id[UUID_BYTES];
    uint8_t class_id[UUID_BYTES];
    uint32_t hardware_revision;
    uint64_t first_sequence; /* running when it was registered */
    uint8_t gateway[ED25519_KEY_LEN];
    uint8_t mac_hmac[HASH_LEN];
    bool endorsed;
};

extern const struct record device_shape;
struct record_key device_key(const uint8_t id[KEY_LEN]);

NODISCARD enum err device_get(const struct state *state, const uint8_t id[KEY_LEN], struct device_record *out,
                              bool *out_found);
/* At most `limit` (<= STATE_PAGE_MAX) devices by id, behind `after` (NULL: from the first). */
NODISCARD enum err device_list(const struct state *state, const uint8_t *after, size_t limit,
                               enum err (*each)(void *arg, const struct device_record *device), void *arg);

/* Genesis hooks: its records' own rules, and laying them. */
NODISCARD enum err device_genesis_check(const struct genesis_checking *c);
NODISCARD enum err device_genesis(const struct call *call, const struct genesis *genesis);

/* Its row's part of the table of contracts. */
extern const struct method device_methods[];

#endif
