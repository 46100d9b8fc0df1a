/* The state of the host's machine: this thread's hart, the time. */
#include <sched.h>

#include "arch/hart.h"
#include "arch/timer.h"

_Thread_local unsigned host_hart_index;
nsec_t host_time;

static void yield_thread(void)
{
    sched_yield();
}

void (*host_relax)(void) = yield_thread;
