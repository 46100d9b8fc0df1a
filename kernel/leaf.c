/*
 * Leaf calls: they run on the process's stack, without using it, and entry.S clears no register
 * after them that they cannot have used. So they call nothing, and this file is compiled to use t0,
 * t1, a0 and a1 alone (kernel/CMakeLists.txt); tests/lint/leaf.py sees that it does.
 */
#include "calls.gen.h"

#include "arch/hart.h"
#include "arch/timer.h"

#include "kernel/system.h"

struct call_result sys_system_null(void)
{
    return call_status(FTL_OK);
}

struct call_result sys_clock_get(void)
{
    return call_value((uint64_t)time_now());
}

struct call_result sys_clock_instructions(void)
{
    return call_value(hart_instructions());
}

struct call_result sys_clock_offset(void)
{
    return call_value((uint64_t)__atomic_load_n(&system_clock_offset, __ATOMIC_RELAXED));
}
