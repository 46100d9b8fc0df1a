/* mm/account.h: charging memory to a limit. */
#include "host/test.h"

#include <pthread.h>

#include "host/slab.h"
#include "mm/account.h"

static void account_charges_up_to_its_limit(void **state)
{
    (void)state;
    struct account account;
    account_init(&account, 100);
    assert_true(account_charge(&account, 60));
    assert_false(account_charge(&account, 41));
    assert_int_equal(account.used, 60);
    assert_true(account_charge(&account, 40));
    assert_false(account_charge(&account, 1));
    assert_true(account_charge(&account, 0));
    account_release(&account, 100);
    assert_int_equal(account.used, 0);
}

static void account_charge_does_not_overflow(void **state)
{
    (void)state;
    struct account account;
    account_init(&account, UINT64_MAX - 10);
    assert_true(account_charge(&account, 1000));
    assert_false(account_charge(&account, SIZE_MAX));
    assert_false(account_charge(&account, SIZE_MAX - 500));
    assert_int_equal(account.used, 1000);
}

static void account_none_is_the_kernels_without_limit(void **state)
{
    (void)state;
    assert_true(account_charge(NULL, SIZE_MAX));
    account_release(NULL, SIZE_MAX);
}

static void account_lends_no_more_than_it_has_and_gets_it_back(void **state)
{
    (void)state;
    ftl_status_t status;
    struct account *lender = account_create(1000);
    assert_true(account_charge(lender, 300));
    assert_null(account_create_from(lender, 701, &status));
    assert_int_equal(status, FTL_ERR_LIMIT);
    struct account *first = account_create_from(lender, 600, &status);
    assert_non_null(first);
    assert_int_equal(lender->used, 900);
    assert_int_equal(lender->lent, 600);
    assert_false(account_charge(lender, 101));
    struct account *second = account_create_from(first, 500, &status);
    assert_non_null(second);
    assert_false(account_charge(first, 101));
    assert_true(account_charge(second, 500));

    account_release(lender, 300);
    account_put(lender); /* they outlive it */
    account_put(first);
    assert_int_equal(host_alloc_pieces, 3);
    account_release(second, 500);
    account_put(second);
    assert_int_equal(host_alloc_pieces, 0);
}

static void account_without_memory_borrows_nothing(void **state)
{
    (void)state;
    ftl_status_t status;
    struct account *lender = account_create(1000);
    host_alloc_budget = 0;
    assert_null(account_create_from(lender, 10, &status));
    host_alloc_budget = -1;
    assert_int_equal(status, FTL_ERR_NO_MEMORY);
    assert_int_equal(lender->used, 0);
    account_put(lender);
}

static void account_lives_until_its_last_reference(void **state)
{
    (void)state;
    struct account *account = account_create(100);
    assert_non_null(account);
    assert_true(account_charge(account, 100));
    assert_ptr_equal(account_get(account), account);
    account_put(account);
    assert_int_equal(host_alloc_pieces, 1);
    account_release(account, 100);
    account_put(account);
    assert_int_equal(host_alloc_pieces, 0);
    host_alloc_budget = 0;
    assert_null(account_create(100));
    host_alloc_budget = -1;
}

static void account_put_with_charges_left_panics(void **state)
{
    (void)state;
    struct account *account = account_create(100);
    assert_true(account_charge(account, 1));
    assert_panics(account_put(account));
    kfree(account, sizeof(*account));
}

#define THREADS 4
#define TURNS   20000

static struct account shared;

static void *charge_and_release(void *argument)
{
    (void)argument;
    uintptr_t charged = 0;
    for (int i = 0; i < TURNS; i++) {
        charged += account_charge(&shared, 1);
        if (i % 2 == 0 && charged > 0) {
            account_release(&shared, 1);
            charged--;
        }
    }
    return (void *)charged;
}

static void account_of_many_threads_stays_exact(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uintptr_t total = 0;
    account_init(&shared, 1000);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, charge_and_release, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *charged;
        pthread_join(threads[i], &charged);
        total += (uintptr_t)charged;
    }
    assert_int_equal(shared.used, total);
    assert_in_range(total, 1, 1000);
}

static void account_spares_windows_for_every_lender(void **state)
{
    (void)state;
    ftl_status_t status;
    const uint32_t total = 3 * ACCOUNT_WINDOWS_SPARED;
    struct account *first = account_create(1000);
    struct account *second = account_create_from(first, 500, &status);
    struct account *third = account_create_from(second, 100, &status);
    struct account *fourth = account_create_from(third, 50, &status);
    for (uint32_t i = 0; i < ACCOUNT_WINDOWS_SPARED; i++) {
        assert_true(account_take_window(third, total));
    }
    assert_false(account_take_window(third, total));
    assert_false(account_take_window(fourth, total)); /* so deep there are none */
    assert_int_equal(first->windows, ACCOUNT_WINDOWS_SPARED);
    for (uint32_t i = 0; i < ACCOUNT_WINDOWS_SPARED; i++) {
        assert_true(account_take_window(second, total));
    }
    assert_false(account_take_window(second, total));
    assert_true(account_take_window(first, total));

    /* From one to another that is made from it, whose lender counts it already, and back. */
    assert_false(account_move_window(second, third, total));
    account_release_window(third);
    assert_true(account_move_window(second, third, total));
    assert_int_equal(second->windows, 2 * ACCOUNT_WINDOWS_SPARED - 1);
    assert_int_equal(third->windows, ACCOUNT_WINDOWS_SPARED);
    assert_true(account_move_window(third, second, total));
    assert_int_equal(second->windows, 2 * ACCOUNT_WINDOWS_SPARED - 1);
    assert_int_equal(third->windows, ACCOUNT_WINDOWS_SPARED - 1);

    /* To one that is made from nobody. */
    struct account *other = account_create(10);
    assert_true(account_move_window(third, other, total));
    assert_int_equal(first->windows, 2 * ACCOUNT_WINDOWS_SPARED - 1);
    assert_int_equal(other->windows, 1);
    account_release_window(other);
    while (third->windows != 0) {
        account_release_window(third);
    }
    while (second->windows != 0) {
        account_release_window(second);
    }
    account_release_window(first);
    assert_int_equal(first->windows, 0);
    account_put(other);
    account_put(fourth);
    account_put(third);
    account_put(second);
    account_put(first);
    assert_int_equal(host_alloc_pieces, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(account_charges_up_to_its_limit),
        cmocka_unit_test(account_charge_does_not_overflow),
        cmocka_unit_test(account_none_is_the_kernels_without_limit),
        cmocka_unit_test(account_lends_no_more_than_it_has_and_gets_it_back),
        cmocka_unit_test(account_spares_windows_for_every_lender),
        cmocka_unit_test(account_without_memory_borrows_nothing),
        cmocka_unit_test(account_lives_until_its_last_reference),
        cmocka_unit_test(account_put_with_charges_left_panics),
        cmocka_unit_test(account_of_many_threads_stays_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
