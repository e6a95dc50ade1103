ipfs-lite_SRCS :=
ipfs-lite_PROTOS :=
ipfs-lite_TESTS :=
