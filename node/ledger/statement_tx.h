/* A device's statement on its way to the ledger: what a node that carries it wraps around it.
 *
 * As devices hand it over: the statement (165 bytes, verify/statement.h), then the device's signature (64). The node's
 * transaction around it may be made any number of times; the ledger counts the statement once.
 */
#ifndef ASSAY_NODE_LEDGER_STATEMENT_TX_H
#define ASSAY_NODE_LEDGER_STATEMENT_TX_H

#include "base/buffer.h"
#include "base/ed25519.h"
#include "verify/statement.h"

#define STATEMENT_TX_BODY_LEN (STATEMENT_LEN + SIG_LEN)

/* The method that takes statements of that kind; NULL: there is none. */
const char *statement_tx_method(enum statement_kind kind);
/* Appends the arguments of that method. */
NODISCARD enum err statement_tx_args(const uint8_t body[STATEMENT_TX_BODY_LEN], struct buffer *out);
/* Appends a signed transaction that carries the statement to its method of contract "update". `now_ms` is the later of
 * block time and wall clock; it expires as ledger_time_expiry says. `kind` is the statement's own. */
NODISCARD enum err statement_tx_build(const uint8_t chain_id[CHAIN_ID_LEN], const uint8_t (*secret)[ED25519_SECRET_LEN],
                                      const uint8_t body[STATEMENT_TX_BODY_LEN], enum statement_kind kind,
                                      uint64_t now_ms, uint64_t max_lifetime_ms, struct buffer *out);

#endif
