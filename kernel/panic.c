/* Panic: stop everything, say everything, end QEMU with a failure. */
#include "kernel/panic.h"

#include <stdarg.h>

#include "arch/hart.h"
#include "arch/platform.h"

#include "kernel/hart.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/symbols.h"
#include "kernel/thread.h"

#define PANIC_EXIT_STATUS 101
#define BACKTRACE_MAX     32
#define FILE_NAME_SIZE    64

void harts_halt_others(void)
{
    for (unsigned i = 0; i < hart_count; i++) {
        if (i != hart_index() && __atomic_load_n(&harts[i].online, __ATOMIC_RELAXED)) {
            hart_ipi(&harts[i], IPI_HALT);
        }
    }
}

static void log_backtrace(const struct panic_registers *registers)
{
    uintptr_t addresses[BACKTRACE_MAX];
    size_t count = backtrace(addresses, BACKTRACE_MAX, registers->frame, registers->pc);
    log_line("backtrace:");
    for (size_t i = 0; i < count; i++) {
        /*
         * A call that does not return may be its function's last instruction: look before where it
         * returns to.
         */
        size_t back = i > 0 || registers->called ? 1 : 0;
        size_t offset;
        char file[FILE_NAME_SIZE];
        uint32_t line;
        const char *name = symbols_find(addresses[i] - back, &offset);
        if (name == NULL) {
            log_line("  %#lx", addresses[i]);
        } else if (symbols_line(addresses[i] - back, file, sizeof(file), &line)) {
            log_line("  %#lx %s+%#zx (%s:%u)", addresses[i], name, offset + back, file, line);
        } else {
            log_line("  %#lx %s+%#zx", addresses[i], name, offset + back);
        }
    }
}

static void log_current(void)
{
    const struct thread *thread = hart_self()->current;
    if (thread != NULL && thread->process != NULL) {
        log_line("in thread %lu of process %lu '%s'", (unsigned long)thread->id,
                 (unsigned long)thread->process->pid, thread->process->name);
    }
}

/* Only the first panic reports; others, also on the same hart, just stop. */
static bool first_panic(void)
{
    static bool panicked;
    return !__atomic_exchange_n(&panicked, true, __ATOMIC_SEQ_CST);
}

static _Noreturn void panic_report(const struct panic_registers *registers, const char *format,
                                   va_list args)
{
    if (!first_panic()) {
        hart_halt();
    }
    log_enter_panic();
    harts_halt_others();
    char cause[256];
    format_text_v(cause, sizeof(cause), format, args);
    log_line("kernel panic on hart %u: %s", arch_hart_self()->id, cause);
    log_current();
    registers_log(registers->x, registers->pc);
    log_backtrace(registers);
    power_off(PANIC_EXIT_STATUS);
}

void panic_at(const struct panic_registers *registers, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    panic_report(registers, format, args);
}

void panic(const char *format, ...)
{
    static uint64_t x[31];
    registers_capture(x);
    struct panic_registers registers = {
        .pc = (uintptr_t)__builtin_return_address(0),
        .x = x,
        .frame = *((uintptr_t *)__builtin_frame_address(0) - 2), /* the caller's */
        .called = true,
    };
    va_list args;
    va_start(args, format);
    panic_report(&registers, format, args);
}
