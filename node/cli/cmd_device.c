/* assay device list|show|register|endorse. Device records are for members: --key logs in. */
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/names.h"
#include "node/cli/txcmd.h"

#include "contracts/device/device.pb-c.h"
#include "node/answers/page.h"
#include "node/answers/registry.h"

#include <stdio.h>
#include <string.h>

/* Gets the list as a member; `only` (hex, may be NULL) picks one. */
static int show_devices(const struct txcmd_options *o, const char *path, const char *only) {
    struct txcmd tx;
    json_t *answer = NULL;
    int status = txcmd_open(o, &tx);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (client_login(tx.client, tx.keys[0].secret) != OK || client_get_json(tx.client, path, &answer) != OK) {
        status = args_fail("%s", client_why(tx.client));
    } else if (only == NULL) {
        status = txcmd_print(o, json_incref(answer));
    } else {
        status = txcmd_print_item(o, answer, &devices_page, offsetof(struct device_answer, record.id), only, "device");
    }
    json_decref(answer);
    txcmd_close(&tx);
    return status;
}

static int cmd_device_list(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct txcmd_list list = {0};
    const struct args_option options[] = {TXCMD_OPTIONS(o), LIST_OPTIONS(list), {0}};
    const struct args_spec spec = {"device list --key FILE [options]", "Devices; for members, so --key logs in.",
                                   options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    return status == ARGS_GO_ON ? txcmd_show_list_to_member(&o, &list, "/v1/devices", &devices_page) : status;
}

static int cmd_device_show(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {TXCMD_OPTIONS(o), {0}};
    const struct args_spec spec = {"device show DEVICE --key FILE [options]", "One device, by public key or key file.",
                                   options, 1, 1};
    struct args_operands operands;
    uint8_t key[ED25519_KEY_LEN];
    char hex[2 * ED25519_KEY_LEN + 1];
    char before[2 * ED25519_KEY_LEN + 1];
    char path[160];
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON) {
        status = names_public_key("device", operands.item[0], key);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    hex_encode(key, sizeof key, hex);
    /* The list is ordered by id: one page that begins just before this one has it. */
    for (size_t i = sizeof key; i > 0 && key[i - 1]-- == 0; i--) {
    }
    hex_encode(key, sizeof key, before);
    (void)snprintf(path, sizeof path, "/v1/devices?limit=1&after=%s", before);
    return show_devices(&o, path, hex);
}

static int cmd_device_register(int argc, char **argv) {
    struct txcmd_options o = {0};
    const char *class = NULL;
    const char *gateway_text = NULL;
    uint64_t revision = 1;
    uint64_t sequence = 0;
    const struct args_option options[] = {
        TXCMD_OPTIONS(o),
        {"class", ARGS_TEXT, &class, "CLASS", "such as acme.example/thermostat", 0, 0},
        {"gateway", ARGS_TEXT, &gateway_text, "KEY", "its gateway's key, unless the gateway signs", 0, 0},
        {"hardware", ARGS_NUMBER, &revision, "N", "hardware revision (default 1)", 0, UINT32_MAX},
        {"sequence", ARGS_NUMBER, &sequence, "N", "what it runs now (default 0)", 0, INT64_MAX},
        {0},
    };
    const struct args_spec spec = {"device register DEVICE --class CLASS --key FILE [options]",
                                   "Registers a device, by its public key or key file.", options, 1, 1};
    struct args_operands operands;
    struct class_name name;
    uint8_t key[ED25519_KEY_LEN];
    uint8_t gateway[ED25519_KEY_LEN];
    uint8_t mac[HASH_LEN] = {0};
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON && class == NULL) {
        status = args_wrong("device register needs --class");
    }
    if (status == ARGS_GO_ON) {
        status = names_class(class, &name);
    }
    if (status == ARGS_GO_ON) {
        status = names_public_key("device", operands.item[0], key);
    }
    if (status == ARGS_GO_ON && gateway_text != NULL) {
        status = names_public_key("--gateway", gateway_text, gateway);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    Assay__DeviceRegister message;
    assay__device_register__init(&message);
    message.key_type = AUTHOR_ED25519;
    message.key = names_binary(key, sizeof key);
    message.class_id = names_binary(name.class_id, sizeof name.class_id);
    message.hardware_revision = (uint32_t)revision;
    message.running_sequence = sequence;
    message.mac_hmac = names_binary(mac, sizeof mac);
    message.gateway = names_binary(gateway, gateway_text != NULL ? sizeof gateway : 0);
    return txcmd_message(&o, "device", "register", &message.base);
}

static int cmd_device_endorse(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {TXCMD_OPTIONS(o), {0}};
    const struct args_spec spec = {"device endorse DEVICE --key ADMIN [options]",
                                   "The vendor vouches for the device's key.", options, 1, 1};
    struct args_operands operands;
    uint8_t key[ED25519_KEY_LEN];
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON) {
        status = names_public_key("device", operands.item[0], key);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    Assay__DeviceEndorse message;
    assay__device_endorse__init(&message);
    message.device_id = names_binary(key, sizeof key);
    return txcmd_message(&o, "device", "endorse", &message.base);
}

int cmd_device(int argc, char **argv) {
    static const struct args_verb verbs[] = {{"list", "all of them", cmd_device_list},
                                             {"show", "one", cmd_device_show},
                                             {"register", "bring one under a gateway", cmd_device_register},
                                             {"endorse", "vouch for one's key", cmd_device_endorse},
                                             {NULL, NULL, NULL}};
    return args_dispatch("device", verbs, argc, argv);
}
