/*
 * vmtest READERS ROUNDS LARGE_ROUNDS: maps fresh memory at one of a few places in turn, stamped
 * with the number of the round, and unmaps the last place as soon as nobody reads there. Its
 * physical pages are free then and come back in another round. Readers check that all they read is
 * of the round it should be: a translation that a hart kept would show another stamp.
 */
#include <ftl/handle.h>
#include <ftl/thread.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PLACES      3
#define READERS_MAX 16
#define LARGE       ((size_t)2 << 20)
#define NOWHERE     PLACES /* what a reader that does not read is at */
#define ROUND_END   0
#define ROUND_NONE  UINT64_MAX /* not begun */
#define STAMPS      8          /* in one place, one after the other at its start, then at its end */

static struct {
    ftl_handle_t vmspace;
    size_t size; /* bytes of a place */
    uintptr_t places[PLACES];
    atomic_uint_least64_t round; /* its memory is at round % PLACES; or one of the two below */
    atomic_uint_least64_t reads; /* of all readers */
    atomic_uint_least64_t stale; /* of them */
} shared;

/* Each reader's own: in which place it reads. */
static struct {
    _Alignas(64) atomic_uint at;
} readers[READERS_MAX];

static void require(ftl_status_t status, const char *what)
{
    if (status != FTL_OK) {
        printf("vmtest: %s: %s\n", what, ftl_strerror(status));
        exit(EXIT_FAILURE);
    }
}

/* The word with a place's stamp number i. */
static volatile uint64_t *stamp(unsigned place, size_t i)
{
    size_t offset = i < STAMPS / 2 ? i : shared.size / sizeof(uint64_t) - STAMPS + i;
    return (volatile uint64_t *)shared.places[place] + offset;
}

static void check_place(unsigned place, uint64_t round)
{
    for (size_t i = 0; i < STAMPS; i++) {
        if (*stamp(place, i) != round) {
            atomic_fetch_add(&shared.stale, 1);
        }
    }
}

static void *reader(void *context)
{
    atomic_uint *at = context;
    for (uint64_t round; (round = atomic_load(&shared.round)) != ROUND_END;) {
        if (round == ROUND_NONE) {
            ftl_thread_yield();
            continue;
        }
        unsigned place = (unsigned)(round % PLACES);
        atomic_store(at, place);
        /* Only if it is still there, the writer sees that this thread reads. */
        if (atomic_load(&shared.round) == round) {
            check_place(place, round);
            atomic_fetch_add(&shared.reads, 1);
        }
        atomic_store(at, NOWHERE);
        ftl_thread_yield();
    }
    return NULL;
}

static void fill_place(uint64_t round)
{
    unsigned place = (unsigned)(round % PLACES);
    ftl_handle_t vmo;
    require(ftl_vmo_create(shared.size, &vmo), "vmo_create");
    require(ftl_vmspace_map(shared.vmspace, vmo, 0, shared.size, FTL_MAP_READ | FTL_MAP_WRITE,
                            shared.places[place], &shared.places[place]),
            "map");
    require(ftl_handle_close(vmo), "close");
    for (size_t i = 0; i < STAMPS; i++) {
        if (*stamp(place, i) != 0) {
            atomic_fetch_add(&shared.stale, 1); /* fresh memory is zero */
        }
        *stamp(place, i) = round;
    }
}

static void empty_place(uint64_t round, size_t reader_count)
{
    unsigned place = (unsigned)(round % PLACES);
    for (size_t i = 0; i < reader_count; i++) {
        while (atomic_load(&readers[i].at) == place) {
            ftl_thread_yield();
        }
    }
    require(ftl_vmspace_unmap(shared.vmspace, shared.places[place], shared.size), "unmap");
}

/* Waits until somebody has read in this round. */
static void wait_for_reads(void)
{
    uint64_t before = atomic_load(&shared.reads);
    while (atomic_load(&shared.reads) == before) {
        ftl_thread_yield();
    }
}

/* Finds free addresses; they stay free as long as nothing else is mapped. */
static void find_places(size_t size)
{
    ftl_handle_t vmo;
    uintptr_t start;
    require(ftl_vmo_create(PLACES * size, &vmo), "vmo_create");
    require(ftl_vmspace_map(shared.vmspace, vmo, 0, PLACES * size, FTL_MAP_READ, 0, &start), "map");
    require(ftl_vmspace_unmap(shared.vmspace, start, PLACES * size), "unmap");
    require(ftl_handle_close(vmo), "close");
    shared.size = size;
    for (unsigned i = 0; i < PLACES; i++) {
        shared.places[i] = start + i * size;
    }
}

static void run(const char *name, size_t size, size_t reader_count, uint64_t rounds)
{
    pthread_t threads[READERS_MAX];
    atomic_store(&shared.reads, 0);
    atomic_store(&shared.round, ROUND_NONE);
    for (size_t i = 0; i < reader_count; i++) {
        atomic_store(&readers[i].at, NOWHERE);
        if (pthread_create(&threads[i], NULL, reader, &readers[i].at) != 0) {
            require(FTL_ERR_NO_MEMORY, "pthread_create");
        }
    }
    find_places(size);
    fill_place(1);
    atomic_store(&shared.round, 1);
    for (uint64_t round = 2; round <= rounds; round++) {
        fill_place(round);
        atomic_store(&shared.round, round);
        empty_place(round - 1, reader_count);
        wait_for_reads();
    }
    atomic_store(&shared.round, ROUND_END);
    for (size_t i = 0; i < reader_count; i++) {
        pthread_join(threads[i], NULL);
    }
    empty_place(rounds, 0);
    printf("%s: %llu rounds, %llu stale\n", name, (unsigned long long)rounds,
           (unsigned long long)atomic_load(&shared.stale));
}

int main(int argc, char **argv)
{
    size_t reader_count = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
    if (argc != 4 || reader_count == 0 || reader_count > READERS_MAX) {
        fprintf(stderr, "usage: vmtest READERS ROUNDS LARGE_ROUNDS\n");
        return EXIT_FAILURE;
    }
    require(ftl_vmspace_self(&shared.vmspace), "vmspace_self");
    run("small pages", FTL_PAGE_SIZE, reader_count, strtoul(argv[2], NULL, 0));
    run("large pages", LARGE, reader_count, strtoul(argv[3], NULL, 0));
    return atomic_load(&shared.stale) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
