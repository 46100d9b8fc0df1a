/*
 * user/lib/src/ring.c and <ftl/ring.h> between real threads, under the thread sanitizer: payloads
 * are plain memory, so that every access which the sequences do not order is reported. The kernel
 * is a fake of notifications and of polls that see their edges and the end of a peer; it counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/poll.h>
#include <ftl/ring.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS       20000u /* of each producer */
#define SIDE        3u     /* threads of a side, among many */
#define SLOTS       8u
#define PAYLOAD     24u
#define MEMORY_SIZE 4096u

#define DATA       ((ftl_handle_t)1)
#define SPACE      ((ftl_handle_t)2)
#define PEER       ((ftl_handle_t)3)
#define OBJECTS    4u
#define FIRST_POLL ((ftl_handle_t)10)
#define POLLS      16u

/* ---- The fake kernel: a lock, and a count of events for each object ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t events[OBJECTS]; /* signals of a notification; the end of the peer */
    uint64_t waits;           /* calls of poll_wait */
    struct {
        ftl_handle_t object;
        uint64_t seen; /* of its events */
        bool watches_peer;
    } polls[POLLS];
    size_t poll_count;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void add_event(ftl_handle_t object)
{
    pthread_mutex_lock(&fake.lock);
    fake.events[object]++;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
}

ftl_status_t ftl_notification_signal(ftl_handle_t notification, uint64_t bits)
{
    (void)bits;
    add_event(notification);
    return FTL_OK;
}

ftl_status_t ftl_handle_close(ftl_handle_t handle)
{
    (void)handle;
    return FTL_OK;
}

ftl_status_t ftl_poll_create(ftl_handle_t *poll)
{
    pthread_mutex_lock(&fake.lock);
    assert_true(fake.poll_count < POLLS);
    *poll = FIRST_POLL + fake.poll_count++;
    pthread_mutex_unlock(&fake.lock);
    return FTL_OK;
}

ftl_status_t ftl_poll_add(ftl_handle_t poll, ftl_handle_t object, uint32_t interest, uint64_t word,
                          uint64_t *entry)
{
    (void)interest;
    *entry = word;
    if (object == PEER) {
        fake.polls[poll - FIRST_POLL].watches_peer = true;
    } else {
        fake.polls[poll - FIRST_POLL].object = object;
    }
    return FTL_OK;
}

ftl_status_t ftl_poll_wait(ftl_handle_t poll, struct ftl_poll_event *events, size_t capacity,
                           ftl_nsec_t deadline, size_t *count)
{
    size_t index = poll - FIRST_POLL;
    *count = 0;
    (void)capacity;
    (void)deadline;
    pthread_mutex_lock(&fake.lock);
    fake.waits++;
    for (;;) {
        uint64_t now = fake.events[fake.polls[index].object];
        if (now != fake.polls[index].seen) {
            fake.polls[index].seen = now;
            events[(*count)++] = (struct ftl_poll_event){ 0, FTL_SIGNAL_READABLE, 0 };
        }
        if (fake.polls[index].watches_peer && fake.events[PEER] != 0) {
            events[(*count)++] = (struct ftl_poll_event){ 1, FTL_SIGNAL_EXITED, 0 };
        }
        if (*count != 0) {
            break;
        }
        pthread_cond_wait(&fake.changed, &fake.lock);
    }
    pthread_mutex_unlock(&fake.lock);
    return FTL_OK;
}

/* ---- Ends ---- */

struct item {
    uint64_t producer;
    uint64_t number;
};

/* A thread with its end. */
struct end {
    pthread_t thread;
    struct ftl_ring ring;
    uint64_t number;    /* of the producer */
    uint64_t items;     /* to be filled, or emptied */
    uint64_t sum;       /* of the numbers that were emptied */
    bool spins;         /* instead of sleeping */
    ftl_status_t ended; /* with what waiting ended */
};

static _Alignas(FTL_RING_LINE) char memory[MEMORY_SIZE];

static int set_up(void **state)
{
    (void)state;
    memset(fake.events, 0, sizeof(fake.events));
    memset(fake.polls, 0, sizeof(fake.polls));
    fake.waits = 0;
    fake.poll_count = 0;
    assert_true(ftl_ring_memory_size(PAYLOAD, SLOTS) <= sizeof(memory));
    ftl_ring_format(memory, PAYLOAD, SLOTS);
    return 0;
}

static void open_end(struct end *end, bool consumes, bool multi, uint64_t items)
{
    struct ftl_ring_config config = {
        .memory = memory,
        .payload_size = PAYLOAD,
        .slots = SLOTS,
        .consumes = consumes,
        .multi = multi,
        .data = DATA,
        .space = SPACE,
        .peer = consumes && !multi ? PEER : FTL_HANDLE_INVALID,
    };
    memset(end, 0, sizeof(*end));
    end->items = items;
    assert_int_equal(ftl_ring_open(&end->ring, &config), FTL_OK);
}

static struct item *begin(struct end *end)
{
    struct ftl_ring *ring = &end->ring;
    if (ring->consumes) {
        return ring->multi ? ftl_ring_multi_pop_begin(ring) : ftl_ring_pop_begin(ring);
    }
    return ring->multi ? ftl_ring_multi_push_begin(ring) : ftl_ring_push_begin(ring);
}

static void finish(struct end *end, struct item *item)
{
    struct ftl_ring *ring = &end->ring;
    if (ring->consumes) {
        ring->multi ? ftl_ring_multi_pop_end(ring, item) : ftl_ring_pop_end(ring, item);
    } else {
        ring->multi ? ftl_ring_multi_push_end(ring, item) : ftl_ring_push_end(ring, item);
    }
}

/* A slot, once there is one; NULL when waiting ends with an error. */
static struct item *next_item(struct end *end)
{
    struct item *item;
    while ((item = begin(end)) == NULL) {
        if (end->spins) {
            sched_yield();
            continue;
        }
        end->ended = ftl_ring_wait(&end->ring, FTL_TIME_INFINITE);
        if (end->ended != FTL_OK) {
            return NULL;
        }
    }
    return item;
}

static void *produce(void *argument)
{
    struct end *end = argument;
    for (uint64_t i = 0; i < end->items; i++) {
        struct item *item = next_item(end);
        *item = (struct item){ .producer = end->number, .number = i };
        finish(end, item);
    }
    return NULL;
}

/* Each producer's items come in order, to each consumer. */
static void *consume(void *argument)
{
    struct end *end = argument;
    uint64_t next[SIDE] = { 0 };
    for (uint64_t i = 0; i < end->items; i++) {
        struct item *item = next_item(end);
        if (item == NULL) {
            break;
        }
        if (item->producer >= SIDE || item->number < next[item->producer]) {
            abort();
        }
        next[item->producer] = item->number + 1;
        end->sum += item->number;
        finish(end, item);
    }
    return NULL;
}

static void start(struct end *end)
{
    assert_int_equal(
        pthread_create(&end->thread, NULL, end->ring.consumes ? consume : produce, end), 0);
}

static void run_pair(struct end *producer, struct end *consumer)
{
    start(producer);
    start(consumer);
    pthread_join(producer->thread, NULL);
    pthread_join(consumer->thread, NULL);
}

#define SUM(n) ((uint64_t)(n) * ((n) - 1) / 2) /* of the numbers below n */

/* ---- The tests ---- */

static void one_producer_and_one_consumer(void **state)
{
    (void)state;
    struct end producer;
    struct end consumer;
    open_end(&producer, false, false, ITEMS);
    open_end(&consumer, true, false, ITEMS);
    run_pair(&producer, &consumer);
    assert_int_equal(consumer.sum, SUM(ITEMS));
    /* A side is signalled only when it sleeps, or is about to. */
    assert_true(fake.events[DATA] + fake.events[SPACE] <= fake.waits);
}

static void nothing_is_signalled_while_nobody_sleeps(void **state)
{
    (void)state;
    struct end producer;
    struct end consumer;
    open_end(&producer, false, false, ITEMS);
    open_end(&consumer, true, false, ITEMS);
    producer.spins = true;
    consumer.spins = true;
    run_pair(&producer, &consumer);
    assert_int_equal(consumer.sum, SUM(ITEMS));
    assert_int_equal(fake.events[DATA] + fake.events[SPACE], 0);
}

static void many_producers_and_consumers(void **state)
{
    (void)state;
    static struct end producers[SIDE];
    static struct end consumers[SIDE];
    for (size_t i = 0; i < SIDE; i++) {
        open_end(&producers[i], false, true, ITEMS);
        open_end(&consumers[i], true, true, ITEMS);
        producers[i].number = i;
    }
    for (size_t i = 0; i < SIDE; i++) {
        start(&producers[i]);
        start(&consumers[i]);
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < SIDE; i++) {
        pthread_join(producers[i].thread, NULL);
        pthread_join(consumers[i].thread, NULL);
        sum += consumers[i].sum;
    }
    assert_int_equal(sum, SIDE * SUM(ITEMS));
}

/* The producer ends long before the consumer has all that it would like to have. */
static void the_end_of_the_peer(void **state)
{
    (void)state;
    struct end producer;
    struct end consumer;
    open_end(&producer, false, false, ITEMS);
    open_end(&consumer, true, false, 2 * ITEMS);
    start(&producer);
    start(&consumer);
    pthread_join(producer.thread, NULL);
    add_event(PEER);
    pthread_join(consumer.thread, NULL);
    assert_int_equal(consumer.ended, FTL_ERR_PEER_CLOSED);
    assert_int_equal(consumer.sum, SUM(ITEMS)); /* its last item, too */
}

/* ---- A hostile peer ---- */

static bool stop;

/* Writes garbage into all that the ring's memory holds besides payloads, as fast as it can. */
static void *vandalize(void *argument)
{
    struct ftl_ring_memory *ring = (void *)memory;
    uint64_t random = 88172645463325252u;
    (void)argument;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint64_t value = (random >> 20) % 4 == 0 ? random : (random >> 24) % 512;
        size_t target = random % (SLOTS + 2);
        uint64_t *victim = target == SLOTS       ? &ring->producers
                           : target == SLOTS + 1 ? &ring->consumers
                                                 : (uint64_t *)(void *)(ring->slots + target * 32);
        __atomic_store_n(victim, value, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* What an honest end gets lies in the ring, and every try ends. */
static void honest_tries(struct end *end)
{
    const struct ftl_ring_memory *ring = (void *)memory;
    for (unsigned i = 0; i < ITEMS; i++) {
        char *payload = (char *)begin(end);
        if (payload == NULL) {
            (void)ftl_ring_arm(&end->ring);
            continue;
        }
        size_t offset = (size_t)(payload - ring->slots);
        assert_true(offset < SLOTS * 32 && offset % 32 == sizeof(struct ftl_ring_slot));
        finish(end, (struct item *)(void *)payload);
    }
}

static void a_hostile_peer_confuses_itself_alone(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        struct end honest;
        pthread_t vandal;
        set_up(NULL);
        open_end(&honest, kind % 2 == 0, kind / 2 != 0, ITEMS);
        __atomic_store_n(&stop, false, __ATOMIC_RELAXED);
        assert_int_equal(pthread_create(&vandal, NULL, vandalize, NULL), 0);
        honest_tries(&honest);
        __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
        pthread_join(vandal, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_producer_and_one_consumer, set_up),
        cmocka_unit_test_setup(nothing_is_signalled_while_nobody_sleeps, set_up),
        cmocka_unit_test_setup(many_producers_and_consumers, set_up),
        cmocka_unit_test_setup(the_end_of_the_peer, set_up),
        cmocka_unit_test_setup(a_hostile_peer_confuses_itself_alone, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
