/*
 * ftl_channel_call and ftl_channel_reply_and_recv: by registers where the message is short enough
 * and nothing else stands against it, else as any other call.
 */
#include <ftl/call_numbers.h>
#include <ftl/channel.h>
#include <ftl/channel_word.h>
#include <ftl/words.h>
#include <ftl/wrapped_calls.h>
#include <string.h>

/* The message registers, in the order of memory. */
struct words {
    unsigned long word[FTL_WORDS_COUNT];
};

/* Defines a function for a words call with all message registers. */
#define DEFINE_WORDS_CALL(name, gate_entry, call_number)                                           \
    static ftl_status_t name(ftl_handle_t channel, uint64_t *tag, struct words *words,             \
                             struct ftl_message *address)                                          \
    {                                                                                              \
        register unsigned long a0 __asm__("a0") = channel;                                         \
        register unsigned long a1 __asm__("a1") = *tag;                                            \
        register unsigned long a2 __asm__("a2") = words->word[0];                                  \
        register unsigned long a3 __asm__("a3") = words->word[1];                                  \
        register unsigned long a4 __asm__("a4") = words->word[2];                                  \
        register unsigned long a5 __asm__("a5") = words->word[3];                                  \
        register unsigned long a6 __asm__("a6") = words->word[4];                                  \
        register unsigned long t3 __asm__("t3") = words->word[5];                                  \
        register unsigned long t4 __asm__("t4") = words->word[6];                                  \
        register unsigned long t5 __asm__("t5") = words->word[7];                                  \
        register unsigned long t6 __asm__("t6") = (unsigned long)address;                          \
        __asm__ volatile(FTL_ENTER_WORDS(gate_entry)                                               \
                         : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6),   \
                           "+r"(t3), "+r"(t4), "+r"(t5), "+r"(t6)                                  \
                         : [number] "i"(call_number)                                               \
                         : FTL_WORDS_LOST);                                                        \
        *tag = a1;                                                                                 \
        *words = (struct words){ { a2, a3, a4, a5, a6, t3, t4, t5 } };                             \
        return (ftl_status_t)a0;                                                                   \
    }
DEFINE_WORDS_CALL(call_words, "call_words", FTL_CALL_CHANNEL_CALL_WORDS)
DEFINE_WORDS_CALL(serve_words, "serve_words", FTL_CALL_CHANNEL_SERVE_WORDS)

static bool is_word(const void *data, size_t size)
{
    return size == sizeof(uint64_t) && (uintptr_t)data % sizeof(uint64_t) == 0;
}

/* Fills in what was received in registers. */
static ftl_status_t put(struct ftl_message *message, uint64_t tag, const struct words *words)
{
    size_t size = tag & FTL_WORDS_SIZE_MASK;
    message->size = size;
    message->handle_count = 0;
    message->transaction = tag >> FTL_WORDS_TAG_SHIFT;
    if (size > message->capacity) {
        return FTL_ERR_TOO_SMALL;
    }
    if (is_word(message->data, size)) {
        *(uint64_t *)message->data = words->word[0];
    } else {
        memcpy(message->data, words->word, size);
    }
    return FTL_OK;
}

/* One of the two, with one message register or with all. */
struct exchange {
    ftl_status_t (*word)(ftl_handle_t channel, uint64_t *tag, uint64_t *word,
                         struct ftl_message *address);
    ftl_status_t (*words)(ftl_handle_t channel, uint64_t *tag, struct words *words,
                          struct ftl_message *address);
};

/*
 * A words call that sends `size` bytes at `data` and fills in `received`, which the kernel does if
 * what comes is longer than the registers.
 */
static inline __attribute__((always_inline)) ftl_status_t exchange(struct exchange call,
                                                                   ftl_handle_t channel,
                                                                   uint64_t transaction,
                                                                   const void *data, size_t size,
                                                                   struct ftl_message *received)
{
    struct words words = { { 0 } };
    uint64_t tag = transaction << FTL_WORDS_TAG_SHIFT | size;
    ftl_status_t status;
    if (is_word(data, size)) {
        words.word[0] = *(const uint64_t *)data;
        status = call.word(channel, &tag, &words.word[0], received);
    } else {
        memcpy(words.word, data, size);
        status = call.words(channel, &tag, &words, received);
    }
    if (status != FTL_OK || (tag & FTL_WORDS_SIZE_MASK) == FTL_WORDS_IN_MEMORY) {
        return status;
    }
    return put(received, tag, &words);
}

/* Whether the message may be sent in registers. */
static bool fits(const struct ftl_message *message, ftl_nsec_t deadline)
{
    return message->size <= FTL_WORDS_SIZE && message->handle_count == 0 &&
           deadline == FTL_TIME_INFINITE;
}

ftl_status_t ftl_channel_call(ftl_handle_t channel, const struct ftl_message *request,
                              struct ftl_message *reply, ftl_nsec_t deadline)
{
    if (!fits(request, deadline)) {
        return ftl_kernel_channel_call(channel, request, reply, deadline);
    }
    const struct exchange call = { ftl_word_call, call_words };
    return exchange(call, channel, 0, request->data, request->size, reply);
}

ftl_status_t ftl_channel_reply_and_recv(ftl_handle_t channel, uint64_t transaction,
                                        const struct ftl_message *reply,
                                        struct ftl_message *message, ftl_nsec_t deadline)
{
    static const struct ftl_message nothing;
    if (transaction == 0) {
        reply = &nothing;
    }
    /* What has come in registers cannot go back to the queue. */
    if (!fits(reply, deadline) || message->capacity < FTL_WORDS_SIZE) {
        return ftl_kernel_channel_reply_and_recv(channel, transaction, reply, message, deadline);
    }
    const struct exchange serve = { ftl_word_serve, serve_words };
    return exchange(serve, channel, transaction, reply->data, reply->size, message);
}
