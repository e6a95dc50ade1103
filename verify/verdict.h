/* Why a piece of evidence is believed or not.
 *
 * verify/ runs on validators, gateways and devices alike and judges manifests, certificates and proofs. A verdict
 * is the answer to "may I rely on this?", never a fault of the machine: nothing in verify/ can run out of anything.
 */
#ifndef ASSAY_VERIFY_VERDICT_H
#define ASSAY_VERIFY_VERDICT_H

/* Name, text for people that says what is wrong with the evidence. */
#define VERDICT_LIST(X)                                                                                                \
    X(GOOD, "good")                                                                                                    \
    X(BAD_TRUNCATED, "input ends too early")                                                                           \
    X(BAD_TRAILING, "bytes follow the end of the input")                                                               \
    X(BAD_ENCODING, "not in the canonical encoding")                                                                   \
    X(BAD_VERSION, "unknown format version")                                                                           \
    X(BAD_LIMIT, "over a limit of the verifier")                                                                       \
    X(BAD_UNSUPPORTED, "uses a feature this verifier does not support")                                                \
    X(BAD_CHAIN, "belongs to another chain")                                                                           \
    X(BAD_KIND, "certificate is not a finalization")                                                                   \
    X(BAD_EPOCH, "wrong epoch")                                                                                        \
    X(BAD_VALIDATORS, "validator set is not the trusted one")                                                          \
    X(BAD_QUORUM, "fewer signers than a quorum")                                                                       \
    X(BAD_SIGNATURE, "a signature does not verify")                                                                    \
    X(BAD_LINK, "headers are not linked by their hashes")                                                              \
    X(BAD_PATH, "tree path does not lead to the state root")                                                           \
    X(BAD_KEY, "proof is for another key")                                                                             \
    X(BAD_ABSENT, "value is proven absent")                                                                            \
    X(BAD_HEIGHT, "height below the last one accepted")                                                                \
    X(BAD_STALE, "older than the freshness limit")                                                                     \
    X(BAD_DIGEST, "digest does not match")                                                                             \
    X(BAD_AUTHOR, "author is not vouched for by the vendor")                                                           \
    X(BAD_VENDOR, "made for another vendor")                                                                           \
    X(BAD_CLASS, "made for another class of device")                                                                   \
    X(BAD_COMPONENT, "made for another component")                                                                     \
    X(BAD_SEQUENCE, "sequence number not allowed")                                                                     \
    X(BAD_SIZE, "size does not match or does not fit")                                                                 \
    X(BAD_REVOKED, "release is revoked")                                                                               \
    X(BAD_DEPENDENCY, "a dependency is missing")                                                                       \
    X(BAD_START, "trust starts before the trusting period")                                                            \
    X(BAD_PIN, "not the chain of the pinned block")

enum verdict {
#define VERDICT_ENUM(name, text) name,
    VERDICT_LIST(VERDICT_ENUM)
#undef VERDICT_ENUM
};

/* "BAD_QUORUM" and "fewer signers than a quorum". Never NULL. */
const char *verdict_name(enum verdict v);
const char *verdict_text(enum verdict v);

#endif
