#include "contracts/author/class_authority.h"

#include "contracts/author/author.h"
#include "contracts/governance/governance.h"

enum err class_authorizes(const struct call *call, const struct class_definition *class, bool authors,
                          enum code *out_code) {
    for (size_t i = 0; authors && i < call->signer_count; i++) {
        struct author_record author;
        enum code judged;
        if (!class_definition_has_author(class, call->signers[i])) {
            continue;
        }
        enum err e = author_judge(&call->state, call->signers[i], call->time_ms, &author, &judged);
        if (e != OK) {
            return e;
        }
        /* A P-256 author's id is a hash that must not pass for a key. */
        if (judged == CODE_OK && author.key.type == AUTHOR_ED25519) {
            *out_code = CODE_OK;
            return OK;
        }
    }
    return org_authorizes(call, class->def.org, NULL, out_code);
}
