#include "tests/lib/temp_dir.h"

char temp_dir[64];

int temp_dir_make(void **state) {
    (void)state;
    (void)snprintf(temp_dir, sizeof temp_dir, "/tmp/assay-store-XXXXXX");
    return mkdtemp(temp_dir) == NULL ? -1 : 0;
}

int temp_dir_wipe(const char *dir) {
    DIR *d = opendir(dir);
    if (d == NULL) {
        return -1;
    }
    for (const struct dirent *entry = readdir(d); entry != NULL; entry = readdir(d)) {
        char path[400];
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        (void)unlink(path);
    }
    (void)closedir(d);
    return rmdir(dir);
}

int temp_dir_remove(void **state) {
    (void)state;
    return temp_dir_wipe(temp_dir);
}
