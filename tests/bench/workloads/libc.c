/* Parts of the C library (musl): SHA-256 by way of crypt, regular expressions, formatting. */
#define _GNU_SOURCE
#include <crypt.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads.h"

uint64_t library_sha256(void)
{
    static struct crypt_data data;
    const char *hash = crypt_r("correct horse", "$5$rounds=1000$window$", &data);

    require(hash != NULL && hash[0] == '$', "crypt");
    return hash_bytes(0, hash, strlen(hash));
}

#define REGEX_TEXT 2048

uint64_t library_regex(void)
{
    static const char *const patterns[] = {
        "([a-z]+) (of|in) (the|a) ([a-z]+)",
        "p(ro|oi)[a-z]*[rf]",
        "[[:space:]]k[^ ]*l($|[[:space:]])",
    };
    static char text[REGEX_TEXT + 1];
    uint64_t matches = 0;

    make_text(text, REGEX_TEXT);
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        regex_t regex;
        regmatch_t match[5];
        require(regcomp(&regex, patterns[i], REG_EXTENDED | REG_NEWLINE) == 0, "regcomp");
        const char *at = text;
        while (regexec(&regex, at, 5, match, at == text ? 0 : REG_NOTBOL) == 0) {
            matches = matches * 31 + (uint64_t)match[0].rm_eo;
            at += match[0].rm_eo;
        }
        regfree(&regex);
    }
    return matches;
}

#define PRINTF_ROUNDS 200

uint64_t library_printf(void)
{
    char line[128], word[16];
    uint64_t hash = 0;

    for (int i = 0; i < PRINTF_ROUNDS; i++) {
        double real = 0;
        int number = 0;
        int length = snprintf(line, sizeof(line), "%d %s %#lx %8.3f|%-6u|%c", i * 7919, "register",
                              (unsigned long)i << 20, i * 0.125, (unsigned)i, 'a' + i % 26);
        require(sscanf(line, "%d %15s %*s %lf", &number, word, &real) == 3 && number == i * 7919,
                "sscanf");
        hash = hash_bytes(hash + (uint64_t)(real * 8), line, (size_t)length);
    }
    return hash;
}
