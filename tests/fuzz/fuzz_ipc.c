/*
 * Fuzz target: the decoders that scripts/genipc.py has made of one protocol (protocol.test.h, see
 * CMakeLists.txt). A decoder refuses a message, or takes it, and then encoding what it has decoded
 * gives the same message again. Messages lie in memory of just their size, for ASan to see what
 * reads behind it. Mutation also starts from well-formed messages with random contents.
 */
#include <ftl/ipc.h>
#include <stddef.h>
#include <stdio.h>

#include "ipc_contents.h"
#include "protocol.test.h"

#define MESSAGES (sizeof(test_messages) / sizeof(test_messages[0]))
/* decoders do not look at what is before */
#define BODY offsetof(struct ftl_ipc_header, status)

/* libFuzzer's names. NOLINTBEGIN(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
/* NOLINTEND(readability-identifier-naming) */

/* How an input begins; the message's bytes are behind it. */
struct input {
    uint8_t index; /* of the message that it is taken for */
    uint8_t handle_count;
    uint8_t unused[6];
    ftl_handle_t handles[FTL_MESSAGE_HANDLES_MAX];
};

static struct ftl_message room(void)
{
    static _Alignas(8) char bytes[FTL_MESSAGE_SIZE_MAX];
    static ftl_handle_t handles[FTL_MESSAGE_HANDLES_MAX];
    return (struct ftl_message){
        .data = bytes,
        .capacity = sizeof(bytes),
        .handles = handles,
        .handle_capacity = FTL_MESSAGE_HANDLES_MAX,
    };
}

static void require_same(const struct ftl_message *a, const struct ftl_message *b)
{
    if (a->size != b->size || a->handle_count != b->handle_count ||
        memcmp((char *)a->data + BODY, (char *)b->data + BODY, a->size - BODY) != 0 ||
        (a->handle_count != 0 &&
         memcmp(a->handles, b->handles, a->handle_count * sizeof(a->handles[0])) != 0)) {
        fprintf(stderr, "what was decoded encodes to something else\n");
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input;
    if (size < sizeof(input) + sizeof(struct ftl_ipc_header)) {
        return 0;
    }
    memcpy(&input, data, sizeof(input));
    size_t message_size = size - sizeof(input);
    uint32_t handle_count = input.handle_count % (FTL_MESSAGE_HANDLES_MAX + 1);
    struct ftl_message sent = {
        .data = malloc(message_size),
        .size = message_size,
        .handles = input.handles,
        .handle_count = handle_count,
    };
    memcpy(sent.data, data + sizeof(input), message_size);
    struct ftl_message again = room();
    if (test_messages[input.index % MESSAGES].recode(&sent, &again) == FTL_OK) {
        sent.handle_count = handle_count; /* the decoder has taken them */
        require_same(&sent, &again);
    }
    test_forget();
    free(sent.data);
    return 0;
}

/* Makes a well-formed message into an input; 0: it is too large for that. */
static size_t make_input(uint8_t *data, size_t max_size)
{
    struct input input = { .index = (uint8_t)test_below(MESSAGES) };
    struct ftl_message message = room();
    ftl_status_t status = test_messages[input.index].fill(&message);
    test_forget();
    if (status != FTL_OK || sizeof(input) + message.size > max_size) {
        return 0;
    }
    input.handle_count = (uint8_t)message.handle_count;
    memcpy(input.handles, message.handles, message.handle_count * sizeof(input.handles[0]));
    memcpy(data, &input, sizeof(input));
    memcpy(data + sizeof(input), message.data, message.size);
    return sizeof(input) + message.size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size_t made = 0;
    if (seed % 4 == 0) {
        test_seed((uint64_t)seed + 1);
        made = make_input(data, max_size);
    }
    if (made != 0 && seed % 8 == 0) {
        return made;
    }
    return LLVMFuzzerMutate(data, made != 0 ? made : size, max_size);
}
