/* Files that a command writes because it was told to (--out, --proof). */
#ifndef ASSAY_NODE_CLI_OUT_FILE_H
#define ASSAY_NODE_CLI_OUT_FILE_H

#include "base/bytes.h"

/* Writes the file at once or not at all, in the place of one of the same name: unless that one is no file, or a private
 * key. Says why it can't, and gives the status to end with; ARGS_GO_ON when
 * done. */
int out_file_write(const char *path, struct bytes bytes);

#endif
