/* Who may act for a class: its owner's admins, and where a method says so its authors. */
#ifndef ASSAY_CONTRACTS_AUTHOR_CLASS_AUTHORITY_H
#define ASSAY_CONTRACTS_AUTHOR_CLASS_AUTHORITY_H

#include "contracts/class/class_definition.h"

/* May these signers act for the class: enough admins of its owner, or (where `authors` is true) one of its authors,
 * unexpired and unrevoked? CODE_OK, CODE_ADMIN_THRESHOLD, CODE_NOT_AUTHORIZED. */
NODISCARD enum err class_authorizes(const struct call *call, const struct class_definition *class, bool authors,
                                    enum code *out_code);

#endif
