#include "node/api/status.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

void status_board_init(struct status_board *board) {
    memset(board, 0, sizeof *board);
    (void)pthread_mutex_init(&board->lock, NULL);
}

void status_board_close(struct status_board *board) {
    (void)pthread_mutex_destroy(&board->lock);
}

/* Most of the places for peers are empty. */
static void copy(const struct status_facts *from, struct status_facts *to) {
    memcpy(to, from, offsetof(struct status_facts, peers) + from->peer_count * sizeof from->peers[0]);
}

void status_board_write(struct status_board *board, const struct status_facts *facts) {
    (void)pthread_mutex_lock(&board->lock);
    copy(facts, &board->facts);
    (void)pthread_mutex_unlock(&board->lock);
}

void status_board_read(struct status_board *board, struct status_facts *out) {
    (void)pthread_mutex_lock(&board->lock);
    copy(&board->facts, out);
    (void)pthread_mutex_unlock(&board->lock);
}

void status_board_fault(struct status_board *board, const char *text) {
    (void)pthread_mutex_lock(&board->lock);
    (void)snprintf(board->fault, sizeof board->fault, "%s", text);
    (void)pthread_mutex_unlock(&board->lock);
}

bool status_board_take_fault(struct status_board *board, char out[STATUS_FAULT_MAX]) {
    (void)pthread_mutex_lock(&board->lock);
    bool any = board->fault[0] != '\0';
    memcpy(out, board->fault, sizeof board->fault);
    board->fault[0] = '\0';
    (void)pthread_mutex_unlock(&board->lock);
    return any;
}
