/*
 * Descriptors: small numbers that name what can be read, written and waited for. What a number
 * names is a description, shared by the descriptors that dup() made of one. Each kind of
 * description is a table of operations; one that is NULL is refused with the errno of POSIX.
 */
#ifndef POSIX_DESCRIPTOR_H
#define POSIX_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <ftl/types.h>

#define POSIX_DESCRIPTORS_MAX 1024

struct description;
struct file_mapping;
struct epoll_entry;

/* What a thread waits for until a description may have become ready. */
struct posix_wait {
    ftl_handle_t handle; /* FTL_HANDLE_INVALID: nothing */
    uint32_t signals;    /* FTL_SIGNAL_ bits */
};

#define POSIX_WAITS 3 /* for one description */

/* All answer as Linux's system calls do: a result, or a negative errno. */
struct description_operations {
    mode_t type; /* S_IF of stat(); files tell themselves */
    long (*read)(struct description *self, const struct iovec *parts, int count);
    long (*write)(struct description *self, const struct iovec *parts, int count);
    long (*seek)(struct description *self, off_t offset, int whence);
    long (*ioctl)(struct description *self, unsigned long request, void *argument);
    long (*control)(struct description *self, int command, long argument); /* its own of fcntl() */
    /* Maps it at *address, or if that is 0 anywhere, to be read and written (file_map.h). */
    long (*map)(struct description *self, uintptr_t *address, size_t size,
                const struct file_mapping *how);
    void (*close)(struct description *self); /* the last descriptor has gone: frees it */

    /* Waiting. Those that have no `ready` are always ready. */
    uint32_t (*ready)(struct description *self); /* POLL bits that are so now */
    /* Has `wait` tell of the events (POLL bits) from now on, at once if they are so already. */
    void (*arm)(struct description *self, uint32_t events);
    void (*waits)(struct description *self, uint32_t events, struct posix_wait waits[POSIX_WAITS]);
    struct epoll_entry **(*watchers)(struct description *self); /* where epoll keeps its list */

    /*
     * Inheritance: `kind` is the name by which a program that is being started knows what this is
     * (inherit.c); without one it does not get the descriptor. `pass_on` gives the handle that it
     * needs for that, if any, for the caller to close. Those of kind POSIX_FILE have no `pass_on`:
     * see file_share_all().
     */
    const char *kind;
    ftl_status_t (*pass_on)(struct description *self, ftl_handle_t *handle);

    /* Of sockets alone. */
    long (*bind)(struct description *self, const struct sockaddr *address, socklen_t size);
    long (*listen)(struct description *self, int backlog);
    long (*accept)(struct description *self, struct sockaddr *address, socklen_t *size, int flags);
    long (*connect)(struct description *self, const struct sockaddr *address, socklen_t size);
    long (*name)(struct description *self, struct sockaddr *address, socklen_t *size, bool peer);
    long (*send)(struct description *self, const struct msghdr *message, int flags);
    long (*receive)(struct description *self, struct msghdr *message, int flags);
    long (*shutdown)(struct description *self, int how);
    long (*set_option)(struct description *self, int level, int name, const void *value,
                       socklen_t size);
    long (*get_option)(struct description *self, int level, int name, void *value, socklen_t *size);
};

/* The beginning of every description. */
struct description {
    const struct description_operations *operations;
    uint32_t references; /* descriptors, and calls that use it now */
    int flags;           /* O_ bits: O_NONBLOCK may change */
};

static inline bool description_is_nonblocking(const struct description *description)
{
    enum { NONBLOCK = 04000 }; /* O_NONBLOCK */
    return (__atomic_load_n(&description->flags, __ATOMIC_RELAXED) & NONBLOCK) != 0;
}

/* The smallest free descriptor, for this description, which has one reference for it; -EMFILE. */
long descriptor_install(struct description *description, bool close_on_exec);

/* What the descriptor names, with one more reference, to be dropped; NULL: nothing. */
struct description *descriptor_get(int fd);
void description_drop(struct description *description);
bool descriptor_is_open(int fd);
/* One more descriptor, the smallest that is free from `first` on, for the same. */
long descriptor_duplicate(int fd, int first, bool close_on_exec);

/* What all descriptors name, as descriptor_get() gives it, and which are closed on exec. */
struct descriptor_copy {
    struct description *entries[POSIX_DESCRIPTORS_MAX];
    uint8_t close_on_exec[POSIX_DESCRIPTORS_MAX];
};
void descriptor_copy_table(struct descriptor_copy *copy);
void descriptor_drop_copy(struct descriptor_copy *copy);

/* Has all epoll instances forget a description that is being closed. */
void posix_forget_watchers(struct epoll_entry **watchers);

/* Set by code that provides files, when it is part of the program. A descriptor, or -errno. */
extern long (*posix_open_file)(const char *path, int flags);

/*
 * file_share.c: makes what a program that is being started gets of files, a handle that will have
 * the name FTL_INHERIT_FILES in its environment. `files` are those descriptions of kind POSIX_FILE
 * that it gets; each has the number of its place, from 1 on (<ftl/inherit.h>). `uses_files`: the
 * program may open others, and has a current directory. 0, or -errno; no handle when it needs none.
 */
#define POSIX_FILE "file"
long file_share_all(struct description *const *files, size_t count, bool uses_files,
                    ftl_handle_t *handle);

/* Descriptors 0 to 2 at the start, unless the starter gave others. */
extern struct description console_input;
extern struct description console_output;

/*
 * inherit.c: fills the table with what the starter gave. Called once, before anything else.
 */
void descriptor_receive(struct description *entries[POSIX_DESCRIPTORS_MAX]);

/* pipe.c: the end of a pipe that the handle is, which it takes; NULL: no memory. */
struct ftl_inherit;
struct description *pipe_receive(ftl_handle_t handle, const struct ftl_inherit *inherit);

/* file_inherit.c: one of the files that came with FTL_INHERIT_FILES; NULL: it did not. */
struct description *file_receive(ftl_handle_t handle, const struct ftl_inherit *inherit);
/* file_device.c: one that is of this kind; NULL: there is none. */
struct description *file_device_receive(const struct ftl_inherit *inherit);

#endif
