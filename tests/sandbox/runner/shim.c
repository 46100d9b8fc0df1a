/*
 * The place of libftl in programs for runner.c: start-up without an environment, and musl's system
 * calls passed on to Linux, through the gate or by ecall.
 */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#define SYS_SET_TLS 1000

#pragma GCC visibility push(hidden)
extern char __image_start[];
extern const Elf64_Rela __rela_start[], __rela_end[];
extern const char __tls_image_start[], __tls_image_end[], __tls_size[], __tls_align[];
#pragma GCC visibility pop

int main(int argc, char **argv, char **envp);
int __libc_start_main(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                      void (*)(void));
long __ftl_syscall(long number, long a, long b, long c, long d, long e, long f);
int __set_thread_area(void *pointer);
_Noreturn void _start(void);

#ifdef __FTL_SANDBOX__
#define ENTER "tail __ftl_gate\n"
#else
#define ENTER "ecall\n ret\n"
#endif

/* long __ftl_syscall(number, a..f): arguments move down by one register. */
__asm__(".section .text.__ftl_syscall, \"ax\", @progbits\n"
        ".globl __ftl_syscall\n"
        ".type __ftl_syscall, @function\n"
        "__ftl_syscall:\n"
        "mv a7, a0\n mv a0, a1\n mv a1, a2\n mv a2, a3\n mv a3, a4\n mv a4, a5\n mv a5, a6\n" ENTER
        ".text\n");

int __set_thread_area(void *pointer)
{
#ifdef __FTL_SANDBOX__
    return (int)__ftl_syscall(SYS_SET_TLS, (long)pointer, 0, 0, 0, 0, 0);
#else
    __asm__ volatile("mv tp, %0" : : "r"(pointer));
    return 0;
#endif
}

_Noreturn void _start(void)
{
    static const char name[] = "program";
    static Elf64_Phdr headers[2];
    static uint64_t vector[13]; /* argv, NULL, NULL of the environment, auxiliary vector */

    for (const Elf64_Rela *entry = __rela_start; entry != __rela_end; entry++) {
        *(Elf64_Addr *)(__image_start + entry->r_offset) =
            (Elf64_Addr)__image_start + (Elf64_Addr)entry->r_addend;
    }
    __asm__ volatile("" ::: "memory");
    headers[0] = (Elf64_Phdr){ .p_type = PT_PHDR, .p_vaddr = (Elf64_Addr)headers };
    headers[1] = (Elf64_Phdr){ .p_type = PT_TLS,
                               .p_vaddr = (Elf64_Addr)__tls_image_start,
                               .p_filesz = (uint64_t)(__tls_image_end - __tls_image_start),
                               .p_memsz = (uint64_t)(__tls_size - __image_start),
                               .p_align = (uint64_t)(__tls_align - __image_start) };
    vector[0] = (uint64_t)name;
    vector[3] = AT_PHDR;
    vector[4] = (uint64_t)headers;
    vector[5] = AT_PHENT;
    vector[6] = sizeof(headers[0]);
    vector[7] = AT_PHNUM;
    vector[8] = 2;
    vector[9] = AT_PAGESZ;
    vector[10] = 4096;
    __libc_start_main(main, 1, (char **)vector, 0, 0, 0);
    __builtin_unreachable();
}
