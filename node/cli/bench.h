/* The load generators behind `assay bench`, one verb each; argv[0] is the verb, the result the exit status. */
#ifndef ASSAY_NODE_CLI_BENCH_H
#define ASSAY_NODE_CLI_BENCH_H

#include <stddef.h>
#include <stdint.h>

int bench_tx(int argc, char **argv);
int bench_query(int argc, char **argv);
int bench_blob(int argc, char **argv);

/* ---- What they share (bench_get.c) ---- */

/* Processor time a node has used since its start, from its /metrics; -1 when it can't be had. */
double bench_cpu_seconds(const char *url, const char *ca_file);
/* Sorts the samples; a percentile of them divided by 1000: of microseconds in milliseconds. 0 without samples. */
double bench_percentile_ms(uint32_t *samples, size_t count, unsigned percent);

#endif
