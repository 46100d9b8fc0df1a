/* The process itself: its id, and what it may know of the system. */
#include "posix.h"

#include <errno.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/process.h>
#include <ftl/signals.h>
#include <ftl/system.h>
#include <stdlib.h>
#include <string.h>

#define NSEC_PER_SEC 1000000000

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

/* 0 when the starter has not told: one outside of what can be seen, as Linux has it. */
long sys_getppid(void)
{
    const struct ftl_environ *env = ftl_environ();
    size_t prefix = strlen(FTL_SIGNALS_PREFIX);
    for (size_t i = 0; i < env->handle_count; i++) {
        if (strncmp(env->handles[i].name, FTL_SIGNALS_PREFIX, prefix) == 0) {
            return strtol(env->handles[i].name + prefix, NULL, 10);
        }
    }
    return 0;
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
