/*
 * A small RV64 hart for tests: integer instructions, multiplication, atomics, Zba and Zbb with
 * their results, floating-point ones with any result. Written from the specifications and knowing
 * nothing of the sandbox's own table of instructions: what is not here may do anything, as far as a
 * proof is concerned.
 */
#ifndef TESTS_SANDBOX_MODEL_MACHINE_H
#define TESTS_SANDBOX_MODEL_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* What instructions need of the world around the hart. */
struct machine_bus {
    /* Moves size (1, 2, 4, 8) bytes, zero-extended. False: a fault. */
    bool (*load)(void *context, uint64_t address, unsigned int size, uint64_t *value);
    bool (*store)(void *context, uint64_t address, unsigned int size, uint64_t value);
    /*
     * Gives a result that is not followed: of floating-point instructions, and whether an sc fails.
     */
    uint64_t (*anything)(void *context);
    void *context;
};

struct machine {
    uint64_t x[32];
    uint64_t pc;
    const struct machine_bus *bus;
};

enum machine_event {
    MACHINE_STEPPED,
    MACHINE_FAULT,   /* a memory access did not go through */
    MACHINE_STOPPED, /* ebreak, or an instruction that is illegal by definition */
    MACHINE_UNKNOWN, /* privileged, reserved, or of an extension that is none of ours */
};

/* Executes word as the instruction at machine->pc. After anything but MACHINE_STEPPED nothing has
 * changed. */
enum machine_event machine_step(struct machine *machine, uint32_t word);

#endif
