ipfs-lite_SRCS := ipfs-lite/cid.c ipfs-lite/dag_pb.c ipfs-lite/unixfs.c ipfs-lite/image_tree.c ipfs-lite/importer.c \
    ipfs-lite/repo_index.c ipfs-lite/repo_table.c ipfs-lite/repo.c ipfs-lite/repo_publish.c ipfs-lite/repo_import.c \
    ipfs-lite/repo_verify.c ipfs-lite/repo_partial.c
ipfs-lite_PROTOS :=
ipfs-lite_TESTS := $(addprefix tests/unit/ipfs-lite/test_,cid.c dag_pb.c image_tree.c importer.c repo.c)
