/* user/lib/src/environ.c: environment blobs, as written by starters and as read by whoever is
 * started. */
#include "host/test.h"

#include <ftl/environ.h>
#include <stdio.h>

#define ROUNDS 20000

static const char *const some_args[] = { "prog", "", "two words" };
static const char *const some_vars[] = { "PATH=/bin", "EMPTY=" };
static const struct ftl_environ_handle some_handles[] = { { "console", 0x1001 }, { "system", 7 } };

static const struct ftl_environ_content some_content = {
    .args = some_args,
    .arg_count = 3,
    .vars = some_vars,
    .var_count = 2,
    .handles = some_handles,
    .handle_count = 2,
};

/* A blob on the heap, exactly as long as it is, so that the sanitizer sees every step outside. */
static void *make_blob(const struct ftl_environ_content *content, size_t *size)
{
    static _Alignas(8) char buffer[FTL_ENVIRON_MAX];
    assert_int_equal(ftl_environ_write(buffer, sizeof(buffer), content, size), FTL_OK);
    void *blob = malloc(*size);
    assert_non_null(blob);
    memcpy(blob, buffer, *size);
    return blob;
}

static void reader_gives_what_was_written(void **state)
{
    (void)state;
    struct ftl_environ env;
    size_t size;
    void *blob = make_blob(&some_content, &size);

    assert_int_equal(ftl_environ_open(&env, blob, size), FTL_OK);
    assert_int_equal(env.arg_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(ftl_environ_arg(&env, i), some_args[i]);
    }
    assert_null(ftl_environ_arg(&env, 3));
    assert_int_equal(env.var_count, 2);
    assert_string_equal(ftl_environ_var(&env, 0), "PATH=/bin");
    assert_string_equal(ftl_environ_var(&env, 1), "EMPTY=");
    assert_null(ftl_environ_var(&env, 2));
    assert_int_equal(ftl_environ_find(&env, "console"), 0x1001);
    assert_int_equal(ftl_environ_find(&env, "system"), 7);
    free(blob);
}

static void a_handle_can_be_taken_once(void **state)
{
    (void)state;
    struct ftl_environ env;
    size_t size;
    void *blob = make_blob(&some_content, &size);

    assert_int_equal(ftl_environ_open(&env, blob, size), FTL_OK);
    assert_int_equal(ftl_environ_take(&env, "nothing"), FTL_HANDLE_INVALID);
    assert_int_equal(ftl_environ_take(&env, "console"), 0x1001);
    assert_int_equal(ftl_environ_take(&env, "console"), FTL_HANDLE_INVALID);
    assert_int_equal(ftl_environ_find(&env, "console"), FTL_HANDLE_INVALID);
    assert_int_equal(ftl_environ_take(&env, "system"), 7);
    free(blob);
}

static void an_empty_environment_is_valid(void **state)
{
    (void)state;
    struct ftl_environ env;
    struct ftl_environ_content nothing = { 0 };
    size_t size;
    void *blob = make_blob(&nothing, &size);

    assert_int_equal(size, sizeof(struct ftl_environ_header));
    assert_int_equal(ftl_environ_open(&env, blob, size), FTL_OK);
    assert_null(ftl_environ_arg(&env, 0));
    assert_null(ftl_environ_var(&env, 0));
    assert_int_equal(ftl_environ_find(&env, "console"), FTL_HANDLE_INVALID);
    free(blob);
}

static void a_blob_may_lie_in_a_larger_buffer(void **state)
{
    (void)state;
    static _Alignas(8) char buffer[FTL_ENVIRON_MAX];
    struct ftl_environ env;
    size_t size;
    assert_int_equal(ftl_environ_write(buffer, sizeof(buffer), &some_content, &size), FTL_OK);
    assert_int_equal(ftl_environ_open(&env, buffer, sizeof(buffer)), FTL_OK);
    assert_string_equal(ftl_environ_arg(&env, 0), "prog");
}

static void writer_refuses_what_does_not_fit(void **state)
{
    (void)state;
    size_t size;
    void *blob = make_blob(&some_content, &size);
    size_t needed = size;

    for (size_t capacity = 0; capacity < needed; capacity++) {
        void *small = malloc(capacity + 1);
        assert_non_null(small);
        assert_int_equal(ftl_environ_write(small, capacity, &some_content, &size), FTL_ERR_LIMIT);
        free(small);
    }
    void *exact = malloc(needed);
    assert_non_null(exact);
    assert_int_equal(ftl_environ_write(exact, needed, &some_content, &size), FTL_OK);
    assert_memory_equal(exact, blob, needed);
    free(exact);
    free(blob);
}

static void writer_refuses_more_than_a_process_accepts(void **state)
{
    (void)state;
    static char buffer[2 * FTL_ENVIRON_MAX];
    static char word[FTL_ENVIRON_MAX];
    const char *args[] = { word };
    struct ftl_environ_content content = { .args = args, .arg_count = 1 };
    size_t size;
    memset(word, 'x', sizeof(word) - 1);
    assert_int_equal(ftl_environ_write(buffer, sizeof(buffer), &content, &size), FTL_ERR_LIMIT);
}

static void writer_refuses_bad_names(void **state)
{
    (void)state;
    char buffer[512];
    size_t size;
    const char *const vars[] = { "NOVALUE" };
    struct ftl_environ_handle nameless = { "", 1 };
    struct ftl_environ_handle endless = { "", 1 };
    memset(endless.name, 'x', sizeof(endless.name));

    struct ftl_environ_content content = { .vars = vars, .var_count = 1 };
    assert_int_equal(ftl_environ_write(buffer, sizeof(buffer), &content, &size),
                     FTL_ERR_INVALID_ARGUMENT);
    content = (struct ftl_environ_content){ .handles = &nameless, .handle_count = 1 };
    assert_int_equal(ftl_environ_write(buffer, sizeof(buffer), &content, &size),
                     FTL_ERR_INVALID_ARGUMENT);
    content.handles = &endless;
    assert_int_equal(ftl_environ_write(buffer, sizeof(buffer), &content, &size),
                     FTL_ERR_INVALID_ARGUMENT);
}

/* Opens a copy of the blob with one header word replaced. */
static ftl_status_t open_with_word(size_t offset, uint32_t value)
{
    struct ftl_environ env;
    size_t size;
    char *blob = make_blob(&some_content, &size);
    memcpy(blob + offset, &value, sizeof(value));
    ftl_status_t status = ftl_environ_open(&env, blob, size);
    free(blob);
    return status;
}

#define FIELD(name) offsetof(struct ftl_environ_header, name)

static void reader_refuses_a_wrong_header(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        uint32_t value;
    } wrong[] = {
        { FIELD(magic), 0 },
        { FIELD(version), FTL_ENVIRON_VERSION + 1 },
        { FIELD(size), 0 },
        { FIELD(size), UINT32_MAX },
        { FIELD(args_offset), UINT32_MAX },
        { FIELD(arg_count), UINT32_MAX },
        { FIELD(arg_count), 6 }, /* one more than all strings there are */
        { FIELD(vars_offset), UINT32_MAX },
        { FIELD(var_count), 3 },
        { FIELD(handles_offset), UINT32_MAX - 7 },
        { FIELD(handles_offset), 41 }, /* not aligned */
        { FIELD(handle_count), UINT32_MAX },
        { FIELD(handle_count), 4 },
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(open_with_word(wrong[i].offset, wrong[i].value), FTL_ERR_BAD_FORMAT);
    }
}

static void reader_refuses_no_blob(void **state)
{
    (void)state;
    struct ftl_environ env;
    assert_int_equal(ftl_environ_open(&env, NULL, 0), FTL_ERR_BAD_FORMAT);
    assert_int_equal(ftl_environ_open(&env, NULL, 4096), FTL_ERR_BAD_FORMAT);
    assert_null(ftl_environ_arg(&env, 0));
}

static void reader_refuses_every_truncation(void **state)
{
    (void)state;
    size_t size;
    char *blob = make_blob(&some_content, &size);
    for (size_t cut = 0; cut < size; cut++) {
        struct ftl_environ env;
        char *part = malloc(cut + 1);
        assert_non_null(part);
        memcpy(part, blob, cut);
        assert_int_equal(ftl_environ_open(&env, part, cut), FTL_ERR_BAD_FORMAT);
        free(part);
    }
    free(blob);
}

/* Uses all of an environment that the reader accepted. */
static void use(struct ftl_environ *env)
{
    size_t length = 0;
    for (size_t i = 0; i < env->arg_count && i < 100; i++) {
        length += strlen(ftl_environ_arg(env, i));
    }
    for (size_t i = 0; i < env->var_count && i < 100; i++) {
        length += strlen(ftl_environ_var(env, i));
    }
    assert_true(length < FTL_ENVIRON_MAX * 100);
    (void)ftl_environ_find(env, "system");
    (void)ftl_environ_take(env, "nothing");
}

static void reader_stays_inside_any_blob(void **state)
{
    (void)state;
    struct host_random random = { 20261125 };
    size_t size;
    unsigned int accepted = 0;
    char *blob = make_blob(&some_content, &size);
    char *mutated = malloc(size);
    assert_non_null(mutated);

    for (unsigned int round = 0; round < ROUNDS; round++) {
        struct ftl_environ env;
        memcpy(mutated, blob, size);
        for (size_t changes = 1 + host_random_below(&random, 3); changes != 0; changes--) {
            /* Mostly in the header, where it hurts. */
            size_t range =
                host_random_below(&random, 4) != 0 ? sizeof(struct ftl_environ_header) : size;
            mutated[host_random_below(&random, range)] = (char)host_random(&random);
        }
        if (ftl_environ_open(&env, mutated, size) == FTL_OK) {
            accepted++;
            use(&env);
        }
    }
    assert_in_range(accepted, 1, ROUNDS - 1);
    free(mutated);
    free(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_gives_what_was_written),
        cmocka_unit_test(a_handle_can_be_taken_once),
        cmocka_unit_test(an_empty_environment_is_valid),
        cmocka_unit_test(a_blob_may_lie_in_a_larger_buffer),
        cmocka_unit_test(writer_refuses_what_does_not_fit),
        cmocka_unit_test(writer_refuses_more_than_a_process_accepts),
        cmocka_unit_test(writer_refuses_bad_names),
        cmocka_unit_test(reader_refuses_a_wrong_header),
        cmocka_unit_test(reader_refuses_no_blob),
        cmocka_unit_test(reader_refuses_every_truncation),
        cmocka_unit_test(reader_stays_inside_any_blob),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
