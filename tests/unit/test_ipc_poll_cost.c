/*
 * What poll calls cost with 10 and with 10,000 sources, counted in basic blocks that are executed:
 * this program is compiled with -fsanitize-coverage=trace-pc. Adding and removing cost the same
 * with any number, and a wait costs what is ready.
 */
#include "ipc_fakes.h"

#include "calls.gen.h"

#include "ipc/notification.h"
#include "ipc/poll.h"

#define FEW  10u
#define MANY 10000u

static unsigned long blocks;

/*
 * The compiler's name. NOLINTNEXTLINE(readability-identifier-naming,bugprone-reserved-identifier)
 */
__attribute__((no_sanitize("coverage"))) void __sanitizer_cov_trace_pc(void);
__attribute__((no_sanitize("coverage"))) void __sanitizer_cov_trace_pc(void)
{
    blocks++;
}

/* The blocks that a statement executes. */
#define COUNT(statement)                                                                           \
    ({                                                                                             \
        unsigned long count_before = blocks;                                                       \
        statement;                                                                                 \
        blocks - count_before;                                                                     \
    })

static struct poll *poll;
static struct notification *sources[MANY];
static uint64_t entries[MANY];
static struct ftl_poll_event events[FTL_POLL_EVENTS_MAX];

static uint64_t add(size_t i, uint32_t flags)
{
    return fake_ok(sys_poll_add(poll, &sources[i]->object, FTL_SIGNAL_READABLE | flags, i));
}

/* A poll of so many sources, none of them ready. */
static void make(size_t count, uint32_t flags)
{
    poll = fake_object(fake_ok(sys_poll_create()));
    for (size_t i = 0; i < count; i++) {
        sources[i] = fake_object(fake_ok(sys_notification_create()));
        entries[i] = add(i, flags);
    }
}

/* The most that removing and adding again an entry costs, over entries of all places. */
static unsigned long count_changes(size_t sources_count)
{
    unsigned long most = 0;
    make(sources_count, 0);
    for (size_t n = 0; n < 100; n++) {
        size_t i = n * 7919 % sources_count;
        unsigned long cost = COUNT({
            assert_status(sys_poll_remove(poll, entries[i]), FTL_OK);
            entries[i] = add(i, 0);
        });
        most = cost > most ? cost : most;
    }
    return most;
}

/* What a wait costs with `ready` of the sources ready; edges, so that each is reported once. */
static unsigned long count_wait(size_t sources_count, size_t ready)
{
    make(sources_count, FTL_POLL_EDGE);
    for (size_t i = 0; i < ready; i++) {
        notification_signal(sources[i * 7 % sources_count], 1);
    }
    struct call_result result;
    unsigned long cost =
        COUNT(result = sys_poll_wait(poll, (vaddr_t)events, FTL_POLL_EVENTS_MAX, 0));
    assert_int_equal(fake_ok(result), ready);
    return cost;
}

static void adding_and_removing_cost_the_same_with_many(void **state)
{
    (void)state;
    unsigned long few = count_changes(FEW);
    assert_true(few > 10); /* they are counted */
    assert_in_range(count_changes(MANY), 1, few);
}

static void a_wait_costs_what_is_ready(void **state)
{
    (void)state;
    unsigned long one = count_wait(FEW, 1);
    unsigned long ten = count_wait(FEW, FEW);
    assert_true(one > 5 && ten > one);
    assert_int_equal(count_wait(MANY, 1), one);
    assert_int_equal(count_wait(MANY, FEW), ten);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(adding_and_removing_cost_the_same_with_many, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(a_wait_costs_what_is_ready, fake_setup, fake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
