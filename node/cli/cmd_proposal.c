/* assay proposal list|show|new|vote|withdraw: what organisations decide together. */
#include "node/answers/page.h"
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/names.h"
#include "node/cli/txcmd.h"

#include "contracts/genesis/genesis.h"
#include "contracts/governance/governance.pb-c.h"
#include "contracts/governance/governance_proposal.h"
#include "node/answers/block.h"
#include "node/json/record_json.h"
#include "contracts/governance/governance_params.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int cmd_proposal_list(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct txcmd_list list = {0};
    const struct args_option options[] = {TXCMD_OPTIONS(o), LIST_OPTIONS(list), {0}};
    const struct args_spec spec = {
        "proposal list --key KEY [options]",
        "Proposals, newest first; for members, who log in with an author's or an admin's key.", options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    return status == ARGS_GO_ON ? txcmd_show_list_to_member(&o, &list, "/v1/proposals", &proposals_page) : status;
}

static int cmd_proposal_show(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {TXCMD_OPTIONS(o), {0}};
    const struct args_spec spec = {"proposal show ID --key KEY [options]", "One proposal with its votes.", options, 1,
                                   1};
    struct args_operands operands;
    uint8_t id[HASH_LEN];
    char path[sizeof "/v1/proposals/" + 2 * HASH_LEN];
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON) {
        status = names_hex("the proposal's id", operands.item[0], id, sizeof id);
    }
    (void)snprintf(path, sizeof path, "/v1/proposals/%s", status == ARGS_GO_ON ? operands.item[0] : "");
    return status == ARGS_GO_ON ? txcmd_show_to_member(&o, path) : status;
}

/* ---- new --------------------------------------------------------------------------------------------------------- */

/* A change as the user words it; what a kind does not take stays empty. */
struct wording {
    const char *operand[2];
    const char *name;
    const char *kind;
    struct args_list admins;
    struct args_list settings;
    uint64_t threshold;
    uint64_t height;
};

/* Everything a packed proposal may borrow from. */
struct draft {
    Assay__Propose message;
    uint8_t keys[2][ED25519_KEY_LEN];
    uint8_t admins[GENESIS_ADMINS_MAX][ED25519_KEY_LEN];
    ProtobufCBinaryData admin_list[GENESIS_ADMINS_MAX];
    Assay__ParamSetting settings[PARAM_LAST];
    Assay__ParamSetting *setting_list[PARAM_LAST];
    union {
        Assay__AdmitOrg admit_org;
        Assay__RemoveOrg remove_org;
        Assay__AddValidator add_validator;
        Assay__RemoveValidator remove_validator;
        Assay__ReplaceValidator replace_validator;
        Assay__SetParams set_params;
        Assay__RotateAdmins rotate_admins;
        Assay__SetProtocol set_protocol;
        Assay__RemoveConvicted remove_convicted;
    } change;
};

static int take_admins(const struct wording *w, struct draft *d) {
    if (w->admins.count == 0 || w->admins.count > GENESIS_ADMINS_MAX) {
        return args_wrong("give 1 to %d --admin KEY", GENESIS_ADMINS_MAX);
    }
    int status = ARGS_GO_ON;
    for (size_t i = 0; i < w->admins.count && status == ARGS_GO_ON; i++) {
        status = names_public_key("--admin", w->admins.item[i], d->admins[i]);
        d->admin_list[i] = names_binary(d->admins[i], ED25519_KEY_LEN);
    }
    return status;
}

static int make_admit_org(const struct wording *w, struct draft *d) {
    enum org_kind kind;
    if (w->kind == NULL || !org_kind_of(bytes_str(w->kind), &kind)) {
        return args_wrong("admit-org needs --kind vendor, broker, operator or owner");
    }
    Assay__AdmitOrg *m = &d->change.admit_org;
    assay__admit_org__init(m);
    m->id = names_text(w->operand[0]);
    m->name = names_text(w->name != NULL ? w->name : w->operand[0]);
    m->kind = (uint32_t)kind;
    m->admin_threshold = (uint32_t)w->threshold;
    m->n_admins = w->admins.count;
    m->admins = d->admin_list;
    d->message.change_case = ASSAY__PROPOSE__CHANGE_ADMIT_ORG;
    d->message.admit_org = m;
    return take_admins(w, d);
}

static int make_rotate_admins(const struct wording *w, struct draft *d) {
    Assay__RotateAdmins *m = &d->change.rotate_admins;
    assay__rotate_admins__init(m);
    m->org = names_text(w->operand[0]);
    m->admin_threshold = (uint32_t)w->threshold;
    m->n_admins = w->admins.count;
    m->admins = d->admin_list;
    d->message.change_case = ASSAY__PROPOSE__CHANGE_ROTATE_ADMINS;
    d->message.rotate_admins = m;
    return take_admins(w, d);
}

static int make_remove_org(const struct wording *w, struct draft *d) {
    assay__remove_org__init(&d->change.remove_org);
    d->change.remove_org.id = names_text(w->operand[0]);
    d->message.change_case = ASSAY__PROPOSE__CHANGE_REMOVE_ORG;
    d->message.remove_org = &d->change.remove_org;
    return ARGS_GO_ON;
}

static int take_key(const struct wording *w, struct draft *d, size_t i, ProtobufCBinaryData *out) {
    *out = names_binary(d->keys[i], ED25519_KEY_LEN);
    return names_public_key("the node's key", w->operand[i], d->keys[i]);
}

static int make_add_validator(const struct wording *w, struct draft *d) {
    assay__add_validator__init(&d->change.add_validator);
    d->message.change_case = ASSAY__PROPOSE__CHANGE_ADD_VALIDATOR;
    d->message.add_validator = &d->change.add_validator;
    return take_key(w, d, 0, &d->change.add_validator.key);
}

static int make_remove_validator(const struct wording *w, struct draft *d) {
    assay__remove_validator__init(&d->change.remove_validator);
    d->message.change_case = ASSAY__PROPOSE__CHANGE_REMOVE_VALIDATOR;
    d->message.remove_validator = &d->change.remove_validator;
    return take_key(w, d, 0, &d->change.remove_validator.key);
}

static int make_remove_convicted(const struct wording *w, struct draft *d) {
    assay__remove_convicted__init(&d->change.remove_convicted);
    d->message.change_case = ASSAY__PROPOSE__CHANGE_REMOVE_CONVICTED;
    d->message.remove_convicted = &d->change.remove_convicted;
    return take_key(w, d, 0, &d->change.remove_convicted.key);
}

static int make_replace_validator(const struct wording *w, struct draft *d) {
    Assay__ReplaceValidator *m = &d->change.replace_validator;
    assay__replace_validator__init(m);
    d->message.change_case = ASSAY__PROPOSE__CHANGE_REPLACE_VALIDATOR;
    d->message.replace_validator = m;
    int status = take_key(w, d, 0, &m->old_key);
    return status == ARGS_GO_ON ? take_key(w, d, 1, &m->new_key) : status;
}

/* "heartbeat_ms=5000" */
static int take_setting(const char *text, struct draft *d, size_t i) {
    char name[64] = "", *end = NULL;
    const char *equals = strchr(text, '=');
    if (equals != NULL && (size_t)(equals - text) < sizeof name) {
        memcpy(name, text, (size_t)(equals - text));
    }
    uint32_t param = equals != NULL ? governance_param_number(name) : 0;
    unsigned long long value = param != 0 ? strtoull(equals + 1, &end, 10) : 0;
    if (param == 0 || equals[1] < '0' || equals[1] > '9' || *end != '\0') {
        return args_wrong("--set '%s' is not PARAMETER=NUMBER; GET /v1/params shows the parameters", text);
    }
    assay__param_setting__init(&d->settings[i]);
    d->settings[i].param = param;
    d->settings[i].value = value;
    d->setting_list[i] = &d->settings[i];
    return ARGS_GO_ON;
}

static int by_param(const void *a, const void *b) {
    const Assay__ParamSetting *const *x = a, *const *y = b;
    return (*x)->param < (*y)->param ? -1 : (*x)->param > (*y)->param;
}

static int make_set_params(const struct wording *w, struct draft *d) {
    int status = ARGS_GO_ON;
    if (w->settings.count == 0 || w->settings.count > PARAM_LAST) {
        return args_wrong("set-params needs --set PARAMETER=NUMBER");
    }
    for (size_t i = 0; i < w->settings.count && status == ARGS_GO_ON; i++) {
        status = take_setting(w->settings.item[i], d, i);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    qsort(d->setting_list, w->settings.count, sizeof d->setting_list[0], by_param);
    assay__set_params__init(&d->change.set_params);
    d->change.set_params.n_settings = w->settings.count;
    d->change.set_params.settings = d->setting_list;
    d->message.change_case = ASSAY__PROPOSE__CHANGE_SET_PARAMS;
    d->message.set_params = &d->change.set_params;
    return ARGS_GO_ON;
}

static int make_set_protocol(const struct wording *w, struct draft *d) {
    char *end = NULL;
    unsigned long version = strtoul(w->operand[0], &end, 10);
    if (w->operand[0][0] < '0' || w->operand[0][0] > '9' || *end != '\0' || version > UINT32_MAX || w->height == 0) {
        return args_wrong("set-protocol needs VERSION and --height H");
    }
    assay__set_protocol__init(&d->change.set_protocol);
    d->change.set_protocol.version = (uint32_t)version;
    d->change.set_protocol.height = w->height;
    d->message.change_case = ASSAY__PROPOSE__CHANGE_SET_PROTOCOL;
    d->message.set_protocol = &d->change.set_protocol;
    return ARGS_GO_ON;
}

struct kind {
    const char *name;
    size_t operands;
    int (*make)(const struct wording *w, struct draft *d);
};

static const struct kind kinds[] = {
    {"admit-org", 1, make_admit_org},
    {"remove-org", 1, make_remove_org},
    {"add-validator", 1, make_add_validator},
    {"remove-validator", 1, make_remove_validator},
    {"replace-validator", 2, make_replace_validator},
    {"remove-convicted", 1, make_remove_convicted},
    {"set-params", 0, make_set_params},
    {"rotate-admins", 1, make_rotate_admins},
    {"set-protocol", 1, make_set_protocol},
};

static const struct kind *kind_of(const char *name) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* Sends one operation about a proposal; the answer names the proposal, which for a new one is the transaction. */
static int send(const struct txcmd_options *o, const char *method, const ProtobufCMessage *message, const char *id) {
    struct txcmd tx;
    json_t *answer = NULL;
    int status = txcmd_open(o, &tx);
    if (status != ARGS_GO_ON) {
        return status;
    }
    status = txcmd_send(&tx, "governance", method, message, &answer);
    txcmd_close(&tx);
    if (status != ARGS_GO_ON) {
        return status;
    }
    const json_t *tx_id = record_member(&submitted_shape, answer, offsetof(struct submitted_answer, tx_id));
    (void)json_object_set_new(answer, record_name_at(&proposal_shape, offsetof(struct proposal_record, id)),
                              json_string(id != NULL ? id : json_string_value(tx_id)));
    return txcmd_print(o, answer);
}

static int cmd_proposal_new(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct wording w = {.threshold = 1};
    const char *org = NULL, *text = "";
    uint64_t lifetime_ms = 0;
    const struct args_option options[] = {
        TXCMD_OPTIONS(o),
        {"org", ARGS_TEXT, &org, "ID", "your organisation; it votes yes with this", 0, 0},
        {"text", ARGS_TEXT, &text, "TEXT", "why, for the others", 0, 0},
        {"lifetime", ARGS_DURATION, &lifetime_ms, "T", "how long it stands (default 7 days)", 60000, 7776000000},
        {"name", ARGS_TEXT, &w.name, "NAME", "display name (admit-org)", 0, 0},
        {"kind", ARGS_TEXT, &w.kind, "KIND", "vendor, broker, operator or owner (admit-org)", 0, 0},
        {"admin", ARGS_LIST, &w.admins, "KEY", "an admin's key (admit-org, rotate-admins); may be repeated", 0, 0},
        {"threshold", ARGS_NUMBER, &w.threshold, "M", "admins who speak together (default 1)", 1, GENESIS_ADMINS_MAX},
        {"set", ARGS_LIST, &w.settings, "PARAM=N", "a parameter (set-params); may be repeated", 0, 0},
        {"height", ARGS_NUMBER, &w.height, "H", "from which block on (set-protocol)", 1, INT64_MAX},
        {0},
    };
    const struct args_spec spec = {"proposal new KIND [ARGUMENT...] --org ID --key ADMIN...",
                                   "Proposes a change. KIND is one of: admit-org ID, remove-org ID, add-validator "
                                   "NODEKEY, remove-validator NODEKEY, "
                                   "replace-validator OLDKEY NEWKEY, remove-convicted NODEKEY, set-params, "
                                   "rotate-admins ORG, set-protocol VERSION.",
                                   options, 1, 3};
    struct args_operands operands;
    struct draft d;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    const struct kind *kind = kind_of(operands.item[0]);
    if (kind == NULL) {
        return args_wrong("no kind of proposal '%s'; 'assay proposal new --help' lists them", operands.item[0]);
    }
    if ((size_t)operands.count != kind->operands + 1 || org == NULL) {
        return args_wrong("proposal new %s takes %zu argument%s, and --org", kind->name, kind->operands,
                          kind->operands == 1 ? "" : "s");
    }
    for (size_t i = 0; i < kind->operands; i++) {
        w.operand[i] = operands.item[i + 1];
    }
    memset(&d, 0, sizeof d);
    assay__propose__init(&d.message);
    d.message.org = names_text(org);
    d.message.text = names_text(text);
    d.message.lifetime_ms = lifetime_ms;
    status = kind->make(&w, &d);
    return status == ARGS_GO_ON ? send(&o, "propose", &d.message.base, NULL) : status;
}

/* ---- vote and withdraw ------------------------------------------------------------------------------------------- */

static int cmd_proposal_vote(int argc, char **argv) {
    struct txcmd_options o = {0};
    const char *org = NULL;
    const struct args_option options[] = {
        TXCMD_OPTIONS(o), {"org", ARGS_TEXT, &org, "ID", "your organisation", 0, 0}, {0}};
    const struct args_spec spec = {"proposal vote ID yes|no --org ID --key ADMIN...",
                                   "Your organisation's vote; it can't be changed.", options, 2, 2};
    struct args_operands operands;
    uint8_t id[HASH_LEN];
    Assay__CastVote message;
    assay__cast_vote__init(&message);
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    bool yes = strcmp(operands.item[1], "yes") == 0;
    if (org == NULL || (!yes && strcmp(operands.item[1], "no") != 0)) {
        return args_wrong("proposal vote needs ID, yes or no, and --org");
    }
    status = names_hex("the proposal's id", operands.item[0], id, sizeof id);
    message.org = names_text(org);
    message.proposal_id = names_binary(id, sizeof id);
    message.choice = yes ? 1 : 2;
    return status == ARGS_GO_ON ? send(&o, "vote", &message.base, operands.item[0]) : status;
}

static int cmd_proposal_withdraw(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {TXCMD_OPTIONS(o), {0}};
    const struct args_spec spec = {"proposal withdraw ID --key ADMIN...", "Takes back what your organisation proposed.",
                                   options, 1, 1};
    struct args_operands operands;
    uint8_t id[HASH_LEN];
    Assay__WithdrawProposal message;
    assay__withdraw_proposal__init(&message);
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON) {
        status = names_hex("the proposal's id", operands.item[0], id, sizeof id);
    }
    message.proposal_id = names_binary(id, sizeof id);
    return status == ARGS_GO_ON ? send(&o, "withdraw", &message.base, operands.item[0]) : status;
}

int cmd_proposal(int argc, char **argv) {
    static const struct args_verb verbs[] = {{"list", "all of them", cmd_proposal_list},
                                             {"show", "one, with its votes", cmd_proposal_show},
                                             {"new", "propose a change", cmd_proposal_new},
                                             {"vote", "yes or no", cmd_proposal_vote},
                                             {"withdraw", "take back your own", cmd_proposal_withdraw},
                                             {NULL, NULL, NULL}};
    return args_dispatch("proposal", verbs, argc, argv);
}
