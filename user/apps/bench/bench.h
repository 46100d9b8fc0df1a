/* What the parts of the benchmark share. */
#ifndef BENCH_H
#define BENCH_H

#include <ftl/status.h>
#include <ftl/types.h>
#include <stddef.h>
#include <stdint.h>

#define ROUNDS     2000
#define STACK_SIZE 16384
#define PAGE       ((size_t)4096)

#ifdef __FTL_SANDBOX__
#define OWN_ISOLATION FTL_ISOLATION_SANDBOX
#else
#define OWN_ISOLATION FTL_ISOLATION_USER
#endif

/* Ends the program with a message unless the status is FTL_OK. */
void require(ftl_status_t status, const char *what);

/* Instructions retired so far; under -icount by all harts together. */
uint64_t instructions(void);

/* Prints the instructions of one round of an operation, without the measuring and the loop. */
void measure(const char *metric, unsigned rounds, void (*operation)(void *context), void *context);

/* Two notifications, and the harts (bits) that the second thread is to stay on, 0 for any. */
struct ping_pong {
    ftl_handle_t ping;
    ftl_handle_t pong;
    uint64_t harts;
};

/* Signals there and back between two threads. Makes the notifications. */
void measure_notification(const char *metric, struct ping_pong *pair);

/* harts.c: keeps the calling thread on these harts. */
void stay_on(uint64_t harts);
/*
 * The work that independent threads get done, one on each of so many harts; wake-ups across harts.
 */
void measure_harts(unsigned count);

/* memory.c: what objects take. */
void measure_memory(void);

#endif
