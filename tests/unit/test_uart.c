/*
 * kernel/uart.c over models of the UARTs, which refuse accesses of the wrong width or between
 * registers. Interrupts are levels: a driver that leaves one standing would be called without end.
 */
#include "host/test.h"

#include "kernel/uart.h"

#include "arch/mmio.h"
#include "arch/platform.h"

#define BASE  0x10000000UL
#define QUEUE 16

/* What is behind the registers, whichever way they are laid out. */
static struct {
    struct boot_uart info;
    char input[QUEUE];
    size_t head, tail; /* of the input */
    char sent[QUEUE];
    size_t sent_count;
    unsigned stuck; /* polls until the transmitter has room again */
    bool interrupts;
    bool fifo;
    bool timeout; /* DesignWare: stands until RBR is read */
    bool busy;    /* DesignWare: stands until USR is read */
    unsigned transmitter, receiver;
} device;

static unsigned char registers[0x10000];

volatile void *map_device(paddr_t address, size_t size)
{
    assert_int_equal(address, BASE);
    assert_in_range(size, 1, sizeof(registers));
    return registers;
}

static int take(void)
{
    if (device.head == device.tail) {
        return -1;
    }
    return (unsigned char)device.input[device.head++ % QUEUE];
}

static bool has_room(void)
{
    if (device.stuck > 0) {
        device.stuck--;
        return false;
    }
    return true;
}

static bool interrupt_stands(void)
{
    return device.interrupts && (device.head != device.tail || device.timeout || device.busy);
}

/* Of a 16550-like UART: which register. */
static unsigned number_of(const volatile void *address, unsigned width)
{
    size_t offset = (size_t)((const volatile unsigned char *)address - registers);
    assert_int_equal(width, device.info.reg_width);
    assert_in_range(offset, device.info.reg_offset, device.info.device.size - width);
    offset -= device.info.reg_offset;
    assert_int_equal(offset % ((size_t)1 << device.info.reg_shift), 0);
    return (unsigned)(offset >> device.info.reg_shift);
}

static uint32_t read_16550(unsigned number)
{
    int byte;
    switch (number) {
    case 0:
        device.timeout = false;
        byte = take();
        /* upper bytes are undefined */
        return byte < 0 ? 0xffffff00U : 0xffffff00U | (uint32_t)byte;
    case 2:
        if (device.head != device.tail) {
            return 0xc4;
        }
        return device.busy ? 0xc7 : device.timeout ? 0xcc : 0xc1;
    case 5: return (device.head != device.tail ? 1U : 0) | (has_room() ? 0x20U : 0);
    case 0x1f: device.busy = false; return 0;
    default: fail_msg("register %u read", number); return 0;
    }
}

static void write_16550(unsigned number, uint32_t value)
{
    switch (number) {
    case 0: device.sent[device.sent_count++ % QUEUE] = (char)value; break;
    case 1: device.interrupts = value == 1; break;
    case 2: device.fifo = value == 1; break; /* no reset: firmware may still be sending */
    default: fail_msg("register %u written", number);
    }
}

static uint32_t read_sifive(size_t offset)
{
    int byte;
    switch (offset) {
    case 0: return has_room() ? 0 : 0x80000000U;
    case 4: byte = take(); return byte < 0 ? 0x80000000U : (uint32_t)byte;
    case 8: return device.transmitter;
    case 0xc: return device.receiver;
    default: fail_msg("offset %#zx read", offset); return 0;
    }
}

static void write_sifive(size_t offset, uint32_t value)
{
    switch (offset) {
    case 0: device.sent[device.sent_count++ % QUEUE] = (char)value; break;
    case 8: device.transmitter = value; break;
    case 0xc: device.receiver = value; break;
    case 0x10: device.interrupts = value == 2; break;
    default: fail_msg("offset %#zx written", offset);
    }
}

uint32_t mmio_read(const volatile void *address, unsigned width)
{
    if (device.info.kind == BOOT_UART_SIFIVE) {
        assert_int_equal(width, 4);
        return read_sifive((size_t)((const volatile unsigned char *)address - registers));
    }
    return read_16550(number_of(address, width));
}

void mmio_write(volatile void *address, unsigned width, uint32_t value)
{
    if (device.info.kind == BOOT_UART_SIFIVE) {
        assert_int_equal(width, 4);
        write_sifive((size_t)((const volatile unsigned char *)address - registers), value);
        return;
    }
    write_16550(number_of(address, width), value);
}

static struct uart start(const struct boot_uart *info)
{
    struct uart uart = { 0 };
    memset(&device, 0, sizeof(device));
    device.info = *info;
    device.info.device.base = BASE;
    device.transmitter = 0x10000; /* what the firmware set */
    device.receiver = 0x30000;
    device.interrupts = true;
    assert_true(uart_init(&uart, &device.info));
    assert_false(device.interrupts);
    return uart;
}

static void type(const char *text)
{
    for (; *text != '\0'; text++) {
        device.input[device.tail++ % QUEUE] = *text;
    }
}

/* What the console does at an interrupt. */
static void expect_input(struct uart *uart, const char *text)
{
    for (; *text != '\0'; text++) {
        assert_int_equal(uart_get(uart), *text);
    }
    assert_int_equal(uart_get(uart), -1);
    assert_false(interrupt_stands());
}

static void check_both_ways(const struct boot_uart *info)
{
    struct uart uart = start(info);
    device.stuck = 3;
    uart_put(&uart, 'a');
    uart_put(&uart, 0xe9);
    assert_memory_equal(device.sent, "a\xe9", 2);
    assert_int_equal(device.sent_count, 2);
    assert_int_equal(uart_get(&uart), -1);
    uart_enable_input(&uart);
    assert_true(device.interrupts);
    type("xy\xff");
    assert_true(interrupt_stands());
    assert_int_equal(uart_get(&uart), 'x');
    assert_int_equal(uart_get(&uart), 'y');
    assert_int_equal(uart_get(&uart), 0xff);
    expect_input(&uart, "");
}

static void registers_are_found_in_every_layout(void **state)
{
    (void)state;
    static const struct boot_uart layouts[] = {
        { .kind = BOOT_UART_NS16550A, .device.size = 8, .reg_width = 1 },
        { .kind = BOOT_UART_NS16550A, .device.size = 0x100, .reg_width = 1, .reg_shift = 2 },
        { .kind = BOOT_UART_NS16550A, .device.size = 0x100, .reg_width = 2, .reg_shift = 1 },
        { .kind = BOOT_UART_NS16550A, .device.size = 0x40, .reg_width = 1, .reg_offset = 3 },
        { .kind = BOOT_UART_DW_APB, .device.size = 0x10000, .reg_width = 4, .reg_shift = 2 },
        { .kind = BOOT_UART_DW_APB, .device.size = 0x20, .reg_width = 4, .reg_shift = 2 },
        { .kind = BOOT_UART_SIFIVE, .device.size = 0x1000, .reg_width = 4, .reg_shift = 2 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
        check_both_ways(&layouts[i]);
    }
}

static const struct boot_uart designware = {
    .kind = BOOT_UART_DW_APB, .device.size = 0x10000, .reg_width = 4, .reg_shift = 2
};

static void timeout_without_data_ends(void **state)
{
    (void)state;
    struct uart uart = start(&designware);
    uart_enable_input(&uart);
    device.timeout = true;
    expect_input(&uart, "");
    type("abc");
    device.timeout = true;
    expect_input(&uart, "abc");
}

static void busy_ends_where_there_is_a_status_register(void **state)
{
    (void)state;
    struct uart uart = start(&designware);
    uart_enable_input(&uart);
    device.busy = true;
    expect_input(&uart, "");

    struct boot_uart small = designware;
    small.device.size = 0x20;
    uart = start(&small);
    device.busy = true;
    assert_int_equal(uart_get(&uart), -1); /* nothing beyond its registers is read */
}

static void what_the_firmware_set_is_kept(void **state)
{
    (void)state;
    start(&(struct boot_uart){ .kind = BOOT_UART_SIFIVE, .device.size = 0x1000 });
    assert_int_equal(device.transmitter, 0x10001);
    assert_int_equal(device.receiver, 0x30001);
    start(&designware);
    assert_true(device.fifo);
}

static void transmitter_that_is_stuck_loses_output_but_not_the_kernel(void **state)
{
    (void)state;
    struct uart uart = start(&designware);
    device.stuck = UINT32_MAX;
    uart_put(&uart, 'a');
    assert_int_equal(device.sent_count, 0);
    device.stuck = 0;
    uart_put(&uart, 'b');
    assert_int_equal(device.sent[0], 'b');
}

static void no_uart_is_no_console(void **state)
{
    (void)state;
    struct uart uart;
    assert_false(uart_init(&uart, &(struct boot_uart){ .kind = BOOT_UART_NONE }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_are_found_in_every_layout),
        cmocka_unit_test(timeout_without_data_ends),
        cmocka_unit_test(busy_ends_where_there_is_a_status_register),
        cmocka_unit_test(what_the_firmware_set_is_kept),
        cmocka_unit_test(transmitter_that_is_stuck_loses_output_but_not_the_kernel),
        cmocka_unit_test(no_uart_is_no_console),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
