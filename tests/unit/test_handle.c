/* kernel/handle.c: handle tables. Memory comes from host/slab.c, so that it can fail. */
#include "host/test.h"

#include "host/slab.h"
#include "kernel/handle.h"

#define OBJECT_COUNT 8
/* one more in a handle's generation */
#define GENERATION ((ftl_handle_t)1 << HANDLE_GENERATION_SHIFT)
#define PLENTY     (64 * MIB)

static struct account account;
static struct handle_table table;
static struct object objects[OBJECT_COUNT];
static int destroy_count;
static int close_count;

static void note_destroyed(struct object *object)
{
    (void)object;
    assert_false(spin_is_held(&table.lock));
    destroy_count++;
}

static void note_closed(struct object *object)
{
    (void)object;
    assert_false(spin_is_held(&table.lock));
    close_count++;
}

const struct object_ops object_ops[OBJECT_TYPE_COUNT] = {
    [OBJECT_VMO] = { .name = "vmo", .destroy = note_destroyed, .handle_closed = note_closed },
    [OBJECT_CONSOLE] = { .name = "console",
                         .destroy = note_destroyed,
                         .handle_closed = note_closed },
};

static int setup(void **state)
{
    (void)state;
    destroy_count = 0;
    close_count = 0;
    account_init(&account, PLENTY);
    handle_table_init(&table, &account, HANDLE_LIMIT_DEFAULT);
    for (int i = 0; i < OBJECT_COUNT; i++) {
        object_init(&objects[i], i % 2 == 0 ? OBJECT_VMO : OBJECT_CONSOLE);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    host_alloc_budget = -1;
    handle_table_destroy(&table);
    assert_int_equal(account.used, 0);
    assert_int_equal(host_alloc_pieces, 0);
    return 0;
}

/* Makes a handle with a reference of its own. */
static ftl_handle_t insert(struct object *object, ftl_rights_t rights)
{
    ftl_handle_t handle = FTL_HANDLE_INVALID;
    object_get(object);
    assert_int_equal(handle_insert(&table, object, rights, &handle), FTL_OK);
    assert_int_not_equal(handle, FTL_HANDLE_INVALID);
    return handle;
}

static void close_handle(ftl_handle_t handle)
{
    struct object *object;
    ftl_rights_t rights;
    assert_int_equal(handle_remove(&table, handle, 0, &object, &rights), FTL_OK);
    object_close(object);
}

static ftl_status_t lookup(ftl_handle_t handle)
{
    struct object *object;
    ftl_status_t status = handle_table_lookup(&table, handle, OBJECT_ANY, 0, &object);
    if (status == FTL_OK) {
        object_put(object);
    }
    return status;
}

static void handle_lookup_returns_the_object_with_a_reference(void **state)
{
    (void)state;
    struct object *found = NULL;
    ftl_handle_t handle = insert(&objects[0], FTL_RIGHT_READ | FTL_RIGHT_MAP);
    assert_int_equal(handle_table_lookup(&table, handle, OBJECT_VMO, FTL_RIGHT_MAP, &found),
                     FTL_OK);
    assert_ptr_equal(found, &objects[0]);
    assert_int_equal(objects[0].refs, 3);
    object_put(found);
}

static void handle_never_issued_is_forged(void **state)
{
    (void)state;
    assert_int_equal(lookup(FTL_HANDLE_INVALID), FTL_ERR_HANDLE_FORGED);
    assert_int_equal(lookup(GENERATION + 1), FTL_ERR_HANDLE_FORGED);
    ftl_handle_t handle = insert(&objects[0], 0);
    assert_int_equal(lookup(FTL_HANDLE_INVALID), FTL_ERR_HANDLE_FORGED);
    assert_int_equal(lookup(handle + 1), FTL_ERR_HANDLE_FORGED);          /* next slot */
    assert_int_equal(lookup(handle + GENERATION), FTL_ERR_HANDLE_FORGED); /* next generation */
    assert_int_equal(lookup(handle % GENERATION), FTL_ERR_HANDLE_FORGED); /* generation 0 */
    assert_int_equal(lookup(handle | (ftl_handle_t)FTL_RIGHT_WRITE << HANDLE_RIGHTS_SHIFT),
                     FTL_ERR_HANDLE_FORGED); /* a right that it was not given */
    assert_int_equal(lookup(~(ftl_handle_t)0), FTL_ERR_HANDLE_FORGED);
    assert_int_equal(lookup(handle | (GENERATION - 1)), FTL_ERR_HANDLE_FORGED);
    for (ftl_handle_t small = 0; small < 1000; small++) {
        assert_int_equal(lookup(small), FTL_ERR_HANDLE_FORGED);
    }
    close_handle(handle);
    assert_int_equal(lookup(handle + GENERATION), FTL_ERR_HANDLE_FORGED); /* not issued yet */
    assert_int_equal(lookup(handle % GENERATION), FTL_ERR_HANDLE_FORGED);
}

static void handle_is_closed_then_stale(void **state)
{
    (void)state;
    ftl_handle_t first = insert(&objects[0], 0);
    close_handle(first);
    assert_int_equal(lookup(first), FTL_ERR_HANDLE_CLOSED);
    ftl_handle_t second = insert(&objects[1], 0);
    assert_int_equal(second, first + GENERATION);
    assert_int_equal(lookup(first), FTL_ERR_HANDLE_STALE);
    close_handle(second);
    assert_int_equal(lookup(first), FTL_ERR_HANDLE_STALE);
    assert_int_equal(lookup(second), FTL_ERR_HANDLE_CLOSED);
}

static void handle_errors_come_in_the_documented_order(void **state)
{
    (void)state;
    struct object *object = NULL;
    ftl_handle_t handle = insert(&objects[0], FTL_RIGHT_READ);
    assert_int_equal(handle_table_lookup(&table, handle, OBJECT_CONSOLE, FTL_RIGHT_WRITE, &object),
                     FTL_ERR_WRONG_TYPE);
    assert_int_equal(
        handle_table_lookup(&table, handle, OBJECT_VMO, FTL_RIGHT_READ | FTL_RIGHT_WRITE, &object),
        FTL_ERR_MISSING_RIGHT);
    close_handle(handle);
    assert_int_equal(handle_table_lookup(&table, handle, OBJECT_CONSOLE, FTL_RIGHT_WRITE, &object),
                     FTL_ERR_HANDLE_CLOSED);
    assert_null(object);
    assert_int_equal(objects[0].refs, 1);
}

static void handle_rights_are_what_it_was_made_with(void **state)
{
    (void)state;
    for (ftl_rights_t rights = 0; rights <= FTL_RIGHTS_ALL; rights++) {
        ftl_rights_t found;
        ftl_handle_t handle = insert(&objects[0], rights);
        assert_int_equal(handle_table_rights(&table, handle, &found), FTL_OK);
        assert_int_equal(found, rights);
        close_handle(handle);
        assert_int_equal(handle_table_rights(&table, handle, &found), FTL_ERR_HANDLE_CLOSED);
    }
}

static void handle_remove_hands_over_reference_and_rights(void **state)
{
    (void)state;
    struct object *object = NULL;
    ftl_rights_t rights = 0;
    ftl_handle_t handle = insert(&objects[0], FTL_RIGHT_TRANSFER | FTL_RIGHT_READ);
    assert_int_equal(handle_remove(&table, handle, FTL_RIGHT_WRITE, &object, &rights),
                     FTL_ERR_MISSING_RIGHT);
    assert_int_equal(lookup(handle), FTL_OK);
    assert_int_equal(handle_remove(&table, handle, FTL_RIGHT_TRANSFER, &object, &rights), FTL_OK);
    assert_ptr_equal(object, &objects[0]);
    assert_int_equal(rights, FTL_RIGHT_TRANSFER | FTL_RIGHT_READ);
    assert_int_equal(objects[0].refs, 2);
    assert_int_equal(close_count, 0); /* moved, not closed */
    assert_int_equal(handle_remove(&table, handle, 0, &object, &rights), FTL_ERR_HANDLE_CLOSED);
    object_put(object);
}

static void handle_slots_are_reused_in_the_order_they_were_freed(void **state)
{
    (void)state;
    ftl_handle_t handles[5];
    static const int order[5] = { 3, 0, 4, 1, 2 };
    for (int i = 0; i < 5; i++) {
        handles[i] = insert(&objects[i], 0);
    }
    for (int i = 0; i < 5; i++) {
        close_handle(handles[order[i]]);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(insert(&objects[i], 0), handles[order[i]] + GENERATION);
    }
}

static void handle_insert_beyond_the_limit_fails(void **state)
{
    (void)state;
    ftl_handle_t handles[100];
    ftl_handle_t handle = 7;
    handle_table_init(&table, &account, 100);
    for (int i = 0; i < 100; i++) {
        handles[i] = insert(&objects[i % OBJECT_COUNT], 0);
    }
    uint32_t refs = objects[0].refs;
    assert_int_equal(handle_insert(&table, &objects[0], 0, &handle), FTL_ERR_LIMIT);
    assert_int_equal(handle, 7);
    assert_int_equal(objects[0].refs, refs); /* still the caller's */
    close_handle(handles[42]);
    assert_int_equal(insert(&objects[0], 0), handles[42] + GENERATION);
}

static void handle_limit_can_be_changed_and_keeps_what_is_there(void **state)
{
    (void)state;
    ftl_handle_t handles[10];
    ftl_handle_t handle;
    for (int i = 0; i < 10; i++) {
        handles[i] = insert(&objects[0], 0);
    }
    assert_int_equal(handle_table_set_limit(&table, HANDLE_LIMIT_MAX + 1),
                     FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(handle_table_set_limit(&table, 5), FTL_OK);
    for (int i = 0; i < 6; i++) {
        struct object *object;
        assert_int_equal(handle_table_lookup(&table, handles[i], OBJECT_ANY, 0, &object), FTL_OK);
        object_put(object);
        assert_int_equal(handle_insert(&table, &objects[0], 0, &handle), FTL_ERR_LIMIT);
        close_handle(handles[i]);
    }
    insert(&objects[0], 0);
    assert_int_equal(handle_insert(&table, &objects[0], 0, &handle), FTL_ERR_LIMIT);
    assert_int_equal(handle_table_set_limit(&table, HANDLE_LIMIT_MAX), FTL_OK);
    insert(&objects[0], 0);
}

static void handle_table_that_was_destroyed_takes_no_handle_whatever_its_limit(void **state)
{
    (void)state;
    ftl_handle_t handle;
    insert(&objects[0], 0);
    handle_table_destroy(&table);
    assert_int_equal(handle_table_set_limit(&table, 10), FTL_ERR_BAD_STATE);
    assert_int_equal(handle_insert(&table, &objects[0], 0, &handle), FTL_ERR_LIMIT);
}

static void handle_list_tells_every_handle_once_in_parts(void **state)
{
    (void)state;
    ftl_handle_t handles[1000];
    for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
        handles[i] = insert(&objects[i % 2], (ftl_rights_t)i & FTL_RIGHTS_ALL);
    }
    for (size_t i = 100; i < 900; i++) {
        close_handle(handles[i]); /* a gap of several parts */
    }
    struct ftl_handle_list list = { 0 };
    size_t next = 0;
    size_t parts = 0;
    do {
        handle_table_list(&table, &list);
        assert_in_range(list.count, 0, FTL_HANDLE_LIST_MAX);
        for (uint32_t i = 0; i < list.count; i++, next++) {
            const struct ftl_handle_info *info = &list.handles[i];
            next = next == 100 ? 900 : next;
            assert_int_equal(info->handle, handles[next]);
            assert_int_equal(info->rights, next & FTL_RIGHTS_ALL);
            assert_int_equal(info->object, object_id(&objects[next % 2]));
            assert_string_equal(info->type, object_ops[objects[next % 2].type].name);
        }
        parts++;
    } while (list.position != 0);
    assert_int_equal(next, ARRAY_SIZE(handles));
    assert_true(parts <= ARRAY_SIZE(handles) / FTL_HANDLE_LIST_MAX);
    assert_int_not_equal(object_id(&objects[0]), object_id(&objects[1]));

    list.position = UINT64_MAX;
    handle_table_list(&table, &list);
    assert_int_equal(list.count, 0);
    assert_int_equal(list.position, 0);
}

static void handle_table_of_the_default_limit_fills_up(void **state)
{
    (void)state;
    static ftl_handle_t handles[HANDLE_LIMIT_DEFAULT];
    ftl_handle_t handle;
    for (size_t i = 0; i < HANDLE_LIMIT_DEFAULT; i++) {
        handles[i] = insert(&objects[i % OBJECT_COUNT], 0);
    }
    assert_int_equal(handle_insert(&table, &objects[0], 0, &handle), FTL_ERR_LIMIT);
    assert_int_equal(table.used, HANDLE_LIMIT_DEFAULT);
    for (size_t i = 0; i < HANDLE_LIMIT_DEFAULT; i++) {
        struct object *object;
        assert_int_equal(handle_table_lookup(&table, handles[i], OBJECT_ANY, 0, &object), FTL_OK);
        assert_ptr_equal(object, &objects[i % OBJECT_COUNT]);
        object_put(object);
    }
}

static void handle_memory_is_charged_to_the_account(void **state)
{
    (void)state;
    assert_int_equal(account.used, 0);
    for (int i = 0; i < 1000; i++) {
        insert(&objects[0], 0);
        assert_int_equal(account.used, host_alloc_bytes);
    }
    assert_true(account.used >= 1000 * sizeof(struct handle_slot));
}

static void handle_insert_fails_cleanly_at_the_account_limit(void **state)
{
    (void)state;
    ftl_handle_t handle;
    int made = 0;
    account.limit = 3000;
    for (;;) {
        uint64_t used = account.used;
        object_get(&objects[0]);
        ftl_status_t status = handle_insert(&table, &objects[0], 0, &handle);
        if (status != FTL_OK) {
            assert_int_equal(status, FTL_ERR_LIMIT);
            assert_int_equal(account.used, used);
            object_put(&objects[0]);
            break;
        }
        made++;
        assert_true(account.used <= account.limit);
    }
    assert_true(made > 0);
    assert_int_equal(table.used, made);
    account.limit = PLENTY;
    insert(&objects[0], 0);
}

static void handle_insert_survives_failing_allocations(void **state)
{
    (void)state;
    ftl_handle_t handle;
    int made = 0;
    /* Every allocation that 2000 insertions need fails once, and the insertion is made again. */
    while (made < 2000) {
        uint64_t used = account.used;
        host_alloc_budget = 0;
        ftl_status_t status = handle_insert(&table, &objects[0], FTL_RIGHT_READ, &handle);
        if (status != FTL_OK) {
            assert_int_equal(status, FTL_ERR_NO_MEMORY);
            assert_int_equal(account.used, used);
            assert_int_equal(table.used, made);
            host_alloc_budget = 1; /* grows the directory, then fails at the chunk; or succeeds */
            status = handle_insert(&table, &objects[0], FTL_RIGHT_READ, &handle);
        }
        if (status != FTL_OK) {
            assert_int_equal(status, FTL_ERR_NO_MEMORY);
            host_alloc_budget = -1;
            assert_int_equal(handle_insert(&table, &objects[0], FTL_RIGHT_READ, &handle), FTL_OK);
        }
        object_get(&objects[0]);
        made++;
        assert_int_equal(lookup(handle), FTL_OK);
    }
}

static void handle_table_destroy_closes_every_handle(void **state)
{
    (void)state;
    ftl_handle_t handle = FTL_HANDLE_INVALID;
    for (int i = 0; i < 200; i++) {
        handle = insert(&objects[i % OBJECT_COUNT], 0);
    }
    close_handle(handle);
    close_count = 0;
    for (int i = 0; i < OBJECT_COUNT; i++) {
        object_put(&objects[i]); /* now the handles keep them */
    }
    handle_table_destroy(&table);
    assert_int_equal(close_count, 199);
    assert_int_equal(destroy_count, OBJECT_COUNT);
    assert_int_equal(account.used, 0);
    assert_int_equal(host_alloc_pieces, 0);
    assert_int_equal(lookup(handle), FTL_ERR_HANDLE_FORGED);
    object_init(&objects[0], OBJECT_VMO);
    assert_int_equal(handle_insert(&table, &objects[0], 0, &handle), FTL_ERR_LIMIT);
    handle_table_destroy(&table);
}

static void handle_slot_retires_when_generations_run_out(void **state)
{
    (void)state;
    const uint64_t last = ((uint64_t)1 << 32) - 2;
    ftl_handle_t first = insert(&objects[0], 0);
    ftl_handle_t handle = (first % GENERATION) + last * GENERATION;
    table.chunks[0][0].value = handle;
    assert_int_equal(lookup(handle), FTL_OK);
    close_handle(handle);
    assert_int_equal(lookup(handle), FTL_ERR_HANDLE_CLOSED);
    ftl_handle_t next = insert(&objects[0], 0);
    assert_int_not_equal(next % GENERATION, first % GENERATION);
    assert_int_equal(lookup(handle), FTL_ERR_HANDLE_CLOSED);
}

#define MODEL_SLOTS 300
#define MODEL_OLD   64

/*
 * What the table should hold, by slot; and some handles closed, whose slots may have been used
 * again.
 */
struct model {
    struct host_random random;
    struct {
        ftl_handle_t handle; /* last issued, 0: none yet */
        struct object *object;
        ftl_rights_t rights;
        bool open;
    } slots[MODEL_SLOTS];
    size_t queue[MODEL_SLOTS]; /* free slots in the order of reuse */
    size_t queued;
    size_t opened;
    ftl_handle_t old[MODEL_OLD];
};

static void model_insert(struct model *model)
{
    struct object *object = &objects[host_random_below(&model->random, OBJECT_COUNT)];
    ftl_rights_t rights = (ftl_rights_t)host_random(&model->random) & FTL_RIGHTS_ALL;
    ftl_handle_t handle;
    object_get(object);
    ftl_status_t status = handle_insert(&table, object, rights, &handle);
    if (model->queued == 0 && model->opened == MODEL_SLOTS) {
        assert_int_equal(status, FTL_ERR_LIMIT);
        object_put(object);
        return;
    }
    assert_int_equal(status, FTL_OK);
    size_t slot = (handle & HANDLE_INDEX_MASK) - 1;
    assert_int_equal(handle_rights(handle), rights);
    if (model->queued > 0) {
        assert_int_equal(slot, model->queue[0]);
        assert_int_equal(handle / GENERATION, model->slots[slot].handle / GENERATION + 1);
        model->queued--;
        memmove(model->queue, model->queue + 1, model->queued * sizeof(model->queue[0]));
    } else {
        assert_int_equal(slot, model->opened);
        model->opened++;
    }
    model->slots[slot].handle = handle;
    model->slots[slot].object = object;
    model->slots[slot].rights = rights;
    model->slots[slot].open = true;
}

static void model_close(struct model *model, size_t slot)
{
    struct object *object;
    ftl_rights_t rights;
    ftl_handle_t handle = model->slots[slot].handle;
    ftl_status_t status = handle_remove(&table, handle, 0, &object, &rights);
    if (!model->slots[slot].open) {
        assert_int_equal(status, handle == 0 ? FTL_ERR_HANDLE_FORGED : FTL_ERR_HANDLE_CLOSED);
        return;
    }
    assert_int_equal(status, FTL_OK);
    assert_ptr_equal(object, model->slots[slot].object);
    assert_int_equal(rights, model->slots[slot].rights);
    object_close(object);
    model->slots[slot].open = false;
    model->queue[model->queued++] = slot;
    model->old[host_random_below(&model->random, MODEL_OLD)] = handle;
}

static void model_check(struct model *model, size_t slot)
{
    struct object *object = NULL;
    ftl_handle_t old = model->old[host_random_below(&model->random, MODEL_OLD)];
    if (old != 0) {
        bool latest = model->slots[(old & HANDLE_INDEX_MASK) - 1].handle == old;
        assert_int_equal(lookup(old), latest ? FTL_ERR_HANDLE_CLOSED : FTL_ERR_HANDLE_STALE);
    }
    if (!model->slots[slot].open) {
        return;
    }
    ftl_rights_t rights = (ftl_rights_t)host_random(&model->random) & FTL_RIGHTS_ALL;
    enum object_type type = (enum object_type)host_random_below(&model->random, OBJECT_TYPE_COUNT);
    ftl_status_t status =
        handle_table_lookup(&table, model->slots[slot].handle, type, rights, &object);
    if (type != OBJECT_ANY && type != (enum object_type)model->slots[slot].object->type) {
        assert_int_equal(status, FTL_ERR_WRONG_TYPE);
    } else if ((rights & ~model->slots[slot].rights) != 0) {
        assert_int_equal(status, FTL_ERR_MISSING_RIGHT);
    } else {
        assert_int_equal(status, FTL_OK);
        assert_ptr_equal(object, model->slots[slot].object);
        object_put(model->slots[slot].object);
    }
}

static void handle_random_operations_agree_with_a_model(void **state)
{
    (void)state;
    static struct model model;
    memset(&model, 0, sizeof(model));
    model.random.state = 7;
    handle_table_init(&table, &account, MODEL_SLOTS);
    for (int turn = 0; turn < 200000; turn++) {
        size_t percent = host_random_below(&model.random, 100);
        size_t inserts = turn / 5000 % 2 == 0 ? 40 : 10;
        size_t slot = host_random_below(&model.random, MODEL_SLOTS);
        if (percent < inserts) {
            model_insert(&model);
        } else if (percent < 60) {
            model_close(&model, slot);
        } else {
            model_check(&model, slot);
        }
        assert_int_equal(table.used, model.opened - model.queued);
    }
    assert_int_equal(model.opened, MODEL_SLOTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(handle_lookup_returns_the_object_with_a_reference, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(handle_never_issued_is_forged, setup, teardown),
        cmocka_unit_test_setup_teardown(handle_is_closed_then_stale, setup, teardown),
        cmocka_unit_test_setup_teardown(handle_errors_come_in_the_documented_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(handle_rights_are_what_it_was_made_with, setup, teardown),
        cmocka_unit_test_setup_teardown(handle_remove_hands_over_reference_and_rights, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(handle_slots_are_reused_in_the_order_they_were_freed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(handle_insert_beyond_the_limit_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(handle_limit_can_be_changed_and_keeps_what_is_there, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            handle_table_that_was_destroyed_takes_no_handle_whatever_its_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(handle_list_tells_every_handle_once_in_parts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(handle_table_of_the_default_limit_fills_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(handle_memory_is_charged_to_the_account, setup, teardown),
        cmocka_unit_test_setup_teardown(handle_insert_fails_cleanly_at_the_account_limit, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(handle_insert_survives_failing_allocations, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(handle_table_destroy_closes_every_handle, setup, teardown),
        cmocka_unit_test_setup_teardown(handle_slot_retires_when_generations_run_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(handle_random_operations_agree_with_a_model, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
