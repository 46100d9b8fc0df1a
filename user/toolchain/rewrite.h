/*
 * The instrumenter proper: rewrites canonical assembly (asm_text.h) so that the verifier accepts
 * what it assembles to. Guards are put only where sandbox_step() cannot prove an address.
 */
#ifndef USER_TOOLCHAIN_REWRITE_H
#define USER_TOOLCHAIN_REWRITE_H

#include <stdbool.h>
#include <stdio.h>

struct rewrite_options {
    bool trap; /* flavour: stop at a bad address; else force it into the window */
    bool zba;  /* the target has add.uw */
};

#define REWRITE_MESSAGE_MAX 256

struct rewrite_error {
    unsigned long line; /* of the input, from 1 */
    /* The same place in the source, if the input says it; 0: it does not. */
    unsigned long source_line;
    char source_file[REWRITE_MESSAGE_MAX];
    char message[REWRITE_MESSAGE_MAX];
    bool tables; /* it is a switch table: the compiler should do without */
};

/* How ftl-instrument says that. */
#define REWRITE_STATUS_TABLES 3

/*
 * Writes the instrumented form of the assembly in text to out. False, with *error filled in, if the
 * input has something that is not understood or not allowed in a sandbox; the output is then
 * useless.
 */
bool rewrite_assembly(const char *text, const struct rewrite_options *options, FILE *out,
                      struct rewrite_error *error);

#endif
