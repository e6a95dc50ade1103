/* What is done about an item that fell due (due_queue.h). Each item is an operation of its own, as a transaction is:
 * it has a budget of writes (LIMIT_OPERATION_WRITES), and what it wrote counts as a whole or not at all.
 *
 * An item that would write more is out of the queue all the same, never to be tried again: nothing of it counts, and
 * the history of the record it concerns says "due_refused" and why. (A proposal whose change can't be carried out for
 * that reason has failed with TOO_MANY_WRITES, and the recount goes on with the next.)
 */
#ifndef ASSAY_CONTRACTS_KERNEL_DUE_WORK_H
#define ASSAY_CONTRACTS_KERNEL_DUE_WORK_H

#include "contracts/kernel/due_queue.h"

/* For a handler's `refused` (struct due_handler): notes in the record's history that its item was over its budget. */
NODISCARD enum err due_note_refused(const struct call *call, const struct record_key *key);
/* Takes the item out of its queue and does what it asks for. */
NODISCARD enum err due_work(const struct call *call, const struct due_item *item);
/* For an item whose work was over its budget and is thrown away: takes it out and says so. Writes a handful of records,
 * whatever the state holds. */
NODISCARD enum err due_work_refused(const struct call *call, const struct due_item *item);

#endif
