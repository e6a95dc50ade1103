#include "node/gateway/door/device_answer.h"

#include "base/clock.h"
#include "node/host/host_crypto.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 200 /* between two questions about the same thing */

typedef enum err answer_part(const struct device_door_config *with, const struct protocol_request *request,
                             struct fleet_device *device, struct door_answer *out);

/* ---- Who asks -------------------------------------------------------------------------------------------- */

/* Under the site's lock: has a device that is not known looked up, unless that is under way or was just done. True when
 * the look-up is under way. */
static bool look_up(const struct device_door_config *with, struct fleet_device *device) {
    uint64_t since = clock_mono_ms() - device->looked_up_mono_ms;
    bool stranger = device->state == FLEET_STRANGER; /* the last look-up, if any, came to nothing */
    bool again = device->looked_up_mono_ms == 0 || since >= (stranger ? AGAIN_MS : DEVICE_DOOR_LOOK_AGAIN_MS);
    if (!device->queued && again) {
        device->queued = follow_look_up(with->follow, device->id);
    }
    return stranger || device->queued;
}

/* Under the site's lock: has the device's place in an update proven, unless that was just done: a request that waits is
 * looked at again after every proof, and must not ask for the next one each time. */
static void prove_soon(const struct device_door_config *with, struct fleet_device *device,
                       const uint8_t update_id[HASH_LEN]) {
    const struct fleet_update *place = fleet_update_find(device, update_id);
    if (place == NULL || clock_mono_ms() - place->proven_mono_ms >= AGAIN_MS) {
        follow_prove(with->follow, update_id, device->id);
    }
}

/* Under the site's lock: the device, if it is one of ours; else NULL and the answer says what it is told. */
static struct fleet_device *admit(const struct device_door_config *with, const struct protocol_request *request,
                                  struct door_answer *out) {
    struct fleet_device *device = NULL;
    if (fleet_meet(with->site->fleet, request->device_id, &device) != OK) {
        out->answer.code = PROTOCOL_NOT_YET;
        return NULL;
    }
    device->last_seen_ms = clock_wall_ms();
    if (device->state == FLEET_KNOWN) {
        return device;
    }
    bool under_way = look_up(with, device);
    out->answer.code = under_way ? PROTOCOL_NOT_YET : PROTOCOL_UNKNOWN_DEVICE;
    out->may_improve = under_way;
    return NULL;
}

static void note_running(const struct device_door_config *with, struct fleet_device *device, uint64_t sequence) {
    if (device->running_sequence != sequence) {
        device->running_sequence = sequence;
        with->site->fleet_changed = true;
    }
}

/* ---- hello ----------------------------------------------------------------------------------------------- */

static enum err answer_hello(const struct device_door_config *with, const struct protocol_request *request,
                             struct fleet_device *device, struct door_answer *out) {
    struct light_head head;
    light_head(with->light, &head);
    if (memcmp(request->hello.class_id, device->class_id, UUID_BYTES) != 0) {
        out->answer.code = PROTOCOL_BAD_REQUEST;
        return OK;
    }
    note_running(with, device, request->hello.running_sequence);
    out->answer.hello.time_ms = head.frozen ? 0 : head.time_ms;
    out->answer.hello.poll_ms = with->device_poll_ms;
    memcpy(out->answer.hello.chain_id, light_chain_id(with->light), CHAIN_ID_LEN);
    return OK;
}

/* ---- check ----------------------------------------------------------------------------------------------- */

static void fill_offer(const struct catalog_class *class, const struct catalog_offer *match,
                       struct protocol_offer *out) {
    const struct catalog_release *release = match->release;
    memcpy(out->update_id, match->update->id, HASH_LEN);
    memcpy(out->release_id, release->id, HASH_LEN);
    out->sequence = release->sequence;
    out->needs_open = match->needs_open;
    out->envelope_size = release->envelope->len;
    out->delegation_size = release->delegation->len;
    out->proof_size = class->proofs[0].bundle->len;
    out->image_size = release->image_size;
}

static enum err answer_check(const struct device_door_config *with, const struct protocol_request *request,
                             struct fleet_device *device, struct door_answer *out) {
    const struct catalog_class *class = catalog_find(with->site->catalog, device->class_id);
    struct catalog_offer match;
    struct light_head head;
    light_head(with->light, &head);
    note_running(with, device, request->check.running_sequence);
    /* Who doesn't know what was revoked meanwhile, of the chain or of this class alone, offers nothing. */
    if (class == NULL || class->proof_count == 0 || !light_is_current(with->light, class->proofs[0].time_ms)) {
        return OK;
    }
    switch (catalog_match(class, device, head.time_ms, &match)) {
    case CATALOG_NOTHING:
        break;
    case CATALOG_OFFER: {
        const struct fleet_update *place = fleet_update_find(device, match.update->id);
        if (place != NULL && clock_mono_ms() - place->proven_mono_ms >= DEVICE_DOOR_STALE_MS) {
            follow_prove(with->follow, match.update->id, device->id);
        }
        out->answer.check.offered = true;
        fill_offer(class, &match, &out->answer.check.offer);
        break;
    }
    case CATALOG_UNPROVEN:
        prove_soon(with, device, match.update->id);
        out->may_improve = true;
        break;
    case CATALOG_NOT_HERE:
        out->may_improve = true;
        break;
    }
    return OK;
}

/* ---- get ------------------------------------------------------------------------------------------------- */

static enum err take_range(const struct protocol_request *request, const struct shared_blob *blob,
                           struct door_answer *out) {
    uint64_t offset = request->get.offset;
    size_t len = request->get.length < PROTOCOL_RANGE_MAX ? request->get.length : PROTOCOL_RANGE_MAX;
    size_t left = offset < blob->len ? blob->len - (size_t)offset : 0;
    len = len < left ? len : left;
    out->range = malloc(len + 1);
    if (out->range == NULL) {
        return ERR_NOMEM;
    }
    if (len > 0) {
        memcpy(out->range, blob->data + offset, len);
    }
    out->answer.get.total = blob->len;
    out->answer.get.tag = blob->tag;
    out->answer.get.bytes = bytes_of(out->range, len);
    return OK;
}

/* The blob as it is now, if the tag fits. */
static enum err answer_blob(const struct protocol_request *request, const struct shared_blob *blob,
                            struct door_answer *out) {
    if (request->get.tag != 0 && request->get.tag != blob->tag) {
        out->answer.code = PROTOCOL_GONE;
        return OK;
    }
    return take_range(request, blob, out);
}

/* A device takes a proof for what holds now, so none is given from a head that can't be told from a frozen one. What is
 * only as good as the proof beside it (envelope, image) may be fetched meanwhile. */
static enum err answer_class_proof(const struct device_door_config *with, const struct protocol_request *request,
                                   const struct catalog_class *class, struct door_answer *out) {
    for (size_t i = 0; request->get.tag != 0 && i < class->proof_count; i++) {
        const struct catalog_proof *proof = &class->proofs[i];
        if (proof->bundle->tag == request->get.tag && light_is_current(with->light, proof->time_ms)) {
            return take_range(request, proof->bundle, out);
        }
    }
    if (request->get.tag != 0) {
        out->answer.code = PROTOCOL_GONE;
    } else if (class->proof_count == 0 || class->proofs[0].height < request->get.height ||
               !light_is_current(with->light, class->proofs[0].time_ms)) {
        follow_poke(with->follow);
        out->answer.code = PROTOCOL_NOT_YET;
        out->may_improve = true;
    } else {
        return take_range(request, class->proofs[0].bundle, out);
    }
    return OK;
}

/* Anybody can ask in a device's name; the sources are asked only about updates that it provably has to do with, or has
 * sent a signed statement about. */
static bool has_to_do_with(const struct device_door_config *with, const struct fleet_device *device,
                           const uint8_t update_id[HASH_LEN]) {
    struct catalog_class *class = catalog_find(with->site->catalog, device->class_id);
    if (class != NULL && catalog_update_find(class, update_id) != NULL) {
        return true;
    }
    for (size_t i = 0; device->answers != NULL && i < FLEET_ANSWERS_PER_DEVICE; i++) {
        if (memcmp(device->answers[i].update_id, update_id, HASH_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static enum err answer_status_proof(const struct device_door_config *with, const struct protocol_request *request,
                                    struct fleet_device *device, struct door_answer *out) {
    const struct fleet_update *place = fleet_update_find(device, request->get.update_id);
    bool current = place != NULL && place->present && light_is_current(with->light, place->time_ms);
    if (!current || (request->get.tag == 0 && place->height < request->get.height)) {
        out->answer.code = PROTOCOL_NOT_YET;
        if (place != NULL || has_to_do_with(with, device, request->get.update_id)) {
            prove_soon(with, device, request->get.update_id);
            out->may_improve = true;
        }
        return OK;
    }
    return answer_blob(request, place->proof, out);
}

/* The image is read outside the lock: the site is unlocked here and locked again. */
static enum err answer_image(const struct device_door_config *with, const struct protocol_request *request,
                             const struct catalog_release *release, struct door_answer *out) {
    struct cid root;
    uint64_t size = release->image_size;
    uint32_t tag = shared_blob_tag_of(release->image_digest);
    size_t max = request->get.length < PROTOCOL_RANGE_MAX ? request->get.length : PROTOCOL_RANGE_MAX, len = 0;
    enum err e = cid_decode(bytes_of(release->image_cid, CID_LEN), &root);
    if (e != OK || (request->get.tag != 0 && request->get.tag != tag)) {
        out->answer.code = e == OK ? PROTOCOL_GONE : PROTOCOL_NOT_YET;
        return OK;
    }
    out->range = malloc(max + 1);
    if (out->range == NULL) {
        return ERR_NOMEM;
    }
    site_unlock(with->site);
    e = images_read(with->images, &root, request->get.offset, out->range, max, &len);
    site_lock(with->site);
    if (e == ERR_NOTFOUND) {
        out->answer.code = PROTOCOL_NOT_YET;
        return OK;
    }
    out->answer.get.total = size;
    out->answer.get.tag = tag;
    out->answer.get.bytes = bytes_of(out->range, len);
    return e;
}

static enum err answer_get(const struct device_door_config *with, const struct protocol_request *request,
                           struct fleet_device *device, struct door_answer *out) {
    struct catalog_class *class = catalog_find(with->site->catalog, device->class_id);
    if (class == NULL) {
        out->answer.code = PROTOCOL_GONE;
        return OK;
    }
    if (request->get.what == PROTOCOL_CLASS_PROOF) {
        return answer_class_proof(with, request, class, out);
    }
    if (request->get.what == PROTOCOL_STATUS_PROOF) {
        return answer_status_proof(with, request, device, out);
    }
    if (class->release == NULL || catalog_update_find(class, request->get.update_id) == NULL) {
        out->answer.code = PROTOCOL_GONE;
        return OK;
    }
    switch (request->get.what) {
    case PROTOCOL_ENVELOPE:
        return answer_blob(request, class->release->envelope, out);
    case PROTOCOL_DELEGATION:
        return answer_blob(request, class->release->delegation, out);
    case PROTOCOL_IMAGE:
        return answer_image(with, request, class->release, out);
    case PROTOCOL_CLASS_PROOF:
    case PROTOCOL_STATUS_PROOF:
        break;
    }
    out->answer.code = PROTOCOL_BAD_REQUEST;
    return OK;
}

/* ---- statement ------------------------------------------------------------------------------------------- */

/* The signature is the one costly check: the device's own key, over the tag and the statement. */
static bool is_signed(const struct author_key *key, const struct protocol_request *request) {
    uint8_t text[STATEMENT_SIGNED_LEN];
    memcpy(text, TAG_STATEMENT, TAG_LEN);
    memcpy(text + TAG_LEN, request->said.statement, STATEMENT_LEN);
    return key->type == AUTHOR_P256 ? host_crypto.p256_verify(key->key, text, sizeof text, request->said.signature)
                                    : host_crypto.ed25519_verify(key->key, text, sizeof text, request->said.signature);
}

static bool is_sound(const struct device_door_config *with, const struct protocol_request *request,
                     const struct fleet_device *device, struct statement *out) {
    return statement_decode(bytes_of(request->said.statement, STATEMENT_LEN), out) == GOOD &&
           memcmp(out->device_id, device->id, KEY_LEN) == 0 &&
           memcmp(out->chain_id, light_chain_id(with->light), CHAIN_ID_LEN) == 0 && is_signed(&device->key, request);
}

/* The ledger has answered this very statement. */
static void tell_answer(const struct device_door_config *with, struct fleet_device *device,
                        const struct fleet_answer *answer, const struct statement *statement, struct door_answer *out) {
    const struct fleet_update *place = fleet_update_find(device, statement->update_id);
    bool proven = place != NULL && place->present && place->status.counter >= statement->counter;
    out->answer.said.reception = answer->refused ? PROTOCOL_REFUSED : PROTOCOL_ACCEPTED;
    out->answer.said.code = answer->code;
    out->answer.said.proof_ready = proven;
    if (proven && place->status.counter == statement->counter && statement->kind == STATEMENT_VERIFY) {
        out->answer.said.outcome = place->status.last_outcome;
    }
    if (!proven && !answer->refused && !bytes_is_zero(statement->update_id, HASH_LEN)) {
        prove_soon(with, device, statement->update_id);
        out->may_improve = true;
    }
}

/* Durable before it is answered; the disk is waited for without the site's lock. */
static enum err queue_statement(const struct device_door_config *with, const struct protocol_request *request,
                                struct door_answer *out) {
    uint8_t body[STATEMENT_TX_BODY_LEN];
    memcpy(body, request->said.statement, STATEMENT_LEN);
    memcpy(body + STATEMENT_LEN, request->said.signature, SIG_LEN);
    site_unlock(with->site);
    enum err e = statement_queue_put(with->queue, body);
    uplink_poke(with->uplink);
    site_lock(with->site);
    if (e == ERR_FULL) {
        out->answer.code = PROTOCOL_NOT_YET;
        return OK;
    }
    out->answer.said.reception = PROTOCOL_QUEUED;
    out->may_improve = true;
    return e == ERR_DUPLICATE ? OK : e;
}

static enum err answer_statement(const struct device_door_config *with, const struct protocol_request *request,
                                 struct fleet_device *device, struct door_answer *out) {
    struct statement statement;
    uint8_t hash[HASH_LEN];
    if (!is_sound(with, request, device, &statement)) {
        out->answer.code = PROTOCOL_BAD_REQUEST;
        return OK;
    }
    sha256(request->said.statement, STATEMENT_LEN, hash);
    const struct fleet_answer *answer = fleet_answer_find(device, hash);
    if (answer != NULL) {
        tell_answer(with, device, answer, &statement, out);
        return OK;
    }
    return queue_statement(with, request, out);
}

/* ---- All ------------------------------------------------------------------------------------------------- */

enum err device_answer_make(const struct device_door_config *with, const struct protocol_request *request,
                            struct door_answer *out) {
    static answer_part *const parts[] = {[PROTOCOL_HELLO] = answer_hello,
                                         [PROTOCOL_CHECK] = answer_check,
                                         [PROTOCOL_GET] = answer_get,
                                         [PROTOCOL_STATEMENT] = answer_statement};
    *out = (struct door_answer){.answer = {.operation = request->operation, .code = PROTOCOL_OK}};
    site_lock(with->site);
    struct fleet_device *device = admit(with, request, out);
    enum err e = device != NULL ? parts[request->operation](with, request, device, out) : OK;
    site_unlock(with->site);
    if (e != OK) {
        device_answer_close(out);
    }
    return e;
}

void device_answer_close(struct door_answer *answer) {
    free(answer->range);
    answer->range = NULL;
}
