#include "node/status.h"

#include <string.h>

void status_board_init(struct status_board *board) {
    memset(board, 0, sizeof *board);
    (void)pthread_mutex_init(&board->lock, NULL);
}

void status_board_close(struct status_board *board) {
    (void)pthread_mutex_destroy(&board->lock);
}

void status_board_write(struct status_board *board, const struct status_facts *facts) {
    (void)pthread_mutex_lock(&board->lock);
    board->facts = *facts;
    (void)pthread_mutex_unlock(&board->lock);
}

void status_board_read(struct status_board *board, struct status_facts *out) {
    (void)pthread_mutex_lock(&board->lock);
    *out = board->facts;
    (void)pthread_mutex_unlock(&board->lock);
}
