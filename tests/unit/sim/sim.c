/* The simulated machine: see sim.h. Stands in for arch/riscv and the UART. */
#include "sim/sim.h"

#include <sanitizer/common_interface_defs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <ftl/call_numbers.h>
#include <ftl/words.h>

#include "arch/fence.h"
#include "arch/platform.h"
#include "arch/timer.h"
#include "arch/tlb.h"
#include "arch/tlb_ids.h"
#include "arch/uaccess.h"

#include "host/memory.h"
#include "host/test.h"
#include "ipc/channel.h"
#include "ipc/fastpath.h"
#include "ipc/futex.h"
#include "ipc/interrupt.h"
#include "ipc/notification.h"
#include "ipc/poll.h"
#include "ipc/timer.h"
#include "kernel/call.h"
#include "kernel/code.h"
#include "kernel/console.h"
#include "kernel/hart.h"
#include "kernel/loader.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/system.h"
#include "kernel/uart.h"
#include "mm/page.h"
#include "mm/slab.h"

#define STACK_SIZE     (256 * KIB)
#define SPIN_MAX       100000 /* turns of waiting harts without progress before it is a deadlock */
#define STEP_TIME      1000   /* ns that a piece of process code takes */
#define POINTS_MAX     20000000
#define FAIR_POINTS    1000 /* of a hart, after which another goes on whatever the schedule */
#define TLB_ENTRIES    32
#define ASID_BITS      3
#define CONSOLE_SOURCE 1
#define LEAP_ODDS      64 /* of a point where harts may change: that time leaps too */

struct tlb_entry {
    vaddr_t page;  /* 0: free */
    uint64_t satp; /* it was filled with */
    paddr_t pa;
    unsigned permissions;
    bool stale; /* what it says is not so any more: it must be flushed before it is used */
};

struct fiber {
    ucontext_t context;
    void *stack;
    size_t stack_size;
    void *fake_stack; /* AddressSanitizer's */
};

struct sim_hart {
    struct fiber fiber;
    bool waiting; /* for an interrupt */
    bool software_interrupt;
    bool in_process; /* runs process code */
    nsec_t timer;
    uint64_t satp;
    struct tlb_entry tlb[TLB_ENTRIES];
    size_t tlb_next;
};

static struct {
    struct sim_hart harts[SIM_HARTS_MAX];
    struct fiber main;
    struct sim_hart *running; /* NULL: the test itself */
    const struct sim_schedule *schedule;
    struct host_random random;
    size_t points;
    size_t spins; /* turns of waiting since the last progress */
    paddr_t gate;
    unsigned asid_bits;
    struct spinlock source_lock; /* LOCK_INTERRUPTS */
    struct sim_source {
        void (*handler)(void *context);
        void *context;
        bool masked;
    } sources[SIM_SOURCES];
    const char *input;
} sim = { .source_lock = SPINLOCK_INIT(LOCK_INTERRUPTS) };

struct sim_statistics sim_statistics;
sim_code sim_image_code;
struct page_table kernel_page_table;

void sim_point(void);
void __real_tlb_flush(const struct tlb_space *space, uint64_t hart_mask, vaddr_t va, size_t size);
void __wrap_tlb_flush(const struct tlb_space *space, uint64_t hart_mask, vaddr_t va, size_t size);
void __real_page_free(struct page *page, unsigned order);
void __wrap_page_free(struct page *page, unsigned order);

void sim_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "simulated machine: ");
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n  hart %u, point %zu", hart_index(), sim.points);
    if (sim.schedule != NULL) {
        fprintf(stderr, " of schedule { .seed = %lu, .odds = %u, .switch_count = %zu",
                sim.schedule->seed, sim.schedule->odds, sim.schedule->switch_count);
        for (size_t i = 0; i < sim.schedule->switch_count; i++) {
            fprintf(stderr, ", { %zu, %u }", sim.schedule->switches[i].point,
                    sim.schedule->switches[i].choice);
        }
        fprintf(stderr, " }");
    }
    fprintf(stderr, "\n");
    abort();
}

/* --- Fibers --- */

static void fiber_switch(struct fiber *from, struct fiber *to, struct sim_hart *running)
{
    sim.running = running;
    host_hart_index = running == NULL ? 0 : (unsigned)(running - sim.harts);
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_size);
    swapcontext(&from->context, &to->context);
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
}

static bool has_interrupt(const struct sim_hart *hart)
{
    return hart->software_interrupt || host_time >= hart->timer;
}

static bool can_go_on(const struct sim_hart *hart)
{
    return !hart->waiting || has_interrupt(hart);
}

/* The hart `choice` places after this one among those that can go on; NULL: none but this one. */
static struct sim_hart *other_hart(const struct sim_hart *from, unsigned choice)
{
    struct sim_hart *found[SIM_HARTS_MAX];
    unsigned count = 0;
    unsigned first = from == NULL ? 0 : (unsigned)(from - sim.harts) + 1;
    for (unsigned i = 0; i < hart_count; i++) {
        struct sim_hart *hart = &sim.harts[(first + i) % hart_count];
        if (hart != from && can_go_on(hart)) {
            found[count++] = hart;
        }
    }
    return count == 0 ? NULL : found[choice % count];
}

static void switch_to(struct sim_hart *hart)
{
    struct sim_hart *from = sim.running;
    if (hart != NULL && hart != from) {
        sim_statistics.switches++;
        fiber_switch(&from->fiber, &hart->fiber, hart);
    }
}

/* Time goes on to the first deadline of a hart's timer. False: there is none. */
static bool leap(void)
{
    nsec_t next = FTL_TIME_INFINITE;
    for (unsigned i = 0; i < hart_count; i++) {
        next = sim.harts[i].timer < next ? sim.harts[i].timer : next;
    }
    if (next == FTL_TIME_INFINITE) {
        return false;
    }
    host_time = next > host_time ? next : host_time;
    sim_statistics.leaps++;
    return true;
}

static void random_point(const struct sim_schedule *schedule)
{
    if (host_random_below(&sim.random, schedule->odds) != 0) {
        return;
    }
    if (host_random_below(&sim.random, LEAP_ODDS) == 0) {
        leap();
    }
    switch_to(other_hart(sim.running, (unsigned)host_random_below(&sim.random, SIM_HARTS_MAX)));
}

void sim_point(void)
{
    const struct sim_schedule *schedule = sim.schedule;
    if (sim.running == NULL) {
        return;
    }
    if (sim.points++ == POINTS_MAX) {
        sim_fail("the harts do not come to rest");
    }
    if (schedule->seed != 0) {
        random_point(schedule);
        return;
    }
    if (sim.points % FAIR_POINTS == 0) {
        switch_to(other_hart(sim.running, 0));
    }
    for (size_t i = 0; i < schedule->switch_count; i++) {
        if (schedule->switches[i].point == sim.points) {
            switch_to(other_hart(sim.running, schedule->switches[i].choice));
        }
    }
}

/* What a hart does that waits for another. */
static void relax(void)
{
    if (sim.running == NULL) {
        sim_fail("the test waits for a hart");
    }
    if (sim.spins++ == SPIN_MAX) {
        sim_fail("deadlock: harts wait for each other");
    }
    switch_to(other_hart(sim.running, 0));
}

size_t sim_points(void)
{
    return sim.points;
}

/* --- Harts --- */

struct arch_hart *arch_hart_self(void)
{
    return &harts[hart_index()].arch;
}

static void handle_interrupts(struct sim_hart *hart)
{
    if (hart->software_interrupt) {
        hart->software_interrupt = false;
        hart_handle_ipi();
    }
    if (host_time >= hart->timer) {
        sim_statistics.timer_interrupts++;
        sched_timer_interrupt();
    }
}

void hart_wait_for_interrupt(void)
{
    struct sim_hart *self = sim.running;
    if (!has_interrupt(self)) {
        self->waiting = true;
        struct sim_hart *next = other_hart(self, 0);
        if (next != NULL) {
            switch_to(next);
        } else if (!leap()) {
            fiber_switch(&self->fiber, &sim.main, NULL);
        } else if (!has_interrupt(self)) {
            switch_to(other_hart(self, 0));
        }
        self->waiting = false;
    }
    sim.spins = 0;
    handle_interrupts(self);
}

void hart_send_ipi(uint64_t hart_mask)
{
    for (unsigned i = 0; i < hart_count; i++) {
        sim.harts[i].software_interrupt |= (hart_mask >> i & 1) != 0;
    }
}

void hart_halt(void)
{
    sim_fail("a hart halts");
}

uint64_t hart_instructions(void)
{
    return 0;
}

void timer_set(nsec_t deadline)
{
    sim.harts[hart_index()].timer = deadline;
}

/* A pc in a loaded image (no function of the host is there) stands for what the test wants. */
static sim_code code_at(uint64_t pc)
{
    return pc < USER_END || pc >= WINDOW_BASE ? sim_image_code : (sim_code)pc;
}

static bool has_thread_for(const struct run_queue *queue, uint64_t wanted)
{
    for (unsigned priority = 0; priority < PRIORITY_COUNT; priority++) {
        const struct thread *thread;
        LIST_FOR_EACH(thread, &queue->ready[priority], struct thread, queue_link)
        {
            if ((thread->affinity & wanted) != 0) {
                return true;
            }
        }
    }
    return false;
}

/* Notes when no hart does anything about a thread that waits while a hart sleeps. */
static void note_laziness(void)
{
    uint64_t asleep = 0; /* bit per hart */
    bool waits = false;
    for (unsigned i = 0; i < hart_count; i++) {
        const struct sim_hart *hart = &sim.harts[i];
        if (has_interrupt(hart) || !(hart->waiting || hart->in_process)) {
            return;
        }
        asleep |= (uint64_t)hart->waiting << i;
    }
    for (unsigned i = 0; i < hart_count; i++) {
        waits |= has_thread_for(&harts[i].queue, asleep);
    }
    sim_statistics.lazy += waits;
}

/*
 * A words call, as entry.S goes about it. The code has put the message registers into its context.
 */
static struct context *words_call(struct context *context, unsigned index,
                                  const struct sim_call *call)
{
    uint64_t words[FTL_WORDS_COUNT];
    for (size_t i = 0; i < FTL_WORDS_COUNT; i++) {
        words[i] = *context_word(context, i);
    }
    context->x[REG_T6] = call->args[2];
    struct fastpath_result result = words_calls[index].fast(call->args[0], call->args[1]);
    if (result.context == FASTPATH_SLOW) {
        return fastpath_go_slow(index, call->args[0], call->args[1], call->args[2]);
    }
    struct context *next = (struct context *)(result.context & ~(uintptr_t)FASTPATH_FLAGS);
    sim_statistics.fast_words_calls++;
    spin_assert_none_held();
    context_set_result(next, FTL_OK, result.tag);
    for (size_t i = 0; i < FTL_WORDS_COUNT; i++) {
        *context_word(next, i) = words[i];
    }
    return (result.context & FASTPATH_UNFINISHED) != 0 ? fastpath_finish(next) : next;
}

static void check_alone(const struct context *context)
{
    for (unsigned i = 0; i < hart_count; i++) {
        if (harts[i].arch.context == context && i != hart_index()) {
            sim_fail("a thread runs on hart %u already", i);
        }
    }
}

/* One piece of the code of the process that runs. Returns the context to go on with. */
static struct context *run_process(struct context *context)
{
    struct sim_hart *self = sim.running;
    check_alone(context);
    sim.spins = 0;
    host_time += STEP_TIME;
    self->in_process = true;
    note_laziness();
    sim_point();
    self->in_process = false;
    if (has_interrupt(self)) {
        handle_interrupts(self);
        return sched_resume();
    }
    struct sim_call call = { 0 };
    if (!code_at(context->pc)(context, &call)) {
        return context;
    }
    if (call.number >= FTL_FIRST_WORDS_CALL) {
        return words_call(context, call.number - FTL_FIRST_WORDS_CALL, &call);
    }
    struct call_result result = call_table[call.number](call.args[0], call.args[1], call.args[2],
                                                        call.args[3], call.args[4], call.args[5]);
    if (arch_hart_self()->resched) {
        return call_finish(result);
    }
    spin_assert_none_held();
    context_set_result(context, result.status, result.value);
    return context;
}

static void hart_fiber(void)
{
    struct fiber *main_fiber = &sim.main;
    const void *stack;
    __sanitizer_finish_switch_fiber(NULL, &stack, &main_fiber->stack_size);
    main_fiber->stack = (void *)(uintptr_t)stack;
    struct sim_hart *self = sim.running;
    fiber_switch(&self->fiber, main_fiber, NULL); /* until the first run */
    struct context *context = sched_resume();
    for (;;) {
        context = run_process(context);
    }
}

static void start_fiber(struct sim_hart *hart)
{
    struct fiber *fiber = &hart->fiber;
    fiber->stack_size = STACK_SIZE;
    fiber->stack = malloc(STACK_SIZE);
    assert_non_null(fiber->stack);
    assert_int_equal(getcontext(&fiber->context), 0);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_SIZE;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, hart_fiber, 0);
    fiber_switch(&sim.main, fiber, hart);
}

static void init_kernel(void)
{
    struct boot_info info = { 0 };
    if (!page_table_init(&kernel_page_table, NULL, NULL)) {
        sim_fail("no memory for the kernel's page table");
    }
    tlb_space_init(&tlb_kernel_space, kernel_page_table.root);
    sim.gate = page_to_phys(page_alloc_zeroed(0));
    slab_init();
    console_init(&info);
    vmo_init();
    vmspace_init();
    process_init();
    thread_init();
    futex_init();
    notification_init();
    timer_object_init();
    poll_init();
    channel_init();
    interrupt_init();
    code_init();
    loader_init(0);
    info.uart.device.irq = CONSOLE_SOURCE;
    console_enable_input(&info);
    system_init(0);
}

/*
 * Few ids, so that they run out again and again, or as many as the environment's FTL_SIM_ASID_BITS
 * says: with 0, harts have none.
 */
static unsigned asid_bits(void)
{
    const char *value = getenv("FTL_SIM_ASID_BITS");
    return value == NULL ? ASID_BITS : (unsigned)strtoul(value, NULL, 10);
}

void sim_boot(unsigned count, size_t ram)
{
    static const struct sim_schedule quiet = { 0 };
    host_relax = relax;
    host_time = 1;
    host_memory_init(ram);
    hart_count = count;
    sim.asid_bits = asid_bits();
    for (unsigned i = 0; i < count; i++) {
        harts[i].arch.index = i;
        harts[i].online = true;
        sim.harts[i].timer = FTL_TIME_INFINITE;
        sched_init_hart(&harts[i]);
        start_fiber(&sim.harts[i]);
    }
    init_kernel();
    for (unsigned i = 0; i < count; i++) {
        host_hart_index = i;
        sim.harts[i].satp = tlb_kernel_space.satp;
        assert_true(tlb_init_hart());
    }
    host_hart_index = 0;
    tlb_init_ids(TLB_ID_BITS_MAX);
    sim_run(&quiet);
}

void sim_run(const struct sim_schedule *schedule)
{
    sim.schedule = schedule;
    sim.random.state = schedule->seed;
    sim.points = 0;
    sim.spins = 0;
    memset(&sim_statistics, 0, sizeof(sim_statistics));
    sim.harts[0].software_interrupt = true; /* the test may have put threads on its queue */
    do {
        struct sim_hart *hart = other_hart(NULL, 0);
        if (hart != NULL) {
            fiber_switch(&sim.main, &hart->fiber, hart);
        }
    } while (other_hart(NULL, 0) != NULL || leap());
}

/* --- Contexts: just the registers --- */

void context_init(struct context *context, vaddr_t entry, uint64_t argument, vaddr_t stack,
                  vaddr_t tls, vaddr_t sandbox_base)
{
    context->pc = entry;
    context->x[REG_SP] = stack;
    context->x[REG_TP] = tls;
    context->x[REG_A0] = argument;
    context->x[REG_GP] = sandbox_base;
}

void context_set_words_call(struct context *context)
{
    (void)context;
}

void context_store_fpu(struct context *context)
{
    (void)context;
}

void context_load_fpu(struct context *context)
{
    (void)context;
}

void context_forget(struct context *context)
{
    (void)context;
}

void context_log(const struct context *context)
{
    (void)context;
}

/* --- TLBs: what a hart has seen in the tables it forgets only when told to --- */

static struct sim_hart *this_hart(void)
{
    return &sim.harts[hart_index()];
}

uint64_t satp_read(void)
{
    return this_hart()->satp;
}

void satp_write(uint64_t value)
{
    const struct arch_hart *kernels = arch_hart_self();
    uint64_t present = tlb_id(value) & ((1UL << sim.asid_bits) - 1);
    value ^= (tlb_id(value) ^ present) << SATP_ASID_SHIFT;
    /* Who changes or frees these tables, and those before them, must find this hart. */
    if (sim.running != NULL &&
        (kernels->satp != this_hart()->satp || kernels->next_satp != value)) {
        sim_fail("the hart does not count for the tables it has loaded, or loads");
    }
    this_hart()->satp = value;
}

static void forget(struct sim_hart *hart, vaddr_t va, size_t size,
                   bool (*matches)(uint64_t, uint64_t), uint64_t asid)
{
    for (size_t i = 0; i < TLB_ENTRIES; i++) {
        struct tlb_entry *entry = &hart->tlb[i];
        if (entry->page - va < size && matches(tlb_id(entry->satp), asid)) {
            entry->page = 0;
        }
    }
}

static bool any_asid(uint64_t asid, uint64_t wanted)
{
    (void)asid;
    (void)wanted;
    return true;
}

static bool one_asid(uint64_t asid, uint64_t wanted)
{
    return asid == wanted;
}

void sfence_all(void)
{
    forget(this_hart(), 0, SIZE_MAX, any_asid, 0);
}

void sfence_asid(uint64_t asid)
{
    forget(this_hart(), 0, SIZE_MAX, one_asid, asid);
}

void sfence_page(vaddr_t va)
{
    forget(this_hart(), ALIGN_DOWN(va, PAGE_SIZE), PAGE_SIZE, any_asid, 0);
}

void sfence_page_asid(vaddr_t va, uint64_t asid)
{
    forget(this_hart(), ALIGN_DOWN(va, PAGE_SIZE), PAGE_SIZE, one_asid, asid);
}

void fence_instructions(void)
{
}

uint64_t other_harts(void)
{
    return ((1UL << hart_count) - 1) & ~(1UL << hart_index());
}

static void forget_remotely(uint64_t hart_mask, vaddr_t va, size_t size,
                            bool (*matches)(uint64_t, uint64_t), uint64_t asid)
{
    for (unsigned i = 0; i < hart_count; i++) {
        if ((hart_mask >> i & 1) != 0) {
            sim_point();
            forget(&sim.harts[i], va, size, matches, asid);
        }
    }
}

void sbi_remote_sfence(uint64_t hart_mask, vaddr_t va, size_t size)
{
    forget_remotely(hart_mask, va, size, any_asid, 0);
}

void sbi_remote_sfence_asid(uint64_t hart_mask, vaddr_t va, size_t size, uint64_t asid)
{
    forget_remotely(hart_mask, va, size, one_asid, asid);
}

void sbi_remote_fence_i(uint64_t hart_mask)
{
    (void)hart_mask;
}

static paddr_t root_of(uint64_t satp)
{
    return tlb_root(satp) << PAGE_SHIFT;
}

/* What the hart would use the entry for, as it is. */
static bool is_usable(const struct sim_hart *hart, const struct tlb_entry *entry)
{
    return entry->page != 0 && tlb_id(entry->satp) == tlb_id(hart->satp);
}

/* Whether the entry allows nothing that the tables it comes from do not. */
static bool is_true(const struct tlb_entry *entry)
{
    struct page_table table = { .root = root_of(entry->satp) };
    paddr_t pa;
    unsigned permissions;
    return page_table_query(&table, entry->page, &pa, &permissions) && pa == entry->pa &&
           (entry->permissions & ~permissions) == 0;
}

/* The translation of a page for this hart; NULL: none. */
static const struct tlb_entry *translate(struct sim_hart *hart, vaddr_t page)
{
    for (size_t i = 0; i < TLB_ENTRIES; i++) {
        const struct tlb_entry *entry = &hart->tlb[i];
        if (entry->page == page && is_usable(hart, entry)) {
            if (entry->stale || tlb_root(entry->satp) != tlb_root(hart->satp)) {
                sim_fail("the TLB's translation of %#lx (satp %#lx, entered %#lx) is of %s", page,
                         entry->satp, hart->satp,
                         entry->stale ? "earlier tables" : "another address space");
            }
            return entry;
        }
    }
    struct page_table table = { .root = root_of(hart->satp) };
    struct tlb_entry entry = { .page = page, .satp = hart->satp };
    if (page == 0 || !page_table_query(&table, page, &entry.pa, &entry.permissions)) {
        return NULL;
    }
    sim_statistics.tlb_fills++;
    struct tlb_entry *slot = &hart->tlb[hart->tlb_next++ % TLB_ENTRIES];
    *slot = entry;
    return slot;
}

/*
 * The linker puts it before the real one, which is to leave nothing that a hart could use; what it
 * leaves for later, when the hart enters the space again, is marked.
 */
void __wrap_tlb_flush(const struct tlb_space *space, uint64_t hart_mask, vaddr_t va, size_t size)
{
    __real_tlb_flush(space, hart_mask, va, size);
    for (unsigned i = 0; i < hart_count; i++) {
        for (size_t j = 0; j < TLB_ENTRIES; j++) {
            struct tlb_entry *entry = &sim.harts[i].tlb[j];
            if (entry->page == 0 || entry->stale ||
                tlb_root(entry->satp) != tlb_root(space->satp) || entry->page - va >= size ||
                is_true(entry)) {
                continue;
            }
            if (is_usable(&sim.harts[i], entry)) {
                sim_fail("hart %u's TLB is behind at %#lx after a flush", i, entry->page);
            }
            entry->stale = true;
            sim_statistics.left_stale++;
        }
    }
}

static void check_freed(struct sim_hart *hart, paddr_t pa, size_t size)
{
    unsigned index = (unsigned)(hart - sim.harts);
    if (root_of(hart->satp) - pa < size) {
        sim_fail("the page freed is the root of hart %u's tables", index);
    }
    for (size_t i = 0; i < TLB_ENTRIES; i++) {
        struct tlb_entry *entry = &hart->tlb[i];
        if (entry->page == 0 || (entry->pa - pa >= size && root_of(entry->satp) - pa >= size)) {
            continue;
        }
        if (is_usable(hart, entry)) {
            sim_fail("hart %u's TLB still maps %#lx to a page that is freed, or by one", index,
                     entry->page);
        }
        entry->stale = true;
    }
}

/* The linker puts it before the allocator's. */
void __wrap_page_free(struct page *page, unsigned order)
{
    for (unsigned i = 0; i < hart_count; i++) {
        check_freed(&sim.harts[i], page_to_phys(page), PAGE_SIZE << order);
    }
    __real_page_free(page, order);
}

void sim_check_tlbs(void)
{
    for (unsigned i = 0; i < hart_count; i++) {
        for (size_t j = 0; j < TLB_ENTRIES; j++) {
            const struct tlb_entry *entry = &sim.harts[i].tlb[j];
            if (is_usable(&sim.harts[i], entry) && (entry->stale || !is_true(entry))) {
                sim_fail("hart %u's TLB is behind at %#lx", i, entry->page);
            }
        }
    }
}

/* --- Memory of processes --- */

/* The host's address of a byte, with this access, as this hart sees it; NULL: it faults. */
static char *reach(vaddr_t address, unsigned need)
{
    const struct tlb_entry *entry =
        translate(&sim.harts[hart_index()], ALIGN_DOWN(address, PAGE_SIZE));
    if (entry == NULL || (need & ~entry->permissions) != 0) {
        return NULL;
    }
    return (char *)phys_to_virt(entry->pa) + (address & (PAGE_SIZE - 1));
}

/* Copies piece by piece; returns what is left, in whole steps of a copy as on the real machine. */
static size_t copy(vaddr_t address, char *kernel, size_t size, bool to_process)
{
    for (size_t done = 0; done < size;) {
        size_t room = PAGE_SIZE - (address & (PAGE_SIZE - 1));
        size_t piece = size - done < room ? size - done : room;
        sim_point();
        char *process = reach(address, to_process ? MMU_WRITE : MMU_READ);
        if (process == NULL) {
            return size - ALIGN_DOWN(done, (size_t)UACCESS_STEP);
        }
        memcpy(to_process ? process : kernel, to_process ? kernel : process, piece);
        address += piece;
        kernel += piece;
        done += piece;
    }
    return 0;
}

size_t uaccess_copy_in(void *to, vaddr_t from, size_t size)
{
    return copy(from, to, size, false);
}

size_t uaccess_copy_out(vaddr_t to, const void *from, size_t size)
{
    return copy(to, (char *)(uintptr_t)from, size, true);
}

void *sim_access(vaddr_t address, unsigned access)
{
    unsigned need = access == FTL_MAP_WRITE  ? MMU_WRITE
                    : access == FTL_MAP_READ ? MMU_READ
                                             : MMU_EXEC;
    char *host = reach(address, need);
    while (host == NULL) {
        if (vmspace_fault(process_current()->vmspace, address, access) != FTL_OK) {
            return NULL;
        }
        host = reach(address, need);
    }
    return host;
}

/* --- The rest of the machine --- */

paddr_t gate_page(void)
{
    return sim.gate;
}

/* The simulated machine has no devices to map. */
bool kernel_uses(paddr_t address, uint64_t size)
{
    return page_is_managed(address, address + size);
}

paddr_t kernel_image_start(void)
{
    return 0;
}

paddr_t kernel_image_end(void)
{
    return 0;
}

/* --- The interrupt controller: sources below SIM_SOURCES, the console's among them --- */

ftl_status_t plic_enable(uint32_t source, void (*handler)(void *context), void *context)
{
    if (source == 0 || source >= SIM_SOURCES) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    spin_lock(&sim.source_lock);
    bool taken = sim.sources[source].handler != NULL;
    if (!taken) {
        sim.sources[source] = (struct sim_source){ .handler = handler, .context = context };
    }
    spin_unlock(&sim.source_lock);
    return taken ? FTL_ERR_EXISTS : FTL_OK;
}

void plic_disable(uint32_t source)
{
    spin_lock(&sim.source_lock);
    sim.sources[source].handler = NULL;
    spin_unlock(&sim.source_lock);
}

void plic_mask(uint32_t source)
{
    sim.sources[source].masked = true;
}

void plic_unmask(uint32_t source)
{
    sim.sources[source].masked = false;
}

bool sim_interrupt(uint32_t source)
{
    spin_lock(&sim.source_lock);
    bool told = sim.sources[source].handler != NULL && !sim.sources[source].masked;
    if (told) {
        sim.sources[source].handler(sim.sources[source].context);
    }
    spin_unlock(&sim.source_lock);
    return told;
}

void power_off(uint8_t status)
{
    sim_fail("power off with status %u", status);
}

void power_reboot(void)
{
    sim_fail("reboot");
}

bool log_in_panic(void)
{
    return false;
}

/* The log is not kept; what is read of it is endless. */
void log_line(const char *format, ...)
{
    (void)format;
}

size_t log_read(uint64_t *position, char *buffer, size_t size)
{
    memset(buffer, 'x', size);
    *position += size;
    return size;
}

void sbi_console_write(const char *text, size_t size)
{
    (void)text;
    (void)size;
}

bool uart_init(struct uart *uart, const struct boot_uart *info)
{
    (void)uart;
    (void)info;
    return true;
}

void uart_put(struct uart *uart, uint8_t byte)
{
    (void)uart;
    (void)byte;
}

int uart_get(struct uart *uart)
{
    (void)uart;
    return sim.input == NULL || *sim.input == '\0' ? -1 : *sim.input++;
}

void uart_enable_input(struct uart *uart)
{
    (void)uart;
}

void sim_console_input(const char *text)
{
    sim.input = text;
    sim_interrupt(CONSOLE_SOURCE);
}
