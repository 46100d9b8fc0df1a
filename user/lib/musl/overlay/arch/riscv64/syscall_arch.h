/*
 * musl's kernel interface on FTL: every "system call" is a call of the POSIX layer
 * (user/lib/posix), which answers with a result or a negative errno as Linux does. Takes the place
 * of musl's own file.
 *
 * Calls that are about files go to a function of their own, so that only programs which contain one
 * of them contain files. open() without a mode is none of these: musl's start-up code has one (of
 * /dev/null), as has what looks for translations; these work when the program has files otherwise.
 */
#include <bits/syscall.h>

#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

typedef long __ftl_syscall_t(long number, long a, long b, long c, long d, long e, long f);

__attribute__((visibility("hidden"))) __ftl_syscall_t __ftl_syscall;
__attribute__((visibility("hidden"))) __ftl_syscall_t __ftl_file_syscall;

/* Decided when this is compiled: the numbers are constants. */
static inline __ftl_syscall_t *__ftl_syscall_for(long n, int arguments)
{
    switch (n) {
    case __NR_openat: return arguments == 4 ? __ftl_file_syscall : __ftl_syscall;
    case __NR_newfstatat:
    case __NR_fstat:
    case __NR_statfs:
    case __NR_fstatfs:
    case __NR_faccessat:
    case __NR_faccessat2:
    case __NR_mkdirat:
    case __NR_mknodat:
    case __NR_unlinkat:
    case __NR_renameat2:
    case __NR_linkat:
    case __NR_symlinkat:
    case __NR_readlinkat:
    case __NR_truncate:
    case __NR_ftruncate:
    case __NR_fchmod:
    case __NR_fchmodat:
    case __NR_fchown:
    case __NR_fchownat:
    case __NR_utimensat:
    case __NR_chdir:
    case __NR_fchdir:
    case __NR_getcwd:
    case __NR_getdents64:
    case __NR_flock:
    case __NR_sendfile:
    case __NR_umask:
    case __NR_sync: return __ftl_file_syscall;
    default: return __ftl_syscall;
    }
}

#define __FTL_SYSCALL(n, arguments)                                                                \
    (__builtin_constant_p(n) ? __ftl_syscall_for(n, arguments) : __ftl_syscall)

static __inline__ __attribute__((always_inline)) long __syscall0(long n)
{
    return __FTL_SYSCALL(n, 0)(n, 0, 0, 0, 0, 0, 0);
}

static __inline__ __attribute__((always_inline)) long __syscall1(long n, long a)
{
    return __FTL_SYSCALL(n, 1)(n, a, 0, 0, 0, 0, 0);
}

static __inline__ __attribute__((always_inline)) long __syscall2(long n, long a, long b)
{
    return __FTL_SYSCALL(n, 2)(n, a, b, 0, 0, 0, 0);
}

static __inline__ __attribute__((always_inline)) long __syscall3(long n, long a, long b, long c)
{
    return __FTL_SYSCALL(n, 3)(n, a, b, c, 0, 0, 0);
}

static __inline__ __attribute__((always_inline)) long __syscall4(long n, long a, long b, long c,
                                                                 long d)
{
    return __FTL_SYSCALL(n, 4)(n, a, b, c, d, 0, 0);
}

static __inline__ __attribute__((always_inline)) long __syscall5(long n, long a, long b, long c,
                                                                 long d, long e)
{
    return __FTL_SYSCALL(n, 5)(n, a, b, c, d, e, 0);
}

static __inline__ __attribute__((always_inline)) long __syscall6(long n, long a, long b, long c,
                                                                 long d, long e, long f)
{
    return __FTL_SYSCALL(n, 6)(n, a, b, c, d, e, f);
}

#define IPC_64 0
