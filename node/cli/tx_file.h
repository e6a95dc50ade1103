/* Files of signed transactions, as --out writes them and as they go from signer to signer. */
#ifndef ASSAY_NODE_CLI_TX_FILE_H
#define ASSAY_NODE_CLI_TX_FILE_H

#include "contracts/kernel/transaction.h"

#include <jansson.h>

/* Reads one into `envelope`; `out` borrows from it. ARGS_GO_ON, or 1, explained. */
int tx_file_read(const char *path, struct buffer *envelope, struct transaction *out);

/* What its signers sign, and who has: {"tx_id", "does", "contract", "method", "arguments", "chain_id", "expires",
 * "signers": [{"key", "signed"}]}. Arguments that the method does not take stand there as `not_readable`. NULL: out of
 * memory. */
json_t *tx_file_describe(const struct transaction *tx);

/* The first signer whose signature is missing or bad; `signer_count`: all have signed. */
size_t tx_file_unsigned(const struct transaction *tx);

#endif
