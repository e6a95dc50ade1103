store_SRCS := store/crc32c.c store/disk_posix.c store/disk_files.c store/home_lock.c store/kv.c store/kv_layer.c store/kv_stack.c \
    store/kv_view.c store/kv_memory.c store/kv_lmdb.c store/kv_lmdb_read.c store/fault_guard.c \
    store/tree.c store/tree_node.c store/tree_prove.c \
    store/tree_check.c store/seglog.c store/seglog_format.c store/seglog_segment.c store/seglog_scan.c store/seglog_copy.c \
    store/snapshot.c store/snapshot_split.c
store_PROTOS :=
store_TESTS := $(foreach m,disk fault_guard home_lock seglog kv kv_lmdb tree snapshot,tests/unit/store/test_$(m).c)
