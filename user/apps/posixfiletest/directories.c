/* Directories: what is in them, and where we are. */
#include "posixfiletest.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY 10000
#define SOME 1000
#define DEEP 40

static DIR *must_opendir(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    return directory;
}

/* Counts the entries but "." and "..", which have to be there. */
static int count_entries(const char *path)
{
    int count = 0;
    int dots = 0;
    const struct dirent *entry;
    DIR *directory = must_opendir(path);
    while ((entry = readdir(directory)) != NULL) {
        bool is_dot = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        dots += is_dot;
        count += !is_dot;
    }
    CHECK_EQUAL(dots, 2);
    CHECK_EQUAL(closedir(directory), 0);
    return count;
}

/* Positions of a directory's stream lead back to where they were told. */
static void check_positions(const char *path)
{
    char name[NAME_MAX + 1];
    const struct dirent *entry;
    DIR *directory = must_opendir(path);
    CHECK(readdir(directory) != NULL);
    CHECK(readdir(directory) != NULL);
    long place = telldir(directory);
    entry = readdir(directory);
    if (entry == NULL) {
        CHECK(false);
        return;
    }
    strcpy(name, entry->d_name);
    while (readdir(directory) != NULL) {
    }
    seekdir(directory, place);
    entry = readdir(directory);
    CHECK(entry != NULL && strcmp(entry->d_name, name) == 0);
    rewinddir(directory);
    int count = 0;
    while (readdir(directory) != NULL) {
        count++;
    }
    CHECK_EQUAL(count, 5);
    CHECK_EQUAL(closedir(directory), 0);
}

void test_directories(void)
{
    struct stat status;
    CHECK_EQUAL(mkdir("directory", 0755), 0);
    CHECK_FAILS(mkdir("directory", 0755), EEXIST);
    CHECK_EQUAL(stat("directory", &status), 0);
    CHECK(S_ISDIR(status.st_mode));
    CHECK_EQUAL(status.st_mode & 07777, 0755);
    CHECK_EQUAL(count_entries("directory"), 0);
    make_file("directory/a", "");
    make_file("directory/b", "");
    CHECK_EQUAL(mkdir("directory/c", 0700), 0);
    CHECK_EQUAL(count_entries("directory"), 3);
    check_positions("directory");
    CHECK_FAILS(rmdir("directory"), ENOTEMPTY);
    CHECK_FAILS(unlink("directory/c"), EISDIR);
    CHECK_FAILS(rmdir("directory/a"), ENOTDIR);

    int fd = must_open("directory", O_RDONLY | O_DIRECTORY, 0);
    CHECK_FAILS(read(fd, &status, 1), EISDIR);
    CHECK_FAILS(open("directory", O_WRONLY), EISDIR);
    CHECK_EQUAL(faccessat(fd, "b", F_OK, 0), 0);
    CHECK_EQUAL(unlinkat(fd, "b", 0), 0);
    CHECK_EQUAL(unlinkat(fd, "c", AT_REMOVEDIR), 0);
    int inside = openat(fd, "d", O_WRONLY | O_CREAT, 0600);
    CHECK(inside >= 0 && close(inside) == 0);
    CHECK_EQUAL(fstatat(fd, "d", &status, 0), 0);
    CHECK_EQUAL(count_entries("directory"), 2);
    CHECK_EQUAL(unlinkat(fd, "d", 0), 0);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(unlink("directory/a"), 0);
    CHECK_EQUAL(rmdir("directory"), 0);
    CHECK_FAILS(rmdir("directory"), ENOENT);
}

/* All entries that are there all the time are listed once, whatever happens meanwhile. */
static void list_under_change(int total)
{
    static bool seen[MANY];
    int count = 0;
    const struct dirent *entry;
    char name[64];
    DIR *directory = must_opendir("many");
    memset(seen, 0, sizeof(seen));
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != 'f') {
            continue;
        }
        long number = strtol(entry->d_name + 1, NULL, 10);
        CHECK(number >= 0 && number < total && !seen[number]);
        seen[number] = true;
        count++;
        if (count % 100 == 0) { /* others come and go */
            snprintf(name, sizeof(name), "many/g%d", count);
            make_file(name, "");
            if (count > 100) {
                snprintf(name, sizeof(name), "many/g%d", count - 100);
                CHECK_EQUAL(unlink(name), 0);
            }
        }
    }
    CHECK_EQUAL(count, total);
    CHECK_EQUAL(closedir(directory), 0);
    snprintf(name, sizeof(name), "many/g%d", total);
    CHECK_EQUAL(unlink(name), 0);
}

static void fill_and_empty(int total)
{
    char name[64];
    CHECK_EQUAL(mkdir("many", 0700), 0);
    for (int i = 0; i < total; i++) {
        snprintf(name, sizeof(name), "many/f%d", i);
        int fd = must_open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        CHECK_EQUAL(close(fd), 0);
    }
    list_under_change(total);
    CHECK_EQUAL(count_entries("many"), total);
    for (int i = 0; i < total; i++) {
        snprintf(name, sizeof(name), "many/f%d", i);
        CHECK_EQUAL(unlink(name), 0);
    }
    CHECK_EQUAL(rmdir("many"), 0);
}

void test_many(void)
{
    fill_and_empty(MANY);
}

void test_some(void)
{
    fill_and_empty(SOME);
}

void test_deep(void)
{
    char name[NAME_MAX + 2];
    char path[PATH_MAX] = "deep";
    char cwd[PATH_MAX];
    memset(name, 'n', sizeof(name));
    name[NAME_MAX + 1] = '\0';
    CHECK_FAILS(mkdir(name, 0700), ENAMETOOLONG);
    CHECK_FAILS(open(name, O_WRONLY | O_CREAT, 0600), ENAMETOOLONG);
    name[NAME_MAX] = '\0';
    make_file(name, "long");
    check_file(name, "long");
    CHECK_EQUAL(unlink(name), 0);

    CHECK_EQUAL(mkdir(path, 0700), 0);
    for (int i = 0; i < DEEP; i++) {
        strcat(path, "/a rather long name");
        CHECK_EQUAL(mkdir(path, 0700), 0);
    }
    CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
    CHECK_EQUAL(chdir(path), 0);
    char deep[PATH_MAX];
    CHECK(getcwd(deep, sizeof(deep)) != NULL);
    CHECK_EQUAL(strlen(deep), strlen(cwd) + 1 + strlen(path));
    CHECK_TEXT(deep + strlen(cwd) + 1, path);
    CHECK_EQUAL(chdir(cwd), 0);
    while (strcmp(path, "deep") != 0) {
        CHECK_EQUAL(rmdir(path), 0);
        *strrchr(path, '/') = '\0';
    }
    CHECK_EQUAL(rmdir("deep"), 0);

    memset(path, 'a', sizeof(path));
    path[PATH_MAX - 1] = '\0';
    CHECK_FAILS(open(path, O_RDONLY), ENAMETOOLONG);
}

void test_working(void)
{
    char start[PATH_MAX];
    char cwd[PATH_MAX];
    char expected[PATH_MAX + 16];
    CHECK(getcwd(start, sizeof(start)) != NULL);
    CHECK_EQUAL(mkdir("working", 0700), 0);
    CHECK_EQUAL(mkdir("working/below", 0700), 0);
    int fd = must_open(".", O_RDONLY | O_DIRECTORY, 0);
    CHECK_EQUAL(chdir("working"), 0);
    make_file("file", "here");
    check_file("../working/file", "here");
    CHECK_EQUAL(chdir("below"), 0);
    check_file("../file", "here");
    CHECK_EQUAL(rename("../../working", "../../moved"), 0);
    snprintf(expected, sizeof(expected), "%s/moved/below", strcmp(start, "/") == 0 ? "" : start);
    CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
    CHECK_TEXT(cwd, expected); /* it is the same directory, wherever it is now */
    CHECK_FAILS(chdir("../file"), ENOTDIR);
    CHECK_FAILS(chdir("nowhere"), ENOENT);
    CHECK(getcwd(cwd, 3) == NULL && errno == ERANGE);
    char *whole = realpath("../file", NULL);
    snprintf(expected, sizeof(expected), "%s/moved/file", strcmp(start, "/") == 0 ? "" : start);
    CHECK(whole != NULL && strcmp(whole, expected) == 0);
    free(whole);
    CHECK_EQUAL(fchdir(fd), 0);
    CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
    CHECK_TEXT(cwd, start);
    CHECK_FAILS(fchdir(0), ENOTDIR);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(chdir("moved/below"), 0);
    CHECK_EQUAL(rmdir("../below"), 0);
    CHECK(getcwd(cwd, sizeof(cwd)) == NULL && errno == ENOENT);
    CHECK_EQUAL(chdir("/"), 0);
    CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
    CHECK_TEXT(cwd, "/");
    CHECK_EQUAL(chdir(start), 0);
    CHECK_EQUAL(unlink("moved/file"), 0);
    CHECK_EQUAL(rmdir("moved"), 0);
}
