/* Dispatch of musl's system calls: see posix.h. What is not listed does not exist: ENOSYS. */
#include "posix.h"

#include <errno.h>
#include <ftl/process.h>
#include <ftl/thread.h>
#include <sys/syscall.h>

#include "descriptor.h"
#include "file_call.h"

/* Programs that make calls which are about files have these. */
#pragma weak __ftl_file_syscall
#pragma weak file_finish

long __ftl_syscall(long number, long a, long b, long c, long d, long e, long f);

long posix_error(ftl_status_t status)
{
    switch (status) {
    case FTL_OK: return 0;
    case FTL_ERR_INVALID_ARGUMENT:
    case FTL_ERR_OUT_OF_RANGE: return -EINVAL;
    case FTL_ERR_NO_MEMORY:
    case FTL_ERR_LIMIT: return -ENOMEM;
    case FTL_ERR_HANDLE_FORGED:
    case FTL_ERR_HANDLE_CLOSED:
    case FTL_ERR_HANDLE_STALE:
    case FTL_ERR_WRONG_TYPE: return -EBADF;
    case FTL_ERR_MISSING_RIGHT: return -EACCES;
    case FTL_ERR_BAD_ADDRESS: return -EFAULT;
    case FTL_ERR_BAD_STATE: return -EBUSY;
    case FTL_ERR_TIMED_OUT: return -ETIMEDOUT;
    case FTL_ERR_NOT_FOUND: return -ENOENT;
    case FTL_ERR_EXISTS: return -EEXIST;
    case FTL_ERR_NOT_SUPPORTED: return -ENOTSUP;
    case FTL_ERR_UNKNOWN_CALL: return -ENOSYS;
    case FTL_ERR_BAD_FORMAT:
    case FTL_ERR_NOT_VERIFIED: return -ENOEXEC;
    case FTL_ERR_CANCELLED: return -EINTR;
    case FTL_ERR_WOULD_BLOCK: return -EAGAIN;
    case FTL_ERR_PEER_CLOSED: return -EPIPE;
    case FTL_ERR_NOT_DIRECTORY: return -ENOTDIR;
    case FTL_ERR_IS_DIRECTORY: return -EISDIR;
    case FTL_ERR_NOT_EMPTY: return -ENOTEMPTY;
    case FTL_ERR_NO_SPACE: return -ENOSPC;
    case FTL_ERR_READ_ONLY: return -EROFS;
    case FTL_ERR_NAME_TOO_LONG: return -ENAMETOOLONG;
    case FTL_ERR_TOO_LARGE: return -EFBIG;
    case FTL_ERR_LOOP: return -ELOOP;
    case FTL_ERR_CROSS_DEVICE: return -EXDEV;
    default: return -EIO;
    }
}

const struct posix_children *posix_children;

static long sys_wait4(long pid, int *status, int options, struct rusage *usage)
{
    return posix_children != NULL ? posix_children->wait(pid, status, options, usage) : -ECHILD;
}

static long sys_kill(long pid, int signal)
{
    if (pid == sys_getpid() || pid == 0) {
        return sys_signal_process(signal);
    }
    return posix_children != NULL ? posix_children->kill(pid, signal) : -ESRCH;
}

/* Without files there is what other parts of the program provide. */
long sys_openat(int base, const char *path, int flags, mode_t mode)
{
    if (__ftl_file_syscall != NULL) {
        return __ftl_file_syscall(SYS_openat, base, (long)path, flags, (long)mode, 0, 0);
    }
    return posix_open_file != NULL ? posix_open_file(path, flags) : -ENOSYS;
}

static _Noreturn void sys_exit_group(int32_t status)
{
    if (file_finish != NULL) {
        file_finish();
    }
    ftl_process_exit(status);
}

/* Casts below undo the ones that musl's syscall macros made: every argument came as a long. */
long __ftl_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    switch (number) {
    case SYS_openat: return sys_openat((int)a, (const char *)b, (int)c, (mode_t)d);
    case SYS_read: return sys_read((int)a, (void *)b, (size_t)c);
    case SYS_readv: return sys_readv((int)a, (const struct iovec *)b, (int)c);
    case SYS_write: return sys_write((int)a, (const void *)b, (size_t)c);
    case SYS_writev: return sys_writev((int)a, (const struct iovec *)b, (int)c);
    case SYS_ioctl: return sys_ioctl((int)a, (unsigned long)b, (void *)c);
    case SYS_lseek: return sys_lseek((int)a, (off_t)b, (int)c);
    case SYS_close: return sys_close((int)a);
    case SYS_dup: return sys_dup((int)a);
    case SYS_dup3: return sys_dup3((int)a, (int)b, (int)c);
    case SYS_fcntl: return sys_fcntl((int)a, (int)b, c);

    case SYS_bind: return sys_bind((int)a, (const struct sockaddr *)b, (socklen_t)c);
    case SYS_listen: return sys_listen((int)a, (int)b);
    case SYS_accept: return sys_accept4((int)a, (struct sockaddr *)b, (socklen_t *)c, 0);
    case SYS_accept4: return sys_accept4((int)a, (struct sockaddr *)b, (socklen_t *)c, (int)d);
    case SYS_connect: return sys_connect((int)a, (const struct sockaddr *)b, (socklen_t)c);
    case SYS_getsockname: return sys_getname((int)a, (struct sockaddr *)b, (socklen_t *)c, false);
    case SYS_getpeername: return sys_getname((int)a, (struct sockaddr *)b, (socklen_t *)c, true);
    case SYS_sendmsg: return sys_sendmsg((int)a, (const struct msghdr *)b, (int)c);
    case SYS_recvmsg: return sys_recvmsg((int)a, (struct msghdr *)b, (int)c);
    case SYS_sendto:
        return sys_sendto((int)a, (const void *)b, (size_t)c, (int)d, (const struct sockaddr *)e,
                          (socklen_t)f);
    case SYS_recvfrom:
        return sys_recvfrom((int)a, (void *)b, (size_t)c, (int)d, (struct sockaddr *)e,
                            (socklen_t *)f);
    case SYS_shutdown: return sys_shutdown((int)a, (int)b);
    case SYS_setsockopt:
        return sys_setsockopt((int)a, (int)b, (int)c, (const void *)d, (socklen_t)e);
    case SYS_getsockopt: return sys_getsockopt((int)a, (int)b, (int)c, (void *)d, (socklen_t *)e);

    case SYS_mmap: return sys_mmap((uintptr_t)a, (size_t)b, (int)c, (int)d, (int)e, (off_t)f);
    case SYS_munmap: return sys_munmap((uintptr_t)a, (size_t)b);
    case SYS_msync: return sys_msync((uintptr_t)a, (size_t)b, (int)c);
    case SYS_mprotect: return sys_mprotect((uintptr_t)a, (size_t)b, (int)c);
    case SYS_mremap: return sys_mremap((uintptr_t)a, (size_t)b, (size_t)c, (int)d);
    case SYS_madvise: return sys_madvise((uintptr_t)a, (size_t)b, (int)c);

    case SYS_clock_gettime: return sys_clock_gettime((clockid_t)a, (struct timespec *)b);
    case SYS_clock_getres: return sys_clock_getres((clockid_t)a, (struct timespec *)b);
    case SYS_nanosleep:
        return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, (struct timespec *)a, (struct timespec *)b);
    case SYS_clock_nanosleep:
        return sys_clock_nanosleep((clockid_t)a, (int)b, (struct timespec *)c,
                                   (struct timespec *)d);

    case SYS_futex:
        return sys_futex((int *)a, (int)b, (int)c, (const struct timespec *)d, (uint32_t)d);
    case SYS_sched_yield: return posix_error(ftl_thread_yield());
    case SYS_set_tid_address: return sys_set_tid_address((int *)a);
    case SYS_getpid: return sys_getpid();
    case SYS_getuid: /* there are no users: all may do what their handles allow */
    case SYS_geteuid:
    case SYS_getgid:
    case SYS_getegid: return 0;
    case SYS_getppid: return sys_getppid();
    case SYS_pipe2: return sys_pipe2((int *)a, (int)b);
    case SYS_wait4: return sys_wait4(a, (int *)b, (int)c, (struct rusage *)d);
    case SYS_kill: return sys_kill(a, (int)b);
    case SYS_rt_sigaction:
        return sys_sigaction((int)a, (const struct k_sigaction *)b, (struct k_sigaction *)c);
    case SYS_rt_sigprocmask: return sys_sigprocmask((int)a, (const uint64_t *)b, (uint64_t *)c);
    case SYS_rt_sigsuspend: return sys_sigsuspend((const uint64_t *)a);
    case SYS_rt_sigtimedwait:
        return sys_sigtimedwait((const uint64_t *)a, (siginfo_t *)b, (const struct timespec *)c);
    case SYS_ppoll: return b == 0 && c == 0 ? sys_pause() : -ENOSYS; /* pause() makes it so */
    case SYS_rt_sigpending: return sys_sigpending((uint64_t *)a);
    case SYS_tkill: return sys_signal_self((int)b);
    case SYS_tgkill: return sys_signal_self((int)c);
    case SYS_exit: posix_thread_exit();
    case SYS_exit_group: sys_exit_group((int32_t)a);

    case SYS_uname: return sys_uname((struct utsname *)a);
    case SYS_sysinfo: return sys_sysinfo((struct sysinfo *)a);
    default:
        return __ftl_file_syscall != NULL ? __ftl_file_syscall(number, a, b, c, d, e, f) : -ENOSYS;
    }
}
