verify_SRCS := verify/verdict.c verify/crypto.c verify/cbor.c verify/cose.c verify/suit.c verify/suit_walk.c \
    verify/suit_manifest.c verify/suit_names.c verify/suit_build.c
verify_PROTOS :=
verify_TESTS := tests/unit/verify/test_cbor.c tests/unit/verify/test_suit.c tests/unit/verify/test_suit_build.c
# Ledger proofs and what devices and vendors sign.
verify_SRCS += verify/block_header.c verify/certificate.c verify/state_proof.c verify/bundle.c verify/class_record.c \
    verify/statement.c verify/delegation.c verify/freshness.c verify/checkpoint.c
verify_TESTS += $(foreach m,block_header certificate state_proof bundle class_record statement delegation freshness checkpoint,\
    tests/unit/verify/test_$(m).c)
