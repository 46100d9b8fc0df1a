/* What lwIP needs from the system: time, numbers that are hard to guess, and an end. */
#include "port.h"

#include <ftl/clock.h>
#include <lwip/sys.h>
#include <stdio.h>
#include <stdlib.h>

#define NSEC_PER_MSEC 1000000

static uint64_t random_state;

uint32_t sys_now(void)
{
    ftl_nsec_t now = 0;
    ftl_clock_get(&now);
    return (uint32_t)(now / NSEC_PER_MSEC);
}

/* One step of the generator SplitMix64. */
static uint64_t mix(uint64_t *state)
{
    uint64_t value = *state += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

void port_seed(void)
{
    ftl_nsec_t now = 0;
    uint64_t instructions = 0;
    ftl_clock_get(&now);
    ftl_clock_instructions(&instructions);
    random_state ^= (uint64_t)now;
    mix(&random_state);
    random_state ^= instructions;
}

uint32_t tcpip_random(void)
{
    return (uint32_t)mix(&random_state);
}

_Noreturn void tcpip_assertion_failed(const char *message, const char *file, int line)
{
    printf("tcpip: %s:%d: %s\n", file, line, message);
    fflush(stdout);
    abort();
}
