/*
 * What scripts/genipc.py makes of every protocol in the tree, and of data/sample.ipc: encoders and
 * decoders are inverse to one another, and a decoder refuses all that no encoder makes. Every
 * message lies in memory of its exact size, so that the sanitizer sees what reads behind it. The
 * argument is the number of mutations of each message.
 */
#include "host/test.h"

#include <ftl/ipc.h>
#include <sanitizer/asan_interface.h>

#include "ipc_contents.h"

#define MESSAGE_MAX FTL_MESSAGE_SIZE_MAX
#define HANDLES_MAX FTL_MESSAGE_HANDLES_MAX
#define BODY        offsetof(struct ftl_ipc_header, status) /* who it is for is checked elsewhere */
#define ROUNDS      200

static unsigned long mutations = 100000;

#include "protocols.test.h"
#define MESSAGES (sizeof(test_messages) / sizeof(test_messages[0]))

/* ---- The tests ---- */

struct buffer {
    struct ftl_message message;
    _Alignas(8) char bytes[MESSAGE_MAX];
    ftl_handle_t handles[HANDLES_MAX];
};

static struct ftl_message *prepare(struct buffer *buffer)
{
    memset(buffer->bytes, 0xA5, sizeof(buffer->bytes));
    buffer->message = (struct ftl_message){
        .data = buffer->bytes,
        .capacity = sizeof(buffer->bytes),
        .handles = buffer->handles,
        .handle_capacity = HANDLES_MAX,
    };
    return &buffer->message;
}

static struct buffer sent;
static struct buffer again;

static void fill(const struct test_message *test)
{
    assert_int_equal(test->fill(prepare(&sent)), FTL_OK);
    test_forget();
    assert_in_range(sent.message.size, sizeof(struct ftl_ipc_header), test->size_max);
    assert_int_equal(sent.message.size % 8, 0);
    assert_in_range(sent.message.handle_count, test->handles - test->optional_handles,
                    test->handles);
}

/*
 * Decodes the first `size` bytes of what is in `sent`, out of memory of just that size, and encodes
 * the result into `again`.
 */
static ftl_status_t recode(const struct test_message *test, size_t size)
{
    struct ftl_message exact = sent.message;
    exact.data = aligned_alloc(8, (size + 7) / 8 * 8);
    exact.size = size;
    if (size != 0) {
        memcpy(exact.data, sent.bytes, size);
    }
    if (size % 8 != 0) { /* what was allocated too much */
        __asan_poison_memory_region((char *)exact.data + size, 8 - size % 8);
    }
    ftl_status_t status = test->recode(&exact, prepare(&again));
    test_forget();
    assert_int_equal(exact.handle_count, status == FTL_OK ? 0 : sent.message.handle_count);
    if (size % 8 != 0) {
        __asan_unpoison_memory_region((char *)exact.data + size, 8 - size % 8);
    }
    free(exact.data);
    return status;
}

static void assert_same(const struct test_message *test)
{
    assert_int_equal(again.message.size, sent.message.size);
    if (memcmp(again.bytes + BODY, sent.bytes + BODY, sent.message.size - BODY) != 0) {
        fail_msg("%s: what was decoded encodes to something else", test->name);
    }
    assert_int_equal(again.message.handle_count, sent.message.handle_count);
    assert_memory_equal(again.handles, sent.handles,
                        sent.message.handle_count * sizeof(sent.handles[0]));
}

static void what_is_encoded_decodes_to_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGES; i++) {
        size_t largest = 0;
        for (unsigned round = 0; round < ROUNDS; round++) {
            fill(&test_messages[i]);
            largest = sent.message.size > largest ? sent.message.size : largest;
            assert_int_equal(recode(&test_messages[i], sent.message.size), FTL_OK);
            assert_same(&test_messages[i]);
        }
        assert_true(largest <= test_messages[i].size_max);
    }
}

static void every_truncated_message_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGES; i++) {
        for (unsigned round = 0; round < 3; round++) {
            fill(&test_messages[i]);
            /* All sizes, or some of very many. */
            size_t step = 1 + sent.message.size / 10000;
            for (size_t size = sizeof(struct ftl_ipc_header); size < sent.message.size;
                 size += step) {
                assert_int_equal(recode(&test_messages[i], size), FTL_ERR_BAD_FORMAT);
            }
        }
    }
}

static void every_extended_message_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGES; i++) {
        fill(&test_messages[i]);
        memset(sent.bytes + sent.message.size, 0, 64);
        for (size_t more = 1; more <= 64 && sent.message.size + more <= MESSAGE_MAX; more++) {
            assert_int_equal(recode(&test_messages[i], sent.message.size + more),
                             FTL_ERR_BAD_FORMAT);
        }
    }
}

static void wrong_numbers_of_handles_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGES; i++) {
        for (uint32_t count = 0; count <= HANDLES_MAX; count++) {
            fill(&test_messages[i]);
            for (uint32_t more = sent.message.handle_count; more < HANDLES_MAX; more++) {
                sent.handles[more] = test_handle(FTL_OBJECT_ANY, FTL_RIGHTS_ALL);
            }
            uint32_t right = sent.message.handle_count;
            sent.message.handle_count = count;
            assert_int_equal(recode(&test_messages[i], sent.message.size),
                             count == right ? FTL_OK : FTL_ERR_BAD_FORMAT);
        }
    }
}

/* Whether the handle of this index may be of any type. */
static bool takes_any(const struct test_message *test, uint32_t index)
{
    sent.handles[index] = test_handle(FTL_OBJECT_CONSOLE, FTL_RIGHTS_ALL);
    return recode(test, sent.message.size) == FTL_OK;
}

static void handles_of_wrong_type_or_without_rights_are_refused(void **state)
{
    unsigned typed = 0;
    unsigned any = 0;
    (void)state;
    for (size_t i = 0; i < MESSAGES; i++) {
        for (uint32_t index = 0; index < test_messages[i].handles; index++) {
            do {
                fill(&test_messages[i]);
            } while (sent.message.handle_count < test_messages[i].handles); /* all are given */
            ftl_handle_t good = sent.handles[index];
            if (takes_any(&test_messages[i], index)) {
                any++;
                continue;
            }
            assert_int_equal(recode(&test_messages[i], sent.message.size), FTL_ERR_WRONG_TYPE);
            for (ftl_rights_t right = 1; right <= FTL_RIGHTS_ALL; right <<= 1) {
                sent.handles[index] = good & ~(ftl_handle_t)right;
                assert_int_equal(recode(&test_messages[i], sent.message.size),
                                 (good & right) == 0 ? FTL_OK : FTL_ERR_MISSING_RIGHT);
            }
            typed++;
        }
    }
    assert_true(typed > 4 && any == 2);
}

static const unsigned char extremes[] = { 0, 1, 2, 3, 7, 8, 0x7f, 0x80, 0xfe, 0xff };

/* Changes some bytes behind the protocol's id. */
static void mutate(void)
{
    size_t count = 1 + test_below(4);
    size_t places = sent.message.size > BODY ? sent.message.size - BODY : 1;
    while (count-- > 0) {
        size_t at = BODY + test_below(places);
        size_t how = test_below(sizeof(extremes) + 2);
        if (how < sizeof(extremes)) {
            sent.bytes[at] = (char)extremes[how];
        } else if (how == sizeof(extremes)) {
            sent.bytes[at] = (char)test_number();
        } else {
            sent.bytes[at] ^= (char)(1 << test_below(8));
        }
    }
}

/* Whatever comes: it is refused, or it is just what the encoder makes of the decoded values. */
static void mutated_messages_are_refused_or_are_what_they_say(void **state)
{
    unsigned long refused = 0;
    unsigned long accepted = 0;
    (void)state;
    for (size_t i = 0; i < MESSAGES; i++) {
        for (unsigned long round = 0; round < mutations / MESSAGES; round++) {
            if (round % 8 == 0) {
                fill(&test_messages[i]);
            }
            mutate();
            size_t size = sent.message.size;
            if (recode(&test_messages[i], size) == FTL_OK) {
                assert_same(&test_messages[i]);
                accepted++;
            } else {
                refused++;
            }
        }
    }
    assert_true(refused > mutations / 10 && accepted > mutations / 100);
}

static void random_bytes_are_refused_or_are_what_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGES; i++) {
        for (unsigned long round = 0; round < mutations / MESSAGES / 8; round++) {
            fill(&test_messages[i]);
            for (size_t at = BODY; at < sent.message.size; at++) {
                sent.bytes[at] = (char)test_number();
            }
            if (recode(&test_messages[i], sent.message.size) == FTL_OK) {
                assert_same(&test_messages[i]);
            }
        }
    }
}

static void a_buffer_too_small_for_the_message_is_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGES; i++) {
        for (unsigned round = 0; round < 20; round++) {
            prepare(&sent);
            sent.message.capacity = test_below(test_messages[i].size_max);
            size_t capacity = sent.message.capacity;
            ftl_status_t status = test_messages[i].fill(&sent.message);
            test_forget();
            if (status == FTL_OK) {
                assert_true(sent.message.size <= capacity);
            } else {
                assert_int_equal(status, FTL_ERR_TOO_SMALL);
            }
            for (size_t at = capacity; at < sizeof(sent.bytes); at++) {
                assert_int_equal((unsigned char)sent.bytes[at], 0xA5);
            }
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_decodes_to_the_same),
        cmocka_unit_test(every_truncated_message_is_refused),
        cmocka_unit_test(every_extended_message_is_refused),
        cmocka_unit_test(wrong_numbers_of_handles_are_refused),
        cmocka_unit_test(handles_of_wrong_type_or_without_rights_are_refused),
        cmocka_unit_test(mutated_messages_are_refused_or_are_what_they_say),
        cmocka_unit_test(random_bytes_are_refused_or_are_what_they_say),
        cmocka_unit_test(a_buffer_too_small_for_the_message_is_an_error),
    };
    if (argc > 1) {
        mutations = strtoul(argv[1], NULL, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
