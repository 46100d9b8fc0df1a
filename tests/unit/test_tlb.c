/*
 * TLBs and ids of address spaces, on harts whose TLBs tell ids apart: few ids, which run out again
 * and again (or none: FTL_SIM_ASID_BITS=0). The simulated machine itself ends the test when a hart
 * uses a translation of another space or of earlier tables.
 */
#include "sim/core.h"

#include <ftl/call_numbers.h>

#include "arch/tlb.h"

#include "kernel/hart.h"

#define HARTS     3
#define GROUPS    5
#define REMAPS    8
#define VMO_KINDS 2

/*
 * A process with two readers of one page, which a thread of the next group's process unmaps and
 * maps again, and whose harts are elsewhere now and then.
 */
static struct group {
    struct process *process;
    struct vmo *vmos[VMO_KINDS];
    vaddr_t page;
    bool done;
    /* handles of the next group's process: */
    ftl_handle_t vmspace, vmo_handles[VMO_KINDS];
} groups[GROUPS];

static bool exits(struct sim_call *call)
{
    return core_make(call, FTL_CALL_THREAD_EXIT, 0, 0, 0, 0);
}

static bool yields(struct sim_call *call)
{
    return core_make(call, FTL_CALL_THREAD_YIELD, 0, 0, 0, 0);
}

/* SIM_VAR(0): the group; SIM_VAR(1): steps taken. */
static bool remaps(struct context *context, struct sim_call *call)
{
    struct group *group = &groups[context->x[SIM_VAR(0)]];
    uint64_t step = context->x[SIM_VAR(1)]++;
    if (step == 3 * REMAPS) {
        group->done = true;
        return exits(call);
    }
    if (step % 3 == 0) {
        return yields(call);
    }
    if (step % 3 == 1) {
        return core_make(call, FTL_CALL_VMSPACE_UNMAP, group->vmspace, group->page, PAGE_SIZE, 0);
    }
    *call =
        (struct sim_call){ .number = FTL_CALL_VMSPACE_MAP,
                           .args = { group->vmspace, group->vmo_handles[step / 3 % VMO_KINDS], 0,
                                     PAGE_SIZE, FTL_MAP_READ | FTL_MAP_WRITE, group->page } };
    return true;
}

/* What the page is to hold; 0: nothing is mapped there. */
static uint64_t expected_of(const struct group *group)
{
    struct mapping *mapping;
    LIST_FOR_EACH(mapping, &group->process->vmspace->mappings, struct mapping, link)
    {
        if (mapping->start == group->page) {
            return (uint64_t)(group - groups) * VMO_KINDS + (mapping->vmo == group->vmos[1]) + 1;
        }
    }
    return 0;
}

static bool reads(struct context *context, struct sim_call *call)
{
    const struct group *group = &groups[context->x[SIM_VAR(0)]];
    const uint64_t *host = sim_access(group->page, FTL_MAP_READ);
    uint64_t expected = expected_of(group);
    /* A hart that is in the middle of its unmapping may not have told this one yet. */
    if (host != NULL && expected != 0 && group->process->vmspace->lock.held == 0 &&
        *host != expected) {
        sim_fail("reads %lu instead of %lu", *host, expected);
    }
    return group->done ? exits(call) : yields(call);
}

/* The argument in a0 becomes a variable. */
static bool starts_to_read(struct context *context, struct sim_call *call)
{
    (void)call;
    context->x[SIM_VAR(0)] = context->x[REG_A0];
    context->pc = SIM_PC(reads);
    return false;
}

static bool starts_to_remap(struct context *context, struct sim_call *call)
{
    (void)call;
    context->x[SIM_VAR(0)] = context->x[REG_A0];
    context->pc = SIM_PC(remaps);
    return false;
}

static void set_up_groups(void)
{
    for (size_t i = 0; i < GROUPS; i++) {
        groups[i].process =
            core_process(i == GROUPS - 1 ? FTL_ISOLATION_SANDBOX : FTL_ISOLATION_USER);
        groups[i].page = groups[i].process->vmspace->start + 4 * PAGE_SIZE;
        groups[i].done = false;
    }
    for (size_t i = 0; i < GROUPS; i++) {
        struct group *group = &groups[i];
        struct process *next = groups[(i + 1) % GROUPS].process;
        for (size_t j = 0; j < VMO_KINDS; j++) {
            uint64_t content = i * VMO_KINDS + j + 1;
            group->vmos[j] = vmo_create(PAGE_SIZE, next->account);
            vmo_write(group->vmos[j], 0, &content, sizeof(content));
            group->vmo_handles[j] = core_handle(next, &group->vmos[j]->object, FTL_RIGHTS_ALL);
            object_put(&group->vmos[j]->object);
        }
        group->vmspace = core_handle(next, &group->process->vmspace->object, FTL_RIGHTS_ALL);
        core_thread(group->process, starts_to_read, i);
        core_thread(group->process, starts_to_read, i);
        core_thread(next, starts_to_remap, i);
    }
}

static size_t left_stale; /* in all runs */

static void check_groups(void)
{
    for (size_t i = 0; i < GROUPS; i++) {
        if (groups[i].process->state != FTL_PROCESS_EXITED) {
            sim_fail("group %zu is not done", i);
        }
        object_put(&groups[i].process->object);
    }
    left_stale += sim_statistics.left_stale;
}

static void no_hart_uses_translations_of_others_or_of_earlier_tables(void **state)
{
    static const struct core_scenario scenario = { set_up_groups, check_groups };
    (void)state;
    uint64_t rounds = tlb_id_rounds();
    left_stale = 0;
    core_explore(&scenario, 100);
    core_explore_switches(&scenario, 200);
    /* All that this is about has happened. */
    if (tlb_ids.count != 0) {
        assert_true(tlb_id_rounds() > rounds + 20);
        assert_true(left_stale > 0);
    } else {
        assert_int_equal(tlb_id_rounds(), rounds);
        assert_int_equal(left_stale, 0);
    }
}

/* Harts enter spaces for as long as one that ran out of ids needs to look at them. */
static bool touches(struct context *context, struct sim_call *call)
{
    const struct group *group = &groups[context->x[SIM_VAR(0)]];
    if (sim_access(group->page, FTL_MAP_WRITE) == NULL) {
        sim_fail("the page is not there");
    }
    return context->x[SIM_VAR(1)]++ == REMAPS ? exits(call) : yields(call);
}

static bool starts_to_touch(struct context *context, struct sim_call *call)
{
    (void)call;
    context->x[SIM_VAR(0)] = context->x[REG_A0];
    context->pc = SIM_PC(touches);
    return false;
}

static void set_up_touches(void)
{
    for (size_t i = 0; i < GROUPS; i++) {
        groups[i].process = core_process(FTL_ISOLATION_USER);
        groups[i].page = core_map(groups[i].process, PAGE_SIZE);
        core_thread(groups[i].process, starts_to_touch, i);
        core_thread(groups[i].process, starts_to_touch, i);
    }
}

static void ids_that_run_out_are_told_apart_while_harts_change_spaces(void **state)
{
    static const struct core_scenario scenario = { set_up_touches, check_groups };
    (void)state;
    core_explore(&scenario, 300);
    core_explore_switches(&scenario, 600);
}

static void translations_outlive_the_use_of_another_space(void **state)
{
    (void)state;
    struct process *one = core_process(FTL_ISOLATION_USER);
    struct process *other = core_process(FTL_ISOLATION_USER);
    core_enter(one);
    vaddr_t page = core_map(one, PAGE_SIZE);
    assert_non_null(sim_access(page, FTL_MAP_WRITE));
    size_t fills = sim_statistics.tlb_fills;
    vmspace_activate(other->vmspace);
    vmspace_activate(one->vmspace);
    assert_non_null(sim_access(page, FTL_MAP_WRITE));
    assert_int_equal(sim_statistics.tlb_fills, tlb_ids.count != 0 ? fills : fills + 1);
    /* What changes meanwhile is forgotten on the way back. */
    vmspace_activate(other->vmspace);
    assert_int_equal(vmspace_protect(one->vmspace, page, PAGE_SIZE, FTL_MAP_READ), FTL_OK);
    vmspace_activate(one->vmspace);
    assert_null(sim_access(page, FTL_MAP_WRITE));
    core_leave();
    object_put(&one->object);
    object_put(&other->object);
}

static void spaces_in_use_keep_their_ids_when_these_run_out(void **state)
{
    (void)state;
    if (tlb_ids.count == 0) {
        skip();
    }
    struct process *one = core_process(FTL_ISOLATION_USER);
    core_enter(one);
    vaddr_t page = core_map(one, PAGE_SIZE);
    assert_non_null(sim_access(page, FTL_MAP_WRITE));
    uint64_t satp = one->vmspace->space.satp;
    uint64_t rounds = tlb_id_rounds();
    for (uint64_t i = 0; i < 3 * tlb_ids.count; i++) {
        ftl_status_t status;
        struct vmspace *next = vmspace_create(FTL_ISOLATION_USER, one->account, &status);
        assert_non_null(next);
        /* As if it were entered on another hart. */
        tlb_assign_id(&next->space);
        assert_int_not_equal(tlb_id(next->space.satp), tlb_id(satp));
        assert_int_not_equal(tlb_id(next->space.satp), 0);
        object_put(&next->object);
    }
    assert_true(tlb_id_rounds() >= rounds + 2);
    assert_non_null(sim_access(page, FTL_MAP_WRITE));
    vmspace_activate(NULL);
    vmspace_activate(one->vmspace);
    assert_true(one->vmspace->space.satp == satp);
    core_leave();
    object_put(&one->object);
}

/* A hart that never idles enters the kernel's own space by the fast path of calls alone. */
static void fast_path_to_windows_works_again_after_ids_have_run_out(void **state)
{
    (void)state;
    if (tlb_ids.count == 0) {
        skip();
    }
    struct process *user = core_process(FTL_ISOLATION_USER);
    struct process *sandbox = core_process(FTL_ISOLATION_SANDBOX);
    core_enter(sandbox);
    uint64_t rounds = tlb_id_rounds();
    while (tlb_id_rounds() == rounds) {
        ftl_status_t status;
        struct vmspace *next = vmspace_create(FTL_ISOLATION_USER, user->account, &status);
        assert_non_null(next);
        tlb_assign_id(&next->space);
        object_put(&next->object);
    }
    vmspace_activate(user->vmspace);
    assert_false(vmspace_try_switch(vmspace_tables(sandbox->vmspace)));
    sched_switched();
    vmspace_activate(user->vmspace);
    assert_true(vmspace_try_switch(vmspace_tables(sandbox->vmspace)));
    core_leave();
    object_put(&sandbox->object);
    object_put(&user->object);
}

/* Boots over: the ids are set up anew, and go back to what they were. */
static void ids_are_as_many_as_every_hart_has_and_suffice_for_all(void **state)
{
    (void)state;
    struct tlb_ids before = tlb_ids;
    tlb_ids.count = 0;
    tlb_ids.bits = 5;
    assert_int_equal(tlb_init_ids(TLB_ID_BITS_MAX), 32);
    if (before.bits < 5) {
        assert_false(tlb_init_hart()); /* comes late, with fewer */
    }
    tlb_ids.count = 0;
    tlb_ids.bits = 5;
    assert_int_equal(tlb_init_ids(3), 8);
    assert_true(tlb_init_hart() == (before.bits >= 3));
    tlb_ids.count = 0;
    tlb_ids.bits = 2; /* 4: too few for HARTS */
    assert_int_equal(tlb_init_ids(TLB_ID_BITS_MAX), 0);
    tlb_ids.bits = 5;
    assert_int_equal(tlb_init_ids(0), 0);
    tlb_ids = before;
}

int main(void)
{
    sim_boot(HARTS, 32 * MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(translations_outlive_the_use_of_another_space),
        cmocka_unit_test(spaces_in_use_keep_their_ids_when_these_run_out),
        cmocka_unit_test(fast_path_to_windows_works_again_after_ids_have_run_out),
        cmocka_unit_test(ids_are_as_many_as_every_hart_has_and_suffice_for_all),
        cmocka_unit_test(ids_that_run_out_are_told_apart_while_harts_change_spaces),
        cmocka_unit_test(no_hart_uses_translations_of_others_or_of_earlier_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
