/*
 * kernel/log.c: the log's ring, its console output, readers. The ring is never emptied: tests go on
 * from its end.
 */
#include "host/test.h"

#include <pthread.h>
#include <stdio.h>

#include "arch/hart.h"
#include "arch/timer.h"
#include "host/console.h"
#include "kernel/log.h"

#define RING_SIZE 65536
#define LINE_MAX  512
#define MSEC      ((nsec_t)1000000)

static char buffer[2 * RING_SIZE];

static int setup(void **state)
{
    (void)state;
    host_console_clear();
    host_time = 0;
    host_hart_index = 0;
    return 0;
}

/* The position after the last line. */
static uint64_t log_end(void)
{
    uint64_t position = 0;
    while (log_read(&position, buffer, sizeof(buffer)) > 0) {
    }
    return position;
}

/* Reads all kept from `position` on, as a string. */
static const char *read_all(uint64_t position)
{
    size_t size = log_read(&position, buffer, sizeof(buffer) - 1);
    buffer[size] = '\0';
    return buffer;
}

static void log_line_has_time_and_hart(void **state)
{
    (void)state;
    uint64_t position = log_end();
    log_line("hello %s", "world");
    host_time = 1234567 * (MSEC / 1000);
    host_hart_index = 3;
    log_line("%d%%", 50);
    host_time = 123456 * 1000 * MSEC + 999;
    log_line("late");
    const char *lines = "[    0.000000 h0] hello world\n"
                        "[    1.234567 h3] 50%\n"
                        "[123456.000000 h3] late\n";
    assert_string_equal(host_console, lines);
    assert_int_equal(host_console_writes, 3); /* each line whole */
    assert_string_equal(read_all(position), lines);
}

static void log_line_too_long_is_cut_and_marked(void **state)
{
    (void)state;
    char longest[2 * LINE_MAX];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    log_line("%s", longest);
    assert_int_equal(host_console_size, LINE_MAX - 1);
    assert_string_equal(host_console + host_console_size - 5, "x...\n");

    /* The longest that fits is not cut. */
    host_console_clear();
    size_t prefix = strlen("[    0.000000 h0] ");
    log_line("%.*s", (int)(LINE_MAX - 2 - 1 - prefix), longest);
    assert_string_equal(host_console + host_console_size - 2, "x\n");
}

static void log_read_gives_pieces_of_any_size(void **state)
{
    (void)state;
    uint64_t position = log_end();
    size_t total = 0;
    log_line("in pieces");
    for (char piece[7]; total < host_console_size;) {
        size_t size = log_read(&position, piece, sizeof(piece));
        assert_in_range(size, 1, sizeof(piece));
        assert_memory_equal(piece, host_console + total, size);
        total += size;
    }
    assert_int_equal(log_read(&position, buffer, sizeof(buffer)), 0);
    assert_int_equal(log_read(&position, buffer, 0), 0);
    log_line("more");
    assert_true(log_read(&position, buffer, sizeof(buffer)) > 0);
}

static void log_read_past_the_end_gives_nothing(void **state)
{
    (void)state;
    uint64_t position = log_end() + 1000;
    assert_int_equal(log_read(&position, buffer, sizeof(buffer)), 0);
    position = UINT64_MAX;
    assert_int_equal(log_read(&position, buffer, sizeof(buffer)), 0);
}

static void log_ring_keeps_the_newest_lines_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        log_line("line %u %.*s", i, (int)(i % 50),
                 "..................................................");
    }
    uint64_t position = 0;
    size_t size = log_read(&position, buffer, sizeof(buffer));
    assert_in_range(size, RING_SIZE - LINE_MAX, RING_SIZE);
    assert_int_equal(buffer[0], '['); /* the start of a line */
    assert_memory_equal(buffer, host_console + host_console_size - size, size);
    assert_int_equal(position, log_end());
}

static void log_read_goes_on_at_the_oldest_kept_line(void **state)
{
    (void)state;
    uint64_t slow = log_end();
    log_line("lost");
    for (int i = 0; i < 4000; i++) {
        log_line("%d", i);
    }
    size_t size = log_read(&slow, buffer, 30);
    assert_int_equal(size, 30);
    assert_int_equal(buffer[0], '[');
    size_t rest = log_read(&slow, buffer, sizeof(buffer));
    assert_memory_equal(buffer, host_console + host_console_size - rest, rest);
}

#define THREADS 4
#define LINES   2000

static void *log_many(void *argument)
{
    host_hart_index = (unsigned)(uintptr_t)argument;
    for (int i = 0; i < LINES; i++) {
        log_line("thread %u line %d", host_hart_index, i);
    }
    return NULL;
}

static void log_lines_of_many_harts_do_not_mix(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int next[THREADS] = { 0 };
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(host_console_writes, THREADS * LINES);
    for (char *line = strtok(host_console, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        unsigned hart;
        unsigned thread;
        int number;
        int length = 0;
        assert_int_equal(
            sscanf(line, "[ 0.000000 h%u] thread %u line %d%n", &hart, &thread, &number, &length),
            3);
        assert_int_equal(line[length], '\0');
        assert_int_equal(hart, thread);
        assert_int_equal(number, next[thread]++);
    }
    uint64_t position = 0;
    size_t size = log_read(&position, buffer, sizeof(buffer));
    assert_in_range(size, RING_SIZE - LINE_MAX, RING_SIZE);
}

/* Last, since a panic is for ever. */
static void log_works_in_a_panic_with_its_lock_held(void **state)
{
    (void)state;
    uint64_t position = log_end();
    log_enter_panic();
    log_line("panic");
    assert_string_equal(host_console, "[    0.000000 h0] panic\n");
    assert_string_equal(read_all(position), host_console);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(log_line_has_time_and_hart, setup),
        cmocka_unit_test_setup(log_line_too_long_is_cut_and_marked, setup),
        cmocka_unit_test_setup(log_read_gives_pieces_of_any_size, setup),
        cmocka_unit_test_setup(log_read_past_the_end_gives_nothing, setup),
        cmocka_unit_test_setup(log_ring_keeps_the_newest_lines_whole, setup),
        cmocka_unit_test_setup(log_read_goes_on_at_the_oldest_kept_line, setup),
        cmocka_unit_test_setup(log_lines_of_many_harts_do_not_mix, setup),
        cmocka_unit_test_setup(log_works_in_a_panic_with_its_lock_held, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
