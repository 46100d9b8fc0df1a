/*
 * user/servers/tcpip on the host, with lwIP: two clients with slots of the host's memory, whose
 * sockets talk to each other over lwIP's loopback interface. What a client writes into its slots
 * that cannot be, and calls that make no sense, harm nobody else.
 */
#include "host/test.h"

#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/protocols/socket.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>

#include "user/servers/tcpip/server.h"
#include "user/servers/tcpip/socket.h"

#define HANDLES   1024u
#define SLOTS     4u
#define PORT      7u
#define RING_MASK (FTL_SOCKET_RING_SIZE - 1)

static struct {
    bool open[HANDLES];
    uint64_t bits[HANDLES];         /* of notifications */
    void *memory[HANDLES];          /* of VMOs */
    struct ftl_source *attached[2]; /* doorbells */
    size_t mapped;
    uint32_t now; /* ms */
} fake;

/* ---- The system ---- */

const struct ftl_protocol socket_protocol = { .name = "socket" };

static ftl_handle_t make_handle(void)
{
    ftl_handle_t handle = 1;
    while (fake.open[handle]) {
        handle++;
    }
    assert_true(handle < HANDLES);
    fake.open[handle] = true;
    fake.bits[handle] = 0;
    return handle;
}

static size_t open_handles(void)
{
    size_t count = 0;
    for (size_t i = 0; i < HANDLES; i++) {
        count += fake.open[i];
    }
    return count;
}

ftl_status_t ftl_handle_close(ftl_handle_t handle)
{
    assert_true(handle < HANDLES && fake.open[handle]);
    fake.open[handle] = false;
    return FTL_OK;
}

ftl_handle_t ftl_ipc_take(ftl_handle_t *handle)
{
    ftl_handle_t taken = *handle;
    *handle = FTL_HANDLE_INVALID;
    return taken;
}

ftl_status_t ftl_notification_signal(ftl_handle_t handle, uint64_t bits)
{
    assert_true(fake.open[handle]);
    fake.bits[handle] |= bits;
    return FTL_OK;
}

ftl_status_t ftl_notification_clear(ftl_handle_t handle, uint64_t bits, uint64_t *former)
{
    *former = fake.bits[handle] & bits;
    fake.bits[handle] &= ~bits;
    return FTL_OK;
}

ftl_status_t ftl_vmo_size(ftl_handle_t vmo, uint64_t *size)
{
    *size = fake.memory[vmo] != NULL ? FTL_SOCKET_MEMORY_SIZE : FTL_PAGE_SIZE;
    return FTL_OK;
}

ftl_status_t ftl_vmo_write(ftl_handle_t vmo, uint64_t offset, const void *data, size_t size)
{
    memcpy((char *)fake.memory[vmo] + offset, data, size);
    return FTL_OK;
}

ftl_status_t ftl_vmspace_self(ftl_handle_t *vmspace)
{
    *vmspace = make_handle();
    return FTL_OK;
}

ftl_status_t ftl_vmspace_map(ftl_handle_t vmspace, ftl_handle_t vmo, uint64_t offset, uint64_t size,
                             uint32_t permissions, uintptr_t address, uintptr_t *mapped)
{
    (void)permissions;
    assert_true(fake.open[vmspace] && offset == 0 && address == 0);
    assert_int_equal(size, FTL_SOCKET_MEMORY_SIZE);
    *mapped = (uintptr_t)fake.memory[vmo];
    fake.mapped++;
    return FTL_OK;
}

ftl_status_t ftl_vmspace_unmap(ftl_handle_t vmspace, uintptr_t address, uint64_t size)
{
    assert_true(fake.open[vmspace] && address != 0);
    assert_int_equal(size, FTL_SOCKET_MEMORY_SIZE);
    fake.mapped--;
    return FTL_OK;
}

ftl_status_t ftl_mainloop_add(struct ftl_mainloop *loop, struct ftl_source *source,
                              ftl_handle_t handle, uint32_t interest, ftl_source_handler_t handler,
                              void *context)
{
    (void)interest;
    *source = (struct ftl_source){ handle, handler, context, loop, 0 };
    fake.attached[fake.attached[0] != NULL] = source;
    return FTL_OK;
}

void ftl_mainloop_remove(struct ftl_source *source)
{
    for (size_t i = 0; i < 2; i++) {
        if (fake.attached[i] == source) {
            fake.attached[i] = NULL;
        }
    }
}

uint32_t sys_now(void)
{
    return fake.now;
}

uint32_t tcpip_random(void)
{
    static uint32_t number;
    return number += 0x9e3779b9u;
}

_Noreturn void tcpip_assertion_failed(const char *message, const char *file, int line)
{
    fail_msg("%s:%d: %s", file, line, message);
    abort();
}

/* ---- Clients ---- */

struct peer {
    struct ftl_client *client;
    struct ftl_source *doorbell;
    struct ftl_socket_memory *memory[SLOTS];
    ftl_handle_t vmo[SLOTS];
    uint32_t received[SLOTS]; /* positions */
    uint32_t sent[SLOTS];
};

static const struct socket_handlers *handlers;
static struct ftl_mainloop loop;
static struct peer peers[2];

static void come(struct peer *peer)
{
    memset(peer, 0, sizeof(*peer));
    peer->client = calloc(1, sizeof(*peer->client) + socket_server.state_size);
    peer->client->server = &socket_server;
    socket_server.opened(peer->client);
    struct socket_attach_request attach = { .doorbell = make_handle() };
    size_t index = fake.attached[0] != NULL;
    assert_int_equal(handlers->attach(peer->client, &attach), FTL_OK);
    peer->doorbell = fake.attached[index];
    for (uint32_t i = 0; i < SLOTS; i++) {
        ftl_handle_t vmo = make_handle();
        fake.memory[vmo] = aligned_alloc(FTL_PAGE_SIZE, FTL_SOCKET_MEMORY_SIZE);
        memset(fake.memory[vmo], 0, FTL_SOCKET_MEMORY_SIZE);
        struct socket_add_slot_request request = { vmo, make_handle(), make_handle() };
        struct socket_add_slot_reply reply;
        assert_int_equal(handlers->add_slot(peer->client, &request, &reply), FTL_OK);
        assert_int_equal(reply.slot, i);
        peer->memory[i] = fake.memory[vmo];
        peer->vmo[i] = vmo;
    }
}

static void go(struct peer *peer)
{
    socket_server.closed(peer->client);
    free(peer->client);
}

/* What is left of it, once the stack has let go of its slots. */
static void bury(struct peer *peer)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        free(fake.memory[peer->vmo[i]]);
        fake.memory[peer->vmo[i]] = NULL;
        ftl_handle_close(peer->vmo[i]);
    }
}

static void ring(struct peer *peer, uint32_t slot)
{
    __atomic_store_n(&peer->memory[slot]->rung, 1, __ATOMIC_RELAXED);
    ftl_notification_signal(peer->doorbell->handle, UINT64_C(1) << slot);
    peer->doorbell->handler(peer->doorbell, FTL_SIGNAL_READABLE);
}

/* Lets packets and some time pass. */
static void run(uint32_t ms)
{
    for (uint32_t end = fake.now + ms; (int32_t)(end - fake.now) >= 0; fake.now += 50) {
        for (unsigned i = 0; i < 4; i++) {
            netif_poll_all();
        }
        sys_check_timeouts();
    }
}

static ftl_status_t open_socket(struct peer *peer, uint32_t slot, enum socket_kind kind)
{
    struct socket_open_request request = { slot, SOCKET_FAMILY_IPV4, (uint8_t)kind };
    peer->received[slot] = 0;
    peer->sent[slot] = 0;
    peer->memory[slot]->ready = 0;
    peer->memory[slot]->received.tail = 0;
    peer->memory[slot]->sent.head = 0;
    return handlers->open(peer->client, &request);
}

static struct socket_address loopback(uint16_t port)
{
    return (struct socket_address){ .bytes = { 127, 0, 0, 1 },
                                    .port = port,
                                    .family = SOCKET_FAMILY_IPV4 };
}

static ftl_status_t bind_socket(struct peer *peer, uint32_t slot, uint16_t port)
{
    struct socket_bind_request request = { slot, loopback(port) };
    return handlers->bind(peer->client, &request);
}

static ftl_status_t connect_socket(struct peer *peer, uint32_t slot, uint16_t port)
{
    struct socket_connect_request request = { slot, loopback(port) };
    return handlers->connect(peer->client, &request);
}

static ftl_status_t accept_socket(struct peer *peer, uint32_t slot, uint32_t into)
{
    struct socket_accept_request request = { slot, into };
    struct socket_accept_reply reply;
    peer->received[into] = 0;
    peer->sent[into] = 0;
    peer->memory[into]->ready = 0;
    peer->memory[into]->received.tail = 0;
    peer->memory[into]->sent.head = 0;
    return handlers->accept(peer->client, &request, &reply);
}

static void close_socket(struct peer *peer, uint32_t slot)
{
    struct socket_close_request request = { slot };
    assert_int_equal(handlers->close(peer->client, &request), FTL_OK);
}

/* Slot 0 of the first peer listens, its slot 1 is connected with slot 0 of the second. */
static void make_connection(void)
{
    struct socket_listen_request request = { 0, 4 };
    assert_int_equal(open_socket(&peers[0], 0, SOCKET_KIND_STREAM), FTL_OK);
    assert_int_equal(bind_socket(&peers[0], 0, PORT), FTL_OK);
    assert_int_equal(handlers->listen(peers[0].client, &request), FTL_OK);
    assert_int_equal(accept_socket(&peers[0], 0, 1), FTL_ERR_WOULD_BLOCK);
    assert_int_equal(open_socket(&peers[1], 0, SOCKET_KIND_STREAM), FTL_OK);
    assert_int_equal(connect_socket(&peers[1], 0, PORT), FTL_OK);
    run(100);
    assert_true((peers[1].memory[0]->state & FTL_SOCKET_CONNECTED) != 0);
    assert_true((peers[0].memory[0]->state & FTL_SOCKET_PENDING) != 0);
    assert_int_equal(accept_socket(&peers[0], 0, 1), FTL_OK);
}

static uint32_t send_some(struct peer *peer, uint32_t slot, uint32_t size, uint8_t *next)
{
    struct ftl_socket_memory *memory = peer->memory[slot];
    uint32_t room = FTL_SOCKET_RING_SIZE - (peer->sent[slot] - memory->sent.tail);
    size = size < room ? size : room;
    for (uint32_t i = 0; i < size; i++) {
        memory->sent_data[peer->sent[slot]++ & RING_MASK] = (char)(*next)++;
    }
    memory->sent.head = peer->sent[slot];
    ring(peer, slot);
    return size;
}

static uint32_t receive_all(struct peer *peer, uint32_t slot, uint8_t *next)
{
    struct ftl_socket_memory *memory = peer->memory[slot];
    uint32_t size = memory->received.head - peer->received[slot];
    assert_true(size <= FTL_SOCKET_RING_SIZE);
    for (uint32_t i = 0; i < size; i++) {
        assert_int_equal((uint8_t)memory->received_data[peer->received[slot]++ & RING_MASK],
                         (*next)++);
    }
    memory->received.tail = peer->received[slot];
    memory->ready = 0;
    ring(peer, slot);
    return size;
}

/* Sends so much from one to the other, in pieces of all sizes. */
static void carry(struct peer *from, uint32_t out, struct peer *to, uint32_t in, uint32_t size)
{
    struct host_random random = { 4711 };
    uint8_t sent = 0;
    uint8_t received = 0;
    uint32_t left = size;
    uint32_t come = 0;
    for (unsigned rounds = 0; come < size; rounds++) {
        assert_true(rounds < 100000);
        uint32_t piece = (uint32_t)host_random_below(&random, 30000);
        left -= send_some(from, out, piece < left ? piece : left, &sent);
        run(50);
        come += receive_all(to, in, &received);
    }
    assert_int_equal(come, size);
}

static int set_up(void **state)
{
    (void)state;
    come(&peers[0]);
    come(&peers[1]);
    return 0;
}

/* Nothing stays of clients that have gone. */
static int tear_down(void **state)
{
    (void)state;
    go(&peers[0]);
    go(&peers[1]);
    run(200000); /* what lingers is given up, what is remembered is forgotten */
    assert_int_equal(fake.mapped, 0);
    bury(&peers[0]);
    bury(&peers[1]);
    assert_int_equal(open_handles(), 0);
    assert_null(fake.attached[0]);
    assert_null(fake.attached[1]);
    return 0;
}

/* ---- Tests ---- */

static void streams_carry_bytes_in_both_directions(void **state)
{
    (void)state;
    make_connection();
    carry(&peers[1], 0, &peers[0], 1, 500000);
    carry(&peers[0], 1, &peers[1], 0, 500000);
    close_socket(&peers[1], 0);
    run(1000);
    assert_true((peers[0].memory[1]->state & FTL_SOCKET_ENDED) != 0);
    close_socket(&peers[0], 1);
    run(1000);
    assert_true((peers[0].memory[1]->ready & FTL_SOCKET_UNUSED) != 0);
    assert_true((peers[1].memory[0]->ready & FTL_SOCKET_UNUSED) != 0);
}

static void a_reader_that_does_not_read_stops_the_writer(void **state)
{
    uint8_t next = 0;
    uint32_t sent = 0;
    (void)state;
    make_connection();
    for (unsigned i = 0; i < 100; i++) {
        sent += send_some(&peers[1], 0, FTL_SOCKET_RING_SIZE, &next);
        run(100);
    }
    assert_true(sent <= 2 * FTL_SOCKET_RING_SIZE);
    assert_true(peers[0].memory[1]->received.head <= FTL_SOCKET_RING_SIZE);
    next = 0;
    uint32_t come = 0;
    for (unsigned i = 0; i < 1000 && come < sent; i++) {
        come += receive_all(&peers[0], 1, &next);
        run(100);
    }
    assert_int_equal(come, sent);
}

static void impossible_positions_end_the_connection_and_no_other(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        make_connection();
        struct ftl_socket_memory *memory = peers[1].memory[0];
        uint8_t next = 0;
        send_some(&peers[1], 0, 100, &next);
        switch (i) {
        case 0: memory->sent.head += FTL_SOCKET_RING_SIZE + 1; break;
        case 1: memory->sent.head -= 50; break;   /* takes back what is on its way */
        case 2: memory->received.tail = 1; break; /* has taken what never came */
        default: memory->received.tail = UINT32_MAX; break;
        }
        ring(&peers[1], 0);
        assert_int_equal(memory->error, FTL_ERR_BAD_FORMAT);
        assert_true((memory->state & FTL_SOCKET_LOST) != 0);
        run(1000);
        assert_int_equal(peers[0].memory[1]->error, FTL_ERR_PEER_CLOSED); /* as of any reset */
        close_socket(&peers[1], 0);
        close_socket(&peers[0], 1);
        close_socket(&peers[0], 0);
        run(1000);
    }
    make_connection();
    carry(&peers[1], 0, &peers[0], 1, 10000);
}

static void put_record(struct peer *peer, uint32_t slot, const struct ftl_socket_record *record,
                       uint32_t space)
{
    struct ftl_socket_memory *memory = peer->memory[slot];
    char bytes[sizeof(*record)];
    memcpy(bytes, record, sizeof(bytes));
    for (uint32_t i = 0; i < sizeof(bytes); i++) {
        memory->sent_data[(peer->sent[slot] + i) & RING_MASK] = bytes[i];
    }
    peer->sent[slot] += space;
    memory->sent.head = peer->sent[slot];
}

static void datagrams_are_records(void **state)
{
    struct ftl_socket_record record = {
        .size = 300, .port = PORT, .family = SOCKET_FAMILY_IPV4, .address = { 127, 0, 0, 1 }
    };
    (void)state;
    assert_int_equal(open_socket(&peers[0], 0, SOCKET_KIND_DATAGRAM), FTL_OK);
    assert_int_equal(bind_socket(&peers[0], 0, PORT), FTL_OK);
    assert_int_equal(open_socket(&peers[1], 0, SOCKET_KIND_DATAGRAM), FTL_OK);
    struct ftl_socket_memory *memory = peers[0].memory[0];
    for (unsigned i = 0; i < 1000; i++) { /* around the rings some times */
        put_record(&peers[1], 0, &record, ftl_socket_record_space(record.size));
        ring(&peers[1], 0);
        run(0);
        assert_int_equal(memory->received.head - peers[0].received[0],
                         ftl_socket_record_space(record.size));
        peers[0].received[0] = memory->received.head;
        memory->received.tail = memory->received.head;
    }
    for (unsigned i = 0; i < 1000; i++) { /* nobody reads: what does not fit is lost */
        put_record(&peers[1], 0, &record, ftl_socket_record_space(record.size));
        ring(&peers[1], 0);
        run(0);
    }
    assert_true(memory->received.head - peers[0].received[0] <= FTL_SOCKET_RING_SIZE);
    assert_int_equal(memory->error, FTL_OK);
}

static void records_that_cannot_be_end_the_socket(void **state)
{
    static const struct {
        uint32_t size;
        uint32_t space;
    } cases[] = {
        { FTL_SOCKET_DATAGRAM_MAX + 1, 60000 },
        { 1000, 1000 },
        { UINT32_MAX, 64 },
        { UINT32_MAX - 40, 64 },
        { 0, 70000 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ftl_socket_record record = { .size = cases[i].size, .port = PORT };
        assert_int_equal(open_socket(&peers[1], 0, SOCKET_KIND_DATAGRAM), FTL_OK);
        put_record(&peers[1], 0, &record, cases[i].space);
        ring(&peers[1], 0);
        assert_int_equal(peers[1].memory[0]->error, FTL_ERR_BAD_FORMAT);
        close_socket(&peers[1], 0);
    }
}

static ftl_status_t set_option(uint32_t slot, enum socket_option option, int32_t value)
{
    struct socket_set_option_request request = { .slot = slot,
                                                 .option = (uint8_t)option,
                                                 .value = value };
    return handlers->set_option(peers[0].client, &request);
}

static int32_t get_option(uint32_t slot, enum socket_option option)
{
    struct socket_get_option_request request = { slot, (uint8_t)option };
    struct socket_get_option_reply reply = { 0 };
    assert_int_equal(handlers->get_option(peers[0].client, &request, &reply), FTL_OK);
    return reply.value;
}

static void options_are_what_they_were_set_to(void **state)
{
    static const struct {
        enum socket_kind kind;
        enum socket_option option;
        int32_t values[2];
        int32_t refused; /* 0: there is no such value */
    } cases[] = {
        { SOCKET_KIND_STREAM, SOCKET_OPTION_REUSE_ADDRESS, { 1, 0 }, 0 },
        { SOCKET_KIND_STREAM, SOCKET_OPTION_KEEP_ALIVE, { 1, 0 }, 0 },
        { SOCKET_KIND_STREAM, SOCKET_OPTION_NO_DELAY, { 1, 0 }, 0 },
        { SOCKET_KIND_STREAM, SOCKET_OPTION_TTL, { 1, 255 }, 256 },
        { SOCKET_KIND_STREAM, SOCKET_OPTION_LINGER, { 5, -1 }, 0 },
        { SOCKET_KIND_STREAM, SOCKET_OPTION_KEEP_IDLE, { 1, 32767 }, -1 },
        { SOCKET_KIND_STREAM, SOCKET_OPTION_KEEP_INTERVAL, { 1, 60 }, 32768 },
        { SOCKET_KIND_STREAM, SOCKET_OPTION_KEEP_COUNT, { 1, 9 }, -1 },
        { SOCKET_KIND_DATAGRAM, SOCKET_OPTION_REUSE_ADDRESS, { 1, 0 }, 0 },
        { SOCKET_KIND_DATAGRAM, SOCKET_OPTION_BROADCAST, { 1, 0 }, 0 },
        { SOCKET_KIND_DATAGRAM, SOCKET_OPTION_TTL, { 64, 1 }, -1 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(open_socket(&peers[0], 0, cases[i].kind), FTL_OK);
        for (size_t j = 0; j < 2; j++) {
            assert_int_equal(set_option(0, cases[i].option, cases[i].values[j]), FTL_OK);
            assert_int_equal(get_option(0, cases[i].option), cases[i].values[j]);
        }
        if (cases[i].refused != 0) {
            assert_int_equal(set_option(0, cases[i].option, cases[i].refused),
                             FTL_ERR_INVALID_ARGUMENT);
        }
        assert_int_equal(get_option(0, SOCKET_OPTION_ACCEPTING), 0);
        close_socket(&peers[0], 0);
    }
    assert_int_equal(open_socket(&peers[0], 0, SOCKET_KIND_ECHO), FTL_OK);
    assert_int_equal(set_option(0, SOCKET_OPTION_NO_DELAY, 1), FTL_ERR_NOT_SUPPORTED);
    assert_int_equal(set_option(0, SOCKET_OPTION_TTL, 3), FTL_OK);
}

static void calls_about_what_is_not_there_are_refused(void **state)
{
    struct socket_close_request nothing = { SLOTS };
    struct socket_listen_request listen = { 0, 1 };
    (void)state;
    assert_int_equal(handlers->close(peers[0].client, &nothing), FTL_ERR_NOT_FOUND);
    nothing.slot = 0;
    assert_int_equal(handlers->close(peers[0].client, &nothing), FTL_ERR_NOT_FOUND);
    assert_int_equal(bind_socket(&peers[0], 1, PORT), FTL_ERR_NOT_FOUND);
    assert_int_equal(open_socket(&peers[0], 0, SOCKET_KIND_DATAGRAM), FTL_OK);
    assert_int_equal(open_socket(&peers[0], 0, SOCKET_KIND_STREAM), FTL_ERR_BAD_STATE);
    assert_int_equal(handlers->listen(peers[0].client, &listen), FTL_ERR_NOT_SUPPORTED);
    assert_int_equal(accept_socket(&peers[0], 0, 1), FTL_ERR_NOT_SUPPORTED);
    assert_int_equal(bind_socket(&peers[0], 0, PORT), FTL_OK);
    assert_int_equal(open_socket(&peers[1], 0, SOCKET_KIND_DATAGRAM), FTL_OK);
    assert_int_equal(bind_socket(&peers[1], 0, PORT), FTL_ERR_EXISTS);
}

/* Word by word, as RFC 1071 has it. */
static uint16_t sum_words(const uint8_t *bytes, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum += (uint32_t)bytes[i] << (i % 2 * 8);
        sum = (sum >> 16) + (sum & UINT16_MAX);
    }
    return (uint16_t)sum;
}

static void checksums_are_those_of_the_words(void **state)
{
    struct host_random random = { 1071 };
    uint8_t bytes[2048];
    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        size_t start = host_random_below(&random, 16);
        size_t size = host_random_below(&random, i < 1000 ? 80 : sizeof(bytes) - start);
        for (size_t j = 0; j < size; j++) {
            bytes[start + j] = i % 3 == 0 ? UINT8_MAX : (uint8_t)host_random(&random);
        }
        assert_int_equal(tcpip_checksum(bytes + start, (int)size), sum_words(bytes + start, size));
    }
}

/* One call of a client that knows no sense. */
static void call_anything(struct peer *peer, struct host_random *random)
{
    uint32_t slot = (uint32_t)host_random_below(random, SLOTS + 1);
    uint32_t other = (uint32_t)host_random_below(random, SLOTS);
    switch (host_random_below(random, 8)) {
    case 0: {
        struct socket_open_request request = { slot, SOCKET_FAMILY_IPV4,
                                               (uint8_t)host_random_below(random, 3) };
        handlers->open(peer->client, &request);
        break;
    }
    case 1: {
        struct socket_close_request request = { slot };
        handlers->close(peer->client, &request);
        break;
    }
    case 2: {
        struct socket_bind_request request = { slot,
                                               loopback((uint16_t)host_random_below(random, 9)) };
        handlers->bind(peer->client, &request);
        break;
    }
    case 3: {
        struct socket_listen_request request = { slot, (uint32_t)host_random_below(random, 4) };
        handlers->listen(peer->client, &request);
        break;
    }
    case 4: {
        struct socket_accept_request request = { slot, other };
        struct socket_accept_reply reply;
        handlers->accept(peer->client, &request, &reply);
        break;
    }
    case 5: {
        struct socket_connect_request request = { slot, loopback((uint16_t)host_random_below(random,
                                                                                             9)) };
        handlers->connect(peer->client, &request);
        break;
    }
    case 6: {
        struct socket_shutdown_request request = { slot, (uint8_t)host_random_below(random, 3) };
        handlers->shutdown(peer->client, &request);
        break;
    }
    default: {
        struct socket_set_option_request request = {
            .slot = slot,
            .option = (uint8_t)host_random_below(random, 11),
            .value = (int32_t)host_random(random),
        };
        handlers->set_option(peer->client, &request);
    }
    }
}

static void scribble(struct peer *peer, struct host_random *random)
{
    struct ftl_socket_memory *memory = peer->memory[host_random_below(random, SLOTS)];
    uint32_t *words[] = { &memory->received.head, &memory->received.tail, &memory->sent.head,
                          &memory->sent.tail,     &memory->ready,         &memory->rung,
                          &memory->state };
    uint32_t *word = words[host_random_below(random, 7)];
    *word = host_random_below(random, 2) == 0 ? (uint32_t)host_random(random)
                                              : *word + (uint32_t)host_random_below(random, 3000);
    memory->sent_data[host_random_below(random, 4096)] = (char)host_random(random);
}

static void a_client_that_writes_and_calls_anything_harms_nobody(void **state)
{
    struct host_random random = { 20261125 };
    (void)state;
    for (unsigned i = 0; i < 30000; i++) {
        struct peer *peer = &peers[host_random_below(&random, 2)];
        if (host_random_below(&random, 2) == 0) {
            scribble(peer, &random);
        } else {
            call_anything(peer, &random);
        }
        ring(peer, (uint32_t)host_random_below(&random, SLOTS));
        if (host_random_below(&random, 8) == 0) {
            run(50);
        }
    }
    go(&peers[0]);
    go(&peers[1]);
    run(200000);
    bury(&peers[0]);
    bury(&peers[1]);
    come(&peers[0]);
    come(&peers[1]);
    make_connection();
    carry(&peers[1], 0, &peers[0], 1, 100000);
}

int main(void)
{
    handlers = socket_server.handlers;
    socket_server.loop = &loop;
    lwip_init();
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(streams_carry_bytes_in_both_directions),
        TEST(a_reader_that_does_not_read_stops_the_writer),
        TEST(impossible_positions_end_the_connection_and_no_other),
        TEST(datagrams_are_records),
        TEST(records_that_cannot_be_end_the_socket),
        TEST(options_are_what_they_were_set_to),
        TEST(calls_about_what_is_not_there_are_refused),
        cmocka_unit_test(checksums_are_those_of_the_words),
        TEST(a_client_that_writes_and_calls_anything_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
