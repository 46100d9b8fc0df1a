/*
 * Calls with a request and a reply of eight bytes, all in registers: what ftl_channel_call() and
 * ftl_channel_reply_and_recv() do for messages of that size too, without the detour through memory.
 * Inline, since the way into the kernel is not much longer than a function call.
 */
#ifndef FTL_CHANNEL_WORD_H
#define FTL_CHANNEL_WORD_H

#include <ftl/call_numbers.h>
#include <ftl/status.h>
#include <ftl/types.h>
#include <ftl/words.h>

/*
 * The instructions of a words call, and what is lost in it besides its operands. Each has an entry
 * of its own in the gate (<ftl/sandbox_abi.h>); from user mode it is told by the operand `number`.
 */
#ifdef __FTL_SANDBOX__
#define FTL_ENTER_WORDS(gate_entry) "call __ftl_gate_" gate_entry
#define FTL_WORDS_LOST              "ra", "t0", "t1", "t2", "a7", "memory"
#else
#define FTL_ENTER_WORDS(gate_entry) "li a7, %[number]\n ecall"
#define FTL_WORDS_LOST              "t0", "t1", "t2", "a7", "memory"
#endif

/* Defines a function for a words call with the first message register; the others are cleared. */
#define FTL_DEFINE_WORD_CALL(name, gate_entry, call_number)                                        \
    static inline ftl_status_t name(ftl_handle_t channel, uint64_t *tag, uint64_t *word,           \
                                    struct ftl_message *address)                                   \
    {                                                                                              \
        register unsigned long a0 __asm__("a0") = channel;                                         \
        register unsigned long a1 __asm__("a1") = *tag;                                            \
        register unsigned long a2 __asm__("a2") = *word;                                           \
        register unsigned long a3 __asm__("a3") = 0;                                               \
        register unsigned long a4 __asm__("a4") = 0;                                               \
        register unsigned long a5 __asm__("a5") = 0;                                               \
        register unsigned long a6 __asm__("a6") = 0;                                               \
        register unsigned long t3 __asm__("t3") = 0;                                               \
        register unsigned long t4 __asm__("t4") = 0;                                               \
        register unsigned long t5 __asm__("t5") = 0;                                               \
        register unsigned long t6 __asm__("t6") = (unsigned long)address;                          \
        __asm__ volatile(FTL_ENTER_WORDS(gate_entry)                                               \
                         : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6),   \
                           "+r"(t3), "+r"(t4), "+r"(t5), "+r"(t6)                                  \
                         : [number] "i"(call_number)                                               \
                         : FTL_WORDS_LOST);                                                        \
        *tag = a1;                                                                                 \
        *word = a2;                                                                                \
        return (ftl_status_t)a0;                                                                   \
    }
FTL_DEFINE_WORD_CALL(ftl_word_call, "call_words", FTL_CALL_CHANNEL_CALL_WORDS)
FTL_DEFINE_WORD_CALL(ftl_word_serve, "serve_words", FTL_CALL_CHANNEL_SERVE_WORDS)

/*
 * Calls with `request` and waits for the reply, which must be eight bytes as well: TOO_SMALL when
 * it is not. Other errors as for ftl_channel_call().
 */
static inline ftl_status_t ftl_channel_call_word(ftl_handle_t channel, uint64_t request,
                                                 uint64_t *reply)
{
    uint64_t tag = sizeof(request);
    ftl_status_t status = ftl_word_call(channel, &tag, &request, NULL);
    if (status == FTL_OK && tag != sizeof(request)) {
        return FTL_ERR_TOO_SMALL;
    }
    *reply = request;
    return status;
}

/*
 * For servers: answers the call `*transaction` with `*word`, unless it is 0, and waits for the next
 * request, which goes to the same. One that is not of eight bytes is TOO_SMALL for `word`, and then
 * is in `message` if it has more than FTL_WORDS_SIZE or handles; if not it is lost.
 */
static inline ftl_status_t ftl_channel_serve_word(ftl_handle_t channel, uint64_t *transaction,
                                                  uint64_t *word, struct ftl_message *message)
{
    uint64_t tag = *transaction << FTL_WORDS_TAG_SHIFT | sizeof(*word);
    ftl_status_t status = ftl_word_serve(channel, &tag, word, message);
    *transaction = tag >> FTL_WORDS_TAG_SHIFT;
    if (status == FTL_OK && (tag & FTL_WORDS_SIZE_MASK) != sizeof(*word)) {
        return FTL_ERR_TOO_SMALL;
    }
    return status;
}

#endif
