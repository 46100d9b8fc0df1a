/*
 * What the kernel's IPC objects need of threads, processes and the scheduler, for tests that drive
 * them call by call. Simulated threads: one is current; a call that stops leaves it so, and
 * fake_run() goes on with it once it was notified, as the scheduler would.
 */
#ifndef IPC_FAKES_H
#define IPC_FAKES_H

#include "host/test.h"

#include "kernel/call.h"
#include "kernel/process.h"
#include "kernel/thread.h"

#define FAKE_THREADS 4

extern struct process fake_processes[2];
extern struct timer_queue fake_timers;           /* the only hart's */
extern struct thread fake_threads[FAKE_THREADS]; /* the last one belongs to fake_processes[1] */

/* For every test: all as new, thread 0 current. And after it: nothing may be left allocated. */
int fake_setup(void **state);
int fake_teardown(void **state);

/* Makes a thread the current one. */
void fake_switch(unsigned thread);

/* Whether the thread stopped in a call, and whether it was notified since. */
bool fake_is_stopped(unsigned thread);
bool fake_is_ready(unsigned thread);

/* Makes the stopped thread current and finishes what it is stopped in: it may stop again. */
struct call_result fake_run(unsigned thread);

/* The same after its deadline has passed, and as one that is killed. */
struct call_result fake_expire(unsigned thread);
void fake_kill(unsigned thread);

/* The object of a handle of the current process, which keeps its reference. */
void *fake_object(ftl_handle_t handle);

/* Closes a handle of the current process. */
void fake_close(ftl_handle_t handle);

/* Fails the test unless a result is this. */
#define assert_status(result, expected) assert_int_equal((result).status, (expected))
#define assert_value(result, expected)                                                             \
    do {                                                                                           \
        struct call_result assert_value_result = (result);                                         \
        assert_int_equal(assert_value_result.status, FTL_OK);                                      \
        assert_int_equal(assert_value_result.value, (expected));                                   \
    } while (0)

/* The value of a call that must succeed. */
uint64_t fake_ok(struct call_result result);

#endif
