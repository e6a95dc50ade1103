/* CRC-32C (Castagnoli, reflected polynomial 0x82F63B78): what tells a torn or rotten record from a whole one. */
#ifndef ASSAY_STORE_CRC32C_H
#define ASSAY_STORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues a checksum: crc32c(crc32c(0, a), b) is that of a followed by b. Uses the processor's instruction where
 * there is one. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);
/* The same without the instruction. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif
