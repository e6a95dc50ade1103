#include "base/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

void process_open_standard(void) {
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) {
        (void)close(fd);
    }
}

void process_keep_secrets(void) {
    const struct rlimit none = {0};
    (void)setrlimit(RLIMIT_CORE, &none);
#if !defined(ASSAY_SANITIZED) /* whose leak check looks in from another process */
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}
