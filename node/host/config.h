/* assay.conf: what a node is told about itself.
 *
 * INI text: [section], key = value, comments after ';' or '#' at the start of a line. Every key has a default; an
 * unknown section or key, a value of another type or out of range, or a key given twice is an error that names it (and,
 * for unknown keys, the nearest known one). The table of keys is in config.c; docs/operations.md lists them.
 *
 * Paths in the file may be relative: they count from the home folder the file lies in (config_resolve).
 */
#ifndef ASSAY_NODE_HOST_CONFIG_H
#define ASSAY_NODE_HOST_CONFIG_H

#include "base/why.h"
#include "contracts/genesis/genesis.h"

#define CONFIG_PATH_MAX 512
#define CONFIG_URL_MAX 256
#define CONFIG_SOURCES_MAX 8
#define CONFIG_FILE_MAX (64 * 1024)

enum log_format { LOG_TEXT, LOG_JSON };
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

extern const char *const log_format_names[LOG_JSON + 1];
extern const char *const log_level_names[LOG_ERROR + 1];

struct config_sources {
    char url[CONFIG_SOURCES_MAX][CONFIG_URL_MAX];
    size_t count;
};

/* Plain data: copy with `=`. */
struct config {
    struct {
        enum node_role role;
        char org[GENESIS_ID_MAX + 1];
        char key_file[CONFIG_PATH_MAX];
        char link_key_file[CONFIG_PATH_MAX];
        char genesis[CONFIG_PATH_MAX];
    } node;
    struct {
        char listen[CONFIG_URL_MAX]; /* host:port where peers reach this node */
    } peer;
    struct {
        char listen[CONFIG_URL_MAX];
        char tls_cert[CONFIG_PATH_MAX]; /* "": plain HTTP */
        char tls_key[CONFIG_PATH_MAX];
        uint64_t max_connections;
        uint64_t max_connections_per_ip;
        uint64_t threads;
        uint64_t header_timeout_ms;
        uint64_t idle_timeout_ms;
        uint64_t max_streams;
        uint64_t max_streams_per_ip;
        uint64_t rate_per_second; /* 0: no limit */
    } http;
    struct {
        uint64_t max_image_bytes;
    } blobs;
    struct {
        uint64_t leader_timeout_ms;
        uint64_t advance_timeout_ms;
        uint64_t clock_ahead_ms;
        uint64_t clock_behind_ms;
        uint64_t version_keep_ms;
        uint64_t checkpoint_bytes;
        uint64_t log_segment_bytes;
        uint64_t keep_bodies_ms; /* 0: for ever */
    } ledger;
    struct {
        uint64_t interval_blocks; /* 0: none is made by itself */
        uint64_t join_behind_ms;
        struct config_sources sources;    /* none: those that the ledger knows, or genesis */
        char checkpoint[CONFIG_PATH_MAX]; /* HEIGHT:HASH or a file, or "" */
    } snapshot;
    struct {
        uint64_t max_count;
        uint64_t max_bytes;
        uint64_t max_per_sender;
        uint64_t max_bytes_per_sender;
    } mempool;
    struct {
        struct config_sources sources;
        uint64_t poll_ms;
        uint64_t freshness_ms;
        char checkpoint[CONFIG_PATH_MAX]; /* "": none */
        uint64_t cache_bytes;
    } gateway;
    struct {
        char file[CONFIG_PATH_MAX]; /* "": stderr */
        enum log_format format;
        enum log_level level;
    } log;
};

void config_default(struct config *out);
/* Parses the text of a file. ERR_CONFIG with one line in `out_why`: which key, what is wrong, what to do. */
NODISCARD enum err config_parse(struct bytes text, struct config *out, struct why *out_why);
/* Reads HOME/assay.conf and resolves its paths against HOME. Also ERR_NOTFOUND, ERR_TOOLARGE, with words. */
NODISCARD enum err config_load_home(const char *home, struct config *out, struct why *out_why);
/* The path as seen from `home`: itself when absolute or empty. ERR_TOOLARGE. */
NODISCARD enum err config_resolve(const char *home, const char *path, char out[CONFIG_PATH_MAX]);
/* The whole file with a comment for each key; parses back to the same. */
NODISCARD enum err config_render(const struct config *config, struct buffer *out);
NODISCARD enum err config_write(const struct config *config, const char *path);

/* The known word nearest to `word` by edit distance, NULL when none is near (distance at most a third of the word's
 * length, at least 2). For "did you mean". */
const char *config_nearest(const char *word, const char *const *known, size_t count);

/* Takes over what a running node may (log.file, log.format, log.level, http's limits of addresses and streams); tells of
 * each key that differs whether it was taken, or waits for the next start. Both were loaded from the same home. */
void config_adopt(struct config *now, const struct config *next,
                  void (*told)(const char *section, const char *name, bool taken));

#endif
