#include "base/process.h"
#include "node/daemon.h"
#include "node/host/exit_status.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
    "usage: assayd --home HOME\n"
    "\n"
    "Runs the node whose configuration and keys are in HOME (assay.conf; made by\n"
    "`assay testnet`), in the foreground, until SIGTERM or SIGINT. Prints \"ready\" with its addresses when it\n"
    "serves; logs to stderr, one line an event.\n"
    "\n"
    "  --home HOME   the node's folder\n"
    "  --version     print the version\n"
    "  --help        print this\n"
    "\n"
    "Exit status: 0 stopped, 1 failed, 2 what it was given is wrong, 3 what it has must be looked at.\n";

int main(int argc, char **argv) {
    static const struct option options[] = {{"home", required_argument, NULL, 'h'},
                                            {"help", no_argument, NULL, '?'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    process_open_standard();
    process_keep_secrets();
    const char *home = NULL;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == 'h') {
            home = optarg;
        } else if (option == 'v') {
            (void)printf("assayd %s\n", ASSAY_VERSION);
            return EXIT_STATUS_CLEAN;
        } else if (option == '?' && optopt == 0) {
            (void)fputs(usage, stdout);
            return EXIT_STATUS_CLEAN;
        } else {
            (void)fprintf(stderr, "assayd: unknown or incomplete option %s; see assayd --help\n", argv[optind - 1]);
            return EXIT_STATUS_WRONG;
        }
    }
    if (home == NULL || optind != argc) {
        (void)fprintf(stderr, "assayd: --home HOME is needed and nothing else; see assayd --help\n");
        return EXIT_STATUS_WRONG;
    }
    return daemon_run(home);
}
