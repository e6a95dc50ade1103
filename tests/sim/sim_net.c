/* The network: every message takes its own time, or none at all. */
#include "tests/sim/sim.h"

#include "node/ledger/peer_codec.h"

#include <stdlib.h>
#include <string.h>

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

static struct sim_message *message_new(struct bytes bytes) {
    struct sim_message *message = malloc(sizeof *message + bytes.len);
    message->references = 1;
    message->len = bytes.len;
    memcpy(message->bytes, bytes.data, bytes.len);
    return message;
}

static void deliver_later(struct sim_node *from, struct sim_node *to, struct sim_message *message) {
    struct sim_world *w = from->world;
    const struct sim_options *o = &w->options;
    uint64_t delay =
        w->healed ? sim_between(&w->random, 100, 2000) : sim_between(&w->random, o->delay_min_us, o->delay_max_us);
    message->references++;
    sim_schedule(w, (struct sim_event){.at_us = w->now_us + delay,
                                       .kind = SIM_DELIVER,
                                       .node = to->number,
                                       .from = from->address,
                                       .message = message});
}

static void carry(struct sim_node *from, struct sim_node *to, struct bytes bytes) {
    struct sim_world *w = from->world;
    if (w->cut[from->number][to->number] || (!w->healed && sim_chance(&w->random, w->options.loss))) {
        return;
    }
    struct buffer changed = BUFFER_INIT;
    if (from->faulty) {
        if (!sim_fault_outgoing(from, to->address, bytes, &changed)) {
            buffer_free(&changed);
            return;
        }
        bytes = changed.len > 0 ? buffer_bytes(&changed) : bytes;
    }
    struct sim_message *message = message_new(bytes);
    deliver_later(from, to, message);
    if (!w->healed && sim_chance(&w->random, w->options.duplicate)) {
        deliver_later(from, to, message);
    }
    sim_message_unref(message);
    buffer_free(&changed);
    w->messages++;
    w->bytes += bytes.len;
}

/* A process that is being killed says nothing more; each send is one of the points where that can happen. */
static bool still_alive(struct sim_node *from) {
    struct disk disk = sim_disk_ops(from->disk);
    return disk.ops->sync_dir(disk.ctx, "") == OK;
}

static bool is_certificate(struct bytes bytes) {
    struct peer_message m;
    if (peer_decode(bytes, &m) != OK) {
        return false;
    }
    bool is = m.kind == PEER_CERTIFICATES;
    peer_free(&m);
    return is;
}

void sim_send(struct sim_node *from, uint16_t address, struct bytes bytes) {
    struct sim_world *w = from->world;
    if (!still_alive(from)) {
        return;
    }
    sim_oracle_sent(from, bytes);
    for (uint16_t i = 0; i < w->node_count; i++) {
        if (w->nodes[i].address == address && i != from->number) {
            carry(from, &w->nodes[i], bytes);
        }
    }
}

void sim_broadcast(struct sim_node *from, struct bytes bytes) {
    struct sim_world *w = from->world;
    if (!still_alive(from)) {
        return;
    }
    sim_oracle_sent(from, bytes);
    bool to_one = !w->healed && w->options.certificates_to_one > 0 && is_certificate(bytes) &&
                  sim_chance(&w->random, w->options.certificates_to_one);
    uint16_t only = (uint16_t)sim_below(&w->random, w->options.validators);
    for (uint16_t i = 0; i < w->node_count; i++) {
        struct sim_node *to = &w->nodes[i];
        bool wanted = to->index != CONSENSUS_OBSERVER && to->index != from->index;
        if (wanted && (!to_one || to->index == only)) {
            carry(from, to, bytes);
        }
    }
}
