/* Descriptors, and the system calls that take one: see descriptor.h. */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "posix.h"

long (*posix_open_file)(const char *path, int flags);

/*
 * `lock` guards the table; references are counted atomically. All of it is 0 at the start: what is
 * not would be a part of the file of every program, to be copied whenever one starts.
 */
static struct {
    pthread_mutex_t lock; /* PTHREAD_MUTEX_INITIALIZER is 0 */
    bool is_filled;       /* what the starter gave has been put in */
    struct description *entries[POSIX_DESCRIPTORS_MAX];
    uint8_t close_on_exec[POSIX_DESCRIPTORS_MAX]; /* and by posix_spawn() */
} table;

/* ---- The table ---- */

static void lock_table(void)
{
    pthread_mutex_lock(&table.lock);
    if (!table.is_filled) {
        table.is_filled = true;
        descriptor_receive(table.entries);
    }
}

/* The smallest free descriptor from `first` on. Takes over one reference. */
static long install_from(struct description *description, int first, bool close_on_exec)
{
    long result = -EMFILE;
    if (first < 0 || first >= POSIX_DESCRIPTORS_MAX) {
        return -EINVAL;
    }
    lock_table();
    for (int fd = first; fd < POSIX_DESCRIPTORS_MAX; fd++) {
        if (table.entries[fd] == NULL) {
            table.entries[fd] = description;
            table.close_on_exec[fd] = close_on_exec;
            result = fd;
            break;
        }
    }
    pthread_mutex_unlock(&table.lock);
    return result;
}

long descriptor_install(struct description *description, bool close_on_exec)
{
    return install_from(description, 0, close_on_exec);
}

struct description *descriptor_get(int fd)
{
    struct description *description = NULL;
    if (fd < 0 || fd >= POSIX_DESCRIPTORS_MAX) {
        return NULL;
    }
    lock_table();
    description = table.entries[fd];
    if (description != NULL) {
        __atomic_add_fetch(&description->references, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&table.lock);
    return description;
}

void description_drop(struct description *description)
{
    if (__atomic_sub_fetch(&description->references, 1, __ATOMIC_ACQ_REL) == 0 &&
        description->operations->close != NULL) {
        description->operations->close(description);
    }
}

void descriptor_copy_table(struct descriptor_copy *copy)
{
    lock_table();
    memcpy(copy->entries, table.entries, sizeof(copy->entries));
    memcpy(copy->close_on_exec, table.close_on_exec, sizeof(copy->close_on_exec));
    for (int fd = 0; fd < POSIX_DESCRIPTORS_MAX; fd++) {
        if (copy->entries[fd] != NULL) {
            __atomic_add_fetch(&copy->entries[fd]->references, 1, __ATOMIC_RELAXED);
        }
    }
    pthread_mutex_unlock(&table.lock);
}

void descriptor_drop_copy(struct descriptor_copy *copy)
{
    for (int fd = 0; fd < POSIX_DESCRIPTORS_MAX; fd++) {
        if (copy->entries[fd] != NULL) {
            description_drop(copy->entries[fd]);
        }
    }
}

/* Puts another description, or NULL, in the descriptor's place; returns the former one. */
static struct description *exchange(int fd, struct description *description, bool close_on_exec)
{
    lock_table();
    struct description *former = table.entries[fd];
    table.entries[fd] = description;
    table.close_on_exec[fd] = close_on_exec;
    pthread_mutex_unlock(&table.lock);
    return former;
}

long sys_close(int fd)
{
    if (fd < 0 || fd >= POSIX_DESCRIPTORS_MAX) {
        return -EBADF;
    }
    struct description *former = exchange(fd, NULL, false);
    if (former == NULL) {
        return -EBADF;
    }
    description_drop(former);
    return 0;
}

long descriptor_duplicate(int fd, int first, bool close_on_exec)
{
    struct description *description = descriptor_get(fd);
    if (description == NULL) {
        return -EBADF;
    }
    long result = install_from(description, first, close_on_exec);
    if (result < 0) {
        description_drop(description);
    }
    return result;
}

long sys_dup(int fd)
{
    return descriptor_duplicate(fd, 0, false);
}

long sys_dup3(int fd, int target, int flags)
{
    if (fd == target || (flags & ~O_CLOEXEC) != 0) {
        return -EINVAL;
    }
    if (target < 0 || target >= POSIX_DESCRIPTORS_MAX) {
        return -EBADF;
    }
    struct description *description = descriptor_get(fd);
    if (description == NULL) {
        return -EBADF;
    }
    struct description *former = exchange(target, description, (flags & O_CLOEXEC) != 0);
    if (former != NULL) {
        description_drop(former);
    }
    return target;
}

static long control(struct description *description, int fd, int command, long argument)
{
    switch (command) {
    case F_GETFL: return __atomic_load_n(&description->flags, __ATOMIC_RELAXED);
    case F_SETFL: {
        int kept = __atomic_load_n(&description->flags, __ATOMIC_RELAXED) & ~O_NONBLOCK;
        __atomic_store_n(&description->flags, kept | ((int)argument & O_NONBLOCK),
                         __ATOMIC_RELAXED);
        return 0;
    }
    case F_GETFD: return table.close_on_exec[fd] != 0 ? FD_CLOEXEC : 0;
    case F_SETFD: table.close_on_exec[fd] = (argument & FD_CLOEXEC) != 0; return 0;
    case F_DUPFD: return descriptor_duplicate(fd, (int)argument, false);
    case F_DUPFD_CLOEXEC: return descriptor_duplicate(fd, (int)argument, true);
    default:
        return description->operations->control != NULL
                   ? description->operations->control(description, command, argument)
                   : -EINVAL;
    }
}

long sys_fcntl(int fd, int command, long argument)
{
    struct description *description = descriptor_get(fd);
    if (description == NULL) {
        return -EBADF;
    }
    long result = control(description, fd, command, argument);
    description_drop(description);
    return result;
}

/* ---- Calls that are the description's own ---- */

/*
 * Calls an operation of what `fd` names: -EBADF without it, `missing` without the operation.
 */
#define CALL(fd, missing, operation, ...)                                                          \
    __extension__({                                                                                \
        struct description *called = descriptor_get(fd);                                           \
        long answer = -EBADF;                                                                      \
        if (called != NULL) {                                                                      \
            answer = called->operations->operation != NULL                                         \
                         ? called->operations->operation(called __VA_OPT__(, ) __VA_ARGS__)        \
                         : (missing);                                                              \
            description_drop(called);                                                              \
        }                                                                                          \
        answer;                                                                                    \
    })

long sys_readv(int fd, const struct iovec *parts, int count)
{
    return count < 0 ? -EINVAL : CALL(fd, -EBADF, read, parts, count);
}

long sys_writev(int fd, const struct iovec *parts, int count)
{
    return count < 0 ? -EINVAL : CALL(fd, -EBADF, write, parts, count);
}

long sys_read(int fd, void *buffer, size_t size)
{
    struct iovec part = { .iov_base = buffer, .iov_len = size };
    return sys_readv(fd, &part, 1);
}

long sys_write(int fd, const void *data, size_t size)
{
    struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
    return sys_writev(fd, &part, 1);
}

long sys_ioctl(int fd, unsigned long request, void *argument)
{
    return CALL(fd, -ENOTTY, ioctl, request, argument);
}

bool descriptor_is_open(int fd)
{
    struct description *description = descriptor_get(fd);
    if (description != NULL) {
        description_drop(description);
    }
    return description != NULL;
}

long sys_lseek(int fd, off_t offset, int whence)
{
    return CALL(fd, -ESPIPE, seek, offset, whence);
}

long sys_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    return CALL(fd, -ENOTSOCK, bind, address, size);
}

long sys_listen(int fd, int backlog)
{
    return CALL(fd, -ENOTSOCK, listen, backlog);
}

long sys_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    return CALL(fd, -ENOTSOCK, accept, address, size, flags);
}

long sys_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return CALL(fd, -ENOTSOCK, connect, address, size);
}

long sys_getname(int fd, struct sockaddr *address, socklen_t *size, bool peer)
{
    return CALL(fd, -ENOTSOCK, name, address, size, peer);
}

long sys_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return CALL(fd, -ENOTSOCK, send, message, flags);
}

long sys_recvmsg(int fd, struct msghdr *message, int flags)
{
    return CALL(fd, -ENOTSOCK, receive, message, flags);
}

long sys_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address,
                socklen_t address_size)
{
    struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
    struct msghdr message = {
        .msg_name = (void *)(uintptr_t)address,
        .msg_namelen = address != NULL ? address_size : 0,
        .msg_iov = &part,
        .msg_iovlen = 1,
    };
    return sys_sendmsg(fd, &message, flags);
}

long sys_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *address,
                  socklen_t *address_size)
{
    struct iovec part = { .iov_base = buffer, .iov_len = size };
    struct msghdr message = {
        .msg_name = address,
        .msg_namelen = address != NULL && address_size != NULL ? *address_size : 0,
        .msg_iov = &part,
        .msg_iovlen = 1,
    };
    long result = sys_recvmsg(fd, &message, flags);
    if (result >= 0 && address_size != NULL) {
        *address_size = message.msg_namelen;
    }
    return result;
}

long sys_shutdown(int fd, int how)
{
    return CALL(fd, -ENOTSOCK, shutdown, how);
}

long sys_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    return CALL(fd, -ENOTSOCK, set_option, level, name, value, size);
}

long sys_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    return CALL(fd, -ENOTSOCK, get_option, level, name, value, size);
}
