/* Error codes of the host programs.
 *
 * One enum for everything that can go wrong on this machine or be refused at its edge. Every fallible
 * function returns `enum err` and is NODISCARD; outputs are untouched on failure. What a contract answers
 * to a transaction is not an error but data: see contracts/kernel/code.h. Why a piece of evidence (manifest,
 * proof, certificate) is refused is a verdict: see verify/verdict.h.
 */
#ifndef ASSAY_BASE_ERROR_H
#define ASSAY_BASE_ERROR_H

#define NODISCARD __attribute__((warn_unused_result))

/* Name, text for people. The text completes the sentence "failed: ...". */
#define ERR_LIST(X)                                                                                                    \
    X(OK, "ok")                                                                                                        \
    X(ERR_NOMEM, "out of memory")                                                                                      \
    X(ERR_IO, "input/output error")                                                                                    \
    X(ERR_NOSPACE, "no space left on device")                                                                          \
    X(ERR_NOTFOUND, "not found")                                                                                       \
    X(ERR_EXISTS, "already exists")                                                                                    \
    X(ERR_NOFILE, "is no file but a folder, link, socket or device")                                                   \
    X(ERR_BUSY, "in use by another process")                                                                           \
    X(ERR_MODE, "file mode too open")                                                                                  \
    X(ERR_MALFORMED, "malformed input")                                                                                \
    X(ERR_TOOLARGE, "over the size limit")                                                                             \
    X(ERR_RANGE, "value out of range")                                                                                 \
    X(ERR_UNSUPPORTED, "not supported")                                                                                \
    X(ERR_SIGNATURE, "signature does not verify")                                                                      \
    X(ERR_MISMATCH, "does not match")                                                                                  \
    X(ERR_CORRUPT, "stored data is damaged")                                                                           \
    X(ERR_FULL, "queue or table is full")                                                                              \
    X(ERR_DUPLICATE, "already known")                                                                                  \
    X(ERR_EXPIRED, "expired")                                                                                          \
    X(ERR_DENIED, "not allowed")                                                                                       \
    X(ERR_INVALID, "breaks a rule of the protocol")                                                                    \
    X(ERR_TIMEOUT, "timed out")                                                                                        \
    X(ERR_NETWORK, "network error")                                                                                    \
    X(ERR_CLOSED, "closed")                                                                                            \
    X(ERR_CONFIG, "bad configuration")                                                                                 \
    X(ERR_DIVERGED, "own state differs from the finalized one")

enum err {
#define ERR_ENUM(name, text) name,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
};

/* "ERR_IO" and "input/output error". Never NULL. */
const char *err_name(enum err code);
const char *err_text(enum err code);

/* The error that fits an errno value (ENOSPC and EDQUOT give ERR_NOSPACE, ENOENT ERR_NOTFOUND, ...). */
enum err err_from_errno(int number);

#endif
