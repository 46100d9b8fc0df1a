/*
 * The registers of UARTs that are compatible with the 16550A (PC16550D data sheet), and of
 * DesignWare's DW_apb_uart, which has some ways of its own (its databook; what it does beyond that
 * is as Linux knows it, drivers/tty/serial/8250/8250_dw.c). Knows nothing of clients.
 */
#ifndef UART_NS16550_H
#define UART_NS16550_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ns16550 {
    volatile void *registers;
    size_t size;         /* bytes of registers */
    unsigned shift;      /* a register is at its number << shift, */
    unsigned width;      /* so many bytes wide: 1 or 4 */
    bool is_designware;  /* snps,dw-apb-uart */
    uint32_t divisor;    /* of the clock, for the baud rate; 0: what the firmware has set stays */
    uint8_t enabled;     /* interrupts */
    unsigned fifo_bytes; /* that can go into an empty transmitter */
};

/* Sets the UART up, all members but the last two being filled in: 8 bits, no parity, no interrupts.
 * False: it has too few registers, or of a width that is none. */
bool ns16550_open(struct ns16550 *uart);

/* The next byte that has come, or -1. */
int ns16550_receive(struct ns16550 *uart);

/* Sends the first bytes, as many as the transmitter takes without waiting; returns how many. */
size_t ns16550_send(struct ns16550 *uart, const uint8_t *data, size_t size);

/* What it interrupts for: bytes that have come; an empty transmitter. */
void ns16550_enable(struct ns16550 *uart, bool input, bool output);

/*
 * Asks why it interrupts, and has it withdraw what does not end with bytes that are taken or sent.
 * False: it does not.
 */
bool ns16550_take_cause(struct ns16550 *uart);

#endif
