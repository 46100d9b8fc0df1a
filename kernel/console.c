/* The console: see console.h. */
#include "kernel/console.h"

#include "arch/platform.h"

#include "calls.gen.h"

#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/string.h"
#include "kernel/thread.h"
#include "kernel/uart.h"

#define INPUT_SIZE 4096 /* bytes that wait for a reader; a power of two */
#define WRITE_MAX  256  /* bytes of one console_write: bounds the time in the kernel */
#define READ_MAX   256
#define CTRL_C     3

static struct {
    struct console object;
    struct uart uart;
    bool has_uart;
    struct spinlock output_lock; /* LOCK_CONSOLE_OUTPUT; keeps writes whole */
    struct spinlock lock;        /* LOCK_CONSOLE; protects everything below */
    uint8_t input[INPUT_SIZE];
    size_t head; /* bytes ever taken out */
    size_t tail; /* bytes ever put in */
    uint64_t lost;
} console = {
    .output_lock = SPINLOCK_INIT(LOCK_CONSOLE_OUTPUT),
    .lock = SPINLOCK_INIT(LOCK_CONSOLE),
};

void console_init(const struct boot_info *info)
{
    object_init(&console.object.object, OBJECT_CONSOLE);
    console.has_uart = uart_init(&console.uart, &info->uart);
}

struct console *console_get(void)
{
    object_get(&console.object.object);
    return &console.object;
}

static void write_raw(const char *text, size_t size)
{
    if (!console.has_uart) {
        sbi_console_write(text, size);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        uart_put(&console.uart, (uint8_t)text[i]);
    }
}

/* Writes text as it is, but newlines as CR LF: the log's (log.h) and what processes write. */
void console_log_write(const char *text, size_t size)
{
    bool locked = !log_in_panic();
    if (locked) {
        spin_lock(&console.output_lock);
    }
    while (size > 0) {
        const char *newline = memchr(text, '\n', size);
        size_t line = newline == NULL ? size : (size_t)(newline - text);
        write_raw(text, line);
        if (newline != NULL) {
            write_raw("\r\n", 2);
            line++;
        }
        text += line;
        size -= line;
    }
    if (locked) {
        spin_unlock(&console.output_lock);
    }
}

/* Takes in what the UART has received. Signals are set without the console's lock: observers take
 * others. */
static void receive(void *context)
{
    (void)context;
    uint32_t signals = 0;
    spin_lock(&console.lock);
    for (int byte = uart_get(&console.uart); byte >= 0; byte = uart_get(&console.uart)) {
        if (byte == CTRL_C) {
            console.head = console.tail; /* what was typed before it is for nobody any more */
            signals |= FTL_SIGNAL_INTERRUPT;
        } else if (console.tail - console.head < INPUT_SIZE) {
            console.input[console.tail++ % INPUT_SIZE] = (uint8_t)byte;
        } else {
            console.lost++;
        }
    }
    if (console.head != console.tail) {
        signals |= FTL_SIGNAL_READABLE;
    }
    object_signal(&console.object.object, FTL_SIGNAL_READABLE & ~signals, signals);
    spin_unlock(&console.lock);
}

void console_enable_input(const struct boot_info *info)
{
    if (!console.has_uart) {
        log_line("console: no UART in the device tree: output through SBI, no input");
        return;
    }
    if (plic_enable(info->uart.device.irq, receive, NULL) != FTL_OK) {
        log_line("console: interrupt %u of the UART cannot be had: no input",
                 info->uart.device.irq);
        return;
    }
    uart_enable_input(&console.uart);
}

struct call_result sys_console_write(struct console *object, vaddr_t data, size_t size)
{
    (void)object;
    char buffer[WRITE_MAX];
    size_t piece = size < sizeof(buffer) ? size : sizeof(buffer);
    ftl_status_t status = copy_in(buffer, data, piece);
    if (status != FTL_OK) {
        return call_status(status);
    }
    console_log_write(buffer, piece);
    return call_value(piece);
}

/* Moves queued input to the buffer. Clears READABLE when none is left. */
static size_t take_input(uint8_t *buffer, size_t size)
{
    size_t taken = 0;
    spin_lock(&console.lock);
    while (taken < size && console.head != console.tail) {
        buffer[taken++] = console.input[console.head++ % INPUT_SIZE];
    }
    if (console.head == console.tail) {
        object_signal(&console.object.object, FTL_SIGNAL_READABLE, 0);
    }
    spin_unlock(&console.lock);
    return taken;
}

static void input_notify(struct observer *observer, uint32_t signals)
{
    (void)signals;
    thread_notify(CONTAINER_OF(observer, struct thread, wait.console.observer));
}

static void read_cleanup(struct thread *thread)
{
    object_unobserve(&console.object.object, &thread->wait.console.observer);
}

static struct call_result read_input(vaddr_t data, size_t size, nsec_t deadline, bool last_try);

static struct call_result read_resume(struct thread *thread)
{
    const struct console_wait *wait = &thread->wait.console;
    return read_input(wait->data, wait->size, wait->deadline, thread->wait.timed_out);
}

/* Copies input out, or stops the current thread until there is some. */
static struct call_result read_input(vaddr_t data, size_t size, nsec_t deadline, bool last_try)
{
    uint8_t buffer[READ_MAX];
    size_t taken = take_input(buffer, size < sizeof(buffer) ? size : sizeof(buffer));
    if (taken > 0) {
        ftl_status_t status = copy_out(data, buffer, taken);
        return status == FTL_OK ? call_value(taken) : call_status(status);
    }
    if (last_try) {
        return call_status(FTL_ERR_TIMED_OUT);
    }
    struct wait *wait = thread_wait_begin(read_resume, read_cleanup);
    wait->console = (struct console_wait){ .data = data, .size = size, .deadline = deadline };
    wait->console.observer.interest = FTL_SIGNAL_READABLE;
    wait->console.observer.notify = input_notify;
    if ((object_observe(&console.object.object, &wait->console.observer) & FTL_SIGNAL_READABLE) !=
        0) {
        thread_notify(thread_current());
    }
    return thread_wait_commit(deadline);
}

struct call_result sys_console_read(struct console *object, vaddr_t data, size_t size,
                                    nsec_t deadline)
{
    (void)object;
    if (size == 0) {
        return call_value(0);
    }
    return read_input(data, size, deadline, false);
}

struct call_result sys_console_take_interrupt(struct console *object)
{
    spin_lock(&console.lock);
    bool set = (object->object.signals & FTL_SIGNAL_INTERRUPT) != 0;
    if (set) {
        object_signal(&object->object, FTL_SIGNAL_INTERRUPT, 0);
    }
    spin_unlock(&console.lock);
    return call_value(set);
}
