/* The state of the host's machine: this thread's hart, the time. */
#include "arch/hart.h"
#include "arch/timer.h"

_Thread_local unsigned host_hart_index;
nsec_t host_time;
