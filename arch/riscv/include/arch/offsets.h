/*
 * Offsets that assembly uses, and the numbers behind them; trap.c asserts that they agree with the
 * C structures.
 */
#ifndef ARCH_OFFSETS_H
#define ARCH_OFFSETS_H

/* struct arch_hart */
#define HART_CONTEXT   0
#define HART_STACK_TOP 8
#define HART_SCRATCH   16
#define HART_EMERGENCY 24
#define HART_RESCHED   32
#define HART_PLACE     32
#define HART_VMSPACE   72
/* struct hart, which begins with it */
#define HART_CURRENT  96
#define HART_KILLED   112
#define HART_MESSAGES 120

/* struct context: x[n] at 8 * n, the pc in the place of x0 */
#define CONTEXT_PC      0
#define CONTEXT_RA      8
#define CONTEXT_SP      16
#define CONTEXT_GP      24
#define CONTEXT_TP      32
#define CONTEXT_A0      80
#define CONTEXT_A1      88
#define CONTEXT_S11     216
#define CONTEXT_T6      248
#define CONTEXT_SSTATUS 256
#define CONTEXT_CALL    264
#define CONTEXT_FPU     272

/* What CONTEXT_CALL says of a thread that is stopped: which of its registers matter */
#define STOPPED_ANYWHERE      0 /* all */
#define STOPPED_IN_CALL       1 /* callee-saved ones, a0, a1 */
#define STOPPED_IN_WORDS_CALL 2 /* and the message registers */

/* struct thread */
#define THREAD_CONTEXT     40
#define THREAD_STOP_WORD   408
#define THREAD_KILL        408
#define THREAD_PLACE       424
#define THREAD_TABLES      432
#define THREAD_WAIT_STATE  512
#define THREAD_CALLS_SLOT  696
#define THREAD_CALLS_LANE  704
#define THREAD_SERVES_SLOT 720
#define THREAD_SERVES_LANE 728

/* enum wait_state */
#define STATE_NOTIFIED 0
#define STATE_ARMED    2

/* struct lane */
#define LANE_LOCK   0
#define LANE_TAG    8
#define LANE_SERVER 16
#define LANE_CALLER 24

/* struct handle_slot */
#define SLOT_VALUE 8

/* struct words_call */
#define WORDS_CALL_SHIFT     4
#define WORDS_CALL_FAST      0
#define WORDS_CALL_SLOW      8
#define FASTPATH_SLOW_RESULT 3 /* fastpath_result.context; or in it, flags */

/* struct fpu_state: f[n] at 8 * n */
#define FPU_FCSR 256

/* An entry of call_table */
#define CALL_ENTRY_SHIFT 3

/* struct kernel_frame, what trap_from_kernel pushes: x[n] at 8 * n, the pc in the place of x0 */
#define KERNEL_FRAME_SIZE    272
#define KERNEL_FRAME_SSTATUS 256

#define HART_STACK_SIZE 0x4000 /* bytes of a hart's kernel stack; a guard page lies below it */

#define UACCESS_STEP 128 /* bytes that a copy from or to a process does at once: arch/uaccess.h */

/* struct hart_boot, what a secondary hart finds behind a1 */
#define BOOT_SATP  0
#define BOOT_STACK 8
#define BOOT_HART  16
#define BOOT_ENTRY 24

/* struct boot_call, what calls a hart that waits in boot.S */
#define BOOT_CALL_HART     0
#define BOOT_CALL_ARGUMENT 8

/*
 * Zihintpause's instruction, a no-op on harts without it; the assembler would want the extension.
 */
#define ZIHINTPAUSE_PAUSE 0x0100000f

#endif
