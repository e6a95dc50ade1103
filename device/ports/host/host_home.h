/* The home folder of one host device: device.json (what it is), slot0.bin, slot1.bin, state.bin, secure.bin. */
#ifndef ASSAY_DEVICE_HOST_HOME_H
#define ASSAY_DEVICE_HOST_HOME_H

#include "base/why.h"
#include "device/core/device.h"
#include "device/ports/host/host_flash.h"
#include "device/ports/host/host_secure.h"

struct host_home {
    struct device_config config;
    struct host_power power;
    struct host_flash flash;
    struct host_secure secure;
    char class_name[260]; /* VENDOR_DOMAIN/CLASS */
};

struct host_provision {
    const char *home;
    const char *genesis; /* genesis.json */
    const char *key;     /* key file of the device */
    const char *class_name;
    uint64_t slot_size;        /* 0: what the class's slot holds */
    const char *image;         /* what runs from the factory, or NULL */
    uint64_t sequence;         /* of it */
    int64_t hardware_revision; /* negative: the least the class asks for */
};

/* Makes the home of a new device; refuses one that has a device already. False: `why` says it. */
bool host_home_provision(const struct host_provision *what, struct why *why);
bool host_home_open(struct host_home *home, const char *path, struct why *why);
void host_home_close(struct host_home *home);

#endif
