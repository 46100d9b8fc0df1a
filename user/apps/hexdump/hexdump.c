/*
 * hexdump: the bytes of files, or of the input, 16 a line: as numbers of two bytes, or with -C one
 * by one and as text. Lines that are as the one before are a *, unless -v is given. toybox has a
 * hexdump among what it calls unfinished; it loses what follows a NUL.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE 16

/* What is to be shown of the files, one behind the other, and how far that is done. */
struct dump {
    bool canonical;
    bool verbose;
    uint64_t skip; /* bytes still to be left out */
    uint64_t left; /* bytes still to be shown */
    uint64_t position;
    unsigned char line[LINE];
    size_t filled;
    unsigned char before[LINE]; /* the line before */
    bool has_before;
    bool in_star; /* a * stands for the lines just now */
};

static void print_canonical(const struct dump *dump)
{
    printf("%08" PRIx64, dump->position);
    for (size_t i = 0; i < LINE; i++) {
        fputs(i % 8 == 0 ? " " : "", stdout);
        if (i < dump->filled) {
            printf(" %02x", dump->line[i]);
        } else {
            fputs("   ", stdout);
        }
    }
    fputs("  |", stdout);
    for (size_t i = 0; i < dump->filled; i++) {
        unsigned char c = dump->line[i];
        putchar(c >= ' ' && c <= '~' ? c : '.');
    }
    puts("|");
}

/* A last odd byte is the low one of its number. */
static void print_words(const struct dump *dump)
{
    printf("%07" PRIx64, dump->position);
    for (size_t i = 0; i < LINE; i += 2) {
        if (i < dump->filled) {
            unsigned high = i + 1 < dump->filled ? dump->line[i + 1] : 0;
            printf(" %04x", high << 8 | dump->line[i]);
        } else {
            fputs("     ", stdout);
        }
    }
    putchar('\n');
}

static void print_line(struct dump *dump)
{
    bool same = dump->has_before && dump->filled == LINE && !dump->verbose &&
                memcmp(dump->line, dump->before, LINE) == 0;
    if (!same && dump->canonical) {
        print_canonical(dump);
    } else if (!same) {
        print_words(dump);
    } else if (!dump->in_star) {
        puts("*");
    }
    dump->in_star = same;
    dump->has_before = true;
    memcpy(dump->before, dump->line, LINE);
    dump->position += dump->filled;
    dump->filled = 0;
}

static void show(struct dump *dump, FILE *file)
{
    int c;
    while (dump->left > 0 && (c = getc(file)) != EOF) {
        if (dump->skip > 0) {
            dump->skip--;
            dump->position++;
            continue;
        }
        dump->line[dump->filled++] = (unsigned char)c;
        dump->left--;
        if (dump->filled == LINE) {
            print_line(dump);
        }
    }
}

static bool show_named(struct dump *dump, const char *name)
{
    FILE *file = fopen(name, "r");
    if (file != NULL) {
        show(dump, file);
    }
    bool ok = file != NULL && ferror(file) == 0;
    if (!ok) {
        fprintf(stderr, "hexdump: %s: %s\n", name, strerror(errno));
    }
    if (file != NULL) {
        fclose(file);
    }
    return ok;
}

static void finish(struct dump *dump)
{
    if (dump->filled > 0) {
        print_line(dump);
    }
    if (dump->has_before && dump->canonical) {
        printf("%08" PRIx64 "\n", dump->position);
    } else if (dump->has_before) {
        printf("%07" PRIx64 "\n", dump->position);
    }
}

static bool parse_bytes(const char *text, uint64_t *bytes)
{
    char *end;
    errno = 0;
    *bytes = strtoull(text, &end, 0);
    return end != text && *end == '\0' && errno == 0 && text[0] != '-';
}

static bool parse_option(struct dump *dump, int option, const char *argument)
{
    switch (option) {
    case 'C': dump->canonical = true; return true;
    case 'v': dump->verbose = true; return true;
    case 'n': return parse_bytes(argument, &dump->left);
    case 's': return parse_bytes(argument, &dump->skip);
    default: return false;
    }
}

int main(int argc, char **argv)
{
    struct dump dump = { .left = UINT64_MAX };
    bool ok = true;
    int option;
    while ((option = getopt(argc, argv, "Cvn:s:")) != -1) {
        if (!parse_option(&dump, option, optarg)) {
            fputs("usage: hexdump [-C] [-v] [-n BYTES] [-s BYTES] [FILE]...\n", stderr);
            return EXIT_FAILURE;
        }
    }
    if (optind == argc) {
        show(&dump, stdin);
        ok = ferror(stdin) == 0;
    }
    for (int i = optind; i < argc; i++) {
        ok = show_named(&dump, argv[i]) && ok;
    }
    finish(&dump);
    return ok && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
