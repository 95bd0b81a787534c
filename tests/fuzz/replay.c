/* replay.c - gives a fuzz target every file of the folders that are named, without libFuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

/* Runs the target on one file, in memory of exactly its size; false: it cannot be read. */
static int replay_file(const char *path)
{
    struct stat status;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &status) < 0) {
        perror(path);
        if (file)
            fclose(file);
        return 0;
    }
    size_t bytes = (size_t)status.st_size;
    uint8_t *data = malloc(bytes ? bytes : 1);
    int ok = data && fread(data, 1, bytes, file) == bytes;
    fclose(file);
    if (ok)
        LLVMFuzzerTestOneInput(data, bytes);
    free(data);
    return ok;
}

int main(int argc, char **argv)
{
    unsigned cnt = 0, bad = 0;
    for (int i = 1; i < argc; i++) {
        struct dirent **entry;
        int entries = scandir(argv[i], &entry, NULL, alphasort);
        for (int j = 0; j < entries; j++) {
            char path[4096];
            snprintf(path, sizeof(path), "%s/%s", argv[i], entry[j]->d_name);
            if (entry[j]->d_name[0] != '.') {
                bad += !replay_file(path);
                cnt++;
            }
            free(entry[j]);
        }
        if (entries >= 0)
            free(entry);
    }
    printf("%u inputs, %u unreadable\n", cnt, bad);
    return cnt == 0 || bad != 0;
}
