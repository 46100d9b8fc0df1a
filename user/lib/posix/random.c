/*
 * Random numbers, from the service `entropy`, for programs whose manifest lets them use it; for
 * others, and where there is no device, getrandom() fails with ENOSYS. In a file of its own in
 * musl's place, lest every program link with a client of that service.
 */
#include <errno.h>
#include <ftl/handle.h>
#include <ftl/protocols/entropy.h>
#include <ftl/server.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#define CALL_MAX 256u /* bytes of one call, and all that getrandom() gives at once */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of `channel` */
static ftl_handle_t channel;

/* Asks the driver, connecting if need be. */
static ftl_status_t read_once(void *data, uint32_t size)
{
    struct entropy_buffer buffer;
    struct entropy_read_request request = { .size = size };
    struct entropy_read_reply reply;
    ftl_status_t status = FTL_OK;
    if (channel == FTL_HANDLE_INVALID) {
        status = ftl_service_connect(&entropy_protocol, &channel);
    }
    if (status == FTL_OK) {
        status = entropy_read(channel, &request, &reply, &buffer, FTL_TIME_INFINITE);
    }
    if (status == FTL_OK && reply.data_size != size) {
        status = FTL_ERR_BAD_FORMAT;
    }
    if (status == FTL_OK) {
        memcpy(data, reply.data, size);
    }
    return status;
}

/* The same; a driver that has ended is started again, for whoever connects. */
static ftl_status_t read_random(void *data, uint32_t size)
{
    pthread_mutex_lock(&lock);
    ftl_status_t status = read_once(data, size);
    if (status == FTL_ERR_PEER_CLOSED) {
        ftl_ipc_drop(&channel);
        status = read_once(data, size);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

ssize_t getrandom(void *buffer, size_t size, unsigned flags)
{
    uint32_t piece = size < CALL_MAX ? (uint32_t)size : CALL_MAX;
    if ((flags & ~(unsigned)(GRND_NONBLOCK | GRND_RANDOM)) != 0) {
        errno = EINVAL;
        return -1;
    }
    ftl_status_t status = piece == 0 ? FTL_OK : read_random(buffer, piece);
    if (status != FTL_OK) {
        errno = status == FTL_ERR_IO ? EIO : ENOSYS;
        return -1;
    }
    return (ssize_t)piece;
}
