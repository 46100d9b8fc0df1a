/*
 * The web server's connections over a pair of sockets of the host: requests as clients send them,
 * whole and in pieces; ranges; paths; and random bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "user/servers/httpd/connection.h"
#include "user/servers/httpd/files.h"
#include "user/servers/httpd/range.h"

#define BLOCK       512
#define ANSWER_MAX  65536
#define FUZZ_ROUNDS 3000

static char archive[16 * BLOCK];
static size_t archive_size;

/* Adds a file to the archive, as tar would. */
static void add_file(const char *name, const char *contents)
{
    char *header = archive + archive_size;
    unsigned sum = 0;
    size_t size = strlen(contents);
    memset(header, 0, BLOCK);
    strcpy(header, name);
    sprintf(header + 100, "%07o", 0644u);
    sprintf(header + 124, "%011zo", size);
    memset(header + 148, ' ', 8);
    header[156] = '0';
    memcpy(header + 257, "ustar\00000", 8);
    for (size_t i = 0; i < BLOCK; i++) {
        sum += (unsigned char)header[i];
    }
    sprintf(header + 148, "%06o", sum);
    memcpy(header + BLOCK, contents, size);
    archive_size += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
}

static int set_up(void **state)
{
    (void)state;
    memset(archive, 0, sizeof(archive));
    archive_size = 0;
    add_file("www/index.html", "<html>home</html>");
    add_file("www/docs/a<b.txt", "0123456789");
    add_file("bin/app.user", "program");
    return files_open(archive, archive_size + 2 * BLOCK) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    files_close();
    return 0;
}

/* ---- A client ---- */

struct client {
    int fd;
    struct connection *connection;
    enum connection_wants wants;
    char answer[ANSWER_MAX];
};

static struct client client;

static void begin(void)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    client.fd = ends[0];
    client.connection = connection_new(ends[1], 0, false);
    assert_non_null(client.connection);
}

static void end(void)
{
    connection_free(client.connection);
    close(client.fd);
}

/* Sends bytes in pieces and returns what comes back. */
static const char *say(const char *bytes, size_t size, size_t piece)
{
    size_t received = 0;
    for (size_t at = 0; at < size; at += piece) {
        size_t count = size - at < piece ? size - at : piece;
        if (send(client.fd, bytes + at, count, MSG_NOSIGNAL) < 0) {
            break;
        }
        client.wants = connection_work(client.connection, 1);
        if (client.wants == CONNECTION_IS_DONE) {
            break;
        }
    }
    for (ssize_t count;
         (count = recv(client.fd, client.answer + received, ANSWER_MAX - 1 - received, 0)) > 0;) {
        received += (size_t)count;
        if (client.wants == CONNECTION_WANTS_ROOM) {
            client.wants = connection_work(client.connection, 1);
        }
    }
    client.answer[received] = '\0';
    return client.answer;
}

/* The answer to one request on a connection of its own, which must not depend on its pieces. */
static const char *ask(const char *request)
{
    static char whole[ANSWER_MAX];
    begin();
    strcpy(whole, say(request, strlen(request), SIZE_MAX / 2));
    end();
    begin();
    const char *answer = say(request, strlen(request), 1);
    assert_string_equal(strchr(answer, ' '), strchr(whole, ' '));
    end();
    return whole;
}

static void expect_status(const char *request, const char *status)
{
    const char *answer = ask(request);
    assert_memory_equal(answer, "HTTP/1.1 ", 9);
    assert_memory_equal(answer + 9, status, 3);
}

static const char *body_of(const char *answer)
{
    return strstr(answer, "\r\n\r\n") + 4;
}

#define HOST "Host: x\r\n"

/* ---- Tests ---- */

static void files_and_indexes_are_served(void **state)
{
    (void)state;
    assert_string_equal(body_of(ask("GET / HTTP/1.1\r\n" HOST "\r\n")), "<html>home</html>");
    assert_string_equal(body_of(ask("GET /index.html?q=1 HTTP/1.0\r\n\r\n")), "<html>home</html>");
    assert_string_equal(body_of(ask("GET /boot/bin/app.user HTTP/1.0\r\n\r\n")), "program");
    assert_string_equal(body_of(ask("GET /docs/a%3Cb.txt HTTP/1.0\r\n\r\n")), "0123456789");
    assert_non_null(strstr(ask("GET /docs/ HTTP/1.0\r\n\r\n"), "a&lt;b.txt"));
    assert_non_null(strstr(ask("GET /docs HTTP/1.0\r\n\r\n"), "Location: /docs/\r\n"));
    assert_string_equal(body_of(ask("HEAD / HTTP/1.1\r\n" HOST "\r\n")), "");
    expect_status("GET /none HTTP/1.0\r\n\r\n", "404");
    expect_status("GET /docs/../../bin/app.user HTTP/1.0\r\n\r\n", "400");
    expect_status("GET /%2e%2e/x HTTP/1.0\r\n\r\n", "400");
    expect_status("GET /%00 HTTP/1.0\r\n\r\n", "400");
    expect_status("GET /%zz HTTP/1.0\r\n\r\n", "400");
}

static void ranges_give_parts(void **state)
{
    (void)state;
    const char *answer = ask("GET /docs/a%3Cb.txt HTTP/1.1\r\n" HOST "Range: bytes=2-4\r\n\r\n");
    assert_memory_equal(answer + 9, "206", 3);
    assert_non_null(strstr(answer, "Content-Range: bytes 2-4/10\r\n"));
    assert_string_equal(body_of(answer), "234");
    answer = ask("GET /docs/a%3Cb.txt HTTP/1.1\r\n" HOST "Range: bytes=10-\r\n\r\n");
    assert_memory_equal(answer + 9, "416", 3);
    assert_non_null(strstr(answer, "Content-Range: bytes */10\r\n"));
    answer =
        ask("GET /docs/a%3Cb.txt HTTP/1.1\r\n" HOST "Range: bytes=2-4\r\nIf-Range: \"x\"\r\n\r\n");
    assert_memory_equal(answer + 9, "200", 3);
}

static void range_values(void **state)
{
    static const struct {
        const char *value;
        enum range_result result;
        size_t first;
        size_t count;
    } cases[] = {
        { "bytes=0-0", RANGE_PART, 0, 1 },
        { "bytes=5-", RANGE_PART, 5, 5 },
        { "bytes=-3", RANGE_PART, 7, 3 },
        { "bytes=-30", RANGE_PART, 0, 10 },
        { "bytes=9-99", RANGE_PART, 9, 1 },
        { "bytes=10-", RANGE_UNSATISFIABLE, 0, 0 },
        { "bytes=-0", RANGE_UNSATISFIABLE, 0, 0 },
        { "bytes=4-2", RANGE_WHOLE, 0, 0 },
        { "bytes=0-1,3-4", RANGE_WHOLE, 0, 0 },
        { "bytes=-", RANGE_WHOLE, 0, 0 },
        { "lines=1-2", RANGE_WHOLE, 0, 0 },
        { "bytes=", RANGE_WHOLE, 0, 0 },
        { "bytes=0-99999999999999999999999", RANGE_PART, 0, 10 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t first = 0;
        size_t count = 0;
        assert_int_equal(range_parse(cases[i].value, 10, &first, &count), cases[i].result);
        if (cases[i].result == RANGE_PART) {
            assert_int_equal(first, cases[i].first);
            assert_int_equal(count, cases[i].count);
        }
    }
}

static void malformed_requests_are_refused(void **state)
{
    static char request[3 * HEAD_SIZE_MAX];
    (void)state;
    expect_status("POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", "405");
    expect_status("FETCH / HTTP/1.1\r\n" HOST "\r\n", "501");
    expect_status("GET / HTTP/3.0\r\n" HOST "\r\n", "505");
    expect_status("GET / HTTP/1.1\r\n\r\n", "400");
    expect_status("GET / HTTP/1.1\r\n" HOST HOST "\r\n", "400");
    expect_status("GET / HTTP/1.1\r\n" HOST "a b: c\r\n\r\n", "400");
    expect_status("GET / HTTP/1.1\r\n" HOST "Content-Length: 70000\r\n\r\n", "413");
    snprintf(request, sizeof(request), "GET /%0*d HTTP/1.1\r\n", URL_SIZE_MAX, 0);
    expect_status(request, "414");
    snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nX: %0*d", 2 * HEAD_SIZE_MAX, 0);
    expect_status(request, "431");
}

static void pipelined_requests_are_all_answered(void **state)
{
    static const char requests[] = "GET / HTTP/1.1\r\n" HOST "\r\n"
                                   "HEAD / HTTP/1.1\r\n" HOST "\r\n"
                                   "GET /none HTTP/1.1\r\n" HOST "\r\n"
                                   "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
    (void)state;
    const char *answer = ask(requests);
    unsigned count = 0;
    for (const char *at = answer; (at = strstr(at, "HTTP/1.1 ")) != NULL; at++) {
        count++;
    }
    assert_int_equal(count, 4);
}

static void slow_clients_are_told(void **state)
{
    (void)state;
    begin();
    say("GET / HT", 8, 8);
    assert_true(connection_deadline(client.connection) <= 1 + REQUEST_TIME);
    connection_expire(client.connection, REQUEST_TIME + 1);
    assert_memory_equal(say("", 0, 1) + 9, "408", 3);
    end();
    begin(); /* between requests there is nothing to say */
    assert_int_equal(connection_expire(client.connection, IDLE_TIME), CONNECTION_IS_DONE);
    end();
}

static void random_bytes_harm_nothing(void **state)
{
    static const char *const words[] = { "GET ",
                                         "/ ",
                                         "HTTP/1.1",
                                         "\r\n",
                                         "\r\n\r\n",
                                         "Host: x",
                                         ":",
                                         "Range: bytes=1-",
                                         "Content-Length: 5",
                                         "chunked",
                                         "Transfer-Encoding: ",
                                         "%",
                                         "\xff" };
    (void)state;
    srand(20261125);
    for (int round = 0; round < FUZZ_ROUNDS; round++) {
        char bytes[400];
        size_t size = 0;
        while (size < 300) {
            const char *word = words[(size_t)rand() % (sizeof(words) / sizeof(words[0]))];
            if (rand() % 8 == 0) {
                bytes[size++] = (char)rand();
            }
            memcpy(bytes + size, word, strlen(word));
            size += strlen(word);
        }
        begin();
        say(bytes, size, 1 + (size_t)rand() % 50);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_and_indexes_are_served),
        cmocka_unit_test(ranges_give_parts),
        cmocka_unit_test(range_values),
        cmocka_unit_test(malformed_requests_are_refused),
        cmocka_unit_test(pipelined_requests_are_all_answered),
        cmocka_unit_test(slow_clients_are_told),
        cmocka_unit_test(random_bytes_harm_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
