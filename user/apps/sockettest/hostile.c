/*
 * A hostile client of the service `socket`: random calls with random arguments, and random words in
 * the memory that it shares with the stack. It goes on until it has used up its tries; the stack
 * has to answer all of them, and others have to find their sockets working afterwards.
 */
#include "sockettest.h"

#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/protocols/socket.h>
#include <ftl/server.h>
#include <ftl/socket_memory.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <stdlib.h>
#include <string.h>

#include "user/apps/testing/check.h"

#define SLOTS 6
#define TRIES 20000

static struct {
    ftl_handle_t channel;
    ftl_handle_t doorbell;
    struct ftl_socket_memory *memory[SLOTS];
    struct socket_buffer buffer;
} hostile;

static uint32_t chance(uint32_t below)
{
    static uint64_t state = 20261125;
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(state >> 33) % below;
}

static ftl_handle_t notification(void)
{
    ftl_handle_t handle = FTL_HANDLE_INVALID;
    CHECK_OK(ftl_notification_create(&handle));
    return handle;
}

static void open_connection(void)
{
    struct socket_attach_request request;
    CHECK_OK(ftl_service_connect(&socket_protocol, &hostile.channel));
    hostile.doorbell = notification();
    CHECK_OK(ftl_handle_duplicate(hostile.doorbell, FTL_RIGHTS_SAME, &request.doorbell));
    CHECK_OK(socket_attach(hostile.channel, &request, &hostile.buffer, FTL_TIME_INFINITE));
}

static void add_slot(uint32_t index)
{
    uintptr_t address = 0;
    ftl_handle_t vmspace;
    struct socket_add_slot_reply reply;
    struct socket_add_slot_request request;
    CHECK_OK(ftl_vmo_create(FTL_SOCKET_MEMORY_SIZE, &request.memory));
    CHECK_OK(ftl_vmspace_self(&vmspace));
    CHECK_OK(ftl_vmspace_map(vmspace, request.memory, 0, FTL_SOCKET_MEMORY_SIZE,
                             FTL_MAP_READ | FTL_MAP_WRITE, 0, &address));
    ftl_handle_close(vmspace);
    request.readable = notification();
    request.writable = notification();
    CHECK_OK(
        socket_add_slot(hostile.channel, &request, &reply, &hostile.buffer, FTL_TIME_INFINITE));
    CHECK_EQUAL(reply.slot, index);
    hostile.memory[index] = (struct ftl_socket_memory *)address;
}

/* Memory that is no slot's is refused. */
static void wrong_memory(void)
{
    struct socket_add_slot_reply reply;
    struct socket_add_slot_request request;
    CHECK_OK(ftl_vmo_create(FTL_SOCKET_MEMORY_SIZE - FTL_PAGE_SIZE, &request.memory));
    request.readable = notification();
    request.writable = notification();
    CHECK_EQUAL(
        socket_add_slot(hostile.channel, &request, &reply, &hostile.buffer, FTL_TIME_INFINITE),
        FTL_ERR_INVALID_ARGUMENT);
}

static struct socket_address random_address(void)
{
    static const uint8_t families[] = { 0, 4, 4, 6 };
    struct socket_address address = { .family = families[chance(4)] };
    address.port = (uint16_t)(chance(4) == 0 ? chance(65536) : 7000 + chance(4));
    if (address.family == SOCKET_FAMILY_IPV4) {
        address.bytes[0] = 127;
        address.bytes[3] = 1;
    } else {
        address.bytes[15] = 1;
        address.scope = chance(3);
    }
    return address;
}

static uint32_t random_slot(void)
{
    return chance(20) == 0 ? chance(UINT32_MAX) : chance(SLOTS);
}

static ftl_status_t random_call(void)
{
    uint32_t slot = random_slot();
    ftl_handle_t channel = hostile.channel;
    struct socket_buffer *buffer = &hostile.buffer;
    switch (chance(10)) {
    case 0: {
        struct socket_open_request request = { slot, (uint8_t)(chance(2) ? 4 : 6),
                                               (uint8_t)chance(3) };
        return socket_open(channel, &request, buffer, FTL_TIME_INFINITE);
    }
    case 1: {
        struct socket_close_request request = { slot };
        return socket_close(channel, &request, buffer, FTL_TIME_INFINITE);
    }
    case 2: {
        struct socket_bind_request request = { slot, random_address() };
        return socket_bind(channel, &request, buffer, FTL_TIME_INFINITE);
    }
    case 3: {
        struct socket_listen_request request = { slot, chance(UINT32_MAX) };
        return socket_listen(channel, &request, buffer, FTL_TIME_INFINITE);
    }
    case 4: {
        struct socket_accept_reply reply;
        struct socket_accept_request request = { slot, random_slot() };
        return socket_accept(channel, &request, &reply, buffer, FTL_TIME_INFINITE);
    }
    case 5: {
        struct socket_connect_request request = { slot, random_address() };
        return socket_connect(channel, &request, buffer, FTL_TIME_INFINITE);
    }
    case 6: {
        struct socket_shutdown_request request = { slot, (uint8_t)chance(3) };
        return socket_shutdown(channel, &request, buffer, FTL_TIME_INFINITE);
    }
    case 7: {
        struct socket_name_reply reply;
        struct socket_name_request request = { slot, (uint8_t)chance(2) };
        return socket_name(channel, &request, &reply, buffer, FTL_TIME_INFINITE);
    }
    case 8: {
        struct socket_set_option_request request = { slot, (uint8_t)chance(11),
                                                     (int32_t)chance(UINT32_MAX) };
        return socket_set_option(channel, &request, buffer, FTL_TIME_INFINITE);
    }
    default: {
        struct socket_get_option_reply reply;
        struct socket_get_option_request request = { slot, (uint8_t)chance(11) };
        return socket_get_option(channel, &request, &reply, buffer, FTL_TIME_INFINITE);
    }
    }
}

/* Writes what cannot be, or could be, into the shared memory, and rings. */
static void scribble(void)
{
    struct ftl_socket_memory *memory = hostile.memory[chance(SLOTS)];
    uint32_t *words = (uint32_t *)(void *)memory;
    size_t control = offsetof(struct ftl_socket_memory, received_data) / sizeof(uint32_t);
    switch (chance(4)) {
    case 0: words[chance((uint32_t)control)] = chance(UINT32_MAX); break;
    case 1: memory->sent.head += chance(3000); break;
    case 2: memory->received.tail = memory->received.head; break;
    default: memory->sent_data[chance(FTL_SOCKET_RING_SIZE)] = (char)chance(256); break;
    }
    memory->rung = 1;
    ftl_notification_signal(hostile.doorbell, (uint64_t)chance(UINT32_MAX) << chance(33));
}

void test_hostile(void)
{
    open_connection();
    for (uint32_t i = 0; i < SLOTS; i++) {
        add_slot(i);
    }
    wrong_memory();
    for (int i = 0; i < TRIES; i++) {
        if (chance(3) != 0) {
            scribble();
        }
        bool has_ended = random_call() == FTL_ERR_PEER_CLOSED;
        CHECK(!has_ended);
        if (has_ended) {
            return;
        }
    }
    ftl_handle_close(hostile.channel); /* with all that is open in its slots */
}
