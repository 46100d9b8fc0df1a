/* See posixfiletest.h. */
#include "posixfiletest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int must_open(const char *path, int flags, mode_t mode)
{
    int fd = open(path, flags, mode);
    if (fd < 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    return fd;
}

FILE *must_fopen(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    return file;
}

void make_file(const char *path, const char *text)
{
    int fd = must_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK_EQUAL(write(fd, text, strlen(text)), strlen(text));
    CHECK_EQUAL(close(fd), 0);
}

void check_file(const char *path, const char *text)
{
    char buffer[256];
    int fd = must_open(path, O_RDONLY, 0);
    ssize_t size = read(fd, buffer, sizeof(buffer));
    CHECK_EQUAL(size, strlen(text));
    CHECK(size == (ssize_t)strlen(text) && memcmp(buffer, text, (size_t)size) == 0);
    CHECK_EQUAL(close(fd), 0);
}

off_t size_of(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? status.st_size : -1;
}

int main(int argc, char **argv)
{
    static const struct check_part parts[] = {
        { "data", test_data },
        { "positions", test_positions },
        { "append", test_append },
        { "sparse", test_sparse },
        { "large", test_large },
        { "vectors", test_vectors },
        { "stdio", test_stdio },
        { "directories", test_directories },
        { "deep", test_deep },
        { "working", test_working },
        { "names", test_names },
        { "links", test_links },
        { "attributes", test_attributes },
        { "errors", test_errors },
        { "maps", test_maps },
        { "locks", test_locks },
        { "special", test_special },
        { "temporary", test_temporary },
        { "copy", test_copy },
        { "systems", test_systems },
        { "children", test_children },
        { "some", test_some },
    };
    static const struct check_part others[] = {
        { "many", test_many },
        { "hold", test_hold },
        { "meet", test_meet },
        { "restart", test_restart },
    };
    if (argc == 3 && strcmp(argv[1], "as") == 0) {
        return child_main(argv[2]);
    }
    if (argc < 2 || chdir(argv[1]) != 0) {
        fprintf(stderr, "usage: posixfiletest DIRECTORY [PART...]\n");
        return EXIT_FAILURE;
    }
    for (size_t i = 0; argc > 2 && i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(argv[2], others[i].name) == 0) {
            return check_run(others, sizeof(others) / sizeof(others[0]), argc - 1, argv + 1);
        }
    }
    return check_run(parts, sizeof(parts) / sizeof(parts[0]), argc - 1, argv + 1);
}
