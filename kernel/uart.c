/*
 * UARTs: see uart.h. Register names as in the PC16550D data sheet, the DesignWare DW_apb_uart
 * databook and the SiFive FU540 manual, "UART".
 */
#include "kernel/uart.h"

#include "arch/mmio.h"
#include "arch/platform.h"

/* 16550, in units of registers. */
#define UART_RBR 0 /* receiver buffer (read) */
#define UART_THR 0 /* transmitter holding (write) */
#define UART_IER 1
#define UART_IIR 2 /* (read) */
#define UART_FCR 2 /* (write) */
#define UART_LSR 5
#define UART_USR 0x1f /* DesignWare: UART status */

#define UART_IER_RECEIVED   0x01
#define UART_FCR_ENABLE     0x01
#define UART_IIR_CAUSE      0x0f
#define UART_IIR_TIMEOUT    0x0c /* bytes have waited in the FIFO */
#define UART_IIR_BUSY       0x07 /* DesignWare: LCR was written to while it was busy */
#define UART_LSR_DATA_READY 0x01
#define UART_LSR_THR_EMPTY  0x20

/* SiFive, in bytes. */
#define SIFIVE_TXDATA 0x00
#define SIFIVE_RXDATA 0x04
#define SIFIVE_TXCTRL 0x08
#define SIFIVE_RXCTRL 0x0c
#define SIFIVE_IE     0x10
#define SIFIVE_WIDTH  4

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
    return mmio_read(uart->registers + ((size_t)number << uart->shift), uart->width);
}

static void write_register(struct uart *uart, unsigned number, uint32_t value)
{
    mmio_write(uart->registers + ((size_t)number << uart->shift), uart->width, value);
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

/*
 * An interrupt of DesignWare's UART may stay for reasons that are not data: a timeout although the
 * FIFO has been emptied (as Linux knows, drivers/tty/serial/8250/8250_dw.c) ends with a read of
 * nothing, "busy" with one of the status.
 */
static int dw_apb_receive(struct uart *uart)
{
    int byte = ns16550_receive(uart);
    if (byte >= 0) {
        return byte;
    }
    uint32_t cause = read_register(uart, UART_IIR) & UART_IIR_CAUSE;
    if (cause == UART_IIR_BUSY && uart->has_status) {
        read_register(uart, UART_USR);
    } else if (cause == UART_IIR_TIMEOUT) {
        byte = ns16550_receive(uart); /* it may have come just now */
        if (byte < 0) {
            read_register(uart, UART_RBR);
        }
    }
    return byte;
}

static const struct uart_ops dw_apb_ops = {
    .init = ns16550_init,
    .can_send = ns16550_can_send,
    .send = ns16550_send,
    .receive = dw_apb_receive,
    .enable_input = ns16550_enable_input,
};

static uint32_t sifive_read(struct uart *uart, size_t offset)
{
    return mmio_read(uart->registers + offset, SIFIVE_WIDTH);
}

static void sifive_write(struct uart *uart, size_t offset, uint32_t value)
{
    mmio_write(uart->registers + offset, SIFIVE_WIDTH, value);
}

static void sifive_init(struct uart *uart)
{
    sifive_write(uart, SIFIVE_IE, 0);
    sifive_write(uart, SIFIVE_TXCTRL, sifive_read(uart, SIFIVE_TXCTRL) | SIFIVE_ENABLE);
    sifive_write(uart, SIFIVE_RXCTRL, sifive_read(uart, SIFIVE_RXCTRL) | SIFIVE_ENABLE);
}

static bool sifive_can_send(struct uart *uart)
{
    return (sifive_read(uart, SIFIVE_TXDATA) & SIFIVE_TX_FULL) == 0;
}

static void sifive_send(struct uart *uart, uint8_t byte)
{
    sifive_write(uart, SIFIVE_TXDATA, byte);
}

static int sifive_receive(struct uart *uart)
{
    uint32_t data = sifive_read(uart, SIFIVE_RXDATA);
    return (data & SIFIVE_RX_EMPTY) != 0 ? -1 : (int)(data & 0xff);
}

static void sifive_enable_input(struct uart *uart)
{
    sifive_write(uart, SIFIVE_IE, SIFIVE_IE_RECEIVE);
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
    static const struct uart_ops *const ops[] = {
        [BOOT_UART_NS16550A] = &ns16550_ops,
        [BOOT_UART_DW_APB] = &dw_apb_ops,
        [BOOT_UART_SIFIVE] = &sifive_ops,
    };
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
    uart->has_status =
        info->device.size >= info->reg_offset + ((UART_USR + 1ULL) << info->reg_shift);
    uart->ops = ops[info->kind];
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
