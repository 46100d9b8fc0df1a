/* Connections to the file server: see file_connection.h. */
#include "file_connection.h"

#include <errno.h>
#include <ftl/futex.h>
#include <ftl/handle.h>
#include <ftl/object.h>
#include <ftl/server.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <pthread.h>
#include <stdlib.h>

#include "file.h"
#include "posix.h"

/* The memory: large parts first, then small ones in what is one large part's room. Part number i
 * is bit i. */
#define LARGE_PARTS (FTL_FILE_MEMORY_SIZE / FILE_PART_LARGE - 1)
#define SMALL_PARTS (FILE_PART_LARGE / FILE_PART_SMALL)
#define LARGE_MASK  ((UINT32_C(1) << LARGE_PARTS) - 1)
#define SMALL_MASK  (((UINT32_C(1) << SMALL_PARTS) - 1) << LARGE_PARTS)

_Static_assert(LARGE_PARTS + SMALL_PARTS < 32, "a bit for each part");

/* `lock` guards it. */
static struct {
    pthread_mutex_t lock;
    struct file_connection *own; /* has a reference */
} files;

/* ---- Connections ---- */

void file_connection_hold(struct file_connection *connection)
{
    __atomic_add_fetch(&connection->references, 1, __ATOMIC_RELAXED);
}

void file_connection_drop(struct file_connection *connection)
{
    if (__atomic_sub_fetch(&connection->references, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    ftl_ipc_drop(&connection->channel);
    if (connection->memory != NULL) {
        ftl_vmspace_unmap(posix_vmspace(), (uintptr_t)connection->memory, FTL_FILE_MEMORY_SIZE);
    }
    free(connection);
}

/* Makes the memory, and gives it to the server. */
static ftl_status_t attach(struct file_connection *connection)
{
    struct file_buffer buffer;
    struct file_attach_request request;
    uintptr_t address;
    ftl_status_t status = ftl_vmo_create(FTL_FILE_MEMORY_SIZE, &request.memory);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_vmspace_map(posix_vmspace(), request.memory, 0, FTL_FILE_MEMORY_SIZE,
                             FTL_MAP_READ | FTL_MAP_WRITE, 0, &address);
    if (status == FTL_OK) {
        connection->memory = (char *)address;
        status = file_attach(connection->channel, &request, &buffer, FTL_TIME_INFINITE);
    }
    if (status != FTL_OK) {
        ftl_ipc_drop(&request.memory); /* unless it went with the message */
    }
    return status;
}

struct file_connection *file_connection_make(ftl_handle_t channel)
{
    struct file_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        ftl_handle_close(channel);
        return NULL;
    }
    connection->channel = channel;
    connection->references = 1;
    if (attach(connection) != FTL_OK) {
        file_connection_drop(connection);
        return NULL;
    }
    return connection;
}

/* Has the lock. */
static long connect_again(void)
{
    ftl_handle_t channel;
    ftl_status_t status = ftl_service_connect(&file_protocol, &channel);
    switch (status) {
    case FTL_OK: break;
    case FTL_ERR_NOT_SUPPORTED:
    case FTL_ERR_MISSING_RIGHT: return -EACCES; /* the manifest has no `USES file` */
    case FTL_ERR_NOT_FOUND: return -ENOENT;     /* nobody serves files here */
    default: return -EIO;
    }
    files.own = file_connection_make(channel);
    return files.own != NULL ? 0 : -EIO;
}

/* Has the lock. */
static void forget_own(void)
{
    struct file_connection *former = files.own;
    files.own = NULL;
    file_connection_drop(former);
}

long file_connection_get(struct file_connection **connection)
{
    long error = 0;
    file_inherit();
    pthread_mutex_lock(&files.lock);
    if (files.own != NULL && __atomic_load_n(&files.own->is_dead, __ATOMIC_ACQUIRE)) {
        forget_own();
    }
    if (files.own == NULL) {
        error = connect_again();
    }
    if (error == 0) {
        *connection = files.own;
        file_connection_hold(*connection);
    }
    pthread_mutex_unlock(&files.lock);
    return error;
}

void file_connection_adopt(struct file_connection *connection)
{
    pthread_mutex_lock(&files.lock);
    if (files.own == NULL) {
        files.own = connection;
    } else {
        file_connection_drop(connection);
    }
    pthread_mutex_unlock(&files.lock);
}

bool file_connection_is_alive(struct file_connection *connection)
{
    struct ftl_wait_item item = { connection->channel, FTL_SIGNAL_PEER_CLOSED, 0 };
    size_t ready;
    if (ftl_object_wait(&item, 1, 0, &ready) == FTL_OK) {
        __atomic_store_n(&connection->is_dead, true, __ATOMIC_RELEASE);
    }
    return !__atomic_load_n(&connection->is_dead, __ATOMIC_ACQUIRE);
}

long file_connection_error(struct file_connection *connection, ftl_status_t status)
{
    switch (status) {
    case FTL_ERR_PEER_CLOSED:
        __atomic_store_n(&connection->is_dead, true, __ATOMIC_RELEASE);
        return -EIO;
    case FTL_ERR_IO:
    case FTL_ERR_BAD_FORMAT: return -EIO; /* what is on the disk makes no sense */
    case FTL_ERR_LIMIT: return -EMFILE;
    case FTL_ERR_NOT_SUPPORTED: return -EPERM; /* the file system has no such thing */
    default: return posix_error(status);
    }
}

/* ---- Parts ---- */

/* Takes the first free part of those in the mask. */
static bool take_of(struct file_connection *connection, uint32_t mask, struct file_part *part)
{
    uint32_t used = __atomic_load_n(&connection->parts, __ATOMIC_RELAXED);
    uint32_t free_parts;
    uint32_t bit;
    do {
        free_parts = mask & ~used;
        if (free_parts == 0) {
            return false;
        }
        bit = free_parts & -free_parts;
    } while (!__atomic_compare_exchange_n(&connection->parts, &used, used | bit, true,
                                          __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
    uint32_t number = (uint32_t)__builtin_ctz(bit);
    bool is_large = number < LARGE_PARTS;
    part->size = is_large ? FILE_PART_LARGE : FILE_PART_SMALL;
    part->place = is_large
                      ? number * FILE_PART_LARGE
                      : LARGE_PARTS * FILE_PART_LARGE + (number - LARGE_PARTS) * FILE_PART_SMALL;
    part->data = connection->memory + part->place;
    part->connection = connection;
    part->bit = bit;
    return true;
}

static void wait_for_part(struct file_connection *connection, uint32_t mask)
{
    __atomic_add_fetch(&connection->waiters, 1, __ATOMIC_SEQ_CST);
    uint32_t used = __atomic_load_n(&connection->parts, __ATOMIC_SEQ_CST);
    if ((mask & ~used) == 0) {
        ftl_futex_wait((uintptr_t)&connection->parts, used, FTL_TIME_INFINITE);
    }
    __atomic_sub_fetch(&connection->waiters, 1, __ATOMIC_RELAXED);
}

void file_part_take(struct file_connection *connection, size_t size, struct file_part *part)
{
    uint32_t mask = size <= FILE_PART_SMALL ? SMALL_MASK : LARGE_MASK;
    while (!take_of(connection, mask, part)) {
        if (size <= FILE_PART_SMALL && take_of(connection, LARGE_MASK, part)) {
            return;
        }
        wait_for_part(connection, size <= FILE_PART_SMALL ? SMALL_MASK | LARGE_MASK : mask);
    }
}

void file_part_give(const struct file_part *part)
{
    struct file_connection *connection = part->connection;
    __atomic_and_fetch(&connection->parts, ~part->bit, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&connection->waiters, __ATOMIC_SEQ_CST) != 0) {
        uint32_t woken;
        ftl_futex_wake((uintptr_t)&connection->parts, UINT32_MAX, &woken);
    }
}
