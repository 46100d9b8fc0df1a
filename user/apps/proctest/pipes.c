/* Pipes within one process. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proctest.h"

#define BULK_SIZE ((size_t)1 << 20)

static void make_pipe(int ends[2], int flags)
{
    if (pipe2(ends, flags) != 0) { /* what follows needs it */
        CHECK_EQUAL(errno, 0);
        exit(EXIT_FAILURE);
    }
}

/* What is left of a message stays for the next read; one read may take several messages. */
static void test_rests(void)
{
    int ends[2];
    char buffer[16] = "";
    make_pipe(ends, 0);
    CHECK_EQUAL(write(ends[1], "abcdef", 6), 6);
    CHECK_EQUAL(read(ends[0], buffer, 2), 2);
    CHECK_EQUAL(memcmp(buffer, "ab", 2), 0);
    CHECK_EQUAL(write(ends[1], "gh", 2), 2);
    CHECK_EQUAL(read(ends[0], buffer, sizeof(buffer)), 6);
    CHECK_EQUAL(memcmp(buffer, "cdefgh", 6), 0);

    struct iovec out[] = { { "12", 2 }, { NULL, 0 }, { "345", 3 } };
    char first;
    struct iovec in[] = { { &first, 1 }, { buffer, sizeof(buffer) } };
    CHECK_EQUAL(writev(ends[1], out, 3), 5);
    CHECK_EQUAL(readv(ends[0], in, 2), 5);
    CHECK_EQUAL(first, '1');
    CHECK_EQUAL(memcmp(buffer, "2345", 4), 0);

    CHECK_EQUAL(write(ends[1], "", 0), 0);
    CHECK_EQUAL(write(ends[1], "z", 1), 1);
    CHECK_EQUAL(close(ends[1]), 0);
    CHECK_EQUAL(read(ends[0], buffer, sizeof(buffer)), 1);
    CHECK_EQUAL(read(ends[0], buffer, sizeof(buffer)), 0);
    CHECK_EQUAL(read(ends[0], buffer, sizeof(buffer)), 0);
    CHECK_EQUAL(close(ends[0]), 0);
}

static void test_wrong_use(void)
{
    int ends[2];
    char byte = 0;
    CHECK_ERRNO(pipe2(ends, O_APPEND), EINVAL);
    CHECK_EQUAL(pipe(ends), 0);
    CHECK_ERRNO(read(ends[1], &byte, 1), EBADF);
    CHECK_ERRNO(write(ends[0], &byte, 1), EBADF);
    CHECK_ERRNO(lseek(ends[0], 0, SEEK_SET), ESPIPE);
    CHECK_EQUAL(isatty(ends[0]), 0);
    CHECK_EQUAL(fcntl(ends[0], F_GETFL), O_RDONLY);
    CHECK_EQUAL(fcntl(ends[1], F_GETFL), O_WRONLY);
    CHECK_EQUAL(close(ends[0]), 0);
    CHECK_EQUAL(close(ends[1]), 0);
}

static void test_nonblocking(void)
{
    static char block[PIPE_BUF];
    int ends[2];
    char byte;
    size_t written = 0;
    size_t got = 0;
    ssize_t size;
    make_pipe(ends, O_NONBLOCK | O_CLOEXEC);
    CHECK_EQUAL(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQUAL(fcntl(ends[0], F_GETFL), O_RDONLY | O_NONBLOCK);
    CHECK_ERRNO(read(ends[0], &byte, 1), EAGAIN);
    while ((size = write(ends[1], block, sizeof(block))) > 0) {
        CHECK_EQUAL(size, sizeof(block)); /* whole or not at all */
        written += (size_t)size;
    }
    CHECK_EQUAL(errno, EAGAIN);
    CHECK(written >= (size_t)64 * 1024);
    while ((size = read(ends[0], block, sizeof(block) - 1)) > 0) {
        got += (size_t)size;
    }
    CHECK_EQUAL(errno, EAGAIN);
    CHECK_EQUAL(got, written);
    CHECK_EQUAL(close(ends[1]), 0);
    CHECK_EQUAL(read(ends[0], &byte, 1), 0);
    CHECK_EQUAL(close(ends[0]), 0);
}

static void *write_bulk(void *argument)
{
    const int *end = argument;
    char *data = malloc(BULK_SIZE);
    if (data == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < BULK_SIZE; i++) {
        data[i] = (char)(i ^ i >> 8 ^ i >> 16);
    }
    CHECK_EQUAL(write(*end, data, BULK_SIZE), BULK_SIZE); /* many times what a pipe holds */
    free(data);
    CHECK_EQUAL(close(*end), 0);
    return NULL;
}

static void test_bulk(void)
{
    int ends[2];
    char buffer[5000];
    pthread_t writer;
    size_t total = 0;
    size_t wrong = 0;
    ssize_t size;
    make_pipe(ends, 0);
    CHECK_EQUAL(pthread_create(&writer, NULL, write_bulk, &ends[1]), 0);
    /* Of odd sizes, below and above that of a message. */
    while ((size = read(ends[0], buffer, total % 3 == 0 ? sizeof(buffer) : 777)) > 0) {
        for (size_t i = 0; i < (size_t)size; i++, total++) {
            wrong += buffer[i] != (char)(total ^ total >> 8 ^ total >> 16);
        }
    }
    CHECK_EQUAL(size, 0);
    CHECK_EQUAL(total, BULK_SIZE);
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(pthread_join(writer, NULL), 0);
    CHECK_EQUAL(close(ends[0]), 0);
}

static volatile sig_atomic_t broken_pipes;

static void count_broken_pipe(int signal)
{
    broken_pipes += signal == SIGPIPE;
}

static void test_broken(void)
{
    int ends[2];
    make_pipe(ends, 0);
    CHECK(signal(SIGPIPE, count_broken_pipe) == SIG_DFL);
    CHECK_EQUAL(close(ends[0]), 0);
    CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
    CHECK_EQUAL(broken_pipes, 1);
    CHECK(signal(SIGPIPE, SIG_IGN) == count_broken_pipe);
    CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
    CHECK_EQUAL(broken_pipes, 1);
    CHECK(signal(SIGPIPE, SIG_DFL) == SIG_IGN);
    CHECK_EQUAL(close(ends[1]), 0);
}

void test_pipes(void)
{
    test_rests();
    test_wrong_use();
    test_nonblocking();
    test_bulk();
    test_broken();
}

/* ---- Waiting for several ---- */

static short polled(int fd, short events)
{
    struct pollfd item = { .fd = fd, .events = events };
    CHECK(poll(&item, 1, 0) == (item.revents != 0));
    return item.revents;
}

static void test_poll(void)
{
    int ends[2];
    char buffer[8];
    make_pipe(ends, 0);
    CHECK_EQUAL(polled(ends[0], POLLIN), 0);
    CHECK_EQUAL(polled(ends[1], POLLOUT), POLLOUT);
    CHECK_EQUAL(write(ends[1], "abc", 3), 3);
    CHECK_EQUAL(polled(ends[0], POLLIN), POLLIN);
    CHECK_EQUAL(read(ends[0], buffer, 1), 1);
    CHECK_EQUAL(polled(ends[0], POLLIN), POLLIN); /* the rest */
    CHECK_EQUAL(close(ends[1]), 0);
    CHECK_EQUAL(polled(ends[0], POLLIN), POLLIN | POLLHUP);
    CHECK_EQUAL(read(ends[0], buffer, sizeof(buffer)), 2);
    CHECK_EQUAL(polled(ends[0], POLLIN), POLLHUP);
    CHECK_EQUAL(close(ends[0]), 0);
    make_pipe(ends, 0);
    CHECK_EQUAL(close(ends[0]), 0);
    CHECK_EQUAL(polled(ends[1], POLLOUT), POLLOUT | POLLERR);
    CHECK_EQUAL(close(ends[1]), 0);
}

static void *write_one(void *argument)
{
    const int *end = argument;
    CHECK_EQUAL(write(*end, "!", 1), 1);
    return NULL;
}

/* Sleeps in each kind of wait until another thread writes. */
static void test_sleeping(void)
{
    int first[2];
    int second[2];
    char byte;
    pthread_t writer;
    make_pipe(first, 0);
    make_pipe(second, 0);
    struct pollfd items[] = { { .fd = first[0], .events = POLLIN },
                              { .fd = second[0], .events = POLLIN } };
    CHECK_EQUAL(pthread_create(&writer, NULL, write_one, &second[1]), 0);
    CHECK_EQUAL(poll(items, 2, -1), 1);
    CHECK_EQUAL(items[0].revents, 0);
    CHECK_EQUAL(items[1].revents, POLLIN);
    CHECK_EQUAL(read(second[0], &byte, 1), 1);
    CHECK_EQUAL(pthread_join(writer, NULL), 0);

    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(first[0], &readable);
    FD_SET(second[0], &readable);
    CHECK_EQUAL(pthread_create(&writer, NULL, write_one, &first[1]), 0);
    CHECK_EQUAL(select(second[0] + 1, &readable, NULL, NULL, NULL), 1);
    CHECK(FD_ISSET(first[0], &readable));
    CHECK_EQUAL(pthread_join(writer, NULL), 0);

    int epoll = epoll_create1(0);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = second[0] };
    CHECK_EQUAL(epoll_ctl(epoll, EPOLL_CTL_ADD, second[0], &event), 0);
    CHECK_EQUAL(epoll_wait(epoll, &event, 1, 0), 0);
    CHECK_EQUAL(pthread_create(&writer, NULL, write_one, &second[1]), 0);
    CHECK_EQUAL(epoll_wait(epoll, &event, 1, -1), 1);
    CHECK_EQUAL(event.data.fd, second[0]);
    CHECK_EQUAL(event.events, EPOLLIN);
    CHECK_EQUAL(pthread_join(writer, NULL), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(close(first[i]), 0);
        CHECK_EQUAL(close(second[i]), 0);
    }
    CHECK_EQUAL(epoll_wait(epoll, &event, 1, 0), 0); /* closing has taken it out */
    CHECK_EQUAL(close(epoll), 0);
}

void test_polling(void)
{
    test_poll();
    test_sleeping();
}
