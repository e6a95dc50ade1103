/* Snapshots: as many leaves as a fleet has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/joining.h"
#include "node/snapshot/snapshot_verify.h"

#include <curl/curl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- Scale: ASSAY_SNAPSHOT_LEAVES=1000000 for figures that mean something ---- */

static uint64_t own_peak_kib;

/* Resident pages that are no file's: LMDB's map counts as resident too, and the kernel takes that back at will. */
static bool sample(void *arg, uint64_t done, uint64_t total) {
    unsigned long long size = 0, resident = 0, shared = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    (void)arg;
    (void)done;
    (void)total;
    if (file != NULL && fscanf(file, "%llu %llu %llu", &size, &resident, &shared) == 3) {
        uint64_t own_kib = (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
        own_peak_kib = own_kib > own_peak_kib ? own_kib : own_peak_kib;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return true;
}

static bool sample_and_go_on(void *arg) {
    return !sample(arg, 0, 0);
}

static uint64_t cpu_ms(const struct rusage *usage) {
    return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000 +
           (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1000;
}

/* Each part in a process of its own, so that each shows its own peak. */
static void measured(const char *what, void (*part)(struct joining *f, uint64_t leaves), struct joining *f,
                     uint64_t leaves) {
    int status = 0;
    uint64_t started_ms = clock_mono_ms();
    pid_t child = fork();
    if (child == 0) {
        part(f, leaves);
        struct rusage usage;
        (void)getrusage(RUSAGE_SELF, &usage);
        (void)sample(NULL, 0, 0);
        print_message("%s: %llu ms, %llu ms of CPU, peak %ld KiB resident, %llu KiB of it no file's\n", what,
                      (unsigned long long)(clock_mono_ms() - started_ms), (unsigned long long)cpu_ms(&usage),
                      usage.ru_maxrss, (unsigned long long)own_peak_kib);
        (void)fflush(NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static struct kv *scale_store(const struct joining *f) {
    struct kv_backend backend;
    struct kv *kv;
    assert_int_equal(kv_lmdb_open(f->dir[0], HOME_MAP_BYTES, &backend), OK);
    assert_int_equal(kv_open(backend, &kv), OK);
    return kv;
}

static void scale_fill(struct joining *f, uint64_t leaves) {
    struct kv *kv = scale_store(f);
    for (uint64_t i = 0; i < leaves;) {
        struct kv_layer *layer;
        struct kv_checkpoint *checkpoint;
        assert_int_equal(kv_layer_new(&layer), OK);
        for (uint64_t end = i + 50000; i < end && i < leaves; i++) {
            uint8_t key[] = "scale\0........", value[48] = {1};
            store_u64(key + 6, i);
            store_u64(value + 8, i);
            assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_of(key, 14), bytes_of(value, sizeof value)), OK);
        }
        assert_int_equal(kv_push(kv, layer), OK);
        kv_layer_unref(layer);
        assert_int_equal(kv_checkpoint_begin(kv, &checkpoint), OK);
        assert_int_equal(kv_checkpoint_end(kv, checkpoint, kv_checkpoint_write(checkpoint)), OK);
    }
    kv_close(kv);
}

/* The chunks, and around them an empty block whose state root they make. No certificates: those are others' cases. */
static void scale_make(struct joining *f, uint64_t leaves) {
    struct kv *kv = scale_store(f);
    struct kv_view *view;
    struct snapshot_manifest m = {.height = 1, .body_count = 1};
    struct snapshot_body_chunk body = {.first = 1};
    struct block_header h = {.height = 1, .time_ms = WORLD_START_MS + 1};
    struct buffer bundle = BUFFER_INIT, chunk = BUFFER_INIT, encoded = BUFFER_INIT;
    char path[300];
    (void)leaves;
    assert_int_equal(kv_view_open(kv, &view), OK);
    const struct snapshot_split_config split = {
        .crypto = &host_crypto, .view = view, .dir = f->dir[1], .stop = sample_and_go_on};
    assert_int_equal(snapshot_split(&split, &m.bits, &m.state), OK);
    memcpy(h.chain_id, f->ledger.world.chain_id, CHAIN_ID_LEN);
    memcpy(m.chain_id, h.chain_id, CHAIN_ID_LEN);
    snapshot_state_root(&host_crypto, &m, h.state_root);
    buffer_put(&bundle, "ASPB\x01\0\0", 7);
    block_header_encode(&h, buffer_extend(&bundle, BLOCK_HEADER_LEN));
    block_header_hash(&host_crypto, bundle.data + 7, m.block);
    memcpy(body.last_hash, m.block, HASH_LEN);
    buffer_u32(&chunk, BLOCK_HEADER_LEN + 4);
    buffer_put(&chunk, bundle.data + 7, BLOCK_HEADER_LEN);
    buffer_u32(&chunk, 0);
    buffer_u16(&bundle, 1);
    body.bytes = (uint32_t)chunk.len;
    m.bodies = &body;
    m.bundle = buffer_bytes(&bundle);
    (void)snprintf(path, sizeof path, "%s/%u", f->dir[1], 1u << m.bits);
    joining_write_bytes(path, buffer_bytes(&chunk));
    assert_int_equal(snapshot_manifest_encode(&host_crypto, &m, &encoded), OK);
    (void)snprintf(path, sizeof path, "%s/manifest", f->dir[1]);
    joining_write_bytes(path, buffer_bytes(&encoded));
    print_message("%u bits, %llu bytes\n", m.bits, (unsigned long long)snapshot_bytes(&m));
    kv_view_close(view);
    kv_close(kv);
}

static void scale_manifest(const struct joining *f, struct buffer *encoded, struct snapshot_manifest *out) {
    char path[300];
    (void)snprintf(path, sizeof path, "%s/manifest", f->dir[1]);
    assert_int_equal(file_read(path, SNAPSHOT_MANIFEST_MAX, encoded), OK);
    assert_int_equal(snapshot_manifest_decode(&host_crypto, buffer_bytes(encoded), out), OK);
}

static void scale_verify(struct joining *f, uint64_t leaves) {
    struct buffer encoded = BUFFER_INIT, chunk = BUFFER_INIT;
    struct snapshot_manifest m;
    (void)leaves;
    scale_manifest(f, &encoded, &m);
    for (uint32_t i = 0; i < snapshot_chunk_count(&m); i++) {
        char path[300];
        (void)snprintf(path, sizeof path, "%s/%u", f->dir[1], i);
        buffer_reset(&chunk);
        assert_int_equal(file_read(path, SNAPSHOT_CHUNK_MAX, &chunk), OK);
        assert_int_equal(snapshot_chunk_check(&host_crypto, &m, i, buffer_bytes(&chunk)), OK);
    }
}

static void scale_install(struct joining *f, uint64_t leaves) {
    struct buffer encoded = BUFFER_INIT;
    struct snapshot_manifest m;
    struct block_header header;
    struct bytes finalization;
    struct why why = WHY_NONE;
    char chunks[300];
    (void)leaves;
    scale_manifest(f, &encoded, &m);
    assert_int_equal(snapshot_epochs(&m, NULL, NULL, &header, &finalization), OK);
    (void)snprintf(chunks, sizeof chunks, "%s/chunks", f->dir[2]);
    assert_int_equal(rename(f->dir[1], chunks), 0);
    const struct snapshot_install_config config = {.genesis = &f->home.genesis,
                                                   .manifest = &m,
                                                   .header = &header,
                                                   .dir = f->dir[2],
                                                   .disk = disk_posix(),
                                                   .state = kv_lmdb_opener(HOME_MAP_BYTES),
                                                   .segment_bytes = 1 << 20,
                                                   .progress = sample};
    enum err e = snapshot_install(&config, &why);
    assert_string_equal(&why, "");
    assert_int_equal(e, OK);
}

static void many_leaves_need_no_more_memory_than_few(void **state) {
    (void)state;
    const char *text = getenv("ASSAY_SNAPSHOT_LEAVES");
    uint64_t leaves = text != NULL ? strtoull(text, NULL, 10) : 20000;
    assert_true(leaves > 0);
    struct joining f;
    joining_open_all(&f, 1, 0);
    measured("fill", scale_fill, &f, leaves);
    measured("make", scale_make, &f, leaves);
    measured("verify", scale_verify, &f, leaves);
    measured("install", scale_install, &f, leaves);
    joining_close_all(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_leaves_need_no_more_memory_than_few),
    };
    if (crypto_start() != OK || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
