#include "node/cli/out_file.h"

#include "base/file.h"
#include "node/cli/args.h"
#include "node/host/keyfile.h"

#include <sys/stat.h>

int out_file_write(const char *path, struct bytes bytes) {
    struct stat st;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && keyfile_looks_like_one(path)) {
        return args_fail("%s: holds a private key and is not overwritten; name another file", path);
    }
    enum err e = file_write(path, bytes, 0644);
    return e == OK ? ARGS_GO_ON : args_fail("%s: %s", path, err_text(e));
}
