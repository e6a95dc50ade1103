#include "device/ports/host/host_home.h"

#include "device/ports/host/host_json.h"
#include "device/ports/host/host_genesis.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIAL_MS 30000
#define TRIAL_BOOTS 3
#define MAX_AGE_MS (24ull * 60 * 60 * 1000)
#define FORMAT "assay-device-1"

static bool name_config(const char *home, char out[4096]) {
    int n = snprintf(out, 4096, "%s/device.json", home);
    return n > 0 && n < 4096;
}

/* ---- device.json ------------------------------------------------------------------------------------------------- */

static json_t *hex_string(const uint8_t *data, size_t len) {
    char text[2 * HASH_LEN + 1];
    (void)sodium_bin2hex(text, sizeof text, data, len);
    return json_string(text);
}

static bool write_config(const struct host_home *home, const char *path) {
    const struct device_config *c = &home->config;
    json_t *o = json_object();
    bool good = json_object_set_new(o, "format", json_string(FORMAT)) == 0 &&
                json_object_set_new(o, "class", json_string(home->class_name)) == 0 &&
                json_object_set_new(o, "chain_id", hex_string(c->chain_id, CHAIN_ID_LEN)) == 0 &&
                json_object_set_new(o, "vendor_id", hex_string(c->vendor_id, UUID_BYTES)) == 0 &&
                json_object_set_new(o, "class_id", hex_string(c->class_id, UUID_BYTES)) == 0 &&
                json_object_set_new(o, "component", json_integer(c->component)) == 0 &&
                json_object_set_new(o, "hardware_revision", json_integer(c->hardware_revision)) == 0 &&
                json_object_set_new(o, "slot_size", json_integer(home->flash.seam.slot_size)) == 0 &&
                json_dump_file(o, path, JSON_INDENT(2)) == 0;
    json_decref(o);
    return good;
}

static bool read_config(const char *path, struct device_config *c, char class_name[260], uint32_t *out_slot_size,
                        struct why *why) {
    json_error_t error;
    uint64_t component, revision, slot;
    json_t *o = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (o == NULL) {
        return why_not(why, "%s cannot be read: %s; make the device with init", path, error.text);
    }
    const char *format = json_string_value(json_object_get(o, "format"));
    const char *name = json_string_value(json_object_get(o, "class"));
    *c = (struct device_config){.trial_ms = TRIAL_MS, .trial_boots = TRIAL_BOOTS, .max_age_ms = MAX_AGE_MS};
    bool good = format != NULL && strcmp(format, FORMAT) == 0 && name != NULL && strlen(name) < 260 &&
                host_json_hex(o, "chain_id", c->chain_id, CHAIN_ID_LEN) &&
                host_json_hex(o, "vendor_id", c->vendor_id, UUID_BYTES) &&
                host_json_hex(o, "class_id", c->class_id, UUID_BYTES) &&
                host_json_number(o, "component", 255, &component) &&
                host_json_number(o, "hardware_revision", UINT32_MAX, &revision) &&
                host_json_number(o, "slot_size", HOST_SLOT_MAX, &slot) && slot > 0 && slot % HOST_PAGE_SIZE == 0;
    if (good) {
        (void)snprintf(class_name, 260, "%s", name);
        c->component = (uint8_t)component;
        c->hardware_revision = (uint32_t)revision;
        *out_slot_size = (uint32_t)slot;
    }
    json_decref(o);
    return good || why_not(why, "%s is not a device's description", path);
}

/* ---- Making one -------------------------------------------------------------------------------------------------- */

/* The factory's image into slot 0. */
static bool load_image(struct host_home *home, const struct host_provision *what, struct device_image *out,
                       struct why *why) {
    struct hash_state hash;
    struct stat info;
    int file = open(what->image, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &info) != 0) {
        if (file >= 0) {
            (void)close(file);
        }
        return why_not(why, "image %s cannot be opened: %s", what->image, strerror(errno));
    }
    uint64_t at = 0, size = info.st_size > 0 ? (uint64_t)info.st_size : 0;
    while (size <= home->flash.seam.slot_size && at < size) {
        ssize_t n = read(file, home->flash.areas[FLASH_SLOT_0] + at, size - at);
        if (n <= 0) {
            break;
        }
        at += (uint64_t)n;
    }
    (void)close(file);
    if (at < size || size == 0) {
        return why_not(why, "image %s is empty, unreadable or larger than the slot (%" PRIu32 " bytes)", what->image,
                       home->flash.seam.slot_size);
    }
    host_port_crypto.hash_init(&hash);
    host_port_crypto.hash_update(&hash, home->flash.areas[FLASH_SLOT_0], size);
    host_port_crypto.hash_final(&hash, out->digest);
    out->size = size;
    out->sequence = what->sequence;
    return true;
}

static bool write_first_record(struct host_home *home, const struct host_genesis *genesis,
                               const struct device_image *image, struct why *why) {
    static struct device device;
    const struct device_seams seams = {
        .crypto = &host_port_crypto, .flash = &home->flash.seam, .secure = &home->secure.seam};
    const struct validator_set set = {(const uint8_t(*)[KEY_LEN])genesis->validators, genesis->validator_count};
    if (set.count > DEVICE_VALIDATORS_MAX) {
        return why_not(why, "the chain has %d validators; a device can follow %d", set.count, DEVICE_VALIDATORS_MAX);
    }
    return (device_init(&device, &home->config, &seams) && device_provision(&device, image, 0, &set)) ||
           why_not(why, "the device's first record cannot be written");
}

static bool fill_home(struct host_home *home, const struct host_provision *what, struct why *why) {
    struct host_genesis genesis;
    struct device_image image = {0};
    uint8_t seed[HOST_SEED_LEN];
    if (!host_genesis_read(what->genesis, what->class_name, &genesis, why)) {
        return false;
    }
    uint64_t slot = what->slot_size > 0 ? what->slot_size : genesis.slot_size;
    slot = (slot + HOST_PAGE_SIZE - 1) / HOST_PAGE_SIZE * HOST_PAGE_SIZE;
    if (slot == 0 || slot > HOST_SLOT_MAX) {
        return why_not(why, "a slot of %" PRIu64 " bytes is not possible here (1 to %u): give --slot-size", slot,
                       HOST_SLOT_MAX);
    }
    const char *wrong = host_key_read(what->key, seed);
    if (wrong != NULL) {
        return why_not(why, "key file %s %s", what->key, wrong);
    }
    if (!host_flash_new(&home->flash, (uint32_t)slot, &home->power)) {
        return why_not(why, "no memory for slots of %" PRIu64 " bytes", slot);
    }
    host_secure_new(&home->secure, seed, genesis.root_key, &home->power);
    sodium_memzero(seed, sizeof seed);
    memcpy(home->config.chain_id, genesis.chain_id, CHAIN_ID_LEN);
    memcpy(home->config.vendor_id, genesis.vendor_id, UUID_BYTES);
    memcpy(home->config.class_id, genesis.class_id, UUID_BYTES);
    home->config.component = genesis.component;
    home->config.hardware_revision =
        what->hardware_revision < 0 ? genesis.min_hardware_revision : (uint32_t)what->hardware_revision;
    home->config.trial_boots = TRIAL_BOOTS;
    (void)snprintf(home->class_name, sizeof home->class_name, "%s", what->class_name);
    home->power.writes_left = -1;
    if (what->image != NULL && !load_image(home, what, &image, why)) {
        return false;
    }
    image.sequence = what->sequence;
    return write_first_record(home, &genesis, &image, why);
}

/* Made, and its entry in the folder above durable: what is synced inside would be lost with it. */
static bool make_home(const char *home) {
    char above[4096 + 4];
    int n = snprintf(above, sizeof above, "%s/..", home);
    if ((mkdir(home, 0700) != 0 && errno != EEXIST) || n < 0 || (size_t)n >= sizeof above) {
        return false;
    }
    int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno == EACCES; /* not ours, and there before */
    }
    bool good = fsync(fd) == 0;
    (void)close(fd);
    return good;
}

bool host_home_provision(const struct host_provision *what, struct why *why) {
    char path[4096];
    struct host_home home = {.flash = {.files = {-1, -1, -1}}};
    if (!name_config(what->home, path)) {
        return why_not(why, "the name of the home folder is too long");
    }
    if (!make_home(what->home)) {
        return why_not(why, "folder %s cannot be made: %s", what->home, strerror(errno));
    }
    if (access(path, F_OK) == 0) {
        return why_not(why, "%s is there already: a device is provisioned once", path);
    }
    bool good = fill_home(&home, what, why);
    if (good && (!host_flash_bind(&home.flash, what->home, true) || !host_secure_store(&home.secure, what->home) ||
                 !write_config(&home, path))) {
        good = why_not(why, "files in %s cannot be written: %s", what->home, strerror(errno));
    }
    host_home_close(&home);
    return good;
}

bool host_home_open(struct host_home *home, const char *path, struct why *why) {
    char config[4096];
    uint32_t slot_size = 0;
    *home = (struct host_home){.power = {.writes_left = -1}, .flash = {.files = {-1, -1, -1}}};
    if (!name_config(path, config)) {
        return why_not(why, "the name of the home folder is too long");
    }
    if (!read_config(config, &home->config, home->class_name, &slot_size, why)) {
        return false;
    }
    if (!host_flash_new(&home->flash, slot_size, &home->power)) {
        return why_not(why, "no memory for slots of %" PRIu32 " bytes", slot_size);
    }
    if (!host_flash_bind(&home->flash, path, false) || !host_secure_load(&home->secure, path, &home->power)) {
        why_set(why, "the device in %s cannot be opened: %s", path, strerror(errno));
        host_home_close(home);
        return false;
    }
    return true;
}

void host_home_close(struct host_home *home) {
    host_flash_free(&home->flash);
    host_secure_wipe(&home->secure);
}
