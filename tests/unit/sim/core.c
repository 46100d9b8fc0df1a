/*
 * Helpers of tests of the core: see core.h. The verifier is a stand-in that reads all of the code.
 */
#include "sim/core.h"

#include <ftl/sandbox_abi.h>

#include "arch/uaccess.h"

#include "host/elf_file.h"
#include "kernel/call.h"
#include "kernel/hart.h"
#include "kernel/sandbox/verify.h"
#include "mm/page.h"

#define MEMORY_LIMIT (16 * MIB)

bool core_refuse_code;

struct core_counts core_count(void)
{
    struct core_counts counts = {
        .pages = page_free_count(),
        .pieces = host_alloc_pieces,
        .bytes = host_alloc_bytes,
    };
    process_counts(&counts.processes, &counts.threads, &counts.handles);
    return counts;
}

void core_check_counts(const struct core_counts *before)
{
    struct core_counts now = core_count();
    if (memcmp(before, &now, sizeof(now)) != 0) {
        sim_fail("left behind: %zd pages, %zd pieces of %zd bytes, %zd processes, %zd threads, "
                 "%zd handles",
                 (ssize_t)(before->pages - now.pages), (ssize_t)(now.pieces - before->pieces),
                 (ssize_t)(now.bytes - before->bytes), (ssize_t)(now.processes - before->processes),
                 (ssize_t)(now.threads - before->threads),
                 (ssize_t)(now.handles - before->handles));
    }
    sim_check_tlbs();
}

struct process *core_process_in(struct vmspace *vmspace)
{
    ftl_status_t status;
    struct process *process = process_create(vmspace, "test", NULL, MEMORY_LIMIT, &status);
    assert_non_null(process);
    return process;
}

struct process *core_process(ftl_isolation_t isolation)
{
    ftl_status_t status;
    struct account *account = account_create(MEMORY_LIMIT);
    struct vmspace *vmspace = vmspace_create(isolation, account, &status);
    account_put(account);
    assert_non_null(vmspace);
    struct process *process = core_process_in(vmspace);
    object_put(&vmspace->object);
    return process;
}

void core_thread(struct process *process, sim_code code, uint64_t argument)
{
    ftl_status_t status;
    struct thread *thread = thread_create(process, SIM_PC(code), argument, 0, 0, &status);
    assert_non_null(thread);
    thread_start(thread);
    object_put(&thread->object);
}

void core_enter(struct process *process)
{
    ftl_status_t status;
    struct thread *thread = thread_create(process, 0, 0, 0, 0, &status);
    assert_non_null(thread);
    thread->state = THREAD_RUNNING;
    harts[0].current = thread; /* the reference becomes the running thread's own */
    vmspace_activate(process->vmspace);
    context_activate(&thread->context);
}

void core_leave(void)
{
    thread_leave(thread_current());
}

ftl_handle_t core_handle(struct process *process, struct object *object, ftl_rights_t rights)
{
    ftl_handle_t handle;
    object_get(object);
    assert_int_equal(handle_insert(&process->handles, object, rights, &handle), FTL_OK);
    return handle;
}

vaddr_t core_map(struct process *process, size_t size)
{
    struct vmo *vmo = vmo_create(size, process->account);
    assert_non_null(vmo);
    struct map_request request = {
        .vmo = vmo,
        .size = ALIGN_UP(size, PAGE_SIZE),
        .permissions = FTL_MAP_READ | FTL_MAP_WRITE,
        .permissions_max = FTL_MAP_READ | FTL_MAP_WRITE,
        .owner = process,
    };
    vaddr_t mapped;
    assert_int_equal(vmspace_map(process->vmspace, &request, &mapped), FTL_OK);
    object_put(&vmo->object);
    return mapped;
}

struct call_result core_call(unsigned number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                             uint64_t a4, uint64_t a5)
{
    return call_table[number](a0, a1, a2, a3, a4, a5);
}

static void run_once(const struct core_scenario *scenario, const struct sim_schedule *schedule)
{
    scenario->set_up();
    sim_run(schedule);
    scenario->check();
}

/*
 * How many times as long to explore as usual: the environment's FTL_SIM_EFFORT, for nightly tests.
 */
static size_t effort(void)
{
    const char *value = getenv("FTL_SIM_EFFORT");
    return value == NULL ? 1 : strtoul(value, NULL, 10);
}

void core_explore(const struct core_scenario *scenario, size_t runs)
{
    static const unsigned odds[] = { 2, 5, 15, 50, 150 };
    run_once(scenario, &(struct sim_schedule){ .seed = 1, .odds = 5 }); /* makes what stays */
    struct core_counts before = core_count();
    runs *= effort();
    for (size_t i = 0; i < runs; i++) {
        run_once(scenario, &(struct sim_schedule){ .seed = (i + 1) * 0x9e3779b97f4a7c15UL,
                                                   .odds = odds[i % ARRAY_SIZE(odds)] });
        core_check_counts(&before);
    }
}

void core_explore_switches(const struct core_scenario *scenario, size_t runs)
{
    run_once(scenario, &(struct sim_schedule){ 0 });
    struct core_counts before = core_count();
    run_once(scenario, &(struct sim_schedule){ 0 });
    size_t all = sim_points() * (hart_count - 1);
    runs *= effort();
    size_t step = runs == 0 ? all + 1 : 1 + all / runs;
    for (size_t i = 0; i < all; i += step) {
        run_once(scenario, &(struct sim_schedule){
                               .switch_count = 1,
                               .switches = { { .point = 1 + i / (hart_count - 1),
                                               .choice = (unsigned)(i % (hart_count - 1)) } } });
        core_check_counts(&before);
    }
}

bool core_make(struct sim_call *call, unsigned number, uint64_t a0, uint64_t a1, uint64_t a2,
               uint64_t a3)
{
    *call = (struct sim_call){ .number = number, .args = { a0, a1, a2, a3 } };
    return true;
}

struct vmo *core_elf(ftl_isolation_t isolation)
{
    const struct elf_file file = elf_file_headers(isolation);
    const uint32_t pad = FTL_SANDBOX_PAD;
    struct account *account = account_create(MEMORY_LIMIT);
    struct vmo *vmo = vmo_create(CORE_ELF_SIZE, account);
    account_put(account);
    assert_non_null(vmo);
    char contents[CORE_ELF_SIZE - sizeof(file)];
    for (size_t i = 0; i < sizeof(contents); i++) {
        contents[i] = (char)(i * 7);
    }
    assert_int_equal(vmo_write(vmo, sizeof(file), contents, sizeof(contents)), FTL_OK);
    assert_int_equal(vmo_write(vmo, 0, &file, sizeof(file)), FTL_OK);
    assert_int_equal(vmo_write(vmo, ELF_FILE_ENTRY, &pad, sizeof(pad)), FTL_OK);
    return vmo;
}

struct ftl_code_layout core_code_layout(void)
{
    return (struct ftl_code_layout){
        .file_offset = FTL_GATE_SIZE,
        .file_size = ELF_FILE_CODE_SIZE - FTL_GATE_SIZE,
        .memory_size = ELF_FILE_CODE_SIZE - FTL_GATE_SIZE,
        .image_size = ELF_FILE_SPAN,
        .entry = ELF_FILE_ENTRY,
    };
}

struct code *core_code(struct vmo *elf, struct account *account)
{
    ftl_status_t status;
    struct image_file file = { .vmo = elf, .size = CORE_ELF_SIZE };
    struct ftl_code_layout layout = core_code_layout();
    struct code *code = code_create(&file, &layout, account, &status);
    assert_non_null(code);
    return code;
}

bool sandbox_verify(const struct sandbox_verify_input *input, struct sandbox_verify_error *error)
{
    char page[PAGE_SIZE];
    for (size_t at = 0; at < input->size; at += PAGE_SIZE) {
        if (uaccess_copy_in(page, (vaddr_t)input->code + at, PAGE_SIZE) != 0) {
            sim_fail("the verifier faults on code at %p", (const void *)(input->code + at));
        }
    }
    *error = (struct sandbox_verify_error){ .rule = "TEST", .reason = "refused" };
    return !core_refuse_code;
}
