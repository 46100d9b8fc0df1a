/*
 * The POSIX layer: musl's system calls on FTL's kernel calls. One function per system call, each
 * answering as Linux's would: a result, or a negative errno. syscall.c dispatches; docs/posix.md
 * says what is there.
 */
#ifndef POSIX_H
#define POSIX_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

#include <ftl/status.h>
#include <ftl/types.h>

/* The errno for a status that is an error, negated; 0 for FTL_OK. */
long posix_error(ftl_status_t status);

/* descriptor.c: what takes a descriptor is done by what that names. */
long sys_openat(int base, const char *path, int flags, mode_t mode);
long sys_read(int fd, void *buffer, size_t size);
long sys_readv(int fd, const struct iovec *parts, int count);
long sys_write(int fd, const void *data, size_t size);
long sys_writev(int fd, const struct iovec *parts, int count);
long sys_ioctl(int fd, unsigned long request, void *argument);
long sys_lseek(int fd, off_t offset, int whence);
long sys_close(int fd);
long sys_dup(int fd);
long sys_dup3(int fd, int target, int flags);
long sys_fcntl(int fd, int command, long argument);
long sys_bind(int fd, const struct sockaddr *address, socklen_t size);
long sys_listen(int fd, int backlog);
long sys_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
long sys_connect(int fd, const struct sockaddr *address, socklen_t size);
long sys_getname(int fd, struct sockaddr *address, socklen_t *size, bool peer);
long sys_sendmsg(int fd, const struct msghdr *message, int flags);
long sys_recvmsg(int fd, struct msghdr *message, int flags);
long sys_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address,
                socklen_t address_size);
long sys_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *address,
                  socklen_t *address_size);
long sys_shutdown(int fd, int how);
long sys_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
long sys_getsockopt(int fd, int level, int name, void *value, socklen_t *size);

/* memory.c */
long sys_mmap(uintptr_t address, size_t size, int protection, int flags, int fd, off_t offset);
long sys_munmap(uintptr_t address, size_t size);
long sys_msync(uintptr_t address, size_t size, int flags);
long sys_mprotect(uintptr_t address, size_t size, int protection);
long sys_mremap(uintptr_t address, size_t old_size, size_t new_size, int flags);
long sys_madvise(uintptr_t address, size_t size, int advice);
ftl_handle_t posix_vmspace(void);
/* Maps a VMO readable and writable, at *address, or if that is 0 where there is room. */
long posix_map_vmo(ftl_handle_t vmo, uint64_t offset, size_t size, uintptr_t *address);

/* time.c */
long sys_clock_gettime(clockid_t clock, struct timespec *now);
long sys_clock_getres(clockid_t clock, struct timespec *resolution);
long sys_clock_nanosleep(clockid_t clock, int flags, const struct timespec *request,
                         struct timespec *left);
ftl_nsec_t posix_deadline(const struct timespec *timeout);

/* pipe.c */
long sys_pipe2(int fds[2], int flags);

/*
 * signal.c: what a program does about signals, and those that it sends itself. Handlers of these
 * run in the thread that sends.
 */
struct k_sigaction { /* as in musl's src/internal/ksigaction.h */
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    unsigned mask[2];
};
long sys_sigaction(int signal, const struct k_sigaction *action, struct k_sigaction *former);
long sys_sigprocmask(int how, const uint64_t *set, uint64_t *former);
long sys_sigpending(uint64_t *set);
long sys_signal_self(int signal);

long sys_signal_process(int signal);
long sys_sigsuspend(const uint64_t *mask);
long sys_pause(void);
long sys_sigtimedwait(const uint64_t *set, siginfo_t *info, const struct timespec *timeout);

/*
 * A notification that is READABLE when a handler has run in another thread for which the calling
 * thread's wait is to end with EINTR; FTL_HANDLE_INVALID: that cannot happen. Whoever was woken
 * asks whether that was it, which clears it.
 */
ftl_handle_t posix_interruption(void);
bool posix_take_interruption(void);

/* Waits until one of the object's signals is set: 0, -EINTR, -EAGAIN after the deadline. */
long posix_wait_for(ftl_handle_t object, uint32_t signals, ftl_nsec_t deadline);

/* Sleeps: 0, -EINTR. */
long posix_sleep_until(ftl_nsec_t deadline);

/* Sets the thread's mask for the time of a wait: -EINTR when a handler has run at once. */
long posix_exchange_mask(const uint64_t *mask, uint64_t *former);

/* Set by code that starts programs, when it is part of the program. */
struct rusage;
struct posix_children {
    long (*wait)(long pid, int *status, int options, struct rusage *usage);
    long (*kill)(long pid, int signal);
    void (*tell_all)(int signal);
};
extern const struct posix_children *posix_children;

/* thread.c, process.c */
long sys_set_tid_address(int *clear);
_Noreturn void posix_thread_exit(void);
long sys_futex(int *word, int operation, int value, const struct timespec *timeout,
               uint32_t value2);
long sys_getpid(void);
long sys_getppid(void);
long sys_uname(struct utsname *name);
long sys_sysinfo(struct sysinfo *info);

#endif
