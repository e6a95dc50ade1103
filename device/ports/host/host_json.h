/* Members of JSON objects, as genesis.json and device.json have them. False: there is none such, or it is something else. */
#ifndef ASSAY_DEVICE_HOST_JSON_H
#define ASSAY_DEVICE_HOST_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exactly `len` bytes in hex. */
bool host_json_hex(const json_t *from, const char *name, uint8_t *out, size_t len);
/* From 0 to `most`. */
bool host_json_number(const json_t *from, const char *name, uint64_t most, uint64_t *out);

#endif
