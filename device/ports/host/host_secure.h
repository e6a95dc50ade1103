/* A secure element in software: the device's key and root key, the floor and protected slots, in one file of mode 0600
 * that is replaced atomically. Also the crypto of this port (libsodium). */
#ifndef ASSAY_DEVICE_HOST_SECURE_H
#define ASSAY_DEVICE_HOST_SECURE_H

#include "device/ports/host/host_flash.h"

#define HOST_SECURE_SLOTS 4
#define HOST_SEED_LEN 32

extern const struct verify_crypto host_port_crypto;

struct host_secure {
    struct device_secure seam;
    struct host_power *power;
    char path[4096]; /* empty: memory alone */
    uint8_t seed[HOST_SEED_LEN];
    uint8_t public_key[KEY_LEN];
    uint8_t root[KEY_LEN];
    uint64_t floor;
    uint8_t slots[HOST_SECURE_SLOTS][SECURE_SLOT_LEN];
};

/* A new one, in memory. */
void host_secure_new(struct host_secure *secure, const uint8_t seed[HOST_SEED_LEN], const uint8_t root[KEY_LEN],
                     struct host_power *power);
/* Writes it to `home`/secure.bin. False with errno. */
bool host_secure_store(struct host_secure *secure, const char *home);
/* Reads `home`/secure.bin. False with errno; EACCES when others may read it, EINVAL when it is not one. */
bool host_secure_load(struct host_secure *secure, const char *home, struct host_power *power);
/* Takes over the other's contents, not its file. */
void host_secure_copy(struct host_secure *to, const struct host_secure *from);
void host_secure_wipe(struct host_secure *secure);

/* Reads a key file: "assay-key-1 ed25519 <64 hex digits>". NULL, or one line that says what is wrong. */
const char *host_key_read(const char *path, uint8_t out_seed[HOST_SEED_LEN]);

#endif
