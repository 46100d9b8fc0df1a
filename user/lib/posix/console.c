/*
 * The console, which descriptors 0 to 2 are unless the starter gave others: the console handle of
 * the process's environment. Reading is by lines: what is typed is echoed and can be erased until
 * Enter; Ctrl-D on an empty line is the end of the input.
 */
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <ftl/console.h>
#include <ftl/environ.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>

#include "descriptor.h"

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
    bool is_complete;
    bool is_end; /* it is empty, and read() has yet to tell of the end of the input */
    bool last_was_return;
} line = { .lock = PTHREAD_MUTEX_INITIALIZER, .is_complete = true };

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
static long write_parts(struct description *self, const struct iovec *parts, int count)
{
    char gathered[GATHER_MAX];
    size_t size = 0;

    (void)self;
    if (count == 1) {
        return write_all(parts->iov_base, parts->iov_len);
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

/* Where the wait for what is typed can be interrupted: 0, -EAGAIN after the deadline, -EINTR. */
static long await_typing(ftl_nsec_t deadline)
{
    if (deadline == 0 || posix_interruption() == FTL_HANDLE_INVALID) {
        return 0;
    }
    return posix_wait_for(console(), FTL_SIGNAL_READABLE, deadline);
}

/*
 * Reads a new line byte by byte, so that what was typed ahead stays with the kernel for who reads
 * next. After the deadline what was typed so far is kept for the next time.
 */
static long read_line(ftl_nsec_t deadline)
{
    char byte;
    if (line.is_complete) {
        line.size = 0;
        line.taken = 0;
        line.is_complete = false;
    }
    do {
        size_t count;
        long error = await_typing(deadline);
        if (error != 0) {
            return error;
        }
        ftl_status_t status = ftl_console_read(console(), &byte, 1, deadline, &count);
        if (status == FTL_ERR_TIMED_OUT) {
            return -EAGAIN;
        }
        if (status != FTL_OK) {
            return posix_error(status);
        }
    } while (!edit_line(byte));
    line.is_complete = true;
    return 0;
}

/* Whether what was read is to be given out before more is read. */
static bool has_line(void)
{
    return line.is_complete && (line.taken < line.size || line.is_end);
}

/* Gives out of the line, after `result` of reading it was 0. */
static long give(long result, void *buffer, size_t size)
{
    size_t left = line.size - line.taken;
    size_t count = left < size ? left : size;
    if (result != 0) {
        return result;
    }
    memcpy(buffer, line.bytes + line.taken, count);
    line.taken += count;
    line.is_end = false;
    return (long)count;
}

static long read_some(struct description *self, void *buffer, size_t size)
{
    long result = 0;
    pthread_mutex_lock(&line.lock);
    if (!has_line()) {
        result = read_line(description_is_nonblocking(self) ? 0 : FTL_TIME_INFINITE);
    }
    result = give(result, buffer, size);
    pthread_mutex_unlock(&line.lock);
    return result;
}

/* Fills only the first part that has room: a read may always be short, and stdio copes. */
static long read_parts(struct description *self, const struct iovec *parts, int count)
{
    for (; count > 0; parts++, count--) {
        if (parts->iov_len != 0) {
            return read_some(self, parts->iov_base, parts->iov_len);
        }
    }
    return 0;
}

/* A terminal of unknown size: that is what isatty() asks for. */
static long terminal_ioctl(struct description *self, unsigned long request, void *argument)
{
    (void)self;
    if (request != TIOCGWINSZ) {
        return -ENOTTY;
    }
    memset(argument, 0, sizeof(struct winsize));
    return 0;
}

/* ---- Waiting for a line ---- */

/* Takes what was typed: input is ready once a line is complete. */
static uint32_t input_ready(struct description *self)
{
    (void)self;
    pthread_mutex_lock(&line.lock);
    bool is_ready = has_line() || read_line(0) != -EAGAIN;
    line.is_end |= is_ready && line.taken == line.size;
    pthread_mutex_unlock(&line.lock);
    return is_ready ? POLLIN | POLLRDNORM : 0;
}

static void arm_input(struct description *self, uint32_t events)
{
    (void)self; /* the console tells of itself */
    (void)events;
}

static void input_waits(struct description *self, uint32_t events,
                        struct posix_wait waits[POSIX_WAITS])
{
    (void)self;
    (void)events;
    waits[0] = (struct posix_wait){ console(), FTL_SIGNAL_READABLE };
}

static const struct description_operations input_operations = {
    .kind = "console",
    .type = S_IFCHR,
    .read = read_parts,
    .ioctl = terminal_ioctl,
    .ready = input_ready,
    .arm = arm_input,
    .waits = input_waits,
};

static const struct description_operations output_operations = {
    .kind = "console",
    .type = S_IFCHR,
    .write = write_parts,
    .ioctl = terminal_ioctl,
};

struct description console_input = {
    .operations = &input_operations,
};

struct description console_output = {
    .operations = &output_operations,
    .flags = O_WRONLY,
};
