/* Paths through the authenticated state tree.
 *
 * The tree is a path-compressed binary trie over 256-bit keys: an inner node stands only where two keys part, and its
 * hash binds the index of the bit at which they do.
 *
 *   key   = SHA-256(contract name || 0x00 || user key)
 *   leaf  = SHA-256(TAG_TREE || 0x00 || key || SHA-256(value))
 *   inner = SHA-256(TAG_TREE || 0x01 || bit (1) || left || right)      bit 0 is the first byte's most significant bit
 *   empty tree: root = 32 zero bytes
 *
 * Every key below an inner node has the same first `bit` bits; those with bit 0 there are on the left. The indices rise
 * strictly from the root to a leaf, so following a key's own bits leads to the only leaf that can hold it: if that leaf
 * is another key's, the key is absent.
 *
 * Path:  version 1 (1) | steps (2) | steps x [ bit (1) | sibling hash (32) ], from the root down | end (1) |
 *        end 0: nothing more, the tree is empty (steps = 0)
 *        end 1: nothing more, the leaf is the key's own (the value comes beside the path)
 *        end 2: other key (32) | SHA-256 of its value (32): the leaf found there, so the key is absent
 */
#ifndef ASSAY_VERIFY_STATE_PROOF_H
#define ASSAY_VERIFY_STATE_PROOF_H

#include "verify/crypto.h"

enum state_path_end { PATH_EMPTY = 0, PATH_PRESENT = 1, PATH_OTHER = 2 };

#define STATE_PATH_STEPS_MAX 256

void state_key(const struct verify_crypto *crypto, struct bytes contract, struct bytes user_key, uint8_t out[HASH_LEN]);
void state_leaf_hash(const struct verify_crypto *crypto, const uint8_t key[HASH_LEN],
                     const uint8_t value_hash[HASH_LEN], uint8_t out[HASH_LEN]);
void state_inner_hash(const struct verify_crypto *crypto, uint8_t bit, const uint8_t left[HASH_LEN],
                      const uint8_t right[HASH_LEN], uint8_t out[HASH_LEN]);

static inline bool state_key_bit(const uint8_t key[HASH_LEN], uint8_t bit) {
    return (key[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

/* Pulls one path from `in` (memory: O(steps) with steps <= 256 refused above `steps_max`; the steps come from the root
 * down while hashing goes up, so the path is kept in `work`, 33 bytes a step, given by the caller) and checks that it
 * leads from `key` to `root`. For PATH_PRESENT, `value_hash` is the hash of the value that came with it; NULL when none
 * did, and then that end is BAD_ENCODING. Gives how the path ended. BAD_PATH when the hashes do not meet the root,
 * BAD_ENCODING when bits do not rise or the end contradicts, BAD_LIMIT, BAD_TRUNCATED, BAD_VERSION. */
enum verdict state_path_verify(const struct verify_crypto *crypto, const uint8_t root[HASH_LEN],
                               const uint8_t key[HASH_LEN], const uint8_t *value_hash, struct input *in,
                               uint8_t (*work)[33], uint16_t steps_max, enum state_path_end *out_end);

#endif
