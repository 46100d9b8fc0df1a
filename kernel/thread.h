/*
 * Threads. A thread is: its registers (struct context), a place in its process, and while it is
 * stopped in a call, what it waits for. There is no kernel stack per thread: a call that must wait
 * stores what it needs in thread->wait and returns CALL_STOPPED; when the thread is next put on a
 * hart, wait.resume goes on from there.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include "arch/context.h"
#include "ipc/lane.h"
#include "kernel/call.h"
#include "kernel/hart.h"
#include "kernel/object.h"
#include "kernel/timer_queue.h"

#define NO_QUEUE UINT8_MAX

struct process;
struct thread;
struct vmspace;

enum thread_state {
    THREAD_NEW,
    THREAD_READY,   /* on a run queue */
    THREAD_RUNNING, /* hart->current of one hart */
    THREAD_STOPPED, /* in a call, until notified */
    THREAD_DEAD,
};

/* What a futex waiter waits on. */
struct futex_wait {
    struct list link; /* in its bucket; empty once woken */
    struct futex_bucket *bucket;
    const void *vmspace;
    vaddr_t address;
    bool woken;
};

/* An object that object_wait waits for. */
struct wait_entry {
    struct observer observer;
    struct object *object; /* a reference; NULL: not yet looked up */
    struct thread *thread;
};

/* A wait of object_wait: entries are allocated, unless there is but one. */
struct objects_wait {
    struct wait_entry *entries; /* NULL once given up */
    size_t count;
    vaddr_t items; /* the caller's array */
    nsec_t deadline;
    struct wait_entry only;
};

/* What is left to do of a vmo_read or vmo_write. */
struct vmo_copy {
    struct vmo *vmo; /* a reference while the thread is stopped */
    uint64_t offset;
    vaddr_t data;
    size_t size;
    bool write; /* into the VMO */
};

/* A wait of console_read. */
struct console_wait {
    struct observer observer;
    vaddr_t data;
    size_t size;
    nsec_t deadline;
};

/* A wait of notification_wait. */
struct notification_wait {
    struct list link;                  /* in its waiters; empty once woken */
    struct notification *notification; /* a reference, until cleanup */
    uint64_t mask;
    uint64_t bits; /* what it was given: not 0 once woken */
};

/* A wait of poll_wait. */
struct poll_wait {
    struct list link;  /* in the poll's waiters; empty once woken */
    struct poll *poll; /* a reference; NULL once given up */
    vaddr_t events;    /* the caller's array */
    size_t capacity;
    nsec_t deadline;
};

/* A wait of channel_send, channel_recv or channel_call; also what describes one. */
struct channel_wait {
    struct list link;        /* in a list of the channel's; empty once woken */
    struct channel *channel; /* a reference to its pair; NULL once given up */
    struct message *message; /* what is sent; the reply, once there */
    bool is_call;
    bool receiving;
    bool words;             /* what is received goes to registers if it is short */
    bool granted;           /* there is room for the message, taken in its name */
    uint64_t transaction;   /* the call's */
    vaddr_t address;        /* the caller's struct for what is received */
    struct ftl_message how; /* a copy of it */
    nsec_t deadline;
};

/* Only ever changed by compare-and-swap: who takes a thread from ARMED to NOTIFIED enqueues it. */
enum wait_state {
    WAIT_NOTIFIED,  /* not stopped, or to be woken by whoever made it so */
    WAIT_PREPARING, /* registering: a notification now keeps it from stopping */
    WAIT_ARMED,     /* stopped, on no queue */
};

/* What a thread is stopped in, and how to go on. */
struct wait {
    uint32_t state; /* enum wait_state, atomic */
    bool timed_out; /* the deadline woke it */
    struct timer timer;
    struct call_result (*resume)(struct thread *thread); /* completes the call; may stop again */
    void (*cleanup)(
        struct thread *thread); /* undoes the registration; runs before resume and when killed */
    union {
        struct futex_wait futex;
        struct objects_wait objects;
        struct console_wait console;
        struct vmo_copy copy;
        struct notification_wait notification;
        struct poll_wait poll;
        struct channel_wait channel;
    };
};

/*
 * A thread that waits for another to serve it lends that one its priority, and what others lent to
 * it: see kernel/priority.c.
 */
struct priority_loan {
    struct list link;        /* in the borrower's loans, the highest first; under its lock */
    struct thread *borrower; /* a reference, NULL without a loan; under the lender's lock */
    uint8_t priority;        /* lent; under the borrower's lock */
};

struct thread {
    struct object object;     /* first; one reference is the running thread's own */
    struct context context;   /* the hart's while it runs, the stopper's and waker's else */
    struct process *process;  /* a reference, until it is dead */
    struct account *account;  /* a reference; the thread itself is charged to it */
    struct list process_link; /* process->threads; protected by the process's lock */
    struct list queue_link;   /* run queue; protected by its lock, as the next two */
    uint8_t queue;            /* index of the hart on whose queue it is, or NO_QUEUE; read by all */
    uint8_t queue_priority;   /* with which it was put there */
    uint64_t id;              /* unique */
    char name[FTL_THREAD_NAME_MAX]; /* for people; empty without one; under `lock` */
    enum thread_state state;        /* for people and assertions; kill and wait.state decide */
    union {
        struct {
            uint32_t kill; /* ends before it next returns to its process; atomic, never cleared */
            /* its priority is another than when a hart last looked at it; atomic */
            uint32_t priority_changed;
        };
        uint64_t stop_word; /* any of them: it does not stop as simply as that */
    };
    struct spinlock lock; /* LOCK_THREAD; protects most of the next, and the name */
    /*
     * What decides whether a switch to the thread is a matter of registers alone: so if it is on no
     * queue, and this equals the `place` of the hart that it ran on last (arch/hart.h), which has
     * the same priorities there, and whose other flags are not set.
     */
    union {
        struct {
            uint8_t uses_fpu; /* 0 or PLACE_DIFFERS; its own */
            uint8_t pinned;   /* the same: not every hart is in its affinity */
            uint8_t priority; /* runs with: the highest of its own and those lent; read by all */
            uint8_t own_priority;
            unsigned hart; /* index of the hart it ran on last; no lock */
        };
        uint64_t place;
    };
    struct vmspace *tables;    /* of its vmspace: vmspace_tables() */
    uint64_t affinity;         /* bits are hart indices: where it may run; read by all */
    struct list loans;         /* struct priority_loan: who lent it priority */
    struct priority_loan loan; /* whom it lends its own */
    vaddr_t exit_clear;        /* thread_exit's argument */
    nsec_t cpu_time;
    struct wait wait;
    struct words_port ports[PORT_COUNT]; /* its own; changed under `lock` */
};

#define PLACE_DIFFERS 2 /* from every flag of a hart's */

/*
 * Makes a thread of the process, with one reference for the caller (and one of its own once
 * started). NULL with *status set: NO_MEMORY, LIMIT, or BAD_STATE when the process is ending.
 */
struct thread *thread_create(struct process *process, vaddr_t entry, uint64_t argument,
                             vaddr_t stack, vaddr_t tls, ftl_status_t *status);

/* Boot: sets up the cache of threads. */
void thread_init(void);

/* Lets a new thread run. */
void thread_start(struct thread *thread);

/* The thread that called the kernel. */
static inline struct thread *thread_current(void)
{
    return hart_self()->current;
}

/* Makes the thread end before it runs its process's code again, wherever it is. */
void thread_kill(struct thread *thread);

/* How much CPU time the thread has had, until now if it runs. */
nsec_t thread_cpu_time(const struct thread *thread, nsec_t now);

/* Fills in what thread_info returns. */
void thread_describe(struct thread *thread, struct ftl_thread_info *info);

/* INVALID_ARGUMENT unless all `size` bytes, fewer than FTL_THREAD_NAME_MAX, are printable. */
ftl_status_t thread_set_name(struct thread *thread, const char *name, size_t size);

/*
 * Changes the thread's own priority (at most FTL_PRIORITY_MAX), or takes it down to a new maximum.
 */
void thread_set_priority(struct thread *thread, uint8_t priority);
void thread_limit_priority(struct thread *thread, uint8_t max);

/* Keeps the thread on these harts (bits are hart indices), of which one at least is online. */
void thread_set_affinity(struct thread *thread, uint64_t harts);

/*
 * A thread that waits for the server to answer its call lends it its priority until it is returned:
 * as long the server runs with the highest of its own and those lent to it, and lends them on if it
 * waits for an answer too. It takes effect at once, wherever the server is. A second loan of the
 * same lender ends its first. Both may be called under any lock before LOCK_THREAD; what they do
 * for one lender is serialized by who calls them. A loan keeps the server's struct thread, even
 * dead.
 */
void thread_lend_priority(struct thread *lender, struct thread *server);
/* Ends the loan, if there is one. */
void thread_return_priority(struct thread *lender);

/* Wakes the thread if it is or is about to be stopped. By those it registered with, while the
 * registration holds. */
void thread_notify(struct thread *thread);

/*
 * thread_lend_priority() in two steps, for a lender without a loan: the first takes no lock but
 * LOCK_THREAD and does not yet change what the server runs with.
 */
void thread_begin_loan(struct thread *lender, struct thread *server);
void thread_renew_loan(struct thread *lender);

/*
 * Stopping the current thread in a call, in this order: thread_wait_begin(), registering with what
 * will notify it, thread_wait_commit(), whose result the call must return. The thread stops after
 * that (call_finish()), unless it has been notified by then. With a deadline of FTL_TIME_INFINITE
 * there is none.
 */
static inline struct wait *thread_wait_begin(struct call_result (*resume)(struct thread *thread),
                                             void (*cleanup)(struct thread *thread))
{
    struct thread *thread = thread_current();
    struct wait *wait = &thread->wait;
    ASSERT(wait->resume == NULL && wait->timer.queue == NULL);
    wait->timed_out = false;
    wait->resume = resume;
    wait->cleanup = cleanup;
    __atomic_exchange_n(&wait->state, WAIT_PREPARING, __ATOMIC_SEQ_CST);
    /* thread_kill() sets the flag before it looks at the state. */
    if (unlikely(__atomic_load_n(&thread->kill, __ATOMIC_RELAXED) != 0)) {
        __atomic_exchange_n(&wait->state, WAIT_NOTIFIED, __ATOMIC_SEQ_CST);
    }
    return wait;
}

/* The same with a deadline that is one. */
struct call_result thread_wait_commit_until(nsec_t deadline);

static inline struct call_result thread_wait_commit(nsec_t deadline)
{
    if (deadline != FTL_TIME_INFINITE) {
        return thread_wait_commit_until(deadline);
    }
    sched_request();
    return call_stopped();
}

/* For the functions here: whether this wakes the thread, which is stopped. Then it is the caller's
 * to put on a hart. */
static inline bool thread_take_stopped(struct thread *thread)
{
    return __atomic_exchange_n(&thread->wait.state, WAIT_NOTIFIED, __ATOMIC_SEQ_CST) == WAIT_ARMED;
}

/* The same; whether the thread's call is over with this result. */
static inline bool thread_take_completed(struct thread *thread, struct call_result result,
                                         bool *taken)
{
    *taken = thread_take_stopped(thread);
    if (!*taken || __atomic_load_n(&thread->wait.timer.queue, __ATOMIC_ACQUIRE) != NULL) {
        return false;
    }
    thread->wait.resume = NULL;
    context_set_result(&thread->context, result.status, result.value);
    return true;
}

/*
 * The same for who has taken the thread's registration away, and could say what its call returns:
 * if possible the call is then over with `result`, and true returned: neither cleanup nor resume
 * will run, and what they would have undone is the caller's to undo. If not (the thread has not
 * quite stopped yet, has a deadline, or was woken by something else meanwhile), both will run, and
 * must find what there is to return in thread->wait: put it there before.
 */
static inline bool thread_complete(struct thread *thread, struct call_result result)
{
    bool taken;
    bool completed = thread_take_completed(thread, result, &taken);
    if (taken) {
        sched_enqueue(thread);
    }
    return completed;
}

/*
 * thread_notify() for calls that will stop the current thread for sure, or nearly: the other goes
 * on in its place, see sched_hand_over().
 */
static inline void thread_notify_and_hand_over(struct thread *thread)
{
    if (thread_take_stopped(thread)) {
        sched_hand_over(thread);
    }
}

/* Goes on with what a thread was stopped in. Called by the scheduler with the thread current. */
struct call_result thread_finish_wait(struct thread *thread);

/* The current thread is to end: leaves what it was stopped in, tells its process's memory, ends. No
 * thread is current then. */
void thread_leave(struct thread *thread);

void thread_destroy(struct object *object);

#endif
