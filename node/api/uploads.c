#include "node/api/uploads.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct uploads {
    pthread_mutex_t lock;
    uint8_t keys[UPLOADS_MAX][ED25519_KEY_LEN];
    size_t count;
};

enum err uploads_new(struct uploads **out) {
    struct uploads *uploads = calloc(1, sizeof *uploads);
    if (uploads == NULL) {
        return ERR_NOMEM;
    }
    (void)pthread_mutex_init(&uploads->lock, NULL);
    *out = uploads;
    return OK;
}

void uploads_free(struct uploads *uploads) {
    if (uploads != NULL) {
        (void)pthread_mutex_destroy(&uploads->lock);
        free(uploads);
    }
}

enum err uploads_begin(struct uploads *uploads, const uint8_t key[ED25519_KEY_LEN]) {
    (void)pthread_mutex_lock(&uploads->lock);
    size_t own = 0;
    for (size_t i = 0; i < uploads->count; i++) {
        own += memcmp(uploads->keys[i], key, ED25519_KEY_LEN) == 0 ? 1 : 0;
    }
    enum err e = OK;
    if (own >= UPLOADS_OF_AUTHOR) {
        e = ERR_DENIED;
    } else if (uploads->count == UPLOADS_MAX) {
        e = ERR_FULL;
    } else {
        memcpy(uploads->keys[uploads->count++], key, ED25519_KEY_LEN);
    }
    (void)pthread_mutex_unlock(&uploads->lock);
    return e;
}

void uploads_end(struct uploads *uploads, const uint8_t key[ED25519_KEY_LEN]) {
    (void)pthread_mutex_lock(&uploads->lock);
    size_t i = 0;
    while (i < uploads->count && memcmp(uploads->keys[i], key, ED25519_KEY_LEN) != 0) {
        i++;
    }
    ASSERT(i < uploads->count); /* it was begun */
    memcpy(uploads->keys[i], uploads->keys[--uploads->count], ED25519_KEY_LEN);
    (void)pthread_mutex_unlock(&uploads->lock);
}
