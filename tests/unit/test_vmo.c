/* VMOs: contents against a plain array, charges to the byte, failures. */
#include "sim/core.h"

#include "host/memory.h"
#include "mm/page.h"
#include "mm/vmo.h"

#define MODEL_PAGES 1030 /* more than one node of the tree holds */
#define MODEL_SIZE  (MODEL_PAGES * PAGE_SIZE)
#define STEPS       3000
#define NODE_SPAN   (512 * PAGE_SIZE) /* bytes of a VMO below one node of the lowest level */

static struct account *account;
static struct core_counts before;

static int set_up(void **state)
{
    (void)state;
    before = core_count();
    account = account_create(64 * MIB);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    account_put(account); /* which must be empty */
    core_check_counts(&before);
    return 0;
}

static void reads_and_writes_agree_with_an_array(void **state)
{
    (void)state;
    static char array[MODEL_SIZE], buffer[3 * PAGE_SIZE];
    memset(array, 0, sizeof(array));
    struct host_random random = { .state = 5 };
    struct vmo *vmo = vmo_create(MODEL_SIZE - 100, account);
    assert_int_equal(vmo->size, MODEL_SIZE);
    for (size_t i = 0; i < STEPS; i++) {
        size_t offset = host_random_below(&random, MODEL_SIZE);
        size_t size = host_random_below(&random, sizeof(buffer));
        bool fits = size <= MODEL_SIZE - offset;
        if (i % 2 == 0) {
            memset(buffer, (int)i, size);
            assert_int_equal(vmo_write(vmo, offset, buffer, size),
                             fits ? FTL_OK : FTL_ERR_OUT_OF_RANGE);
            memcpy(array + offset, buffer, fits ? size : 0);
        } else {
            assert_int_equal(vmo_read(vmo, offset, buffer, size),
                             fits ? FTL_OK : FTL_ERR_OUT_OF_RANGE);
            assert_memory_equal(buffer, array + offset, fits ? size : 0);
        }
    }
    object_put(&vmo->object);
}

static void ranges_that_wrap_are_out_of_range(void **state)
{
    (void)state;
    char byte = 0;
    struct vmo *vmo = vmo_create(PAGE_SIZE, account);
    assert_int_equal(vmo_read(vmo, UINT64_MAX, &byte, 1), FTL_ERR_OUT_OF_RANGE);
    assert_int_equal(vmo_read(vmo, PAGE_SIZE, &byte, 1), FTL_ERR_OUT_OF_RANGE);
    assert_int_equal(vmo_write(vmo, 1, &byte, SIZE_MAX), FTL_ERR_OUT_OF_RANGE);
    assert_int_equal(vmo_write(vmo, PAGE_SIZE, &byte, 0), FTL_OK);
    object_put(&vmo->object);
}

static void sizes_nobody_can_have_are_refused(void **state)
{
    (void)state;
    assert_null(vmo_create(0, account));
    assert_null(vmo_create(VMO_SIZE_MAX + 1, account));
    assert_null(vmo_create(UINT64_MAX, account));
    assert_int_equal(account->used, 0);
}

/* Touches pages far apart in the largest VMO; every page and node is charged, and once. */
static void pages_and_nodes_are_charged_once_each(void **state)
{
    (void)state;
    struct vmo *vmo = vmo_create(VMO_SIZE_MAX, account);
    size_t expected = sizeof(*vmo);
    const struct {
        uint64_t offset;
        size_t pages; /* that it takes: nodes, and itself */
    } touches[] = {
        { 0, 4 },
        { 0, 0 },
        { PAGE_SIZE, 1 },
        { NODE_SPAN, 2 },
        { 512 * NODE_SPAN, 3 },
        { VMO_SIZE_MAX - PAGE_SIZE, 3 },
        { VMO_SIZE_MAX - PAGE_SIZE, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(touches); i++) {
        ftl_status_t status = FTL_OK;
        paddr_t page = vmo_page(vmo, touches[i].offset, &status);
        assert_int_equal(status, FTL_OK);
        assert_int_not_equal(page, 0);
        assert_int_equal(vmo_page(vmo, touches[i].offset, &status), page);
        expected += touches[i].pages * PAGE_SIZE;
        assert_int_equal(account->used, expected);
    }
    object_put(&vmo->object);
    assert_int_equal(account->used, 0);
}

static void limit_fails_the_page_that_passes_it_and_no_other(void **state)
{
    (void)state;
    struct account *small = account_create(sizeof(struct vmo) + 3 * PAGE_SIZE);
    struct vmo *vmo = vmo_create(MIB, small);
    ftl_status_t status = FTL_OK;
    char byte = 1;
    assert_int_equal(vmo_write(vmo, 0, &byte, 1), FTL_OK);
    assert_int_equal(vmo_write(vmo, PAGE_SIZE, &byte, 1), FTL_OK);
    assert_int_equal(vmo_write(vmo, 2 * PAGE_SIZE, &byte, 1), FTL_ERR_LIMIT);
    assert_int_equal(vmo_page(vmo, 2 * PAGE_SIZE, &status), 0);
    assert_int_equal(status, FTL_ERR_LIMIT);
    assert_int_equal(vmo_read(vmo, PAGE_SIZE, &byte, 1), FTL_OK);
    account_put(small);
    object_put(&vmo->object);
}

static void memory_that_runs_out_is_an_error_and_comes_back(void **state)
{
    (void)state;
    struct vmo *vmo = vmo_create(2 * NODE_SPAN, account);
    char byte = 1;
    for (size_t left = 0; left < 3; left++) { /* two nodes and the page */
        host_memory_exhaust(left);
        assert_int_equal(vmo_write(vmo, NODE_SPAN, &byte, 1), FTL_ERR_NO_MEMORY);
        host_memory_restore();
        object_put(&vmo->object);
        vmo = vmo_create(2 * NODE_SPAN, account);
    }
    host_memory_exhaust(3);
    assert_int_equal(vmo_write(vmo, NODE_SPAN, &byte, 1), FTL_OK);
    host_memory_restore();
    object_put(&vmo->object);
    host_alloc_budget = 0;
    assert_null(vmo_create(PAGE_SIZE, account));
    host_alloc_budget = -1;
    assert_int_equal(account->used, 0);
}

static void physical_vmo_is_the_memory_it_names(void **state)
{
    (void)state;
    struct page *pages = page_alloc(1);
    struct vmo *vmo = vmo_create_physical(page_to_phys(pages), 2 * PAGE_SIZE);
    ftl_status_t status = FTL_OK;
    assert_int_equal(vmo_page(vmo, PAGE_SIZE, &status), page_to_phys(pages) + PAGE_SIZE);
    char word[] = "here";
    assert_int_equal(vmo_write(vmo, PAGE_SIZE - 2, word, sizeof(word)), FTL_OK);
    assert_memory_equal((char *)page_to_virt(pages) + PAGE_SIZE - 2, word, sizeof(word));
    object_put(&vmo->object); /* and stays when the VMO goes */
    page_free(pages, 1);
}

static void account_outlives_its_owner_while_a_vmo_is_charged_to_it(void **state)
{
    (void)state;
    struct account *owners = account_create(MIB);
    struct vmo *vmo = vmo_create(PAGE_SIZE, owners);
    account_put(owners);
    char byte = 1;
    assert_int_equal(vmo_write(vmo, 0, &byte, 1), FTL_OK);
    object_put(&vmo->object);
}

int main(void)
{
    sim_boot(1, 32 * MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_and_writes_agree_with_an_array, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ranges_that_wrap_are_out_of_range, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sizes_nobody_can_have_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages_and_nodes_are_charged_once_each, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limit_fails_the_page_that_passes_it_and_no_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(memory_that_runs_out_is_an_error_and_comes_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(physical_vmo_is_the_memory_it_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(account_outlives_its_owner_while_a_vmo_is_charged_to_it,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
