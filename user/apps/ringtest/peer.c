/* What the processes do that ringtest starts: one of the roles. */
#include <ftl/environ.h>
#include <ftl/thread.h>
#include <stdlib.h>
#include <string.h>

#include "ringtest.h"

static struct place place;
static ftl_handle_t parent;

static int produce(bool multi)
{
    struct ftl_ring ring;
    open_end(&ring, &place, false, multi, parent);
    for (uint64_t i = 0; i < ITEMS; i++) {
        require(push(&ring, i), "push");
    }
    require(push(&ring, END), "push");
    return EXIT_SUCCESS;
}

/* Receives until the end of one producer; in order, if there is but one. */
static int consume(bool multi)
{
    struct ftl_ring ring;
    uint64_t value;
    uint64_t count = 0;
    open_end(&ring, &place, true, multi, parent);
    for (;;) {
        require(pop(&ring, &value), "pop");
        if (value == END) {
            return EXIT_SUCCESS;
        }
        if (!multi && value != count++) {
            return EXIT_FAILURE;
        }
        __atomic_fetch_add(&place.results->sum, value, __ATOMIC_RELAXED);
        __atomic_fetch_add(&place.results->count, 1, __ATOMIC_RELAXED);
    }
}

static int die(void)
{
    struct ftl_ring ring;
    open_end(&ring, &place, false, false, parent);
    for (uint64_t i = 0; i < 10; i++) {
        require(push(&ring, i), "push");
    }
    return EXIT_SUCCESS;
}

/* Ends by saying so where results are. */
static int vandalize(void)
{
    uint64_t random = 88172645463325252u;
    uint64_t *words = place.ring;
    size_t count = ftl_ring_memory_size(PAYLOAD, SLOTS) / sizeof(*words);
    for (unsigned round = 0; round < 200000; round++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        __atomic_store_n(&words[(random >> 20) % count], random >> (random % 64), __ATOMIC_RELAXED);
    }
    __atomic_store_n(&place.results->count, 1, __ATOMIC_RELAXED);
    return EXIT_SUCCESS;
}

int peer_main(const char *role)
{
    struct ftl_environ *env = ftl_environ();
    place.memory = ftl_environ_find(env, "memory");
    place.data = ftl_environ_find(env, "data");
    place.space = ftl_environ_find(env, "space");
    parent = ftl_environ_find(env, "parent");
    map_place(&place);
    if (strcmp(role, ROLE_PRODUCER) == 0 || strcmp(role, ROLE_MULTI_PRODUCER) == 0) {
        return produce(strcmp(role, ROLE_MULTI_PRODUCER) == 0);
    }
    if (strcmp(role, ROLE_CONSUMER) == 0 || strcmp(role, ROLE_MULTI_CONSUMER) == 0) {
        return consume(strcmp(role, ROLE_MULTI_CONSUMER) == 0);
    }
    if (strcmp(role, ROLE_DYING) == 0) {
        return die();
    }
    if (strcmp(role, ROLE_VANDAL) == 0) {
        return vandalize();
    }
    ftl_thread_sleep(FTL_TIME_INFINITE); /* ROLE_SLEEPER */
    return EXIT_FAILURE;
}
