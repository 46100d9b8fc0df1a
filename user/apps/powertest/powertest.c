/*
 * powertest DIRECTORY NUMBER: writes files from step NUMBER on without end, and says of each step
 * that it lasts, once fsync has said so. tests/qemu/power_cut.py cuts the power and knows what must
 * be there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES    12u
#define SIZE_MIN 100u
#define SIZES    50000u

static char data[SIZE_MIN + SIZES];

static void fail(const char *what)
{
    fprintf(stderr, "powertest: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int must_open(const char *name, int flags)
{
    int file = open(name, flags, 0600);
    if (file < 0) {
        fail(name);
    }
    return file;
}

static void write_all(int file, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(file, bytes, size);
        if (written < 0) {
            fail("write");
        }
        bytes += written;
        size -= (size_t)written;
    }
}

static void last(int file)
{
    if (fsync(file) != 0) {
        fail("fsync");
    }
    close(file);
}

/* A new file takes the place of an old one. */
static void replace(unsigned int number, const char *name)
{
    size_t size = SIZE_MIN + (size_t)number * 7919u % SIZES;
    for (size_t i = 0; i < size; i++) {
        data[i] = (char)((size_t)number * 31u + i * 7u + (i >> 8));
    }
    int file = must_open("new", O_WRONLY | O_CREAT | O_TRUNC);
    write_all(file, data, size);
    if (rename("new", name) != 0) {
        fail("rename");
    }
    last(file);
}

static void append(unsigned int number)
{
    char line[32];
    int length = snprintf(line, sizeof(line), "step %u\n", number);
    int file = must_open("log", O_WRONLY | O_CREAT | O_APPEND);
    write_all(file, line, (size_t)length);
    last(file);
}

static void remove_one(const char *name)
{
    if (unlink(name) != 0 && errno != ENOENT) {
        fail("unlink");
    }
    last(must_open(".", O_RDONLY | O_DIRECTORY));
}

int main(int argc, char **argv)
{
    char name[20];
    if (argc != 3 || chdir(argv[1]) != 0) {
        fprintf(stderr, "usage: powertest DIRECTORY NUMBER\n");
        return 2;
    }
    for (unsigned int number = (unsigned int)strtoul(argv[2], NULL, 10);; number++) {
        snprintf(name, sizeof(name), "file%u", number * 7u % FILES);
        switch (number % 4) {
        case 0:
        case 1: replace(number, name); break;
        case 2: append(number); break;
        default: remove_one(name); break;
        }
        printf("lasts: %u\n", number);
        fflush(stdout);
    }
}
