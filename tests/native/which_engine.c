/* Asks the C library for the engine of a backend; says how that ended, and which engine libraries are
 * open then. */
#include <sdcpp.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char** argv) {
    char line[4096];
    FILE* maps = NULL;
    if (argc != 2) {
        return 2;
    }
    if (sdcpp_engine_choose(argv[1]) == SDCPP_OK) {
        puts("ok");
    } else {
        const sdcpp_error* error = sdcpp_last_error();
        printf("%s: %s\n", error->kind, error->message);
    }
    maps = fopen("/proc/self/maps", "r");
    if (maps == NULL) {
        return 1;
    }
    while (fgets(line, sizeof line, maps) != NULL) {
        const char* path = strchr(line, '/');
        if (path != NULL && strstr(path, "libsdcpp_engine_") != NULL) {
            printf("open: %s", path);
        }
    }
    fclose(maps);
    return 0;
}
