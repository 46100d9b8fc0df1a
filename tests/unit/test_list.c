/* kernel/list.h: the intrusive list. */
#include "host/test.h"

#include "kernel/list.h"

struct item {
    int value;
    struct list link;
};

static void list_starts_empty(void **state)
{
    (void)state;
    struct list statically = LIST_INIT(statically);
    struct list head;
    list_init(&head);
    assert_true(list_empty(&head));
    assert_true(list_empty(&statically));
    assert_null(list_pop_front(&head));
}

static void list_keeps_the_order_of_pushes(void **state)
{
    (void)state;
    struct list head;
    struct item items[4] = { { .value = 2 }, { .value = 1 }, { .value = 3 }, { .value = 0 } };
    struct item *item;
    int expected = 0;
    list_init(&head);
    list_push_back(&head, &items[0].link);
    list_push_front(&head, &items[1].link);
    list_push_back(&head, &items[2].link);
    list_push_front(&head, &items[3].link);
    LIST_FOR_EACH(item, &head, struct item, link)
    {
        assert_int_equal(item->value, expected);
        expected++;
    }
    assert_int_equal(expected, 4);
    for (int value = 0; value < 4; value++) {
        struct list *node = list_pop_front(&head);
        assert_non_null(node);
        assert_int_equal(LIST_ENTRY(node, struct item, link)->value, value);
        assert_true(list_empty(node));
    }
    assert_true(list_empty(&head));
}

static void list_remove_twice_does_nothing_more(void **state)
{
    (void)state;
    struct list head;
    struct item items[2] = { { .value = 0 }, { .value = 1 } };
    list_init(&head);
    list_push_back(&head, &items[0].link);
    list_push_back(&head, &items[1].link);
    list_remove(&items[0].link);
    list_remove(&items[0].link);
    assert_ptr_equal(head.next, &items[1].link);
    assert_ptr_equal(head.prev, &items[1].link);
    list_remove(&items[1].link);
    assert_true(list_empty(&head));
}

static void list_for_each_allows_removal_of_the_entry(void **state)
{
    (void)state;
    struct list head;
    struct list odd;
    struct item items[6];
    struct item *item;
    int expected = 1;
    list_init(&head);
    list_init(&odd);
    for (int i = 0; i < 6; i++) {
        items[i].value = i;
        list_push_back(&head, &items[i].link);
    }
    LIST_FOR_EACH(item, &head, struct item, link)
    {
        if (item->value % 2 != 0) {
            list_remove(&item->link);
            list_push_back(&odd, &item->link);
        }
    }
    LIST_FOR_EACH(item, &odd, struct item, link)
    {
        assert_int_equal(item->value, expected);
        expected += 2;
    }
    assert_int_equal(expected, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_starts_empty),
        cmocka_unit_test(list_keeps_the_order_of_pushes),
        cmocka_unit_test(list_remove_twice_does_nothing_more),
        cmocka_unit_test(list_for_each_allows_removal_of_the_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
