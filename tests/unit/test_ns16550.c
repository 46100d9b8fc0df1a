/*
 * user/drivers/uart/ns16550.c: against a 16550A, and a DesignWare that is busy, that interrupts for
 * a timeout although there is nothing, and whose registers are words. The port's other end is a
 * loop: what was sent comes back.
 */
#include "host/test.h"

#include "user/drivers/uart/ns16550.h"
#include "user/drivers/virtio/mmio.h"

#define FIFO 16u

static struct {
    unsigned shift;
    unsigned width;
    bool is_designware;
    bool has_fifo;
    uint8_t ier;
    uint8_t lcr;
    uint8_t fcr;
    uint16_t divisor;
    uint8_t fifo[64];
    unsigned count;
    unsigned busy;       /* writes to LCR that are ignored yet */
    bool is_busy_raised; /* an interrupt for that */
    bool timeout;        /* an interrupt for that, although there is nothing */
    bool thr_raised;     /* the transmitter became empty, and nobody asked yet */
} port;

static volatile uint8_t registers[256];

static unsigned number_of(const volatile void *base, uint32_t offset, unsigned width)
{
    assert_ptr_equal(base, registers);
    assert_int_equal(width, port.width);
    assert_int_equal(offset & ((1u << port.shift) - 1), 0);
    assert_true(offset + width <= sizeof(registers));
    return offset >> port.shift;
}

static uint8_t take(void)
{
    uint8_t byte = port.count != 0 ? port.fifo[0] : 0;
    port.timeout = false;
    if (port.count != 0) {
        memmove(port.fifo, port.fifo + 1, --port.count);
    }
    return byte;
}

static uint8_t cause(void)
{
    uint8_t fifos = port.has_fifo ? 0xc0 : 0;
    if (port.is_busy_raised) {
        return fifos | 7;
    }
    if (port.timeout) {
        return fifos | 12;
    }
    if ((port.ier & 1) != 0 && port.count != 0) {
        return fifos | 4;
    }
    if ((port.ier & 2) != 0 && port.thr_raised) {
        port.thr_raised = false; /* being asked is enough */
        return fifos | 2;
    }
    return fifos | 1;
}

static uint8_t read_register(unsigned number)
{
    switch (number) {
    case 0: return (port.lcr & 0x80) != 0 ? (uint8_t)port.divisor : take();
    case 2: return cause();
    case 3: return port.lcr;
    case 5: return (uint8_t)((port.count != 0 ? 1 : 0) | 0x20);
    case 31: port.is_busy_raised = false; return 0;
    default: return 0;
    }
}

static void write_lcr(uint8_t value)
{
    if (port.busy != 0) {
        port.busy--;
        port.is_busy_raised = true;
        return;
    }
    port.lcr = value;
}

static void write_register(unsigned number, uint8_t value)
{
    bool is_divisor = (port.lcr & 0x80) != 0;
    switch (number) {
    case 0:
        if (is_divisor) {
            port.divisor = (uint16_t)((port.divisor & 0xff00) | value);
        } else {
            assert_true(port.count < sizeof(port.fifo));
            port.fifo[port.count++] = value;
            port.thr_raised = true;
        }
        break;
    case 1:
        if (is_divisor) {
            port.divisor = (uint16_t)((port.divisor & 0xff) | value << 8);
        } else {
            port.thr_raised |= (value & ~port.ier & 2) != 0;
            port.ier = value;
        }
        break;
    case 2: port.fcr = value; break;
    case 3: write_lcr(value); break;
    case 4: break;
    default: fail();
    }
}

uint32_t mmio_read(const volatile void *base, uint32_t offset)
{
    return 0xabcdef00u | read_register(number_of(base, offset, 4));
}

uint8_t mmio_read_byte(const volatile void *base, uint32_t offset)
{
    return read_register(number_of(base, offset, 1));
}

void mmio_write(volatile void *base, uint32_t offset, uint32_t value)
{
    assert_true(value <= UINT8_MAX);
    write_register(number_of(base, offset, 4), (uint8_t)value);
}

void mmio_write_byte(volatile void *base, uint32_t offset, uint8_t value)
{
    write_register(number_of(base, offset, 1), value);
}

void mmio_barrier(void)
{
}

static struct ns16550 open_port(bool is_designware, uint32_t divisor)
{
    memset(&port, 0, sizeof(port));
    port.is_designware = is_designware;
    port.has_fifo = true;
    port.shift = is_designware ? 2 : 0;
    port.width = is_designware ? 4 : 1;
    port.busy = is_designware ? 3 : 0;
    struct ns16550 uart = {
        .registers = registers,
        .size = sizeof(registers),
        .shift = port.shift,
        .width = port.width,
        .is_designware = is_designware,
        .divisor = divisor,
    };
    assert_true(ns16550_open(&uart));
    assert_int_equal(port.lcr, 3);
    assert_int_equal(port.ier, 0);
    assert_int_equal(port.divisor, divisor);
    assert_int_equal(port.fcr & 1, 1);
    return uart;
}

static void bytes_go_and_come(void **state)
{
    static const uint8_t data[40] = { 0, 1, 0xff, 0x80, 'x' };
    (void)state;
    for (int is_designware = 0; is_designware <= 1; is_designware++) {
        struct ns16550 uart = open_port(is_designware != 0, is_designware != 0 ? 0 : 0x123);
        assert_int_equal(ns16550_receive(&uart), -1);
        assert_int_equal(ns16550_send(&uart, data, 5), 5);
        assert_int_equal(ns16550_send(&uart, data, sizeof(data)), FIFO);
        for (unsigned i = 0; i < 5 + FIFO; i++) {
            assert_int_equal(ns16550_receive(&uart), data[i < 5 ? i : i - 5]);
        }
        assert_int_equal(ns16550_receive(&uart), -1);
    }
}

static void without_a_fifo_bytes_go_one_by_one(void **state)
{
    (void)state;
    struct ns16550 uart = open_port(false, 0);
    port.has_fifo = false;
    assert_true(ns16550_open(&uart));
    assert_int_equal(ns16550_send(&uart, (const uint8_t *)"ab", 2), 1);
}

static void interrupts_are_those_that_were_asked_for(void **state)
{
    (void)state;
    struct ns16550 uart = open_port(false, 0);
    assert_false(ns16550_take_cause(&uart));
    ns16550_enable(&uart, false, true);
    assert_true(ns16550_take_cause(&uart)); /* the transmitter is empty */
    assert_false(ns16550_take_cause(&uart));
    ns16550_enable(&uart, true, false);
    ns16550_send(&uart, (const uint8_t *)"a", 1);
    assert_true(ns16550_take_cause(&uart));
    assert_int_equal(ns16550_receive(&uart), 'a');
    assert_false(ns16550_take_cause(&uart));
    ns16550_enable(&uart, false, false);
    ns16550_send(&uart, (const uint8_t *)"a", 1);
    assert_false(ns16550_take_cause(&uart));
}

static void designwares_interrupts_end(void **state)
{
    (void)state;
    struct ns16550 uart = open_port(true, 0);
    assert_true(port.is_busy_raised); /* LCR was written to while it was busy */
    assert_true(ns16550_take_cause(&uart));
    assert_false(ns16550_take_cause(&uart));
    port.timeout = true;
    assert_true(ns16550_take_cause(&uart));
    assert_false(ns16550_take_cause(&uart));
    port.timeout = true;
    ns16550_send(&uart, (const uint8_t *)"a", 1);
    assert_true(ns16550_take_cause(&uart));
    assert_int_equal(ns16550_receive(&uart), 'a'); /* and not lost with the timeout */
}

static void one_that_is_always_busy_is_not_waited_for_forever(void **state)
{
    (void)state;
    struct ns16550 uart = open_port(true, 0);
    port.busy = UINT32_MAX;
    assert_true(ns16550_open(&uart));
}

static void odd_registers_are_refused(void **state)
{
    static const struct ns16550 cases[] = {
        { .size = 8, .width = 2 },
        { .size = 8, .width = 4 },
        { .size = 6, .width = 1 },
        { .size = 24, .width = 4, .shift = 2 },
        { .size = SIZE_MAX, .width = 1, .shift = 31 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ns16550 uart = cases[i];
        assert_false(ns16550_open(&uart));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_and_come),
        cmocka_unit_test(without_a_fifo_bytes_go_one_by_one),
        cmocka_unit_test(interrupts_are_those_that_were_asked_for),
        cmocka_unit_test(designwares_interrupts_end),
        cmocka_unit_test(one_that_is_always_busy_is_not_waited_for_forever),
        cmocka_unit_test(odd_registers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
