/* See ipc_contents.h. */
#include "ipc_contents.h"

#include <ftl/channel.h>
#include <ftl/handle.h>
#include <stdio.h>

#include "host/test.h"

#define ALLOCATED_MAX 4096u
#define TYPE_SHIFT    32

static struct host_random random_state = { 20261125 };
static void *allocated[ALLOCATED_MAX];
static size_t allocated_count;

static void check(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "ipc_contents: %s\n", what);
        abort();
    }
}

/* ---- Contents ---- */

void test_seed(uint64_t seed)
{
    random_state.state = seed;
}

uint64_t test_number(void)
{
    return host_random(&random_state) >> 3;
}

size_t test_below(size_t end)
{
    return host_random_below(&random_state, end);
}

uint64_t test_choose(const uint64_t *from, size_t count)
{
    return from[test_below(count)];
}

uint32_t test_size(uint32_t max)
{
    switch (test_below(4)) {
    case 0: return 0;
    case 1: return max;
    default: return (uint32_t)test_below((size_t)max + 1);
    }
}

void *test_bytes(size_t size)
{
    check(allocated_count < ALLOCATED_MAX, "too many contents");
    char *bytes = malloc(size);
    allocated[allocated_count++] = bytes;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)host_random(&random_state);
    }
    return bytes;
}

const char *test_string(uint32_t max)
{
    uint32_t size = test_size(max);
    char *string = test_bytes((size_t)size + 1);
    for (uint32_t i = 0; i < size; i++) {
        string[i] = string[i] == '\0' ? 'x' : string[i];
    }
    string[size] = '\0';
    return string;
}

void test_forget(void)
{
    while (allocated_count > 0) {
        free(allocated[--allocated_count]);
    }
}

struct ftl_ipc_list test_list(uint32_t max)
{
    char *room = test_bytes(max);
    return (struct ftl_ipc_list){ .items = room, .room = room, .room_size = max };
}

bool test_goes_on(ftl_status_t status)
{
    check(status == FTL_OK || status == FTL_ERR_TOO_SMALL, "what fits is put into the list");
    return status == FTL_OK && test_below(8) != 0;
}

ftl_status_t test_not_encoded(ftl_status_t status)
{
    check(false, "what was decoded does not go into a list again");
    return status;
}

/* ---- The kernel ---- */

ftl_handle_t test_handle(ftl_object_type_t type, ftl_rights_t rights)
{
    return (ftl_handle_t)(type == FTL_OBJECT_ANY ? TEST_ANY_TYPE : type) << TYPE_SHIFT | rights;
}

ftl_status_t ftl_handle_check(ftl_handle_t handle, uint32_t type, ftl_rights_t rights)
{
    if (handle == FTL_HANDLE_INVALID) {
        return FTL_ERR_HANDLE_FORGED;
    }
    if (type != FTL_OBJECT_ANY && handle >> TYPE_SHIFT != type) {
        return FTL_ERR_WRONG_TYPE;
    }
    return (rights & ~(ftl_rights_t)handle) == 0 ? FTL_OK : FTL_ERR_MISSING_RIGHT;
}

ftl_status_t ftl_handle_close(ftl_handle_t handle)
{
    (void)handle;
    check(false, "a handle is closed");
    return FTL_OK;
}

ftl_status_t ftl_channel_send(ftl_handle_t channel, const struct ftl_message *message,
                              ftl_nsec_t deadline)
{
    (void)channel;
    (void)message;
    (void)deadline;
    check(false, "a message is sent");
    return FTL_OK;
}

ftl_status_t ftl_channel_call(ftl_handle_t channel, const struct ftl_message *request,
                              struct ftl_message *reply, ftl_nsec_t deadline)
{
    (void)reply;
    return ftl_channel_send(channel, request, deadline);
}

ftl_status_t ftl_channel_reply(ftl_handle_t channel, uint64_t transaction,
                               const struct ftl_message *message)
{
    (void)transaction;
    return ftl_channel_send(channel, message, 0);
}
