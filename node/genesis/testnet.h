/* Lays out a test network on this machine: genesis, a home for every node, and all the keys that operators, authors and
 * a device would hold, in one folder. For trying things out and for tests; a real consortium's keys never meet.
 *
 *   DIR/genesis.json  DIR/validatorN/  DIR/gatewayN/  (assay.conf, node.key, link.key, genesis.json, data/)
 *   DIR/keys/         admin-ORG.key, author-VENDOR-1..3.key, root-VENDOR.key, device-1.key
 *
 * Node i (validators first, then gateways) listens on base_port + 10 i for peers and on the port above for HTTP,
 * loopback only. Validator 0 belongs to the first vendor, 1 to the second, 2 to the broker, the rest and the gateways
 * to the operator. The first vendor's class VENDOR.example/thermostat, its authors and device 1 are in the genesis.
 */
#ifndef ASSAY_NODE_GENESIS_TESTNET_H
#define ASSAY_NODE_GENESIS_TESTNET_H

#include "base/why.h"
#include "contracts/genesis/genesis.h"

#define TESTNET_ORGS_MAX 16
#define TESTNET_GATEWAYS_MAX 32
#define TESTNET_AUTHORS 3
#define TESTNET_PORT_STEP 10
#define TESTNET_SLOT_BYTES (64u * 1024u * 1024u)

struct testnet_org {
    char id[GENESIS_ID_MAX + 1];
    enum org_kind kind;
};

struct testnet_plan {
    const char *dir;
    uint32_t validators, gateways;
    uint16_t base_port;
    uint8_t policy; /* signers a release needs, 1 to TESTNET_AUTHORS */
    struct testnet_org orgs[TESTNET_ORGS_MAX];
    size_t org_count;
};

/* 4 validators, 1 gateway, ports from 26600, policy 1, vendors acme and globex, broker mirror, operator ops. */
void testnet_plan_default(struct testnet_plan *out);
/* One "kind:id"; false with the plan unchanged when it isn't one, is there already, or there is no room. */
bool testnet_plan_add_org(struct testnet_plan *plan, const char *text);
/* ERR_EXISTS when the folder is there and not empty; ERR_RANGE for a plan that can't be; file errors. */
NODISCARD enum err testnet_write(const struct testnet_plan *plan, struct why *out_why);

#endif
