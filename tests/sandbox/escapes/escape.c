/*
 * Attacks on the sandbox in C, built by ftl-cc like any app; the argument names one, another may be
 * an address to attack. Each ends with a report of the kernel's, or prints "contained" when what it
 * tried gave errors. `neighbour` and `storm` are no attacks: the one is the sandbox next door whose
 * memory must not change, the other keeps all harts busy with interrupts.
 */
#include <ftl/call_numbers.h>
#include <ftl/channel.h>
#include <ftl/clock.h>
#include <ftl/code.h>
#include <ftl/notification.h>
#include <ftl/process.h>
#include <ftl/thread.h>
#include <ftl/timer.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../../user/lib/src/enter_kernel.h"

#define KERNEL       0xffffffff80000000u /* where the kernel is linked */
#define WINDOW_SHIFT 32
#define PAGE         4096u
#define COUNT(a)     (sizeof(a) / sizeof((a)[0]))

static uintptr_t victim; /* the second argument */
static volatile uintptr_t address;
static volatile int sink;

static uintptr_t window(void)
{
    return (uintptr_t)&victim >> WINDOW_SHIFT << WINDOW_SHIFT;
}

/* ---- Memory ---- */

static void store(uintptr_t where)
{
    address = where;
    *(volatile uint64_t *)address = 0x6861636b6564u;
}

static void store_to_kernel(void)
{
    store(KERNEL + 0x200000);
}

static void store_to_neighbour(void)
{
    store(victim);
}

static void load_from_neighbour(void)
{
    address = victim;
    sink = *(volatile int *)address;
}

static void copy_to_neighbour(void)
{
    static char bytes[256];
    address = victim;
    memcpy((void *)address, bytes, sizeof(bytes));
}

static void store_to_code(void)
{
    store((uintptr_t)store);
}

static void store_to_constant(void)
{
    static const uint64_t constant[2] = { 1, 2 };
    store((uintptr_t)constant);
}

static void overrun_of_the_window(void)
{
    address = window();
    for (volatile char *at = (volatile char *)address;; at -= PAGE / 2) {
        *at = 1;
    }
}

static void atomic_at_neighbour(void)
{
    address = victim;
    atomic_fetch_add((atomic_int *)address, 1);
}

static void huge_frame(void)
{
    address = (uintptr_t)1 << 31;
    volatile char *frame = __builtin_alloca(address);
    frame[0] = 1;
}

/* ---- Control flow ---- */

static void call(uintptr_t target)
{
    address = target;
    ((void (*)(void))address)();
}

static void call_data(void)
{
    static uint32_t code[] = { 0x4654c037, 0x00000073 }; /* a landing pad, ecall */
    call((uintptr_t)code);
}

static void call_into_function(void)
{
    call((uintptr_t)store_to_kernel + 8);
}

static void call_kernel(void)
{
    call(KERNEL + 0x1000);
}

static void call_neighbour(void)
{
    call(victim);
}

static __attribute__((noinline)) void overwrite_return_address(uintptr_t with)
{
    volatile uintptr_t *frame = __builtin_frame_address(0);
    address = with;
    sink = rand(); /* so that there is a return address in memory */
    frame[-1] = address;
    __asm__ volatile("" ::: "memory");
}

static void return_to_data(void)
{
    overwrite_return_address((uintptr_t)&address);
    sink = 1;
}

static void return_to_kernel(void)
{
    overwrite_return_address(KERNEL + 0x1000);
    sink = 1;
}

static void forged_jump_buffer(void)
{
    jmp_buf buffer;
    if (setjmp(buffer) == 0) {
        memset(&buffer, 0xf0, sizeof(buffer));
        longjmp(buffer, 1);
    }
}

static void overrun_into_a_function_pointer(void)
{
    static struct {
        char name[8];
        void (*function)(void);
    } object = { .function = call_kernel };
    char *volatile name = object.name;

    memset(name, 0x41, sizeof(object));
    object.function();
}

/* ---- Calls ---- */

struct result {
    ftl_status_t status;
    unsigned long value;
};
/* Any call: its number comes behind six arguments. */
KERNEL_ENTRY_BY(call_by_number, "mv a7, a6");
struct result call_by_number(unsigned long, unsigned long, unsigned long, unsigned long,
                             unsigned long, unsigned long, unsigned long);

/* Calls that end or put to sleep whoever makes them, whatever the arguments. */
static bool is_fatal(unsigned long number)
{
    return number == FTL_CALL_PROCESS_EXIT || number == FTL_CALL_PROCESS_ABORT ||
           number == FTL_CALL_THREAD_EXIT || number == FTL_CALL_THREAD_SLEEP ||
           number == FTL_CALL_THREAD_SET_TLS;
}

/* Every call, and numbers that are none, with pointers that are not the caller's to use. */
static void hostile_arguments(void)
{
    const uintptr_t hostile[] = {
        KERNEL,
        KERNEL + 0x200000,
        0xffffffd800000000u, /* somewhere in the kernel's half */
        window() - 8,
        window(),
        window() + ((uintptr_t)1 << WINDOW_SHIFT) - 4,
        window() + ((uintptr_t)2 << WINDOW_SHIFT),
        (uintptr_t)store + 4, /* code, but no landing pad */
        1,
        UINTPTR_MAX,
        (uintptr_t)1 << 63,
        victim,
    };
    unsigned long calls = 0;

    for (unsigned long number = 0; number < 300; number++) {
        for (size_t i = 0; !is_fatal(number) && i < COUNT(hostile); i++) {
            uintptr_t bad = hostile[i], other = hostile[(i + number) % COUNT(hostile)];

            call_by_number(bad, bad, bad, bad, bad, bad, number);
            call_by_number(number % 8, bad, other, 64, other, bad, number);
            call_by_number(bad, bad, bad, bad, bad, bad, -number); /* leaf calls, or none */
            calls += 3;
        }
    }
    printf("%lu calls\n", calls);
}

static bool refuses_mapping(ftl_handle_t vmspace, ftl_handle_t vmo, uint32_t permissions,
                            uintptr_t at)
{
    uintptr_t mapped;
    ftl_status_t status = ftl_vmspace_map(vmspace, vmo, 0, PAGE, permissions, at, &mapped);

    if (status == FTL_OK) {
        printf("mapped at %#lx\n", (unsigned long)mapped);
    }
    return status != FTL_OK;
}

static bool maps_and_code_stay(void)
{
    const uint32_t rw = FTL_MAP_READ | FTL_MAP_WRITE;
    const uintptr_t end = window() + ((uintptr_t)1 << WINDOW_SHIFT);
    const uintptr_t code = (uintptr_t)store / PAGE * PAGE;
    ftl_handle_t vmspace, vmo;

    return ftl_vmspace_self(&vmspace) == FTL_OK && ftl_vmo_create(PAGE, &vmo) == FTL_OK &&
           refuses_mapping(vmspace, vmo, rw, window()) &&
           refuses_mapping(vmspace, vmo, rw, window() + PAGE) &&
           refuses_mapping(vmspace, vmo, rw, end - PAGE) &&
           refuses_mapping(vmspace, vmo, rw, end) && refuses_mapping(vmspace, vmo, rw, KERNEL) &&
           refuses_mapping(vmspace, vmo, rw, victim) && refuses_mapping(vmspace, vmo, rw, code) &&
           refuses_mapping(vmspace, vmo, rw, PAGE) &&
           refuses_mapping(vmspace, vmo, FTL_MAP_READ | FTL_MAP_EXEC, 0) &&
           refuses_mapping(vmspace, vmo, rw | FTL_MAP_EXEC, 0) &&
           ftl_vmspace_protect(vmspace, code, PAGE, rw) != FTL_OK &&
           ftl_vmspace_unmap(vmspace, code, PAGE) != FTL_OK &&
           ftl_vmspace_protect(vmspace, (uintptr_t)&victim / PAGE * PAGE, PAGE,
                               FTL_MAP_READ | FTL_MAP_EXEC) != FTL_OK &&
           ftl_vmspace_unmap(vmspace, victim / PAGE * PAGE, PAGE) != FTL_OK &&
           ftl_vmspace_unmap(vmspace, KERNEL, PAGE) != FTL_OK;
}

static void hostile_mappings(void)
{
    if (!maps_and_code_stay()) {
        printf("a mapping got through\n");
        abort();
    }
}

#define DEMAND(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("line %d: not so: %s\n", __LINE__, #condition);                                 \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Code of these two words, once it has been verified. */
static ftl_status_t make_code(ftl_handle_t vmo, const uint32_t words[2], ftl_handle_t *code)
{
    const struct ftl_code_layout layout = { .file_size = 2 * sizeof(words[0]),
                                            .memory_size = PAGE,
                                            .image_size = (uint64_t)3 * PAGE,
                                            .entry = PAGE };

    DEMAND(ftl_vmo_write(vmo, 0, words, 2 * sizeof(words[0])) == FTL_OK);
    return ftl_code_create(vmo, 0, PAGE, &layout, code);
}

/* A loader of one's own, that loads into the window it runs in what it should not. */
static void hostile_loading(void)
{
    static const uint32_t good[2] = { 0x4654c037, 0x0000006f }; /* a pad, j . */
    static const uint32_t bad[2] = { 0x4654c037, 0x00000073 };  /* a pad, ecall */
    const uintptr_t end = window() + ((uintptr_t)1 << WINDOW_SHIFT);
    ftl_handle_t vmspace, vmo, process, code;
    uintptr_t base, at;

    DEMAND(ftl_vmspace_self(&vmspace) == FTL_OK && ftl_vmo_create(PAGE, &vmo) == FTL_OK);
    DEMAND(make_code(vmo, bad, &code) == FTL_ERR_NOT_VERIFIED);
    DEMAND(make_code(vmo, good, &code) == FTL_OK);
    DEMAND(ftl_process_create(vmspace, "loaded", 6, 1 << 20, &process) == FTL_OK);
    DEMAND(ftl_process_map(process, vmo, 0, PAGE, FTL_MAP_READ | FTL_MAP_EXEC, 0, &at) != FTL_OK);
    DEMAND(ftl_process_map_code(process, code, window()) != FTL_OK);
    DEMAND(ftl_process_map_code(process, code, end - PAGE) != FTL_OK);
    DEMAND(ftl_process_map_code(process, code, end) != FTL_OK);
    DEMAND(ftl_process_map_code(process, code, KERNEL) != FTL_OK);
    DEMAND(ftl_process_map_code(process, code, (uintptr_t)store / PAGE * PAGE) != FTL_OK);
    DEMAND(ftl_process_find_room(process, (size_t)3 * PAGE, PAGE, &base) == FTL_OK);
    DEMAND(ftl_process_map_code(process, code, base + 4) != FTL_OK);
    DEMAND(ftl_process_map_code(process, code, base) == FTL_OK);
    DEMAND(ftl_vmo_write(vmo, 0, bad, sizeof(bad)) == FTL_OK); /* the file, not the code */
    DEMAND(ftl_vmspace_protect(vmspace, base + PAGE, PAGE, FTL_MAP_READ) != FTL_OK);
    DEMAND(ftl_vmspace_unmap(vmspace, base + PAGE, PAGE) != FTL_OK);
    DEMAND(ftl_process_kill(process, 1) == FTL_OK);
    /* Its landing pad stays one, for whoever holds its address. */
    DEMAND(memcmp((const void *)(base + PAGE), good, sizeof(good)) == 0);
    DEMAND(ftl_process_create(vmspace, "again", 5, 1 << 20, &process) == FTL_OK);
    DEMAND(ftl_process_map_code(process, code, base) != FTL_OK);
    DEMAND(ftl_process_map(process, vmo, 0, PAGE, FTL_MAP_READ, base + PAGE, &at) != FTL_OK);
}

/*
 * Another thread changes what a call's argument points to, between what is allowed and what is not.
 */
static struct ftl_message message;
static char payload[64];
static atomic_bool finished;

static void *flip(void *argument)
{
    while (!atomic_load(&finished)) {
        *(void *volatile *)&message.data = (void *)KERNEL;
        *(volatile size_t *)&message.size = SIZE_MAX;
        *(void *volatile *)&message.data = payload;
        *(volatile size_t *)&message.size = sizeof(payload);
    }
    return argument;
}

static void changing_arguments(void)
{
    pthread_t thread;
    ftl_handle_t ends[2];
    uint64_t second;
    struct ftl_message received;
    static char room[sizeof(payload)];

    memset(payload, 0x5a, sizeof(payload));
    if (ftl_channel_create(&second, &ends[0]) != FTL_OK ||
        pthread_create(&thread, NULL, flip, NULL) != 0) {
        abort();
    }
    ends[1] = (ftl_handle_t)second;
    for (unsigned int i = 0; i < 3000; i++) {
        if (ftl_channel_send(ends[0], &message, 0) != FTL_OK) {
            ftl_thread_yield();
            continue;
        }
        received = (struct ftl_message){ .data = room, .capacity = sizeof(room) };
        if (ftl_channel_recv(ends[1], &received, 0) != FTL_OK || received.size > sizeof(room)) {
            printf("a message that was never whole\n");
            abort();
        }
        for (size_t at = 0; at < received.size; at++) {
            if (room[at] != 0x5a) {
                printf("a message of other bytes\n");
                abort();
            }
        }
    }
    atomic_store(&finished, true);
    pthread_join(thread, NULL);
}

/* ---- Company ---- */

#define STORM_THREADS 8

static ftl_handle_t bells[STORM_THREADS];

/*
 * Takes the interrupts of a timer of its own, as fast as they may come, and wakes the next thread
 * each time, on another hart perhaps.
 */
static void *ring(void *argument)
{
    size_t mine = (size_t)(uintptr_t)argument;
    ftl_handle_t timer;
    ftl_nsec_t now;
    uint64_t count;

    if (ftl_timer_create(&timer) != FTL_OK || ftl_clock_get(&now) != FTL_OK ||
        ftl_timer_set(timer, now, FTL_TIMER_PERIOD_MIN) != FTL_OK) {
        abort();
    }
    for (;;) {
        ftl_clock_get(&now);
        ftl_notification_wait(bells[mine], 1, now + FTL_TIMER_PERIOD_MIN, &count);
        ftl_timer_read(timer, &count);
        ftl_notification_signal(bells[(mine + 1) % STORM_THREADS], 1);
    }
    return NULL;
}

static void storm(void)
{
    pthread_t thread;

    for (size_t i = 0; i < STORM_THREADS; i++) {
        if (ftl_notification_create(&bells[i]) != FTL_OK) {
            abort();
        }
    }
    for (size_t i = 0; i < STORM_THREADS; i++) {
        if (pthread_create(&thread, NULL, ring, (void *)i) != 0) {
            abort();
        }
    }
    printf("storm has begun\n");
    fflush(stdout);
    pthread_join(thread, NULL);
}

static void neighbour(void)
{
    static alignas(PAGE) unsigned char bytes[16 * PAGE];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(i * 7 + i / 256);
    }
    printf("neighbour at %p\n", (void *)bytes);
    fflush(stdout);
    for (;;) {
        nanosleep(&(struct timespec){ .tv_sec = 3600 }, NULL);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} attacks[] = {
    { "store_to_kernel", store_to_kernel },
    { "store_to_neighbour", store_to_neighbour },
    { "load_from_neighbour", load_from_neighbour },
    { "copy_to_neighbour", copy_to_neighbour },
    { "store_to_code", store_to_code },
    { "store_to_constant", store_to_constant },
    { "overrun_of_the_window", overrun_of_the_window },
    { "atomic_at_neighbour", atomic_at_neighbour },
    { "huge_frame", huge_frame },
    { "call_data", call_data },
    { "call_into_function", call_into_function },
    { "call_kernel", call_kernel },
    { "call_neighbour", call_neighbour },
    { "return_to_data", return_to_data },
    { "return_to_kernel", return_to_kernel },
    { "forged_jump_buffer", forged_jump_buffer },
    { "overrun_into_a_function_pointer", overrun_into_a_function_pointer },
    { "hostile_arguments", hostile_arguments },
    { "hostile_mappings", hostile_mappings },
    { "hostile_loading", hostile_loading },
    { "changing_arguments", changing_arguments },
    { "neighbour", neighbour },
    { "storm", storm },
};

int main(int argc, char **argv)
{
    victim = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;
    for (size_t i = 0; argc > 1 && i < COUNT(attacks); i++) {
        if (strcmp(argv[1], attacks[i].name) == 0) {
            attacks[i].run();
            printf("contained\n");
            return EXIT_SUCCESS;
        }
    }
    fprintf(stderr, "usage: escape ATTACK [ADDRESS]\n");
    return 2;
}
