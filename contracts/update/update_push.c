/* update.push: a vendor asks devices to install a release. */
#include "contracts/update/update_methods.h"

#include "contracts/author/class_authority.h"
#include "contracts/device/device.h"
#include "contracts/update/update.pb-c.h"

#include <inttypes.h>
#include <string.h>

/* Loads the release and refuses one that may not be pushed, or a signer who may not push it. */
static enum err judge_release(const struct call *call, const Assay__UpdatePush *args, struct release_record *release,
                              struct class_definition *class, struct answer *answer) {
    bool found = false, barred = false;
    enum code code;
    if (refuse_length(answer, args->release_id, HASH_LEN, "release_id")) {
        return OK;
    }
    enum err e = release_get(&call->state, args->release_id.data, release, &found);
    if (e != OK || !found) {
        return e != OK ? e : refuse(answer, CODE_RELEASE_UNKNOWN, "no such release");
    }
    e = class_definition_get(&call->state, release->class_id, class, &found);
    if (e != OK || !found) {
        return e != OK ? e : ERR_CORRUPT;
    }
    e = class_authorizes(call, class, true, &code);
    if (e != OK || code != CODE_OK) {
        return e != OK ? e : refuse(answer, code, "an author of the class or admins of %s must sign", class->def.org);
    }
    switch (release->state) {
    case RELEASE_PENDING:
        return refuse(answer, CODE_RELEASE_PENDING, "%u of %u authors have signed", release->signer_count,
                      class->def.required_signers);
    case RELEASE_REVOKED:
        return refuse(answer, CODE_RELEASE_REVOKED, "%s", release->reason);
    case RELEASE_EXPIRED:
        return refuse(answer, CODE_RELEASE_EXPIRED, "it was never released");
    case RELEASE_RELEASED:
        break;
    }
    e = release_is_barred(&call->state, release, &barred);
    if (e == OK && barred) {
        e = refuse(answer, CODE_RELEASE_BELOW_FLOOR, "sequence %" PRIu64, release->sequence);
    }
    return e;
}

/* The devices an update names: known, different, of the release's class. */
static enum err judge_devices(const struct call *call, const Assay__UpdatePush *args,
                              const struct release_record *release, struct answer *answer) {
    if (args->n_devices > UPDATE_TARGETS_MAX) {
        return refuse(answer, CODE_UPDATE_TOO_MANY_TARGETS, "%zu devices, at most %d", args->n_devices,
                      UPDATE_TARGETS_MAX);
    }
    for (size_t i = 0; i < args->n_devices; i++) {
        struct device_record device;
        char hex[2 * KEY_LEN + 1];
        bool found = false;
        if (refuse_length(answer, args->devices[i], KEY_LEN, "devices")) {
            return OK;
        }
        const uint8_t *id = args->devices[i].data;
        hex_encode(id, KEY_LEN, hex);
        for (size_t j = 0; j < i; j++) {
            if (memcmp(args->devices[j].data, id, KEY_LEN) == 0) {
                return refuse(answer, CODE_UPDATE_TARGET_REPEATED, "device %s", hex);
            }
        }
        enum err e = device_get(&call->state, id, &device, &found);
        if (e != OK || !found) {
            return e != OK ? e : refuse(answer, CODE_DEVICE_UNKNOWN, "device %s", hex);
        }
        if (memcmp(device.class_id, release->class_id, UUID_BYTES) != 0) {
            return refuse(answer, CODE_UPDATE_WRONG_CLASS, "device %s", hex);
        }
    }
    return OK;
}

static enum err judge_targets(const struct call *call, const Assay__UpdatePush *args,
                              const struct release_record *release, struct answer *answer) {
    if (args->n_devices == 0 && args->class_id.len == 0) {
        return refuse(answer, CODE_UPDATE_NO_TARGETS, "give devices or class_id");
    }
    if (args->n_devices > 0) {
        return args->class_id.len == 0 ? judge_devices(call, args, release, answer)
                                       : refuse(answer, CODE_BAD_ARGUMENTS, "give devices or class_id, not both");
    }
    if (refuse_length(answer, args->class_id, UUID_BYTES, "class_id")) {
        return OK;
    }
    if (memcmp(args->class_id.data, release->class_id, UUID_BYTES) != 0) {
        return refuse(answer, CODE_UPDATE_WRONG_CLASS, "class_id is not the release's");
    }
    return OK;
}

/* Window and limit with their defaults; refuses what is out of range. */
static bool terms_fit(const Assay__UpdatePush *args, struct update_record *update, struct answer *answer) {
    update->window_ms = args->window_ms == 0 ? UPDATE_WINDOW_DEFAULT_MS : args->window_ms;
    update->max_failed = args->max_failed == 0 ? UPDATE_MAX_FAILED_DEFAULT : args->max_failed;
    if (update->window_ms < UPDATE_WINDOW_MIN_MS || update->window_ms > UPDATE_WINDOW_MAX_MS) {
        (void)!refuse(answer, CODE_UPDATE_WINDOW_RANGE, "window_ms %" PRIu64, update->window_ms);
        return false;
    }
    if (update->max_failed > UPDATE_MAX_FAILED_LIMIT) {
        (void)!refuse(answer, CODE_UPDATE_MAX_FAILED_RANGE, "max_failed %u", update->max_failed);
        return false;
    }
    return true;
}

enum err update_push(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__UpdatePush *args = (const Assay__UpdatePush *)(const void *)message;
    struct release_record release;
    struct class_definition class;
    enum err e = judge_release(call, args, &release, &class, answer);
    if (e == OK && answer->code == CODE_OK) {
        e = judge_targets(call, args, &release, answer);
    }
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    struct update_record update = {.stamp = record_stamp_new(call),
                                   .sequence = release.sequence,
                                   .time_sent_ms = args->time_sent_ms,
                                   .whole_class = args->n_devices == 0,
                                   .targets = (uint32_t)args->n_devices};
    if (!terms_fit(args, &update, answer)) {
        return OK;
    }
    memcpy(update.id, call->tx_id, HASH_LEN);
    memcpy(update.release_id, release.id, HASH_LEN);
    memcpy(update.class_id, release.class_id, UUID_BYTES);
    memcpy(update.image_digest, release.image_digest, HASH_LEN);
    memcpy(update.sender, call->signers[0], ED25519_KEY_LEN);
    memcpy(update.org, class.def.org, sizeof update.org);
    memcpy(update.version, release.version, sizeof update.version);
    e = update_add(call, &update);
    for (size_t i = 0; i < args->n_devices && e == OK; i++) {
        struct status_record status;
        e = update_add_target(call, &update, args->devices[i].data, true, 0, &status);
    }
    if (e != OK) {
        return e;
    }
    Assay__UpdatePushResult result = ASSAY__UPDATE_PUSH_RESULT__INIT;
    result.update_id = pb_of(update.id, HASH_LEN);
    result.targets = update.targets;
    return answer_with(answer, &result.base);
}
