/*
 * Basic types of the FTL ABI, shared by the kernel and by every process.
 * Plain C11; relies on nothing but the compiler's own headers.
 */
#ifndef FTL_TYPES_H
#define FTL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Result of every call: FTL_OK, or one of the negative errors in <ftl/status.h>. */
typedef int32_t ftl_status_t;

/*
 * Names one kernel object for one process. Zero is never a valid handle. The low bits select a slot
 * of the process's handle table, the others hold the slot's generation, so that a closed handle
 * cannot name the object which took its slot.
 */
typedef uint64_t ftl_handle_t;
#define FTL_HANDLE_INVALID ((ftl_handle_t)0)

/* Monotonic nanoseconds since boot (a point in time), or a length of time in nanoseconds. */
typedef int64_t ftl_nsec_t;
#define FTL_TIME_INFINITE INT64_MAX

/* What a handle allows. duplicate can only take rights away. */
typedef uint32_t ftl_rights_t;
#define FTL_RIGHT_READ      (1u << 0) /* read contents or state */
#define FTL_RIGHT_WRITE     (1u << 1) /* change contents or state */
#define FTL_RIGHT_MAP       (1u << 2) /* map into a vmspace */
#define FTL_RIGHT_EXECUTE   (1u << 3) /* map executable, or load as code */
#define FTL_RIGHT_DUPLICATE (1u << 4) /* make a second handle to the object */
#define FTL_RIGHT_TRANSFER  (1u << 5) /* move the handle to another process */
#define FTL_RIGHT_MANAGE    (1u << 6) /* control: kill, load, power off */
#define FTL_RIGHT_WAIT      (1u << 7) /* wait for signals of the object */
#define FTL_RIGHTS_ALL      0xffu
#define FTL_RIGHTS_SAME     0xffffffffu /* for duplicate and grant: those of the source handle */

/* What a handle can name: for ftl_handle_check(). */
typedef enum {
    FTL_OBJECT_ANY = 0, /* in checks only: every type */
    FTL_OBJECT_PROCESS = 1,
    FTL_OBJECT_THREAD = 2,
    FTL_OBJECT_VMSPACE = 3,
    FTL_OBJECT_VMO = 4,
    FTL_OBJECT_CONSOLE = 5,
    FTL_OBJECT_SYSTEM = 6,
    FTL_OBJECT_NOTIFICATION = 7,
    FTL_OBJECT_TIMER = 8,
    FTL_OBJECT_POLL = 9,
    FTL_OBJECT_CHANNEL = 10,
    FTL_OBJECT_CODE = 11,
    FTL_OBJECT_INTERRUPT = 12,
} ftl_object_type_t;

/* How a process is isolated. Data, never source: the same .c builds for both. */
typedef enum {
    FTL_ISOLATION_SANDBOX = 0, /* S-mode, a verified window of the kernel's address space */
    FTL_ISOLATION_USER = 1,    /* U-mode, its own Sv39 page tables */
} ftl_isolation_t;

/* Permissions of a mapping. Write together with execute is always refused. */
#define FTL_MAP_READ  (1u << 0)
#define FTL_MAP_WRITE (1u << 1)
#define FTL_MAP_EXEC  (1u << 2)

/* Object signals, for ftl_object_wait() and ftl_poll_add(). */
#define FTL_SIGNAL_READABLE    (1u << 0) /* there is something to be had: see the type's calls */
#define FTL_SIGNAL_INTERRUPT   (1u << 1) /* console: Ctrl-C was typed since it was last cleared */
#define FTL_SIGNAL_EXITED      (1u << 2) /* process, thread: it has ended */
#define FTL_SIGNAL_WRITABLE    (1u << 3) /* channel: there is room for a message of any size */
#define FTL_SIGNAL_PEER_CLOSED (1u << 4) /* channel: the other end was closed */

struct ftl_wait_item {
    ftl_handle_t handle;
    uint32_t interest; /* in: FTL_SIGNAL_ bits waited for */
    uint32_t signals;  /* out: FTL_SIGNAL_ bits that were set */
};
#define FTL_WAIT_MAX 16 /* most items of one ftl_object_wait() */

/* What is sent through a channel, or where what is received goes. */
struct ftl_message {
    void *data;
    size_t capacity;          /* receiving, in: bytes there is room for at `data` */
    size_t size;              /* sending, in: bytes; receiving, out: bytes received or needed */
    ftl_handle_t *handles;    /* sending: handles to move; receiving: room for them */
    uint32_t handle_capacity; /* as capacity */
    uint32_t handle_count;    /* as size */
    uint64_t transaction;     /* receiving, out: not 0 when a caller waits for the reply to it */
};
#define FTL_MESSAGE_SIZE_MAX    65536u
#define FTL_MESSAGE_HANDLES_MAX 16u

/* ftl_poll_add(): edge-triggered, reported once for each time the signals are set. Not a signal. */
#define FTL_POLL_EDGE (1u << 31)

struct ftl_poll_event {
    uint64_t word;    /* the entry's */
    uint32_t signals; /* those of interest that are set */
    uint32_t reserved;
};
#define FTL_POLL_EVENTS_MAX 64 /* most events of one ftl_poll_wait() */

#define FTL_TIMER_PERIOD_MIN 100000 /* ns: the shortest period of a timer */

#define FTL_NAME_MAX        32 /* bytes of an object's name, the terminating NUL included */
#define FTL_TYPE_NAME_MAX   16 /* the same of an object type's name */
#define FTL_THREAD_NAME_MAX 16 /* and of a thread's */
#define FTL_PAGE_SIZE       4096u

/* Exit status of a process that did not end by exit(): 128 + reason. */
#define FTL_EXIT_KILLED      137
#define FTL_EXIT_INTERRUPTED 130
#define FTL_EXIT_FAULT       139

typedef enum {
    FTL_PROCESS_NEW = 0, /* created, not started */
    FTL_PROCESS_RUNNING = 1,
    FTL_PROCESS_EXITED = 2,
} ftl_process_state_t;

struct ftl_process_info {
    char name[FTL_NAME_MAX];
    uint64_t pid;
    uint32_t isolation; /* ftl_isolation_t */
    uint32_t state;     /* ftl_process_state_t */
    int32_t exit_status;
    uint32_t threads;
    uint32_t handles;
    uint32_t handle_limit;
    uint64_t memory_used;  /* bytes charged: mapped pages, page tables, kernel objects */
    uint64_t memory_limit; /* bytes */
    ftl_nsec_t cpu_time;
};

/* Where the code of a sandboxed program lies in its file; all offsets are from the file's start. */
struct ftl_code_layout {
    uint64_t file_offset; /* of what lies at FTL_GATE_SIZE in the image, behind the gate page */
    uint64_t file_size;   /* bytes of code in the file */
    uint64_t memory_size; /* bytes in the image: zeros behind those in the file; not 0 */
    uint64_t image_size;  /* of the whole image with gate and data; whole pages */
    uint64_t entry;       /* in the image */
    uint64_t claims_offset;
    uint64_t claims_size; /* bytes of claims for the verifier; 0: none */
};

#define FTL_HANDLE_LIMIT_MAX 16777215u /* most handles a process may ever be allowed */

/* One handle of a process: what it is there. */
struct ftl_handle_info {
    ftl_handle_t handle; /* its value, of use to that process alone */
    ftl_rights_t rights;
    uint32_t object; /* tells objects apart: the same for all handles to one */
    char type[FTL_TYPE_NAME_MAX];
};

/* A part of a process's handles. */
#define FTL_HANDLE_LIST_MAX 16
struct ftl_handle_list {
    uint64_t position; /* in: 0 to begin; out: where to go on, 0 after the last handle */
    uint32_t count;    /* out: of `handles`; can be 0 before the end, too */
    uint32_t reserved;
    struct ftl_handle_info handles[FTL_HANDLE_LIST_MAX];
};

/* Where the memory of a VMO comes from. */
typedef enum {
    FTL_VMO_ANONYMOUS = 0,  /* pages made on first use */
    FTL_VMO_PHYSICAL = 1,   /* memory or registers that were there before */
    FTL_VMO_CONTIGUOUS = 2, /* one piece of memory, made at once */
} ftl_vmo_kind_t;

#define FTL_VMO_CONTIGUOUS_MAX 4194304u /* bytes: the largest contiguous VMO */

/* One mapping of a vmspace. */
struct ftl_mapping_info {
    uint64_t address;
    uint64_t size;           /* bytes */
    uint64_t offset;         /* of the first one in the VMO */
    uint32_t vmo;            /* tells VMOs apart, as `object` of struct ftl_handle_info does */
    uint8_t kind;            /* ftl_vmo_kind_t */
    uint8_t permissions;     /* FTL_MAP_ bits */
    uint8_t permissions_max; /* what ftl_vmspace_protect() may give */
    uint8_t code;            /* 1: of a loaded image, which nobody can unmap or protect */
};

/* A part of a vmspace's mappings, by address. */
#define FTL_MAPPING_LIST_MAX 16
struct ftl_mapping_list {
    uint64_t position; /* in: 0 to begin; out: where to go on, 0 after the last mapping */
    uint32_t count;    /* out: of `mappings` */
    uint32_t reserved;
    struct ftl_mapping_info mappings[FTL_MAPPING_LIST_MAX];
};

/* What the kernel has of one kind of object. */
struct ftl_object_count {
    char name[FTL_NAME_MAX];
    uint64_t count;
    uint64_t size;   /* bytes of one */
    uint64_t memory; /* bytes that all of them take, with what is between them */
};

/* Threads run in the order of their priorities: 0 is the least. */
#define FTL_PRIORITY_MAX     31
#define FTL_PRIORITY_DEFAULT 16

typedef enum {
    FTL_THREAD_READY = 0, /* waits for a hart */
    FTL_THREAD_RUNNING = 1,
    FTL_THREAD_WAITING = 2, /* in a call */
    FTL_THREAD_EXITED = 3,
} ftl_thread_state_t;

struct ftl_thread_info {
    char name[FTL_THREAD_NAME_MAX]; /* empty unless it was given one */
    uint64_t tid;
    uint32_t state; /* ftl_thread_state_t */
    uint32_t hart;  /* number of the hart it runs on, or ran on last */
    uint32_t priority;
    uint32_t effective_priority; /* the same, or what a caller that it serves has lent it */
    uint64_t affinity;           /* bit per hart by number: those it may run on */
    ftl_nsec_t cpu_time;
};

struct ftl_hart_info {
    uint32_t index;  /* in: the hart's number, from 0 */
    uint32_t id;     /* the hardware's number */
    uint32_t online; /* 1: it runs threads */
    uint32_t ready;  /* threads on its queue, which wait for it or another hart */
    ftl_nsec_t idle_time;
    uint64_t switches; /* threads put on it */
    uint64_t steals;   /* of these, taken from other harts' queues */
    uint64_t messages; /* sent by threads on it; a call and its reply are one */
};

struct ftl_system_info {
    uint64_t memory_total; /* bytes of RAM the page allocator was given */
    uint64_t memory_free;
    uint64_t memory_kernel; /* bytes of the kernel image, its page array and boot-time tables */
    uint64_t harts_online;
    ftl_nsec_t uptime;
    uint64_t firmware_instructions; /* retired on the boot hart before the kernel's first */
    uint64_t kernel_instructions;   /* and since then; both 0 if unreadable */
    uint64_t processes;
    uint64_t threads;
    uint64_t handles;       /* of all processes */
    uint64_t asids;         /* ids of address spaces that TLBs tell apart; 0: none */
    uint64_t asids_used_up; /* times that all had been given out, and were given out anew */
};

/* A message that was sent while messages are traced. */
typedef enum {
    FTL_TRACE_SEND = 0,
    FTL_TRACE_CALL = 1,
    FTL_TRACE_REPLY = 2,
} ftl_trace_kind_t;

struct ftl_trace_record {
    ftl_nsec_t time;
    uint64_t pid;         /* the sender's */
    uint64_t thread;      /* the sender's, by its id */
    uint64_t transaction; /* of a call and of its reply */
    uint32_t kind;        /* ftl_trace_kind_t */
    uint32_t size;        /* bytes */
    uint32_t handles;
    uint32_t from; /* the channel's ends, the sender's and the other: ftl_handle_info.object */
    uint32_t to;
    uint32_t reserved;
};
#define FTL_TRACE_READ_MAX 16 /* most records of one ftl_system_trace_read() */

#define FTL_POWER_OFF    0u
#define FTL_POWER_REBOOT 1u

#endif
