#include "device/ports/host/host_json.h"

#include <sodium.h>
#include <string.h>

bool host_json_hex(const json_t *from, const char *name, uint8_t *out, size_t len) {
    const char *text = json_string_value(json_object_get(from, name));
    size_t got;
    return text != NULL && strlen(text) == 2 * len && sodium_hex2bin(out, len, text, 2 * len, NULL, &got, NULL) == 0 &&
           got == len;
}

bool host_json_number(const json_t *from, const char *name, uint64_t most, uint64_t *out) {
    const json_t *value = json_object_get(from, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > most) {
        return false;
    }
    *out = (uint64_t)json_integer_value(value);
    return true;
}
