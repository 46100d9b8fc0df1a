/* Loading images: where segments come to lie, what is refused, and every failure on the way. */
#include "sim/core.h"

#include <ftl/sandbox_abi.h>

#include "host/memory.h"
#include "kernel/loader.h"
#include "mm/page.h"

static struct vmo *image;
static struct process *process;

static void set_up(ftl_isolation_t isolation)
{
    image = core_elf(isolation);
    process = core_process(isolation);
}

static void tear_down(void)
{
    object_put(&process->object);
    object_put(&image->object);
}

static vaddr_t entry;

static ftl_status_t load(struct vmo *vmo, uint64_t offset, uint64_t size)
{
    struct image_file file = { .vmo = vmo, .offset = offset, .size = size };
    return loader_load(process, &file, &entry);
}

/* The byte at an image offset, as the process may access it; -1: it may not. */
static int byte_at(uint64_t offset, unsigned access)
{
    const unsigned char *byte = sim_access(process->image_base + offset, access);
    return byte == NULL ? -1 : *byte;
}

static unsigned char file_byte(uint64_t offset)
{
    unsigned char byte;
    assert_int_equal(vmo_read(image, offset, &byte, 1), FTL_OK);
    return byte;
}

static void segments_are_where_and_as_the_file_says(void **state)
{
    (void)state;
    for (unsigned isolation = 0; isolation < 2; isolation++) {
        struct core_counts before = core_count();
        set_up((ftl_isolation_t)isolation);
        assert_int_equal(load(image, 0, CORE_ELF_SIZE), FTL_OK);
        core_enter(process);
        for (uint64_t at = 0x1000; at < 0x2000; at += 97) {
            assert_int_equal(byte_at(at, FTL_MAP_EXEC), file_byte(at));
            assert_int_equal(byte_at(at, FTL_MAP_READ), file_byte(at));
            assert_int_equal(byte_at(at, FTL_MAP_WRITE), -1);
        }
        for (uint64_t at = 0x2000; at < 0x4800; at += 97) {
            int expected = at < 0x3800 ? file_byte(at) : 0; /* the rest is zeroed */
            assert_int_equal(byte_at(at, FTL_MAP_READ), expected);
            assert_int_equal(byte_at(at, FTL_MAP_WRITE), expected);
            assert_int_equal(byte_at(at, FTL_MAP_EXEC), -1);
        }
        assert_int_equal(byte_at(0x5000, FTL_MAP_READ), -1);
        *(char *)sim_access(process->image_base + 0x2000, FTL_MAP_WRITE) ^= 1; /* a copy */
        assert_int_not_equal(byte_at(0x2000, FTL_MAP_READ), file_byte(0x2000));
        core_leave();
        tear_down();
        core_check_counts(&before);
    }
}

/* Must be the first test: later ones find the window's root entries made. */
static void user_process_loads_into_a_window_made_after_it(void **state)
{
    (void)state;
    struct process *caller = core_process(FTL_ISOLATION_USER);
    core_enter(caller);
    set_up(FTL_ISOLATION_SANDBOX);
    assert_int_equal(load(image, 0, CORE_ELF_SIZE), FTL_OK);
    tear_down();
    core_leave();
    object_put(&caller->object);
}

static void gate_is_the_first_page_of_a_sandboxed_image(void **state)
{
    (void)state;
    set_up(FTL_ISOLATION_SANDBOX);
    assert_int_equal(load(image, 0, CORE_ELF_SIZE), FTL_OK);
    core_enter(process);
    for (uint64_t at = 0; at < FTL_GATE_SIZE; at += 511) {
        assert_int_equal(byte_at(at, FTL_MAP_EXEC), 0); /* the simulated gate; the file's is not */
    }
    assert_int_not_equal(file_byte(1), 0);
    core_leave();
    tear_down();
}

static void loaded_code_can_neither_be_unmapped_nor_changed(void **state)
{
    (void)state;
    set_up(FTL_ISOLATION_SANDBOX);
    assert_int_equal(load(image, 0, CORE_ELF_SIZE), FTL_OK);
    vaddr_t base = process->image_base;
    for (vaddr_t page = base; page < base + 0x2000; page += PAGE_SIZE) {
        assert_int_equal(vmspace_unmap(process->vmspace, page, PAGE_SIZE), FTL_ERR_BAD_STATE);
        assert_int_equal(vmspace_protect(process->vmspace, page, PAGE_SIZE, FTL_MAP_READ),
                         FTL_ERR_BAD_STATE);
    }
    assert_int_equal(vmspace_unmap(process->vmspace, base, 0x5000), FTL_ERR_BAD_STATE);
    assert_int_equal(vmspace_unmap(process->vmspace, base + 0x2000, 0x3000), FTL_OK);
    tear_down();
}

static void code_that_the_verifier_refuses_never_becomes_executable(void **state)
{
    (void)state;
    set_up(FTL_ISOLATION_SANDBOX);
    core_refuse_code = true;
    assert_int_equal(load(image, 0, CORE_ELF_SIZE), FTL_ERR_NOT_VERIFIED);
    core_refuse_code = false;
    assert_true(list_empty(&process->vmspace->mappings));
    tear_down();
}

static void image_of_the_other_isolation_is_refused_and_the_process_stays_new(void **state)
{
    (void)state;
    set_up(FTL_ISOLATION_USER);
    struct vmo *other = core_elf(FTL_ISOLATION_SANDBOX);
    assert_int_equal(load(other, 0, CORE_ELF_SIZE), FTL_ERR_BAD_FORMAT);
    assert_int_equal(load(image, 0, CORE_ELF_SIZE), FTL_OK);
    object_put(&other->object);
    tear_down();
}

static void ranges_outside_the_vmo_are_refused(void **state)
{
    (void)state;
    set_up(FTL_ISOLATION_USER);
    assert_int_equal(load(image, CORE_ELF_SIZE + 1, 0), FTL_ERR_OUT_OF_RANGE);
    assert_int_equal(load(image, 1, CORE_ELF_SIZE), FTL_ERR_OUT_OF_RANGE);
    assert_int_equal(load(image, UINT64_MAX, 2), FTL_ERR_OUT_OF_RANGE);
    assert_int_equal(load(image, 0, 10), FTL_ERR_BAD_FORMAT);
    tear_down();
}

static void image_need_not_start_at_a_page_of_its_vmo(void **state)
{
    (void)state;
    char *file = malloc(CORE_ELF_SIZE);
    set_up(FTL_ISOLATION_USER);
    struct account *account = account_create(MIB);
    struct vmo *shifted = vmo_create(CORE_ELF_SIZE + PAGE_SIZE, account);
    assert_int_equal(vmo_read(image, 0, file, CORE_ELF_SIZE), FTL_OK);
    assert_int_equal(vmo_write(shifted, 512, file, CORE_ELF_SIZE), FTL_OK);
    assert_int_equal(load(shifted, 512, CORE_ELF_SIZE), FTL_OK);
    core_enter(process);
    assert_int_equal(byte_at(0x1fff, FTL_MAP_EXEC), file_byte(0x1fff));
    assert_int_equal(byte_at(0x37ff, FTL_MAP_READ), file_byte(0x37ff));
    core_leave();
    object_put(&shifted->object);
    account_put(account);
    tear_down();
    free(file);
}

static void load_into_a_full_vmspace_fails(void **state)
{
    (void)state;
    set_up(FTL_ISOLATION_SANDBOX);
    struct account *account = account_create(MIB);
    struct vmo *huge = vmo_create(WINDOW_SIZE, account);
    struct map_request request = {
        .vmo = huge,
        .size = process->vmspace->end - process->vmspace->start,
        .permissions = FTL_MAP_READ,
        .permissions_max = FTL_MAP_READ,
    };
    vaddr_t at;
    assert_int_equal(vmspace_map(process->vmspace, &request, &at), FTL_OK);
    assert_int_equal(load(image, 0, CORE_ELF_SIZE), FTL_ERR_NO_MEMORY);
    object_put(&huge->object);
    account_put(account);
    tear_down();
}

/* --- Failures --- */

/* Makes a process, loads, starts and kills it. The first error. */
static ftl_status_t try_all(ftl_isolation_t isolation, uint64_t limit)
{
    ftl_status_t status;
    struct account *account = account_create(limit);
    if (account == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    struct vmspace *vmspace = vmspace_create(isolation, account, &status);
    account_put(account);
    if (vmspace == NULL) {
        return status;
    }
    struct process *made = process_create(vmspace, "test", NULL, limit, &status);
    object_put(&vmspace->object);
    if (made == NULL) {
        return status;
    }
    struct image_file file = { .vmo = image, .size = CORE_ELF_SIZE };
    vaddr_t start = 0;
    status = loader_load(made, &file, &start);
    if (status == FTL_OK) {
        status = process_start(made, start, "environment", 12);
    }
    process_kill(made, 1);
    sim_run(&(struct sim_schedule){ 0 });
    assert_int_equal(made->state, FTL_PROCESS_EXITED);
    object_put(&made->object);
    return status;
}

static bool image_exits(struct context *context, struct sim_call *call)
{
    (void)context;
    return core_make(call, 0, 0, 0, 0, 0);
}

static bool is_memory_error(ftl_status_t status)
{
    return status == FTL_ERR_NO_MEMORY || status == FTL_ERR_LIMIT;
}

/* Calls `arrange` with 0, 1, ... until all succeeds. Returns how often that was. */
static size_t until_it_works(ftl_isolation_t isolation, void (*arrange)(size_t n, uint64_t *limit),
                             void (*restore)(void))
{
    image = core_elf(isolation);
    assert_int_equal(try_all(isolation, 16 * MIB), FTL_OK);
    struct core_counts before = core_count();
    ftl_status_t status = FTL_ERR_NO_MEMORY;
    size_t n;
    for (n = 0; status != FTL_OK; n++) {
        uint64_t limit = 16 * MIB;
        arrange(n, &limit);
        status = try_all(isolation, limit);
        restore();
        assert_true(status == FTL_OK || is_memory_error(status));
        core_check_counts(&before);
    }
    object_put(&image->object);
    return n;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): one of several with this type */
static void fail_allocation(size_t n, uint64_t *limit)
{
    (void)limit;
    host_alloc_budget = (long)n;
}

static void allocate_again(void)
{
    host_alloc_budget = -1;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): one of several with this type */
static void fail_page(size_t n, uint64_t *limit)
{
    (void)limit;
    host_memory_exhaust(n);
}

static void limit_memory(size_t n, uint64_t *limit)
{
    *limit = n * 512;
}

static void nothing(void)
{
}

static void every_failure_while_loading_and_starting_leaves_nothing(void **state)
{
    (void)state;
    sim_image_code = image_exits;
    for (unsigned isolation = 0; isolation < 2; isolation++) {
        assert_true(until_it_works(isolation, fail_allocation, allocate_again) > 10);
        assert_true(until_it_works(isolation, fail_page, host_memory_restore) > 4);
        assert_true(until_it_works(isolation, limit_memory, nothing) > 30);
    }
}

int main(void)
{
    sim_boot(2, 32 * MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_process_loads_into_a_window_made_after_it),
        cmocka_unit_test(segments_are_where_and_as_the_file_says),
        cmocka_unit_test(gate_is_the_first_page_of_a_sandboxed_image),
        cmocka_unit_test(loaded_code_can_neither_be_unmapped_nor_changed),
        cmocka_unit_test(code_that_the_verifier_refuses_never_becomes_executable),
        cmocka_unit_test(image_of_the_other_isolation_is_refused_and_the_process_stays_new),
        cmocka_unit_test(ranges_outside_the_vmo_are_refused),
        cmocka_unit_test(image_need_not_start_at_a_page_of_its_vmo),
        cmocka_unit_test(load_into_a_full_vmspace_fails),
        cmocka_unit_test(every_failure_while_loading_and_starting_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
