/* What tests of the kernel's core need again and again, over the simulated machine. */
#ifndef SIM_CORE_H
#define SIM_CORE_H

#include "host/test.h"

#include "host/slab.h"
#include "kernel/call.h"
#include "kernel/code.h"
#include "kernel/process.h"
#include "sim/sim.h"

/* Everything that can leak. */
struct core_counts {
    size_t pages;  /* free */
    size_t pieces; /* of the slab caches and kalloc */
    size_t bytes;
    uint64_t processes;
    uint64_t threads;
    uint64_t handles;
};
struct core_counts core_count(void);

/* Ends the program unless all is as it was; TLBs are checked too. */
void core_check_counts(const struct core_counts *before);

/* A process without threads in a vmspace of its own; one reference. */
struct process *core_process(ftl_isolation_t isolation);

/* One more in the same vmspace. */
struct process *core_process_in(struct vmspace *vmspace);

/*
 * Starts a thread of the process, as the process itself would: in `code`, with the argument in a0.
 */
void core_thread(struct process *process, sim_code code, uint64_t argument);

/*
 * The test becomes a thread of the process, on hart 0, and may make calls that do not stop; then
 * leaves it, which ends the process when it has no other threads.
 */
void core_enter(struct process *process);
void core_leave(void);

/* A handle of the process's to the object, with its own reference. */
ftl_handle_t core_handle(struct process *process, struct object *object, ftl_rights_t rights);

/* Maps memory of `size` bytes, anonymous and writable, into the process; returns where. */
vaddr_t core_map(struct process *process, size_t size);

/* The call as the process's decoder gets it. */
struct call_result core_call(unsigned number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                             uint64_t a4, uint64_t a5);

/*
 * Runs the scenario once per schedule: `set_up` makes processes and threads, then all harts go on
 * until they rest, then `check` looks and puts what set_up made; nothing may be left behind.
 */
struct core_scenario {
    void (*set_up)(void);
    void (*check)(void);
};

/* Random schedules, `runs` of them, with rare and with frequent changes of hart. */
void core_explore(const struct core_scenario *scenario, size_t runs);

/* All schedules with one change of hart that nobody asked for, or as many as `runs` allows, spread
 * evenly. */
void core_explore_switches(const struct core_scenario *scenario, size_t runs);

/* For code of processes: sets up a call. Returns true. */
bool core_make(struct sim_call *call, unsigned number, uint64_t a0, uint64_t a1, uint64_t a2,
               uint64_t a3);

/*
 * A VMO with an ELF file (host/elf_file.h) that loaders take; one reference. Its size is the
 * file's.
 */
struct vmo *core_elf(ftl_isolation_t isolation);
#define CORE_ELF_SIZE 0x4000u

/* A code object made of such a file of a sandbox, in full; one reference. */
struct code *core_code(struct vmo *elf, struct account *account);

/* How core_code's code lies in the file. */
struct ftl_code_layout core_code_layout(void);

/* Whether the next code that is verified is refused. */
extern bool core_refuse_code;

#endif
