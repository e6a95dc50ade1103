/* Every limit that two modules must agree on, in one place, checked at compile time where one depends on another.
 * docs/operations.md lists them for operators. */
#ifndef ASSAY_BASE_LIMITS_H
#define ASSAY_BASE_LIMITS_H

/* Transactions and blocks (spec: ledger). */
#define LIMIT_TX_BYTES (64u * 1024u)
#define LIMIT_TX_SIGNERS 16u
#define LIMIT_TX_NAME 32u                              /* contract and method names */
#define LIMIT_TX_LIFETIME_MS (24u * 60u * 60u * 1000u) /* expiry at most this far ahead of block time */
#define LIMIT_TX_DEFAULT_LIFETIME_MS (10u * 60u * 1000u)
#define LIMIT_BLOCK_TXS 2048u
#define LIMIT_BLOCK_BYTES (2u * 1024u * 1024u)

/* Consensus. */
#define LIMIT_VALIDATORS 100u
/* Notarized blocks above the last final one that a node keeps: one for each view that the voting core keeps, so that it
 * is the core's rule for the end of its window that ends an outage, never a lack of room. */
#define LIMIT_UNFINAL_DEPTH 256u

/* State. */
#define LIMIT_STATE_KEY 200u /* user key; contract name and separator come on top */
#define LIMIT_STATE_VALUE (128u * 1024u)
/* What one operation (a transaction, a due item) may write. The largest that the contracts know, a push to 64 devices,
 * writes 195 records; what would need more is refused with TOO_MANY_WRITES. */
#define LIMIT_OPERATION_WRITES 512u
#define LIMIT_OPERATION_NOTES 512u /* entries of histories */
#define LIMIT_OPERATION_BYTES (1024u * 1024u)

/* Links between nodes. */
#define LIMIT_PEER_MESSAGE (4u * 1024u * 1024u)

_Static_assert(LIMIT_TX_BYTES < LIMIT_BLOCK_BYTES, "a block must hold the largest transaction");
_Static_assert(LIMIT_BLOCK_BYTES + 64u * 1024u < LIMIT_PEER_MESSAGE,
               "a message must hold a block and its certificates");
_Static_assert(LIMIT_TX_BYTES < LIMIT_STATE_VALUE, "a record must hold an envelope");
_Static_assert(2u * LIMIT_STATE_VALUE < LIMIT_OPERATION_BYTES, "an operation must be able to write the largest record");

#endif
