#include "node/host/keyfile.h"

#include "base/file.h"
#include "base/secretbox.h"
#include "base/x25519.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES 4096
#define FORMAT_WORD "assay-key-1"
#define BOX_LEN (SECRETBOX_OVERHEAD + ED25519_SEED_LEN)

struct kind {
    const char *word;
    enum keyfile_type type;
    bool boxed;
};

static const struct kind kinds[] = {{"ed25519", KEYFILE_ED25519, false},
                                    {"x25519", KEYFILE_X25519, false},
                                    {"ed25519-box", KEYFILE_ED25519, true},
                                    {"x25519-box", KEYFILE_X25519, true}};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

static void from_seed(enum keyfile_type type, const uint8_t seed[ED25519_SEED_LEN], struct keyfile *out) {
    memset(out, 0, sizeof *out);
    out->type = type;
    if (type == KEYFILE_ED25519) {
        ed25519_from_seed(seed, out->public_key, out->secret);
    } else {
        memcpy(out->secret, seed, X25519_LEN);
        x25519_public_key(out->secret, out->public_key);
    }
}

void keyfile_generate(enum keyfile_type type, struct keyfile *out) {
    uint8_t seed[ED25519_SEED_LEN];
    random_fill(seed, sizeof seed);
    from_seed(type, seed, out);
    secure_wipe(seed, sizeof seed);
}

void keyfile_wipe(struct keyfile *key) {
    secure_wipe(key, sizeof *key);
}

bool keyfile_looks_like_one(const char *path) {
    char word[sizeof FORMAT_WORD] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, word, sizeof word - 1);
    (void)close(fd);
    return n == (ssize_t)sizeof word - 1 && strcmp(word, FORMAT_WORD) == 0;
}

/* ---- Writing ---- */

static enum err render(const struct keyfile *key, struct bytes passphrase, struct buffer *out) {
    struct buffer boxed = BUFFER_INIT;
    struct bytes seed = bytes_of(key->secret, ED25519_SEED_LEN); /* libsodium's secret begins with the seed */
    enum err e = OK;
    if (passphrase.len > 0) {
        e = secretbox_seal(passphrase, seed, &boxed);
        seed = buffer_bytes(&boxed);
    }
    if (e == OK) {
        char hex[2 * BOX_LEN + 1];
        char line[64 + 2 * BOX_LEN];
        hex_encode(seed.data, seed.len, hex);
        int n = snprintf(line, sizeof line, "%s %s%s %s\n", FORMAT_WORD,
                         key->type == KEYFILE_ED25519 ? "ed25519" : "x25519", passphrase.len > 0 ? "-box" : "", hex);
        buffer_put(out, line, (size_t)n);
        e = buffer_ok(out);
        secure_wipe(hex, sizeof hex);
        secure_wipe(line, sizeof line);
    }
    buffer_free(&boxed);
    return e;
}

static void wipe_free(struct buffer *b) {
    if (b->data != NULL) {
        secure_wipe(b->data, b->cap);
    }
    buffer_free(b);
}

enum err keyfile_write(const char *path, const struct keyfile *key, struct bytes passphrase) {
    struct buffer text = BUFFER_INIT;
    enum err e = render(key, passphrase, &text);
    if (e != OK) {
        wipe_free(&text);
        return e;
    }
    /* Never over an existing key: O_EXCL, and the file is tiny, so one write. */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        e = err_from_errno(errno);
    } else {
        if (write(fd, text.data, text.len) != (ssize_t)text.len || fsync(fd) != 0) {
            e = errno != 0 ? err_from_errno(errno) : ERR_IO;
        }
        if (close(fd) != 0 && e == OK) {
            e = err_from_errno(errno);
        }
        if (e != OK) {
            (void)unlink(path);
        }
    }
    wipe_free(&text);
    return e;
}

/* ---- Reading ---- */

/* The words of the first line: format, kind, hex. Borrowed from `text`, which is cut into strings. */
static enum err split_line(char *text, const struct kind **out_kind, char **out_hex) {
    char *rest = NULL;
    char *line = strtok_r(text, "\r\n", &rest);
    for (char *other = strtok_r(NULL, "\r\n", &rest); other != NULL; other = strtok_r(NULL, "\r\n", &rest)) {
        if (other[0] != '#') {
            return ERR_MALFORMED;
        }
    }
    char *words = NULL;
    char *format = line != NULL ? strtok_r(line, " ", &words) : NULL;
    char *kind = format != NULL ? strtok_r(NULL, " ", &words) : NULL;
    char *hex = kind != NULL ? strtok_r(NULL, " ", &words) : NULL;
    if (hex == NULL || strtok_r(NULL, " ", &words) != NULL || strcmp(format, FORMAT_WORD) != 0) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(kind, kinds[i].word) == 0) {
            *out_kind = &kinds[i];
            *out_hex = hex;
            return OK;
        }
    }
    return ERR_MALFORMED;
}

static enum err open_seed(const struct kind *kind, const char *hex, struct bytes passphrase,
                          uint8_t out[ED25519_SEED_LEN]) {
    if (!kind->boxed) {
        return hex_decode(hex, out, ED25519_SEED_LEN);
    }
    uint8_t box[BOX_LEN];
    struct buffer seed = BUFFER_INIT;
    enum err e = hex_decode(hex, box, sizeof box);
    if (e == OK && passphrase.len == 0) {
        e = ERR_DENIED;
    }
    if (e == OK) {
        e = secretbox_open(passphrase, bytes_of(box, sizeof box), &seed);
    }
    if (e == OK) {
        memcpy(out, seed.data, ED25519_SEED_LEN);
    }
    wipe_free(&seed);
    return e;
}

static const char *explain(enum err e, bool boxed, bool have_passphrase) {
    switch (e) {
    case ERR_MODE:
        return "its group or others may read it; chmod 600 it";
    case ERR_NOTFOUND:
        return "no such file; 'assay key new FILE' makes one";
    case ERR_MALFORMED:
    case ERR_TOOLARGE:
    case ERR_RANGE:
        return "not a key file; its line is 'assay-key-1 ed25519 <64 hex digits>'";
    case ERR_MISMATCH:
        return "a key of another type than is needed here";
    case ERR_DENIED:
        if (!boxed) {
            return "this user may not read it";
        }
        return have_passphrase ? "wrong passphrase" : "encrypted; give its passphrase (--passphrase-file)";
    default:
        return err_text(e);
    }
}

/* The text of a key file with a terminator, in a buffer the caller wipes. */
static enum err read_text(const char *path, struct buffer *out) {
    enum err e = file_read_secret(path, FILE_MAX_BYTES, out);
    if (e == OK && (out->len == 0 || memchr(out->data, 0, out->len) != NULL)) {
        e = ERR_MALFORMED;
    }
    if (e == OK) {
        buffer_u8(out, 0);
        e = buffer_ok(out);
    }
    return e;
}

enum err keyfile_load(const char *path, enum keyfile_type wanted, struct bytes passphrase, struct keyfile *out,
                      struct why *out_why) {
    struct buffer text = BUFFER_INIT;
    const struct kind *kind = NULL;
    char *hex = NULL;
    uint8_t seed[ED25519_SEED_LEN];
    enum err e = read_text(path, &text);
    if (e == OK) {
        e = split_line((char *)text.data, &kind, &hex);
    }
    if (e == OK && kind->type != wanted) {
        e = ERR_MISMATCH;
    }
    if (e == OK) {
        e = open_seed(kind, hex, passphrase, seed);
    }
    wipe_free(&text);
    if (e != OK) {
        why_set(out_why, "key file %.120s: %s", path, explain(e, kind != NULL && kind->boxed, passphrase.len > 0));
        return e;
    }
    from_seed(wanted, seed, out);
    secure_wipe(seed, sizeof seed);
    return OK;
}

static const char *no_passphrase(enum err e) {
    switch (e) {
    case ERR_MODE:
        return "its group or others may read it; chmod 600 it";
    case ERR_MALFORMED:
        return "its first line must be 1 to 1024 characters";
    default:
        return err_text(e);
    }
}

enum err keyfile_read_passphrase(const char *path, struct buffer *out, struct why *out_why) {
    struct buffer text = BUFFER_INIT;
    enum err e = file_read_secret(path, KEYFILE_PASSPHRASE_MAX + 2, &text);
    size_t len = 0;
    while (e == OK && len < text.len && text.data[len] != '\n' && text.data[len] != '\r') {
        len++;
    }
    if (e == OK && (len == 0 || len > KEYFILE_PASSPHRASE_MAX)) {
        e = ERR_MALFORMED;
    }
    if (e == OK) {
        buffer_put(out, text.data, len);
        e = buffer_ok(out);
    }
    wipe_free(&text);
    if (e != OK) {
        why_set(out_why, "passphrase file %.120s: %s", path, no_passphrase(e));
    }
    return e;
}
