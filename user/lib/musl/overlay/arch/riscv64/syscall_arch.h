/*
 * musl's kernel interface on FTL: every "system call" is a call of the POSIX layer
 * (user/lib/posix), which answers with a result or a negative errno as Linux does. Takes the place
 * of musl's own file.
 */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

__attribute__((visibility("hidden"))) long __ftl_syscall(long number, long a, long b, long c,
                                                         long d, long e, long f);

static inline long __syscall0(long n)
{
    return __ftl_syscall(n, 0, 0, 0, 0, 0, 0);
}

static inline long __syscall1(long n, long a)
{
    return __ftl_syscall(n, a, 0, 0, 0, 0, 0);
}

static inline long __syscall2(long n, long a, long b)
{
    return __ftl_syscall(n, a, b, 0, 0, 0, 0);
}

static inline long __syscall3(long n, long a, long b, long c)
{
    return __ftl_syscall(n, a, b, c, 0, 0, 0);
}

static inline long __syscall4(long n, long a, long b, long c, long d)
{
    return __ftl_syscall(n, a, b, c, d, 0, 0);
}

static inline long __syscall5(long n, long a, long b, long c, long d, long e)
{
    return __ftl_syscall(n, a, b, c, d, e, 0);
}

static inline long __syscall6(long n, long a, long b, long c, long d, long e, long f)
{
    return __ftl_syscall(n, a, b, c, d, e, f);
}

#define IPC_64 0
