/* A folder of a test's own, removed with what is in it. */
#ifndef ASSAY_TESTS_LIB_TEMP_DIR_H
#define ASSAY_TESTS_LIB_TEMP_DIR_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Its path, between temp_dir_make and temp_dir_remove. */
extern char temp_dir[64];

int temp_dir_make(void **state);
int temp_dir_wipe(const char *dir);
int temp_dir_remove(void **state);

#endif
