/* Bytes that the CID vectors are made of (tests/vectors/cid/unixfs.json, "generator"). */
#ifndef ASSAY_TESTS_LIB_IMAGE_GENERATOR_H
#define ASSAY_TESTS_LIB_IMAGE_GENERATOR_H

#include <stddef.h>
#include <stdint.h>

void generate(uint64_t offset, uint8_t *out, size_t len);

#endif
