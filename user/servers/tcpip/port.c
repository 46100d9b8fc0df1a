/* What lwIP needs from the system: time, numbers that are hard to guess, and an end. */
#include "port.h"

#include <ftl/clock.h>
#include <ftl/handle.h>
#include <ftl/protocols/entropy.h>
#include <ftl/server.h>
#include <lwip/sys.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NSEC_PER_MSEC 1000000

/* How long the stack waits for true randomness: a driver that does not answer does not stop it. */
#define ENTROPY_TIME (100 * (ftl_nsec_t)NSEC_PER_MSEC)

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

/* A number of the service `entropy`; false: there is none. */
static bool get_entropy(ftl_nsec_t deadline, uint64_t *number)
{
    ftl_handle_t channel;
    struct entropy_buffer buffer;
    struct entropy_read_request request = { .size = sizeof(*number) };
    struct entropy_read_reply reply;
    if (ftl_service_connect(&entropy_protocol, &channel) != FTL_OK) {
        return false;
    }
    ftl_status_t status = entropy_read(channel, &request, &reply, &buffer, deadline);
    ftl_handle_close(channel);
    if (status != FTL_OK || reply.data_size != sizeof(*number)) {
        return false;
    }
    memcpy(number, reply.data, sizeof(*number));
    return true;
}

/* Without a source of randomness, whoever knows the time of the start can guess what follows. */
void port_seed(void)
{
    uint64_t entropy = 0;
    ftl_nsec_t now = 0;
    uint64_t instructions = 0;
    ftl_clock_get(&now);
    ftl_clock_instructions(&instructions);
    random_state ^= (uint64_t)now;
    mix(&random_state);
    random_state ^= instructions;
    if (get_entropy(now + ENTROPY_TIME, &entropy)) {
        mix(&random_state);
        random_state ^= entropy;
    }
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
