/*
 * A machine of several harts for the kernel's core, in one host thread and repeatable: each hart is
 * a fiber that runs the real scheduler and calls; at every atomic access and lock (yield_points.h)
 * the simulator may let another hart go on, as its schedule says. Processes' code is C functions.
 * Time stands still but for what the schedule lets pass. Found by the simulator itself, which then
 * ends the program with the schedule's name: harts that wait for each other for ever, a context on
 * two harts, pages freed while some hart's TLB or root still leads there, and translations used
 * that are of earlier tables or of another address space.
 */
#ifndef SIM_H
#define SIM_H

#include "arch/context.h"
#include "kernel/thread.h"

#define SIM_HARTS_MAX 8

/* Which hart goes on when. */
struct sim_schedule {
    uint64_t seed;       /* not 0: harts change at random points ... */
    unsigned odds;       /* ... one in this many, and time leaps at few of them */
    size_t switch_count; /* seed 0: at these points, counted from the start, and rarely else */
    struct sim_switch {
        size_t point;
        unsigned choice; /* the next but so many of the harts that can go on */
    } switches[4];
};

/* A call that a process's code makes. */
struct sim_call {
    unsigned number; /* FTL_CALL_ */
    uint64_t args[6];
};

/*
 * A piece of a process's code, as long as nothing interrupts it. Its address is the thread's pc,
 * its variables are the thread's callee-saved registers (SIM_VAR); it sets context->pc to go
 * elsewhere. Returns whether it makes the call; that one's result is in a0 and a1 when the code
 * goes on.
 */
typedef bool (*sim_code)(struct context *context, struct sim_call *call);

#define SIM_VAR(n)   (17 + (n)) /* s2 and on: context->x[SIM_VAR(0)] to [SIM_VAR(7)] */
#define SIM_PC(code) ((vaddr_t)(code))

/* What the code of loaded images is: it sets context->pc first. */
extern sim_code sim_image_code;

/* Boots the kernel's core: `harts` harts, all idle, RAM of `ram` bytes. Once in a program. */
void sim_boot(unsigned harts, size_t ram);

/*
 * Lets the harts go on until none has anything to do, not even when time passes. The caller is hart
 * 0 in an interrupt meanwhile and whenever else it calls the kernel.
 */
void sim_run(const struct sim_schedule *schedule);

/* Points that the last run passed. */
size_t sim_points(void);

/* What the harts did in the last run. */
struct sim_statistics {
    size_t switches; /* from hart to hart */
    size_t leaps;    /* of time */
    size_t timer_interrupts;
    size_t tlb_fills;
    size_t left_stale;       /* translations that a flush left to be dropped later */
    size_t fast_words_calls; /* that took the fast path */
    size_t lazy; /* times seen that a hart slept while a thread that it may run was on a queue, and
                    nobody did anything */
};
extern struct sim_statistics sim_statistics;

/* Ends the program with a report. */
_Noreturn void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The address in the host of a byte of the process that runs on this hart, after page faults that
 * it takes; NULL: it may not make this access (FTL_MAP_). */
void *sim_access(vaddr_t address, unsigned access);

/* A device interrupts this hart, unless the source is masked or nobody's: then false. Source 1 is
 * the console's. */
#define SIM_SOURCES 8
bool sim_interrupt(uint32_t source);

/* Bytes that arrive at the console; the interrupt is hart 0's. */
void sim_console_input(const char *text);

/* Fails the test unless every hart's TLB agrees with the tables it caches. */
void sim_check_tlbs(void);

#endif
