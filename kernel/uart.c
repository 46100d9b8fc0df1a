/* UARTs: see uart.h. Register names as in the PC16550D data sheet and the SiFive FU540 manual,
 * "UART". */
#include "kernel/uart.h"

#include "arch/platform.h"

/* 16550, in units of registers. */
#define UART_RBR 0 /* receiver buffer (read) */
#define UART_THR 0 /* transmitter holding (write) */
#define UART_IER 1
#define UART_FCR 2
#define UART_LSR 5

#define UART_IER_RECEIVED   0x01
#define UART_FCR_ENABLE     0x01
#define UART_LSR_DATA_READY 0x01
#define UART_LSR_THR_EMPTY  0x20

/* SiFive, in bytes. */
#define SIFIVE_TXDATA 0x00
#define SIFIVE_RXDATA 0x04
#define SIFIVE_TXCTRL 0x08
#define SIFIVE_RXCTRL 0x0c
#define SIFIVE_IE     0x10

#define SIFIVE_TX_FULL    0x80000000U
#define SIFIVE_RX_EMPTY   0x80000000U
#define SIFIVE_ENABLE     0x1
#define SIFIVE_IE_RECEIVE 0x2

/* Polls of a full transmitter before its byte is given up: many times what 110 baud would need. */
#define TRANSMIT_POLLS 10000000U

struct uart_ops {
    void (*init)(struct uart *uart);
    bool (*can_send)(struct uart *uart);
    void (*send)(struct uart *uart, uint8_t byte);
    int (*receive)(struct uart *uart);
    void (*enable_input)(struct uart *uart);
};

static uint32_t read_register(struct uart *uart, unsigned number)
{
    volatile uint8_t *address = uart->registers + ((size_t)number << uart->shift);
    switch (uart->width) {
    case 1: return *address;
    case 2: return *(volatile uint16_t *)address;
    default: return *(volatile uint32_t *)address;
    }
}

static void write_register(struct uart *uart, unsigned number, uint32_t value)
{
    volatile uint8_t *address = uart->registers + ((size_t)number << uart->shift);
    switch (uart->width) {
    case 1: *address = (uint8_t)value; break;
    case 2: *(volatile uint16_t *)address = (uint16_t)value; break;
    default: *(volatile uint32_t *)address = value;
    }
}

static void ns16550_init(struct uart *uart)
{
    write_register(uart, UART_IER, 0);
    write_register(uart, UART_FCR, UART_FCR_ENABLE);
}

static bool ns16550_can_send(struct uart *uart)
{
    return (read_register(uart, UART_LSR) & UART_LSR_THR_EMPTY) != 0;
}

static void ns16550_send(struct uart *uart, uint8_t byte)
{
    write_register(uart, UART_THR, byte);
}

static int ns16550_receive(struct uart *uart)
{
    if ((read_register(uart, UART_LSR) & UART_LSR_DATA_READY) == 0) {
        return -1;
    }
    return (int)(read_register(uart, UART_RBR) & 0xff);
}

static void ns16550_enable_input(struct uart *uart)
{
    write_register(uart, UART_IER, UART_IER_RECEIVED);
}

static const struct uart_ops ns16550_ops = {
    .init = ns16550_init,
    .can_send = ns16550_can_send,
    .send = ns16550_send,
    .receive = ns16550_receive,
    .enable_input = ns16550_enable_input,
};

static volatile uint32_t *sifive_register(struct uart *uart, size_t offset)
{
    return (volatile uint32_t *)(uart->registers + offset);
}

static void sifive_init(struct uart *uart)
{
    *sifive_register(uart, SIFIVE_IE) = 0;
    *sifive_register(uart, SIFIVE_TXCTRL) |= SIFIVE_ENABLE;
    *sifive_register(uart, SIFIVE_RXCTRL) |= SIFIVE_ENABLE;
}

static bool sifive_can_send(struct uart *uart)
{
    return (*sifive_register(uart, SIFIVE_TXDATA) & SIFIVE_TX_FULL) == 0;
}

static void sifive_send(struct uart *uart, uint8_t byte)
{
    *sifive_register(uart, SIFIVE_TXDATA) = byte;
}

static int sifive_receive(struct uart *uart)
{
    uint32_t data = *sifive_register(uart, SIFIVE_RXDATA);
    return (data & SIFIVE_RX_EMPTY) != 0 ? -1 : (int)(data & 0xff);
}

static void sifive_enable_input(struct uart *uart)
{
    *sifive_register(uart, SIFIVE_IE) = SIFIVE_IE_RECEIVE;
}

static const struct uart_ops sifive_ops = {
    .init = sifive_init,
    .can_send = sifive_can_send,
    .send = sifive_send,
    .receive = sifive_receive,
    .enable_input = sifive_enable_input,
};

bool uart_init(struct uart *uart, const struct boot_uart *info)
{
    if (info->kind == BOOT_UART_NONE) {
        return false;
    }
    volatile uint8_t *registers = map_device(info->device.base, info->device.size);
    if (registers == NULL) {
        return false;
    }
    uart->registers = registers + info->reg_offset;
    uart->shift = info->reg_shift;
    uart->width = info->reg_width;
    uart->ops = info->kind == BOOT_UART_SIFIVE ? &sifive_ops : &ns16550_ops;
    uart->ops->init(uart);
    return true;
}

void uart_put(struct uart *uart, uint8_t byte)
{
    for (unsigned polls = 0; polls < TRANSMIT_POLLS; polls++) {
        if (uart->ops->can_send(uart)) {
            uart->ops->send(uart, byte);
            return;
        }
    }
}

int uart_get(struct uart *uart)
{
    return uart->ops->receive(uart);
}

void uart_enable_input(struct uart *uart)
{
    uart->ops->enable_input(uart);
}
