/*
 * The verifier: decides whether code may run in the kernel's address space. Any code it accepts
 * keeps every load, store and jump in its window, whoever made it. See docs/sandbox.md.
 * Freestanding; no allocation; linear in the size of the code.
 */
#ifndef KERNEL_SANDBOX_VERIFY_H
#define KERNEL_SANDBOX_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses are relative to the image's first byte, which is the gate page (FTL_GATE_OFFSET). */
struct sandbox_verify_input {
    const uint8_t *code; /* 4-byte aligned; not changed by anybody from now on */
    size_t size;         /* bytes */
    uint64_t address;    /* of code[0]: behind the gate page */
    uint64_t image_size; /* from the image's first to its last byte, data included */
    uint64_t entry;
    const uint8_t *claims; /* what the producer claims to hold at branch targets: see claims.h */
    size_t claims_size;    /* bytes; 0: no claims */
    uint8_t *targets;      /* SANDBOX_TARGETS_SIZE(size) bytes for the verifier's use */
};

/* Bitmaps of joins and of claims, and for each 64 instructions the number of claims before. */
#define SANDBOX_TARGETS_SIZE(code_size) (((code_size) / 256 + 1) * 20 + 8)

#define SANDBOX_TEXT_MAX 64

struct sandbox_verify_error {
    uint64_t address;            /* image-relative */
    uint32_t word;               /* the instruction there; 0 if outside of the code */
    char text[SANDBOX_TEXT_MAX]; /* the instruction, like a disassembler's */
    const char *rule;            /* short name, such as "ACCESS" */
    const char *reason;          /* one clause */
};

/* True if the code may be mapped executable. Else false, and *error says what is wrong where. */
bool sandbox_verify(const struct sandbox_verify_input *input, struct sandbox_verify_error *error);

#endif
