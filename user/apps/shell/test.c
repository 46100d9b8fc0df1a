/* `test` and `[`: conditions on files, texts and numbers, by recursive descent. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shell.h"

#define UNARY "bcdefghLnprSstwxz"

struct condition {
    char **word;
    size_t at;
    size_t count;
    const char *error; /* what is wrong; NULL: nothing */
};

static bool parse_or(struct condition *c);

static size_t left(const struct condition *c)
{
    return c->count - c->at;
}

static bool is_next(const struct condition *c, size_t offset, const char *text)
{
    return left(c) > offset && strcmp(c->word[c->at + offset], text) == 0;
}

static bool test_file(char operator_letter, const char *path)
{
    struct stat info;
    bool is_link = operator_letter == 'L' || operator_letter == 'h';
    if ((is_link ? lstat(path, &info) : stat(path, &info)) != 0) {
        return false;
    }
    switch (operator_letter) {
    case 'b': return S_ISBLK(info.st_mode);
    case 'c': return S_ISCHR(info.st_mode);
    case 'd': return S_ISDIR(info.st_mode);
    case 'f': return S_ISREG(info.st_mode);
    case 'g': return (info.st_mode & S_ISGID) != 0;
    case 'h':
    case 'L': return S_ISLNK(info.st_mode);
    case 'p': return S_ISFIFO(info.st_mode);
    case 'r': return access(path, R_OK) == 0;
    case 'S': return S_ISSOCK(info.st_mode);
    case 's': return info.st_size > 0;
    case 'w': return access(path, W_OK) == 0;
    case 'x': return access(path, X_OK) == 0;
    default: return true; /* -e */
    }
}

static bool test_unary(struct condition *c, char operator_letter, const char *text)
{
    switch (operator_letter) {
    case 'n': return text[0] != '\0';
    case 'z': return text[0] == '\0';
    case 't': {
        uint64_t descriptor;
        if (!shell_parse_number(text, INT32_MAX, &descriptor)) {
            c->error = text;
            return false;
        }
        return isatty((int)descriptor) == 1;
    }
    default: return test_file(operator_letter, text);
    }
}

static long long number(struct condition *c, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || end[strspn(end, " \t")] != '\0' || errno != 0) {
        c->error = text;
    }
    return value;
}

/* Is `a` a file that is newer than `b`? */
static bool is_newer(const char *a, const char *b)
{
    struct stat info_a;
    struct stat info_b;
    if (stat(a, &info_a) != 0) {
        return false;
    }
    if (stat(b, &info_b) != 0) {
        return true;
    }
    return info_a.st_mtim.tv_sec != info_b.st_mtim.tv_sec
               ? info_a.st_mtim.tv_sec > info_b.st_mtim.tv_sec
               : info_a.st_mtim.tv_nsec > info_b.st_mtim.tv_nsec;
}

static const char *const binaries[] = {
    "=", "==", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot",
};

#define BINARIES (sizeof(binaries) / sizeof(binaries[0]))

/* The index of a word that is an operator between two others. */
static size_t find_binary(const struct condition *c)
{
    size_t index = 0;
    while (index < BINARIES && !is_next(c, 1, binaries[index])) {
        index++;
    }
    return left(c) >= 3 ? index : BINARIES;
}

static bool test_binary(struct condition *c, size_t index, const char *a, const char *b)
{
    switch (index) {
    case 0:
    case 1: return strcmp(a, b) == 0;
    case 2: return strcmp(a, b) != 0;
    case 9: return is_newer(a, b);
    case 10: return is_newer(b, a);
    default: break;
    }
    long long x = number(c, a);
    long long y = number(c, b);
    switch (index) {
    case 3: return x == y;
    case 4: return x != y;
    case 5: return x < y;
    case 6: return x <= y;
    case 7: return x > y;
    default: return x >= y;
    }
}

static bool parse_primary(struct condition *c)
{
    if (left(c) == 0) {
        c->error = "the end";
        return false;
    }
    size_t binary = find_binary(c);
    char **word = c->word + c->at;
    if (binary < BINARIES) {
        c->at += 3;
        return test_binary(c, binary, word[0], word[2]);
    }
    if (left(c) > 1 && is_next(c, 0, "(")) {
        c->at++;
        bool holds = parse_or(c);
        if (!is_next(c, 0, ")")) {
            c->error = left(c) > 0 ? c->word[c->at] : "the end";
            return false;
        }
        c->at++;
        return holds;
    }
    if (left(c) > 1 && is_next(c, 0, "!")) {
        c->at++;
        return !parse_primary(c);
    }
    if (left(c) > 1 && word[0][0] == '-' && word[0][1] != '\0' && word[0][2] == '\0' &&
        strchr(UNARY, word[0][1]) != NULL) {
        c->at += 2;
        return test_unary(c, word[0][1], word[1]);
    }
    c->at++;
    return word[0][0] != '\0';
}

static bool parse_and(struct condition *c)
{
    bool holds = parse_primary(c);
    while (is_next(c, 0, "-a")) {
        c->at++;
        bool right = parse_primary(c);
        holds = holds && right;
    }
    return holds;
}

static bool parse_or(struct condition *c)
{
    bool holds = parse_and(c);
    while (is_next(c, 0, "-o")) {
        c->at++;
        bool right = parse_and(c);
        holds = holds || right;
    }
    return holds;
}

int32_t shell_test(struct shell *shell, size_t count, char **word)
{
    struct condition condition = { .word = word, .at = 1, .count = count };
    (void)shell;
    if (strcmp(word[0], "[") == 0) {
        if (strcmp(word[count - 1], "]") != 0) {
            fprintf(stderr, "[: the last word is not ]\n");
            return SHELL_USAGE;
        }
        condition.count--;
    }
    if (condition.count == 1) {
        return SHELL_FAILED;
    }
    bool holds = parse_or(&condition);
    if (condition.error == NULL && left(&condition) > 0) {
        condition.error = condition.word[condition.at];
    }
    if (condition.error != NULL) {
        fprintf(stderr, "%s: not understood: '%s'\n", word[0], condition.error);
        return SHELL_USAGE;
    }
    return holds ? SHELL_OK : SHELL_FAILED;
}
