/* Name-based UUIDs, version 5 (RFC 9562 section 5.5), as RFC 9124 asks for vendor and class identifiers. */
#ifndef ASSAY_BASE_UUID_H
#define ASSAY_BASE_UUID_H

#include "base/bytes.h"

#define UUID_LEN 16

/* RFC 9124: the vendor's from its domain name, the class's from the class name within the vendor's. */
void uuid_vendor(struct bytes domain, uint8_t out[UUID_LEN]);
void uuid_class(const uint8_t vendor_id[UUID_LEN], struct bytes class_name, uint8_t out[UUID_LEN]);

#endif
