#include "node/answers/status.h"

static const struct field clock_fields[] = {
    {"time_ms", "This node's clock.", FIELD_NUMBER, MEMBER(struct clock_answer, time_ms)},
    {"ahead_ms", "How far the last block's time is ahead of it.", FIELD_NUMBER, MEMBER(struct clock_answer, ahead_ms)},
    {"due_stands_still", "Further than clocks may differ: nothing falls due until they meet.", FIELD_BOOL,
     MEMBER(struct clock_answer, due_stands_still)},
};
static const struct record clock_shape = {"Clock", "A node's clock beside the chain's.",
                                          RECORD_OF(struct clock_answer, clock_fields)};

static const struct field node_fields[] = {
    {"chain_id", "Of the chain.", FIELD_HEX, MEMBER(struct node_status, chain_id)},
    {"chain", "Its name.", FIELD_WORDS, MEMBER(struct node_status, chain)},
    {"node_id", "Signing key of this node.", FIELD_HEX, MEMBER(struct node_status, node_id)},
    {"role", "What it runs as.", FIELD_NAME, MEMBER(struct node_status, role), NAMES(node_role_names)},
    {"organisation", "Whose it is.", FIELD_WORDS, MEMBER(struct node_status, organisation)},
    {"height", "Of the last final block it has; a gateway's, that it has proven.", FIELD_NUMBER,
     MEMBER(struct node_status, height)},
    {"last_block_time_ms", "Time of that block.", FIELD_NUMBER, MEMBER(struct node_status, last_block_time_ms)},
    {"clock", "Its clock.", FIELD_RECORD, MEMBER(struct node_status, clock), .of = &clock_shape},
    {"catching_up", "Does it know of blocks that it has not got yet?", FIELD_BOOL,
     MEMBER(struct node_status, catching_up)},
    {"alarm", "What an operator should look at first; empty: nothing.", FIELD_WORDS, MEMBER(struct node_status, alarm)},
    {"validators", "How many there are in the epoch.", FIELD_NUMBER, MEMBER(struct node_status, validators)},
    {"version", "Of the program.", FIELD_WORDS, MEMBER(struct node_status, version)},
    {"uptime_ms", "Since it started.", FIELD_NUMBER, MEMBER(struct node_status, uptime_ms)},
    {"tx_max_lifetime_ms", "How far ahead a transaction's expiry may be now.", FIELD_NUMBER,
     MEMBER(struct node_status, tx_max_lifetime_ms), IF(struct node_status, tells_lifetime), .is_omitted = true},
};
const struct record node_status_shape = {"NodeStatus", "What every node says of itself.",
                                         RECORD_OF(struct node_status, node_fields)};

static const struct field peer_fields[] = {
    {"key", "Signing key of the other node.", FIELD_HEX, MEMBER(struct peer_answer, key)},
    {"address", "HOST:PORT.", FIELD_WORDS, MEMBER(struct peer_answer, address)},
    {"up", "Is there a link?", FIELD_BOOL, MEMBER(struct peer_answer, up)},
};
const struct record peer_answer_shape = {"Peer", "Another node, as this one sees it.",
                                         RECORD_OF(struct peer_answer, peer_fields)};

static const struct field full_fields[] = {
    {"node", "What every node says.", FIELD_PART, MEMBER(struct full_status, node), .of = &node_status_shape},
    {"hash", "Of the last final block.", FIELD_HEX, MEMBER(struct full_status, hash)},
    {"state_root", "Of the state after it.", FIELD_HEX, MEMBER(struct full_status, state_root)},
    {"epoch", "Of that block.", FIELD_NUMBER, MEMBER(struct full_status, epoch)},
    {"view", "The one under way.", FIELD_NUMBER, MEMBER(struct full_status, view)},
    {"pending", "Transactions that wait for a block.", FIELD_NUMBER, MEMBER(struct full_status, pending)},
    {"peers", "The nodes that it has links with, or should have.", FIELD_ITEMS, MEMBER(struct full_status, peers),
     .of = &peer_answer_shape},
};
const struct record full_status_shape = {"FullStatus", "What a validator or observer says of itself.",
                                         RECORD_OF(struct full_status, full_fields)};

static const struct field trust_fields[] = {
    {"from", "What its trust began with: genesis, head (proven before it stopped) or checkpoint.", FIELD_WORDS,
     MEMBER(struct trust_answer, from)},
    {"start_ms", "Time of what trust rests on.", FIELD_NUMBER, MEMBER(struct trust_answer, start_ms)},
    {"ends_ms", "When that is too old to rest on.", FIELD_NUMBER, MEMBER(struct trust_answer, ends_ms)},
    {"heartbeat_ms", "The chain's; null while it is not known.", FIELD_NUMBER,
     MEMBER(struct trust_answer, heartbeat_ms), IF(struct trust_answer, heartbeat_known)},
    {"freshness_limit_ms", "Age of a head beyond which it is refused; null: none.", FIELD_NUMBER,
     MEMBER(struct trust_answer, freshness_limit_ms), IF(struct trust_answer, has_limit)},
    {"freshness", "The same in words.", FIELD_WORDS, MEMBER(struct trust_answer, freshness)},
};
static const struct record trust_shape = {"Trust", "What a gateway believes, since when and for how long.",
                                          RECORD_OF(struct trust_answer, trust_fields)};

static const struct field source_fields[] = {
    {"url", "Of the full node.", FIELD_WORDS, MEMBER(struct source_answer, url)},
    {"answers", "Answers that verified.", FIELD_NUMBER, MEMBER(struct source_answer, answers)},
    {"failures", "Questions that it left open.", FIELD_NUMBER, MEMBER(struct source_answer, failures)},
    {"lies", "Answers that did not verify.", FIELD_NUMBER, MEMBER(struct source_answer, lies)},
    {"why", "The last thing wrong with it; empty: nothing.", FIELD_WORDS, MEMBER(struct source_answer, why)},
};
const struct record source_answer_shape = {"Source", "A full node that a gateway asks.",
                                           RECORD_OF(struct source_answer, source_fields)};

static const struct field outbox_fields[] = {
    {"queued", "Waiting to be sent.", FIELD_NUMBER, MEMBER(struct outbox_answer, queued)},
    {"sent", "Sendings.", FIELD_NUMBER, MEMBER(struct outbox_answer, sent)},
    {"accepted", "The ledger has them.", FIELD_NUMBER, MEMBER(struct outbox_answer, accepted)},
    {"refused", "A contract refused them.", FIELD_NUMBER, MEMBER(struct outbox_answer, refused)},
    {"failed", "Sendings that came to nothing.", FIELD_NUMBER, MEMBER(struct outbox_answer, failed)},
    {"connected", "Did the last sending reach a node?", FIELD_BOOL, MEMBER(struct outbox_answer, connected)},
    {"why", "Why the last one failed; empty: it did not.", FIELD_WORDS, MEMBER(struct outbox_answer, why)},
};
static const struct record outbox_shape = {"Outbox", "A gateway's devices' statements on their way to the ledger.",
                                           RECORD_OF(struct outbox_answer, outbox_fields)};

static const struct field cache_fields[] = {
    {"images", "In the cache.", FIELD_NUMBER, MEMBER(struct cache_answer, images)},
    {"bytes", "Of them.", FIELD_NUMBER, MEMBER(struct cache_answer, bytes)},
    {"limit_bytes", "Room that there is.", FIELD_NUMBER, MEMBER(struct cache_answer, limit_bytes)},
    {"fetched", "Images fetched.", FIELD_NUMBER, MEMBER(struct cache_answer, fetched)},
    {"failed", "Fetches that failed.", FIELD_NUMBER, MEMBER(struct cache_answer, failed)},
    {"evicted", "Images that made room.", FIELD_NUMBER, MEMBER(struct cache_answer, evicted)},
    {"fetching", "Is one coming in?", FIELD_BOOL, MEMBER(struct cache_answer, fetching)},
    {"fetching_have", "Bytes of it here.", FIELD_NUMBER, MEMBER(struct cache_answer, fetching_have)},
    {"fetching_total", "Bytes that it has.", FIELD_NUMBER, MEMBER(struct cache_answer, fetching_total)},
    {"why", "Why the last fetch failed; empty: it did not.", FIELD_WORDS, MEMBER(struct cache_answer, why)},
};
static const struct record cache_shape = {"Cache", "A gateway's images.", RECORD_OF(struct cache_answer, cache_fields)};

static const struct field gateway_fields[] = {
    {"node", "What every node says.", FIELD_PART, MEMBER(struct gateway_status, node), .of = &node_status_shape},
    {"frozen", "Is the newest head too old, or not to be trusted? Then devices are offered nothing.", FIELD_BOOL,
     MEMBER(struct gateway_status, frozen)},
    {"trust", "What it believes.", FIELD_RECORD, MEMBER(struct gateway_status, trust), .of = &trust_shape},
    {"sources", "Whom it asks.", FIELD_ITEMS, MEMBER(struct gateway_status, sources), .of = &source_answer_shape},
    {"event_streams", "Sources that tell it of news at once.", FIELD_NUMBER,
     MEMBER(struct gateway_status, event_streams)},
    {"devices", "Proven to be its own.", FIELD_NUMBER, MEMBER(struct gateway_status, devices)},
    {"classes", "Of these devices.", FIELD_NUMBER, MEMBER(struct gateway_status, classes)},
    {"stale_classes", "Classes whose newest record is too old.", FIELD_NUMBER,
     MEMBER(struct gateway_status, stale_classes)},
    {"statements", "Of its devices, on their way.", FIELD_RECORD, MEMBER(struct gateway_status, statements),
     .of = &outbox_shape},
    {"cache", "Its images.", FIELD_RECORD, MEMBER(struct gateway_status, cache), .of = &cache_shape},
    {"peers", "None: a gateway asks sources.", FIELD_ITEMS, MEMBER(struct gateway_status, peers),
     .of = &peer_answer_shape},
};
const struct record gateway_status_shape = {"GatewayStatus", "What a gateway says of itself.",
                                            RECORD_OF(struct gateway_status, gateway_fields)};

static const struct field gateway_update_fields[] = {
    {"update_id", "The update.", FIELD_HEX, MEMBER(struct gateway_update_answer, update_id)},
    {"status", "Where it stands on the device; null: the ledger has nothing of it.", FIELD_WORDS,
     MEMBER(struct gateway_update_answer, status), IF(struct gateway_update_answer, has_status)},
    {"height", "As of which that is proven.", FIELD_NUMBER, MEMBER(struct gateway_update_answer, height)},
};
const struct record gateway_update_shape = {"GatewayUpdate", "An update on a gateway's device.",
                                            RECORD_OF(struct gateway_update_answer, gateway_update_fields)};

static const struct field gateway_device_fields[] = {
    {"device_id", "The device.", FIELD_HEX, MEMBER(struct gateway_device_answer, device_id)},
    {"state", "known (proven to be this gateway's), refused or stranger.", FIELD_WORDS,
     MEMBER(struct gateway_device_answer, state)},
    {"why", "Why it is refused; empty: it is not.", FIELD_WORDS, MEMBER(struct gateway_device_answer, why)},
    {"class", "VENDOR_DOMAIN/CLASS; null while it is not known.", FIELD_WORDS,
     MEMBER(struct gateway_device_answer, class), IF(struct gateway_device_answer, has_class)},
    {"hardware_revision", "Which build of the hardware it is.", FIELD_NUMBER,
     MEMBER(struct gateway_device_answer, hardware_revision)},
    {"running_sequence", "What it last said it runs.", FIELD_DECIMAL,
     MEMBER(struct gateway_device_answer, running_sequence)},
    {"last_seen_ms", "When it last asked.", FIELD_NUMBER, MEMBER(struct gateway_device_answer, last_seen_ms)},
    {"updates", "That name it.", FIELD_ITEMS, MEMBER(struct gateway_device_answer, updates),
     .of = &gateway_update_shape},
};
const struct record gateway_device_shape = {"GatewayDevice", "A device that asks a gateway.",
                                            RECORD_OF(struct gateway_device_answer, gateway_device_fields)};

static const struct field gateway_devices_fields[] = {
    {"devices", "Those it has heard of.", FIELD_ITEMS, MEMBER(struct gateway_devices_answer, devices),
     .of = &gateway_device_shape},
    {"total", "How many there are.", FIELD_NUMBER, MEMBER(struct gateway_devices_answer, total)},
};
const struct record gateway_devices_shape = {"GatewayDevices", "A gateway's devices.",
                                             RECORD_OF(struct gateway_devices_answer, gateway_devices_fields)};
