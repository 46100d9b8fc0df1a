/*
 * A fair lock: see turns.h. Those who wait are spread over several words, so that few are woken
 * whose turn it is not.
 */
#include "turns.h"

#include <ftl/futex.h>
#include <ftl/types.h>

static uint32_t *slot_of(struct turns *turns, uint32_t number)
{
    return &turns->called[number & (TURNS_SLOTS - 1)];
}

void turns_take(struct turns *turns)
{
    uint32_t number = __atomic_fetch_add(&turns->next, 1, __ATOMIC_SEQ_CST);
    uint32_t *called = slot_of(turns, number);
    for (;;) {
        /* Read before the turn, which is passed before the word changes: a wait cannot miss it. */
        uint32_t last = __atomic_load_n(called, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&turns->now, __ATOMIC_SEQ_CST) == number) {
            return;
        }
        ftl_futex_wait((uintptr_t)called, last, FTL_TIME_INFINITE);
    }
}

void turns_pass(struct turns *turns)
{
    uint32_t number = turns->now + 1;
    uint32_t *called = slot_of(turns, number);
    uint32_t woken;
    __atomic_store_n(&turns->now, number, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&turns->next, __ATOMIC_SEQ_CST) != number) { /* it was drawn */
        __atomic_store_n(called, number, __ATOMIC_SEQ_CST);
        ftl_futex_wake((uintptr_t)called, UINT32_MAX, &woken);
    }
}
