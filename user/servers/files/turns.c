/*
 * A lock: see turns.h. Who has to wait draws a number. The one whose turn it is waits for the lock
 * itself, the others for their turn, spread over several words, so that few are woken whose turn it
 * is not.
 */
#include "turns.h"

#include <ftl/futex.h>
#include <ftl/types.h>
#include <stdbool.h>

enum { FREE, TAKEN, AWAITED /* taken, and the first of those who wait sleeps */ };

/* How often who is first looks before it sleeps: what another hart does is mostly short. */
#define TRIES 200u

static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static bool take_if_free(struct turns *turns)
{
    uint32_t state = FREE;
    return load(&turns->state) == FREE &&
           __atomic_compare_exchange_n(&turns->state, &state, TAKEN, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static uint32_t *slot_of(struct turns *turns, uint32_t number)
{
    return &turns->called[number & (TURNS_SLOTS - 1)];
}

static void wait_for_turn(struct turns *turns, uint32_t number)
{
    uint32_t *called = slot_of(turns, number);
    for (;;) {
        /* Read before the turn, which is passed before the word changes: a wait cannot miss it. */
        uint32_t last = load(called);
        if (load(&turns->now) == number) {
            return;
        }
        ftl_futex_wait((uintptr_t)called, last, FTL_TIME_INFINITE);
    }
}

static void call_next(struct turns *turns)
{
    uint32_t number = turns->now + 1;
    uint32_t *called = slot_of(turns, number);
    uint32_t woken;
    __atomic_store_n(&turns->now, number, __ATOMIC_SEQ_CST);
    if (load(&turns->next) != number) { /* it was drawn */
        __atomic_store_n(called, number, __ATOMIC_SEQ_CST);
        ftl_futex_wake((uintptr_t)called, UINT32_MAX, &woken);
    }
}

/* By the one whose turn it is. */
static void take_first(struct turns *turns)
{
    for (unsigned i = 0; i < TRIES; i++) {
        if (take_if_free(turns)) {
            return;
        }
    }
    while (__atomic_exchange_n(&turns->state, AWAITED, __ATOMIC_SEQ_CST) != FREE) {
        ftl_futex_wait((uintptr_t)&turns->state, AWAITED, FTL_TIME_INFINITE);
    }
}

void turns_take(struct turns *turns)
{
    bool may_go_ahead = load(&turns->waiters) == 0 || load(&turns->ahead) < TURNS_AHEAD;
    if (may_go_ahead && take_if_free(turns)) {
        if (load(&turns->waiters) != 0) {
            __atomic_fetch_add(&turns->ahead, 1, __ATOMIC_SEQ_CST);
        }
        return;
    }
    __atomic_fetch_add(&turns->waiters, 1, __ATOMIC_SEQ_CST);
    wait_for_turn(turns, __atomic_fetch_add(&turns->next, 1, __ATOMIC_SEQ_CST));
    take_first(turns);
    __atomic_fetch_sub(&turns->waiters, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&turns->ahead, 0, __ATOMIC_SEQ_CST);
    call_next(turns);
}

void turns_pass(struct turns *turns)
{
    uint32_t woken;
    if (__atomic_exchange_n(&turns->state, FREE, __ATOMIC_SEQ_CST) == AWAITED) {
        ftl_futex_wake((uintptr_t)&turns->state, 1, &woken);
    }
}
