/* VMOs: contents against a plain array, charges to the byte, failures. */
#include "sim/core.h"

#include "host/memory.h"
#include "mm/page.h"
#include "mm/vmo.h"

#define MODEL_PAGES 1030 /* more than one node of the tree holds */
#define MODEL_SIZE  (MODEL_PAGES * PAGE_SIZE)
#define STEPS       3000
#define NODE_SPAN   (64 * PAGE_SIZE) /* bytes of a VMO below one node of the lowest level */
#define NODE_SIZE   520

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
        size_t nodes, pages; /* that it takes */
    } touches[] = {
        { 0, 5, 1 },
        { 0, 0, 0 },
        { PAGE_SIZE, 0, 1 },
        { NODE_SPAN, 1, 1 },
        { 8 * NODE_SPAN, 2, 1 },
        { VMO_SIZE_MAX - PAGE_SIZE, 4, 1 },
        { VMO_SIZE_MAX - PAGE_SIZE, 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(touches); i++) {
        ftl_status_t status = FTL_OK;
        paddr_t page = vmo_page(vmo, touches[i].offset, &status);
        assert_int_equal(status, FTL_OK);
        assert_int_not_equal(page, 0);
        assert_int_equal(vmo_page(vmo, touches[i].offset, &status), page);
        expected += touches[i].nodes * NODE_SIZE + touches[i].pages * PAGE_SIZE;
        assert_int_equal(account->used, expected);
    }
    object_put(&vmo->object);
    assert_int_equal(account->used, 0);
}

static void limit_fails_the_page_that_passes_it_and_no_other(void **state)
{
    (void)state;
    struct account *small = account_create(sizeof(struct vmo) + 3 * NODE_SIZE + 2 * PAGE_SIZE);
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
    char byte = 1;
    for (long pieces = 0; pieces < 2; pieces++) { /* the tree's nodes, then the page */
        struct vmo *vmo = vmo_create(2 * NODE_SPAN, account);
        host_alloc_budget = pieces;
        assert_int_equal(vmo_write(vmo, NODE_SPAN, &byte, 1), FTL_ERR_NO_MEMORY);
        host_alloc_budget = -1;
        host_memory_exhaust(0);
        assert_int_equal(vmo_write(vmo, NODE_SPAN, &byte, 1), FTL_ERR_NO_MEMORY);
        host_memory_restore();
        assert_int_equal(vmo_write(vmo, NODE_SPAN, &byte, 1), FTL_OK);
        object_put(&vmo->object);
    }
    host_alloc_budget = 0;
    assert_null(vmo_create(PAGE_SIZE, account));
    assert_null(vmo_create_contiguous(PAGE_SIZE, account));
    host_alloc_budget = -1;
    host_memory_exhaust(0);
    assert_null(vmo_create_contiguous(PAGE_SIZE, account));
    host_memory_restore();
    assert_int_equal(account->used, 0);
}

static void large_pages_are_made_when_they_can_be_afforded(void **state)
{
    (void)state;
    struct account *small = account_create(3 * LARGE_PAGE_SIZE);
    struct vmo *vmo = vmo_create(4 * LARGE_PAGE_SIZE - PAGE_SIZE, small);
    ftl_status_t status = FTL_OK;
    paddr_t large = vmo_large_page(vmo, LARGE_PAGE_SIZE);
    assert_true(large != 0 && IS_ALIGNED(large, LARGE_PAGE_SIZE));
    assert_int_equal(vmo_large_page(vmo, LARGE_PAGE_SIZE), large);
    assert_int_equal(vmo_page(vmo, LARGE_PAGE_SIZE + 5 * PAGE_SIZE, &status),
                     large + 5 * PAGE_SIZE);
    assert_int_equal(vmo_find_page(vmo, LARGE_PAGE_SIZE + 7 * PAGE_SIZE), large + 7 * PAGE_SIZE);
    assert_int_equal(vmo_large_page(vmo, 0), 0);                   /* more than half of the limit */
    assert_int_equal(vmo_large_page(vmo, 3 * LARGE_PAGE_SIZE), 0); /* not wholly inside */
    object_put(&vmo->object);

    vmo = vmo_create(2 * LARGE_PAGE_SIZE, account);
    assert_int_not_equal(vmo_page(vmo, 3 * PAGE_SIZE, &status), 0);
    assert_int_equal(vmo_large_page(vmo, 0), 0); /* it has a small one */
    assert_int_not_equal(vmo_large_page(vmo, LARGE_PAGE_SIZE), 0);
    host_memory_exhaust(500);
    struct vmo *other = vmo_create(2 * LARGE_PAGE_SIZE, account);
    assert_int_equal(vmo_large_page(other, 0), 0);
    host_memory_restore();
    object_put(&other->object);
    object_put(&vmo->object);
    account_put(small);
}

static void shrinking_frees_and_growing_brings_zeroes(void **state)
{
    (void)state;
    struct vmo *vmo = vmo_create(PAGE_SIZE, account);
    const uint64_t sizes[] = { 3 * PAGE_SIZE, NODE_SPAN + 1, 3 * LARGE_PAGE_SIZE, GIB };
    char byte = 7;
    assert_int_equal(vmo_write(vmo, 9, &byte, 1), FTL_OK);
    uint64_t one_page = account->used;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        assert_int_equal(vmo_resize(vmo, sizes[i]), FTL_OK);
        assert_int_equal(vmo_size(vmo), ALIGN_UP(sizes[i], PAGE_SIZE));
        assert_int_equal(vmo_write(vmo, vmo_size(vmo) - 1, &byte, 1), FTL_OK);
        assert_int_equal(vmo_resize(vmo, PAGE_SIZE), FTL_OK);
        assert_in_range(account->used, one_page, one_page + 5 * NODE_SIZE);
        assert_int_equal(vmo_read(vmo, PAGE_SIZE, &byte, 1), FTL_ERR_OUT_OF_RANGE);
        assert_int_equal(vmo_resize(vmo, sizes[i]), FTL_OK);
        assert_int_equal(vmo_read(vmo, vmo_size(vmo) - 1, &byte, 1), FTL_OK);
        assert_int_equal(byte, 0);
        assert_int_equal(vmo_read(vmo, 9, &byte, 1), FTL_OK);
        assert_int_equal(byte, 7);
    }
    object_put(&vmo->object);
}

static void shrinking_into_a_large_page_zeroes_its_rest(void **state)
{
    (void)state;
    struct vmo *vmo = vmo_create(2 * LARGE_PAGE_SIZE, account);
    assert_int_not_equal(vmo_large_page(vmo, 0), 0);
    char bytes[] = { 1, 2 };
    assert_int_equal(vmo_write(vmo, 5 * PAGE_SIZE - 1, bytes, 2), FTL_OK);
    assert_int_equal(vmo_resize(vmo, 5 * PAGE_SIZE), FTL_OK);
    assert_int_equal(vmo_resize(vmo, 6 * PAGE_SIZE), FTL_OK);
    assert_int_equal(vmo_read(vmo, 5 * PAGE_SIZE - 1, bytes, 2), FTL_OK);
    assert_int_equal(bytes[0], 1);
    assert_int_equal(bytes[1], 0);
    object_put(&vmo->object);
}

static void mapped_vmo_does_not_shrink(void **state)
{
    (void)state;
    struct vmo *vmo = vmo_create(4 * PAGE_SIZE, account);
    assert_int_equal(vmo_pin(vmo, PAGE_SIZE, 4 * PAGE_SIZE), FTL_ERR_OUT_OF_RANGE);
    assert_int_equal(vmo_pin(vmo, UINT64_MAX, 2), FTL_ERR_OUT_OF_RANGE);
    assert_int_equal(vmo_pin(vmo, PAGE_SIZE, PAGE_SIZE), FTL_OK);
    assert_int_equal(vmo_resize(vmo, 3 * PAGE_SIZE), FTL_ERR_BAD_STATE);
    assert_int_equal(vmo_resize(vmo, 5 * PAGE_SIZE), FTL_OK);
    vmo_unpin(vmo);
    assert_int_equal(vmo_resize(vmo, 3 * PAGE_SIZE), FTL_OK);
    object_put(&vmo->object);
}

static void growing_without_memory_changes_nothing(void **state)
{
    (void)state;
    struct vmo *vmo = vmo_create(PAGE_SIZE, account);
    char byte = 7;
    assert_int_equal(vmo_write(vmo, 9, &byte, 1), FTL_OK);
    host_alloc_budget = 1; /* three are needed */
    assert_int_equal(vmo_resize(vmo, 2 * LARGE_PAGE_SIZE), FTL_ERR_NO_MEMORY);
    host_alloc_budget = -1;
    assert_int_equal(vmo_size(vmo), PAGE_SIZE);
    assert_int_equal(vmo_read(vmo, 9, &byte, 1), FTL_OK);
    assert_int_equal(byte, 7);
    assert_int_equal(vmo_resize(vmo, 2 * LARGE_PAGE_SIZE), FTL_OK);
    assert_int_equal(vmo_read(vmo, 9, &byte, 1), FTL_OK);
    assert_int_equal(byte, 7);
    object_put(&vmo->object);
}

static void contiguous_vmo_is_one_charged_block(void **state)
{
    (void)state;
    struct vmo *vmo = vmo_create_contiguous(3 * PAGE_SIZE, account);
    assert_int_equal(account->used, sizeof(*vmo) + 4 * PAGE_SIZE);
    assert_int_equal(vmo_size(vmo), 3 * PAGE_SIZE);
    ftl_status_t status = FTL_OK;
    for (uint64_t offset = 0; offset < 3 * PAGE_SIZE; offset += PAGE_SIZE) {
        assert_int_equal(vmo_page(vmo, offset, &status), vmo->base + offset);
    }
    char word[] = "there", read[sizeof(word)];
    assert_int_equal(vmo_write(vmo, PAGE_SIZE - 2, word, sizeof(word)), FTL_OK);
    assert_int_equal(vmo_read(vmo, PAGE_SIZE - 2, read, sizeof(read)), FTL_OK);
    assert_string_equal(read, word);
    assert_int_equal(vmo_resize(vmo, PAGE_SIZE), FTL_ERR_NOT_SUPPORTED);
    assert_null(vmo_create_contiguous(8 * MIB, account)); /* no block is so large */
    object_put(&vmo->object);
}

static void registers_are_not_read_by_the_kernel(void **state)
{
    (void)state;
    struct vmo *vmo = vmo_create_device(0x101000, PAGE_SIZE, account);
    char byte;
    ftl_status_t status = FTL_OK;
    assert_int_equal(account->used, sizeof(*vmo));
    assert_int_equal(vmo_read(vmo, 0, &byte, 1), FTL_ERR_NOT_SUPPORTED);
    assert_int_equal(vmo_write(vmo, 0, "", 1), FTL_ERR_NOT_SUPPORTED);
    assert_int_equal(vmo_page(vmo, 0, &status), 0x101000);
    object_put(&vmo->object);
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
        cmocka_unit_test_setup_teardown(large_pages_are_made_when_they_can_be_afforded, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(shrinking_frees_and_growing_brings_zeroes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(shrinking_into_a_large_page_zeroes_its_rest, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(mapped_vmo_does_not_shrink, set_up, tear_down),
        cmocka_unit_test_setup_teardown(growing_without_memory_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(contiguous_vmo_is_one_charged_block, set_up, tear_down),
        cmocka_unit_test_setup_teardown(registers_are_not_read_by_the_kernel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(physical_vmo_is_the_memory_it_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(account_outlives_its_owner_while_a_vmo_is_charged_to_it,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
