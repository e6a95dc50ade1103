/* The table of moves, and the only function that makes one. */
#ifndef ASSAY_DEVICE_CORE_MACHINE_H
#define ASSAY_DEVICE_CORE_MACHINE_H

#include "device/core/device.h"

bool machine_may_follow(enum device_phase from, enum device_phase to);

/* Moves on and writes the record where it must survive a power cut: everywhere but between idle, check, manifest and
 * proof. False when the flash failed, or the move is not in the table or leads to an unsound record (a programmer's
 * error; the phase then stays). */
bool machine_move(struct device *device, enum device_phase to);
/* Writes the record without a move. */
bool machine_save(struct device *device);

/* Ends the update at hand: back to idle with the running image, the reason kept and, when it is news, a report on its
 * way. `for_good`: this update is not tried again. */
enum device_next machine_refuse(struct device *device, uint16_t reason, bool for_good);

/* Prepares a report with a counter and a nonce of its own; the caller saves. False when the secure element failed. */
bool machine_report(struct device *device, enum report_outcome outcome, uint16_t reason);

#endif
