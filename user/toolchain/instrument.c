/*
 * ftl-instrument: turns canonical assembly for riscv64 into sandboxed assembly. A pass of ftl-cc;
 * see docs/sandbox.md for what it does and why the kernel need not trust it. Ends with status
 * REWRITE_STATUS_TABLES, without a message, if the compiler should do without switch tables.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/toolchain/names.h"
#include "user/toolchain/rewrite.h"

static int usage(void)
{
    fprintf(
        stderr,
        "usage: ftl-instrument [--flavour=trap|mask] [--no-zba] [--source=NAME] INPUT OUTPUT\n");
    return 2;
}

static bool parse_option(const char *argument, struct rewrite_options *options, const char **source)
{
    if (strcmp(argument, "--flavour=trap") == 0) {
        options->trap = true;
    } else if (strcmp(argument, "--flavour=mask") == 0) {
        options->trap = false;
    } else if (strcmp(argument, "--no-zba") == 0) {
        options->zba = false;
    } else if (strncmp(argument, "--source=", 9) == 0) {
        *source = argument + 9;
    } else {
        return false;
    }
    return true;
}

/* The whole input as one string. clang puts NULs into comments of debug information: they become
 * blanks. */
static char *read_assembly(const char *input)
{
    size_t size;
    char *text = read_file(input, &size);

    for (size_t i = 0; text != NULL && i < size; i++) {
        if (text[i] == '\0') {
            text[i] = ' ';
        }
    }
    return text;
}

/* Instruments input into the file output, which is removed again on failure. */
static int instrument(const char *input, const char *output, const char *source,
                      const struct rewrite_options *options)
{
    struct rewrite_error error;
    char *text = read_assembly(input);
    FILE *out;
    bool good;

    if (text == NULL) {
        fprintf(stderr, "ftl-instrument: %s: %s\n", input, strerror(errno));
        return EXIT_FAILURE;
    }
    out = fopen(output, "w");
    if (out == NULL) {
        fprintf(stderr, "ftl-instrument: %s: %s\n", output, strerror(errno));
        free(text);
        return EXIT_FAILURE;
    }
    good = rewrite_assembly(text, options, out, &error);
    if (!good && !error.tables) {
        if (error.source_line != 0) {
            fprintf(stderr, "%s:%lu: %s\n", error.source_file, error.source_line, error.message);
        } else {
            fprintf(stderr, "%s:%lu: %s\n", source, error.line, error.message);
        }
    }
    if (fclose(out) != 0 && good) {
        fprintf(stderr, "ftl-instrument: %s: %s\n", output, strerror(errno));
        good = false;
    }
    free(text);
    if (good) {
        return EXIT_SUCCESS;
    }
    remove(output);
    return error.tables ? REWRITE_STATUS_TABLES : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct rewrite_options options = { .trap = true, .zba = true };
    const char *source = NULL;
    int at = 1;

    while (at < argc && argv[at][0] == '-' && parse_option(argv[at], &options, &source)) {
        at++;
    }
    if (argc - at != 2) {
        return usage();
    }
    return instrument(argv[at], argv[at + 1], source == NULL ? argv[at] : source, &options);
}
