/* Slots and the connection to the TCP/IP stack: see socket_slot.h. */
#include "socket_slot.h"

#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/object.h>
#include <ftl/server.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "posix.h"

#define RING_MASK (FTL_SOCKET_RING_SIZE - 1)
#define BELL_BITS 64 /* of a notification */

/* The stack offers a window of what was taken out as far as it knows: tell it when this much more
 * was, well before a peer has to stop. */
#define CREDIT_STEP (FTL_SOCKET_RING_SIZE / 4)

/* `lock` guards the current connection, and the lists and counts of all. */
static struct {
    pthread_mutex_t lock;
    struct socket_connection *connection;
} stack = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- Slots' memory ---- */

static void free_slot(struct socket_slot *slot)
{
    if (slot->memory != NULL) {
        ftl_vmspace_unmap(posix_vmspace(), (uintptr_t)slot->memory, FTL_SOCKET_MEMORY_SIZE);
    }
    ftl_ipc_drop(&slot->readable);
    ftl_ipc_drop(&slot->writable);
    free(slot);
}

static ftl_status_t make_memory(struct socket_slot *slot, ftl_handle_t *vmo)
{
    uintptr_t address;
    ftl_status_t status = ftl_vmo_create(FTL_SOCKET_MEMORY_SIZE, vmo);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_vmspace_map(posix_vmspace(), *vmo, 0, FTL_SOCKET_MEMORY_SIZE,
                             FTL_MAP_READ | FTL_MAP_WRITE, 0, &address);
    if (status != FTL_OK) {
        ftl_ipc_drop(vmo);
        return status;
    }
    slot->memory = (struct ftl_socket_memory *)address;
    return FTL_OK;
}

/* A notification, and a handle to it for the stack. */
static ftl_status_t make_notification(ftl_handle_t *ours, ftl_handle_t *theirs)
{
    ftl_status_t status = ftl_notification_create(ours);
    return status == FTL_OK ? ftl_handle_duplicate(*ours, FTL_RIGHTS_SAME, theirs) : status;
}

/* Hands the slot over to the stack. */
static ftl_status_t add_slot(struct socket_slot *slot)
{
    struct socket_buffer buffer;
    struct socket_add_slot_reply reply;
    struct socket_add_slot_request request = { .memory = FTL_HANDLE_INVALID };
    ftl_status_t status = make_notification(&slot->readable, &request.readable);
    if (status == FTL_OK) {
        status = make_notification(&slot->writable, &request.writable);
    }
    if (status == FTL_OK) {
        status = make_memory(slot, &request.memory);
    }
    if (status == FTL_OK) {
        status = socket_add_slot(slot->connection->channel, &request, &reply, &buffer,
                                 FTL_TIME_INFINITE);
    }
    if (status != FTL_OK) { /* unless they went with the message */
        ftl_ipc_drop(&request.memory);
        ftl_ipc_drop(&request.readable);
        ftl_ipc_drop(&request.writable);
        return status;
    }
    slot->number = reply.slot;
    return FTL_OK;
}

/* ---- The connection ---- */

static void free_connection(struct socket_connection *connection)
{
    struct socket_slot *next;
    for (struct socket_slot *slot = connection->slots; slot != NULL; slot = next) {
        next = slot->next;
        free_slot(slot);
    }
    ftl_ipc_drop(&connection->channel);
    ftl_ipc_drop(&connection->doorbell);
    free(connection);
}

static ftl_status_t attach(struct socket_connection *connection)
{
    struct socket_buffer buffer;
    struct socket_attach_request request;
    ftl_status_t status = ftl_service_connect(&socket_protocol, &connection->channel);
    if (status == FTL_OK) {
        status = ftl_notification_create(&connection->doorbell);
    }
    if (status == FTL_OK) {
        status = ftl_handle_duplicate(connection->doorbell, FTL_RIGHTS_SAME, &request.doorbell);
    }
    if (status != FTL_OK) {
        return status;
    }
    status = socket_attach(connection->channel, &request, &buffer, FTL_TIME_INFINITE);
    if (status != FTL_OK) {
        ftl_handle_close(request.doorbell);
    }
    return status;
}

/* Has the lock. */
static ftl_status_t connect_again(void)
{
    struct socket_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    ftl_status_t status = attach(connection);
    if (status != FTL_OK) {
        free_connection(connection);
        return status;
    }
    stack.connection = connection;
    return FTL_OK;
}

/* Has the lock. A dead connection goes with its last user. */
static void declare_dead(struct socket_connection *connection)
{
    if (connection->is_dead) {
        return;
    }
    __atomic_store_n(&connection->is_dead, true, __ATOMIC_RELEASE);
    for (struct socket_slot *slot = connection->slots; slot != NULL; slot = slot->next) {
        socket_slot_set(slot, FTL_SOCKET_READABLE | FTL_SOCKET_WRITABLE);
    }
    if (stack.connection == connection) {
        stack.connection = NULL;
    }
    if (connection->users == 0) {
        free_connection(connection);
    }
}

static bool has_ended(const struct socket_connection *connection)
{
    struct ftl_wait_item item = { connection->channel, FTL_SIGNAL_PEER_CLOSED, 0 };
    size_t ready;
    return ftl_object_wait(&item, 1, 0, &ready) == FTL_OK;
}

bool socket_connection_is_dead(struct socket_connection *connection)
{
    if (!__atomic_load_n(&connection->is_dead, __ATOMIC_ACQUIRE) && has_ended(connection)) {
        pthread_mutex_lock(&stack.lock);
        declare_dead(connection);
        pthread_mutex_unlock(&stack.lock);
    }
    return __atomic_load_n(&connection->is_dead, __ATOMIC_ACQUIRE);
}

ftl_status_t socket_connection_get(struct socket_connection **connection)
{
    ftl_status_t status = FTL_OK;
    pthread_mutex_lock(&stack.lock);
    if (stack.connection != NULL && has_ended(stack.connection)) {
        declare_dead(stack.connection);
    }
    if (stack.connection == NULL) {
        status = connect_again();
    }
    if (status == FTL_OK) {
        *connection = stack.connection;
        (*connection)->users++;
    }
    pthread_mutex_unlock(&stack.lock);
    return status;
}

/* Has the lock. */
static void drop_user(struct socket_connection *connection)
{
    if (--connection->users == 0 && connection->is_dead) {
        free_connection(connection);
    }
}

void socket_connection_release(struct socket_connection *connection)
{
    pthread_mutex_lock(&stack.lock);
    drop_user(connection);
    pthread_mutex_unlock(&stack.lock);
}

/* ---- Slots ---- */

/* Has the lock. A spare one that the stack is done with; NULL: none. */
static struct socket_slot *take_spare(struct socket_connection *connection)
{
    for (struct socket_slot **link = &connection->spare; *link != NULL;
         link = &(*link)->next_spare) {
        struct socket_slot *slot = *link;
        if ((__atomic_load_n(&slot->memory->ready, __ATOMIC_ACQUIRE) & FTL_SOCKET_UNUSED) != 0) {
            *link = slot->next_spare;
            return slot;
        }
    }
    return NULL;
}

/* Makes our half of it as of a new one. */
static void reset(struct socket_slot *slot)
{
    uint64_t former;
    slot->received = 0;
    slot->sent = 0;
    slot->uncredited = 0;
    slot->memory->received.tail = 0;
    slot->memory->sent.head = 0;
    ftl_notification_clear(slot->readable, UINT64_MAX, &former);
    ftl_notification_clear(slot->writable, UINT64_MAX, &former);
    __atomic_store_n(&slot->memory->ready, 0, __ATOMIC_RELEASE);
}

ftl_status_t socket_slot_get(struct socket_connection *connection, struct socket_slot **taken)
{
    ftl_status_t status = FTL_OK;
    pthread_mutex_lock(&stack.lock);
    struct socket_slot *slot = take_spare(connection);
    if (slot == NULL) {
        slot = calloc(1, sizeof(*slot));
        status = FTL_ERR_NO_MEMORY;
        if (slot != NULL) {
            slot->connection = connection;
            status = add_slot(slot);
        }
        if (status == FTL_OK) {
            slot->next = connection->slots;
            connection->slots = slot;
        } else if (slot != NULL) {
            free_slot(slot);
        }
    }
    if (status == FTL_OK) {
        reset(slot);
        connection->users++;
        *taken = slot;
    }
    pthread_mutex_unlock(&stack.lock);
    return status;
}

void socket_slot_put(struct socket_slot *slot)
{
    pthread_mutex_lock(&stack.lock);
    slot->next_spare = slot->connection->spare;
    slot->connection->spare = slot;
    drop_user(slot->connection);
    pthread_mutex_unlock(&stack.lock);
}

void socket_slot_spare(struct socket_slot *slot)
{
    __atomic_fetch_or(&slot->memory->ready, FTL_SOCKET_UNUSED, __ATOMIC_RELEASE);
    socket_slot_put(slot);
}

/* ---- Data ---- */

uint32_t socket_slot_state(const struct socket_slot *slot)
{
    uint32_t state = __atomic_load_n(&slot->memory->state, __ATOMIC_ACQUIRE);
    bool is_dead = __atomic_load_n(&slot->connection->is_dead, __ATOMIC_ACQUIRE);
    return is_dead ? state | FTL_SOCKET_ENDED | FTL_SOCKET_LOST : state;
}

uint32_t socket_slot_available(const struct socket_slot *slot)
{
    uint32_t head = __atomic_load_n(&slot->memory->received.head, __ATOMIC_ACQUIRE);
    uint32_t bytes = head - slot->received;
    return bytes <= FTL_SOCKET_RING_SIZE ? bytes : 0;
}

uint32_t socket_slot_room(const struct socket_slot *slot)
{
    uint32_t tail = __atomic_load_n(&slot->memory->sent.tail, __ATOMIC_ACQUIRE);
    uint32_t used = slot->sent - tail;
    return used <= FTL_SOCKET_RING_SIZE ? FTL_SOCKET_RING_SIZE - used : 0;
}

static void ring(const struct socket_slot *slot)
{
    if (__atomic_exchange_n(&slot->memory->rung, 1, __ATOMIC_SEQ_CST) == 0) {
        ftl_notification_signal(slot->connection->doorbell, UINT64_C(1)
                                                                << (slot->number % BELL_BITS));
    }
}

void socket_slot_copy(const struct socket_slot *slot, uint32_t offset, void *data, uint32_t size)
{
    uint32_t at = (slot->received + offset) & RING_MASK;
    uint32_t first = FTL_SOCKET_RING_SIZE - at;
    first = first < size ? first : size;
    memcpy(data, slot->memory->received_data + at, first);
    memcpy((char *)data + first, slot->memory->received_data, size - first);
}

void socket_slot_take(struct socket_slot *slot, uint32_t size)
{
    slot->received += size;
    slot->uncredited += size;
    __atomic_store_n(&slot->memory->received.tail, slot->received, __ATOMIC_RELEASE);
    if (slot->uncredited >= CREDIT_STEP) {
        slot->uncredited = 0;
        ring(slot);
    }
}

void socket_slot_fill(const struct socket_slot *slot, uint32_t offset, const void *data,
                      uint32_t size)
{
    uint32_t at = (slot->sent + offset) & RING_MASK;
    uint32_t first = FTL_SOCKET_RING_SIZE - at;
    first = first < size ? first : size;
    memcpy(slot->memory->sent_data + at, data, first);
    memcpy(slot->memory->sent_data, (const char *)data + first, size - first);
}

void socket_slot_push(struct socket_slot *slot, uint32_t size)
{
    slot->sent += size;
    __atomic_store_n(&slot->memory->sent.head, slot->sent, __ATOMIC_RELEASE);
    ring(slot);
}

void socket_slot_clear(const struct socket_slot *slot, uint32_t bits)
{
    uint64_t former;
    if ((bits & FTL_SOCKET_READABLE) != 0) {
        ftl_notification_clear(slot->readable, UINT64_MAX, &former);
    }
    if ((bits & FTL_SOCKET_WRITABLE) != 0) {
        ftl_notification_clear(slot->writable, UINT64_MAX, &former);
    }
    __atomic_fetch_and(&slot->memory->ready, ~bits, __ATOMIC_SEQ_CST);
}

void socket_slot_set(const struct socket_slot *slot, uint32_t bits)
{
    __atomic_fetch_or(&slot->memory->ready, bits, __ATOMIC_SEQ_CST);
    if ((bits & FTL_SOCKET_READABLE) != 0) {
        ftl_notification_signal(slot->readable, 1);
    }
    if ((bits & FTL_SOCKET_WRITABLE) != 0) {
        ftl_notification_signal(slot->writable, 1);
    }
}
