/* Points in time for people: what a proof or a checkpoint is as of. */
#ifndef ASSAY_NODE_CLI_MOMENT_H
#define ASSAY_NODE_CLI_MOMENT_H

#include <stdint.h>

#define MOMENT_MAX 40

/* "2026-11-30T15:42:02Z"; what no calendar has comes out as "N ms". */
void moment_text(uint64_t ms, char out[MOMENT_MAX]);
/* "12 s", "5 min", "3 h" (below two of the next unit), "101 days". */
void moment_age_text(uint64_t age_ms, char out[MOMENT_MAX]);
/* How long ago that is; 0 for what is ahead of this clock. */
uint64_t moment_age_ms(uint64_t ms);

#endif
