#include "contracts/governance/governance_change.h"

#include "contracts/kernel/method.h"

#include <inttypes.h>
#include <string.h>

const char *governance_change_name(enum change_kind kind) {
    switch (kind) {
    case CHANGE_ADMIT_ORG:
        return "admit_org";
    case CHANGE_REMOVE_ORG:
        return "remove_org";
    case CHANGE_ADD_VALIDATOR:
        return "add_validator";
    case CHANGE_REMOVE_VALIDATOR:
        return "remove_validator";
    case CHANGE_REPLACE_VALIDATOR:
        return "replace_validator";
    case CHANGE_SET_PARAMS:
        return "set_params";
    case CHANGE_ROTATE_ADMINS:
        return "rotate_admins";
    case CHANGE_SET_PROTOCOL:
        return "set_protocol";
    case CHANGE_REMOVE_CONVICTED:
        return "remove_convicted";
    }
    return "unknown";
}

bool governance_change_alters_voting(const struct governance_change *change) {
    if (change->kind == CHANGE_ADMIT_ORG || change->kind == CHANGE_REMOVE_ORG) {
        return true;
    }
    for (size_t i = 0; i < change->setting_count; i++) {
        if (change->settings[i].param == PARAM_VOTE_THRESHOLD_PERCENT) {
            return true;
        }
    }
    return false;
}

/* ---- Bytes -------------------------------------------------------------------------------------------------- */

static void admins_write(struct buffer *out, const struct genesis_org *org) {
    buffer_u8(out, org->admin_threshold);
    buffer_u8(out, org->admin_count);
    buffer_put(out, org->admins, (size_t)org->admin_count * ED25519_KEY_LEN);
}

static void admins_read(struct reader *r, struct genesis_org *out) {
    out->admin_threshold = read_u8(r);
    uint8_t count = read_u8(r);
    if (count > GENESIS_ADMINS_MAX) {
        r->failed = true;
        return;
    }
    out->admin_count = count;
    read_bytes(r, out->admins, (size_t)count * ED25519_KEY_LEN);
}

static void settings_read(struct reader *r, struct governance_change *out) {
    uint8_t count = read_u8(r);
    if (count > PARAM_LAST) {
        r->failed = true;
        return;
    }
    out->setting_count = count;
    for (size_t i = 0; i < count; i++) {
        out->settings[i].param = read_u8(r);
        out->settings[i].value = read_u64(r);
        if (!governance_param_allows(out->settings[i].param, out->settings[i].value)) {
            r->failed = true;
        }
    }
}

void governance_change_encode(const struct governance_change *change, struct buffer *out) {
    buffer_u8(out, (uint8_t)change->kind);
    switch (change->kind) {
    case CHANGE_ADMIT_ORG:
        record_text_write(out, change->org.id);
        record_text_write(out, change->org.name);
        buffer_u8(out, (uint8_t)change->org.kind);
        admins_write(out, &change->org);
        break;
    case CHANGE_REMOVE_ORG:
        record_text_write(out, change->org.id);
        break;
    case CHANGE_ADD_VALIDATOR:
    case CHANGE_REMOVE_VALIDATOR:
    case CHANGE_REMOVE_CONVICTED:
        buffer_put(out, change->key, KEY_LEN);
        break;
    case CHANGE_REPLACE_VALIDATOR:
        buffer_put(out, change->key, KEY_LEN);
        buffer_put(out, change->new_key, KEY_LEN);
        break;
    case CHANGE_SET_PARAMS:
        buffer_u8(out, change->setting_count);
        for (size_t i = 0; i < change->setting_count; i++) {
            buffer_u8(out, change->settings[i].param);
            buffer_u64(out, change->settings[i].value);
        }
        break;
    case CHANGE_ROTATE_ADMINS:
        record_text_write(out, change->org.id);
        admins_write(out, &change->org);
        break;
    case CHANGE_SET_PROTOCOL:
        buffer_u32(out, change->version);
        buffer_u64(out, change->height);
        break;
    }
}

void governance_change_read(struct reader *r, struct governance_change *out) {
    *out = (struct governance_change){.kind = (enum change_kind)read_u8(r)};
    switch (out->kind) {
    case CHANGE_ADMIT_ORG:
        record_text_read(r, out->org.id, sizeof out->org.id);
        record_text_read(r, out->org.name, sizeof out->org.name);
        out->org.kind = (enum org_kind)read_u8(r);
        admins_read(r, &out->org);
        return;
    case CHANGE_REMOVE_ORG:
        record_text_read(r, out->org.id, sizeof out->org.id);
        return;
    case CHANGE_ADD_VALIDATOR:
    case CHANGE_REMOVE_VALIDATOR:
    case CHANGE_REMOVE_CONVICTED:
        read_bytes(r, out->key, KEY_LEN);
        return;
    case CHANGE_REPLACE_VALIDATOR:
        read_bytes(r, out->key, KEY_LEN);
        read_bytes(r, out->new_key, KEY_LEN);
        return;
    case CHANGE_SET_PARAMS:
        settings_read(r, out);
        return;
    case CHANGE_ROTATE_ADMINS:
        record_text_read(r, out->org.id, sizeof out->org.id);
        admins_read(r, &out->org);
        return;
    case CHANGE_SET_PROTOCOL:
        out->version = read_u32(r);
        out->height = read_u64(r);
        return;
    }
    r->failed = true;
}

/* ---- From arguments ----------------------------------------------------------------------------------------- */

/* True (and refused) when the id names nothing that could ever exist. */
static bool take_id(const char *id, struct genesis_org *out, struct answer *answer) {
    if (!genesis_org_id_is_clean(id)) {
        (void)!refuse(answer, CODE_BAD_ARGUMENTS, "organisation id: 1 to %d of a-z, 0-9 and '-'", GENESIS_ID_MAX);
        return true;
    }
    memcpy(out->id, id, strlen(id) + 1);
    return false;
}

static bool take_admins(uint32_t threshold, size_t count, const ProtobufCBinaryData *admins, struct genesis_org *out,
                        struct answer *answer) {
    if (count == 0 || count > GENESIS_ADMINS_MAX) {
        (void)!refuse(answer, CODE_BAD_ARGUMENTS, "admins: 1 to %d, got %zu", GENESIS_ADMINS_MAX, count);
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (refuse_length(answer, admins[i], ED25519_KEY_LEN, "admin")) {
            return true;
        }
        memcpy(out->admins[i], admins[i].data, ED25519_KEY_LEN);
    }
    out->admin_count = (uint8_t)count;
    out->admin_threshold = (uint8_t)(threshold > UINT8_MAX ? 0 : threshold);
    return false;
}

static bool refuse_flaw(const struct genesis_org *org, struct answer *answer) {
    const char *flaw = genesis_org_flaw(org);
    if (flaw != NULL) {
        (void)!refuse(answer, CODE_BAD_ARGUMENTS, "organisation %s: %s", org->id, flaw);
    }
    return flaw != NULL;
}

static bool take_admitted(const Assay__AdmitOrg *from, struct genesis_org *out, struct answer *answer) {
    if (take_id(from->id, out, answer) || refuse_text(answer, from->name, GENESIS_TEXT_MAX, "name") ||
        take_admins(from->admin_threshold, from->n_admins, from->admins, out, answer)) {
        return true;
    }
    memcpy(out->name, from->name, strlen(from->name) + 1);
    out->kind = (enum org_kind)(from->kind > ORG_OWNER ? 0 : from->kind);
    return refuse_flaw(out, answer);
}

/* The name and kind do not change; any good ones let the rules about admins be looked at. */
static bool take_rotated(const Assay__RotateAdmins *from, struct genesis_org *out, struct answer *answer) {
    if (take_id(from->org, out, answer) ||
        take_admins(from->admin_threshold, from->n_admins, from->admins, out, answer)) {
        return true;
    }
    struct genesis_org whole = *out;
    memcpy(whole.name, whole.id, sizeof whole.id);
    whole.kind = ORG_VENDOR;
    return refuse_flaw(&whole, answer);
}

static bool take_key(ProtobufCBinaryData from, const char *name, uint8_t out[KEY_LEN], struct answer *answer) {
    if (refuse_length(answer, from, KEY_LEN, name)) {
        return true;
    }
    memcpy(out, from.data, KEY_LEN);
    return false;
}

static bool take_settings(const Assay__SetParams *from, struct governance_change *out, struct answer *answer) {
    if (from->n_settings == 0 || from->n_settings > PARAM_LAST) {
        (void)!refuse(answer, CODE_BAD_ARGUMENTS, "settings: 1 to %d, got %zu", PARAM_LAST, from->n_settings);
        return true;
    }
    for (size_t i = 0; i < from->n_settings; i++) {
        const Assay__ParamSetting *setting = from->settings[i];
        const struct param_range *range = governance_param_range(setting->param);
        if (range == NULL) {
            (void)!refuse(answer, CODE_PARAM_UNKNOWN, "parameter %" PRIu32, setting->param);
            return true;
        }
        if (i > 0 && setting->param <= from->settings[i - 1]->param) {
            (void)!refuse(answer, CODE_BAD_ARGUMENTS, "settings must stand by rising number, each once");
            return true;
        }
        if (!governance_param_allows(setting->param, setting->value)) {
            (void)!refuse(answer, CODE_PARAM_RANGE, "%s: %s%" PRIu64 " to %" PRIu64 ", got %" PRIu64, range->name,
                          range->or_zero ? "0 or " : "", range->least, range->most, setting->value);
            return true;
        }
        out->settings[i] = (struct param_setting){(uint8_t)setting->param, setting->value};
    }
    out->setting_count = (uint8_t)from->n_settings;
    return false;
}

static bool take_change(const Assay__Propose *args, struct governance_change *out, struct answer *answer) {
    switch (args->change_case) {
    case ASSAY__PROPOSE__CHANGE_ADMIT_ORG:
        out->kind = CHANGE_ADMIT_ORG;
        return take_admitted(args->admit_org, &out->org, answer);
    case ASSAY__PROPOSE__CHANGE_REMOVE_ORG:
        out->kind = CHANGE_REMOVE_ORG;
        return take_id(args->remove_org->id, &out->org, answer);
    case ASSAY__PROPOSE__CHANGE_ADD_VALIDATOR:
        out->kind = CHANGE_ADD_VALIDATOR;
        return take_key(args->add_validator->key, "key", out->key, answer);
    case ASSAY__PROPOSE__CHANGE_REMOVE_VALIDATOR:
        out->kind = CHANGE_REMOVE_VALIDATOR;
        return take_key(args->remove_validator->key, "key", out->key, answer);
    case ASSAY__PROPOSE__CHANGE_REPLACE_VALIDATOR:
        out->kind = CHANGE_REPLACE_VALIDATOR;
        return take_key(args->replace_validator->old_key, "old_key", out->key, answer) ||
               take_key(args->replace_validator->new_key, "new_key", out->new_key, answer);
    case ASSAY__PROPOSE__CHANGE_SET_PARAMS:
        out->kind = CHANGE_SET_PARAMS;
        return take_settings(args->set_params, out, answer);
    case ASSAY__PROPOSE__CHANGE_ROTATE_ADMINS:
        out->kind = CHANGE_ROTATE_ADMINS;
        return take_rotated(args->rotate_admins, &out->org, answer);
    case ASSAY__PROPOSE__CHANGE_SET_PROTOCOL:
        out->kind = CHANGE_SET_PROTOCOL;
        out->version = args->set_protocol->version;
        out->height = args->set_protocol->height;
        return false;
    case ASSAY__PROPOSE__CHANGE_REMOVE_CONVICTED:
        out->kind = CHANGE_REMOVE_CONVICTED;
        return take_key(args->remove_convicted->key, "key", out->key, answer);
    default:
        (void)!refuse(answer, CODE_BAD_ARGUMENTS, "the proposal names no change");
        return true;
    }
}

bool governance_change_parse(const Assay__Propose *args, struct governance_change *out, struct answer *answer) {
    struct governance_change change = {0};
    if (take_change(args, &change, answer)) {
        return true;
    }
    *out = change;
    return false;
}
