/* Flash in memory with the rules of NOR, written through to one file an area, and a power supply that can fail at any
 * write. The secure element (host_secure.h) hangs on the same supply. */
#ifndef ASSAY_DEVICE_HOST_FLASH_H
#define ASSAY_DEVICE_HOST_FLASH_H

#include "device/core/seam.h"

#include <stdio.h>

#define HOST_PAGE_SIZE 4096u
#define HOST_SLOT_MAX (256u * 1024u * 1024u)
#define HOST_AREAS 3

/* `writes_left` counts down at each write; the one that finds it at 0 is done by half, and then nothing works until the
 * power is on again. Negative: never. */
struct host_power {
    long writes_left;
    unsigned long writes;
    bool dead;
};

/* May this write be done in full? Called once for each. */
bool host_power_spend(struct host_power *power);

struct host_flash {
    struct device_flash seam;
    struct host_power *power;
    uint8_t *areas[HOST_AREAS];
    int files[HOST_AREAS]; /* -1: memory alone */
};

/* Blank flash in memory. False when there is no memory. */
bool host_flash_new(struct host_flash *flash, uint32_t slot_size, struct host_power *power);
/* Binds it to slot0.bin, slot1.bin and state.bin in `home`: made when `create`, else read. False with errno. */
bool host_flash_bind(struct host_flash *flash, const char *home, bool create);
/* Writes everything to the files. False with errno. */
bool host_flash_store(struct host_flash *flash);
void host_flash_copy(struct host_flash *to, const struct host_flash *from);
void host_flash_free(struct host_flash *flash);

#endif
