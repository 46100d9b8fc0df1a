/* open(): in musl's place, whose system call is made where nobody sees which one it is, so that
 * programs that use it have files. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>

#include "file.h"

static int answer(long result)
{
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return (int)result;
}

int openat(int base, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    pthread_testcancel();
    return answer(file_open_at(base, path, flags, mode));
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    pthread_testcancel();
    return answer(file_open_at(AT_FDCWD, path, flags, mode));
}
