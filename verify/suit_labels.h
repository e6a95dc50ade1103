/* Every label of the SUIT format this product knows, in one list: what it is called and what stands under it.
 * Internal to verify's SUIT files. Numbers are IANA's (registry "Software Update for the Internet of Things").
 */
#ifndef ASSAY_VERIFY_SUIT_LABELS_H
#define ASSAY_VERIFY_SUIT_LABELS_H

#include "verify/suit_walk.h"

/* What may stand in a place. "Wrapped" means within a byte string. */
enum suit_kind {
    SUIT_KIND_VERSION, /* number, must be 1 */
    SUIT_KIND_NUMBER,
    SUIT_KIND_POLICY, /* reporting policy: number up to 15 */
    SUIT_KIND_BOOL,
    SUIT_KIND_BYTES,
    SUIT_KIND_TEXT,
    SUIT_KIND_URI,
    SUIT_KIND_UUID,
    SUIT_KIND_HASH,           /* 32 bytes */
    SUIT_KIND_WRAPPED_DIGEST, /* SUIT_Digest */
    SUIT_KIND_COMPONENT,      /* component identifier */
    SUIT_KIND_INDEX,          /* component index: number, true, or a list of numbers */
    SUIT_KIND_COMMON,         /* wrapped map */
    SUIT_KIND_COMPONENTS,     /* list of component identifiers */
    SUIT_KIND_DEPENDENCIES,   /* map from component index to metadata */
    SUIT_KIND_DEPENDENCY,
    SUIT_KIND_PARAMETERS,
    SUIT_KIND_SEQUENCE,        /* wrapped */
    SUIT_KIND_SHARED_SEQUENCE, /* wrapped; only conditions and what prepares them */
    SUIT_KIND_SEVERABLE,       /* wrapped sequence, or a SUIT_Digest */
    SUIT_KIND_SEVERABLE_TEXT,  /* wrapped map from language to texts, or a SUIT_Digest */
    SUIT_KIND_TRY_EACH,        /* list of wrapped sequences, the last may be null */
    SUIT_KIND_LANGUAGE,        /* texts in one language */
    SUIT_KIND_COMPONENT_TEXT,  /* texts of one component */
    SUIT_KIND_MANIFEST,
    SUIT_KIND_ALTERNATIVE, /* an element of a try-each */
};

/* Space and identifier, label, kind, name. Labels below -255 are private use: format and base digest are this
 * product's, written only for images that are not raw. */
#define SUIT_LABEL_LIST(X)                                                                                             \
    X(MANIFEST, VERSION, 1, VERSION, "manifest-version")                                                               \
    X(MANIFEST, SEQUENCE_NUMBER, 2, NUMBER, "manifest-sequence-number")                                                \
    X(MANIFEST, COMMON, 3, COMMON, "common")                                                                           \
    X(MANIFEST, REFERENCE_URI, 4, URI, "reference-uri")                                                                \
    X(MANIFEST, COMPONENT_ID, 5, COMPONENT, "manifest-component-id")                                                   \
    X(MANIFEST, VALIDATE, 7, SEQUENCE, "validate")                                                                     \
    X(MANIFEST, LOAD, 8, SEQUENCE, "load")                                                                             \
    X(MANIFEST, INVOKE, 9, SEQUENCE, "invoke")                                                                         \
    X(MANIFEST, RESOLUTION, 15, SEVERABLE, "dependency-resolution")                                                    \
    X(MANIFEST, PAYLOAD_FETCH, 16, SEVERABLE, "payload-fetch")                                                         \
    X(MANIFEST, CANDIDATE, 18, SEVERABLE, "candidate-verification")                                                    \
    X(MANIFEST, INSTALL, 20, SEVERABLE, "install")                                                                     \
    X(MANIFEST, TEXT, 23, SEVERABLE_TEXT, "text")                                                                      \
    X(MANIFEST, UNINSTALL, 24, SEQUENCE, "uninstall")                                                                  \
    X(COMMON, DEPENDENCIES, 1, DEPENDENCIES, "dependencies")                                                           \
    X(COMMON, COMPONENTS, 2, COMPONENTS, "components")                                                                 \
    X(COMMON, SHARED_SEQUENCE, 4, SHARED_SEQUENCE, "shared-sequence")                                                  \
    X(COMMAND, VENDOR, 1, POLICY, "condition-vendor-identifier")                                                       \
    X(COMMAND, CLASS, 2, POLICY, "condition-class-identifier")                                                         \
    X(COMMAND, IMAGE_MATCH, 3, POLICY, "condition-image-match")                                                        \
    X(COMMAND, COMPONENT_SLOT, 5, POLICY, "condition-component-slot")                                                  \
    X(COMMAND, CHECK_CONTENT, 6, POLICY, "condition-check-content")                                                    \
    X(COMMAND, DEPENDENCY_INTEGRITY, 7, POLICY, "condition-dependency-integrity")                                      \
    X(COMMAND, IS_DEPENDENCY, 8, POLICY, "condition-is-dependency")                                                    \
    X(COMMAND, PROCESS_DEPENDENCY, 11, POLICY, "directive-process-dependency")                                         \
    X(COMMAND, SET_INDEX, 12, INDEX, "directive-set-component-index")                                                  \
    X(COMMAND, ABORT, 14, POLICY, "condition-abort")                                                                   \
    X(COMMAND, TRY_EACH, 15, TRY_EACH, "directive-try-each")                                                           \
    X(COMMAND, WRITE, 18, POLICY, "directive-write")                                                                   \
    X(COMMAND, SET_PARAMETERS, 19, PARAMETERS, "directive-set-parameters")                                             \
    X(COMMAND, OVERRIDE_PARAMETERS, 20, PARAMETERS, "directive-override-parameters")                                   \
    X(COMMAND, FETCH, 21, POLICY, "directive-fetch")                                                                   \
    X(COMMAND, COPY, 22, POLICY, "directive-copy")                                                                     \
    X(COMMAND, INVOKE, 23, POLICY, "directive-invoke")                                                                 \
    X(COMMAND, DEVICE, 24, POLICY, "condition-device-identifier")                                                      \
    X(COMMAND, SWAP, 31, POLICY, "directive-swap")                                                                     \
    X(COMMAND, RUN_SEQUENCE, 32, SEQUENCE, "directive-run-sequence")                                                   \
    X(COMMAND, UNLINK, 33, POLICY, "directive-unlink")                                                                 \
    X(PARAMETER, VENDOR_ID, 1, UUID, "vendor-id")                                                                      \
    X(PARAMETER, CLASS_ID, 2, UUID, "class-id")                                                                        \
    X(PARAMETER, IMAGE_DIGEST, 3, WRAPPED_DIGEST, "image-digest")                                                      \
    X(PARAMETER, SLOT, 5, NUMBER, "component-slot")                                                                    \
    X(PARAMETER, STRICT_ORDER, 12, BOOL, "strict-order")                                                               \
    X(PARAMETER, SOFT_FAILURE, 13, BOOL, "soft-failure")                                                               \
    X(PARAMETER, IMAGE_SIZE, 14, NUMBER, "image-size")                                                                 \
    X(PARAMETER, CONTENT, 18, BYTES, "content")                                                                        \
    X(PARAMETER, ENCRYPTION_INFO, 19, BYTES, "encryption-info")                                                        \
    X(PARAMETER, URI, 21, URI, "uri")                                                                                  \
    X(PARAMETER, SOURCE_COMPONENT, 22, NUMBER, "source-component")                                                     \
    X(PARAMETER, INVOKE_ARGS, 23, BYTES, "invoke-args")                                                                \
    X(PARAMETER, DEVICE_ID, 24, UUID, "device-id")                                                                     \
    X(PARAMETER, FORMAT, -256, NUMBER, "assay-payload-format")                                                         \
    X(PARAMETER, BASE_DIGEST, -257, HASH, "assay-base-digest")                                                         \
    X(TEXT, MANIFEST_DESCRIPTION, 1, TEXT, "manifest-description")                                                     \
    X(TEXT, UPDATE_DESCRIPTION, 2, TEXT, "update-description")                                                         \
    X(TEXT, JSON_SOURCE, 3, TEXT, "manifest-json-source")                                                              \
    X(TEXT, YAML_SOURCE, 4, TEXT, "manifest-yaml-source")                                                              \
    X(COMPONENT_TEXT, VENDOR_NAME, 1, TEXT, "vendor-name")                                                             \
    X(COMPONENT_TEXT, MODEL_NAME, 2, TEXT, "model-name")                                                               \
    X(COMPONENT_TEXT, VENDOR_DOMAIN, 3, TEXT, "vendor-domain")                                                         \
    X(COMPONENT_TEXT, MODEL_INFO, 4, TEXT, "model-info")                                                               \
    X(COMPONENT_TEXT, DESCRIPTION, 5, TEXT, "component-description")                                                   \
    X(COMPONENT_TEXT, VERSION, 6, TEXT, "component-version")                                                           \
    X(COMPONENT_TEXT, VERSION_REQUIRED, 7, TEXT, "component-version-required")                                         \
    X(DEPENDENCY, PREFIX, 1, COMPONENT, "dependency-prefix")

enum suit_label {
#define SUIT_LABEL_ENUM(space, id, label, kind, name) SUIT_##space##_##id = (label),
    SUIT_LABEL_LIST(SUIT_LABEL_ENUM)
#undef SUIT_LABEL_ENUM
};

/* The labels of what may be severed, in the manifest and in the envelope alike, by enum suit_severable. */
extern const uint8_t suit_severable_labels[SUIT_SEVERABLES];

/* Takes a SUIT_Digest: [ algorithm, bytes ]. BAD_UNSUPPORTED for another algorithm than SHA-256. */
enum verdict suit_take_digest(struct cbor_reader *r, struct bytes *out);

#endif
