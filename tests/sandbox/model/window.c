/*
 * The window: see window.h. Memory in it is mapped throughout, so that no fault hides what comes
 * after; reads give the code's bytes where the code is, and anything elsewhere: another thread may
 * write there at any time.
 */
#include "window.h"

#include <ftl/sandbox_abi.h>

#define WINDOW       0xffffffd900000000u
#define WINDOW_SIZE  ((uint64_t)1 << FTL_WINDOW_SHIFT)
#define MAPPABLE     (WINDOW + FTL_WINDOW_GUARD)
#define MAPPABLE_END (WINDOW + WINDOW_SIZE - FTL_WINDOW_GUARD)
/* Unmapped too, on either side: that much belongs to the window's guard zones. */
#define REACH_START (WINDOW - FTL_WINDOW_GUARD)
#define REACH_END   (WINDOW + WINDOW_SIZE + FTL_WINDOW_GUARD)
#define SP_SLACK    0x10000u /* invariant 4 */

enum {
    RA = 1,
    SP = 2,
    GP = 3,
    TP = 4,
    A0 = 10,
    S8 = 24,
    S9 = 25,
    S10 = 26,
    S11 = 27,
    REGISTERS = 32
};

uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545f4914f6cdd1du;
}

uint64_t random_below(uint64_t *seed, uint64_t limit)
{
    return random_next(seed) % limit;
}

static uint64_t below(struct window *window, uint64_t limit)
{
    return random_below(&window->seed, limit);
}

/* ---- Places ---- */

static uint64_t code_start(const struct window *window)
{
    return window->image + FTL_GATE_SIZE;
}

/* Whether the code has an instruction at address. */
static bool in_code(const struct window *window, uint64_t address)
{
    uint64_t offset = address - code_start(window);

    return offset / 4 < window->count && offset % 4 == 0;
}

static bool is_pad(const struct window *window, uint64_t address)
{
    return in_code(window, address) &&
           window->code[(address - code_start(window)) / 4] == FTL_SANDBOX_PAD;
}

static uint64_t random_pad(struct window *window)
{
    size_t at = (size_t)below(window, window->count);

    while (window->code[at] != FTL_SANDBOX_PAD) {
        at = at == 0 ? window->count - 1 : at - 1;
    }
    return code_start(window) + at * 4;
}

/* ---- What may be in registers and memory: anything, but rather what is next to an edge ---- */

static uint64_t random_edge(struct window *window)
{
    const uint64_t edges[] = {
        0,
        WINDOW,
        MAPPABLE,
        MAPPABLE_END,
        WINDOW + WINDOW_SIZE,
        REACH_START,
        REACH_END,
        window->image,
        window->image + window->image_size,
        0x80000000u,
        0x100000000u,
        0x8000000000000000u,
        FTL_SANDBOX_PAD,
        0xffffffff80200000u,
    };
    uint64_t edge = edges[below(window, sizeof(edges) / sizeof(edges[0]))];

    switch (below(window, 4)) {
    case 0: return edge;
    case 1: return edge + below(window, 17) - 8;
    case 2: return edge + (random_next(&window->seed) >> (40 + below(window, 24)));
    default: return edge - (random_next(&window->seed) >> (40 + below(window, 24)));
    }
}

static uint64_t random_value(struct window *window)
{
    switch (below(window, 8)) {
    case 0:
    case 1: return random_edge(window);
    case 2: return random_pad(window);
    case 3: return random_pad(window) + below(window, 9) - 4;
    case 4: return code_start(window) + below(window, window->count * 4 + 8);
    case 5: return random_next(&window->seed) >> below(window, 64);
    case 6: return 0 - (random_next(&window->seed) >> below(window, 64));
    default: return random_next(&window->seed);
    }
}

static uint64_t anything(void *context)
{
    return random_value(context);
}

/* ---- Memory ---- */

/* Whether all bytes lie in memory; notes an access that no guard zone catches. */
static bool may_access(struct window *window, uint64_t address, unsigned int size)
{
    if (address - REACH_START > REACH_END - REACH_START - size) {
        window->escape = "accesses memory that is not its window's";
        return false;
    }
    return address >= MAPPABLE && address <= MAPPABLE_END - size;
}

static uint8_t read_byte(struct window *window, uint64_t address, uint8_t otherwise)
{
    uint64_t offset = address - code_start(window);

    if (address - window->image < FTL_GATE_SIZE) {
        return 0; /* the gate's page holds no landing pad; what it holds is of no interest */
    }
    if (offset / 4 < window->count) {
        return (uint8_t)(window->code[offset / 4] >> offset % 4 * 8);
    }
    return otherwise;
}

static bool load(void *context, uint64_t address, unsigned int size, uint64_t *value)
{
    struct window *window = context;
    uint64_t other = random_value(window);

    if (!may_access(window, address, size)) {
        return false;
    }
    *value = 0;
    for (unsigned int i = 0; i < size; i++) {
        *value |= (uint64_t)read_byte(window, address + i, (uint8_t)(other >> i * 8)) << i * 8;
    }
    return true;
}

static bool store(void *context, uint64_t address, unsigned int size, uint64_t value)
{
    struct window *window = context;
    bool mapped = may_access(window, address, size);
    /* The first byte behind the code may be data, which begins on a page of its own. */
    bool writable =
        address + size <= window->image || address >= code_start(window) + window->count * 4;

    (void)value; /* reads give anything anyway */
    return mapped && writable;
}

/* ---- Runs ---- */

static void begin(struct window *window)
{
    uint64_t room = MAPPABLE_END - MAPPABLE - window->image_size;
    struct machine *machine = &window->machine;

    switch (below(window, 3)) {
    case 0: window->image = MAPPABLE; break;
    case 1: window->image = MAPPABLE + room; break;
    default: window->image = MAPPABLE + below(window, room / FTL_GATE_SIZE) * FTL_GATE_SIZE; break;
    }
    for (unsigned int i = 1; i < REGISTERS; i++) {
        machine->x[i] = random_value(window);
    }
    machine->x[0] = 0;
    machine->x[RA] = random_pad(window);
    machine->x[GP] = WINDOW;
    machine->x[TP] = WINDOW + below(window, WINDOW_SIZE);
    machine->x[S8] = FTL_SANDBOX_SPAN;
    machine->x[S11] = FTL_SANDBOX_PAD;
    switch (below(window, 3)) {
    case 0: machine->x[SP] = WINDOW - below(window, SP_SLACK + 1); break;
    case 1: machine->x[SP] = WINDOW + WINDOW_SIZE + below(window, SP_SLACK + 1); break;
    default: machine->x[SP] = WINDOW + below(window, WINDOW_SIZE); break;
    }
    machine->pc = random_pad(window);
    window->escape = NULL;
}

/*
 * Whether a jump to address faults: the window's data is not executable, though its words may look
 * like landing pads.
 */
static bool is_data(const struct window *window, uint64_t address)
{
    return address - WINDOW < WINDOW_SIZE && address - code_start(window) >= window->count * 4 &&
           address - window->image >= FTL_GATE_SIZE;
}

/* Whether one of the gate's entries is there. */
static bool is_gate(const struct window *window, uint64_t address)
{
    uint64_t offset = address - window->image;

    return offset % FTL_GATE_ENTRY_SIZE == 0 && offset / FTL_GATE_ENTRY_SIZE < FTL_GATE_ENTRIES;
}

/* The kernel's part of a call: back to ra, with the registers that a call loses. */
static void call_gate(struct window *window)
{
    struct machine *machine = &window->machine;

    for (unsigned int i = 0; i < REGISTERS; i++) {
        bool temporary = (i >= 5 && i <= 7) || i >= 28; /* t0..t2, t3..t6 */

        if (temporary || (i >= A0 && i <= A0 + 7) || i == S9 || i == S10) {
            machine->x[i] = random_value(window);
        }
    }
    if (!is_pad(window, machine->x[RA]) && !is_data(window, machine->x[RA])) {
        window->escape = "calls the gate with a bad return address";
    }
    machine->pc = machine->x[RA];
}

/*
 * Whether target is in the row of jumps that begins behind the instruction at pc: a switch table.
 */
static bool in_row_of_jumps(const struct window *window, uint64_t pc, uint64_t target)
{
    uint64_t at = pc + 4;

    while (in_code(window, at) && at <= target &&
           (window->code[(at - code_start(window)) / 4] & 0xfff) == 0x6f) { /* jal zero */
        if (at == target) {
            return true;
        }
        at += 4;
    }
    return false;
}

/* Whether the hart may go on at its new pc, coming from the instruction `word` at `from`. */
static bool follow(struct window *window, uint64_t from, uint32_t word)
{
    struct machine *machine = &window->machine;
    bool jump = (word & 0x7f) == 0x6f;
    bool indirect = (word & 0x7f) == 0x67;

    if (is_gate(window, machine->pc) && (jump || indirect)) {
        call_gate(window);
        return window->escape == NULL && is_pad(window, machine->pc);
    }
    if (indirect) {
        if (!is_pad(window, machine->pc) && !is_pad(window, machine->pc - 4) &&
            !in_row_of_jumps(window, from, machine->pc)) {
            if (!is_data(window, machine->pc)) {
                window->escape = "jumps to something that is no landing pad";
            }
            return false;
        }
    } else if (!in_code(window, machine->pc)) {
        window->escape = "leaves its code";
        return false;
    }
    return true;
}

static bool step(struct window *window)
{
    struct machine *machine = &window->machine;
    struct machine before = *machine;
    uint32_t word = window->code[(machine->pc - code_start(window)) / 4];
    enum machine_event event = machine_step(machine, word);

    window->steps++;
    if (event == MACHINE_UNKNOWN) {
        window->escape = "executes a privileged or unknown instruction";
    }
    if (machine->x[GP] != before.x[GP] || machine->x[TP] != before.x[TP] ||
        machine->x[S8] != before.x[S8] || machine->x[S11] != before.x[S11]) {
        window->escape = "writes a reserved register";
    }
    if (window->escape == NULL && event == MACHINE_STEPPED && follow(window, before.pc, word)) {
        return true;
    }
    if (window->escape != NULL) {
        *machine = before;
    }
    return false;
}

const char *window_run(struct window *window, unsigned int limit)
{
    const struct machine_bus bus = {
        .load = load, .store = store, .anything = anything, .context = window
    };

    begin(window);
    window->machine.bus = &bus;
    for (unsigned int i = 0; i < limit && step(window); i++) {
    }
    window->machine.bus = NULL;
    return window->escape;
}
