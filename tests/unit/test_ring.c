/*
 * user/lib/src/ring.c and <ftl/ring.h>: every end is a fiber, and at every atomic access another
 * may go on, as a random schedule says (sim/yield_points.h). The kernel is a fake of notifications
 * and of polls that see their edges. Fibers that all sleep have lost a wake-up.
 */
#include "host/test.h"

#include <sanitizer/common_interface_defs.h>

#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/poll.h>
#include <ftl/ring.h>
#include <pthread.h>
#include <sched.h>
#include <ucontext.h>

#define FIBERS_MAX 6u
#define STACK_SIZE 65536u
#define ROUNDS     3000u

/* ---- Fibers ---- */

struct fiber {
    ucontext_t context;
    void *fake_stack;
    void (*run)(struct fiber *fiber);
    bool done;
    bool sleeps; /* in the fake poll_wait */
    size_t number;
    struct ftl_ring ring;
};

static struct {
    struct fiber fibers[FIBERS_MAX];
    size_t count;
    struct fiber *current; /* NULL: the test itself */
    ucontext_t test;
    void *test_fake_stack;
    const void *test_stack;
    size_t test_stack_size;
    char *stacks[FIBERS_MAX];
    struct host_random random;
    size_t odds; /* another fiber goes on at one point in this many */
} explorer;

static void leave_fiber(struct fiber *fiber, bool for_ever)
{
    explorer.current = NULL;
    __sanitizer_start_switch_fiber(for_ever ? NULL : &fiber->fake_stack, explorer.test_stack,
                                   explorer.test_stack_size);
    swapcontext(&fiber->context, &explorer.test);
    __sanitizer_finish_switch_fiber(fiber->fake_stack, NULL, NULL);
}

static void start_fiber(void)
{
    __sanitizer_finish_switch_fiber(NULL, &explorer.test_stack, &explorer.test_stack_size);
    struct fiber *self = explorer.current;
    self->run(self);
    self->done = true;
    leave_fiber(self, true);
}

static void enter_fiber(struct fiber *fiber)
{
    explorer.current = fiber;
    __sanitizer_start_switch_fiber(&explorer.test_fake_stack, explorer.stacks[fiber->number],
                                   STACK_SIZE);
    swapcontext(&explorer.test, &fiber->context);
    __sanitizer_finish_switch_fiber(explorer.test_fake_stack, NULL, NULL);
}

void sim_point(void)
{
    struct fiber *self = explorer.current;
    if (self != NULL && host_random_below(&explorer.random, explorer.odds) == 0) {
        leave_fiber(self, false);
    }
}

static void add_fiber(void (*run)(struct fiber *fiber))
{
    size_t number = explorer.count++;
    struct fiber *fiber = &explorer.fibers[number];
    memset(fiber, 0, sizeof(*fiber));
    fiber->run = run;
    fiber->number = number;
    if (explorer.stacks[number] == NULL) {
        explorer.stacks[number] = malloc(STACK_SIZE);
    }
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = explorer.stacks[number];
    fiber->context.uc_stack.ss_size = STACK_SIZE;
    makecontext(&fiber->context, start_fiber, 0);
}

/* Lets the fibers go on until all are done. */
static void run_fibers(unsigned seed)
{
    explorer.random.state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    explorer.odds = 1 + seed % 7;
    for (;;) {
        struct fiber *ready[FIBERS_MAX];
        size_t ready_count = 0;
        size_t done = 0;
        for (size_t i = 0; i < explorer.count; i++) {
            struct fiber *fiber = &explorer.fibers[i];
            done += fiber->done;
            if (!fiber->done && !fiber->sleeps) {
                ready[ready_count++] = fiber;
            }
        }
        if (done == explorer.count) {
            return;
        }
        if (ready_count == 0) {
            fail_msg("schedule %u: a wake-up was lost", seed);
            return;
        }
        enter_fiber(ready[host_random_below(&explorer.random, ready_count)]);
    }
}

/* ---- The fake kernel: notifications 1 and 2, peers 3 and 4, and from 10 on polls ---- */

#define DATA         ((ftl_handle_t)1)
#define SPACE        ((ftl_handle_t)2)
#define PEER         ((ftl_handle_t)3)
#define FIRST_POLL   ((ftl_handle_t)10)
#define POLLS        8u
#define POLL_ENTRIES 2u

static struct {
    struct {
        bool open;
        size_t entries;
        struct {
            ftl_handle_t object;
            uint64_t word;
            bool edge;
            bool fired;
        } entry[POLL_ENTRIES];
        struct fiber *sleeper;
    } polls[POLLS];
    bool peer_ended;
    unsigned signals;
} fake;

ftl_status_t ftl_poll_create(ftl_handle_t *poll)
{
    size_t index = 0;
    while (fake.polls[index].open) {
        index++;
    }
    memset(&fake.polls[index], 0, sizeof(fake.polls[index]));
    fake.polls[index].open = true;
    *poll = FIRST_POLL + index;
    return FTL_OK;
}

ftl_status_t ftl_handle_close(ftl_handle_t handle)
{
    assert_true(fake.polls[handle - FIRST_POLL].open);
    fake.polls[handle - FIRST_POLL].open = false;
    return FTL_OK;
}

ftl_status_t ftl_poll_add(ftl_handle_t poll, ftl_handle_t object, uint32_t interest, uint64_t word,
                          uint64_t *entry)
{
    size_t index = poll - FIRST_POLL;
    *entry = fake.polls[index].entries++;
    fake.polls[index].entry[*entry].object = object;
    fake.polls[index].entry[*entry].word = word;
    fake.polls[index].entry[*entry].edge = (interest & FTL_POLL_EDGE) != 0;
    return FTL_OK;
}

/* Something has happened to the object. */
static void fire(ftl_handle_t object)
{
    for (size_t i = 0; i < POLLS; i++) {
        for (size_t j = 0; fake.polls[i].open && j < fake.polls[i].entries; j++) {
            if (fake.polls[i].entry[j].object == object) {
                fake.polls[i].entry[j].fired = true;
                if (fake.polls[i].sleeper != NULL) {
                    fake.polls[i].sleeper->sleeps = false;
                }
            }
        }
    }
}

ftl_status_t ftl_notification_signal(ftl_handle_t notification, uint64_t bits)
{
    assert_in_range(notification, DATA, SPACE);
    assert_int_equal(bits, 1);
    sim_point();
    fake.signals++;
    fire(notification);
    sim_point();
    return FTL_OK;
}

ftl_status_t ftl_poll_wait(ftl_handle_t poll, struct ftl_poll_event *events, size_t capacity,
                           ftl_nsec_t deadline, size_t *count)
{
    struct fiber *self = explorer.current; /* NULL: the test itself, which must not sleep */
    size_t index = poll - FIRST_POLL;
    sim_point();
    for (;;) {
        *count = 0;
        for (size_t j = 0; j < fake.polls[index].entries && *count < capacity; j++) {
            if (fake.polls[index].entry[j].fired) {
                events[(*count)++].word = fake.polls[index].entry[j].word;
                fake.polls[index].entry[j].fired = !fake.polls[index].entry[j].edge;
            }
        }
        if (*count != 0) {
            return FTL_OK;
        }
        if (deadline == 0 || self == NULL) {
            return FTL_ERR_WOULD_BLOCK;
        }
        fake.polls[index].sleeper = self;
        self->sleeps = true;
        leave_fiber(self, false);
        fake.polls[index].sleeper = NULL;
    }
}

/* ---- Ends ---- */

#define PAYLOAD 24u
#define SLOTS   2u
#define ITEMS   5u /* of each producer */
#define END     UINT64_MAX

static _Alignas(FTL_RING_LINE) char memory[4096];
static bool multi;
static uint64_t last_seen[FIBERS_MAX][FIBERS_MAX]; /* by consumer and producer */
static unsigned received[FIBERS_MAX][ITEMS];
static unsigned ends;

static void open_end(struct ftl_ring *ring, bool consumes, ftl_handle_t peer)
{
    struct ftl_ring_config config = {
        .memory = memory,
        .payload_size = PAYLOAD,
        .slots = SLOTS,
        .consumes = consumes,
        .multi = multi,
        .data = DATA,
        .space = SPACE,
        .peer = peer,
    };
    assert_int_equal(ftl_ring_open(ring, &config), FTL_OK);
}

static void *push_begin(struct ftl_ring *ring)
{
    return multi ? ftl_ring_multi_push_begin(ring) : ftl_ring_push_begin(ring);
}

static void push_end(struct ftl_ring *ring, void *payload)
{
    if (multi) {
        ftl_ring_multi_push_end(ring, payload);
    } else {
        ftl_ring_push_end(ring, payload);
    }
}

static void *pop_begin(struct ftl_ring *ring)
{
    return multi ? ftl_ring_multi_pop_begin(ring) : ftl_ring_pop_begin(ring);
}

static void pop_end(struct ftl_ring *ring, void *payload)
{
    if (multi) {
        ftl_ring_multi_pop_end(ring, payload);
    } else {
        ftl_ring_pop_end(ring, payload);
    }
}

static void push(struct ftl_ring *ring, uint64_t value)
{
    uint64_t *payload;
    while ((payload = push_begin(ring)) == NULL) {
        assert_int_equal(ftl_ring_wait(ring, FTL_TIME_INFINITE), FTL_OK);
    }
    payload[0] = value;
    sim_point();
    payload[1] = ~value; /* in two steps: nobody may see but one of them */
    push_end(ring, payload);
}

static ftl_status_t pop(struct ftl_ring *ring, uint64_t *value)
{
    uint64_t *payload;
    while ((payload = pop_begin(ring)) == NULL) {
        ftl_status_t status = ftl_ring_wait(ring, FTL_TIME_INFINITE);
        if (status != FTL_OK) {
            return status;
        }
    }
    *value = payload[0];
    sim_point();
    assert_int_equal(payload[1], ~*value);
    pop_end(ring, payload);
    return FTL_OK;
}

static void produce(struct fiber *fiber)
{
    open_end(&fiber->ring, false, FTL_HANDLE_INVALID);
    for (uint64_t i = 0; i < ITEMS; i++) {
        push(&fiber->ring, fiber->number * ITEMS + i);
    }
    push(&fiber->ring, END);
    ftl_ring_close(&fiber->ring);
}

static void note(size_t consumer, uint64_t value)
{
    size_t producer = value / ITEMS;
    assert_true(producer < FIBERS_MAX);
    received[producer][value % ITEMS]++;
    assert_true(value % ITEMS + 1 > last_seen[consumer][producer]); /* in order */
    last_seen[consumer][producer] = value % ITEMS + 1;
}

static void consume(struct fiber *fiber)
{
    uint64_t value;
    open_end(&fiber->ring, true, FTL_HANDLE_INVALID);
    for (;;) {
        assert_int_equal(pop(&fiber->ring, &value), FTL_OK);
        if (value == END) {
            break;
        }
        note(fiber->number, value);
    }
    ends++;
    ftl_ring_close(&fiber->ring);
}

static void reset(void)
{
    memset(&fake, 0, sizeof(fake));
    memset(last_seen, 0, sizeof(last_seen));
    memset(received, 0, sizeof(received));
    ends = 0;
    explorer.count = 0;
    assert_in_range(ftl_ring_memory_size(PAYLOAD, SLOTS), 1, sizeof(memory));
    ftl_ring_format(memory, PAYLOAD, SLOTS);
}

/* All items of all producers arrive once, whatever the schedule. */
static void explore(size_t producers, size_t consumers, unsigned rounds)
{
    unsigned signals = 0;
    for (unsigned seed = 1; seed <= rounds; seed++) {
        reset();
        for (size_t i = 0; i < producers; i++) {
            add_fiber(produce);
        }
        for (size_t i = 0; i < consumers; i++) {
            add_fiber(consume);
        }
        run_fibers(seed);
        assert_int_equal(ends, consumers);
        for (size_t i = 0; i < producers; i++) {
            for (size_t j = 0; j < ITEMS; j++) {
                assert_int_equal(received[i][j], 1);
            }
        }
        signals += fake.signals;
    }
    assert_true(signals > rounds / 4); /* they did sleep */
}

static void one_producer_one_consumer_lose_nothing(void **state)
{
    (void)state;
    multi = false;
    explore(1, 1, ROUNDS);
}

static void many_producers_and_consumers_lose_nothing(void **state)
{
    (void)state;
    multi = true;
    explore(1, 1, ROUNDS / 3);
    explore(2, 2, ROUNDS);
    explore(3, 3, ROUNDS);
}

/* ---- Sleeping ---- */

static void nobody_is_woken_while_both_are_busy(void **state)
{
    struct ftl_ring producer;
    struct ftl_ring consumer;
    (void)state;
    for (unsigned mode = 0; mode < 2; mode++) {
        uint64_t value;
        multi = mode != 0;
        reset();
        open_end(&producer, false, FTL_HANDLE_INVALID);
        open_end(&consumer, true, FTL_HANDLE_INVALID);
        for (uint64_t i = 0; i < 100; i++) {
            push(&producer, i);
            push(&producer, i + 1000);
            assert_null(push_begin(&producer)); /* full */
            assert_int_equal(pop(&consumer, &value), FTL_OK);
            assert_int_equal(value, i);
            assert_int_equal(pop(&consumer, &value), FTL_OK);
            assert_int_equal(value, i + 1000);
            assert_null(pop_begin(&consumer)); /* empty */
        }
        assert_int_equal(fake.signals, 0);
        ftl_ring_close(&producer);
        ftl_ring_close(&consumer);
    }
}

static void a_sleeper_is_woken_once(void **state)
{
    struct ftl_ring producer;
    struct ftl_ring consumer;
    uint64_t value;
    (void)state;
    multi = false;
    reset();
    open_end(&producer, false, FTL_HANDLE_INVALID);
    open_end(&consumer, true, FTL_HANDLE_INVALID);
    assert_int_equal(ftl_ring_wait(&consumer, 0), FTL_ERR_WOULD_BLOCK);
    push(&producer, 1);
    push(&producer, 2);
    assert_int_equal(fake.signals, 1);
    assert_int_equal(ftl_ring_wait(&producer, 0), FTL_ERR_WOULD_BLOCK);
    assert_int_equal(pop(&consumer, &value), FTL_OK);
    assert_int_equal(pop(&consumer, &value), FTL_OK);
    assert_int_equal(fake.signals, 2);
    assert_int_equal(ftl_ring_wait(&producer, 0), FTL_OK);
    ftl_ring_close(&producer);
    ftl_ring_close(&consumer);
}

static void an_end_that_sleeps_elsewhere_is_woken_once(void **state)
{
    struct ftl_ring producer;
    struct ftl_ring consumer;
    (void)state;
    multi = false;
    reset();
    open_end(&producer, false, FTL_HANDLE_INVALID);
    open_end(&consumer, true, FTL_HANDLE_INVALID);
    assert_true(ftl_ring_arm(&consumer));
    push(&producer, 1);
    push(&producer, 2);
    assert_int_equal(fake.signals, 1);
    assert_false(ftl_ring_arm(&consumer)); /* there is something: no reason to sleep */
    assert_true(ftl_ring_arm(&producer));  /* full */
    ftl_ring_close(&producer);
    ftl_ring_close(&consumer);
}

static void produce_and_die(struct fiber *fiber)
{
    open_end(&fiber->ring, false, FTL_HANDLE_INVALID);
    for (uint64_t i = 0; i < ITEMS; i++) {
        push(&fiber->ring, i);
    }
    fake.peer_ended = true;
    sim_point();
    fire(PEER);
}

static void consume_to_the_end(struct fiber *fiber)
{
    uint64_t value;
    open_end(&fiber->ring, true, PEER);
    while (pop(&fiber->ring, &value) == FTL_OK) {
        note(fiber->number, value);
    }
    assert_true(fake.peer_ended);
    ends++;
}

static void the_peers_end_is_seen_after_its_last_item(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= ROUNDS; seed++) {
        multi = seed % 2 == 0;
        reset();
        add_fiber(produce_and_die);
        add_fiber(consume_to_the_end);
        run_fibers(seed);
        assert_int_equal(ends, 1);
        for (size_t i = 0; i < ITEMS; i++) {
            assert_int_equal(received[0][i], 1);
        }
    }
}

/* ---- Hostile peers ---- */

/* Memory of the ring's exact size, in which somebody writes what he likes at any time. */
static void garbage_in_the_memory_leads_nowhere_else(void **state)
{
    size_t size = ftl_ring_memory_size(PAYLOAD, SLOTS);
    char *hostile = aligned_alloc(FTL_RING_LINE, size);
    struct host_random random = { 77 };
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        struct ftl_ring ring;
        struct ftl_ring_config config = {
            .memory = hostile,
            .payload_size = PAYLOAD,
            .slots = SLOTS,
            .consumes = round % 2 == 0,
            .multi = round % 4 < 2,
            .data = DATA,
            .space = SPACE,
        };
        char data[PAYLOAD];
        size_t got = 0;
        reset();
        ftl_ring_format(hostile, PAYLOAD, SLOTS);
        assert_int_equal(ftl_ring_open(&ring, &config), FTL_OK);
        for (unsigned step = 0; step < 10; step++) {
            for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
                uint64_t value = host_random(&random) >> host_random_below(&random, 64);
                if (host_random_below(&random, 3) == 0) {
                    memcpy(hostile + i, &value, sizeof(value));
                }
            }
            ftl_status_t status = config.consumes
                                      ? ftl_ring_read(&ring, data, sizeof(data) - 8, &got)
                                      : ftl_ring_write(&ring, data, 8);
            if (status == FTL_ERR_WOULD_BLOCK) {
                status = ftl_ring_wait(&ring, 0);
                assert_true(status == FTL_OK || status == FTL_ERR_WOULD_BLOCK);
            } else {
                assert_true(status == FTL_OK || status == FTL_ERR_BAD_FORMAT);
            }
        }
        ftl_ring_close(&ring);
    }
    free(hostile);
}

/* ---- Byte slots, and what there cannot be ---- */

static void messages_of_all_sizes_arrive(void **state)
{
    struct ftl_ring producer;
    struct ftl_ring consumer;
    char data[PAYLOAD] = "0123456789abcdef";
    char got[PAYLOAD];
    size_t size;
    (void)state;
    multi = false;
    reset();
    open_end(&producer, false, FTL_HANDLE_INVALID);
    open_end(&consumer, true, FTL_HANDLE_INVALID);
    assert_int_equal(ftl_ring_read(&consumer, got, sizeof(got), &size), FTL_ERR_WOULD_BLOCK);
    for (size_t i = 0; i <= PAYLOAD - 8; i++) {
        memset(got, 0, sizeof(got));
        assert_int_equal(ftl_ring_write(&producer, data, i), FTL_OK);
        assert_int_equal(ftl_ring_read(&consumer, got, sizeof(got), &size), FTL_OK);
        assert_int_equal(size, i);
        assert_memory_equal(got, data, i);
    }
    assert_int_equal(ftl_ring_write(&producer, data, PAYLOAD - 7), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(ftl_ring_write(&producer, data, 5), FTL_OK);
    assert_int_equal(ftl_ring_write(&producer, data, 3), FTL_OK);
    assert_int_equal(ftl_ring_write(&producer, data, 3), FTL_ERR_WOULD_BLOCK);
    assert_int_equal(ftl_ring_read(&consumer, got, 4, &size), FTL_ERR_TOO_SMALL);
    assert_int_equal(ftl_ring_read(&consumer, got, 4, &size), FTL_OK);
    assert_int_equal(size, 3);
    ftl_ring_close(&producer);
    ftl_ring_close(&consumer);
}

static void rings_that_cannot_be_are_refused(void **state)
{
    struct ftl_ring ring;
    struct ftl_ring_config config = { .memory = memory, .payload_size = 8, .slots = 4 };
    (void)state;
    assert_int_equal(ftl_ring_memory_size(8, 4), sizeof(struct ftl_ring_memory) + 64);
    assert_int_equal(ftl_ring_memory_size(9, 4), sizeof(struct ftl_ring_memory) + 128);
    assert_int_equal(ftl_ring_memory_size(0, 4), 0);
    assert_int_equal(ftl_ring_memory_size(8, 0), 0);
    assert_int_equal(ftl_ring_memory_size(8, 3), 0);
    assert_int_equal(ftl_ring_memory_size(SIZE_MAX, 1), 0);
    assert_int_equal(ftl_ring_memory_size(1 << 20, 1 << 20), 0);
    config.slots = 5;
    assert_int_equal(ftl_ring_open(&ring, &config), FTL_ERR_INVALID_ARGUMENT);
    config.slots = 4;
    config.memory = memory + 8;
    assert_int_equal(ftl_ring_open(&ring, &config), FTL_ERR_INVALID_ARGUMENT);
    config.memory = NULL;
    assert_int_equal(ftl_ring_open(&ring, &config), FTL_ERR_INVALID_ARGUMENT);
}

/* ---- Real threads, which never sleep ---- */

#define THREADS      2u
#define THREAD_ITEMS 20000u

static uint64_t sums[2 * THREADS];

static void *thread_main(void *context)
{
    size_t number = (size_t)(uintptr_t)context;
    struct ftl_ring ring;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock); /* the fake kernel is for one thread */
    open_end(&ring, number >= THREADS, FTL_HANDLE_INVALID);
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < THREAD_ITEMS; i++) {
        uint64_t *payload;
        while ((payload = number < THREADS ? push_begin(&ring) : pop_begin(&ring)) == NULL) {
            sched_yield();
        }
        if (number < THREADS) {
            payload[0] = i * UINT64_C(3) + number;
            payload[1] = ~payload[0];
            push_end(&ring, payload);
        } else {
            assert_int_equal(payload[1], ~payload[0]);
            sums[number] += payload[0];
            pop_end(&ring, payload);
        }
    }
    return NULL;
}

static void threads_on_real_harts_lose_nothing(void **state)
{
    pthread_t threads[2 * THREADS];
    uint64_t sum = 0;
    (void)state;
    multi = true;
    reset();
    for (size_t i = 0; i < 2 * THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, thread_main, (void *)(uintptr_t)i), 0);
    }
    for (size_t i = 0; i < 2 * THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += sums[i];
    }
    assert_int_equal(sum, THREADS * UINT64_C(3) * THREAD_ITEMS * (THREAD_ITEMS - 1) / 2 +
                              THREAD_ITEMS * THREADS * (THREADS - 1) / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_producer_one_consumer_lose_nothing),
        cmocka_unit_test(many_producers_and_consumers_lose_nothing),
        cmocka_unit_test(nobody_is_woken_while_both_are_busy),
        cmocka_unit_test(a_sleeper_is_woken_once),
        cmocka_unit_test(an_end_that_sleeps_elsewhere_is_woken_once),
        cmocka_unit_test(the_peers_end_is_seen_after_its_last_item),
        cmocka_unit_test(garbage_in_the_memory_leads_nowhere_else),
        cmocka_unit_test(messages_of_all_sizes_arrive),
        cmocka_unit_test(rings_that_cannot_be_are_refused),
        cmocka_unit_test(threads_on_real_harts_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
