#include "node/cli/publish.h"

#include "base/file.h"
#include "contracts/firmware/firmware.pb-c.h"
#include "contracts/firmware/release.h"
#include "node/answers/blob.h"
#include "node/answers/registry.h"
#include "node/json/record_json.h"
#include "ipfs-lite/cid.h"
#include "node/host/host_crypto.h"
#include "verify/suit_build.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the node's store says of the uploaded image. */
struct uploaded {
    char cid_text[CID_TEXT_SIZE];
    uint8_t cid[CID_LEN];
    uint8_t sha256[HASH_LEN];
    uint8_t tree_root[HASH_LEN];
    uint64_t size;
};

struct work {
    struct txcmd *tx;
    const struct publish_request *request;
    struct uploaded image, sbom;
    uint64_t sequence;
    uint8_t component;
    size_t envelope_len;
    uint8_t envelope[SUIT_ENVELOPE_MAX];
    uint8_t draft[SUIT_ENVELOPE_MAX];
};

/* `of_class`: it must fit a component slot of the class, which the node looks at before it reads it. */
static int upload(struct work *w, const char *file, bool of_class, struct uploaded *out) {
    json_t *answer = NULL;
    struct client *client = w->tx->client;
    struct buffer path = BUFFER_INIT;
    buffer_words(&path, "/v1/blobs");
    if (of_class) {
        names_class_query(w->request->class_text, &path);
    }
    enum err e =
        buffer_text(&path) != NULL ? client_upload_file(client, buffer_text(&path), file, true, &answer) : ERR_NOMEM;
    buffer_free(&path);
    if (e != OK) {
        return args_fail("upload of %s: %s", file, client_why(client));
    }
    struct blob_answer blob;
    struct cid cid;
    int status = txcmd_take(client, &blob_answer_shape, answer, &blob);
    json_decref(answer);
    if (status == ARGS_GO_ON && cid_decode(bytes_of(blob.cid, CID_LEN), &cid) == OK) {
        cid_format(&cid, out->cid_text);
        memcpy(out->cid, blob.cid, CID_LEN);
        memcpy(out->sha256, blob.sha256, HASH_LEN);
        memcpy(out->tree_root, blob.tree_root, HASH_LEN);
        out->size = blob.size;
    }
    return status;
}

/* The class's next sequence and its first component slot. */
static int ask_class(struct work *w) {
    struct buffer path = BUFFER_INIT;
    json_t *answer = NULL;
    struct class_answer class;
    buffer_words(&path, "/v1/classes");
    names_class_query(w->request->class_text, &path);
    enum err e = buffer_text(&path) != NULL ? client_get_json(w->tx->client, buffer_text(&path), &answer) : ERR_NOMEM;
    buffer_free(&path);
    if (e != OK) {
        return args_fail("class %s: %s", w->request->class_text, client_why(w->tx->client));
    }
    int status = txcmd_take(w->tx->client, &class_answer_shape, answer, &class);
    json_decref(answer);
    w->component = class.definition.def.slots[0].component;
    w->sequence = w->request->sequence != 0 ? w->request->sequence : class.record.highest_released + 1;
    return status;
}

/* NULL: no bytes. */
static struct bytes given(const char *text) {
    return text != NULL ? bytes_str(text) : bytes_of(NULL, 0);
}

static enum verdict build_draft(struct work *w, size_t *out_len) {
    char uri[CID_TEXT_SIZE + 16];
    struct suit_release release = {.sequence = w->sequence,
                                   .component = {&w->component, 1},
                                   .image_size = w->image.size,
                                   .version = given(w->request->version),
                                   .description = given(w->request->description),
                                   .vendor_domain = given(w->request->class.domain),
                                   .format = SUIT_FORMAT_RAW};
    (void)snprintf(uri, sizeof uri, "ipfs://%s", w->image.cid_text);
    release.uri = given(uri);
    memcpy(release.vendor_id, w->request->class.vendor_id, UUID_BYTES);
    memcpy(release.class_id, w->request->class.class_id, UUID_BYTES);
    memcpy(release.image_digest, w->image.sha256, HASH_LEN);
    return suit_build_release(&host_crypto, &release, w->draft, sizeof w->draft, out_len);
}

/* Builds the envelope and signs it with every key of the transaction. */
static int make_envelope(struct work *w) {
    size_t draft_len = 0;
    size_t text_len = 0;
    struct suit_envelope draft;
    struct suit_new_signature signatures[SUIT_SIGNATURES_MAX];
    uint8_t text[COSE_SIGNED_MAX];
    size_t count = w->tx->key_count < SUIT_SIGNATURES_MAX ? w->tx->key_count : SUIT_SIGNATURES_MAX;
    enum verdict v = build_draft(w, &draft_len);
    if (v == GOOD) {
        v = suit_envelope_parse(bytes_of(w->draft, draft_len), &draft);
    }
    for (size_t i = 0; i < count && v == GOOD; i++) {
        const struct keyfile *key = &w->tx->keys[i];
        signatures[i] = (struct suit_new_signature){.algorithm = COSE_EDDSA, .key_id = {key->public_key, KEY_LEN}};
        v = suit_signed_bytes(&draft, COSE_EDDSA, signatures[i].key_id, text, &text_len);
        if (v == GOOD) {
            ed25519_sign(key->secret, text, text_len, signatures[i].signature);
        }
    }
    if (v == GOOD) {
        v = suit_attach(&draft, signatures, count, w->envelope, sizeof w->envelope, &w->envelope_len);
    }
    return v == GOOD ? ARGS_GO_ON : args_fail("can't build the SUIT envelope: %s", verdict_text(v));
}

/* An envelope made elsewhere: its sequence is what counts. */
static int read_envelope(struct work *w) {
    struct buffer file = BUFFER_INIT;
    struct suit_envelope envelope;
    struct suit_manifest manifest;
    enum err e = file_read(w->request->envelope, sizeof w->envelope, &file);
    if (e != OK) {
        buffer_free(&file);
        return args_fail("%s: %s", w->request->envelope, err_text(e));
    }
    memcpy(w->envelope, file.data, file.len);
    w->envelope_len = file.len;
    buffer_free(&file);
    enum verdict v = suit_envelope_parse(bytes_of(w->envelope, w->envelope_len), &envelope);
    if (v == GOOD) {
        v = suit_manifest_parse(&host_crypto, &envelope, &manifest);
    }
    if (v != GOOD) {
        return args_fail("%s: not a SUIT envelope this product takes: %s", w->request->envelope, verdict_text(v));
    }
    w->sequence = manifest.sequence;
    return ARGS_GO_ON;
}

static int send_registration(struct work *w, json_t **out) {
    Assay__RegisterRelease message;
    assay__register_release__init(&message);
    message.class_id = names_binary(w->request->class.class_id, UUID_BYTES);
    message.envelope = names_binary(w->envelope, w->envelope_len);
    message.image_cid = names_binary(w->image.cid, CID_LEN);
    message.image_size = w->image.size;
    message.image_digest = names_binary(w->image.sha256, HASH_LEN);
    message.image_tree_root = names_binary(w->image.tree_root, HASH_LEN);
    message.version = names_text(w->request->version);
    if (w->request->sbom != NULL) {
        message.sbom_cid = names_binary(w->sbom.cid, CID_LEN);
    }
    if (w->request->notes != NULL) {
        message.notes = w->request->notes;
    }
    return txcmd_send(w->tx, "firmware", "register", &message.base, out);
}

/* What is told of a release here is called as in a node's answers. */
static void tell(json_t *answer, size_t at, json_t *value) {
    (void)json_object_set_new(answer, record_name_at(&release_shape, at), value);
}
#define TELL(answer, member, value) tell(answer, offsetof(struct release_record, member), value)

static json_t *hex_json(const uint8_t hash[HASH_LEN]) {
    char hex[2 * HASH_LEN + 1];
    hex_encode(hash, HASH_LEN, hex);
    return json_string(hex);
}

/* The release's id and state stand in the contract's result; with --out there is none yet. */
static void add_result(json_t *answer) {
    struct buffer bytes = BUFFER_INIT;
    Assay__ReleaseResult *result =
        txcmd_result(answer, &bytes) ? assay__release_result__unpack(NULL, bytes.len, bytes.data) : NULL;
    if (result != NULL && result->release_id.len == HASH_LEN) {
        TELL(answer, id, hex_json(result->release_id.data));
        TELL(answer, state, json_string(release_state_name((enum release_state)result->state)));
        (void)json_object_set_new(answer, "signers", json_integer(result->signers));
        (void)json_object_set_new(answer, "required_signers", json_integer(result->required_signers));
    }
    if (result != NULL) {
        assay__release_result__free_unpacked(result, NULL);
    }
    buffer_free(&bytes);
}

static void add_facts(const struct work *w, json_t *answer) {
    (void)json_object_set_new(answer, "class", json_string(w->request->class_text));
    TELL(answer, version, json_string(w->request->version));
    TELL(answer, sequence, json_integer((json_int_t)w->sequence));
    TELL(answer, image_cid, json_string(w->image.cid_text));
    TELL(answer, image_size, json_integer((json_int_t)w->image.size));
    TELL(answer, image_digest, hex_json(w->image.sha256));
    if (w->request->sbom != NULL) {
        TELL(answer, sbom_cid, json_string(w->sbom.cid_text));
    }
}

static int register_release(struct work *w, json_t **out) {
    json_t *answer = NULL;
    int status = send_registration(w, &answer);
    if (status == ARGS_GO_ON) {
        add_result(answer);
        add_facts(w, answer);
        *out = answer;
    }
    return status;
}

int publish(struct txcmd *tx, const struct publish_request *request, json_t **out) {
    struct work *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return args_fail("out of memory");
    }
    w->tx = tx;
    w->request = request;
    /* The class first: a mistake there must not cost an upload. */
    int status = ask_class(w);
    if (status == ARGS_GO_ON && client_login(tx->client, tx->keys[0].secret) != OK) {
        status = args_fail("log in for the upload: %s", client_why(tx->client));
    }
    if (status == ARGS_GO_ON) {
        status = upload(w, request->image, true, &w->image);
    }
    if (status == ARGS_GO_ON && request->sbom != NULL) {
        status = upload(w, request->sbom, false, &w->sbom);
    }
    if (status == ARGS_GO_ON) {
        status = request->envelope != NULL ? read_envelope(w) : make_envelope(w);
    }
    if (status == ARGS_GO_ON) {
        status = register_release(w, out);
    }
    free(w);
    return status;
}
