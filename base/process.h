/* What each program of ours does before anything else. */
#ifndef ASSAY_BASE_PROCESS_H
#define ASSAY_BASE_PROCESS_H

/* Opens /dev/null for each of descriptors 0 to 2 that is closed, so that no file of ours takes its place and gets what
 * is meant for people. */
void process_open_standard(void);
/* Keys in memory are for nobody else: no core dump, no other process of the same user may look in. */
void process_keep_secrets(void);

#endif
