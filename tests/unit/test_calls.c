/*
 * Every call of the call table, with every kind of bad handle and bad address in every argument:
 * the right error, and no effect. New calls are covered as soon as they are in calls.def; a new
 * type of object needs a line in make_object().
 */
#include "sim/core.h"

#include <ftl/call_numbers.h>

#include "arch/timer.h"

#include "calls_table.gen.h"
#include "ipc/channel.h"
#include "ipc/trace.h"
#include "kernel/console.h"
#include "kernel/system.h"
#include "mm/page.h"

#define FILLER 8 /* for arguments that do not matter */

static struct process *caller;
static vaddr_t memory;    /* two pages, then nothing */
static vaddr_t read_only; /* a page */
static struct object *objects[OBJECT_TYPE_COUNT];

static struct object *made_by(unsigned number)
{
    struct call_result result = core_call(number, 0, 0, 0, 0, 0, 0);
    struct object *object;
    assert_int_equal(result.status, FTL_OK);
    assert_int_equal(handle_lookup(result.value, OBJECT_ANY, 0, &object), FTL_OK);
    assert_int_equal(core_call(FTL_CALL_HANDLE_CLOSE, result.value, 0, 0, 0, 0, 0).status, FTL_OK);
    return object;
}

/* An end of a channel; the handles to both stay, to keep it open. */
static struct object *make_channel(void)
{
    struct call_result result = core_call(FTL_CALL_CHANNEL_CREATE, memory, 0, 0, 0, 0, 0);
    struct object *object;
    assert_int_equal(result.status, FTL_OK);
    assert_int_equal(handle_lookup(result.value, OBJECT_ANY, 0, &object), FTL_OK);
    return object;
}

static struct object *make_code(void)
{
    struct vmo *elf = core_elf(FTL_ISOLATION_SANDBOX);
    struct code *code = core_code(elf, caller->account);
    object_put(&elf->object);
    return &code->object;
}

static struct object *make_interrupt(void)
{
    const uint32_t source = 2;
    ftl_handle_t system = core_handle(caller, &system_get()->object, FTL_RIGHTS_ALL);
    struct call_result result = core_call(FTL_CALL_INTERRUPT_CREATE, system, source, 0, 0, 0, 0);
    struct object *object;
    assert_int_equal(result.status, FTL_OK);
    assert_int_equal(handle_lookup(result.value, OBJECT_INTERRUPT, 0, &object), FTL_OK);
    core_call(FTL_CALL_HANDLE_CLOSE, result.value, 0, 0, 0, 0, 0);
    core_call(FTL_CALL_HANDLE_CLOSE, system, 0, 0, 0, 0, 0);
    return object;
}

/* An object of the type, one reference. */
static struct object *make_object(enum object_type type)
{
    switch (type) {
    case OBJECT_ANY:
    case OBJECT_VMO: return &vmo_create(PAGE_SIZE, caller->account)->object;
    case OBJECT_PROCESS: return &core_process(FTL_ISOLATION_USER)->object;
    case OBJECT_THREAD: object_get(&thread_current()->object); return &thread_current()->object;
    case OBJECT_VMSPACE: object_get(&caller->vmspace->object); return &caller->vmspace->object;
    case OBJECT_CONSOLE: return &console_get()->object;
    case OBJECT_SYSTEM: return &system_get()->object;
    case OBJECT_NOTIFICATION: return made_by(FTL_CALL_NOTIFICATION_CREATE);
    case OBJECT_TIMER: return made_by(FTL_CALL_TIMER_CREATE);
    case OBJECT_POLL: return made_by(FTL_CALL_POLL_CREATE);
    case OBJECT_CHANNEL: return make_channel();
    case OBJECT_CODE: return make_code();
    case OBJECT_INTERRUPT: return make_interrupt();
    default: return NULL; /* fails once a call takes one: see good_args() */
    }
}

static int set_up(void **state)
{
    struct channel end = { .peer = &end };
    (void)state;
    caller = core_process(FTL_ISOLATION_USER);
    memory = core_map(caller, 2 * PAGE_SIZE);
    core_enter(caller);
    read_only = core_map(caller, PAGE_SIZE);
    assert_int_equal(vmspace_protect(caller->vmspace, read_only, PAGE_SIZE, FTL_MAP_READ), FTL_OK);
    /* Charged from now on. */
    assert_non_null(sim_access(read_only, FTL_MAP_READ));
    assert_non_null(sim_access(memory, FTL_MAP_READ));
    assert_non_null(sim_access(memory + PAGE_SIZE, FTL_MAP_READ));
    trace_note(FTL_TRACE_SEND, &end, &(struct message){ 0 }, 0); /* something to read */
    for (unsigned type = 0; type < OBJECT_TYPE_COUNT; type++) {
        objects[type] = make_object((enum object_type)type);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned type = 0; type < OBJECT_TYPE_COUNT; type++) {
        if (objects[type] != NULL) {
            object_put(objects[type]);
        }
    }
    core_leave();
    object_put(&caller->object);
    return 0;
}

/* The arguments with which nothing is wrong yet. */
static void good_args(const struct call_description *call, uint64_t args[6])
{
    for (unsigned i = 0; i < call->count; i++) {
        const struct call_argument *arg = &call->args[i];
        args[i] = FILLER;
        if (arg->is_handle) {
            if (objects[arg->type] == NULL) {
                fail_msg("%s: give make_object() a line for type %u", call->name, arg->type);
            }
            args[i] = core_handle(caller, objects[arg->type], FTL_RIGHTS_ALL);
        } else if (arg->is_pointer) {
            args[i] = memory;
        }
    }
}

static void close_args(const struct call_description *call, const uint64_t args[6])
{
    for (unsigned i = 0; i < call->count; i++) {
        if (call->args[i].is_handle) {
            core_call(FTL_CALL_HANDLE_CLOSE, args[i], 0, 0, 0, 0, 0);
        }
    }
}

/*
 * Makes the call with this value in one argument; it must fail so, and change nothing that counts.
 */
static void expect(unsigned number, unsigned argument, uint64_t value, ftl_status_t status)
{
    const struct call_description *call = &call_descriptions[number];
    uint64_t args[6] = { 0 };
    good_args(call, args);
    uint64_t good = args[argument];
    args[argument] = value;
    uint32_t handles = caller->handles.used;
    uint64_t charged = caller->account->used;
    struct call_result result =
        core_call(number, args[0], args[1], args[2], args[3], args[4], args[5]);
    if (result.status != status || caller->handles.used != handles ||
        caller->account->used != charged || thread_current() == NULL) {
        fail_msg("%s, argument %u = %#lx: status %ld, not %d; handles %u -> %u, memory %lu -> %lu",
                 call->name, argument, value, result.status, status, handles, caller->handles.used,
                 charged, caller->account->used);
    }
    args[argument] = good;
    close_args(call, args);
}

/* Calls `each` for every argument of every call that is a handle. */
static void for_each_handle(void (*each)(unsigned number, unsigned argument,
                                         const struct call_argument *description))
{
    assert_int_equal(ARRAY_SIZE(call_descriptions), FTL_CALL_COUNT);
    unsigned seen = 0;
    for (unsigned number = 0; number < FTL_CALL_COUNT; number++) {
        for (unsigned i = 0; i < call_descriptions[number].count; i++) {
            if (call_descriptions[number].args[i].is_handle) {
                each(number, i, &call_descriptions[number].args[i]);
                seen++;
            }
        }
    }
    assert_true(seen > 20);
}

static void try_forged(unsigned number, unsigned argument, const struct call_argument *description)
{
    (void)description;
    const uint64_t forged[] = { 0, 1, UINT64_MAX, 0xffffff, UINT64_C(1) << 63 };
    for (size_t i = 0; i < ARRAY_SIZE(forged); i++) {
        expect(number, argument, forged[i], FTL_ERR_HANDLE_FORGED);
    }
}

static void forged_handles_are_told(void **state)
{
    (void)state;
    for_each_handle(try_forged);
}

/* A handle that was closed; the free slots are used in turn, so the next few do not take its. */
static ftl_handle_t closed_handle(enum object_type type)
{
    ftl_handle_t handle = core_handle(caller, objects[type], FTL_RIGHTS_ALL);
    core_call(FTL_CALL_HANDLE_CLOSE, handle, 0, 0, 0, 0, 0);
    return handle;
}

static void try_closed(unsigned number, unsigned argument, const struct call_argument *description)
{
    expect(number, argument, closed_handle(description->type), FTL_ERR_HANDLE_CLOSED);
}

static void closed_handles_are_told(void **state)
{
    (void)state;
    ftl_handle_t spare[16]; /* slots that are free, and used before those closed last */
    for (size_t i = 0; i < ARRAY_SIZE(spare); i++) {
        spare[i] = core_handle(caller, objects[OBJECT_VMO], 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(spare); i++) {
        core_call(FTL_CALL_HANDLE_CLOSE, spare[i], 0, 0, 0, 0, 0);
    }
    for_each_handle(try_closed);
}

static void try_stale(unsigned number, unsigned argument, const struct call_argument *description)
{
    ftl_handle_t stale = closed_handle(description->type);
    for (unsigned i = 0; i < 100; i++) { /* all slots come round */
        closed_handle(description->type);
    }
    expect(number, argument, stale, FTL_ERR_HANDLE_STALE);
}

static void stale_handles_are_told(void **state)
{
    (void)state;
    for_each_handle(try_stale);
}

static void try_other_types(unsigned number, unsigned argument,
                            const struct call_argument *description)
{
    for (unsigned type = OBJECT_ANY + 1; type < OBJECT_TYPE_COUNT; type++) {
        if (description->type != OBJECT_ANY && description->type != type && objects[type] != NULL) {
            ftl_handle_t handle = core_handle(caller, objects[type], FTL_RIGHTS_ALL);
            expect(number, argument, handle, FTL_ERR_WRONG_TYPE);
            core_call(FTL_CALL_HANDLE_CLOSE, handle, 0, 0, 0, 0, 0);
        }
    }
}

static void handles_of_every_other_type_are_refused(void **state)
{
    (void)state;
    for_each_handle(try_other_types);
}

static void try_missing_rights(unsigned number, unsigned argument,
                               const struct call_argument *description)
{
    for (ftl_rights_t right = 1; right <= FTL_RIGHTS_ALL; right <<= 1) {
        if ((description->rights & right) != 0) {
            ftl_handle_t handle =
                core_handle(caller, objects[description->type], FTL_RIGHTS_ALL & ~right);
            expect(number, argument, handle, FTL_ERR_MISSING_RIGHT);
            core_call(FTL_CALL_HANDLE_CLOSE, handle, 0, 0, 0, 0, 0);
        }
    }
}

static void every_missing_right_is_told(void **state)
{
    (void)state;
    for_each_handle(try_missing_rights);
}

static void bad_addresses_are_told(void **state)
{
    (void)state;
    const vaddr_t bad[] = {
        0,
        USER_BASE - 1,
        read_only + PAGE_SIZE,
        read_only + PAGE_SIZE - 1, /* ends outside */
        USER_END - 1,
        USER_END,
        DIRECT_MAP_BASE,
        WINDOW_BASE + MIB,
        KERNEL_BASE,
        UINTPTR_MAX,
        UINTPTR_MAX - FILLER + 1,
    };
    for (unsigned number = 0; number < FTL_CALL_COUNT; number++) {
        const struct call_description *call = &call_descriptions[number];
        for (unsigned i = 0; i < call->count && !call->slow; i++) {
            for (size_t j = 0; call->args[i].is_pointer && j < ARRAY_SIZE(bad); j++) {
                expect(number, i, bad[j], FTL_ERR_BAD_ADDRESS);
            }
        }
    }
}

/* --- What the table cannot know --- */

static int64_t status_of(unsigned number, uint64_t a0, uint64_t a1, uint64_t a2)
{
    return core_call(number, a0, a1, a2, 0, 0, 0).status;
}

static void results_do_not_go_to_read_only_memory(void **state)
{
    (void)state;
    ftl_handle_t process = core_handle(caller, &caller->object, FTL_RIGHTS_ALL);
    assert_int_equal(status_of(FTL_CALL_PROCESS_INFO, process, read_only, 0), FTL_ERR_BAD_ADDRESS);
    assert_int_equal(status_of(FTL_CALL_PROCESS_INFO, process, memory, 0), FTL_OK);
    core_call(FTL_CALL_HANDLE_CLOSE, process, 0, 0, 0, 0, 0);
}

/* What system_objects says of one kind, in `memory`. */
static uint64_t count_of(ftl_handle_t system, const char *name)
{
    struct call_result kinds = core_call(FTL_CALL_SYSTEM_OBJECTS, system, memory, 20, 0, 0, 0);
    assert_int_equal(kinds.status, FTL_OK);
    assert_in_range(kinds.value, 9, 20);
    const struct ftl_object_count *counts = (const void *)sim_access(memory, FTL_MAP_READ);
    for (size_t i = 0; i < kinds.value; i++) {
        if (strcmp(counts[i].name, name) == 0) {
            return counts[i].count;
        }
    }
    fail_msg("no kind '%s'", name);
    return 0;
}

static void objects_are_counted_by_kind(void **state)
{
    (void)state;
    ftl_handle_t system = core_handle(caller, objects[OBJECT_SYSTEM], FTL_RIGHTS_ALL);
    uint64_t timers = count_of(system, "timer");
    uint64_t polls = count_of(system, "poll");
    struct call_result timer = core_call(FTL_CALL_TIMER_CREATE, 0, 0, 0, 0, 0, 0);
    assert_int_equal(timer.status, FTL_OK);
    assert_int_equal(count_of(system, "timer"), timers + 1);
    status_of(FTL_CALL_HANDLE_CLOSE, timer.value, 0, 0);
    assert_int_equal(count_of(system, "timer"), timers);
    assert_int_equal(count_of(system, "poll"), polls);

    memset(sim_access(memory, FTL_MAP_WRITE), 0xee, PAGE_SIZE);
    struct call_result kinds = core_call(FTL_CALL_SYSTEM_OBJECTS, system, memory, 1, 0, 0, 0);
    assert_true(kinds.status == FTL_OK && kinds.value > 1);
    assert_int_equal(
        ((unsigned char *)sim_access(memory, FTL_MAP_READ))[sizeof(struct ftl_object_count)], 0xee);
    status_of(FTL_CALL_HANDLE_CLOSE, system, 0, 0);
}

static void handles_of_another_process_can_be_listed(void **state)
{
    (void)state;
    struct process *other = (struct process *)objects[OBJECT_PROCESS];
    ftl_handle_t handle = core_handle(other, objects[OBJECT_TIMER], FTL_RIGHT_READ);
    ftl_handle_t process = core_handle(caller, &other->object, FTL_RIGHT_READ);
    struct ftl_handle_list *list = (void *)sim_access(memory, FTL_MAP_WRITE);
    list->position = 0;
    assert_int_equal(status_of(FTL_CALL_PROCESS_HANDLES, process, memory, 0), FTL_OK);
    assert_int_equal(list->position, 0);
    assert_int_equal(list->count, 1);
    assert_int_equal(list->handles[0].handle, handle);
    assert_int_equal(list->handles[0].rights, FTL_RIGHT_READ);
    assert_string_equal(list->handles[0].type, "timer");
    status_of(FTL_CALL_HANDLE_CLOSE, process, 0, 0);
}

static void mappings_of_another_process_can_be_listed(void **state)
{
    (void)state;
    struct process *other = (struct process *)objects[OBJECT_PROCESS];
    vaddr_t mapped = core_map(other, 3 * PAGE_SIZE);
    ftl_handle_t process = core_handle(caller, &other->object, FTL_RIGHT_READ);
    struct ftl_mapping_list *list = (void *)sim_access(memory, FTL_MAP_WRITE);
    list->position = 0;
    assert_int_equal(status_of(FTL_CALL_PROCESS_MAPPINGS, process, memory, 0), FTL_OK);
    assert_int_equal(list->position, 0);
    assert_int_equal(list->count, 1);
    assert_int_equal(list->mappings[0].address, mapped);
    assert_int_equal(list->mappings[0].size, 3 * PAGE_SIZE);
    process_kill(other, 0);
    assert_int_equal(status_of(FTL_CALL_PROCESS_MAPPINGS, process, memory, 0), FTL_ERR_BAD_STATE);
    status_of(FTL_CALL_HANDLE_CLOSE, process, 0, 0);
}

static void memory_of_devices_takes_authority_and_is_no_ram(void **state)
{
    (void)state;
    ftl_handle_t system = core_handle(caller, objects[OBJECT_SYSTEM], FTL_RIGHTS_ALL);
    const paddr_t ram = page_to_phys(virt_to_page(sim_access(memory, FTL_MAP_READ)));
    const paddr_t free = 0x101000;
    const struct {
        uint64_t address, size;
        int64_t status;
    } tries[] = {
        { free, 0, FTL_ERR_INVALID_ARGUMENT },
        { free + 8, PAGE_SIZE, FTL_ERR_INVALID_ARGUMENT },
        { free, 100, FTL_ERR_INVALID_ARGUMENT },
        { (uint64_t)1 << 56, PAGE_SIZE, FTL_ERR_INVALID_ARGUMENT },
        { UINT64_MAX - PAGE_SIZE + 1, PAGE_SIZE, FTL_ERR_INVALID_ARGUMENT },
        { ram, PAGE_SIZE, FTL_ERR_MISSING_RIGHT },
        { ram - GIB, 2 * GIB, FTL_ERR_MISSING_RIGHT },
    };
    for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
        assert_int_equal(
            status_of(FTL_CALL_VMO_CREATE_PHYSICAL, system, tries[i].address, tries[i].size),
            tries[i].status);
    }
    struct call_result vmo =
        core_call(FTL_CALL_VMO_CREATE_PHYSICAL, system, free, 2 * PAGE_SIZE, 0, 0, 0);
    assert_int_equal(vmo.status, FTL_OK);
    struct call_result address =
        core_call(FTL_CALL_VMO_PHYSICAL_ADDRESS, vmo.value, PAGE_SIZE + 4, 0, 0, 0, 0);
    assert_int_equal(address.value, free + PAGE_SIZE + 4);
    assert_int_equal(status_of(FTL_CALL_VMO_PHYSICAL_ADDRESS, vmo.value, 2 * PAGE_SIZE, 0),
                     FTL_ERR_OUT_OF_RANGE);
    assert_int_equal(status_of(FTL_CALL_VMO_RESIZE, vmo.value, PAGE_SIZE, 0),
                     FTL_ERR_NOT_SUPPORTED);
    status_of(FTL_CALL_HANDLE_CLOSE, vmo.value, 0, 0);
    status_of(FTL_CALL_HANDLE_CLOSE, system, 0, 0);
}

static void sizes_of_vmos_are_checked(void **state)
{
    (void)state;
    ftl_handle_t vmo = core_handle(caller, objects[OBJECT_VMO], FTL_RIGHTS_ALL);
    assert_int_equal(status_of(FTL_CALL_VMO_RESIZE, vmo, 0, 0), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(status_of(FTL_CALL_VMO_RESIZE, vmo, UINT64_MAX, 0), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(status_of(FTL_CALL_VMO_RESIZE, vmo, PAGE_SIZE + 1, 0), FTL_OK);
    assert_int_equal(core_call(FTL_CALL_VMO_SIZE, vmo, 0, 0, 0, 0, 0).value, 2 * PAGE_SIZE);
    assert_int_equal(status_of(FTL_CALL_VMO_PHYSICAL_ADDRESS, vmo, 0, 0), FTL_ERR_NOT_SUPPORTED);
    assert_int_equal(status_of(FTL_CALL_VMO_CREATE_CONTIGUOUS, 0, 0, 0), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(status_of(FTL_CALL_VMO_CREATE_CONTIGUOUS, FTL_VMO_CONTIGUOUS_MAX + 1, 0, 0),
                     FTL_ERR_INVALID_ARGUMENT);
    struct call_result block =
        core_call(FTL_CALL_VMO_CREATE_CONTIGUOUS, 3 * PAGE_SIZE, 0, 0, 0, 0, 0);
    assert_int_equal(block.status, FTL_OK);
    uint64_t first = core_call(FTL_CALL_VMO_PHYSICAL_ADDRESS, block.value, 0, 0, 0, 0, 0).value;
    assert_true(IS_ALIGNED(first, 4 * PAGE_SIZE));
    status_of(FTL_CALL_HANDLE_CLOSE, block.value, 0, 0);
    status_of(FTL_CALL_HANDLE_CLOSE, vmo, 0, 0);
}

static void handle_limit_is_set_and_seen(void **state)
{
    (void)state;
    ftl_handle_t self = core_handle(caller, &caller->object, FTL_RIGHTS_ALL);
    struct ftl_process_info *info = (void *)sim_access(memory, FTL_MAP_WRITE);
    assert_int_equal(status_of(FTL_CALL_PROCESS_SET_HANDLE_LIMIT, self, caller->handles.used, 0),
                     FTL_OK);
    assert_int_equal(status_of(FTL_CALL_PROCESS_INFO, self, memory, 0), FTL_OK);
    assert_int_equal(info->handle_limit, caller->handles.used);
    assert_int_equal(status_of(FTL_CALL_TIMER_CREATE, 0, 0, 0), FTL_ERR_LIMIT);
    assert_int_equal(status_of(FTL_CALL_PROCESS_SET_HANDLE_LIMIT, self, UINT32_MAX, 0),
                     FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(status_of(FTL_CALL_PROCESS_SET_HANDLE_LIMIT, self, HANDLE_LIMIT_DEFAULT, 0),
                     FTL_OK);
    status_of(FTL_CALL_HANDLE_CLOSE, self, 0, 0);
}

static void duplicate_only_takes_rights_away(void **state)
{
    (void)state;
    const ftl_rights_t held = FTL_RIGHT_READ | FTL_RIGHT_DUPLICATE;
    ftl_handle_t handle = core_handle(caller, objects[OBJECT_VMO], held);
    for (ftl_rights_t rights = 0; rights <= 2 * FTL_RIGHTS_ALL; rights++) {
        struct call_result copy = core_call(FTL_CALL_HANDLE_DUPLICATE, handle, rights, 0, 0, 0, 0);
        assert_int_equal(copy.status, (rights & ~held) == 0 ? FTL_OK : FTL_ERR_MISSING_RIGHT);
        if (copy.status == FTL_OK) {
            ftl_rights_t got;
            assert_int_equal(handle_table_rights(&caller->handles, copy.value, &got), FTL_OK);
            assert_int_equal(got, rights);
            status_of(FTL_CALL_HANDLE_CLOSE, copy.value, 0, 0);
        }
    }
    struct call_result same =
        core_call(FTL_CALL_HANDLE_DUPLICATE, handle, FTL_RIGHTS_SAME, 0, 0, 0, 0);
    ftl_rights_t got;
    assert_int_equal(handle_table_rights(&caller->handles, same.value, &got), FTL_OK);
    assert_int_equal(got, held);
    status_of(FTL_CALL_HANDLE_CLOSE, same.value, 0, 0);
    status_of(FTL_CALL_HANDLE_CLOSE, handle, 0, 0);
}

static void check_tells_type_and_rights_of_a_handle(void **state)
{
    (void)state;
    const ftl_rights_t held = FTL_RIGHT_READ | FTL_RIGHT_MAP;
    ftl_handle_t handle = core_handle(caller, objects[OBJECT_VMO], held);
    for (unsigned type = 0; type <= OBJECT_TYPE_COUNT; type++) {
        ftl_status_t expected = type == OBJECT_TYPE_COUNT ? FTL_ERR_INVALID_ARGUMENT
                                : type != OBJECT_ANY && type != OBJECT_VMO ? FTL_ERR_WRONG_TYPE
                                                                           : FTL_OK;
        assert_int_equal(status_of(FTL_CALL_HANDLE_CHECK, handle, type, 0), expected);
    }
    for (ftl_rights_t rights = 0; rights <= 2 * FTL_RIGHTS_ALL; rights++) {
        assert_int_equal(status_of(FTL_CALL_HANDLE_CHECK, handle, FTL_OBJECT_VMO, rights),
                         (rights & ~held) == 0 ? FTL_OK : FTL_ERR_MISSING_RIGHT);
    }
    status_of(FTL_CALL_HANDLE_CLOSE, handle, 0, 0);
    assert_int_equal(status_of(FTL_CALL_HANDLE_CHECK, handle, FTL_OBJECT_VMO, 0),
                     FTL_ERR_HANDLE_CLOSED);
}

static void grant_moves_the_handle_and_keeps_it_on_errors(void **state)
{
    (void)state;
    ftl_handle_t process = core_handle(caller, objects[OBJECT_PROCESS], FTL_RIGHTS_ALL);
    ftl_handle_t vmo =
        core_handle(caller, objects[OBJECT_VMO], FTL_RIGHT_READ | FTL_RIGHT_TRANSFER);
    ftl_rights_t rights;
    assert_int_equal(status_of(FTL_CALL_PROCESS_GRANT, process, vmo, FTL_RIGHT_WRITE),
                     FTL_ERR_MISSING_RIGHT);
    assert_int_equal(handle_table_rights(&caller->handles, vmo, &rights), FTL_OK);
    struct call_result granted =
        core_call(FTL_CALL_PROCESS_GRANT, process, vmo, FTL_RIGHT_READ, 0, 0, 0);
    assert_int_equal(granted.status, FTL_OK);
    assert_int_equal(handle_table_rights(&caller->handles, vmo, &rights), FTL_ERR_HANDLE_CLOSED);
    struct process *target = (struct process *)objects[OBJECT_PROCESS];
    assert_int_equal(handle_table_rights(&target->handles, granted.value, &rights), FTL_OK);
    assert_int_equal(rights, FTL_RIGHT_READ);
    status_of(FTL_CALL_HANDLE_CLOSE, process, 0, 0);
}

/* Tries all rights a handle to a VMO may have, with all permissions at once and then by protect. */
static void mappings_never_allow_what_the_handle_does_not(void **state)
{
    (void)state;
    ftl_handle_t vmspace = core_handle(caller, objects[OBJECT_VMSPACE], FTL_RIGHTS_ALL);
    for (ftl_rights_t rights = 0; rights <= FTL_RIGHTS_ALL; rights++) {
        ftl_handle_t vmo = core_handle(caller, objects[OBJECT_VMO], rights | FTL_RIGHT_MAP);
        struct call_result mapped =
            core_call(FTL_CALL_VMSPACE_MAP, vmspace, vmo, 0, PAGE_SIZE, 0, 0);
        assert_int_equal(mapped.status, FTL_OK);
        for (uint32_t permissions = 1; permissions < 8; permissions++) {
            int64_t status = core_call(FTL_CALL_VMSPACE_PROTECT, vmspace, mapped.value, PAGE_SIZE,
                                       permissions, 0, 0)
                                 .status;
            if (status != FTL_OK) {
                continue;
            }
            char *page = sim_access(mapped.value, permissions & FTL_MAP_WRITE  ? FTL_MAP_WRITE
                                                  : permissions & FTL_MAP_READ ? FTL_MAP_READ
                                                                               : FTL_MAP_EXEC);
            assert_non_null(page);
            /* Whatever else it allows, a present page can be read. */
            assert_true((rights & FTL_RIGHT_READ) != 0);
            assert_true((permissions & FTL_MAP_WRITE) == 0 || (rights & FTL_RIGHT_WRITE) != 0);
            assert_true((permissions & FTL_MAP_EXEC) == 0 || (rights & FTL_RIGHT_EXECUTE) != 0);
        }
        assert_int_equal(status_of(FTL_CALL_VMSPACE_UNMAP, vmspace, mapped.value, PAGE_SIZE),
                         FTL_OK);
        status_of(FTL_CALL_HANDLE_CLOSE, vmo, 0, 0);
    }
    status_of(FTL_CALL_HANDLE_CLOSE, vmspace, 0, 0);
}

int main(void)
{
    sim_boot(1, 16 * MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(forged_handles_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closed_handles_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stale_handles_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(handles_of_every_other_type_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_missing_right_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_addresses_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(results_do_not_go_to_read_only_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(objects_are_counted_by_kind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(handles_of_another_process_can_be_listed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(mappings_of_another_process_can_be_listed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(memory_of_devices_takes_authority_and_is_no_ram, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(sizes_of_vmos_are_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(handle_limit_is_set_and_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(duplicate_only_takes_rights_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(check_tells_type_and_rights_of_a_handle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(grant_moves_the_handle_and_keeps_it_on_errors, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(mappings_never_allow_what_the_handle_does_not, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
