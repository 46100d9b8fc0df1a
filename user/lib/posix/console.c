/*
 * Descriptors 0, 1 and 2: the console handle of the process's environment. Reading is by lines:
 * what is typed is echoed and can be erased until Enter; Ctrl-D on an empty line is the end of the
 * input.
 */
#include "posix.h"

#include <errno.h>
#include <ftl/console.h>
#include <ftl/environ.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>

#define DESCRIPTORS     3
#define GATHER_MAX      512 /* bytes that writev collects for one kernel call */
#define LINE_MAX_BYTES  1024
#define BACKSPACE       0x08
#define DELETE          0x7f
#define END_OF_INPUT    0x04
#define ERASE_ON_SCREEN "\b \b"

/* The line that is being read or was read in part. `lock` guards it. */
static struct {
    pthread_mutex_t lock;
    char bytes[LINE_MAX_BYTES];
    size_t size;
    size_t taken; /* bytes that read() gave out already */
    bool last_was_return;
} line = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint8_t closed_descriptors; /* one bit each */

static bool is_open(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS &&
           (__atomic_load_n(&closed_descriptors, __ATOMIC_RELAXED) & (1u << fd)) == 0;
}

/* FTL_HANDLE_INVALID when the process was given none, or has taken it for itself. */
static ftl_handle_t console(void)
{
    return ftl_environ_find(ftl_environ(), "console");
}

static long write_all(const char *data, size_t size)
{
    size_t written = 0;
    while (written < size) {
        size_t count = 0;
        ftl_status_t status = ftl_console_write(console(), data + written, size - written, &count);
        if (status != FTL_OK) {
            return written != 0 ? (long)written : posix_error(status);
        }
        written += count;
    }
    return (long)written;
}

long sys_write(int fd, const void *data, size_t size)
{
    return is_open(fd) && fd != 0 ? write_all(data, size) : -EBADF;
}

/* Writes the first of the parts that is not empty. */
static long write_one(const struct iovec *parts, int count)
{
    for (; count > 0; parts++, count--) {
        if (parts->iov_len != 0) {
            return write_all(parts->iov_base, parts->iov_len);
        }
    }
    return 0;
}

/* Small writes go out as one, so that a line is not torn apart by another process's. */
long sys_writev(int fd, const struct iovec *parts, int count)
{
    char gathered[GATHER_MAX];
    size_t size = 0;

    if (!is_open(fd) || fd == 0) {
        return -EBADF;
    }
    if (count < 0) {
        return -EINVAL;
    }
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > sizeof(gathered) - size) {
            return size != 0 ? write_all(gathered, size) : write_one(parts, count);
        }
        memcpy(gathered + size, parts[i].iov_base, parts[i].iov_len);
        size += parts[i].iov_len;
    }
    return write_all(gathered, size);
}

/* Puts one typed byte into the line. True when that completes it. */
static bool edit_line(char byte)
{
    bool second_of_pair = byte == '\n' && line.last_was_return;
    line.last_was_return = byte == '\r';
    if (second_of_pair) {
        return false;
    }
    switch (byte) {
    case '\r':
    case '\n':
        write_all("\n", 1);
        line.bytes[line.size++] = '\n';
        return true;
    case END_OF_INPUT: return line.size == 0;
    case BACKSPACE:
    case DELETE:
        if (line.size != 0) {
            line.size--;
            write_all(ERASE_ON_SCREEN, sizeof(ERASE_ON_SCREEN) - 1);
        }
        return false;
    default:
        if (line.size < LINE_MAX_BYTES - 1) { /* the last byte is for '\n' */
            line.bytes[line.size++] = byte;
            write_all(&byte, 1);
        }
        return false;
    }
}

/* Reads a new line byte by byte, so that what was typed ahead stays with the kernel for who reads
 * next. */
static long read_line(void)
{
    char byte;
    line.size = 0;
    line.taken = 0;
    do {
        size_t count;
        ftl_status_t status = ftl_console_read(console(), &byte, 1, FTL_TIME_INFINITE, &count);
        if (status != FTL_OK) {
            line.size = 0;
            return posix_error(status);
        }
    } while (!edit_line(byte));
    return 0;
}

long sys_read(int fd, void *buffer, size_t size)
{
    long result = 0;
    if (!is_open(fd) || fd != 0) {
        return -EBADF;
    }
    if (size == 0) {
        return 0;
    }
    pthread_mutex_lock(&line.lock);
    if (line.taken == line.size) {
        result = read_line();
    }
    if (result == 0) {
        size_t left = line.size - line.taken;
        size_t count = left < size ? left : size;
        memcpy(buffer, line.bytes + line.taken, count);
        line.taken += count;
        result = (long)count;
    }
    pthread_mutex_unlock(&line.lock);
    return result;
}

/* Fills only the first part that has room: a read may always be short, and stdio copes. */
long sys_readv(int fd, const struct iovec *parts, int count)
{
    for (; count > 0; parts++, count--) {
        if (parts->iov_len != 0) {
            return sys_read(fd, parts->iov_base, parts->iov_len);
        }
    }
    return is_open(fd) ? 0 : -EBADF;
}

/* A terminal of unknown size: that is what isatty() asks for. */
long sys_ioctl(int fd, unsigned long request, void *argument)
{
    if (!is_open(fd)) {
        return -EBADF;
    }
    if (request != TIOCGWINSZ) {
        return -ENOTTY;
    }
    memset(argument, 0, sizeof(struct winsize));
    return 0;
}

long sys_lseek(int fd)
{
    return is_open(fd) ? -ESPIPE : -EBADF;
}

long sys_close(int fd)
{
    if (!is_open(fd)) {
        return -EBADF;
    }
    __atomic_or_fetch(&closed_descriptors, (uint8_t)(1u << fd), __ATOMIC_RELAXED);
    return 0;
}
