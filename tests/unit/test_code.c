/*
 * Code objects: verified once, shared by any number of processes, changed by nobody; and the calls
 * that load with them.
 */
#include "sim/core.h"

#include <ftl/call_numbers.h>
#include <ftl/sandbox_abi.h>

#include "host/elf_file.h"
#include "kernel/code.h"
#include "kernel/handle.h"

static struct process *caller;
static struct vmo *elf;
static struct core_counts before;
static vaddr_t memory; /* the caller's */

static int set_up(void **state)
{
    (void)state;
    before = core_count();
    caller = core_process(FTL_ISOLATION_USER);
    memory = core_map(caller, PAGE_SIZE);
    elf = core_elf(FTL_ISOLATION_SANDBOX);
    core_enter(caller);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    core_refuse_code = false;
    object_put(&elf->object);
    if (thread_current() != NULL) {
        core_leave();
    }
    object_put(&caller->object);
    core_check_counts(&before);
    return 0;
}

/* The physical page behind an address of the process; 0: none. */
static paddr_t page_of(struct process *process, vaddr_t address, unsigned *permissions)
{
    paddr_t page;
    return page_table_query(&process->vmspace->table, address, &page, permissions) ? page : 0;
}

static void one_code_is_shared_by_processes_in_one_window_and_in_others(void **state)
{
    (void)state;
    struct code *code = core_code(elf, caller->account);
    struct process *first = core_process(FTL_ISOLATION_SANDBOX);
    struct process *beside = core_process_in(first->vmspace);
    struct process *apart = core_process(FTL_ISOLATION_SANDBOX);
    vaddr_t base = first->vmspace->start;
    vaddr_t beside_base = base + ELF_FILE_SPAN;
    vaddr_t apart_base = apart->vmspace->start + MIB;
    core_refuse_code = true; /* it is not verified again */
    assert_int_equal(code_map(code, first, base), FTL_OK);
    assert_int_equal(code_map(code, beside, beside_base), FTL_OK);
    assert_int_equal(code_map(code, apart, apart_base), FTL_OK);
    object_put(&code->object);

    unsigned permissions;
    paddr_t page = page_of(first, base + FTL_GATE_SIZE, &permissions);
    assert_int_not_equal(page, 0);
    assert_int_equal(permissions & (MMU_EXEC | MMU_WRITE), MMU_EXEC);
    assert_int_equal(page_of(beside, beside_base + FTL_GATE_SIZE, &permissions), page);
    assert_int_equal(page_of(apart, apart_base + FTL_GATE_SIZE, &permissions), page);
    assert_int_equal(page_of(beside, beside_base, &permissions),
                     page_of(first, base, &permissions)); /* the gate */

    object_put(&first->object); /* ends, but its window lives on */
    assert_int_equal(page_of(beside, base + FTL_GATE_SIZE, &permissions), page);
    assert_int_equal(page_of(beside, beside_base + FTL_GATE_SIZE, &permissions), page);
    object_put(&beside->object);
    object_put(&apart->object);
}

static void code_does_not_change_with_the_file(void **state)
{
    (void)state;
    uint32_t word;
    const uint32_t other = 0;
    struct code *code = core_code(elf, caller->account);
    struct process *process = core_process(FTL_ISOLATION_SANDBOX);
    vaddr_t base = process->vmspace->start;
    assert_int_equal(vmo_write(elf, ELF_FILE_ENTRY, &other, sizeof(other)), FTL_OK);
    assert_int_equal(code_map(code, process, base), FTL_OK);
    assert_true(vmspace_read_code(process->vmspace, base + ELF_FILE_ENTRY, &word));
    assert_int_equal(word, FTL_SANDBOX_PAD);
    assert_false(vmspace_read_code(process->vmspace, base + ELF_FILE_ENTRY + 2, &word));
    assert_false(vmspace_read_code(process->vmspace, base + ELF_FILE_DATA, &word));
    object_put(&code->object);
    object_put(&process->object);
}

static void code_needs_a_window_room_in_it_and_nothing_in_its_way(void **state)
{
    (void)state;
    unsigned permissions;
    struct code *code = core_code(elf, caller->account);
    struct process *user = core_process(FTL_ISOLATION_USER);
    struct process *process = core_process(FTL_ISOLATION_SANDBOX);
    const struct vmspace *window = process->vmspace;
    assert_int_equal(code_map(code, user, MIB), FTL_ERR_NOT_SUPPORTED);
    assert_int_equal(code_map(code, process, window->start - PAGE_SIZE), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(code_map(code, process, window->start + 1), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(code_map(code, process, window->end - ELF_FILE_SPAN + PAGE_SIZE),
                     FTL_ERR_INVALID_ARGUMENT); /* its data would lie outside */
    assert_int_equal(code_map(code, process, window->end), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(code_map(code, process, 0), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(code_map(code, process, window->end - ELF_FILE_SPAN), FTL_OK);

    /* In the gate's way: no code comes to lie there without a gate of its own. */
    assert_int_equal(code_map(code, process, window->end - ELF_FILE_SPAN - FTL_GATE_SIZE),
                     FTL_ERR_EXISTS);
    vaddr_t base = core_map(process, PAGE_SIZE);
    assert_int_equal(code_map(code, process, base), FTL_ERR_EXISTS);
    assert_int_equal(page_of(process, base + FTL_GATE_SIZE, &permissions), 0);
    object_put(&code->object);
    object_put(&process->object);
    object_put(&user->object);
}

static ftl_status_t try_layout(const struct ftl_code_layout *layout, uint64_t file_size)
{
    ftl_status_t status;
    struct image_file file = { .vmo = elf, .size = file_size };
    struct code *code = code_create(&file, layout, caller->account, &status);
    assert_true((code == NULL) == (status != FTL_OK));
    if (code != NULL) {
        object_put(&code->object);
    }
    return status;
}

static void impossible_layouts_are_refused(void **state)
{
    (void)state;
    const struct ftl_code_layout good = core_code_layout();
    const struct {
        size_t field;
        uint64_t value;
        ftl_status_t status;
    } cases[] = {
#define CASE(field, value, status) { offsetof(struct ftl_code_layout, field), value, status }
        CASE(file_offset, CORE_ELF_SIZE + 1, FTL_ERR_OUT_OF_RANGE),
        CASE(file_offset, UINT64_MAX, FTL_ERR_OUT_OF_RANGE),
        CASE(file_size, PAGE_SIZE + 1, FTL_ERR_INVALID_ARGUMENT), /* more than memory_size */
        CASE(memory_size, 0, FTL_ERR_INVALID_ARGUMENT),
        CASE(memory_size, ELF_FILE_SPAN - FTL_GATE_SIZE + 1, FTL_ERR_INVALID_ARGUMENT),
        CASE(memory_size, UINT64_MAX, FTL_ERR_INVALID_ARGUMENT),
        CASE(image_size, ELF_FILE_SPAN + 1, FTL_ERR_INVALID_ARGUMENT),
        CASE(image_size, FTL_GATE_SIZE, FTL_ERR_INVALID_ARGUMENT),
        CASE(image_size, IMAGE_SPAN_MAX + PAGE_SIZE, FTL_ERR_INVALID_ARGUMENT),
        CASE(claims_offset, CORE_ELF_SIZE + 1, FTL_ERR_OUT_OF_RANGE),
        CASE(claims_size, CORE_ELF_SIZE + 1, FTL_ERR_OUT_OF_RANGE),
        CASE(claims_size, 16, FTL_OK),
#undef CASE
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct ftl_code_layout layout = good;
        memcpy((char *)&layout + cases[i].field, &cases[i].value, sizeof(uint64_t));
        assert_int_equal(try_layout(&layout, CORE_ELF_SIZE), cases[i].status);
    }
    assert_int_equal(try_layout(&good, FTL_GATE_SIZE), FTL_ERR_OUT_OF_RANGE);
    assert_int_equal(try_layout(&good, CORE_ELF_SIZE + PAGE_SIZE), FTL_ERR_OUT_OF_RANGE);
    core_refuse_code = true;
    assert_int_equal(try_layout(&good, CORE_ELF_SIZE), FTL_ERR_NOT_VERIFIED);
}

/* --- The calls --- */

static ftl_handle_t code_handle(struct call_result *result)
{
    struct ftl_code_layout layout = core_code_layout();
    memcpy(sim_access(memory, FTL_MAP_WRITE), &layout, sizeof(layout));
    ftl_handle_t file =
        core_handle(caller, &elf->object, FTL_RIGHT_READ | FTL_RIGHT_EXECUTE | FTL_RIGHT_MAP);
    *result = core_call(FTL_CALL_CODE_CREATE, file, 0, CORE_ELF_SIZE, memory, 0, 0);
    return result->value;
}

static void nobody_is_given_a_right_to_write_code(void **state)
{
    (void)state;
    ftl_rights_t rights;
    struct call_result made;
    ftl_handle_t code = code_handle(&made);
    assert_int_equal(made.status, FTL_OK);
    assert_int_equal(handle_table_rights(&caller->handles, code, &rights), FTL_OK);
    assert_int_equal(rights & FTL_RIGHT_WRITE, 0);
    /* And no call on VMOs takes it. */
    assert_int_equal(core_call(FTL_CALL_VMO_WRITE, code, 0, memory, 4, 0, 0).status,
                     FTL_ERR_WRONG_TYPE);
    ftl_handle_t vmspace = core_handle(caller, &caller->vmspace->object, FTL_RIGHTS_ALL);
    assert_int_equal(
        core_call(FTL_CALL_VMSPACE_MAP, vmspace, code, 0, PAGE_SIZE, FTL_MAP_READ, 0).status,
        FTL_ERR_WRONG_TYPE);
}

static void sandboxed_process_starts_at_pads_of_its_code_alone(void **state)
{
    (void)state;
    struct call_result made;
    ftl_handle_t code = code_handle(&made);
    struct process *made_process = core_process(FTL_ISOLATION_SANDBOX);
    ftl_handle_t process = core_handle(caller, &made_process->object, FTL_RIGHTS_ALL);
    struct call_result room =
        core_call(FTL_CALL_PROCESS_FIND_ROOM, process, ELF_FILE_SPAN, MIB, 0, 0, 0);
    assert_int_equal(room.status, FTL_OK);
    assert_true(room.value >= made_process->vmspace->start + MIB);
    assert_int_equal(
        core_call(FTL_CALL_PROCESS_MAP_CODE, process, code, room.value, 0, 0, 0).status, FTL_OK);
    vaddr_t entry = room.value + ELF_FILE_ENTRY;
    const vaddr_t bad[] = { 0, entry + 4, entry + 2, room.value, made_process->vmspace->end };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(core_call(FTL_CALL_PROCESS_START, process, bad[i], 0, 0, 0, 0).status,
                         FTL_ERR_INVALID_ARGUMENT);
    }
    assert_int_equal(made_process->state, FTL_PROCESS_NEW);
    assert_int_equal(core_call(FTL_CALL_PROCESS_START, process, entry, 0, 0, 0, 0).status, FTL_OK);
    assert_int_equal(core_call(FTL_CALL_PROCESS_START, process, entry, 0, 0, 0, 0).status,
                     FTL_ERR_BAD_STATE);
    core_leave(); /* so that others run */
    process_kill(made_process, 1);
    sim_run(&(struct sim_schedule){ 0 });
    object_put(&made_process->object);
}

static void nothing_can_be_loaded_into_a_process_that_was_killed(void **state)
{
    (void)state;
    struct call_result made;
    ftl_handle_t code = code_handle(&made);
    struct process *dead = core_process(FTL_ISOLATION_SANDBOX);
    ftl_handle_t process = core_handle(caller, &dead->object, FTL_RIGHTS_ALL);
    ftl_handle_t vmo = core_handle(caller, &elf->object, FTL_RIGHTS_ALL);
    process_kill(dead, 1);
    assert_int_equal(core_call(FTL_CALL_PROCESS_FIND_ROOM, process, PAGE_SIZE, 0, 0, 0, 0).status,
                     FTL_ERR_BAD_STATE);
    assert_int_equal(core_call(FTL_CALL_PROCESS_MAP_CODE, process, code, 0, 0, 0, 0).status,
                     FTL_ERR_BAD_STATE);
    assert_int_equal(
        core_call(FTL_CALL_PROCESS_MAP, process, vmo, 0, PAGE_SIZE, FTL_MAP_READ, 0).status,
        FTL_ERR_BAD_STATE);
    assert_int_equal(
        core_call(FTL_CALL_PROCESS_SET_IMAGE, process, vmo, 0, CORE_ELF_SIZE, 0, 0).status,
        FTL_ERR_BAD_STATE);
    assert_int_equal(core_call(FTL_CALL_PROCESS_START, process, 0, 0, 0, 0, 0).status,
                     FTL_ERR_BAD_STATE);
    object_put(&dead->object);
}

static void what_is_mapped_for_a_process_goes_with_it_alone(void **state)
{
    (void)state;
    struct process *first = core_process(FTL_ISOLATION_USER);
    struct process *second = core_process_in(first->vmspace);
    ftl_handle_t vmo = core_handle(caller, &elf->object, FTL_RIGHTS_ALL);
    vaddr_t mapped[2];
    struct process *const processes[] = { first, second };
    for (size_t i = 0; i < 2; i++) {
        ftl_handle_t process = core_handle(caller, &processes[i]->object, FTL_RIGHT_MANAGE);
        struct call_result result = core_call(FTL_CALL_PROCESS_MAP, process, vmo, 0, CORE_ELF_SIZE,
                                              FTL_MAP_READ | FTL_MAP_EXEC, 0);
        assert_int_equal(result.status, FTL_OK);
        mapped[i] = result.value;
        core_call(FTL_CALL_HANDLE_CLOSE, process, 0, 0, 0, 0, 0);
    }
    unsigned permissions;
    assert_int_not_equal(mapped[0], mapped[1]);
    assert_int_not_equal(page_of(second, mapped[0], &permissions), 0); /* at once */
    object_put(&first->object);
    assert_int_equal(page_of(second, mapped[0], &permissions), 0);
    assert_int_not_equal(page_of(second, mapped[1], &permissions), 0);
    object_put(&second->object);
}

/* Its landing pads may be in registers, as checked, of other processes' threads. */
static void code_stays_in_its_window_until_the_last_process_ends(void **state)
{
    (void)state;
    struct call_result made;
    ftl_handle_t code = code_handle(&made);
    struct process *first = core_process(FTL_ISOLATION_SANDBOX);
    struct process *second = core_process_in(first->vmspace);
    struct vmspace *window = first->vmspace;
    ftl_handle_t process = core_handle(caller, &first->object, FTL_RIGHT_MANAGE);
    vaddr_t base = window->start;
    unsigned permissions;
    object_get(&window->object);
    assert_int_equal(core_call(FTL_CALL_PROCESS_MAP_CODE, process, code, base, 0, 0, 0).status,
                     FTL_OK);
    core_call(FTL_CALL_HANDLE_CLOSE, process, 0, 0, 0, 0, 0);
    object_put(&first->object);
    assert_int_not_equal(page_of(second, base + FTL_GATE_SIZE, &permissions), 0);
    process = core_handle(caller, &second->object, FTL_RIGHT_MANAGE);
    assert_int_equal(core_call(FTL_CALL_PROCESS_MAP_CODE, process, code, base, 0, 0, 0).status,
                     FTL_ERR_EXISTS);
    core_call(FTL_CALL_HANDLE_CLOSE, process, 0, 0, 0, 0, 0);
    object_put(&second->object);
    second = core_process_in(window);
    assert_int_equal(page_of(second, base + FTL_GATE_SIZE, &permissions), 0);
    object_put(&second->object);
    object_put(&window->object);
}

/*
 * Makes what a window leaves in the kernel's page table, of as many windows as there ever are at
 * once.
 */
static void use_windows(void)
{
    struct process *processes[4];
    for (size_t i = 0; i < ARRAY_SIZE(processes); i++) {
        processes[i] = core_process(FTL_ISOLATION_SANDBOX);
    }
    for (size_t i = 0; i < ARRAY_SIZE(processes); i++) {
        object_put(&processes[i]->object);
    }
}

static void copy_for_a_process_is_its_own_and_charged_to_it(void **state)
{
    (void)state;
    struct process *target = core_process(FTL_ISOLATION_USER);
    ftl_handle_t process = core_handle(caller, &target->object, FTL_RIGHT_MANAGE);
    ftl_handle_t file = core_handle(caller, &elf->object, FTL_RIGHT_READ);
    const vaddr_t address = MIB + 0x123;
    const struct {
        uint64_t offset;
        size_t file_size;
        vaddr_t address;
        size_t memory_size;
        ftl_status_t status;
    } cases[] = {
        { 0, 5000, address, 4999, FTL_ERR_INVALID_ARGUMENT },
        { 0, 0, address, SIZE_MAX, FTL_ERR_INVALID_ARGUMENT },
        { 0, 1, 0, 1, FTL_ERR_INVALID_ARGUMENT },
        { 0, 1, UINTPTR_MAX, 1, FTL_ERR_INVALID_ARGUMENT },
        { CORE_ELF_SIZE, 1, address, 1, FTL_ERR_OUT_OF_RANGE },
        { UINT64_MAX, 2, address, 2, FTL_ERR_OUT_OF_RANGE },
        { 0x1000, 5000, address, 9000, FTL_OK },
        { 0x1000, 5000, address, 9000, FTL_ERR_EXISTS },
    };
    uint64_t own = caller->account->used;
    uint64_t charged = target->account->used;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(core_call(FTL_CALL_PROCESS_MAP_COPY, process, file, cases[i].offset,
                                   cases[i].file_size, cases[i].address, cases[i].memory_size)
                             .status,
                         cases[i].status);
    }
    assert_int_equal(caller->account->used, own);
    assert_true(target->account->used >= charged + 2 * PAGE_SIZE);
    unsigned permissions;
    paddr_t page = page_of(target, MIB, &permissions); /* the file's bytes are there at once */
    assert_int_not_equal(page, 0);
    assert_int_equal(permissions & (MMU_WRITE | MMU_EXEC), MMU_WRITE);
    char bytes[16];
    const char *copied = (const char *)phys_to_virt(page);
    assert_int_equal(vmo_read(elf, 0x1000, bytes, sizeof(bytes)), FTL_OK);
    assert_memory_equal(copied + 0x123, bytes, sizeof(bytes));
    assert_int_equal(copied[0x122], 0);
    object_put(&target->object);
}

int main(void)
{
    sim_boot(1, 16 * MIB);
    use_windows();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_code_is_shared_by_processes_in_one_window_and_in_others,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(code_does_not_change_with_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(code_needs_a_window_room_in_it_and_nothing_in_its_way,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(impossible_layouts_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_given_a_right_to_write_code, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sandboxed_process_starts_at_pads_of_its_code_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nothing_can_be_loaded_into_a_process_that_was_killed,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(copy_for_a_process_is_its_own_and_charged_to_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_mapped_for_a_process_goes_with_it_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(code_stays_in_its_window_until_the_last_process_ends,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
