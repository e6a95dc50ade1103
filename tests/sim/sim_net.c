/* The network: every message takes its own time, or none at all. What becomes of the k-th message of a link depends on
 * the seed, the link and k alone. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define STRAGGLER_US 3000000u

struct sim_message {
    uint32_t references;
    size_t len;
    uint8_t bytes[];
};

struct bytes sim_message_bytes(const struct sim_message *message) {
    return bytes_of(message->bytes, message->len);
}

void sim_message_unref(struct sim_message *message) {
    if (message != NULL && --message->references == 0) {
        free(message);
    }
}

struct sim_message *sim_message_new(struct bytes bytes) {
    struct sim_message *message = malloc(sizeof *message + bytes.len);
    message->references = 1;
    message->len = bytes.len;
    memcpy(message->bytes, bytes.data, bytes.len);
    return message;
}

static void deliver_later(struct sim_node *from, struct sim_node *to, struct sim_message *message, uint64_t delay) {
    struct sim_world *w = from->world;
    message->references++;
    sim_schedule(w, (struct sim_event){.at_us = w->now_us + delay,
                                       .kind = SIM_DELIVER,
                                       .node = to->number,
                                       .from = from->key,
                                       .message = message});
}

static uint64_t delay_of(struct sim_world *w, struct sim_random *random) {
    const struct sim_options *o = &w->options;
    if (w->healed) {
        return sim_between(random, 100, 2000);
    }
    uint64_t straggler = sim_chance(random, o->straggle) ? sim_below(random, STRAGGLER_US) : 0;
    return sim_between(random, o->delay_min_us, o->delay_max_us) + straggler;
}

void sim_inject(struct sim_node *from, struct sim_node *to, struct bytes bytes, uint64_t extra_delay_us) {
    struct sim_world *w = from->world;
    struct sim_random random = sim_stream(w->played->seed, STREAM_LINK, (uint64_t)from->number << 8 | to->number,
                                          w->carried[from->number][to->number]++);
    bool exiled = from->exiled_until_us > w->now_us || to->exiled_until_us > w->now_us;
    if (exiled || w->cut[from->number][to->number] || (!w->healed && sim_chance(&random, w->options.loss))) {
        return;
    }
    struct sim_message *message = sim_message_new(bytes);
    deliver_later(from, to, message, delay_of(w, &random) + extra_delay_us);
    if (!w->healed && sim_chance(&random, w->options.duplicate)) {
        deliver_later(from, to, message, delay_of(w, &random) + extra_delay_us);
    }
    sim_message_unref(message);
    w->messages++;
    w->bytes += bytes.len;
}

/* What the whole message is decides about it in two cases: when sync gets lost, and when a scenario looks on. */
static bool passes(struct sim_node *from, struct sim_node *to, struct bytes bytes) {
    struct sim_world *w = from->world;
    struct peer_message m;
    bool looks = w->lets_pass != NULL || (!w->healed && w->options.sync_loss > 0);
    if (!looks || peer_decode(bytes, &m) != OK) {
        return true;
    }
    bool passed = w->lets_pass == NULL || w->lets_pass(from, to, &m);
    struct sim_random random = sim_stream(w->played->seed, STREAM_SYNC, (uint64_t)from->number << 8 | to->number,
                                          w->carried[from->number][to->number]++);
    if (!w->healed && (m.kind == PEER_BODY || m.kind == PEER_BLOCKS) && sim_chance(&random, w->options.sync_loss)) {
        passed = false;
    }
    peer_free(&m);
    return passed;
}

static void carry(struct sim_node *from, struct sim_node *to, struct bytes bytes) {
    struct buffer changed = BUFFER_INIT;
    uint64_t extra = 0;
    bool sent = passes(from, to, bytes);
    if (sent && from->byzantine) {
        sent = sim_byzantine_outgoing(from, to, bytes, &changed, &extra);
        bytes = changed.len > 0 ? buffer_bytes(&changed) : bytes;
    }
    if (sent) {
        sim_inject(from, to, bytes, extra);
    }
    buffer_free(&changed);
}

/* A process that is being killed says nothing more; each send is one of the points where that can happen. */
static bool still_alive(struct sim_node *from) {
    return sim_disk_alive(from->disk);
}

static bool is_word(struct bytes bytes) {
    struct peer_message m;
    if (peer_decode(bytes, &m) != OK) {
        return false;
    }
    bool is = m.kind == PEER_CERTIFICATES || m.kind == PEER_VOTES;
    peer_free(&m);
    return is;
}

static void carry_to(struct sim_node *from, uint16_t address, struct bytes bytes) {
    struct sim_world *w = from->world;
    for (uint16_t i = 0; i < w->node_count; i++) {
        if (w->nodes[i].key == address && i != from->number) {
            carry(from, &w->nodes[i], bytes);
        }
    }
}

void sim_send(struct sim_node *from, uint16_t address, struct bytes bytes) {
    if (still_alive(from)) {
        sim_oracle_sent(from, bytes);
        sim_expect_sent(from, address, bytes);
        carry_to(from, address, bytes);
    }
}

void sim_multicast(struct sim_node *from, const uint16_t *addresses, size_t count, struct bytes bytes) {
    struct sim_world *w = from->world;
    if (!still_alive(from)) {
        return;
    }
    sim_oracle_sent(from, bytes);
    sim_expect_sent(from, SIM_KEYS_MAX, bytes);
    struct sim_random random = sim_stream(w->played->seed, STREAM_MULTICAST, from->number, from->multicasts++);
    bool to_one =
        !w->healed && w->options.words_to_one > 0 && is_word(bytes) && sim_chance(&random, w->options.words_to_one);
    if (to_one) {
        sim_count(w, COUNT_TO_ONE);
    }
    size_t only = (size_t)sim_below(&random, count);
    for (size_t i = 0; i < count; i++) {
        if (!to_one || i == only) {
            carry_to(from, addresses[i], bytes);
        }
    }
}
