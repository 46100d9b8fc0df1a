/* What a push and a pop cost while both sides are busy: one thread has both ends. */
#include <ftl/clock.h>
#include <inttypes.h>
#include <stdio.h>

#include "ringtest.h"

#define ROUNDS 20000u

static uint64_t instructions(void)
{
    uint64_t count = 0;
    ftl_clock_instructions(&count);
    return count;
}

/* Without loop and clock: these are measured by themselves. */
static void print_metric(const char *metric, uint64_t start, uint64_t end)
{
    uint64_t empty = instructions();
    for (volatile unsigned i = 0; i < ROUNDS; i++) {
    }
    empty = instructions() - empty;
    printf("%s %" PRIu64 "\n", metric, (end - start - empty + ROUNDS / 2) / ROUNDS);
}

static uint64_t pass_one(struct ftl_ring *producer, struct ftl_ring *consumer, uint64_t value)
{
    uint64_t *payload = ftl_ring_push_begin(producer);
    if (payload != NULL) {
        *payload = value;
        ftl_ring_push_end(producer, payload);
    }
    payload = ftl_ring_pop_begin(consumer);
    if (payload != NULL) {
        value = *payload;
        ftl_ring_pop_end(consumer, payload);
    }
    return value;
}

static uint64_t pass_one_among_many(struct ftl_ring *producer, struct ftl_ring *consumer,
                                    uint64_t value)
{
    uint64_t *payload = ftl_ring_multi_push_begin(producer);
    if (payload != NULL) {
        *payload = value;
        ftl_ring_multi_push_end(producer, payload);
    }
    payload = ftl_ring_multi_pop_begin(consumer);
    if (payload != NULL) {
        value = *payload;
        ftl_ring_multi_pop_end(consumer, payload);
    }
    return value;
}

static void measure(const struct place *place, bool multi)
{
    struct ftl_ring producer;
    struct ftl_ring consumer;
    uint64_t sum = 0;
    ftl_ring_format(place->ring, PAYLOAD, SLOTS);
    open_end(&producer, place, false, multi, FTL_HANDLE_INVALID);
    open_end(&consumer, place, true, multi, FTL_HANDLE_INVALID);
    uint64_t start = instructions();
    for (volatile unsigned i = 0; i < ROUNDS; i++) {
        sum += multi ? pass_one_among_many(&producer, &consumer, i)
                     : pass_one(&producer, &consumer, i);
    }
    uint64_t end = instructions();
    if (sum != (uint64_t)ROUNDS * (ROUNDS - 1) / 2) {
        puts("ringtest: items were lost");
    }
    print_metric(multi ? "ring_multi_push_pop" : "ring_push_pop", start, end);
    ftl_ring_close(&producer);
    ftl_ring_close(&consumer);
}

void print_cost(const struct place *place)
{
    measure(place, false);
    measure(place, true);
}
