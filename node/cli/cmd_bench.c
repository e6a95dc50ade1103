/* assay bench: the product's own load generators. */
#include "node/cli/args.h"
#include "node/cli/bench.h"
#include "node/cli/commands.h"

int cmd_bench(int argc, char **argv) {
    static const struct args_verb verbs[] = {
        {"tx", "transactions to finality, idle and under load", bench_tx},
        {"query", "reads, without and with proof, beside a constant", bench_query},
        {"blob", "downloads of one image", bench_blob},
        {NULL, NULL, NULL},
    };
    return args_dispatch("bench", verbs, argc, argv);
}
