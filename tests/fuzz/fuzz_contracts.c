/* Random arguments to every method, on a small genesis with a release and an update. First byte: method; second: a
 * signer (enum person); the rest are the arguments. No answer may be a local fault, and a refusal may change nothing.
 */
#include <stdio.h>

#include "tests/lib/world.h"

#include "base/assert.h"
#include "contracts/kernel/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The method with this number in the table of contracts, counted round; governance has a fuzzer of its own. */
static const struct method *method_of(uint8_t number, const char **out_contract) {
    size_t count = 0;
    for (unsigned pass = 0; pass < 2; pass++) {
        size_t at = 0;
        for (const struct contract *c = contracts_table; c->name != NULL; c++) {
            for (const struct method *m = c->methods; m->name != NULL && strcmp(c->name, "governance") != 0; m++) {
                if (pass == 1 && at == number % count) {
                    *out_contract = c->name;
                    return m;
                }
                at++;
            }
        }
        count = at;
    }
    abort();
}

static struct world world;
static struct memory_state clean;

static void start(void) {
    uint8_t id[HASH_LEN];
    world_open(&world, 1);
    world_release(&world, 1, id);
    Assay__UpdatePush push = ASSAY__UPDATE_PUSH__INIT;
    push.release_id = world_bytes(id, HASH_LEN);
    push.class_id = world_bytes(world.class_id, UUID_BYTES);
    ASSERT(world_run(&world, "update", "push", &push.base, PEOPLE_OF(AUTHOR_1)) == CODE_OK);
    clean = memory_clone(&world.memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (clean.count == 0) {
        start();
    }
    if (size < 2) {
        return 0;
    }
    const char *contract = NULL;
    const struct method *method = method_of(data[0], &contract);
    const int first = 1 + data[1] % (PEOPLE - 1);
    const int people[] = {first, first == ACME_ADMIN_1 ? ACME_ADMIN_2 : ACME_ADMIN_1};
    enum err e = world_execute(&world, contract, method->name, bytes_of(data + 2, size - 2), people, 2);
    ASSERT(e == OK);
    if (world.answer.code == CODE_OK) {
        ASSERT(world_block(&world, world.now_ms + 1) == OK);
        memory_free(&world.memory);
        world.memory = memory_clone(&clean);
    } else {
        ASSERT(world.memory.count == clean.count);
    }
    return 0;
}
