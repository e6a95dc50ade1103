/* The load generators behind `assay bench`, one verb each; argv[0] is the verb, the result the exit status. */
#ifndef ASSAY_NODE_CLI_BENCH_H
#define ASSAY_NODE_CLI_BENCH_H

int bench_tx(int argc, char **argv);

#endif
