/* Turns a fault inside mapped memory into an error.
 *
 * LMDB reads its file through a mapping and trusts what it finds there: a sector that the disk can't read any more is
 * SIGBUS, a damaged page may lead a read outside of the file (SIGBUS, SIGSEGV) or into an assertion of its own. None of
 * that may end the process without a word. While a call runs under the guard, such a fault ends the call instead.
 *
 * The call must hold no lock of the C library where it touches mapped memory, and what it was working on is not to be
 * used again afterwards. Outside of guarded calls faults go to whoever handled them before.
 */
#ifndef ASSAY_STORE_FAULT_GUARD_H
#define ASSAY_STORE_FAULT_GUARD_H

#include "base/error.h"

#include <stdbool.h>

/* Takes the two signals, unless they are taken already; before the first guarded call, from any thread. */
NODISCARD enum err fault_guard_start(void);
/* Runs `call(arg)` to its end and gives true, or false when a fault ended it early. */
NODISCARD bool fault_guard_run(void (*call)(void *arg), void *arg);
/* Ends the guarded call that this thread is in as a fault would; returns when it is in none. */
void fault_guard_give_up(void);

#endif
