/*
 * Starts other processes in its own vmspace and has them pass items through a ring, in several
 * ways: see `scenes`. Says what has become of it.
 */
#include "ringtest.h"

#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/object.h>
#include <ftl/process.h>
#include <ftl/spawn.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEER_MEMORY (UINT64_C(8) << 20) /* of what this process may have itself */

#define PEERS_MAX 4u

static struct ftl_bootimage image;
static struct place place;

void require(ftl_status_t status, const char *what)
{
    if (status != FTL_OK) {
        printf("ringtest: %s: %s\n", what, ftl_strerror(status));
        exit(EXIT_FAILURE);
    }
}

static void expect_number(uint64_t number, uint64_t expected, const char *what)
{
    if (number != expected) {
        printf("ringtest: %s: %" PRIu64 ", not %" PRIu64 "\n", what, number, expected);
        exit(EXIT_FAILURE);
    }
}

/* ---- The ring ---- */

void map_place(struct place *mapped)
{
    size_t size = ftl_ring_memory_size(PAYLOAD, SLOTS);
    uint64_t whole;
    uintptr_t address;
    ftl_handle_t vmspace;
    require(ftl_vmo_size(mapped->memory, &whole), "vmo_size");
    require(ftl_vmspace_self(&vmspace), "vmspace_self");
    require(ftl_vmspace_map(vmspace, mapped->memory, 0, whole, FTL_MAP_READ | FTL_MAP_WRITE, 0,
                            &address),
            "vmspace_map");
    ftl_handle_close(vmspace);
    mapped->ring = (void *)address;
    mapped->results = (struct results *)(address + size);
}

void open_end(struct ftl_ring *ring, const struct place *where, bool consumes, bool multi,
              ftl_handle_t peer)
{
    struct ftl_ring_config config = {
        .memory = where->ring,
        .payload_size = PAYLOAD,
        .slots = SLOTS,
        .consumes = consumes,
        .multi = multi,
        .data = where->data,
        .space = where->space,
        .peer = peer,
    };
    require(ftl_ring_open(ring, &config), "ring_open");
}

ftl_status_t push(struct ftl_ring *ring, uint64_t value)
{
    ftl_status_t status;
    while ((status = ftl_ring_write(ring, &value, sizeof(value))) == FTL_ERR_WOULD_BLOCK) {
        status = ftl_ring_wait(ring, FTL_TIME_INFINITE);
        if (status != FTL_OK) {
            return status;
        }
    }
    return status;
}

ftl_status_t pop(struct ftl_ring *ring, uint64_t *value)
{
    size_t size;
    ftl_status_t status;
    while ((status = ftl_ring_read(ring, value, sizeof(*value), &size)) == FTL_ERR_WOULD_BLOCK) {
        status = ftl_ring_wait(ring, FTL_TIME_INFINITE);
        if (status != FTL_OK) {
            return status;
        }
    }
    return status;
}

static void make_place(void)
{
    size_t size = ftl_ring_memory_size(PAYLOAD, SLOTS) + sizeof(struct results);
    require(ftl_vmo_create(size, &place.memory), "vmo_create");
    require(ftl_notification_create(&place.data), "notification_create");
    require(ftl_notification_create(&place.space), "notification_create");
    map_place(&place);
}

static void reset_place(void)
{
    ftl_ring_format(place.ring, PAYLOAD, SLOTS);
    *place.results = (struct results){ 0 };
}

/* ---- Peers ---- */

static ftl_isolation_t own_isolation(ftl_handle_t self)
{
    struct ftl_process_info info;
    require(ftl_process_info(self, &info), "process_info");
    return (ftl_isolation_t)info.isolation;
}

/* Starts this program once more, in this vmspace. */
static ftl_handle_t start_peer(const char *role)
{
    const char *const args[] = { "ringtest", "peer", role };
    struct ftl_app app;
    ftl_handle_t self;
    ftl_handle_t vmspace;
    ftl_handle_t process;
    const char *step = "";
    require(ftl_process_self(&self), "process_self");
    require(ftl_vmspace_self(&vmspace), "vmspace_self");
    const struct ftl_spawn_handle handles[] = {
        { "console", ftl_environ_find(ftl_environ(), "console"), FTL_RIGHTS_SAME },
        { "memory", place.memory, FTL_RIGHTS_SAME },
        { "data", place.data, FTL_RIGHTS_SAME },
        { "space", place.space, FTL_RIGHTS_SAME },
        { "parent", self, FTL_RIGHT_WAIT | FTL_RIGHT_TRANSFER },
    };
    require(ftl_app_find(&image, "ringtest", &app), "app_find");
    app.memory_limit = PEER_MEMORY;
    struct ftl_spawn_options options = {
        .isolation = own_isolation(self),
        .vmspace = vmspace,
        .args = args,
        .arg_count = sizeof(args) / sizeof(args[0]),
        .handles = handles,
        .handle_count = sizeof(handles) / sizeof(handles[0]),
    };
    require(ftl_spawn(&image, &app, &options, &process, &step), step);
    ftl_handle_close(self);
    ftl_handle_close(vmspace);
    return process;
}

/* Waits for its end; returns its exit status. */
static int32_t end_of(ftl_handle_t process)
{
    struct ftl_wait_item item = { .handle = process, .interest = FTL_SIGNAL_EXITED };
    struct ftl_process_info info;
    size_t ready;
    require(ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready), "object_wait");
    require(ftl_process_info(process, &info), "process_info");
    ftl_handle_close(process);
    return info.exit_status;
}

/* ---- Scenes ---- */

static void produce_all(struct ftl_ring *ring)
{
    for (uint64_t i = 0; i < ITEMS; i++) {
        require(push(ring, i), "push");
    }
    require(push(ring, END), "push");
}

static void expect_results(uint64_t producers)
{
    expect_number(place.results->count, producers * ITEMS, "items");
    expect_number(place.results->sum, producers * ITEMS * (ITEMS - 1) / 2, "their sum");
}

/* From here to a peer, and from a peer to here. */
static void single(void)
{
    struct ftl_ring ring;
    ftl_handle_t peer = start_peer(ROLE_CONSUMER);
    open_end(&ring, &place, false, false, peer);
    produce_all(&ring);
    ftl_ring_close(&ring);
    expect_number((uint64_t)end_of(peer), 0, "the consumer's status");
    expect_results(1);

    reset_place();
    peer = start_peer(ROLE_PRODUCER);
    open_end(&ring, &place, true, false, peer);
    uint64_t value;
    for (uint64_t i = 0; i < ITEMS; i++) {
        require(pop(&ring, &value), "pop");
        expect_number(value, i, "the next item");
    }
    require(pop(&ring, &value), "pop");
    expect_number(value, END, "the last item");
    ftl_ring_close(&ring);
    expect_number((uint64_t)end_of(peer), 0, "the producer's status");
}

/* Two producers and two consumers, each a process. */
static void multi(void)
{
    static const char *const roles[PEERS_MAX] = {
        ROLE_MULTI_PRODUCER,
        ROLE_MULTI_CONSUMER,
        ROLE_MULTI_PRODUCER,
        ROLE_MULTI_CONSUMER,
    };
    ftl_handle_t peers[PEERS_MAX];
    for (size_t i = 0; i < PEERS_MAX; i++) {
        peers[i] = start_peer(roles[i]);
    }
    for (size_t i = 0; i < PEERS_MAX; i++) {
        expect_number((uint64_t)end_of(peers[i]), 0, "a peer's status");
    }
    expect_results(2);
}

/* The end of a producer is noticed once all is read; that of a consumer, when the ring is full. */
static void death(void)
{
    struct ftl_ring ring;
    uint64_t value;
    ftl_handle_t peer = start_peer(ROLE_DYING);
    open_end(&ring, &place, true, false, peer);
    for (uint64_t i = 0; i < 10; i++) {
        require(pop(&ring, &value), "pop");
        expect_number(value, i, "the next item of one who dies");
    }
    ftl_status_t status = pop(&ring, &value);
    expect_number((uint64_t)-status, (uint64_t)-FTL_ERR_PEER_CLOSED, "the error after it");
    ftl_ring_close(&ring);
    end_of(peer);

    reset_place();
    peer = start_peer(ROLE_SLEEPER);
    open_end(&ring, &place, false, false, peer);
    while (ftl_ring_write(&ring, &value, sizeof(value)) == FTL_OK) {
    }
    require(ftl_process_kill(peer, FTL_EXIT_KILLED), "process_kill");
    status = push(&ring, 0);
    expect_number((uint64_t)-status, (uint64_t)-FTL_ERR_PEER_CLOSED, "the error of a push");
    ftl_ring_close(&ring);
    end_of(peer);
}

/* A peer that writes garbage all over the ring: whatever comes out, we go on. */
static void hostile(void)
{
    struct ftl_ring ends[4];
    char data[PAYLOAD];
    size_t size;
    ftl_handle_t peer = start_peer(ROLE_VANDAL);
    for (size_t i = 0; i < 4; i++) {
        open_end(&ends[i], &place, i % 2 == 0, i / 2 == 0, FTL_HANDLE_INVALID);
    }
    while (__atomic_load_n(&place.results->count, __ATOMIC_RELAXED) == 0) {
        for (size_t i = 0; i < 4; i++) {
            ftl_status_t status = ends[i].consumes
                                      ? ftl_ring_read(&ends[i], data, sizeof(data), &size)
                                      : ftl_ring_write(&ends[i], data, 8);
            if (status == FTL_ERR_WOULD_BLOCK) {
                ftl_ring_wait(&ends[i], 0);
            }
        }
    }
    for (size_t i = 0; i < 4; i++) {
        ftl_ring_close(&ends[i]);
    }
    end_of(peer);
}

static void cost(void)
{
    print_cost(&place);
}

static const struct {
    const char *name;
    void (*run)(void);
} scenes[] = {
    { "single", single },   { "multi", multi }, { "death", death },
    { "hostile", hostile }, { "cost", cost },
};

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "peer") == 0) {
        return peer_main(argv[2]);
    }
    require(ftl_bootimage_open(&image, ftl_environ_find(ftl_environ(), "bootimage")), "bootimage");
    make_place();
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        if (argc == 1 || strcmp(argv[1], scenes[i].name) == 0) {
            reset_place();
            scenes[i].run();
            printf("%s: done\n", scenes[i].name);
            fflush(stdout);
        }
    }
    return EXIT_SUCCESS;
}
