/* One operation of a block while it runs: a transaction, a due item. It reads the block's state with its own writes on
 * top; these are kept apart until it has answered, and then count as a whole or not at all.
 *
 * It has a budget. Data decides how much a method writes, so a write over the budget is an error value (ERR_FULL), and
 * from then on nothing of the operation can be kept: whoever runs it asks `operation_is_over`, whatever the method made
 * of the error.
 */
#ifndef ASSAY_NODE_LEDGER_OPERATION_H
#define ASSAY_NODE_LEDGER_OPERATION_H

#include "node/ledger/execute.h"

struct operation;

/* For the operations of one block, one after the other; `execution` is borrowed. NULL: out of memory. */
struct operation *operation_new(const struct execution *execution);
void operation_free(struct operation *op); /* NULL is fine */

/* The next one; what the one before wrote and did not keep is forgotten. `index` as in KV_HISTORY; `tx` is NULL for
 * what the block does by itself. */
void operation_begin(struct operation *op, uint32_t index, const struct transaction *tx);
struct state operation_state(struct operation *op);
bool operation_is_over(const struct operation *op);
/* Would anything change? */
bool operation_writes(const struct operation *op);
/* Lets its writes count; it must not be over its budget. */
NODISCARD enum err operation_keep(struct operation *op);
/* May another operation of the same index still number its notes? */
bool operation_has_room(const struct operation *op);

#endif
