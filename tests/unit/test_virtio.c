/*
 * user/drivers/virtio: the transport and the queues against a device that the test plays: a good
 * one, one that says what cannot be, one that changes its mind all the time. Registers are the
 * functions of mmio.h. Whatever the device does, the driver's account stays consistent, nothing
 * outside of its memory is touched (ASan), and the worst is an error.
 */
#include "host/test.h"

#include "user/drivers/virtio/mmio.h"
#include "user/drivers/virtio/registers.h"
#include "user/drivers/virtio/virtio.h"

#define MAGIC    UINT32_C(0x74726976)
#define ID       VIRTIO_ID_BLOCK
#define ENTRIES  16u
#define PHYSICAL UINT64_C(0x87650000)
#define FEATURE  (UINT64_C(1) << 9)
#define CONFIG   8u /* bytes */
#define ROUNDS   200000u

static struct {
    uint32_t version;
    uint32_t id;
    uint64_t offered;
    uint32_t status;
    bool refuses_features;
    bool never_resets;
    uint32_t queue_max;
    uint32_t registers[VIRTIO_CONFIG / 4]; /* as written */
    uint64_t accepted;
    uint8_t config[CONFIG];
    uint32_t generation;
    bool restless; /* the configuration changes with every look */
    uint32_t interrupts;
    unsigned notified;
} fake;

static struct virtio virtio;
static struct virtio_queue queue;
static char *memory;
static struct ftl_device_memory region;
static uint32_t some_registers; /* what the address of the registers points to */

static const struct ftl_device device = {
    .node = "/fake",
    .registers = &some_registers,
    .registers_size = VIRTIO_CONFIG + CONFIG,
};

/* ---- The device's registers ---- */

uint32_t mmio_read(const volatile void *registers, uint32_t offset)
{
    assert_ptr_equal(registers, &some_registers);
    assert_true(offset < VIRTIO_CONFIG && offset % 4 == 0);
    switch (offset) {
    case VIRTIO_MAGIC: return MAGIC;
    case VIRTIO_VERSION: return fake.version;
    case VIRTIO_DEVICE_ID: return fake.id;
    case VIRTIO_DEVICE_FEATURES:
        return (uint32_t)(fake.registers[VIRTIO_DEVICE_FEATURES_SEL / 4] != 0 ? fake.offered >> 32
                                                                              : fake.offered);
    case VIRTIO_QUEUE_NUM_MAX: return fake.queue_max;
    case VIRTIO_INTERRUPT_STATUS: return fake.interrupts;
    case VIRTIO_STATUS: return fake.status;
    case VIRTIO_CONFIG_GENERATION: return fake.restless ? fake.generation++ : fake.generation;
    default: fail_msg("register %#x is not to be read", offset); return 0;
    }
}

uint8_t mmio_read_byte(const volatile void *registers, uint32_t offset)
{
    assert_ptr_equal(registers, &some_registers);
    assert_true(offset >= VIRTIO_CONFIG && offset < VIRTIO_CONFIG + CONFIG);
    return fake.config[offset - VIRTIO_CONFIG];
}

static void set_status(uint32_t value)
{
    if (value != 0) {
        fake.status = value & ~(fake.refuses_features ? VIRTIO_STATUS_FEATURES_OK : 0);
    } else if (!fake.never_resets) {
        fake.status = 0;
    }
}

void mmio_write(volatile void *registers, uint32_t offset, uint32_t value)
{
    assert_ptr_equal(registers, &some_registers);
    assert_true(offset < VIRTIO_CONFIG && offset % 4 == 0);
    fake.registers[offset / 4] = value;
    switch (offset) {
    case VIRTIO_STATUS: set_status(value); break;
    case VIRTIO_INTERRUPT_ACK: fake.interrupts &= ~value; break;
    case VIRTIO_QUEUE_NOTIFY: fake.notified++; break;
    case VIRTIO_DRIVER_FEATURES:
        fake.accepted |= (uint64_t)value << (32 * fake.registers[VIRTIO_DRIVER_FEATURES_SEL / 4]);
        break;
    default: break;
    }
}

void mmio_barrier(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* ---- The device's side of a queue ---- */

static uint16_t *used_flags(void)
{
    return (uint16_t *)(void *)(memory + VIRTIO_QUEUE_USED((size_t)queue.size));
}

static uint32_t *used_entry(uint16_t position)
{
    return (uint32_t *)(void *)(used_flags() + 2) + (size_t)2 * (position % queue.size);
}

static uint16_t available_index(void)
{
    return ((uint16_t *)(void *)(memory + (size_t)16 * queue.size))[1];
}

static uint16_t available_entry(uint16_t position)
{
    return ((uint16_t *)(void *)(memory + (size_t)16 * queue.size))[2 + position % queue.size];
}

/* The device is done with the chain that begins at this entry. */
static void put_used(uint32_t head, uint32_t written)
{
    uint16_t index = used_flags()[1];
    used_entry(index)[0] = head;
    used_entry(index)[1] = written;
    used_flags()[1] = (uint16_t)(index + 1);
}

/* ---- Setting up ---- */

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.version = 2;
    fake.id = ID;
    fake.offered = VIRTIO_F_VERSION_1 | FEATURE | 1;
    fake.queue_max = 1024;
    size_t size = VIRTIO_QUEUE_SIZE((size_t)ENTRIES);
    memory = aligned_alloc(VIRTIO_QUEUE_ALIGNMENT, size);
    memset(memory, 0xa5, size);
    region = (struct ftl_device_memory){ .data = memory, .address = PHYSICAL, .size = size };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static void open_queue(void)
{
    assert_int_equal(virtio_open(&virtio, &device, ID, FEATURE), FTL_OK);
    assert_int_equal(virtio_queue_open(&queue, &virtio, 0, ENTRIES, &region, 0), FTL_OK);
    virtio_start(&virtio);
}

/* ---- The transport ---- */

static void a_modern_device_is_opened(void **state)
{
    (void)state;
    open_queue();
    assert_false(virtio.legacy);
    assert_true(virtio.features == (VIRTIO_F_VERSION_1 | FEATURE));
    assert_true(fake.accepted == virtio.features);
    assert_int_equal(fake.status, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
                                      VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
    assert_int_equal(fake.registers[VIRTIO_QUEUE_NUM / 4], ENTRIES);
    assert_int_equal(fake.registers[VIRTIO_QUEUE_DESC_LOW / 4], PHYSICAL);
    assert_int_equal(fake.registers[VIRTIO_QUEUE_DRIVER_LOW / 4], PHYSICAL + 16 * ENTRIES);
    assert_int_equal(fake.registers[VIRTIO_QUEUE_DEVICE_LOW / 4],
                     PHYSICAL + VIRTIO_QUEUE_USED((uint64_t)ENTRIES));
    assert_int_equal(fake.registers[VIRTIO_QUEUE_READY / 4], 1);
}

static void a_legacy_device_is_opened(void **state)
{
    (void)state;
    fake.version = 1;
    open_queue();
    assert_true(virtio.legacy);
    assert_true(virtio.features == FEATURE && fake.accepted == FEATURE);
    assert_int_equal(fake.status,
                     VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK);
    assert_int_equal(fake.registers[VIRTIO_GUEST_PAGE_SIZE / 4], FTL_PAGE_SIZE);
    assert_int_equal(fake.registers[VIRTIO_QUEUE_PFN / 4], PHYSICAL / FTL_PAGE_SIZE);
    assert_int_equal(fake.registers[VIRTIO_QUEUE_READY / 4], 0);
    region.address = UINT64_C(1) << 44;
    assert_int_equal(virtio_queue_open(&queue, &virtio, 0, ENTRIES, &region, 0),
                     FTL_ERR_NOT_SUPPORTED);
}

static void devices_that_cannot_be_driven_are_refused(void **state)
{
    (void)state;
    assert_int_equal(virtio_open(&virtio, &device, ID + 1, 0), FTL_ERR_NOT_FOUND);
    fake.version = 3;
    assert_int_equal(virtio_open(&virtio, &device, ID, 0), FTL_ERR_NOT_SUPPORTED);
    fake.version = 2;
    fake.refuses_features = true;
    assert_int_equal(virtio_open(&virtio, &device, ID, 0), FTL_ERR_NOT_SUPPORTED);
    assert_true((fake.status & VIRTIO_STATUS_FAILED) != 0);
    fake.refuses_features = false;
    fake.offered = FEATURE; /* modern, but not version 1 */
    assert_int_equal(virtio_open(&virtio, &device, ID, 0), FTL_ERR_NOT_SUPPORTED);
    fake.never_resets = true;
    assert_int_equal(virtio_open(&virtio, &device, ID, 0), FTL_ERR_IO);
}

static void queues_that_cannot_be_are_refused(void **state)
{
    (void)state;
    open_queue();
    fake.queue_max = 0;
    assert_int_equal(virtio_queue_open(&queue, &virtio, 1, ENTRIES, &region, 0), FTL_ERR_NOT_FOUND);
    fake.queue_max = 5;
    assert_int_equal(virtio_queue_open(&queue, &virtio, 0, ENTRIES, &region, 0), FTL_OK);
    assert_int_equal(queue.size, 4);
    assert_int_equal(virtio_queue_open(&queue, &virtio, 0, ENTRIES, &region, 16),
                     FTL_ERR_INVALID_ARGUMENT);
    region.size--;
    assert_int_equal(virtio_queue_open(&queue, &virtio, 0, ENTRIES, &region, 0),
                     FTL_ERR_INVALID_ARGUMENT);
}

static void a_configuration_is_read_as_a_whole(void **state)
{
    uint8_t bytes[4];
    (void)state;
    open_queue();
    for (uint8_t i = 0; i < CONFIG; i++) {
        fake.config[i] = (uint8_t)(i + 1);
    }
    assert_int_equal(virtio_config(&virtio, 2, bytes, sizeof(bytes)), FTL_OK);
    assert_true(virtio_number(bytes, sizeof(bytes)) == 0x06050403);
    assert_int_equal(virtio_config(&virtio, CONFIG - 3, bytes, sizeof(bytes)),
                     FTL_ERR_OUT_OF_RANGE);
    assert_int_equal(virtio_config(&virtio, UINT32_MAX, bytes, 1), FTL_ERR_OUT_OF_RANGE);
    fake.restless = true;
    assert_int_equal(virtio_config(&virtio, 0, bytes, sizeof(bytes)), FTL_ERR_IO);
}

static void interrupts_are_withdrawn(void **state)
{
    (void)state;
    open_queue();
    fake.interrupts = UINT32_MAX;
    assert_int_equal(virtio_take_interrupt(&virtio),
                     VIRTIO_INTERRUPT_QUEUE | VIRTIO_INTERRUPT_CONFIG);
    assert_int_equal(fake.interrupts & 3, 0);
}

/* ---- Queues ---- */

static const struct virtio_piece pieces[] = {
    { 0x1000, 16, false },
    { 0x2000, 100, true },
    { 0x3000, 1, true },
};

static void chains_come_back_in_any_order(void **state)
{
    void *token;
    uint32_t written;
    int tokens[5];
    (void)state;
    open_queue();
    for (int i = 0; i < 5; i++) {
        assert_true(virtio_queue_add(&queue, pieces, 3, &tokens[i]));
    }
    assert_false(virtio_queue_add(&queue, pieces, 3, &tokens[0])); /* one entry is left */
    assert_true(virtio_queue_add(&queue, pieces, 1, &queue));
    assert_int_equal(queue.free_count, 0);
    assert_int_equal(available_index(), 6);
    virtio_queue_notify(&queue);
    assert_int_equal(fake.notified, 1);
    assert_int_equal(virtio_queue_take(&queue, &token, &written), FTL_ERR_WOULD_BLOCK);
    assert_true(virtio_queue_interrupts(&queue, true));
    put_used(available_entry(3), 101);
    put_used(available_entry(0), 0);
    assert_false(virtio_queue_interrupts(&queue, true));
    assert_int_equal(virtio_queue_take(&queue, &token, &written), FTL_OK);
    assert_ptr_equal(token, &tokens[3]);
    assert_int_equal(written, 101);
    assert_int_equal(virtio_queue_take(&queue, &token, &written), FTL_OK);
    assert_ptr_equal(token, &tokens[0]);
    assert_int_equal(queue.free_count, 6);
    used_flags()[0] = 1; /* it looks by itself */
    virtio_queue_notify(&queue);
    assert_int_equal(fake.notified, 1);
}

/* Each case on a fresh queue with one chain of which 101 bytes can be written. */
static void what_cannot_be_is_an_error(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        void *token = NULL;
        uint32_t written;
        open_queue();
        virtio_queue_add(&queue, pieces, 3, &queue);
        uint16_t head = available_entry(0);
        switch (i) {
        case 0: put_used(ENTRIES, 0); break;    /* no entry */
        case 1: put_used(UINT32_MAX, 0); break; /* far from any */
        case 2: put_used(head + 1u, 0); break;  /* in the middle of the chain */
        case 3: put_used(head, 102); break;     /* more than there is room for */
        default: used_flags()[1] = 2; break;    /* more chains than it has */
        }
        assert_int_equal(virtio_queue_take(&queue, &token, &written), FTL_ERR_BAD_FORMAT);
        assert_null(token);
        assert_int_equal(queue.chains, 1);
    }
    /* And the same chain twice. */
    void *token;
    uint32_t written;
    open_queue();
    virtio_queue_add(&queue, pieces, 3, &queue);
    virtio_queue_add(&queue, pieces, 3, &queue);
    put_used(available_entry(0), 0);
    put_used(available_entry(0), 0);
    assert_int_equal(virtio_queue_take(&queue, &token, &written), FTL_OK);
    assert_int_equal(virtio_queue_take(&queue, &token, &written), FTL_ERR_BAD_FORMAT);
}

/* Entries of free ones and of chains are all there are, each in one place. */
static void assert_consistent(void)
{
    size_t free_entries = 0;
    size_t heads = 0;
    for (uint16_t at = queue.free_head; at < queue.size; at = queue.entries[at].next) {
        assert_true(++free_entries <= queue.size);
        assert_false(queue.entries[at].is_head);
    }
    for (size_t i = 0; i < queue.size; i++) {
        heads += queue.entries[i].is_head;
    }
    assert_int_equal(free_entries, queue.free_count);
    assert_int_equal(heads, queue.chains);
}

/* The device scribbles over all of its memory, descriptors too, between any two steps. */
static void a_device_gone_mad_does_no_harm(void **state)
{
    struct host_random random = { .state = 7 };
    size_t taken = 0;
    size_t errors = 0;
    (void)state;
    open_queue();
    for (unsigned i = 0; i < ROUNDS; i++) {
        void *token;
        uint32_t written;
        size_t size = region.size;
        for (size_t j = host_random_below(&random, 4); j != 0; j--) {
            memory[host_random_below(&random, size)] = (char)host_random_below(&random, 256);
        }
        if (host_random_below(&random, 2) == 0) { /* something that may be so, too */
            uint16_t index = (uint16_t)(queue.used_index + host_random_below(&random, 3));
            used_entry(queue.used_index)[0] = (uint32_t)host_random_below(&random, ENTRIES + 1);
            used_entry(queue.used_index)[1] =
                (uint32_t)(host_random_below(&random, 2) * host_random_below(&random, 110));
            used_flags()[1] = index;
        }
        virtio_queue_add(&queue, pieces, 1 + host_random_below(&random, 3), &queue);
        virtio_queue_notify(&queue);
        ftl_status_t status = virtio_queue_take(&queue, &token, &written);
        if (status == FTL_OK) {
            assert_ptr_equal(token, &queue);
            assert_true(written <= 101);
            taken++;
        } else {
            assert_true(status == FTL_ERR_BAD_FORMAT || status == FTL_ERR_WOULD_BLOCK);
            errors += status == FTL_ERR_BAD_FORMAT;
        }
        assert_consistent();
    }
    assert_true(taken > ROUNDS / 100 && errors > ROUNDS / 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_modern_device_is_opened),
        TEST(a_legacy_device_is_opened),
        TEST(devices_that_cannot_be_driven_are_refused),
        TEST(queues_that_cannot_be_are_refused),
        TEST(a_configuration_is_read_as_a_whole),
        TEST(interrupts_are_withdrawn),
        TEST(chains_come_back_in_any_order),
        TEST(what_cannot_be_is_an_error),
        TEST(a_device_gone_mad_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
