/* Registers of UARTs: see ns16550.h. */
#include "ns16550.h"

#include "../virtio/mmio.h"

/* Registers by number. */
enum {
    RBR = 0, /* receiver buffer (read) */
    THR = 0, /* transmitter holding (write) */
    DLL = 0, /* divisor, low and high, while LCR_DLAB is set */
    DLM = 1,
    IER = 1,
    IIR = 2, /* (read) */
    FCR = 2, /* (write) */
    LCR = 3,
    MCR = 4,
    LSR = 5,
    MSR = 6,
    REGISTERS_END = 7,
    USR = 31, /* DesignWare's: status */
};

#define IER_RECEIVED  0x01
#define IER_THR_EMPTY 0x02

#define IIR_CAUSE       0x0f
#define IIR_NONE        0x01
#define IIR_MODEM       0x00
#define IIR_LINE        0x06
#define IIR_DW_BUSY     0x07 /* LCR was written to while it was busy */
#define IIR_TIMEOUT     0x0c /* bytes have waited in the FIFO */
#define IIR_FIFO        0xc0 /* it has FIFOs that work */
#define FCR_ENABLE      0x01
#define FCR_CLEAR       0x06 /* both */
#define LCR_8N1         0x03
#define LCR_DLAB        0x80
#define MCR_DTR_RTS_OUT 0x0b /* ready; and on PCs OUT2 lets interrupts out */
#define LSR_DATA_READY  0x01
#define LSR_THR_EMPTY   0x20

#define FIFO_BYTES 16
#define LCR_TRIES  1000 /* writes that a busy DesignWare has ignored */
#define BYTE_MASK  0xff
#define SHIFT_MAX  8

static uint8_t read_register(struct ns16550 *uart, unsigned number)
{
    uint32_t offset = number << uart->shift;
    return uart->width == 4 ? (uint8_t)(mmio_read(uart->registers, offset) & BYTE_MASK)
                            : mmio_read_byte(uart->registers, offset);
}

static void write_register(struct ns16550 *uart, unsigned number, uint8_t value)
{
    uint32_t offset = number << uart->shift;
    if (uart->width == 4) {
        mmio_write(uart->registers, offset, value);
    } else {
        mmio_write_byte(uart->registers, offset, value);
    }
}

static bool has_register(const struct ns16550 *uart, size_t number)
{
    return uart->size >= (number << uart->shift) + uart->width;
}

/* DesignWare's takes no write to LCR while there are bytes on their way. */
static void write_lcr(struct ns16550 *uart, uint8_t value)
{
    for (unsigned tries = 0; tries < LCR_TRIES; tries++) {
        write_register(uart, LCR, value);
        if (!uart->is_designware || read_register(uart, LCR) == value) {
            return;
        }
        write_register(uart, FCR, FCR_ENABLE | FCR_CLEAR);
        read_register(uart, RBR);
    }
}

bool ns16550_open(struct ns16550 *uart)
{
    if ((uart->width != 1 && uart->width != 4) || uart->shift > SHIFT_MAX ||
        (1U << uart->shift) < uart->width || !has_register(uart, REGISTERS_END - 1)) {
        return false;
    }
    uart->enabled = 0;
    write_register(uart, IER, 0);
    write_register(uart, FCR, FCR_ENABLE); /* what has come since a former driver ended stays */
    if (uart->divisor != 0 && uart->divisor <= UINT16_MAX) {
        write_lcr(uart, LCR_DLAB | LCR_8N1);
        write_register(uart, DLL, (uint8_t)(uart->divisor & BYTE_MASK));
        write_register(uart, DLM, (uint8_t)(uart->divisor >> 8));
    }
    write_lcr(uart, LCR_8N1);
    write_register(uart, MCR, MCR_DTR_RTS_OUT);
    uart->fifo_bytes = (read_register(uart, IIR) & IIR_FIFO) == IIR_FIFO ? FIFO_BYTES : 1;
    return true;
}

int ns16550_receive(struct ns16550 *uart)
{
    if ((read_register(uart, LSR) & LSR_DATA_READY) == 0) {
        return -1;
    }
    return read_register(uart, RBR);
}

size_t ns16550_send(struct ns16550 *uart, const uint8_t *data, size_t size)
{
    size_t count = size < uart->fifo_bytes ? size : uart->fifo_bytes;
    if ((read_register(uart, LSR) & LSR_THR_EMPTY) == 0) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        write_register(uart, THR, data[i]);
    }
    return count;
}

void ns16550_enable(struct ns16550 *uart, bool input, bool output)
{
    uint8_t enabled = (uint8_t)((input ? IER_RECEIVED : 0) | (output ? IER_THR_EMPTY : 0));
    if (enabled != uart->enabled) {
        uart->enabled = enabled;
        write_register(uart, IER, enabled);
    }
}

bool ns16550_take_cause(struct ns16550 *uart)
{
    uint8_t cause = read_register(uart, IIR) & IIR_CAUSE;
    switch (cause) {
    case IIR_LINE: read_register(uart, LSR); break;
    case IIR_MODEM: read_register(uart, MSR); break;
    case IIR_DW_BUSY:
        if (uart->is_designware && has_register(uart, USR)) {
            read_register(uart, USR);
        }
        break;
    case IIR_TIMEOUT: /* although there is nothing: it ends with a read of that */
        if (uart->is_designware && (read_register(uart, LSR) & LSR_DATA_READY) == 0) {
            read_register(uart, RBR);
        }
        break;
    default: break;
    }
    return (cause & IIR_NONE) == 0 || cause == IIR_DW_BUSY;
}
