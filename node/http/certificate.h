/* What is wrong, or soon will be, with a certificate that is served. */
#ifndef ASSAY_NODE_HTTP_CERTIFICATE_H
#define ASSAY_NODE_HTTP_CERTIFICATE_H

#include "base/bytes.h"
#include "base/why.h"

#define CERTIFICATE_SOON_DAYS 30u

/* The first certificate of a PEM chain: not good yet or any more, weak (RSA below 2048 bits, signed with MD5 or SHA-1), of
 * another host than `host` (NULL: any will do), or it ends within CERTIFICATE_SOON_DAYS. False: none of that. */
bool certificate_warning(struct bytes pem, const char *host, uint64_t now_ms, struct why *out);

#endif
