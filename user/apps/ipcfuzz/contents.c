/* Random contents for messages, with handles to objects made for that: see ipc_contents.h. */
#include "ipc_contents.h"

#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/poll.h>
#include <ftl/timer.h>
#include <ftl/vmo.h>
#include <stdio.h>

#define ALLOCATED_MAX 4096u

static uint64_t random_state = 88172645463325252u;
static void *allocated[ALLOCATED_MAX];
static size_t allocated_count;

static void check(bool condition, const char *what)
{
    if (!condition) {
        printf("ipcfuzz: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

/* ---- Numbers and memory ---- */

void test_seed(uint64_t seed)
{
    random_state = seed;
}

uint64_t test_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state >> 3;
}

size_t test_below(size_t end)
{
    return (size_t)(test_number() >> 16) % end;
}

uint64_t test_choose(const uint64_t *from, size_t count)
{
    return from[test_below(count)];
}

uint32_t test_size(uint32_t max)
{
    return test_below(8) == 0 ? max : (uint32_t)test_below(test_below((size_t)max + 1) + 1);
}

void *test_bytes(size_t size)
{
    char *bytes = malloc(size);
    check(bytes != NULL && allocated_count < ALLOCATED_MAX, "no memory for contents");
    allocated[allocated_count++] = bytes;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)test_number();
    }
    return bytes;
}

const char *test_string(uint32_t max)
{
    uint32_t size = test_size(max);
    char *string = test_bytes((size_t)size + 1);
    for (uint32_t i = 0; i < size; i++) {
        string[i] = (char)('a' + test_below(26));
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
    return status == FTL_OK && test_below(8) != 0;
}

ftl_status_t test_not_encoded(ftl_status_t status)
{
    check(false, "what was decoded does not go into a list again");
    return status;
}

/* ---- Handles ---- */

static ftl_handle_t make_channel(void)
{
    ftl_handle_t second;
    ftl_handle_t first = FTL_HANDLE_INVALID;
    if (ftl_channel_create(&second, &first) == FTL_OK) {
        ftl_handle_close(second);
    }
    return first;
}

static ftl_handle_t make_object(ftl_object_type_t type)
{
    ftl_handle_t handle = FTL_HANDLE_INVALID;
    switch (type) {
    case FTL_OBJECT_VMO: ftl_vmo_create(FTL_PAGE_SIZE, &handle); break;
    case FTL_OBJECT_NOTIFICATION: ftl_notification_create(&handle); break;
    case FTL_OBJECT_TIMER: ftl_timer_create(&handle); break;
    case FTL_OBJECT_POLL: ftl_poll_create(&handle); break;
    default: handle = make_channel(); break;
    }
    return handle;
}

/* Mostly with just these rights and the one to be sent. */
ftl_handle_t test_handle(ftl_object_type_t type, ftl_rights_t rights)
{
    ftl_handle_t handle = make_object(type);
    ftl_handle_t reduced;
    if (test_below(4) != 0 &&
        ftl_handle_duplicate(handle, rights | FTL_RIGHT_TRANSFER, &reduced) == FTL_OK) {
        ftl_handle_close(handle);
        handle = reduced;
    }
    return handle;
}
