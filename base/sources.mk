base_SRCS := base/error.c base/assert.c base/bytes.c base/buffer.c base/sha256.c base/ed25519.c base/merkle.c \
    base/clock.c base/file.c base/uuid.c base/p256.c base/x25519.c base/aead.c base/hmac.c
base_PROTOS :=
base_TESTS := tests/unit/base/test_x25519.c tests/unit/base/test_aead.c tests/unit/base/test_hmac.c \
    tests/unit/base/test_bytes.c tests/unit/base/test_buffer.c tests/unit/base/test_merkle.c \
    tests/unit/base/test_crypto.c tests/unit/base/test_file.c
base_SRCS += base/secretbox.c
base_TESTS += tests/unit/base/test_secretbox.c
