/* kernel/object.c: references, signals and observers. */
#include "host/test.h"

#include <pthread.h>

#include "kernel/object.h"

#define SIGNAL_A (1u << 0)
#define SIGNAL_B (1u << 1)

static struct object *destroyed;
static struct object *closed;
static int destroy_count;
static int close_count;

static void note_destroyed(struct object *object)
{
    destroyed = object;
    destroy_count++;
}

static void note_closed(struct object *object)
{
    assert_int_equal(destroy_count, 0); /* the handle's reference is still there */
    closed = object;
    close_count++;
}

const struct object_ops object_ops[OBJECT_TYPE_COUNT] = {
    [OBJECT_VMO] = { .name = "vmo", .destroy = note_destroyed },
    [OBJECT_CONSOLE] = { .name = "console",
                         .destroy = note_destroyed,
                         .handle_closed = note_closed },
};

struct watcher {
    struct observer observer;
    int calls;
    uint32_t signals;
    bool once; /* takes itself out */
};

static void note_signals(struct observer *observer, uint32_t signals)
{
    struct watcher *watcher = CONTAINER_OF(observer, struct watcher, observer);
    watcher->calls++;
    watcher->signals = signals;
    if (watcher->once) {
        list_remove(&observer->link);
    }
}

static struct watcher make_watcher(uint32_t interest)
{
    return (struct watcher){ .observer = { .interest = interest, .notify = note_signals } };
}

static int setup(void **state)
{
    (void)state;
    destroyed = NULL;
    closed = NULL;
    destroy_count = 0;
    close_count = 0;
    return 0;
}

static void object_last_put_destroys(void **state)
{
    (void)state;
    struct object object;
    object_init(&object, OBJECT_VMO);
    object_get(&object);
    object_put(&object);
    assert_int_equal(destroy_count, 0);
    object_put(&object);
    assert_int_equal(destroy_count, 1);
    assert_ptr_equal(destroyed, &object);
}

static void object_put_too_often_panics(void **state)
{
    (void)state;
    struct object object;
    object_init(&object, OBJECT_VMO);
    object_put(&object);
    assert_panics(object_put(&object));
    object_init(&object, OBJECT_VMO);
    object_put(&object);
    assert_panics(object_get(&object));
}

static void object_try_get_fails_once_the_last_reference_is_gone(void **state)
{
    (void)state;
    struct object object;
    object_init(&object, OBJECT_VMO);
    assert_true(object_try_get(&object));
    object_put(&object);
    object_put(&object);
    assert_int_equal(destroy_count, 1);
    assert_false(object_try_get(&object));
}

static void object_of_no_type_panics(void **state)
{
    (void)state;
    struct object object;
    assert_panics(object_init(&object, OBJECT_ANY));
    assert_panics(object_init(&object, OBJECT_TYPE_COUNT));
}

static void object_close_tells_the_type_before_it_puts(void **state)
{
    (void)state;
    struct object object;
    object_init(&object, OBJECT_CONSOLE);
    object_get(&object);
    object_close(&object);
    assert_int_equal(close_count, 1);
    assert_ptr_equal(closed, &object);
    assert_int_equal(destroy_count, 0);
    object_put(&object);
    assert_int_equal(close_count, 1);
    assert_int_equal(destroy_count, 1);
}

static void object_close_of_a_type_that_does_not_care_only_puts(void **state)
{
    (void)state;
    struct object object;
    object_init(&object, OBJECT_VMO);
    object_close(&object);
    assert_int_equal(close_count, 0);
    assert_int_equal(destroy_count, 1);
}

static void object_signal_clears_then_sets(void **state)
{
    (void)state;
    struct object object;
    object_init(&object, OBJECT_VMO);
    assert_int_equal(object_signals(&object), 0);
    object_signal(&object, 0, SIGNAL_A | SIGNAL_B);
    assert_int_equal(object_signals(&object), SIGNAL_A | SIGNAL_B);
    object_signal(&object, SIGNAL_A | SIGNAL_B, SIGNAL_B);
    assert_int_equal(object_signals(&object), SIGNAL_B);
    object_signal(&object, SIGNAL_B, 0);
    assert_int_equal(object_signals(&object), 0);
}

static void object_observer_is_told_of_what_interests_it(void **state)
{
    (void)state;
    struct object object;
    struct watcher a = make_watcher(SIGNAL_A);
    struct watcher both = make_watcher(SIGNAL_A | SIGNAL_B);
    object_init(&object, OBJECT_VMO);
    assert_int_equal(object_observe(&object, &a.observer), 0);
    assert_int_equal(object_observe(&object, &both.observer), 0);

    object_signal(&object, 0, SIGNAL_B);
    assert_int_equal(a.calls, 0);
    assert_int_equal(both.calls, 1);
    assert_int_equal(both.signals, SIGNAL_B);

    object_signal(&object, 0, SIGNAL_A);
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.signals, SIGNAL_A | SIGNAL_B);
    assert_int_equal(both.calls, 2);

    object_signal(&object, SIGNAL_B, 0); /* clearing is no news */
    assert_int_equal(a.calls, 1);
    assert_int_equal(both.calls, 2);

    object_signal(&object, 0, SIGNAL_A); /* set again is */
    assert_int_equal(a.calls, 2);
    object_unobserve(&object, &a.observer);
    object_unobserve(&object, &both.observer);
}

static void object_observe_returns_signals_set_before(void **state)
{
    (void)state;
    struct object object;
    struct watcher watcher = make_watcher(SIGNAL_A);
    object_init(&object, OBJECT_VMO);
    object_signal(&object, 0, SIGNAL_A);
    assert_int_equal(object_observe(&object, &watcher.observer), SIGNAL_A);
    assert_int_equal(watcher.calls, 0);
    object_unobserve(&object, &watcher.observer);
}

static void object_unobserve_ends_notifications(void **state)
{
    (void)state;
    struct object object;
    struct watcher watcher = make_watcher(SIGNAL_A);
    object_init(&object, OBJECT_VMO);
    object_observe(&object, &watcher.observer);
    object_unobserve(&object, &watcher.observer);
    object_signal(&object, 0, SIGNAL_A);
    assert_int_equal(watcher.calls, 0);
    object_put(&object);
    assert_int_equal(destroy_count, 1);
}

static void object_observer_may_take_itself_out(void **state)
{
    (void)state;
    struct object object;
    struct watcher watchers[3];
    object_init(&object, OBJECT_VMO);
    for (int i = 0; i < 3; i++) {
        watchers[i] = make_watcher(SIGNAL_A);
        watchers[i].once = i != 1;
        object_observe(&object, &watchers[i].observer);
    }
    object_signal(&object, 0, SIGNAL_A);
    object_signal(&object, 0, SIGNAL_A);
    assert_int_equal(watchers[0].calls, 1);
    assert_int_equal(watchers[1].calls, 2);
    assert_int_equal(watchers[2].calls, 1);
    for (int i = 0; i < 3; i++) {
        object_unobserve(&object, &watchers[i].observer);
    }
    object_signal(&object, 0, SIGNAL_A);
    assert_int_equal(watchers[1].calls, 2);
}

static void object_destroyed_with_an_observer_panics(void **state)
{
    (void)state;
    struct object object;
    struct watcher watcher = make_watcher(SIGNAL_A);
    object_init(&object, OBJECT_VMO);
    object_observe(&object, &watcher.observer);
    assert_panics(object_put(&object));
}

#define THREADS 4
#define TURNS   20000

static void *get_and_put(void *argument)
{
    struct object *object = argument;
    for (int i = 0; i < TURNS; i++) {
        object_get(object);
        object_put(object);
    }
    object_put(object); /* the reference the thread was given */
    return NULL;
}

static void object_is_destroyed_once_by_many_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct object object;
    object_init(&object, OBJECT_VMO);
    for (int i = 0; i < THREADS; i++) {
        object_get(&object);
        assert_int_equal(pthread_create(&threads[i], NULL, get_and_put, &object), 0);
    }
    object_put(&object);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(destroy_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(object_last_put_destroys, setup),
        cmocka_unit_test_setup(object_put_too_often_panics, setup),
        cmocka_unit_test_setup(object_try_get_fails_once_the_last_reference_is_gone, setup),
        cmocka_unit_test_setup(object_of_no_type_panics, setup),
        cmocka_unit_test_setup(object_close_tells_the_type_before_it_puts, setup),
        cmocka_unit_test_setup(object_close_of_a_type_that_does_not_care_only_puts, setup),
        cmocka_unit_test_setup(object_signal_clears_then_sets, setup),
        cmocka_unit_test_setup(object_observer_is_told_of_what_interests_it, setup),
        cmocka_unit_test_setup(object_observe_returns_signals_set_before, setup),
        cmocka_unit_test_setup(object_unobserve_ends_notifications, setup),
        cmocka_unit_test_setup(object_observer_may_take_itself_out, setup),
        cmocka_unit_test_setup(object_destroyed_with_an_observer_panics, setup),
        cmocka_unit_test_setup(object_is_destroyed_once_by_many_threads, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
