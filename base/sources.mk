base_SRCS := base/error.c base/assert.c base/bytes.c base/buffer.c base/sha256.c base/ed25519.c base/merkle.c \
    base/clock.c base/file.c base/uuid.c base/p256.c
base_PROTOS :=
base_TESTS := tests/unit/base/test_bytes.c tests/unit/base/test_buffer.c tests/unit/base/test_merkle.c \
    tests/unit/base/test_crypto.c tests/unit/base/test_file.c
