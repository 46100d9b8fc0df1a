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

#ifdef __FTL_SANDBOX__
#define FTL_ENTER_KERNEL "call __ftl_gate"
#else
#define FTL_ENTER_KERNEL "ecall"
#endif

/* One of the words calls, with the first message register; the others are cleared. */
static inline ftl_status_t ftl_word_call(unsigned long number, ftl_handle_t channel, uint64_t *tag,
                                         uint64_t *word, struct ftl_message *address)
{
    register unsigned long a0 __asm__("a0") = channel;
    register unsigned long a1 __asm__("a1") = *tag;
    register unsigned long a2 __asm__("a2") = *word;
    register unsigned long a3 __asm__("a3") = 0;
    register unsigned long a4 __asm__("a4") = 0;
    register unsigned long a5 __asm__("a5") = 0;
    register unsigned long a6 __asm__("a6") = 0;
    register unsigned long a7 __asm__("a7") = number;
    register unsigned long t3 __asm__("t3") = 0;
    register unsigned long t4 __asm__("t4") = 0;
    register unsigned long t5 __asm__("t5") = 0;
    register unsigned long t6 __asm__("t6") = (unsigned long)address;
    __asm__ volatile(FTL_ENTER_KERNEL
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6),
                       "+r"(a7), "+r"(t3), "+r"(t4), "+r"(t5), "+r"(t6)
                     :
                     : "ra", "t0", "t1", "t2", "memory");
    *tag = a1;
    *word = a2;
    return (ftl_status_t)a0;
}

/*
 * Calls with `request` and waits for the reply, which must be eight bytes as well: TOO_SMALL when
 * it is not. Other errors as for ftl_channel_call().
 */
static inline ftl_status_t ftl_channel_call_word(ftl_handle_t channel, uint64_t request,
                                                 uint64_t *reply)
{
    uint64_t tag = sizeof(request);
    ftl_status_t status = ftl_word_call(FTL_CALL_CHANNEL_CALL_WORDS, channel, &tag, &request, NULL);
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
    ftl_status_t status = ftl_word_call(FTL_CALL_CHANNEL_SERVE_WORDS, channel, &tag, word, message);
    *transaction = tag >> FTL_WORDS_TAG_SHIFT;
    if (status == FTL_OK && (tag & FTL_WORDS_SIZE_MASK) != sizeof(*word)) {
        return FTL_ERR_TOO_SMALL;
    }
    return status;
}

#endif
