#include "device/ports/host/host_flash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_AREA 8192u

bool host_power_spend(struct host_power *power) {
    power->writes++;
    if (power->writes_left == 0) {
        power->dead = true;
    } else if (power->writes_left > 0) {
        power->writes_left--;
    }
    return !power->dead;
}

static uint32_t area_size(const struct host_flash *flash, unsigned area) {
    return area == FLASH_STATE ? flash->seam.state_size : flash->seam.slot_size;
}

static bool inside(const struct host_flash *flash, unsigned area, uint32_t offset, uint32_t len) {
    return area < HOST_AREAS && offset <= area_size(flash, area) && len <= area_size(flash, area) - offset;
}

/* The file follows what memory holds; the state area is made durable, since the order of its writes matters. */
static bool write_through(struct host_flash *flash, unsigned area, uint32_t offset, uint32_t len) {
    int file = flash->files[area];
    while (file >= 0 && len > 0) {
        ssize_t n = pwrite(file, flash->areas[area] + offset, len, offset);
        if (n <= 0) {
            return false;
        }
        offset += (uint32_t)n;
        len -= (uint32_t)n;
    }
    return file < 0 || area != FLASH_STATE || fdatasync(file) == 0;
}

static bool flash_erase(void *ctx, enum flash_area area, uint32_t offset) {
    struct host_flash *flash = ctx;
    if (flash->power->dead || !inside(flash, area, offset, HOST_PAGE_SIZE)) {
        return false;
    }
    bool whole = host_power_spend(flash->power);
    uint32_t len = whole ? HOST_PAGE_SIZE : HOST_PAGE_SIZE / 2;
    memset(flash->areas[area] + offset, 0xff, len);
    return write_through(flash, area, offset, len) && whole;
}

static bool flash_program(void *ctx, enum flash_area area, uint32_t offset, const void *data, uint32_t len) {
    struct host_flash *flash = ctx;
    const uint8_t *bytes = data;
    if (flash->power->dead || !inside(flash, area, offset, len)) {
        return false;
    }
    bool whole = host_power_spend(flash->power);
    uint32_t part = whole ? len : len / 2;
    for (uint32_t i = 0; i < part; i++) {
        flash->areas[area][offset + i] &= bytes[i];
    }
    return write_through(flash, area, offset, part) && whole;
}

static bool flash_read(void *ctx, enum flash_area area, uint32_t offset, void *out, uint32_t len) {
    struct host_flash *flash = ctx;
    if (flash->power->dead || !inside(flash, area, offset, len)) {
        return false;
    }
    memcpy(out, flash->areas[area] + offset, len);
    return true;
}

bool host_flash_new(struct host_flash *flash, uint32_t slot_size, struct host_power *power) {
    *flash = (struct host_flash){
        .seam = {HOST_PAGE_SIZE, slot_size, STATE_AREA, flash_erase, flash_program, flash_read, flash},
        .power = power,
        .files = {-1, -1, -1}};
    for (unsigned i = 0; i < HOST_AREAS; i++) {
        flash->areas[i] = malloc(area_size(flash, i));
        if (flash->areas[i] == NULL) {
            host_flash_free(flash);
            return false;
        }
        memset(flash->areas[i], 0xff, area_size(flash, i));
    }
    return true;
}

static bool bind_area(struct host_flash *flash, unsigned area, const char *path, bool create) {
    struct stat info;
    int file = open(path, create ? O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC : O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) {
        return false;
    }
    flash->files[area] = file;
    if (create) {
        return write_through(flash, area, 0, area_size(flash, area));
    }
    if (fstat(file, &info) != 0 || (uint64_t)info.st_size != area_size(flash, area)) {
        errno = EINVAL;
        return false;
    }
    for (uint32_t at = 0; at < area_size(flash, area);) {
        ssize_t n = pread(file, flash->areas[area] + at, area_size(flash, area) - at, at);
        if (n <= 0) {
            return false;
        }
        at += (uint32_t)n;
    }
    return true;
}

bool host_flash_bind(struct host_flash *flash, const char *home, bool create) {
    static const char *const names[HOST_AREAS] = {"slot0.bin", "slot1.bin", "state.bin"};
    for (unsigned i = 0; i < HOST_AREAS; i++) {
        char path[4096];
        int n = snprintf(path, sizeof path, "%s/%s", home, names[i]);
        if (n < 0 || (size_t)n >= sizeof path) {
            errno = ENAMETOOLONG;
            return false;
        }
        if (!bind_area(flash, i, path, create)) {
            return false;
        }
    }
    return true;
}

bool host_flash_store(struct host_flash *flash) {
    for (unsigned i = 0; i < HOST_AREAS; i++) {
        if (!write_through(flash, i, 0, area_size(flash, i))) {
            return false;
        }
    }
    return true;
}

void host_flash_copy(struct host_flash *to, const struct host_flash *from) {
    for (unsigned i = 0; i < HOST_AREAS; i++) {
        memcpy(to->areas[i], from->areas[i], area_size(from, i));
    }
}

void host_flash_free(struct host_flash *flash) {
    for (unsigned i = 0; i < HOST_AREAS; i++) {
        free(flash->areas[i]);
        flash->areas[i] = NULL;
        if (flash->files[i] >= 0) {
            (void)close(flash->files[i]);
        }
        flash->files[i] = -1;
    }
}
