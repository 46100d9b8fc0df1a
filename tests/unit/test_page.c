/* mm/page.c: the buddy allocator and the harts' caches. */
#include "host/test.h"

#include <pthread.h>
#include <sys/mman.h>

#include "arch/hart.h"
#include "arch/phys.h"
#include "host/memory.h"
#include "mm/page.h"

#define CHUNK       (PAGE_SIZE << PAGE_MAX_ORDER)
#define CHUNK_PAGES ((size_t)1 << PAGE_MAX_ORDER)

static int teardown(void **state)
{
    (void)state;
    host_hart_index = 0;
    host_memory_exit();
    return 0;
}

/*
 * Allocates blocks of the order until there are none, frees them again, and returns how many there
 * were.
 */
static size_t count_blocks(unsigned order)
{
    struct page *blocks = NULL;
    struct page *page;
    size_t count = 0;
    while ((page = page_alloc(order)) != NULL) {
        page->owner = blocks;
        blocks = page;
        count++;
    }
    while (blocks != NULL) {
        page = blocks;
        blocks = page->owner;
        page_free(page, order);
    }
    return count;
}

static void page_init_alone_gives_no_pages(void **state)
{
    (void)state;
    void *array;
    paddr_t start = host_memory_reserve(CHUNK, &array);
    page_init(start, start + CHUNK, array);
    assert_null(page_alloc(0));
    assert_null(page_alloc(PAGE_MAX_ORDER));
    assert_int_equal(page_free_count(), 0);
    assert_int_equal(page_total_count(), 0);
}

static void page_add_free_uses_whole_pages_only(void **state)
{
    (void)state;
    void *array;
    paddr_t start = host_memory_reserve(CHUNK, &array);
    page_init(start, start + CHUNK, array);
    page_add_free(start + 1, start + 3 * PAGE_SIZE + 5);
    assert_int_equal(page_total_count(), 2);
    page_add_free(start + 4 * PAGE_SIZE + 7, start + 5 * PAGE_SIZE - 1); /* no whole one */
    page_add_free(start + 9 * PAGE_SIZE, start + 9 * PAGE_SIZE);
    assert_int_equal(page_free_count(), 2);
    struct page *first = page_alloc(0);
    struct page *second = page_alloc(0);
    assert_null(page_alloc(0));
    assert_int_equal(page_to_phys(first) + page_to_phys(second), 2 * start + 3 * PAGE_SIZE);
    page_free(first, 0);
    page_free(second, 0);
}

static void page_ranges_that_touch_merge(void **state)
{
    (void)state;
    void *array;
    paddr_t start = host_memory_reserve(2 * CHUNK, &array);
    page_init(start, start + 2 * CHUNK, array);
    page_add_free(start + 3 * PAGE_SIZE, start + CHUNK + 7 * PAGE_SIZE);
    assert_null(page_alloc(PAGE_MAX_ORDER));
    page_add_free(start + CHUNK + 7 * PAGE_SIZE, start + 2 * CHUNK);
    page_add_free(start, start + 3 * PAGE_SIZE);
    assert_int_equal(count_blocks(PAGE_MAX_ORDER), 2);
}

static void page_range_need_not_start_or_end_on_a_block(void **state)
{
    (void)state;
    void *array;
    paddr_t start = host_memory_reserve(3 * CHUNK, &array) + 5 * PAGE_SIZE;
    paddr_t end = start + 2 * CHUNK;
    page_init(start, end, array);
    page_add_free(start, end);
    assert_int_equal(page_free_count(), 2 * CHUNK_PAGES);
    assert_int_equal(count_blocks(0), 2 * CHUNK_PAGES);
    assert_int_equal(count_blocks(PAGE_MAX_ORDER), 1);
    assert_null(phys_to_page(start - 1));
    assert_null(phys_to_page(end));
    assert_int_equal(page_to_phys(phys_to_page(start)), start);
    assert_int_equal(page_to_phys(phys_to_page(end - 1)), end - PAGE_SIZE);
}

/* What is in the array's memory at boot may look like free blocks, left by a kernel that ran
 * before. */
static void page_array_contents_at_boot_do_not_matter(void **state)
{
    (void)state;
    for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++) {
        void *memory;
        paddr_t start = host_memory_reserve(2 * CHUNK, &memory);
        struct page *array = memory;
        for (size_t i = 0; i < 2 * CHUNK_PAGES; i++) {
            list_init(&array[i].link);
            array[i].order = (uint8_t)order;
            array[i].state = 1; /* PAGE_FREE of page.c */
        }
        page_init(start, start + 2 * CHUNK, array);
        page_add_free(start, start + CHUNK);
        page_add_free(start + CHUNK + PAGE_SIZE, start + CHUNK + 600 * PAGE_SIZE);
        assert_int_equal(count_blocks(0), CHUNK_PAGES + 599);
        assert_int_equal(count_blocks(PAGE_MAX_ORDER), 1);
        assert_int_equal(page_free_count(), CHUNK_PAGES + 599);
    }
}

static void page_addresses_convert_both_ways(void **state)
{
    (void)state;
    paddr_t start = host_memory_init(CHUNK);
    struct page *page = page_alloc(2);
    char *memory = page_to_virt(page);
    assert_ptr_equal(phys_to_page(page_to_phys(page)), page);
    assert_ptr_equal(phys_to_page(page_to_phys(page) + PAGE_SIZE - 1), page);
    assert_ptr_equal(virt_to_page(memory + PAGE_SIZE), page + 1);
    assert_int_equal(page_to_phys(page) - start, (size_t)(memory - (char *)phys_to_virt(start)));
    page_free(page, 2);
}

static void page_alloc_aligns_blocks_to_their_size(void **state)
{
    (void)state;
    host_memory_init(2 * CHUNK);
    struct page *odd = page_alloc(0);
    for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++) {
        struct page *page = page_alloc(order);
        assert_non_null(page);
        assert_true(IS_ALIGNED(page_to_phys(page), PAGE_SIZE << order));
        memset(page_to_virt(page), 0x5a, PAGE_SIZE << order);
        page_free(page, order);
    }
    page_free(odd, 0);
}

static void page_alloc_clears_the_owners_fields(void **state)
{
    (void)state;
    host_memory_init(CHUNK);
    for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++) {
        for (int turn = 0; turn < 2; turn++) {
            struct page *page = page_alloc(order);
            assert_int_equal(page->flags, 0);
            assert_int_equal(page->refs, 0);
            assert_null(page->owner);
            assert_true(list_empty(&page->link));
            page->flags = 1;
            page->refs = 2;
            page->owner = page;
            page_free(page, order);
        }
    }
}

static void page_alloc_leaves_no_garbage_in_the_other_frames(void **state)
{
    (void)state;
    for (unsigned order = 1; order <= PAGE_MAX_ORDER; order++) {
        host_memory_init(CHUNK); /* with garbage in the array */
        struct page *page = page_alloc(order);
        for (size_t i = 0; i < (size_t)1 << order; i++) {
            assert_int_equal(page[i].flags, 0);
            assert_int_equal(page[i].refs, 0);
            assert_null(page[i].owner);
        }
    }
}

static void page_alloc_zeroed_clears_the_whole_block(void **state)
{
    (void)state;
    host_memory_init(CHUNK);
    for (unsigned order = 0; order <= PAGE_MAX_ORDER; order += 5) {
        struct page *page = page_alloc_zeroed(order);
        const char *memory = page_to_virt(page);
        for (size_t i = 0; i < PAGE_SIZE << order; i++) {
            assert_true(memory[i] == 0);
        }
        page_free(page, order);
    }
    host_memory_exhaust(0);
    assert_null(page_alloc_zeroed(0));
    host_memory_restore();
}

static void page_exhaustion_fails_and_all_comes_back_merged(void **state)
{
    (void)state;
    host_memory_init(4 * CHUNK);
    for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++) {
        assert_int_equal(count_blocks(order), 4 * CHUNK_PAGES >> order);
        assert_int_equal(page_free_count(), 4 * CHUNK_PAGES);
    }
    assert_int_equal(page_total_count(), 4 * CHUNK_PAGES);
}

static void page_free_twice_panics(void **state)
{
    (void)state;
    host_memory_init(CHUNK);
    for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++) {
        struct page *page = page_alloc(order);
        page_free(page, order);
        assert_panics(page_free(page, order));
    }
}

static void page_free_of_another_order_panics(void **state)
{
    (void)state;
    host_memory_init(CHUNK);
    struct page *page = page_alloc(3);
    assert_panics(page_free(page, 2));
    assert_panics(page_free(page + 1, 0)); /* inside a block */
    page_free(page, 3);
}

/* Leaves a batch of pages in every hart's cache. */
static void fill_caches(void)
{
    for (unsigned hart = 0; hart < MAX_HARTS; hart++) {
        host_hart_index = hart;
        page_free(page_alloc(0), 0);
    }
}

static void page_cached_by_other_harts_is_found(void **state)
{
    (void)state;
    host_memory_init(4 * CHUNK);
    fill_caches();
    assert_int_equal(page_free_count(), 4 * CHUNK_PAGES);
    host_hart_index = 3;
    assert_int_equal(count_blocks(0), 4 * CHUNK_PAGES);
    fill_caches();
    host_hart_index = 5;
    assert_int_equal(count_blocks(PAGE_MAX_ORDER), 4);
}

static void page_alloc_of_a_cached_page_takes_the_last_freed(void **state)
{
    (void)state;
    host_memory_init(4 * CHUNK);
    struct page *page = page_alloc(0);
    struct page *other = page_alloc(0);
    page_free(page, 0);
    assert_ptr_equal(page_alloc(0), page); /* still in the hart's data cache */
    page_free(page, 0);
    page_free(other, 0);
}

/* The array is fresh memory of the host, where only touched pages are resident. */
static void page_add_free_of_8_gib_touches_little_of_the_array(void **state)
{
    (void)state;
    const paddr_t start = 2 * GIB;
    const paddr_t end = start + 8 * GIB;
    size_t size = page_array_size(start, end);
    size_t touched = 0;
    unsigned char *resident = malloc(size / PAGE_SIZE + 1);
    void *array = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(array, MAP_FAILED);
    madvise(array, size, MADV_NOHUGEPAGE);

    page_init(start, end, array);
    page_add_free(start + 0x212345, end);
    assert_int_equal(page_total_count(), 8 * GIB / PAGE_SIZE - 0x213);
    assert_int_equal(mincore(array, size, resident), 0);
    for (size_t i = 0; i < size / PAGE_SIZE; i++) {
        touched += resident[i] & 1;
    }
    assert_true(touched <= 8 * GIB / CHUNK + CHUNK_PAGES * sizeof(struct page) / PAGE_SIZE);

    munmap(array, size);
    free(resident);
}

#define MODEL_PAGES  (3 * CHUNK_PAGES)
#define MODEL_BLOCKS 400

struct model {
    struct host_random random;
    paddr_t start;
    bool usable[MODEL_PAGES]; /* given to page_add_free */
    bool allocated[MODEL_PAGES];
    struct page *blocks[MODEL_BLOCKS];
    unsigned orders[MODEL_BLOCKS];
    size_t block_count;
    size_t free_count;
};

/* Gives all but some random holes to the allocator. */
static void model_init(struct model *model)
{
    void *array;
    size_t index = 0;
    memset(model, 0, sizeof(*model));
    model->random.state = 20261125;
    model->start = host_memory_reserve(3 * CHUNK, &array);
    page_init(model->start, model->start + 3 * CHUNK, array);
    while (index < MODEL_PAGES) {
        size_t end = index + 1 + host_random_below(&model->random, 700);
        end = end < MODEL_PAGES ? end : MODEL_PAGES;
        page_add_free(model->start + index * PAGE_SIZE, model->start + end * PAGE_SIZE);
        memset(model->usable + index, true, end - index);
        model->free_count += end - index;
        index = end + host_random_below(&model->random, 20);
    }
}

static void model_mark(struct model *model, const struct page *page, unsigned order, bool allocated)
{
    size_t index = (page_to_phys(page) - model->start) / PAGE_SIZE;
    assert_true(IS_ALIGNED(index, (size_t)1 << order));
    for (size_t i = index; i < index + ((size_t)1 << order); i++) {
        assert_true(model->usable[i]);
        assert_true(model->allocated[i] != allocated);
        model->allocated[i] = allocated;
    }
}

/* Whether an aligned block without allocated pages is left. */
static bool model_has_block(const struct model *model, unsigned order)
{
    size_t size = (size_t)1 << order;
    for (size_t index = 0; index < MODEL_PAGES; index += size) {
        size_t free = 0;
        while (free < size && model->usable[index + free] && !model->allocated[index + free]) {
            free++;
        }
        if (free == size) {
            return true;
        }
    }
    return false;
}

static void model_alloc(struct model *model)
{
    unsigned order = (unsigned)__builtin_ctzll(host_random(&model->random) | 1u << 7);
    struct page *page = page_alloc(order);
    if (page == NULL) {
        assert_false(model_has_block(model, order));
        return;
    }
    model_mark(model, page, order, true);
    model->blocks[model->block_count] = page;
    model->orders[model->block_count] = order;
    model->block_count++;
    model->free_count -= (size_t)1 << order;
}

static void model_free(struct model *model)
{
    size_t victim = host_random_below(&model->random, model->block_count);
    unsigned order = model->orders[victim];
    model_mark(model, model->blocks[victim], order, false);
    page_free(model->blocks[victim], order);
    model->block_count--;
    model->blocks[victim] = model->blocks[model->block_count];
    model->orders[victim] = model->orders[model->block_count];
    model->free_count += (size_t)1 << order;
}

static void page_random_operations_agree_with_a_bitmap(void **state)
{
    (void)state;
    static struct model model;
    model_init(&model);
    for (int turn = 0; turn < 40000; turn++) {
        host_hart_index = (unsigned)host_random_below(&model.random, 4);
        /* Long phases of mostly allocation and mostly release reach both full and empty. */
        bool grow = host_random_below(&model.random, 100) < (turn / 2000 % 2 == 0 ? 70 : 30);
        if (model.block_count > 0 && (!grow || model.block_count == MODEL_BLOCKS)) {
            model_free(&model);
        } else {
            model_alloc(&model);
        }
        assert_int_equal(page_free_count(), model.free_count);
    }
    while (model.block_count > 0) {
        model_free(&model);
    }
    for (unsigned order = PAGE_MAX_ORDER; order > 4; order--) {
        assert_true((count_blocks(order) > 0) == model_has_block(&model, order));
    }
    assert_int_equal(page_free_count(), page_total_count());
}

/*
 * Threads that together may hold as many pages as there are, and never more: none may be refused
 * one.
 */
#define THREADS      4
#define THREAD_PAGES (CHUNK_PAGES / THREADS)
#define THREAD_TURNS 30

static void *allocate_the_share(void *argument)
{
    struct page *held[THREAD_PAGES];
    uintptr_t failures = 0;
    host_hart_index = (unsigned)(uintptr_t)argument;
    struct host_random random = { .state = 1 + host_hart_index };
    for (int turn = 0; turn < THREAD_TURNS; turn++) {
        size_t count = THREAD_PAGES - host_random_below(&random, 8);
        for (size_t i = 0; i < count; i++) {
            held[i] = page_alloc(0);
            if (held[i] == NULL) {
                failures++;
                count = i;
                break;
            }
            *(struct page **)page_to_virt(held[i]) = held[i];
        }
        for (size_t i = 0; i < count; i++) {
            failures += *(struct page **)page_to_virt(held[i]) != held[i];
            page_free(held[i], 0);
        }
    }
    return (void *)failures;
}

static void page_alloc_is_never_refused_while_pages_are_free(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    host_memory_init(CHUNK);
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, allocate_the_share, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failures;
        pthread_join(threads[i], &failures);
        assert_null(failures);
    }
    assert_int_equal(page_free_count(), CHUNK_PAGES);
    assert_int_equal(count_blocks(PAGE_MAX_ORDER), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(page_init_alone_gives_no_pages, teardown),
        cmocka_unit_test_teardown(page_add_free_uses_whole_pages_only, teardown),
        cmocka_unit_test_teardown(page_ranges_that_touch_merge, teardown),
        cmocka_unit_test_teardown(page_range_need_not_start_or_end_on_a_block, teardown),
        cmocka_unit_test_teardown(page_array_contents_at_boot_do_not_matter, teardown),
        cmocka_unit_test_teardown(page_addresses_convert_both_ways, teardown),
        cmocka_unit_test_teardown(page_alloc_aligns_blocks_to_their_size, teardown),
        cmocka_unit_test_teardown(page_alloc_clears_the_owners_fields, teardown),
        cmocka_unit_test_teardown(page_alloc_leaves_no_garbage_in_the_other_frames, teardown),
        cmocka_unit_test_teardown(page_alloc_zeroed_clears_the_whole_block, teardown),
        cmocka_unit_test_teardown(page_exhaustion_fails_and_all_comes_back_merged, teardown),
        cmocka_unit_test_teardown(page_free_twice_panics, teardown),
        cmocka_unit_test_teardown(page_free_of_another_order_panics, teardown),
        cmocka_unit_test_teardown(page_cached_by_other_harts_is_found, teardown),
        cmocka_unit_test_teardown(page_alloc_of_a_cached_page_takes_the_last_freed, teardown),
        cmocka_unit_test_teardown(page_add_free_of_8_gib_touches_little_of_the_array, teardown),
        cmocka_unit_test_teardown(page_random_operations_agree_with_a_bitmap, teardown),
        cmocka_unit_test_teardown(page_alloc_is_never_refused_while_pages_are_free, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
