/* The process itself: its id, signals to itself, and what it may know of the system. */
#include "posix.h"

#include <errno.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/process.h>
#include <ftl/system.h>
#include <signal.h>

#define CANCEL_SIGNAL                                                                              \
    33 /* musl's SIGCANCEL: see musl/overlay/src/thread/riscv64/pthread_cancel.c */
#define SYNCCALL_SIGNAL  34 /* musl's SIGSYNCCALL */
#define EXIT_SIGNAL_BASE 128
#define NSEC_PER_SEC     1000000000

long sys_getpid(void)
{
    static long pid; /* asked for once: it never changes */
    struct ftl_process_info info;
    ftl_handle_t self;

    long known = __atomic_load_n(&pid, __ATOMIC_RELAXED);
    if (known != 0 || ftl_process_self(&self) != FTL_OK) {
        return known;
    }
    if (ftl_process_info(self, &info) == FTL_OK) {
        known = (long)info.pid;
        __atomic_store_n(&pid, known, __ATOMIC_RELAXED);
    }
    ftl_handle_close(self);
    return known;
}

/*
 * Nothing can be caught, so a signal does what it does by default: most end the process. musl's
 * internal signals would have to interrupt another thread, which FTL cannot.
 */
long sys_signal_self(int signal)
{
    if (signal < 0 || signal >= _NSIG) {
        return -EINVAL;
    }
    switch (signal) {
    case 0:
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH: return 0;
    case CANCEL_SIGNAL:
    case SYNCCALL_SIGNAL: return -ENOSYS;
    default: ftl_process_exit(EXIT_SIGNAL_BASE + signal);
    }
}

long sys_uname(struct utsname *name)
{
    *name = (struct utsname){ .sysname = "FTL", .nodename = "ftl", .machine = "riscv64" };
    return 0;
}

/* Only for who was given the `system` handle. */
long sys_sysinfo(struct sysinfo *info)
{
    struct ftl_system_info system;
    ftl_handle_t handle = ftl_environ_find(ftl_environ(), "system");
    if (handle == FTL_HANDLE_INVALID) {
        return -EPERM;
    }
    ftl_status_t status = ftl_system_info(handle, &system);
    if (status != FTL_OK) {
        return posix_error(status);
    }
    *info = (struct sysinfo){
        .uptime = (unsigned long)(system.uptime / NSEC_PER_SEC),
        .totalram = system.memory_total,
        .freeram = system.memory_free,
        .procs = (unsigned short)system.processes,
        .mem_unit = 1,
    };
    return 0;
}
