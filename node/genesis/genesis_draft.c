#include "node/genesis/genesis_draft.h"

#include "base/sha256.h"
#include "contracts/contracts.h"
#include "contracts/kernel/method.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_MAX 65535

_Static_assert(sizeof TAG_GENESIS_DRAFT == TAG_LEN, "a tag has 16 bytes");
_Static_assert(sizeof(struct genesis_params) == 32, "a parameter that is new must be signed too: put_header");

static enum err wrong(struct why *why, enum err e, const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum err wrong(struct why *why, enum err e, const char *format, ...) {
    va_list args;
    va_start(args, format);
    why_vset(why, format, args);
    va_end(args);
    return e;
}

void genesis_draft_free(struct genesis_draft *draft) {
    for (size_t i = 0; i < draft->part_count; i++) {
        free(draft->parts[i].nodes);
    }
    free(draft->parts);
    *draft = (struct genesis_draft){0};
}

/* ---- Parts ---- */

static int compare_nodes(const void *a, const void *b) {
    return memcmp(((const struct genesis_node *)a)->key, ((const struct genesis_node *)b)->key, ED25519_KEY_LEN);
}

static int compare_parts(const void *a, const void *b) {
    return strcmp(((const struct genesis_draft_part *)a)->org.id, ((const struct genesis_draft_part *)b)->org.id);
}

void genesis_draft_sort(struct genesis_draft *draft) {
    for (size_t i = 0; i < draft->part_count; i++) {
        if (draft->parts[i].node_count > 1) {
            qsort(draft->parts[i].nodes, draft->parts[i].node_count, sizeof *draft->parts[i].nodes, compare_nodes);
        }
    }
    if (draft->part_count > 1) {
        qsort(draft->parts, draft->part_count, sizeof *draft->parts, compare_parts);
    }
}

struct genesis_draft_part *genesis_draft_find(const struct genesis_draft *draft, const char *id) {
    for (size_t i = 0; i < draft->part_count; i++) {
        if (strcmp(draft->parts[i].org.id, id) == 0) {
            return &draft->parts[i];
        }
    }
    return NULL;
}

static bool is_admin(const struct genesis_org *org, const uint8_t key[ED25519_KEY_LEN]) {
    for (size_t i = 0; i < org->admin_count; i++) {
        if (memcmp(org->admins[i], key, ED25519_KEY_LEN) == 0) {
            return true;
        }
    }
    return false;
}

struct genesis_draft_part *genesis_draft_find_admin(const struct genesis_draft *draft,
                                                    const uint8_t admin[ED25519_KEY_LEN]) {
    for (size_t i = 0; i < draft->part_count; i++) {
        if (is_admin(&draft->parts[i].org, admin)) {
            return &draft->parts[i];
        }
    }
    return NULL;
}

enum err genesis_draft_put(struct genesis_draft *draft, const struct genesis_draft_part *part) {
    struct genesis_draft_part *old = genesis_draft_find(draft, part->org.id);
    if (old != NULL) {
        struct genesis_node *dropped = old->nodes;
        *old = *part;
        genesis_draft_sort(draft);
        free(dropped);
        return OK;
    }
    if (draft->part_count >= ORGS_MAX) {
        return ERR_FULL;
    }
    struct genesis_draft_part *parts = realloc(draft->parts, (draft->part_count + 1) * sizeof *parts);
    if (parts == NULL) {
        return ERR_NOMEM;
    }
    draft->parts = parts;
    parts[draft->part_count++] = *part;
    genesis_draft_sort(draft);
    return OK;
}

/* ---- Signatures ---- */

/* Texts of these records have at most 128 bytes. */
static void put_text(struct buffer *out, const char *text) {
    size_t len = strlen(text);
    buffer_u8(out, (uint8_t)len);
    buffer_put(out, text, len);
}

static void put_header(const struct genesis_draft *draft, struct buffer *out) {
    put_text(out, draft->name);
    buffer_u64(out, draft->time_ms);
    buffer_put(out, draft->salt, sizeof draft->salt);
    buffer_u32(out, draft->params.heartbeat_ms);
    buffer_u32(out, draft->params.max_block_txs);
    buffer_u32(out, draft->params.max_block_bytes);
    buffer_u64(out, draft->params.tx_max_lifetime_ms);
    buffer_u32(out, draft->params.vote_threshold_percent);
    buffer_u32(out, draft->params.protocol_version);
}

static void put_part(const struct genesis_draft_part *part, struct buffer *out) {
    put_text(out, part->org.id);
    put_text(out, part->org.name);
    buffer_u8(out, (uint8_t)part->org.kind);
    buffer_u8(out, part->org.admin_threshold);
    buffer_u8(out, part->org.admin_count);
    buffer_put(out, part->org.admins, (size_t)part->org.admin_count * ED25519_KEY_LEN);
    buffer_u16(out, (uint16_t)part->node_count);
    for (size_t i = 0; i < part->node_count; i++) {
        const struct genesis_node *node = &part->nodes[i];
        buffer_put(out, node->key, sizeof node->key);
        buffer_put(out, node->link_key, sizeof node->link_key);
        buffer_u8(out, (uint8_t)node->role);
        put_text(out, node->peer);
        put_text(out, node->http);
    }
}

static enum err signed_bytes(const struct genesis_draft *draft, const struct genesis_draft_part *part,
                             struct buffer *out) {
    struct buffer header = BUFFER_INIT;
    uint8_t hash[SHA256_LEN];
    put_header(draft, &header);
    enum err e = buffer_ok(&header);
    sha256(header.data, header.len, hash);
    buffer_free(&header);
    buffer_put(out, TAG_GENESIS_DRAFT, TAG_LEN);
    buffer_put(out, hash, sizeof hash);
    put_part(part, out);
    return e == OK ? buffer_ok(out) : e;
}

enum err genesis_draft_sign(const struct genesis_draft *draft, struct genesis_draft_part *part,
                            const uint8_t admin[ED25519_KEY_LEN], const uint8_t secret[ED25519_SECRET_LEN]) {
    struct buffer text = BUFFER_INIT;
    size_t at = 0;
    while (at < part->signature_count && memcmp(part->signatures[at].admin, admin, ED25519_KEY_LEN) != 0) {
        at++;
    }
    if (!is_admin(&part->org, admin) || at == GENESIS_ADMINS_MAX) {
        return ERR_DENIED;
    }
    enum err e = signed_bytes(draft, part, &text);
    if (e == OK) {
        memcpy(part->signatures[at].admin, admin, ED25519_KEY_LEN);
        ed25519_sign(secret, text.data, text.len, part->signatures[at].signature);
        part->signature_count += at == part->signature_count;
    }
    buffer_free(&text);
    return e;
}

size_t genesis_draft_unsigned(const struct genesis_draft_part *part) {
    size_t need = part->org.admin_threshold;
    return part->signature_count < need ? need - part->signature_count : 0;
}

static enum err check_signatures(const struct genesis_draft *draft, const struct genesis_draft_part *part,
                                 struct why *why) {
    struct buffer text = BUFFER_INIT;
    enum err e = signed_bytes(draft, part, &text);
    for (size_t i = 0; i < part->signature_count && e == OK; i++) {
        const struct genesis_draft_signature *s = &part->signatures[i];
        char hex[2 * ED25519_KEY_LEN + 1];
        hex_encode(s->admin, sizeof s->admin, hex);
        for (size_t j = 0; j < i && e == OK; j++) {
            if (memcmp(part->signatures[j].admin, s->admin, sizeof s->admin) == 0) {
                e = wrong(why, ERR_SIGNATURE, "organisation %s: admin %s has signed twice", part->org.id, hex);
            }
        }
        if (e == OK && !is_admin(&part->org, s->admin)) {
            e = wrong(why, ERR_SIGNATURE, "organisation %s: %s has signed, but is none of its admins", part->org.id,
                      hex);
        } else if (e == OK && !ed25519_verify(s->admin, text.data, text.len, s->signature)) {
            e = wrong(why, ERR_SIGNATURE,
                      "organisation %s: the signature of admin %s does not verify: the part or the draft's head was "
                      "changed after it; the organisation must add its part again",
                      part->org.id, hex);
        }
    }
    buffer_free(&text);
    return e;
}

/* ---- Rules ---- */

/* Is it 0.0.0.0, ::, or another way to write them? */
static bool is_unspecified(const char *host) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, NULL, &hints, &found) != 0) {
        return false; /* a name */
    }
    bool zero = false;
    if (found->ai_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, found->ai_addr, sizeof v4);
        zero = v4.sin_addr.s_addr == htonl(INADDR_ANY);
    } else if (found->ai_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, found->ai_addr, sizeof v6);
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
        zero = mapped ? bytes_is_zero(v6.sin6_addr.s6_addr + 12, 4) : IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
    }
    freeaddrinfo(found);
    return zero;
}

static bool is_port(const char *text, size_t len) {
    unsigned value = 0;
    for (size_t i = 0; i < len && value <= PORT_MAX; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    return len > 0 && value > 0 && value <= PORT_MAX;
}

/* What is wrong with "host:port" or "[v6]:port" of `len` bytes as a place where others find a node; NULL when nothing
 * is. */
static const char *place_flaw(const char *text, size_t len, bool needs_port) {
    char host[GENESIS_TEXT_MAX + 1];
    bool bracket = len > 0 && text[0] == '[';
    size_t start = bracket, end = start;
    while (end < len && text[end] != (bracket ? ']' : ':')) {
        if (text[end] <= ' ' || text[end] > '~' || strchr("/@?#", text[end]) != NULL) {
            return "is not HOST:PORT";
        }
        end++;
    }
    size_t after = end + bracket;
    bool has_port = after < len && text[after] == ':';
    if (end == start || end - start > GENESIS_TEXT_MAX || after > len || (after < len && !has_port) ||
        (has_port ? !is_port(text + after + 1, len - after - 1) : needs_port)) {
        return "is not HOST:PORT";
    }
    memcpy(host, text + start, end - start);
    host[end - start] = '\0';
    return is_unspecified(host) ? "means every address of a machine; give the one at which others reach it" : NULL;
}

/* 0: none of those that nodes speak. */
static size_t scheme_len(const char *url) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strncmp(url, schemes[i], strlen(schemes[i])) == 0) {
            return strlen(schemes[i]);
        }
    }
    return 0;
}

static const char *url_flaw(const char *url) {
    size_t scheme = scheme_len(url);
    for (const char *p = url; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~') {
            return "is not an http:// or https:// URL";
        }
    }
    if (scheme == 0) {
        return "is not an http:// or https:// URL";
    }
    return place_flaw(url + scheme, strcspn(url + scheme, "/"), false);
}

static enum err check_node(const struct genesis_draft_part *part, const struct genesis_node *node, struct why *why) {
    char hex[2 * ED25519_KEY_LEN + 1];
    hex_encode(node->key, sizeof node->key, hex);
    if (strcmp(node->org, part->org.id) != 0) {
        return wrong(why, ERR_INVALID, "organisation %s: node %s belongs to %s", part->org.id, hex, node->org);
    }
    bool gateway = node->role == NODE_GATEWAY;
    if (gateway && node->peer[0] != '\0') {
        return wrong(why, ERR_INVALID, "node %s: a gateway has no peer address, only dials out", hex);
    }
    const char *flaw = gateway ? NULL : place_flaw(node->peer, strlen(node->peer), true);
    if (flaw != NULL) {
        return wrong(why, ERR_INVALID, "node %s: peer address '%s' %s", hex, node->peer, flaw);
    }
    flaw = node->http[0] == '\0' ? NULL : url_flaw(node->http);
    return flaw == NULL ? OK : wrong(why, ERR_INVALID, "node %s: HTTP address '%s' %s", hex, node->http, flaw);
}

static enum err check_part(const struct genesis_draft *draft, const struct genesis_draft_part *part, struct why *why) {
    if (!genesis_org_id_is_clean(part->org.id)) {
        return wrong(why, ERR_INVALID, "organisation id '%s' must be 1 to 32 of a-z, 0-9 and '-'", part->org.id);
    }
    if (part > draft->parts && strcmp(part[-1].org.id, part->org.id) == 0) {
        return wrong(why, ERR_INVALID, "organisation %s has two parts", part->org.id);
    }
    const char *flaw = genesis_org_flaw(&part->org);
    if (flaw != NULL) {
        return wrong(why, ERR_INVALID, "organisation %s: %s", part->org.id, flaw);
    }
    enum err e = part->node_count <= NODES_PER_ORG_MAX
                     ? OK
                     : wrong(why, ERR_INVALID, "organisation %s: at most %d nodes", part->org.id, NODES_PER_ORG_MAX);
    for (size_t i = 0; i < part->node_count && e == OK; i++) {
        e = check_node(part, &part->nodes[i], why);
    }
    return e == OK ? check_signatures(draft, part, why) : e;
}

enum err genesis_draft_genesis(const struct genesis_draft *draft, struct genesis *out) {
    struct genesis g = {.time_ms = draft->time_ms, .params = draft->params, .org_count = draft->part_count};
    memcpy(g.name, draft->name, sizeof g.name);
    memcpy(g.salt, draft->salt, sizeof g.salt);
    for (size_t i = 0; i < draft->part_count; i++) {
        g.node_count += draft->parts[i].node_count;
    }
    g.orgs = calloc(g.org_count + 1, sizeof *g.orgs);
    g.nodes = calloc(g.node_count + 1, sizeof *g.nodes);
    if (g.orgs == NULL || g.nodes == NULL) {
        genesis_free(&g);
        return ERR_NOMEM;
    }
    struct genesis_node *node = g.nodes;
    for (size_t i = 0; i < draft->part_count; i++) {
        g.orgs[i] = draft->parts[i].org;
        for (size_t j = 0; j < draft->parts[i].node_count; j++) {
            *node++ = draft->parts[i].nodes[j];
        }
    }
    *out = g;
    return OK;
}

/* The rules across records; a genesis without validators breaks one that is not due yet, so they wait for the first. */
static enum err check_genesis(const struct genesis_draft *draft, const struct verify_crypto *crypto, bool whole,
                              struct why *why) {
    struct genesis genesis;
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    struct why flaw = WHY_NONE;
    enum err e = genesis_draft_genesis(draft, &genesis);
    if (e != OK) {
        return wrong(why, e, "%s", err_text(e));
    }
    if (whole || genesis_validators(&genesis, keys) > 0) {
        e = contracts_genesis_check(&genesis, crypto, &flaw);
    }
    genesis_free(&genesis);
    if (e != OK) {
        return wrong(why, e, "%s", why_said(&flaw) ? flaw.text : err_text(e));
    }
    return OK;
}

static enum err check(const struct genesis_draft *draft, const struct verify_crypto *crypto, bool whole,
                      struct why *why) {
    if (draft->name[0] == '\0' || text_judge(draft->name, GENESIS_NAME_MAX, TEXT_NAME) != CODE_OK) {
        return wrong(why, ERR_INVALID, "name must be 1 to %d bytes of clean text", GENESIS_NAME_MAX);
    }
    enum err e = OK;
    (void)wrong(why, ERR_NOMEM, "%s", err_text(ERR_NOMEM)); /* what stands when nobody says it better */
    for (size_t i = 0; i < draft->part_count && e == OK; i++) {
        e = check_part(draft, &draft->parts[i], why);
    }
    return e == OK ? check_genesis(draft, crypto, whole, why) : e;
}

enum err genesis_draft_check(const struct genesis_draft *draft, const struct verify_crypto *crypto,
                             struct why *out_why) {
    return check(draft, crypto, false, out_why);
}

enum err genesis_draft_seal(const struct genesis_draft *draft, const struct verify_crypto *crypto, struct buffer *out,
                            struct why *out_why) {
    struct genesis genesis;
    enum err e = check(draft, crypto, true, out_why);
    for (size_t i = 0; i < draft->part_count && e == OK; i++) {
        const struct genesis_draft_part *part = &draft->parts[i];
        size_t need = genesis_draft_unsigned(part);
        if (need > 0) {
            e = wrong(out_why, ERR_DENIED,
                      "organisation %s: %zu of the %u signatures of its admins %s missing (assay genesis sign)",
                      part->org.id, need, part->org.admin_threshold, need == 1 ? "is" : "are");
        }
    }
    if (e != OK) {
        return e;
    }
    e = genesis_draft_genesis(draft, &genesis);
    if (e == OK) {
        e = genesis_json_render(&genesis, out);
        genesis_free(&genesis);
    }
    return e == OK ? OK : wrong(out_why, e, "%s", err_text(e));
}
