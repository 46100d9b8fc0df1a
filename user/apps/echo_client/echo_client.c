/*
 * Talks to the service `echo`, in several ways: see `commands`. What it says ends up on the
 * console, for people and for tests.
 */
#include <ftl/channel.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/object.h>
#include <ftl/protocols/echo.h>
#include <ftl/protocols/echo_stats.h>
#include <ftl/protocols/names.h>
#include <ftl/server.h>
#include <ftl/vmo.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct echo_buffer buffer;

/* Ends the program with a message unless the status is FTL_OK. */
static void require(ftl_status_t status, const char *what)
{
    if (status != FTL_OK) {
        printf("echo_client: %s: %s\n", what, ftl_strerror(status));
        exit(EXIT_FAILURE);
    }
}

static ftl_handle_t connect_or_exit(void)
{
    ftl_handle_t channel;
    require(ftl_service_connect(&echo_protocol, &channel), "connecting");
    return channel;
}

static void expect(bool condition, const char *what)
{
    if (!condition) {
        printf("echo_client: not as it should be: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

/* ---- Commands ---- */

static ftl_status_t try_say(ftl_handle_t channel, const char *text, struct echo_say_reply *reply)
{
    struct echo_say_request request = { .text = text };
    return echo_say(channel, &request, reply, &buffer, FTL_TIME_INFINITE);
}

static int say(const char *text)
{
    struct echo_say_reply reply;
    require(try_say(connect_or_exit(), text, &reply), "say");
    printf("%s (%" PRIu64 ")\n", reply.text, reply.count);
    return EXIT_SUCCESS;
}

static void check_say(ftl_handle_t channel)
{
    static char longest[202];
    struct echo_say_request request = { .text = "abc", .order = ECHO_ORDER_BACKWARD };
    struct echo_say_reply reply;
    memset(longest, 'x', 200);
    for (uint64_t count = 1; count <= 10; count++) {
        require(echo_say(channel, &request, &reply, &buffer, FTL_TIME_INFINITE), "say");
        expect(strcmp(reply.text, "cba") == 0 && reply.count == count, "cba, one more each time");
    }
    require(try_say(channel, longest, &reply), "the longest text");
    expect(strlen(reply.text) == 200, "all of the longest text");
    longest[200] = 'x';
    expect(try_say(channel, longest, &reply) == FTL_ERR_INVALID_ARGUMENT, "a text too long");
    request.order = 7;
    expect(echo_say(channel, &request, &reply, &buffer, FTL_TIME_INFINITE) == FTL_ERR_BAD_FORMAT,
           "no such order");
}

static void check_total(ftl_handle_t channel)
{
    static int64_t numbers[500];
    struct echo_total_request request = { .numbers = numbers, .numbers_count = 500 };
    struct echo_total_reply reply;
    for (int64_t i = 0; i < 500; i++) {
        numbers[i] = i * -1000000007;
    }
    require(echo_total(channel, &request, &reply, &buffer, FTL_TIME_INFINITE), "total");
    expect(reply.total == INT64_C(-1000000007) * (499 * 500 / 2), "the sum");
}

static ftl_status_t try_peek(ftl_handle_t channel, ftl_handle_t memory, uint64_t offset,
                             struct echo_peek_reply *reply)
{
    struct echo_peek_request request = { .memory = memory, .offset = offset, .size = 5 };
    return echo_peek(channel, &request, reply, &buffer, FTL_TIME_INFINITE);
}

static ftl_handle_t copy_of(ftl_handle_t handle, ftl_rights_t rights)
{
    ftl_handle_t copy;
    require(ftl_handle_duplicate(handle, rights, &copy), "handle_duplicate");
    return copy;
}

static void check_peek(ftl_handle_t channel)
{
    struct echo_peek_reply reply;
    ftl_handle_t memory;
    ftl_handle_t other;
    ftl_handle_t another;
    require(ftl_vmo_create(FTL_PAGE_SIZE, &memory), "vmo_create");
    require(ftl_vmo_write(memory, 100, "words", 5), "vmo_write");
    require(try_peek(channel, copy_of(memory, FTL_RIGHTS_SAME), 100, &reply), "peek");
    expect(reply.data_size == 5 && memcmp(reply.data, "words", 5) == 0, "the words");
    expect(try_peek(channel, copy_of(memory, FTL_RIGHTS_SAME), FTL_PAGE_SIZE - 4, &reply) ==
               FTL_ERR_OUT_OF_RANGE,
           "behind the memory's end");
    ftl_rights_t weak = FTL_RIGHT_TRANSFER | FTL_RIGHT_WRITE;
    expect(try_peek(channel, copy_of(memory, weak), 0, &reply) == FTL_ERR_MISSING_RIGHT,
           "memory that is not to be read");
    require(ftl_channel_create(&other, &another), "channel_create");
    expect(try_peek(channel, other, 0, &reply) == FTL_ERR_WRONG_TYPE, "a channel is not memory");
    ftl_handle_close(another);
    ftl_handle_close(memory);
}

/* A call of this version; all that is looked at is the header. */
static ftl_status_t call_in_version(ftl_handle_t channel, uint8_t major, uint8_t minor)
{
    struct ftl_ipc_header header = {
        .protocol = ECHO_PROTOCOL,
        .major = major,
        .minor = minor,
        .ordinal = ECHO_LISTEN,
    };
    struct ftl_message out = { .data = &header, .size = sizeof(header) };
    struct ftl_message in = { .data = buffer.bytes, .capacity = sizeof(buffer.bytes) };
    return ftl_ipc_call(channel, &echo_protocol, ECHO_LISTEN, &out, &in, FTL_TIME_INFINITE);
}

static void check_version(ftl_handle_t channel)
{
    uint8_t major;
    uint8_t minor;
    expect(call_in_version(channel, ECHO_MAJOR + 1, 0) == FTL_ERR_WRONG_VERSION,
           "a server of another version");
    expect(call_in_version(channel, ECHO_MAJOR, ECHO_MINOR + 1) == FTL_ERR_WRONG_VERSION,
           "a server of an older version");
    require(ftl_ipc_version(channel, &echo_protocol, &major, &minor, FTL_TIME_INFINITE), "version");
    expect(major == ECHO_MAJOR && minor == ECHO_MINOR, "the server's version");
}

static void check_shout(ftl_handle_t channel)
{
    struct echo_shout_message message = { .text = "hey" };
    struct echo_heard_event event;
    struct ftl_message in = { .data = buffer.bytes, .capacity = sizeof(buffer.bytes) };
    require(echo_shout(channel, &message, &buffer, FTL_TIME_INFINITE), "shout");
    require(ftl_channel_recv(channel, &in, FTL_TIME_INFINITE), "hearing it");
    require(echo_heard_event_decode(&in, &event), "decoding what is heard");
    expect(strcmp(event.text, "hey") == 0, "hey");
}

static struct echo_stats_get_reply get_stats(void)
{
    struct echo_stats_buffer stats_buffer;
    struct echo_stats_get_reply stats;
    ftl_handle_t channel;
    require(ftl_service_connect(&echo_stats_protocol, &channel), "connecting to echo_stats");
    require(echo_stats_get(channel, &stats, &stats_buffer, FTL_TIME_INFINITE), "get");
    ftl_handle_close(channel);
    return stats;
}

/* All lines that the server has kept, in as many replies as that takes; and the last one. */
static void check_history(ftl_handle_t channel)
{
    struct echo_history_request request = { 0 };
    struct echo_history_reply reply;
    struct echo_shout_message message;
    struct echo_line line;
    static char text[201];
    ftl_handle_t memory;
    memset(text, 'x', 200);
    message.text = text;
    for (unsigned i = 0; i < 40; i++) {
        text[0] = (char)('0' + i % 10);
        require(echo_shout(channel, &message, &buffer, FTL_TIME_INFINITE), "shout");
        struct ftl_message in = { .data = buffer.bytes, .capacity = sizeof(buffer.bytes) };
        require(ftl_channel_recv(channel, &in, FTL_TIME_INFINITE), "hearing it");
    }
    uint64_t shouts = get_stats().shouts;
    uint64_t number = shouts - 32;
    for (unsigned replies = 0; number < shouts; replies++) {
        require(echo_history(channel, &request, &reply, &buffer, FTL_TIME_INFINITE), "history");
        expect(reply.lines.count != 0 && replies < 32, "some lines in each reply");
        while (echo_line_next(&reply.lines, &line)) {
            expect(line.number == number++ && strcmp(line.text + 1, text + 1) == 0, "each line");
        }
        expect(reply.next == number, "where to go on");
        request.from = reply.next;
    }
    expect(number == shouts, "all lines");
    require(ftl_vmo_create(FTL_PAGE_SIZE, &memory), "vmo_create");
    request.copy = copy_of(memory, FTL_RIGHTS_SAME);
    require(echo_history(channel, &request, &reply, &buffer, FTL_TIME_INFINITE), "history");
    expect(reply.lines.count == 0, "no more lines");
    char copied[sizeof(text)];
    require(ftl_vmo_read(memory, 0, copied, sizeof(copied)), "vmo_read");
    expect(strcmp(copied, text) == 0, "the last text");
    ftl_handle_close(memory);
}

/* Every message of the protocols, good and bad. */
static int check(const char *unused)
{
    ftl_handle_t channel = connect_or_exit();
    ftl_handle_t second = connect_or_exit();
    struct echo_say_reply reply;
    (void)unused;
    check_say(channel);
    check_total(channel);
    check_peek(channel);
    check_version(channel);
    check_shout(channel);
    check_history(channel);
    expect(get_stats().clients >= 2, "both are connected");
    require(try_say(second, "", &reply), "say");
    expect(reply.count == 1, "each client is counted for itself");
    puts("all as it should be");
    return EXIT_SUCCESS;
}

static void wait_for_end(ftl_handle_t channel)
{
    struct ftl_wait_item item = { .handle = channel, .interest = FTL_SIGNAL_PEER_CLOSED };
    size_t ready;
    require(ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready), "waiting");
    expect(try_say(channel, "", &(struct echo_say_reply){ 0 }) == FTL_ERR_PEER_CLOSED,
           "a call to a server that has ended");
    ftl_handle_close(channel);
}

/* Stays connected; when the server ends, connects again, this many times. */
static int stay(const char *times)
{
    struct echo_say_reply reply;
    unsigned long count = strtoul(times, NULL, 10);
    for (unsigned long i = 0; i <= count; i++) {
        ftl_handle_t channel = connect_or_exit();
        require(try_say(channel, i == 0 ? "connected" : "connected again", &reply), "say");
        puts(reply.text);
        fflush(stdout);
        if (i < count) {
            wait_for_end(channel);
        }
    }
    return EXIT_SUCCESS;
}

/* Connects for as long as that is possible, waiting for every server's end. */
static int outlive(const char *unused)
{
    ftl_handle_t channel;
    ftl_status_t status;
    struct echo_say_reply reply;
    (void)unused;
    while ((status = ftl_service_connect(&echo_protocol, &channel)) == FTL_OK) {
        if (try_say(channel, "connected", &reply) == FTL_OK) {
            puts("connected");
            fflush(stdout);
            wait_for_end(channel);
        } else {
            ftl_handle_close(channel);
        }
    }
    printf("no more: %s\n", ftl_strerror(status));
    return EXIT_SUCCESS;
}

/* Waits in a call for what somebody shouts; says so, and how the waiting ended. */
static int listen(const char *unused)
{
    struct echo_listen_reply reply;
    ftl_handle_t channel = connect_or_exit();
    (void)unused;
    puts("listening");
    fflush(stdout);
    require(echo_listen(channel, &reply, &buffer, FTL_TIME_INFINITE), "listen");
    printf("somebody shouts %s\n", reply.text);
    return EXIT_SUCCESS;
}

static int shout(const char *text)
{
    struct echo_shout_message message = { .text = text };
    ftl_handle_t channel = connect_or_exit();
    struct echo_say_reply reply;
    require(echo_shout(channel, &message, &buffer, FTL_TIME_INFINITE), "shout");
    require(try_say(channel, "", &reply), "say"); /* the shout was before it */
    return EXIT_SUCCESS;
}

/*
 * What comes of connecting to the service for a protocol, and of asking for another's connection.
 */
static int reach(const char *protocol)
{
    const struct ftl_protocol wanted = { .name = protocol };
    struct names_open_for_request request = { .app = "shell" };
    struct names_buffer names;
    ftl_handle_t channel;
    printf("%s: %s\n", protocol, ftl_strerror(ftl_service_connect(&wanted, &channel)));
    require(ftl_channel_create(&request.server, &channel), "channel_create");
    ftl_status_t status = names_open_for(ftl_environ_find(ftl_environ(), "names"), &request, &names,
                                         FTL_TIME_INFINITE);
    printf("as the shell: %s\n", ftl_strerror(status));
    return EXIT_SUCCESS;
}

static const struct {
    const char *name;
    const char *argument; /* the default one */
    int (*run)(const char *argument);
} commands[] = {
    { "say", "hello", say },    { "check", "", check },   { "stay", "1", stay },
    { "outlive", "", outlive }, { "listen", "", listen }, { "shout", "hey", shout },
    { "reach", "echo", reach },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc > 2 ? argv[2] : commands[i].argument);
        }
    }
    fputs("echo_client: say [TEXT] | check | stay [TIMES] | outlive | listen | shout [TEXT] | "
          "reach [PROTOCOL]\n",
          stderr);
    return 2;
}
