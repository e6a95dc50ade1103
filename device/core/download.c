#include "device/core/download.h"

#include <string.h>

#define COMPARE_CHUNK 64

enum page_content { PAGE_EQUAL, PAGE_BLANK, PAGE_OTHER, PAGE_FAULT };

static uint32_t lesser(uint64_t a, uint32_t b) {
    return a < b ? (uint32_t)a : b;
}

/* What the flash holds where `want` is to stand; a blank page is one that can be written without erasing it. */
static enum page_content look(const struct device_flash *flash, enum flash_area slot, uint32_t offset,
                              const uint8_t *want, uint32_t len) {
    uint8_t have[COMPARE_CHUNK];
    bool equal = true, blank = true;
    for (uint32_t at = 0; at < flash->page_size; at += COMPARE_CHUNK) {
        uint32_t part = lesser(flash->page_size - at, COMPARE_CHUNK);
        if (!flash->read(flash->ctx, slot, offset + at, have, part)) {
            return PAGE_FAULT;
        }
        for (uint32_t i = 0; i < part; i++) {
            equal = equal && (at + i >= len || have[i] == want[at + i]);
            blank = blank && have[i] == 0xff;
        }
    }
    if (equal) {
        return PAGE_EQUAL;
    }
    return blank ? PAGE_BLANK : PAGE_OTHER;
}

static bool write_page(const struct device_flash *flash, enum flash_area slot, uint32_t offset, const uint8_t *page,
                       uint32_t len) {
    switch (look(flash, slot, offset, page, len)) {
    case PAGE_EQUAL:
        return true;
    case PAGE_OTHER:
        if (!flash->erase(flash->ctx, slot, offset)) {
            return false;
        }
        return flash->program(flash->ctx, slot, offset, page, len);
    case PAGE_BLANK:
        return flash->program(flash->ctx, slot, offset, page, len);
    case PAGE_FAULT:
        break;
    }
    return false;
}

static enum download_result unopened(enum talk_result talk) {
    switch (talk) {
    case TALK_NOT_YET:
        return DOWNLOAD_NOT_YET;
    case TALK_GONE:
        return DOWNLOAD_GONE;
    default:
        return DOWNLOAD_OFFLINE;
    }
}

enum download_result download_some(struct device *device) {
    const struct device_flash *flash = device->seams.flash;
    struct device_state *s = &device->state;
    const uint64_t size = s->candidate.image.size;
    const enum flash_area slot = s->active == 0 ? FLASH_SLOT_1 : FLASH_SLOT_0;
    struct talk_object image;
    uint64_t offset = (uint64_t)s->pages_done * flash->page_size;
    if (offset >= size) {
        return DOWNLOAD_DONE;
    }
    enum talk_result talk = talk_open(&image, device, PROTOCOL_IMAGE, offset, 0);
    if (talk != TALK_OK) {
        return unopened(talk);
    }
    if (image.size != size) {
        return DOWNLOAD_SIZE;
    }
    for (uint32_t pages = 0; pages < DEVICE_PROGRESS_PAGES && offset < size; pages++) {
        uint32_t len = lesser(size - offset, flash->page_size);
        if (!talk_read(&image, device->work.page, len)) {
            return DOWNLOAD_OFFLINE;
        }
        if (!write_page(flash, slot, (uint32_t)offset, device->work.page, len)) {
            return DOWNLOAD_FAULT;
        }
        s->pages_done++;
        offset += len;
    }
    return offset >= size ? DOWNLOAD_DONE : DOWNLOAD_MORE;
}

bool download_digest(struct device *device, uint8_t slot, uint64_t size, uint8_t out[HASH_LEN]) {
    const struct device_flash *flash = device->seams.flash;
    const struct verify_crypto *crypto = device->seams.crypto;
    const enum flash_area area = slot == 0 ? FLASH_SLOT_0 : FLASH_SLOT_1;
    struct hash_state hash;
    crypto->hash_init(&hash);
    for (uint64_t at = 0; at < size; at += flash->page_size) {
        uint32_t len = lesser(size - at, flash->page_size);
        if (!flash->read(flash->ctx, area, (uint32_t)at, device->work.page, len)) {
            return false;
        }
        crypto->hash_update(&hash, device->work.page, len);
    }
    crypto->hash_final(&hash, out);
    return true;
}
