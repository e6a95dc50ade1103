#include "device/ports/host/host_secure.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* magic (4) | seed (32) | root key (32) | floor (8) | protected slots */
#define FILE_LEN (4 + HOST_SEED_LEN + KEY_LEN + 8 + HOST_SECURE_SLOTS * SECURE_SLOT_LEN)
static const uint8_t magic[4] = {'A', 'D', 'H', '1'};

/* ---- Crypto ------------------------------------------------------------------------------------------------------ */

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct hash_state), "the seam holds libsodium's state");

static void port_hash_init(struct hash_state *state) {
    (void)crypto_hash_sha256_init((crypto_hash_sha256_state *)(void *)state);
}

static void port_hash_update(struct hash_state *state, const void *data, size_t len) {
    (void)crypto_hash_sha256_update((crypto_hash_sha256_state *)(void *)state, data, len);
}

static void port_hash_final(struct hash_state *state, uint8_t out[HASH_LEN]) {
    (void)crypto_hash_sha256_final((crypto_hash_sha256_state *)(void *)state, out);
}

static bool port_ed25519_verify(const uint8_t key[KEY_LEN], const void *message, size_t len,
                                const uint8_t sig[SIG_LEN]) {
    return crypto_sign_verify_detached(sig, message, len, key) == 0;
}

const struct verify_crypto host_port_crypto = {port_hash_init, port_hash_update, port_hash_final, port_ed25519_verify,
                                               NULL};

/* ---- File -------------------------------------------------------------------------------------------------------- */

static bool write_whole(const char *path, const uint8_t *data, size_t len) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        return false;
    }
    ssize_t n = write(file, data, len);
    bool good = n == (ssize_t)len && fsync(file) == 0;
    return close(file) == 0 && good;
}

static bool save(struct host_secure *secure) {
    uint8_t bytes[FILE_LEN];
    char temporary[sizeof secure->path + 8];
    if (secure->path[0] == '\0') {
        return true;
    }
    memcpy(bytes, magic, 4);
    memcpy(bytes + 4, secure->seed, HOST_SEED_LEN);
    memcpy(bytes + 36, secure->root, KEY_LEN);
    store_u64(bytes + 68, secure->floor);
    memcpy(bytes + 76, secure->slots, sizeof secure->slots);
    (void)snprintf(temporary, sizeof temporary, "%s.new", secure->path);
    bool good = write_whole(temporary, bytes, sizeof bytes) && rename(temporary, secure->path) == 0;
    sodium_memzero(bytes, sizeof bytes);
    return good;
}

/* ---- Seam -------------------------------------------------------------------------------------------------------- */

static bool secure_public_key(void *ctx, uint8_t out[KEY_LEN]) {
    const struct host_secure *secure = ctx;
    memcpy(out, secure->public_key, KEY_LEN);
    return !secure->power->dead;
}

static bool secure_sign(void *ctx, const void *message, size_t len, uint8_t out[SIG_LEN]) {
    const struct host_secure *secure = ctx;
    uint8_t public_key[KEY_LEN], secret[crypto_sign_SECRETKEYBYTES];
    if (secure->power->dead) {
        return false;
    }
    (void)crypto_sign_seed_keypair(public_key, secret, secure->seed);
    (void)crypto_sign_detached(out, NULL, message, len, secret);
    sodium_memzero(secret, sizeof secret);
    return true;
}

static bool secure_root_key(void *ctx, uint8_t out[KEY_LEN]) {
    const struct host_secure *secure = ctx;
    memcpy(out, secure->root, KEY_LEN);
    return !secure->power->dead;
}

static bool secure_floor_get(void *ctx, uint64_t *out) {
    const struct host_secure *secure = ctx;
    *out = secure->floor;
    return !secure->power->dead;
}

static bool secure_floor_raise(void *ctx, uint64_t to) {
    struct host_secure *secure = ctx;
    if (secure->power->dead || !host_power_spend(secure->power)) {
        return false;
    }
    if (to > secure->floor) {
        secure->floor = to;
    }
    return save(secure);
}

static bool secure_slot_read(void *ctx, uint8_t slot, uint8_t out[SECURE_SLOT_LEN]) {
    const struct host_secure *secure = ctx;
    if (secure->power->dead || slot >= HOST_SECURE_SLOTS) {
        return false;
    }
    memcpy(out, secure->slots[slot], SECURE_SLOT_LEN);
    return true;
}

static bool secure_slot_write(void *ctx, uint8_t slot, const uint8_t in[SECURE_SLOT_LEN]) {
    struct host_secure *secure = ctx;
    if (secure->power->dead || slot >= HOST_SECURE_SLOTS || !host_power_spend(secure->power)) {
        return false;
    }
    memcpy(secure->slots[slot], in, SECURE_SLOT_LEN);
    return save(secure);
}

static bool secure_random(void *ctx, void *out, size_t len) {
    const struct host_secure *secure = ctx;
    randombytes_buf(out, len);
    return !secure->power->dead;
}

/* ---- Life -------------------------------------------------------------------------------------------------------- */

static void fill_seam(struct host_secure *secure, struct host_power *power) {
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    (void)crypto_sign_seed_keypair(secure->public_key, secret, secure->seed);
    sodium_memzero(secret, sizeof secret);
    secure->power = power;
    secure->seam = (struct device_secure){secure_public_key, secure_sign,        secure_root_key,
                                          secure_floor_get,  secure_floor_raise, secure_slot_read,
                                          secure_slot_write, secure_random,      secure};
}

void host_secure_new(struct host_secure *secure, const uint8_t seed[HOST_SEED_LEN], const uint8_t root[KEY_LEN],
                     struct host_power *power) {
    *secure = (struct host_secure){0};
    memcpy(secure->seed, seed, HOST_SEED_LEN);
    memcpy(secure->root, root, KEY_LEN);
    fill_seam(secure, power);
}

static bool name_file(struct host_secure *secure, const char *home) {
    int n = snprintf(secure->path, sizeof secure->path, "%s/secure.bin", home);
    if (n < 0 || (size_t)n >= sizeof secure->path) {
        errno = ENAMETOOLONG;
        return false;
    }
    return true;
}

bool host_secure_store(struct host_secure *secure, const char *home) {
    return name_file(secure, home) && save(secure);
}

bool host_secure_load(struct host_secure *secure, const char *home, struct host_power *power) {
    uint8_t bytes[FILE_LEN + 1];
    struct stat info;
    *secure = (struct host_secure){0};
    if (!name_file(secure, home)) {
        return false;
    }
    int file = open(secure->path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    ssize_t n = read(file, bytes, sizeof bytes);
    bool open_to_others = fstat(file, &info) != 0 || (info.st_mode & 077) != 0;
    (void)close(file);
    if (open_to_others || n != FILE_LEN || memcmp(bytes, magic, 4) != 0) {
        errno = open_to_others ? EACCES : EINVAL;
        return false;
    }
    memcpy(secure->seed, bytes + 4, HOST_SEED_LEN);
    memcpy(secure->root, bytes + 36, KEY_LEN);
    secure->floor = load_u64(bytes + 68);
    memcpy(secure->slots, bytes + 76, sizeof secure->slots);
    sodium_memzero(bytes, sizeof bytes);
    fill_seam(secure, power);
    return true;
}

void host_secure_copy(struct host_secure *to, const struct host_secure *from) {
    memcpy(to->seed, from->seed, HOST_SEED_LEN);
    memcpy(to->public_key, from->public_key, KEY_LEN);
    memcpy(to->root, from->root, KEY_LEN);
    to->floor = from->floor;
    memcpy(to->slots, from->slots, sizeof to->slots);
}

void host_secure_wipe(struct host_secure *secure) {
    sodium_memzero(secure, sizeof *secure);
}

/* ---- Key files --------------------------------------------------------------------------------------------------- */

const char *host_key_read(const char *path, uint8_t out_seed[HOST_SEED_LEN]) {
    static const char head[] = "assay-key-1 ed25519 ";
    char text[256];
    struct stat info;
    size_t seed_len;
    const char *why = NULL;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return "cannot be opened";
    }
    ssize_t n = read(file, text, sizeof text - 1);
    if (fstat(file, &info) != 0 || (info.st_mode & 077) != 0) {
        why = "may be read by others: chmod 600 it";
    } else if (n < (ssize_t)(sizeof head - 1 + 64) || memcmp(text, head, sizeof head - 1) != 0 ||
               sodium_hex2bin(out_seed, HOST_SEED_LEN, text + sizeof head - 1, 64, NULL, &seed_len, NULL) != 0 ||
               seed_len != HOST_SEED_LEN ||
               (n > (ssize_t)(sizeof head - 1 + 64) && text[sizeof head - 1 + 64] != '\n')) {
        why = "is not an unencrypted Ed25519 key file (\"assay-key-1 ed25519 <64 hex digits>\")";
    }
    (void)close(file);
    sodium_memzero(text, sizeof text);
    return why;
}
