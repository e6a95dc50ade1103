/* The methods of contract "update", for its table; update.h says what they do. */
#ifndef ASSAY_CONTRACTS_UPDATE_UPDATE_METHODS_H
#define ASSAY_CONTRACTS_UPDATE_UPDATE_METHODS_H

#include "contracts/kernel/method.h"
#include "contracts/update/update.h"

NODISCARD enum err update_push(const struct call *call, const ProtobufCMessage *message, struct answer *answer);

#endif
