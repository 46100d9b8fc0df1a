/*
 * The parts of threadtest, and what they share: threads without a C library under them, on stacks
 * of one page or less, which may make kernel calls and nothing else.
 */
#ifndef THREADTEST_H
#define THREADTEST_H

#include "user/apps/testing/check.h"

void test_calls(void);
void test_kill(void);
void test_many(void);
void test_spread(void);
void test_sync(void);

#define RAW_STACK_SIZE 1024

/* Starts a thread that calls the function, which does not return. */
ftl_handle_t raw_start(void (*function)(uint64_t argument), uint64_t argument, void *stack);

/* For raw threads: spins until it is killed. */
_Noreturn void raw_spin(uint64_t argument);

/* Waits for the thread's end, and closes the handle. */
void join(ftl_handle_t thread);

struct ftl_thread_info thread_info(ftl_handle_t thread);
struct ftl_process_info process_info(void);

/* Lets others run until the thread is in this ftl_thread_state_t. */
void await_state(ftl_handle_t thread, uint32_t state);

#endif
