/*
 * What sandboxed code, the instrumenter, the verifier and the kernel agree on. See docs/sandbox.md.
 * Usable from assembly.
 *
 * Registers: gp holds BASE, the window's first address; tp the thread's TLS pointer (always inside
 * the window; only the kernel sets it); s8 the last offset in a window; s11 the landing-pad word;
 * s9 and s10 are the instrumenter's scratch.
 */
#ifndef FTL_SANDBOX_ABI_H
#define FTL_SANDBOX_ABI_H

#define FTL_WINDOW_SHIFT 32       /* windows are 4 GiB, naturally aligned */
#define FTL_WINDOW_GUARD 0x100000 /* never mapped at either end of the window, bytes */

/* The last offset in a window, and so a mask for offsets. */
#define FTL_SANDBOX_SPAN 0xffffffff

/* `lui zero, 0x4654c`: a no-op that marks every legal target of an indirect jump. */
#define FTL_SANDBOX_PAD 0x4654c037

/*
 * The first page of a sandboxed image (image offset 0) belongs to the kernel: it maps the gate
 * there. Verified code may jump or call directly to the image's offset 0 with a7 = call number,
 * a0..a5 = arguments, ra = return site (a landing pad); it gets status in a0 and value in a1 back,
 * all other argument and temporary registers are lost, s0..s11, sp, gp, tp and the FP registers are
 * kept. Behind that entry lie those of the words calls, in the order of calls.def, which need no
 * number; they have registers of their own (<ftl/words.h>), and s9 and s10 are lost.
 */
#define FTL_GATE_OFFSET     0
#define FTL_GATE_SIZE       4096
#define FTL_GATE_ENTRIES    3
#define FTL_GATE_ENTRY_SIZE 16

/*
 * A section of this type (not loaded) in a sandbox ELF holds what its producer claims to hold at
 * branch targets: see kernel/sandbox/claims.h. It may be missing.
 */
#define FTL_CLAIMS_SECTION ".ftl.claims"
#define FTL_CLAIMS_TYPE    0x80f71001

/* Content of the note (owner "FTL", type 1) in every FTL ELF: four 32-bit words. */
#define FTL_NOTE_TYPE        1
#define FTL_NOTE_ABI_VERSION 1 /* word 0 */
/*
 * word 1: ftl_isolation_t. word 2: flavour. word 3: ISA extensions the code needs, FTL_ISA_ bits.
 */
#define FTL_FLAVOUR_NONE 0
#define FTL_FLAVOUR_TRAP 1
#define FTL_FLAVOUR_MASK 2
#define FTL_ISA_ZBA      (1 << 0)
#define FTL_ISA_ZBB      (1 << 1)

#endif
