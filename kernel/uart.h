/*
 * The kernel's UART driver, for its console: 16550-compatible ones (ns16550a, and snps,dw-apb-uart
 * with its own register spacing and width) and SiFive's. Output is polled; input comes by
 * interrupt. No locking: the console has it.
 */
#ifndef KERNEL_UART_H
#define KERNEL_UART_H

#include "kernel/boot_info.h"

struct uart {
    volatile uint8_t *registers; /* NULL: there is none */
    unsigned shift;
    unsigned width;
    bool has_status; /* there is room for DesignWare's status register */
    const struct uart_ops *ops;
};

/* Maps and sets up the UART, keeping the baud rate that the firmware set. False: none, or no room
 * to map it. */
bool uart_init(struct uart *uart, const struct boot_uart *info);

/* Waits for room in the transmitter (not for ever: a broken one loses output) and sends a byte. */
void uart_put(struct uart *uart, uint8_t byte);

/* The next received byte, or -1. */
int uart_get(struct uart *uart);

/* Interrupts when bytes have come in. */
void uart_enable_input(struct uart *uart);

#endif
