/*
 * Runs one FTL program under qemu-user, without the FTL kernel: a static riscv64 Linux program
 * without a C library. It makes a window, loads the ELF given as its argument there, sets the
 * registers as the kernel would, and answers the gate by passing Linux system calls on (the program
 * is linked with shim.c in the place of libftl's POSIX layer). What is tested is the code's
 * instrumentation and its cost; that a sandbox is closed is tested elsewhere.
 */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include <ftl/sandbox_abi.h>
#include <ftl/types.h>

#define SYS_WRITE      64
#define SYS_READ       63
#define SYS_OPENAT     56
#define SYS_EXIT_GROUP 94
#define SYS_BRK        214
#define SYS_MUNMAP     215
#define SYS_MMAP       222
#define SYS_MPROTECT   226
#define SYS_SET_TLS    1000 /* our own: a0 becomes the sandbox's tp */
#define AT_FDCWD       (-100)

#define PROT_READ     1
#define PROT_WRITE    2
#define PROT_EXEC     4
#define MAP_PRIVATE   2
#define MAP_FIXED     16
#define MAP_ANONYMOUS 32
#define MAP_NORESERVE 0x4000

#define WINDOW_SIZE  ((uint64_t)1 << FTL_WINDOW_SHIFT)
#define IMAGE_OFFSET 0x10000000u /* where in the window the image lies */
#define STACK_OFFSET 0x20000000u
#define STACK_SIZE   0x800000u
#define HEAP_OFFSET  0x30000000u
#define FILE_MAX     0x1000000u
#define PAGE         4096u
#define EXIT_BROKEN  125

/* What the gate saves of the sandbox. Layout known to the assembly below. */
struct saved {
    uint64_t ra, sp, gp, tp;
};

struct saved saved;
uint8_t gate_stack[65536] __attribute__((aligned(16)));

static uint8_t file[FILE_MAX];
static uint64_t window, heap;

void start(long *stack);
long dispatch(long a, long b, long c, long d, long e, long f, long number);
void enter(uint64_t entry, uint64_t stack, uint64_t base, uint64_t ra, uint64_t argument);
extern const char gate_entry[];

__asm__(".globl _start\n"
        "_start:\n"
        "    mv a0, sp\n"
        "    andi sp, sp, -16\n"
        "    j start\n"
        ".globl enter\n"
        "enter:\n" /* entry, stack, base, ra, argument */
        "    mv sp, a1\n"
        "    mv gp, a2\n"
        "    mv tp, a2\n"
        "    mv ra, a3\n"
        "    mv t0, a0\n"
        "    mv a0, a4\n"
        "    li s11, 0x4654c037\n"
        "    jr t0\n"
        ".globl gate_entry\n"
        "gate_entry:\n" /* a0..a5 arguments, a7 number */
        "    la t1, saved\n"
        "    sd ra, 0(t1)\n"
        "    sd sp, 8(t1)\n"
        "    sd gp, 16(t1)\n"
        "    sd tp, 24(t1)\n"
        "    la sp, gate_stack + 65536\n"
        "    mv a6, a7\n"
        "    call dispatch\n"
        "    la t1, saved\n"
        "    ld ra, 0(t1)\n"
        "    ld sp, 8(t1)\n"
        "    ld gp, 16(t1)\n"
        "    ld tp, 24(t1)\n"
        "    ret\n");

static long system_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    register long a5 __asm__("a5") = f;
    register long a7 __asm__("a7") = number;

    __asm__ volatile("ecall"
                     : "+r"(a0)
                     : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
                     : "memory");
    return a0;
}

static void die(const char *message)
{
    size_t length = 0;

    while (message[length] != '\0') {
        length++;
    }
    system_call(SYS_WRITE, 2, (long)message, (long)length, 0, 0, 0);
    system_call(SYS_EXIT_GROUP, EXIT_BROKEN, 0, 0, 0, 0, 0);
}

static uint64_t map(uint64_t address, uint64_t size, long protection, long flags)
{
    long result = system_call(SYS_MMAP, (long)address, (long)size, protection,
                              flags | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (result < 0 && result > -PAGE) {
        die("runner: mmap failed\n");
    }
    return (uint64_t)result;
}

/* The gate's work: Linux system calls, with memory taken from the window. */
long dispatch(long a, long b, long c, long d, long e, long f, long number)
{
    switch (number) {
    case SYS_SET_TLS: saved.tp = (uint64_t)a; return 0;
    case SYS_BRK: return 0;
    case SYS_MMAP:
        if (a == 0) {
            a = (long)heap;
            d |= MAP_FIXED;
            heap += ((uint64_t)b + PAGE - 1) / PAGE * PAGE + PAGE;
        }
        break;
    default: break;
    }
    return system_call(number, a, b, c, d, e, f);
}

static void load_file(const char *path)
{
    long fd = system_call(SYS_OPENAT, AT_FDCWD, (long)path, 0, 0, 0, 0);
    uint64_t used = 0;
    long got;

    if (fd < 0) {
        die("runner: cannot open the program\n");
    }
    do {
        got = system_call(SYS_READ, fd, (long)(file + used), (long)(FILE_MAX - used), 0, 0, 0);
        used += got > 0 ? (uint64_t)got : 0;
    } while (got > 0);
}

static void copy(uint64_t to, const uint8_t *from, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        ((uint8_t *)to)[i] = from[i];
    }
}

static void load_segments(uint64_t base)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;
    const Elf64_Phdr *segments = (const Elf64_Phdr *)(file + header->e_phoff);

    for (unsigned int i = 0; i < header->e_phnum; i++) {
        const Elf64_Phdr *segment = &segments[i];
        uint64_t first = segment->p_vaddr / PAGE * PAGE;
        uint64_t size = (segment->p_vaddr + segment->p_memsz - first + PAGE - 1) / PAGE * PAGE;
        long protection = PROT_READ;

        if (segment->p_type != PT_LOAD || segment->p_memsz == 0) {
            continue;
        }
        map(base + first, size, PROT_READ | PROT_WRITE, MAP_FIXED);
        copy(base + segment->p_vaddr, file + segment->p_offset, segment->p_filesz);
        protection |= (segment->p_flags & PF_X) != 0 ? PROT_EXEC : 0;
        protection |= (segment->p_flags & PF_W) != 0 || segment->p_vaddr == 0 ? PROT_WRITE : 0;
        system_call(SYS_MPROTECT, (long)(base + first), (long)size, protection, 0, 0, 0);
    }
}

/* The gate page: a jump to our gate at its start, and at +32 a landing pad that exits. */
static uint64_t make_gate(uint64_t base)
{
    static const uint32_t code[] = {
        0x00000297,                              /* auipc t0, 0 */
        0x0102b283,                              /* ld t0, 16(t0) */
        0x00028067,                              /* jr t0 */
        0,          0, 0, 0, 0, FTL_SANDBOX_PAD, /* at 32 */
        0x05e00893,                              /* li a7, 94: exit_group */
        0xfd9ff06f,                              /* j -40 */
    };
    uint64_t target = (uint64_t)gate_entry;

    copy(base, (const uint8_t *)code, sizeof(code));
    copy(base + 16, (const uint8_t *)&target, sizeof(target));
    system_call(SYS_MPROTECT, (long)base, PAGE, PROT_READ | PROT_EXEC, 0, 0, 0);
    return base + 32;
}

static void make_window(void)
{
    uint64_t reserved = map(0, 3 * WINDOW_SIZE, 0, MAP_NORESERVE);

    window = (reserved + WINDOW_SIZE) & ~(WINDOW_SIZE - 1);
    heap = window + HEAP_OFFSET;
}

void start(long *stack)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;
    char **arguments = (char **)(stack + 1);
    uint64_t base, ra = 0;

    if (stack[0] < 2) {
        die("usage: runner PROGRAM\n");
    }
    load_file(arguments[1]);
    make_window();
    base = window + IMAGE_OFFSET;
    load_segments(base);
    map(window + STACK_OFFSET, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_FIXED);
    if (*(uint32_t *)(base + header->e_entry) == FTL_SANDBOX_PAD) {
        ra = make_gate(base);
    }
    enter(base + header->e_entry, window + STACK_OFFSET + STACK_SIZE, window, ra, 0);
}
