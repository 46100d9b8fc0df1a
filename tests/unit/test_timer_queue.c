/* Timer queues against a plain list of deadlines. */
#include "host/test.h"

#include "kernel/timer_queue.h"

#define TIMERS 64
#define STEPS  20000

struct tracked {
    struct timer timer;
    bool queued;
    unsigned expired;
};

static struct timer_queue queue;
static struct tracked timers[TIMERS];
static nsec_t now;

static void expire(struct timer *timer)
{
    struct tracked *tracked = CONTAINER_OF(timer, struct tracked, timer);
    assert_true(tracked->queued && timer->deadline <= now);
    tracked->queued = false;
    tracked->expired++;
}

static int set_up(void **state)
{
    (void)state;
    timer_queue_init(&queue);
    memset(timers, 0, sizeof(timers));
    for (size_t i = 0; i < TIMERS; i++) {
        timers[i].timer.expire = expire;
    }
    now = 0;
    return 0;
}

/* The earliest deadline of the model. */
static nsec_t model_next(void)
{
    nsec_t next = FTL_TIME_INFINITE;
    for (size_t i = 0; i < TIMERS; i++) {
        if (timers[i].queued && timers[i].timer.deadline < next) {
            next = timers[i].timer.deadline;
        }
    }
    return next;
}

static void add(struct tracked *tracked, nsec_t deadline)
{
    nsec_t before = model_next();
    bool earliest = timer_add(&queue, &tracked->timer, deadline);
    tracked->queued = true;
    assert_true(deadline < before ? earliest : deadline == before || !earliest);
}

static void timer_queue_agrees_with_a_list(void **state)
{
    (void)state;
    struct host_random random = { .state = 4711 };
    for (size_t step = 0; step < STEPS; step++) {
        struct tracked *tracked = &timers[host_random_below(&random, TIMERS)];
        switch (host_random_below(&random, 4)) {
        case 0:
        case 1:
            if (!tracked->queued) {
                add(tracked, now + (nsec_t)host_random_below(&random, 1000));
            }
            break;
        case 2:
            timer_cancel(&tracked->timer);
            tracked->queued = false;
            break;
        default:
            now += (nsec_t)host_random_below(&random, 50);
            assert_int_equal(timer_queue_run(&queue, now), model_next());
            assert_true(model_next() > now);
        }
        assert_int_equal(timer_queue_next(&queue), model_next());
    }
}

static void timers_of_one_deadline_expire_once_each(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIMERS; i++) {
        add(&timers[i], 5);
    }
    now = 4;
    assert_int_equal(timer_queue_run(&queue, now), 5);
    now = 5;
    assert_int_equal(timer_queue_run(&queue, now), FTL_TIME_INFINITE);
    for (size_t i = 0; i < TIMERS; i++) {
        assert_int_equal(timers[i].expired, 1);
    }
}

static void cancelled_timer_does_not_expire_and_can_be_added_again(void **state)
{
    (void)state;
    add(&timers[0], 1);
    add(&timers[1], 2);
    timer_cancel(&timers[0].timer);
    timer_cancel(&timers[0].timer);
    timers[0].queued = false;
    now = 10;
    assert_int_equal(timer_queue_run(&queue, now), FTL_TIME_INFINITE);
    assert_int_equal(timers[0].expired, 0);
    add(&timers[0], 11);
    now = 11;
    timer_queue_run(&queue, now);
    assert_int_equal(timers[0].expired, 1);
}

static void adding_a_queued_timer_is_a_bug(void **state)
{
    (void)state;
    timer_add(&queue, &timers[0].timer, 1);
    assert_panics(timer_add(&queue, &timers[0].timer, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(timer_queue_agrees_with_a_list, set_up),
        cmocka_unit_test_setup(timers_of_one_deadline_expire_once_each, set_up),
        cmocka_unit_test_setup(cancelled_timer_does_not_expire_and_can_be_added_again, set_up),
        cmocka_unit_test_setup(adding_a_queued_timer_is_a_bug, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
