/*
 * The ways into the kernel, for the stubs that scripts/gencalls.py makes: arguments lie in a0 and
 * up, the call's number goes into a7; back come a status in a0 and a value in a1, for which a
 * function can be declared that returns both. The only place of the user library where the two
 * isolations differ.
 */
#ifndef ENTER_KERNEL_H
#define ENTER_KERNEL_H

#ifdef __FTL_SANDBOX__
#define ENTER_KERNEL "tail __ftl_gate\n"
#else
#define ENTER_KERNEL "ecall\n ret\n"
#endif

/* Defines the function `name`, in which `load_number` is the instruction that fills a7. */
#define KERNEL_ENTRY_BY(name, load_number)                                                         \
    __asm__(".section .text." #name ", \"ax\", @progbits\n"                                        \
            ".balign 4\n"                                                                          \
            ".global " #name "\n"                                                                  \
            ".type " #name ", %function\n" #name ":\n" load_number "\n" ENTER_KERNEL ".text\n")

/* Defines the function `name`, which is the call of this number. */
#define KERNEL_ENTRY(name, number) KERNEL_ENTRY_BY(name, "li a7, " #number)

#endif
