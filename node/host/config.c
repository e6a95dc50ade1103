#include "node/host/config.h"

#include "base/assert.h"
#include "base/file.h"

#include <ini.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum key_type { KEY_TEXT, KEY_NUMBER, KEY_CHOICE, KEY_SOURCES };

struct key {
    const char *section, *name;
    enum key_type type;
    size_t offset;
    uint64_t min, max;        /* of a number; of a text `max` characters, of a choice `max` names */
    const char *const *names; /* of a choice, which is stored as an int: its place, where there is one */
    const char *standard;     /* the default, as in the file */
    const char *comment;
};

const char *const log_format_names[LOG_JSON + 1] = {[LOG_TEXT] = "text", [LOG_JSON] = "json"};
const char *const log_level_names[LOG_ERROR + 1] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};

_Static_assert(sizeof(enum node_role) == sizeof(int) && sizeof(enum log_format) == sizeof(int) &&
                   sizeof(enum log_level) == sizeof(int),
               "choices are stored as ints");

#define AT(section, name) offsetof(struct config, section.name)
#define TEXT(section, name, standard, comment)                                                                         \
    {                                                                                                                  \
#section, #name, KEY_TEXT, AT(section, name), 0, sizeof(((struct config *)0)->section.name) - 1, NULL,         \
            standard, comment                                                                                          \
    }
#define NUMBER(section, name, min, max, standard, comment)                                                             \
    { #section, #name, KEY_NUMBER, AT(section, name), min, max, NULL, standard, comment }
#define CHOICE(section, name, names, standard, comment)                                                                \
    { #section, #name, KEY_CHOICE, AT(section, name), 0, sizeof(names) / sizeof(names)[0], names, standard, comment }

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* In the order of the generated file. */
static const struct key keys[] = {
    CHOICE(node, role, node_role_names, "validator",
           "validator votes, observer stores without voting, gateway serves devices"),
    TEXT(node, org, "", "id of the organisation this node belongs to"),
    TEXT(node, key_file, "node.key", "signing key (Ed25519), a file with mode 0600"),
    TEXT(node, link_key_file, "link.key", "key of the links between nodes (X25519), a file with mode 0600"),
    TEXT(node, genesis, "genesis.json", "what the chain starts from; the same file on every node"),
    TEXT(peer, listen, "127.0.0.1:26600", "host:port where other nodes reach this one"),
    TEXT(http, listen, "127.0.0.1:26601", "host:port of the HTTP API; other than loopback it needs TLS"),
    TEXT(http, tls_cert, "", "certificate chain, PEM; with tls_key it turns on TLS"),
    TEXT(http, tls_key, "", "its private key, PEM, a file with mode 0600"),
    NUMBER(http, max_connections, 8, 10000, "200", "open connections in total; the oldest idle one gives way"),
    NUMBER(http, max_connections_per_ip, 1, 10000, "64", "open connections of one address (IPv6: one /64)"),
    NUMBER(http, threads, 1, 64, "4", "threads that handle requests"),
    NUMBER(http, header_timeout_ms, 100, 600000, "10000", "time a client has to send the head of its first request"),
    NUMBER(http, idle_timeout_ms, 1000, 3600000, "30000", "a connection on which nothing moves is closed after this"),
    NUMBER(http, max_streams, 0, 10000, "64", "event streams (/v1/events) open at once"),
    NUMBER(http, max_streams_per_ip, 1, 10000, "16", "event streams of one address (IPv6: one /64)"),
    NUMBER(http, rate_per_second, 0, 1000000, "0",
           "requests a second one address may make, 0 for no limit; not loopback"),
    NUMBER(blobs, max_image_bytes, 4096, 64 * GIB, "1073741824", "largest image accepted for upload or fetched"),
    NUMBER(ledger, leader_timeout_ms, 10, 600000, "400", "wait for a leader's proposal before voting to skip it"),
    NUMBER(ledger, advance_timeout_ms, 10, 600000, "800", "wait for a view to be notarized before voting to skip it"),
    NUMBER(ledger, clock_ahead_ms, 0, 3600000, "2000", "how far a proposal's time may be ahead of this node's clock"),
    NUMBER(ledger, clock_behind_ms, 0, 86400000, "30000", "how far a proposal's time may be behind this node's clock"),
    NUMBER(ledger, version_keep_ms, 0, UINT64_C(31536000000), "600000",
           "how long old state versions are kept for proofs"),
    NUMBER(ledger, checkpoint_bytes, MIB, 16 * GIB, "16777216",
           "bytes of state changes after which the state is checkpointed"),
    NUMBER(ledger, log_segment_bytes, 64 * 1024, GIB, "16777216",
           "size of one file of the block log; pruning gives back whole files"),
    NUMBER(ledger, keep_bodies_ms, 0, UINT64_C(3153600000000), "0",
           "how long the bodies of old blocks are kept, 0 for ever; at least the longest lifetime of a transaction"),
    NUMBER(snapshot, interval_blocks, 0, UINT64_C(1000000000000), "10000",
           "a state snapshot is made every so many blocks, 0 for only when somebody asks"),
    NUMBER(snapshot, join_behind_ms, 60000, UINT64_C(3153600000000), "3600000",
           "a node whose ledger is older than this joins by snapshot when it starts"),
    {"snapshot", "sources", KEY_SOURCES, AT(snapshot, sources), 0, 0, NULL, "",
     "base URLs of full nodes to join from, separated by commas; empty: those that the ledger here knows, or "
     "genesis.json"},
    TEXT(snapshot, checkpoint, "",
         "HEIGHT:HASH of a block known to be good, or a checkpoint file, for joining a chain older than 90 days"),
    NUMBER(mempool, max_count, 1, 10000000, "20000", "transactions waiting for a block"),
    NUMBER(mempool, max_bytes, 64 * 1024, 16 * GIB, "67108864", "their bytes together"),
    NUMBER(mempool, max_per_sender, 1, 10000000, "2000", "of one sender"),
    NUMBER(mempool, max_bytes_per_sender, 64 * 1024, 16 * GIB, "8388608", "their bytes"),
    {"gateway", "sources", KEY_SOURCES, AT(gateway, sources), 0, 0, NULL, "",
     "base URLs of the full nodes a gateway follows, separated by commas"},
    NUMBER(gateway, poll_ms, 10, 3600000, "1000", "how often a gateway asks for what is new when no event came"),
    NUMBER(gateway, freshness_ms, 1000, UINT64_C(31536000000), "60000",
           "a head older than this is refused, unless three heartbeats of the chain are more"),
    TEXT(gateway, checkpoint, "", "checkpoint file to trust from, for following a chain older than 90 days"),
    NUMBER(gateway, cache_bytes, MIB, 1024 * GIB, "2147483648",
           "image cache; the image used longest ago is dropped first"),
    TEXT(log, file, "", "where lines are appended; empty: stderr. SIGHUP opens it anew"),
    CHOICE(log, format, log_format_names, "text", "text (key=value) or json, one line an event on stderr"),
    CHOICE(log, level, log_level_names, "info", "debug, info, warn or error"),
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])

/* Those that a running node takes over; the others wait for its next start. */
static const char *const live_keys[] = {"log.file",
                                        "log.format",
                                        "log.level",
                                        "http.max_connections_per_ip",
                                        "http.header_timeout_ms",
                                        "http.max_streams",
                                        "http.max_streams_per_ip"};

static void *value_of(const struct key *key, struct config *config) {
    return (char *)config + key->offset;
}

static const void *value_in(const struct key *key, const struct config *config) {
    return (const char *)config + key->offset;
}

/* ---- Words near each other ---- */

#define WORD_MAX 64

/* Levenshtein's distance, one row at a time. */
static size_t edit_distance(const char *a, const char *b) {
    size_t row[WORD_MAX + 1];
    size_t b_len = strlen(b);
    if (b_len > WORD_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = changed < best ? changed : best;
        }
    }
    return row[b_len];
}

const char *config_nearest(const char *word, const char *const *known, size_t count) {
    size_t len = strlen(word);
    if (len > WORD_MAX) {
        return NULL;
    }
    size_t best = len / 3 > 2 ? len / 3 : 2;
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(word, known[i]);
        if (distance < best || (distance == best && found == NULL)) {
            best = distance;
            found = known[i];
        }
    }
    return found;
}

/* ---- Values ---- */

static bool parse_number(const char *text, uint64_t *out) {
    if (text[0] < '0' || text[0] > '9' || strlen(text) > 19) {
        return false;
    }
    char *end = NULL;
    *out = strtoull(text, &end, 10);
    return *end == '\0';
}

static enum err set_number(const struct key *key, const char *text, void *out, struct why *why) {
    uint64_t value = 0;
    if (!parse_number(text, &value) || value < key->min || value > key->max) {
        why_set(why, "%s.%s must be a number from %" PRIu64 " to %" PRIu64 ", not '%.40s'", key->section, key->name,
                key->min, key->max, text);
        return ERR_CONFIG;
    }
    memcpy(out, &value, sizeof value);
    return OK;
}

static enum err set_choice(const struct key *key, const char *text, void *out, struct why *why) {
    char list[100] = "";
    for (int i = 0; i < (int)key->max; i++) {
        if (key->names[i] == NULL) {
            continue;
        }
        if (strcmp(text, key->names[i]) == 0) {
            memcpy(out, &i, sizeof i);
            return OK;
        }
        size_t len = strlen(list);
        (void)snprintf(list + len, sizeof list - len, "%s%s", len > 0 ? ", " : "", key->names[i]);
    }
    why_set(why, "%s.%s must be one of %s, not '%.40s'", key->section, key->name, list, text);
    return ERR_CONFIG;
}

static bool is_url(const char *text) {
    return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

static enum err set_sources(const struct key *key, const char *text, struct config_sources *out, struct why *why) {
    struct config_sources sources = {.count = 0};
    const char *at = text;
    while (*at != '\0') {
        at += strspn(at, " ,");
        size_t len = strcspn(at, " ,");
        if (len == 0) {
            break;
        }
        if (sources.count == CONFIG_SOURCES_MAX || len >= CONFIG_URL_MAX || !is_url(at)) {
            why_set(why, "%s.%s takes at most %d http:// or https:// URLs separated by commas", key->section, key->name,
                    CONFIG_SOURCES_MAX);
            return ERR_CONFIG;
        }
        memcpy(sources.url[sources.count], at, len);
        sources.url[sources.count++][len] = '\0';
        at += len;
    }
    *out = sources;
    return OK;
}

static enum err set_value(const struct key *key, const char *text, struct config *config, struct why *why) {
    void *out = value_of(key, config);
    switch (key->type) {
    case KEY_NUMBER:
        return set_number(key, text, out, why);
    case KEY_CHOICE:
        return set_choice(key, text, out, why);
    case KEY_SOURCES:
        return set_sources(key, text, out, why);
    case KEY_TEXT:
    default:
        break;
    }
    if (strlen(text) > key->max || !text_is_clean(bytes_str(text))) {
        why_set(why, "%s.%s must be at most %" PRIu64 " characters of plain text", key->section, key->name, key->max);
        return ERR_CONFIG;
    }
    memset(out, 0, (size_t)key->max + 1); /* equal values are equal bytes (config_adopt) */
    memcpy(out, text, strlen(text) + 1);
    return OK;
}

void config_default(struct config *out) {
    struct config config;
    memset(&config, 0, sizeof config);
    struct why why = WHY_NONE;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        /* The table's own defaults: a unit test checks that each is accepted. */
        (void)!set_value(&keys[i], keys[i].standard, &config, &why);
    }
    *out = config;
}

/* ---- Parsing ---- */

struct parse {
    struct config config;
    bool seen[KEY_COUNT];
    enum err result;
    struct why *why;
};

static const struct key *find_key(const char *section, const char *name) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

static void refuse_unknown(struct parse *parse, const char *section, const char *name) {
    char full[KEY_COUNT][WORD_MAX];
    const char *known[KEY_COUNT];
    char given[WORD_MAX];
    for (size_t i = 0; i < KEY_COUNT; i++) {
        (void)snprintf(full[i], sizeof full[i], "%s.%s", keys[i].section, keys[i].name);
        known[i] = full[i];
    }
    (void)snprintf(given, sizeof given, "%.30s%s%.30s", section, section[0] != '\0' ? "." : "", name);
    const char *near = config_nearest(given, known, KEY_COUNT);
    why_set(parse->why, near != NULL ? "unknown key %s; did you mean %s?" : "unknown key %s%s", given,
            near != NULL ? near : "; docs/operations.md lists the keys");
    parse->result = ERR_CONFIG;
}

/* inih's handler: 1 to go on, 0 for an error, which ends the parse because we remember the first. */
static int take_value(void *ctx, const char *section, const char *name, const char *value) {
    struct parse *parse = ctx;
    if (parse->result != OK) {
        return 0;
    }
    const struct key *key = find_key(section, name);
    if (key == NULL) {
        refuse_unknown(parse, section, name);
        return 0;
    }
    size_t index = (size_t)(key - keys);
    if (parse->seen[index]) {
        why_set(parse->why, "%s.%s is given twice; keep one", key->section, key->name);
        parse->result = ERR_CONFIG;
        return 0;
    }
    parse->seen[index] = true;
    parse->result = set_value(key, value, &parse->config, parse->why);
    return parse->result == OK;
}

/* Rules between keys. */
static enum err check_whole(const struct config *config, struct why *why) {
    const char *wrong = NULL;
    if ((config->http.tls_cert[0] == '\0') != (config->http.tls_key[0] == '\0')) {
        wrong = "http.tls_cert and http.tls_key go together; set both or neither";
    } else if (config->http.max_connections_per_ip > config->http.max_connections) {
        wrong = "http.max_connections_per_ip is above http.max_connections; lower it";
    } else if (config->mempool.max_per_sender > config->mempool.max_count) {
        wrong = "mempool.max_per_sender is above mempool.max_count; lower it";
    } else if (config->node.role == NODE_GATEWAY && config->gateway.sources.count == 0) {
        wrong = "node.role is gateway and gateway.sources is empty; name at least one full node's URL";
    }
    if (wrong != NULL) {
        why_set(why, "%s", wrong);
        return ERR_CONFIG;
    }
    return OK;
}

/* Of any length, and as they stand: an indented key is a key. */
static void set_reader(void) {
    ini_use_stack = false;
    ini_max_line = CONFIG_FILE_MAX + 2;
    ini_initial_alloc = CONFIG_FILE_MAX + 2;
    ini_allow_multiline = false;
}

/* The first line that is none, before any is carried out; 0: all are good. Only what a line can be is judged here, the
 * rest is the reader's. */
static int first_bad_line(const char *text) {
    int number = 1;
    for (const char *at = text; *at != '\0'; number++) {
        size_t len = strcspn(at, "\n");
        const char *start = at + strspn(at, " \t\r"), *end = at + len;
        bool is_empty = start >= end || *start == ';' || *start == '#';
        const char *needed = start < end && *start == '[' ? "]" : "=:";
        if (!is_empty && strcspn(start, needed) >= (size_t)(end - start)) {
            return number;
        }
        at = *end == '\n' ? end + 1 : end;
    }
    return 0;
}

enum err config_parse(struct bytes text, struct config *out, struct why *out_why) {
    if (text.len > CONFIG_FILE_MAX || (text.len > 0 && memchr(text.data, 0, text.len) != NULL)) {
        why_set(out_why, "the file is over %d bytes or not text", CONFIG_FILE_MAX);
        return ERR_CONFIG;
    }
    char *copy = malloc(text.len + 1);
    struct parse *parse = calloc(1, sizeof *parse);
    enum err e = copy != NULL && parse != NULL ? OK : ERR_NOMEM;
    if (e == OK) {
        if (text.len > 0) {
            memcpy(copy, text.data, text.len);
        }
        copy[text.len] = '\0';
        config_default(&parse->config);
        parse->why = out_why;
        set_reader();
        const char *start = strncmp(copy, "\xef\xbb\xbf", 3) == 0 ? copy + 3 : copy; /* a mark that editors put there */
        int line = first_bad_line(start);
        line = line != 0 ? line : ini_parse_string(start, take_value, parse);
        e = parse->result;
        if (e == OK && line != 0) {
            why_set(out_why, "line %d is neither '[section]', 'key = value' nor a comment", line);
            e = line < 0 ? ERR_NOMEM : ERR_CONFIG;
        }
    }
    if (e == OK) {
        e = check_whole(&parse->config, out_why);
    }
    if (e == OK) {
        *out = parse->config;
    }
    free(parse);
    free(copy);
    return e;
}

static bool is_live(const struct key *key) {
    char full[WORD_MAX];
    (void)snprintf(full, sizeof full, "%s.%s", key->section, key->name);
    for (size_t i = 0; i < sizeof live_keys / sizeof live_keys[0]; i++) {
        if (strcmp(live_keys[i], full) == 0) {
            return true;
        }
    }
    return false;
}

static size_t size_of(const struct key *key) {
    switch (key->type) {
    case KEY_NUMBER:
        return sizeof(uint64_t);
    case KEY_CHOICE:
        return sizeof(int);
    case KEY_SOURCES:
        return sizeof(struct config_sources);
    case KEY_TEXT:
    default:
        return (size_t)key->max + 1;
    }
}

void config_adopt(struct config *now, const struct config *next,
                  void (*told)(const char *section, const char *name, bool taken)) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &keys[i];
        if (memcmp(value_in(key, now), value_in(key, next), size_of(key)) == 0) {
            continue;
        }
        bool taken = is_live(key);
        if (taken) {
            memcpy(value_of(key, now), value_in(key, next), size_of(key));
        }
        told(key->section, key->name, taken);
    }
}

enum err config_resolve(const char *home, const char *path, char out[CONFIG_PATH_MAX]) {
    char whole[2 * CONFIG_PATH_MAX + 2];
    if (strlen(home) >= CONFIG_PATH_MAX || strlen(path) >= CONFIG_PATH_MAX) {
        return ERR_TOOLARGE;
    }
    bool as_is = path[0] == '/' || path[0] == '\0';
    int n = snprintf(whole, sizeof whole, "%s%s%s", as_is ? "" : home, as_is ? "" : "/", path);
    if (n < 0 || n >= CONFIG_PATH_MAX) {
        return ERR_TOOLARGE;
    }
    memset(out, 0, CONFIG_PATH_MAX);
    memcpy(out, whole, (size_t)n + 1);
    return OK;
}

static enum err resolve_all(const char *home, struct config *config) {
    char *paths[] = {config->node.key_file, config->node.link_key_file, config->node.genesis, config->http.tls_cert,
                     config->http.tls_key,  config->gateway.checkpoint, config->log.file};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        enum err e = config_resolve(home, paths[i], paths[i]);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

enum err config_load_home(const char *home, struct config *out, struct why *out_why) {
    char path[CONFIG_PATH_MAX];
    struct why why = WHY_NONE;
    struct buffer text = BUFFER_INIT;
    struct config config;
    enum err e = config_resolve(home, "assay.conf", path);
    if (e == OK) {
        e = file_read(path, CONFIG_FILE_MAX, &text);
    }
    if (e != OK) {
        why_set(out_why, "%.150s/assay.conf: %s", home, err_text(e));
        buffer_free(&text);
        return e;
    }
    e = config_parse(buffer_bytes(&text), &config, &why);
    buffer_free(&text);
    if (e == OK) {
        e = resolve_all(home, &config);
    }
    if (e != OK) {
        /* The rule broken matters more than a long path. */
        why_set(out_why, "%.60s: %.190s", path, why_said(&why) ? why.text : err_text(e));
        return e;
    }
    *out = config;
    return OK;
}

/* ---- Writing ---- */

static void put_text(struct buffer *out, const char *text) {
    buffer_put(out, text, strlen(text));
}

static void put_value(struct buffer *out, const struct key *key, const struct config *config) {
    const void *value = value_in(key, config);
    char number[24];
    int choice;
    switch (key->type) {
    case KEY_NUMBER: {
        uint64_t n;
        memcpy(&n, value, sizeof n);
        (void)snprintf(number, sizeof number, "%" PRIu64, n);
        put_text(out, number);
        break;
    }
    case KEY_CHOICE:
        memcpy(&choice, value, sizeof choice);
        ASSERT(choice >= 0 && choice < (int)key->max && key->names[choice] != NULL);
        put_text(out, key->names[choice]);
        break;
    case KEY_SOURCES: {
        const struct config_sources *sources = value;
        for (size_t i = 0; i < sources->count; i++) {
            put_text(out, i > 0 ? "," : "");
            put_text(out, sources->url[i]);
        }
        break;
    }
    case KEY_TEXT:
    default:
        put_text(out, value);
        break;
    }
}

enum err config_render(const struct config *config, struct buffer *out) {
    const char *section = "";
    put_text(out, "# Assay node configuration. Every key with its default is here; paths count from this folder.\n");
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(section, keys[i].section) != 0) {
            section = keys[i].section;
            put_text(out, "\n[");
            put_text(out, section);
            put_text(out, "]\n");
        }
        put_text(out, "# ");
        put_text(out, keys[i].comment);
        if (keys[i].standard[0] != '\0') {
            put_text(out, " (default ");
            put_text(out, keys[i].standard);
            put_text(out, ")");
        }
        put_text(out, "\n");
        put_text(out, keys[i].name);
        put_text(out, " = ");
        put_value(out, &keys[i], config);
        put_text(out, "\n");
    }
    return buffer_ok(out);
}

enum err config_write(const struct config *config, const char *path) {
    struct buffer text = BUFFER_INIT;
    enum err e = config_render(config, &text);
    if (e == OK) {
        e = file_write_atomic(path, buffer_bytes(&text), 0644);
    }
    buffer_free(&text);
    return e;
}
