/*
 * Files that the library is itself: /dev/null and the like, and other names for descriptors. No
 * server knows them, and no directory shows them; they are found by just these paths.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftl/inherit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysmacros.h>

#include "file.h"
#include "file_convert.h"

#define DIGITS_MAX   10
#define RANDOM_PIECE 256 /* bytes that getrandom() gives at once */

/* ---- What they do ---- */

static long read_nothing(struct description *self, const struct iovec *parts, int count)
{
    (void)self;
    (void)parts;
    (void)count;
    return 0;
}

static long read_zeros(struct description *self, const struct iovec *parts, int count)
{
    (void)self;
    for (int i = 0; i < count; i++) {
        memset(parts[i].iov_base, 0, parts[i].iov_len);
    }
    return file_parts_size(parts, count);
}

static long read_random(struct description *self, const struct iovec *parts, int count)
{
    long total = 0;
    (void)self;
    for (int i = 0; i < count; i++) {
        for (size_t at = 0; at < parts[i].iov_len;) {
            size_t left = parts[i].iov_len - at;
            ssize_t done = getrandom((char *)parts[i].iov_base + at,
                                     left < RANDOM_PIECE ? left : RANDOM_PIECE, 0);
            if (done < 0) {
                return total != 0 ? total : -errno;
            }
            at += (size_t)done;
            total += done;
        }
    }
    return total;
}

static long write_nothing(struct description *self, const struct iovec *parts, int count)
{
    (void)self;
    return file_parts_size(parts, count);
}

static long write_never(struct description *self, const struct iovec *parts, int count)
{
    (void)self;
    return file_parts_size(parts, count) != 0 ? -ENOSPC : 0;
}

static long seek_nowhere(struct description *self, off_t offset, int whence)
{
    (void)self;
    (void)offset;
    (void)whence;
    return 0;
}

static void close_device(struct description *self)
{
    free(self);
}

/* ---- The terminal, for both directions ---- */

static long read_terminal(struct description *self, const struct iovec *parts, int count)
{
    (void)self;
    return console_input.operations->read(&console_input, parts, count);
}

static long write_terminal(struct description *self, const struct iovec *parts, int count)
{
    (void)self;
    return console_output.operations->write(&console_output, parts, count);
}

static long control_terminal(struct description *self, unsigned long request, void *argument)
{
    (void)self;
    return console_input.operations->ioctl(&console_input, request, argument);
}

static uint32_t terminal_ready(struct description *self)
{
    (void)self;
    return console_input.operations->ready(&console_input);
}

static void arm_terminal(struct description *self, uint32_t events)
{
    (void)self;
    console_input.operations->arm(&console_input, events);
}

static void terminal_waits(struct description *self, uint32_t events,
                           struct posix_wait waits[POSIX_WAITS])
{
    (void)self;
    console_input.operations->waits(&console_input, events, waits);
}

/* ---- Which there are ---- */

static const struct device {
    const char *path;
    uint8_t major; /* as Linux numbers them */
    uint8_t minor;
    struct description_operations operations;
} devices[] = {
#define COMMON .type = S_IFCHR, .seek = seek_nowhere, .close = close_device
    { "/dev/null", 1, 3, { COMMON, .kind = "null", .read = read_nothing, .write = write_nothing } },
    { "/dev/zero", 1, 5, { COMMON, .kind = "zero", .read = read_zeros, .write = write_nothing } },
    { "/dev/full", 1, 7, { COMMON, .kind = "full", .read = read_zeros, .write = write_never } },
    { "/dev/random",
      1,
      8,
      { COMMON, .kind = "random", .read = read_random, .write = write_nothing } },
    { "/dev/urandom",
      1,
      9,
      { COMMON, .kind = "urandom", .read = read_random, .write = write_nothing } },
#undef COMMON
    { "/dev/tty",
      5,
      0,
      {
          .kind = "tty",
          .type = S_IFCHR,
          .close = close_device,
          .read = read_terminal,
          .write = write_terminal,
          .ioctl = control_terminal,
          .ready = terminal_ready,
          .arm = arm_terminal,
          .waits = terminal_waits,
      } },
};

static const struct device *find(const char *path)
{
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (strcmp(devices[i].path, path) == 0) {
            return &devices[i];
        }
    }
    return NULL;
}

/* The number that the text is, of a descriptor; -1: it is none. */
static int number_of(const char *text)
{
    size_t size = strspn(text, "0123456789");
    if (size == 0 || size >= DIGITS_MAX || text[size] != '\0') {
        return -1;
    }
    return (int)strtol(text, NULL, 10);
}

int file_descriptor_of_path(const char *path)
{
    static const char *const names[] = { "/dev/stdin", "/dev/stdout", "/dev/stderr" };
    static const char *const directories[] = { "/dev/fd/", "/proc/self/fd/" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(path, names[i]) == 0) {
            return (int)i;
        }
    }
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        size_t size = strlen(directories[i]);
        if (strncmp(path, directories[i], size) == 0) {
            return number_of(path + size);
        }
    }
    return -1;
}

static struct description *make(const struct device *device, int flags)
{
    struct description *description = calloc(1, sizeof(*description));
    if (description != NULL) {
        description->operations = &device->operations;
        description->flags = flags & (O_ACCMODE | O_APPEND | O_NONBLOCK);
    }
    return description;
}

struct description *file_device_receive(const struct ftl_inherit *inherit)
{
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (strcmp(devices[i].operations.kind, inherit->kind) == 0) {
            return make(&devices[i], (int)inherit->flags);
        }
    }
    return NULL;
}

long file_device_open(const char *path, int flags)
{
    int fd = file_descriptor_of_path(path);
    if (fd >= 0) {
        return descriptor_duplicate(fd, 0, (flags & O_CLOEXEC) != 0);
    }
    const struct device *device = find(path);
    if (device == NULL) {
        return -ENOENT;
    }
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        return -EEXIST;
    }
    if ((flags & O_DIRECTORY) != 0) {
        return -ENOTDIR;
    }
    struct description *description = make(device, flags);
    if (description == NULL) {
        return -ENOMEM;
    }
    description->references = 1;
    long result = descriptor_install(description, (flags & O_CLOEXEC) != 0);
    if (result < 0) {
        description_drop(description);
    }
    return result;
}

bool file_device_status(const char *path, struct stat *status)
{
    const struct device *device = find(path);
    if (device == NULL) {
        return false;
    }
    *status = (struct stat){
        .st_ino = (ino_t)(device - devices) + 1,
        .st_mode = S_IFCHR | 0666,
        .st_nlink = 1,
        .st_rdev = makedev(device->major, device->minor),
        .st_blksize = FTL_PAGE_SIZE,
    };
    return true;
}

bool file_device_description_status(const struct description *description, struct stat *status)
{
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (description->operations == &devices[i].operations) {
            return file_device_status(devices[i].path, status);
        }
    }
    return false;
}
