/*
 * The ways into the kernel, for the stubs that scripts/gencalls.py makes: ftl_raw_callN takes N
 * arguments in a0 and up, and the call's number after them. The kernel wants that in a7; back come
 * a status in a0 and a value in a1. The only place of the user library where the two isolations
 * differ.
 */
#ifdef __FTL_SANDBOX__
#define ENTER_KERNEL "tail __ftl_gate\n"
#else
#define ENTER_KERNEL "ecall\n ret\n"
#endif

#define RAW_CALL(count)                                                                            \
    __asm__(".section .text.ftl_raw_call" #count ", \"ax\", @progbits\n"                           \
            ".balign 4\n"                                                                          \
            ".global ftl_raw_call" #count "\n"                                                     \
            ".global ftl_raw_status" #count "\n"                                                   \
            ".type ftl_raw_call" #count ", %function\n"                                            \
            ".type ftl_raw_status" #count ", %function\n"                                          \
            "ftl_raw_call" #count ":\n"                                                            \
            "ftl_raw_status" #count ":\n"                                                          \
            "mv a7, a" #count "\n" ENTER_KERNEL ".text\n")

RAW_CALL(0);
RAW_CALL(1);
RAW_CALL(2);
RAW_CALL(3);
RAW_CALL(4);
RAW_CALL(5);
RAW_CALL(6);
