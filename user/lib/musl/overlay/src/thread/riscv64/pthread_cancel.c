/*
 * Thread cancellation without signals: a cancelled thread notices at its next cancellation point.
 * One that is blocked in a call already goes on until that returns. See docs/posix.md.
 */
#define _GNU_SOURCE
#include "pthread_impl.h"
#include "syscall.h"

hidden long __cancel(void), __syscall_cp_c();

long __cancel(void)
{
    pthread_t self = __pthread_self();
    if (self->canceldisable == PTHREAD_CANCEL_ENABLE || self->cancelasync) {
        pthread_exit(PTHREAD_CANCELED);
    }
    self->canceldisable = PTHREAD_CANCEL_DISABLE;
    return -ECANCELED;
}

long __syscall_cp_c(syscall_arg_t number, syscall_arg_t a, syscall_arg_t b, syscall_arg_t c,
                    syscall_arg_t d, syscall_arg_t e, syscall_arg_t f)
{
    pthread_t self = __pthread_self();
    if (self->cancel && self->canceldisable != PTHREAD_CANCEL_DISABLE && number != SYS_close) {
        return __cancel();
    }
    return __syscall(number, a, b, c, d, e, f);
}

void __testcancel(void)
{
    pthread_t self = __pthread_self();
    if (self->cancel && !self->canceldisable) {
        __cancel();
    }
}

int pthread_cancel(pthread_t thread)
{
    a_store(&thread->cancel, 1);
    if (thread == pthread_self() && thread->canceldisable == PTHREAD_CANCEL_ENABLE &&
        thread->cancelasync) {
        pthread_exit(PTHREAD_CANCELED);
    }
    return 0;
}
