/* Any bytes: decoding stays in bounds, and what decodes is what was there. */
#include "contracts/kernel/transaction.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct transaction tx;
    const char *why = NULL;
    enum err e = transaction_decode(bytes_of(data, size), &tx, &why);
    if (e != OK) {
        ASSERT(why != NULL);
        return 0;
    }
    size_t names = tx.contract.len + tx.method.len;
    ASSERT(size == 5 + tx.body.len + tx.signer_count * ED25519_SIG_LEN);
    ASSERT(tx.body.len == 56 + tx.signer_count * ED25519_KEY_LEN + names + tx.args.len);
    (void)!transaction_check_signatures(&tx);
    return 0;
}
