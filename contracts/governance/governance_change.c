#include "contracts/governance/governance_change.h"

#include "contracts/kernel/method.h"

#include <inttypes.h>
#include <string.h>

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

/* ---- Layouts, one a kind ------------------------------------------------------------------------------------ */

#define ORG_ID(name)                                                                                                   \
    { name, "Its short name.", FIELD_TEXT, MEMBER(struct genesis_org, id) }
#define ORG_ADMINS                                                                                                     \
    {"admin_threshold", "How many of the admins must sign to speak for it.", FIELD_NUMBER,                             \
     MEMBER(struct genesis_org, admin_threshold)},                                                                     \
    {                                                                                                                  \
        "admin_keys", "Signing keys of its admins.", FIELD_LIST, COUNTED(struct genesis_org, admins, admin_count)      \
    }

static const struct field admitted_fields[] = {
    ORG_ID("id"),
    {"name", "As people call it.", FIELD_TEXT, MEMBER(struct genesis_org, name)},
    {"kind", "What it does in the consortium.", FIELD_NAME, MEMBER(struct genesis_org, kind), NAMES(org_kind_names)},
    ORG_ADMINS,
};
static const struct record admitted = {"OrganisationToAdmit", "Who comes.",
                                       RECORD_OF(struct genesis_org, admitted_fields)};
static const struct field rotated_fields[] = {ORG_ID("id"), ORG_ADMINS};
static const struct record rotated = {"OrganisationWithNewAdmins", "Whose admins change.",
                                      RECORD_OF(struct genesis_org, rotated_fields)};

static void setting_name(const void *value, struct buffer *out) {
    const char *name = governance_param_name(((const struct param_setting *)value)->param);
    buffer_put(out, name, strlen(name));
}

static const struct field setting_fields[] = {
    {NULL, NULL, FIELD_NUMBER, FIELD_KEPT, MEMBER(struct param_setting, param)},
    {"name", "Of the parameter.", FIELD_MADE, FIELD_SHOWN, .make = setting_name, .pattern = "^[a-z_]+$"},
    {"value", "What it becomes.", FIELD_NUMBER, MEMBER(struct param_setting, value)},
};
static bool setting_is_allowed(const void *value) {
    const struct param_setting *setting = value;
    return governance_param_allows(setting->param, setting->value);
}

static const struct record setting_shape = {"Setting", "A parameter's new value.",
                                            RECORD_OF(struct param_setting, setting_fields),
                                            .is_sound = setting_is_allowed};

#define CHANGE_OF(fields) RECORD_OF(struct governance_change, fields)
#define VALIDATOR(about)                                                                                               \
    { "key", about, FIELD_HEX, MEMBER(struct governance_change, key) }

static const struct field admit_org[] = {
    {"organisation", "Who comes.", FIELD_RECORD, MEMBER(struct governance_change, org), .of = &admitted}};
static const struct field remove_org[] = {
    {"organisation", "Who goes.", FIELD_TEXT, MEMBER(struct governance_change, org.id)}};
static const struct field add_validator[] = {VALIDATOR("Signing key of the node that comes in.")};
static const struct field remove_validator[] = {VALIDATOR("Signing key of the validator that goes.")};
static const struct field replace_validator[] = {
    VALIDATOR("Signing key of the validator that goes."),
    {"new_key", "Signing key of the node in its place.", FIELD_HEX, MEMBER(struct governance_change, new_key)}};
static const struct field set_params[] = {{"params", "New values by parameter.", FIELD_LIST,
                                           COUNTED(struct governance_change, settings, setting_count),
                                           .of = &setting_shape, .is_map = true}};
static const struct field rotate_admins[] = {
    {"organisation", "Whose admins change.", FIELD_RECORD, MEMBER(struct governance_change, org), .of = &rotated}};
static const struct field set_protocol[] = {
    {"version", "Of the rules.", FIELD_NUMBER, MEMBER(struct governance_change, version)},
    {"height", "The first block under them.", FIELD_DECIMAL, MEMBER(struct governance_change, height)}};

static const struct record kinds[] = {
    [CHANGE_ADMIT_ORG] = {"admit_org", "An organisation comes.", CHANGE_OF(admit_org)},
    [CHANGE_REMOVE_ORG] = {"remove_org", "An organisation goes.", CHANGE_OF(remove_org)},
    [CHANGE_ADD_VALIDATOR] = {"add_validator", "A node becomes a validator.", CHANGE_OF(add_validator)},
    [CHANGE_REMOVE_VALIDATOR] = {"remove_validator", "A validator becomes an observer.", CHANGE_OF(remove_validator)},
    [CHANGE_REPLACE_VALIDATOR] = {"replace_validator", "A node takes a validator's place.",
                                  CHANGE_OF(replace_validator)},
    [CHANGE_SET_PARAMS] = {"set_params", "Parameters of the ledger change.", CHANGE_OF(set_params)},
    [CHANGE_ROTATE_ADMINS] = {"rotate_admins", "An organisation gets other admins.", CHANGE_OF(rotate_admins)},
    [CHANGE_SET_PROTOCOL] = {"set_protocol", "The rules change at a height.", CHANGE_OF(set_protocol)},
    [CHANGE_REMOVE_CONVICTED] = {"remove_convicted", "A validator that two votes convict goes.",
                                 CHANGE_OF(remove_validator)},
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

static const struct field change_fields[] = {
    {"kind", "What would change.", FIELD_KIND, MEMBER(struct governance_change, kind), KINDS(kinds)}};
const struct record governance_change_shape = {"Change", "What a proposal would change.", CHANGE_OF(change_fields)};

const char *governance_change_name(enum change_kind kind) {
    const char *name = (size_t)kind < KIND_COUNT ? kinds[kind].name : NULL;
    return name != NULL ? name : "unknown";
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
    if (take_id(from->id, out, answer) || refuse_text(answer, from->name, GENESIS_TEXT_MAX, TEXT_NAME, "name") ||
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
            (void)!refuse(answer, CODE_PARAM_RANGE, "%s: %s%" PRIu64 " to %" PRIu64 ", got %" PRIu64,
                          governance_param_name(setting->param), range->or_zero ? "0 or " : "", range->least,
                          range->most, setting->value);
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
