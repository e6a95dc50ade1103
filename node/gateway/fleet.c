#include "node/gateway/fleet.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/ed25519.h"
#include "base/sha256.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC "AGFL"
#define VERSION 1
#define HEAD_LEN (4 + 1 + CHAIN_ID_LEN + 4)
#define BUCKETS_FIRST 64u

/* Open addressing with linear probing, at most half full. The seed keeps strangers from choosing where they land. */
struct fleet {
    struct fleet_device **buckets;
    size_t bucket_count; /* a power of two */
    size_t total;
    size_t known;
    uint64_t seed;
    uint64_t hellos;
};

static size_t bucket_of(const struct fleet *fleet, const uint8_t id[KEY_LEN]) {
    uint64_t mixed = (load_u64(id) ^ fleet->seed) * UINT64_C(0x9e3779b97f4a7c15);
    mixed ^= (load_u64(id + 8) + (mixed >> 29)) * UINT64_C(0xbf58476d1ce4e5b9);
    return (size_t)(mixed >> 20) & (fleet->bucket_count - 1);
}

enum err fleet_new(struct fleet **out) {
    struct fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL) {
        return ERR_NOMEM;
    }
    random_fill(&fleet->seed, sizeof fleet->seed);
    fleet->bucket_count = BUCKETS_FIRST;
    fleet->buckets = calloc(fleet->bucket_count, sizeof *fleet->buckets);
    if (fleet->buckets == NULL) {
        free(fleet);
        return ERR_NOMEM;
    }
    *out = fleet;
    return OK;
}

static void device_free(struct fleet_device *device) {
    for (size_t i = 0; device->updates != NULL && i < FLEET_UPDATES_PER_DEVICE; i++) {
        shared_blob_unref(device->updates[i].proof);
    }
    free(device->updates);
    free(device->answers);
    free(device);
}

void fleet_free(struct fleet *fleet) {
    if (fleet == NULL) {
        return;
    }
    for (size_t i = 0; i < fleet->bucket_count; i++) {
        if (fleet->buckets[i] != NULL) {
            device_free(fleet->buckets[i]);
        }
    }
    free(fleet->buckets);
    free(fleet);
}

size_t fleet_count(const struct fleet *fleet) {
    return fleet->known;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

struct fleet_device *fleet_find(const struct fleet *fleet, const uint8_t id[KEY_LEN]) {
    for (size_t i = bucket_of(fleet, id); fleet->buckets[i] != NULL; i = (i + 1) & (fleet->bucket_count - 1)) {
        if (memcmp(fleet->buckets[i]->id, id, KEY_LEN) == 0) {
            return fleet->buckets[i];
        }
    }
    return NULL;
}

static void place(struct fleet *fleet, struct fleet_device *device) {
    size_t i = bucket_of(fleet, device->id);
    while (fleet->buckets[i] != NULL) {
        i = (i + 1) & (fleet->bucket_count - 1);
    }
    fleet->buckets[i] = device;
}

static enum err grow(struct fleet *fleet) {
    size_t count = fleet->bucket_count;
    struct fleet_device **old = fleet->buckets;
    struct fleet_device **buckets = calloc(2 * count, sizeof *buckets);
    if (buckets == NULL) {
        return ERR_NOMEM;
    }
    fleet->buckets = buckets;
    fleet->bucket_count = 2 * count;
    for (size_t i = 0; i < count; i++) {
        if (old[i] != NULL) {
            place(fleet, old[i]);
        }
    }
    free(old);
    return OK;
}

/* Takes a device out; what was probed past it moves up. */
static void take_out(struct fleet *fleet, struct fleet_device *device) {
    size_t mask = fleet->bucket_count - 1, hole = bucket_of(fleet, device->id);
    while (fleet->buckets[hole] != device) {
        hole = (hole + 1) & mask;
    }
    for (size_t i = (hole + 1) & mask; fleet->buckets[i] != NULL; i = (i + 1) & mask) {
        size_t home = bucket_of(fleet, fleet->buckets[i]->id);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            fleet->buckets[hole] = fleet->buckets[i];
            hole = i;
        }
    }
    fleet->buckets[hole] = NULL;
    fleet->total--;
    device_free(device);
}

/* The stranger that was met first gives way. */
static void make_room(struct fleet *fleet) {
    struct fleet_device *oldest = NULL;
    for (size_t i = 0; i < fleet->bucket_count; i++) {
        struct fleet_device *device = fleet->buckets[i];
        if (device != NULL && device->state != FLEET_KNOWN &&
            (oldest == NULL || device->said_hello < oldest->said_hello)) {
            oldest = device;
        }
    }
    if (oldest != NULL) {
        take_out(fleet, oldest);
    }
}

enum err fleet_meet(struct fleet *fleet, const uint8_t id[KEY_LEN], struct fleet_device **out) {
    struct fleet_device *device = fleet_find(fleet, id);
    if (device == NULL) {
        if (fleet->total - fleet->known >= FLEET_STRANGERS_MAX) {
            make_room(fleet);
        }
        if (2 * (fleet->total + 1) > fleet->bucket_count && grow(fleet) != OK) {
            return ERR_NOMEM;
        }
        device = calloc(1, sizeof *device);
        if (device == NULL) {
            return ERR_NOMEM;
        }
        memcpy(device->id, id, KEY_LEN);
        device->state = FLEET_STRANGER;
        device->said_hello = ++fleet->hellos;
        place(fleet, device);
        fleet->total++;
    }
    *out = device;
    return OK;
}

enum err fleet_accept(struct fleet *fleet, struct fleet_device *device, const struct device_record *record) {
    if (device->state != FLEET_KNOWN && fleet->known >= FLEET_DEVICES_MAX) {
        return ERR_FULL;
    }
    fleet->known += device->state != FLEET_KNOWN;
    device->state = FLEET_KNOWN;
    device->why = NULL;
    device->key = record->key;
    memcpy(device->class_id, record->class_id, UUID_BYTES);
    device->hardware_revision = record->hardware_revision;
    device->first_sequence = record->first_sequence;
    device->endorsed = record->endorsed;
    return OK;
}

void fleet_refuse(struct fleet *fleet, struct fleet_device *device, const char *why) {
    fleet->known -= device->state == FLEET_KNOWN;
    device->state = FLEET_REFUSED;
    device->why = why;
}

void fleet_each(const struct fleet *fleet, bool (*each)(void *arg, struct fleet_device *device), void *arg) {
    for (size_t i = 0; i < fleet->bucket_count; i++) {
        if (fleet->buckets[i] != NULL && !each(arg, fleet->buckets[i])) {
            return;
        }
    }
}

/* ---- Places in updates ------------------------------------------------------------------------------------- */

static bool is_sound(const struct fleet_update *u) {
    bool proven = u->place != PLACE_UNPROVEN;
    return (u->proven_mono_ms != 0) == proven && u->present == fleet_place_is_present(u->place) &&
           u->present == (u->proof != NULL);
}

/* Where the event leads, and what is kept there; `to` NULL: nothing. */
static void move_place(struct fleet_update *u, enum fleet_place_event event, const struct fleet_update *to) {
    enum fleet_place next = fleet_place_after(u->place, event);
    ASSERT(next != 0);
    if (event == PROOF_OLDER) {
        return;
    }
    shared_blob_unref(u->proof);
    *u = to != NULL ? *to : (struct fleet_update){0};
    u->place = next;
    ASSERT(is_sound(u));
}

static enum err make_places(struct fleet_device *device) {
    if (device->updates == NULL) {
        device->updates = calloc(FLEET_UPDATES_PER_DEVICE, sizeof *device->updates);
        for (size_t i = 0; device->updates != NULL && i < FLEET_UPDATES_PER_DEVICE; i++) {
            device->updates[i].place = PLACE_UNPROVEN;
        }
    }
    return device->updates != NULL ? OK : ERR_NOMEM;
}

struct fleet_update *fleet_update_find(struct fleet_device *device, const uint8_t update_id[HASH_LEN]) {
    for (size_t i = 0; device->updates != NULL && i < FLEET_UPDATES_PER_DEVICE; i++) {
        struct fleet_update *u = &device->updates[i];
        if (u->place != PLACE_UNPROVEN && memcmp(u->update_id, update_id, HASH_LEN) == 0) {
            u->used_mono_ms = clock_mono_ms();
            return u;
        }
    }
    return NULL;
}

/* A place that the device does not have is worth less than any that it has: lists that name it falsely push out none.
 */
static bool gives_way_before(const struct fleet_update *a, const struct fleet_update *b) {
    return a->present != b->present ? b->present : a->used_mono_ms < b->used_mono_ms;
}

/* An entry that holds no place, if need be one that made room. */
static struct fleet_update *take_entry(struct fleet_device *device) {
    struct fleet_update *least = &device->updates[0];
    for (size_t i = 0; i < FLEET_UPDATES_PER_DEVICE; i++) {
        struct fleet_update *u = &device->updates[i];
        if (u->place == PLACE_UNPROVEN) {
            return u;
        }
        least = gives_way_before(u, least) ? u : least;
    }
    move_place(least, PLACE_MAKES_ROOM, NULL);
    return least;
}

enum err fleet_update_set(struct fleet_device *device, const uint8_t update_id[HASH_LEN],
                          const struct status_record *status, struct shared_blob *proof, uint64_t height,
                          uint64_t time_ms) {
    if (make_places(device) != OK) {
        shared_blob_unref(proof);
        return ERR_NOMEM;
    }
    struct fleet_update *u = fleet_update_find(device, update_id);
    if (u != NULL && u->height > height) {
        move_place(u, PROOF_OLDER, NULL);
        shared_blob_unref(proof);
        return OK;
    }
    uint64_t now = clock_mono_ms();
    struct fleet_update proven = {.present = status != NULL,
                                  .proof = proof,
                                  .height = height,
                                  .time_ms = time_ms,
                                  .proven_mono_ms = now != 0 ? now : 1,
                                  .used_mono_ms = now};
    memcpy(proven.update_id, update_id, HASH_LEN);
    if (status != NULL) {
        proven.status = *status;
    }
    move_place(u != NULL ? u : take_entry(device), fleet_place_says(status), &proven);
    return OK;
}

/* ---- Answers ------------------------------------------------------------------------------------------------- */

const struct fleet_answer *fleet_answer_find(const struct fleet_device *device, const uint8_t hash[HASH_LEN]) {
    for (size_t i = 0; device->answers != NULL && i < FLEET_ANSWERS_PER_DEVICE; i++) {
        if (memcmp(device->answers[i].hash, hash, HASH_LEN) == 0) {
            return &device->answers[i];
        }
    }
    return NULL;
}

enum err fleet_answer_add(struct fleet_device *device, const struct fleet_answer *answer) {
    if (device->answers == NULL) {
        device->answers = calloc(FLEET_ANSWERS_PER_DEVICE, sizeof *device->answers);
    }
    if (device->answers == NULL) {
        return ERR_NOMEM;
    }
    device->answers[device->next_answer] = *answer;
    device->next_answer = (uint8_t)((device->next_answer + 1) % FLEET_ANSWERS_PER_DEVICE);
    return OK;
}

/* ---- The file -------------------------------------------------------------------------------------------- */

static bool encode_device(void *arg, struct fleet_device *d) {
    struct buffer *out = arg;
    if (d->state == FLEET_KNOWN) {
        buffer_put(out, d->id, KEY_LEN);
        buffer_u8(out, (uint8_t)d->key.type);
        buffer_put(out, d->key.key, P256_KEY_LEN);
        buffer_put(out, d->class_id, UUID_BYTES);
        buffer_u32(out, d->hardware_revision);
        buffer_u64(out, d->first_sequence);
        buffer_u64(out, d->running_sequence);
        buffer_u64(out, d->last_seen_ms);
        buffer_u8(out, d->endorsed);
    }
    return true;
}

void fleet_encode(const struct fleet *fleet, const uint8_t chain_id[CHAIN_ID_LEN], struct buffer *out) {
    size_t start = out->len;
    uint8_t hash[HASH_LEN] = {0};
    buffer_put(out, MAGIC, 4);
    buffer_u8(out, VERSION);
    buffer_put(out, chain_id, CHAIN_ID_LEN);
    buffer_u32(out, (uint32_t)fleet->known);
    fleet_each(fleet, encode_device, out);
    if (buffer_ok(out) == OK) {
        sha256(out->data + start, out->len - start, hash);
    }
    buffer_put(out, hash, sizeof hash);
}

static enum err decode_device(struct fleet *fleet, struct reader *r) {
    struct device_record record = {0};
    struct fleet_device *device;
    read_bytes(r, record.id, KEY_LEN);
    record.key.type = (enum author_key_type)read_u8(r);
    read_bytes(r, record.key.key, P256_KEY_LEN);
    read_bytes(r, record.class_id, UUID_BYTES);
    record.hardware_revision = read_u32(r);
    record.first_sequence = read_u64(r);
    uint64_t running = read_u64(r), seen = read_u64(r);
    uint8_t endorsed = read_u8(r);
    record.endorsed = endorsed == 1;
    bool sound = !r->failed && endorsed <= 1 && (record.key.type == AUTHOR_ED25519 || record.key.type == AUTHOR_P256) &&
                 fleet_find(fleet, record.id) == NULL;
    enum err e = sound ? fleet_meet(fleet, record.id, &device) : ERR_CORRUPT;
    e = e == OK ? fleet_accept(fleet, device, &record) : e;
    if (e == OK) {
        device->running_sequence = running;
        device->last_seen_ms = seen;
    }
    return e;
}

enum err fleet_decode(struct fleet *fleet, const uint8_t chain_id[CHAIN_ID_LEN], struct bytes file) {
    uint8_t hash[HASH_LEN];
    ASSERT(fleet->total == 0);
    if (file.len < HEAD_LEN + HASH_LEN || memcmp(file.data, MAGIC, 4) != 0 || file.data[4] != VERSION) {
        return ERR_CORRUPT;
    }
    struct bytes body = bytes_of(file.data, file.len - HASH_LEN);
    sha256(body.data, body.len, hash);
    if (memcmp(hash, file.data + body.len, HASH_LEN) != 0) {
        return ERR_CORRUPT;
    }
    if (memcmp(file.data + 5, chain_id, CHAIN_ID_LEN) != 0) {
        return ERR_MISMATCH;
    }
    struct reader r = reader_of(bytes_of(body.data + HEAD_LEN - 4, body.len - HEAD_LEN + 4));
    uint32_t count = read_u32(&r);
    enum err e = (uint64_t)count * FLEET_ENTRY_LEN == r.left ? OK : ERR_CORRUPT;
    for (uint32_t i = 0; i < count && e == OK; i++) {
        e = decode_device(fleet, &r);
    }
    return e;
}
