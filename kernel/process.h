/*
 * Processes: containers of handles and threads in a vmspace. Flat: no process knows another but by
 * handle.
 */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include "kernel/handle.h"
#include "kernel/image.h"
#include "kernel/object.h"
#include "kernel/thread.h"
#include "mm/vmspace.h"

struct process {
    struct object object; /* first */
    uint64_t pid;
    char name[FTL_NAME_MAX];
    struct account *account; /* a reference; everything made for the process */
    struct vmspace *vmspace; /* a reference */
    struct handle_table handles;
    struct list all_link; /* in the list of processes; protected by its lock */
    struct spinlock lock; /* LOCK_PROCESS; protects everything below */
    uint32_t isolation;   /* ftl_isolation_t, its vmspace's */
    uint32_t state;       /* ftl_process_state_t */
    bool ending;          /* being killed: no more threads */
    int32_t exit_status;
    struct image_file image; /* for reports; a reference to its VMO, which may be NULL */
    vaddr_t image_base;
    struct list threads;
    uint32_t thread_count;
    uint32_t
        users; /* threads, and calls at work on it: it is not taken down before they are gone */
    nsec_t cpu_time;      /* of threads that have ended */
    uint8_t priority_max; /* its threads' own priorities, and what they may give; read by all */
};

/* Boot: sets up the cache of processes. */
void process_init(void);

/*
 * Makes a process in the vmspace, whose memory limit the lender is charged with (see account.h).
 * One reference. NULL with *status set: NO_MEMORY, LIMIT, or INVALID_ARGUMENT (the name).
 */
struct process *process_create(struct vmspace *vmspace, const char *name, struct account *lender,
                               uint64_t memory_limit, ftl_status_t *status);

/*
 * Starts its first thread at `entry` with a copy of the environment. BAD_STATE unless new,
 * INVALID_ARGUMENT for an entry that is none.
 */
ftl_status_t process_start(struct process *process, vaddr_t entry, const void *environ,
                           size_t size);

/* Ends the process with the status, once; its last thread to end takes it down. */
void process_kill(struct process *process, int32_t status);

/* The vmspace it lives in, with a reference; NULL when the process has ended. */
struct vmspace *process_vmspace(struct process *process);

/* The process of the current thread. */
static inline struct process *process_current(void)
{
    return thread_current()->process;
}

struct thread;

/*
 * Keeps a process that has not been started (and its vmspace) from being taken down. BAD_STATE when
 * it was started or is ending.
 */
ftl_status_t process_hold_new(struct process *process);
void process_release(struct process *process);

/* Says which file the process's image at `base` was loaded from, for reports. */
void process_set_image(struct process *process, const struct image_file *file, vaddr_t base);

/* Takes a thread that ends out of its process. Returns whether it was the last: then process_end()
 * must follow. */
bool process_remove_thread(struct process *process, struct thread *thread);

/* Releases all that a process without threads holds, then signals EXITED. */
void process_end(struct process *process);

/*
 * Ends the current process because of what one of its threads did, with a report in the log: the
 * text, pc with symbol, and registers.
 */
void process_fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for a check by the compiler that failed: clang's number of the check, and where. */
void process_check_failed(uint32_t kind, vaddr_t pc);

/* Sets the highest priority its threads may have of their own, and takes down those above it. */
void process_set_priority_max(struct process *process, uint8_t max);

/*
 * The process's thread with the least id greater than `after`, with a reference; NULL when there is
 * none.
 */
struct thread *process_next_thread(struct process *process, uint64_t after);

/* Fills in what process_info returns. */
void process_describe(struct process *process, struct ftl_process_info *info);

/*
 * The process with the least pid greater than `after`, with a reference; NULL when there is none.
 */
struct process *process_next(uint64_t after);

/* How many processes there are, and threads and handles in them. */
void process_counts(uint64_t *processes, uint64_t *threads, uint64_t *handles);

void process_destroy(struct object *object);

/* Writes what is known of an address, as image_describe() does. */
void process_symbol(struct process *process, vaddr_t address, char *text, size_t size);

#endif
