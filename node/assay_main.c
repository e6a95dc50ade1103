/* assay: the command line. */
#include "base/process.h"
#include "node/cli/commands.h"

int main(int argc, char **argv) {
    process_open_standard();
    process_keep_secrets();
    return commands_main(argc, argv);
}
