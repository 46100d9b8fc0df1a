/*
 * Explains why sandboxed code was stopped, from the instructions around the place: which register
 * held the bad address, and what was to be done with it. For reports only; nothing depends on it.
 * Freestanding.
 */
#ifndef KERNEL_SANDBOX_REPORT_H
#define KERNEL_SANDBOX_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sandbox_stop {
    SANDBOX_STOP_LOAD,
    SANDBOX_STOP_STORE,
    SANDBOX_STOP_ATOMIC,
    SANDBOX_STOP_JUMP,   /* indirect call or jump to something that is no landing pad */
    SANDBOX_STOP_RETURN, /* the same for ra */
    SANDBOX_STOP_STACK,  /* sp was set to something outside of the window */
    SANDBOX_STOP_CHECK,  /* an object-level check of the compiler, or __builtin_trap */
};

struct sandbox_report {
    enum sandbox_stop stop;
    uint8_t reg;    /* the address is this register's value (x0..x31) ... */
    int64_t offset; /* ... plus this */
    uint8_t size;   /* bytes, of an access */
};

/*
 * Explains a breakpoint, illegal instruction or page fault at code[index] (count words in all, the
 * code as it was verified). False if the instructions there explain nothing.
 */
bool sandbox_explain(const uint32_t *code, size_t count, size_t index,
                     struct sandbox_report *report);

/* A word or two for the kind of stop: "load", "jump", "stack pointer". */
const char *sandbox_stop_name(enum sandbox_stop stop);

#endif
