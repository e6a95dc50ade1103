/* The two clocks of a host program. Contracts and consensus never read them: time comes to those as data. */
#ifndef ASSAY_BASE_CLOCK_H
#define ASSAY_BASE_CLOCK_H

#include <stdint.h>

/* Wall clock, ms since 1970. */
uint64_t clock_wall_ms(void);
/* Never goes back; for timers and durations. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_ns(void);

#endif
