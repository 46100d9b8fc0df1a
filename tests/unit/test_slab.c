/* mm/slab.c over the real page allocator. */
#include "host/test.h"

#include <pthread.h>

#include "arch/hart.h"
#include "host/memory.h"
#include "mm/page.h"
#include "mm/slab.h"

#define RAM_SIZE (16 * MIB)

static int setup(void **state)
{
    (void)state;
    host_memory_init(RAM_SIZE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    host_hart_index = 0;
    return 0; /* caches are for ever: the next test sets up its own */
}

static bool is_zero(const void *memory, size_t size)
{
    const char *bytes = memory;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Odd sizes and alignments, with the object sizes they must lead to. */
static const struct {
    size_t size, align, object_size;
} shapes[] = {
    { 1, 1, 8 },       { 8, 8, 8 },          { 24, 8, 24 },     { 40, 16, 48 },
    { 100, 64, 128 },  { 700, 8, 704 },      { 1500, 4, 1504 }, { 2048, 2048, 2048 },
    { 3000, 8, 3000 }, { 4096, 4096, 4096 }, { 5000, 8, 5000 }, { 20000, 4096, 20480 },
};
static struct slab_cache shape_caches[ARRAY_SIZE(shapes)];

static void slab_objects_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    for (size_t shape = 0; shape < ARRAY_SIZE(shapes); shape++) {
        struct slab_cache *cache = &shape_caches[shape];
        void *objects[COUNT];
        slab_cache_init(cache, "shape", shapes[shape].size, shapes[shape].align);
        assert_int_equal(cache->object_size, shapes[shape].object_size);
        for (int turn = 0; turn < 2; turn++) {
            for (int i = 0; i < COUNT; i++) {
                objects[i] = slab_alloc(cache);
                assert_non_null(objects[i]);
                assert_true(IS_ALIGNED((uintptr_t)objects[i], shapes[shape].align));
                assert_true(is_zero(objects[i], cache->object_size));
                memset(objects[i], i + 1, cache->object_size);
            }
            assert_int_equal(slab_used(cache), COUNT);
            for (int i = 0; i < COUNT; i++) {
                const unsigned char *bytes = objects[i];
                for (size_t offset = 0; offset < cache->object_size; offset++) {
                    assert_int_equal(bytes[offset], i + 1);
                }
                slab_free(cache, objects[i]);
            }
            assert_int_equal(slab_used(cache), 0);
        }
    }
}

static struct slab_cache pair_cache; /* two objects to a slab */

static void slab_keeps_one_empty_slab_and_returns_the_others(void **state)
{
    (void)state;
    size_t before = page_free_count();
    void *objects[6];
    slab_cache_init(&pair_cache, "pair", PAGE_SIZE / 2, 8);
    for (int i = 0; i < 6; i++) {
        objects[i] = slab_alloc(&pair_cache);
    }
    assert_int_equal(page_free_count(), before - 3);
    assert_int_equal(slab_memory(&pair_cache), 3 * PAGE_SIZE);
    for (int i = 0; i < 6; i++) {
        slab_free(&pair_cache, objects[i]);
    }
    assert_int_equal(page_free_count(), before - 1);
    objects[0] = slab_alloc(&pair_cache); /* from the slab kept */
    assert_int_equal(page_free_count(), before - 1);
    slab_free(&pair_cache, objects[0]);
}

static struct slab_cache full_cache;

static void slab_trim_gives_back_what_caches_keep(void **state)
{
    (void)state;
    slab_trim();
    size_t before = page_free_count();
    void *object = slab_alloc(&pair_cache);
    slab_free(&pair_cache, object);
    assert_int_equal(page_free_count(), before - 1);
    assert_int_equal(slab_memory(&pair_cache), PAGE_SIZE);
    slab_trim();
    assert_int_equal(slab_memory(&pair_cache), 0);
    assert_int_equal(page_free_count(), before);
    object = slab_alloc(&pair_cache); /* and the cache goes on */
    assert_non_null(object);
    slab_free(&pair_cache, object);
}

static void slab_exhaustion_gives_null_and_recovers(void **state)
{
    (void)state;
    void *last = NULL;
    size_t count = 0;
    slab_cache_init(&full_cache, "full", 64, 64);
    host_memory_exhaust(3);
    for (void *object; (object = slab_alloc(&full_cache)) != NULL; count++) {
        *(void **)object = last;
        last = object;
    }
    assert_int_equal(count, 3 * PAGE_SIZE / 64);
    assert_int_equal(slab_used(&full_cache), count);
    if (last == NULL) {
        fail();
        return;
    }
    void *next = *(void **)last;
    slab_free(&full_cache, last);
    assert_ptr_equal(slab_alloc(&full_cache), last);
    *(void **)last = next;
    while (last != NULL) {
        next = *(void **)last;
        slab_free(&full_cache, last);
        last = next;
    }
    assert_int_equal(page_free_count(), 2);
    host_memory_restore();
}

static struct slab_cache checked_cache;
static struct slab_cache other_cache;

static void slab_wrong_releases_panic(void **state)
{
    (void)state;
    slab_cache_init(&checked_cache, "checked", 96, 8);
    slab_cache_init(&other_cache, "other", 96, 8);
    char *object = slab_alloc(&checked_cache);
    char *kept = slab_alloc(&checked_cache);
    assert_panics(slab_free(&other_cache, object));
    spin_unlock(&other_cache.lock);
    assert_panics(slab_free(&checked_cache, object + 8));
    spin_unlock(&checked_cache.lock);
    slab_free(&checked_cache, object);
    assert_panics(slab_free(&checked_cache, object)); /* twice */
    spin_unlock(&checked_cache.lock);
    slab_free(&checked_cache, kept);
}

static void count_shape_caches(struct slab_cache *cache, void *context)
{
    size_t *count = context;
    if (strcmp(cache->name, "shape") == 0) {
        assert_ptr_equal(cache, &shape_caches[*count]); /* in the order they were set up */
        (*count)++;
    }
    slab_used(cache); /* may take the cache's lock */
}

static void slab_for_each_visits_all_caches_in_order(void **state)
{
    (void)state;
    size_t count = 0;
    slab_for_each(count_shape_caches, &count);
    assert_int_equal(count, ARRAY_SIZE(shapes));
}

static void kalloc_works_for_every_size(void **state)
{
    (void)state;
    host_memory_init(RAM_SIZE);
    slab_init();
    for (size_t size = 0; size <= 3 * PAGE_SIZE; size += size < 300 ? 1 : 37) {
        char *memory = kalloc(size);
        char *other = kalloc(size);
        assert_non_null(memory);
        assert_ptr_not_equal(memory, other);
        assert_true(IS_ALIGNED((uintptr_t)memory, size > PAGE_SIZE / 2 ? PAGE_SIZE : 16));
        assert_true(is_zero(memory, size));
        memset(memory, 0xff, size);
        assert_true(is_zero(other, size));
        kfree(memory, size);
        kfree(other, size);
    }
}

static void kalloc_of_whole_pages_gives_them_all_back(void **state)
{
    (void)state;
    size_t before = page_free_count();
    void *memory = kalloc(5 * PAGE_SIZE);
    assert_int_equal(page_free_count(), before - 8);
    kfree(memory, 5 * PAGE_SIZE);
    assert_int_equal(page_free_count(), before);
    memory = kalloc(PAGE_SIZE << PAGE_MAX_ORDER);
    assert_non_null(memory);
    kfree(memory, PAGE_SIZE << PAGE_MAX_ORDER);
    assert_int_equal(page_free_count(), before);
}

static void kalloc_refuses_what_no_block_holds(void **state)
{
    (void)state;
    assert_null(kalloc((PAGE_SIZE << PAGE_MAX_ORDER) + 1));
    assert_null(kalloc(SIZE_MAX));
    host_memory_exhaust(0);
    assert_null(kalloc(PAGE_SIZE));
    host_memory_restore();
}

static void kfree_of_null_does_nothing(void **state)
{
    (void)state;
    kfree(NULL, 100);
    kfree(NULL, PAGE_SIZE);
}

#define THREADS 4
#define HELD    200
#define TURNS   20000

/*
 * Allocates and frees at random; each piece carries its address, so that two owners would be seen.
 */
static void *allocate_at_random(void *argument)
{
    static const size_t sizes[] = { 16, 64, 100, 1000, 2000, 5000 };
    struct {
        uintptr_t *memory;
        size_t size;
    } held[HELD] = { { NULL, 0 } };
    uintptr_t failures = 0;
    host_hart_index = (unsigned)(uintptr_t)argument;
    struct host_random random = { .state = 99 + host_hart_index };
    for (int turn = 0; turn < TURNS; turn++) {
        size_t i = host_random_below(&random, HELD);
        if (held[i].memory != NULL) {
            failures += held[i].memory[0] != ((uintptr_t)held[i].memory ^ host_hart_index);
            kfree(held[i].memory, held[i].size);
            held[i].memory = NULL;
            continue;
        }
        held[i].size = sizes[host_random_below(&random, ARRAY_SIZE(sizes))];
        held[i].memory = kalloc(held[i].size);
        if (held[i].memory == NULL) {
            failures++;
            continue;
        }
        failures += held[i].memory[0] != 0;
        held[i].memory[0] = (uintptr_t)held[i].memory ^ host_hart_index;
    }
    for (size_t i = 0; i < HELD; i++) {
        kfree(held[i].memory, held[i].size);
    }
    return (void *)failures;
}

static void add_used(struct slab_cache *cache, void *context)
{
    if (strncmp(cache->name, "kalloc", strlen("kalloc")) == 0) {
        *(size_t *)context += slab_used(cache);
    }
}

static void kalloc_by_many_threads_never_shares_memory(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    size_t used = 0;
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, allocate_at_random, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failures;
        pthread_join(threads[i], &failures);
        assert_null(failures);
    }
    slab_for_each(add_used, &used);
    assert_int_equal(used, 0);
}

static int finish(void **state)
{
    (void)state;
    host_memory_exit();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(slab_objects_are_zeroed_aligned_and_apart, teardown),
        cmocka_unit_test_teardown(slab_keeps_one_empty_slab_and_returns_the_others, teardown),
        cmocka_unit_test_teardown(slab_trim_gives_back_what_caches_keep, teardown),
        cmocka_unit_test_teardown(slab_exhaustion_gives_null_and_recovers, teardown),
        cmocka_unit_test_teardown(slab_wrong_releases_panic, teardown),
        cmocka_unit_test_teardown(slab_for_each_visits_all_caches_in_order, teardown),
        /* From here on with the caches behind kalloc, set up by the first of these. */
        cmocka_unit_test_teardown(kalloc_works_for_every_size, teardown),
        cmocka_unit_test_teardown(kalloc_of_whole_pages_gives_them_all_back, teardown),
        cmocka_unit_test_teardown(kalloc_refuses_what_no_block_holds, teardown),
        cmocka_unit_test_teardown(kfree_of_null_does_nothing, teardown),
        cmocka_unit_test_teardown(kalloc_by_many_threads_never_shares_memory, teardown),
    };
    return cmocka_run_group_tests(tests, setup, finish);
}
