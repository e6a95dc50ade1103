/* A log whose file somebody tampered with: it opens or says why not, never crashes, and what it opens can be read to
 * the end, appended to and opened again with nothing lost. The input: triples of place (2) and byte (1) to write there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "store/seglog.h"
#include "tests/lib/fake_disk.h"

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static const char file_name[] = "/logs/fuzz-0000000000000001.log";

static enum err open_log(struct fake_disk *d, struct seglog **out) {
    const struct seglog_config config = {
        .disk = fake_disk_of(d), .dir = "/logs", .stem = "fuzz", .segment_bytes = 4096};
    return seglog_open(&config, NULL, NULL, out);
}

static void write_log(struct fake_disk *d) {
    struct seglog *log;
    uint64_t sequence;
    CHECK(open_log(d, &log) == OK);
    for (uint8_t i = 0; i < 20; i++) {
        uint8_t record[64] = {i};
        CHECK(seglog_append(log, i, bytes_of(record, i * 3u), &sequence) == OK);
        CHECK(i % 4 != 0 || seglog_sync(log) == OK);
    }
    d->dead = true; /* no closing mark: the tail may be torn */
    seglog_close(log);
    d->dead = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fake_disk *d = fake_disk_new(1);
    struct seglog *log;
    write_log(d);
    struct fake_inode *file = fake_file(d, file_name);
    for (size_t i = 0; i + 3 <= size; i += 3) {
        size_t at = load_u16(data + i);
        if (at < file->len) {
            file->data[at] = data[i + 2];
        }
    }
    if (open_log(d, &log) == OK) {
        struct buffer b = BUFFER_INIT;
        uint8_t type;
        uint64_t last = seglog_last(log), sequence;
        CHECK(seglog_verify(log) == OK);
        for (uint64_t s = 1; s <= last; s++) {
            CHECK(seglog_read(log, s, &type, &b) == OK);
        }
        CHECK(seglog_append(log, 1, bytes_str("more"), &sequence) == OK && sequence == last + 1);
        CHECK(seglog_sync(log) == OK);
        seglog_close(log);
        CHECK(open_log(d, &log) == OK && seglog_last(log) == last + 1 && seglog_cut(log) == 0);
        seglog_close(log);
        buffer_free(&b);
    }
    fake_disk_free(d);
    return 0;
}
