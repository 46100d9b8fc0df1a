/* The system object's calls: see system.h. */
#include "kernel/system.h"

#include "arch/hart.h"
#include "arch/platform.h"
#include "arch/timer.h"
#include "arch/tlb.h"

#include "calls.gen.h"

#include "kernel/hart.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "mm/vmspace.h"

#define LOG_PIECE 512 /* bytes of one system_log */

static struct {
    struct system object;
    uint64_t entry_instructions;
    uint64_t kernel_memory; /* bytes: the image, and what was allocated by the end of boot */
} system_state;

nsec_t system_clock_offset;

void system_init(uint64_t entry_instructions)
{
    object_init(&system_state.object.object, OBJECT_SYSTEM);
    system_state.entry_instructions = entry_instructions;
    system_state.kernel_memory = kernel_image_end() - kernel_image_start() +
                                 (page_total_count() - page_free_count()) * PAGE_SIZE;
}

struct system *system_get(void)
{
    object_get(&system_state.object.object);
    return &system_state.object;
}

struct call_result sys_system_info(struct system *system, vaddr_t address)
{
    (void)system;
    uint64_t now = hart_instructions();
    slab_trim();
    struct ftl_system_info info = {
        .memory_total = page_total_count() * PAGE_SIZE,
        .memory_free = page_free_count() * PAGE_SIZE,
        .memory_kernel = system_state.kernel_memory,
        .harts_online = (uint64_t)__builtin_popcountl(harts_online()),
        .uptime = time_now(),
        .firmware_instructions = system_state.entry_instructions,
        .kernel_instructions = now == 0 ? 0 : now - system_state.entry_instructions,
        .asids = tlb_id_count(),
        .asids_used_up = tlb_id_rounds(),
    };
    process_counts(&info.processes, &info.threads, &info.handles);
    return call_status(copy_out(address, &info, sizeof(info)));
}

/* Where system_objects stands in the caller's array. */
struct object_counts {
    vaddr_t next;
    size_t room; /* entries */
    size_t kinds;
    ftl_status_t status;
};

static void count_objects(struct slab_cache *cache, void *context)
{
    struct object_counts *counts = context;
    struct ftl_object_count entry = {
        .count = slab_used(cache),
        .size = cache->object_size,
        .memory = slab_memory(cache),
    };
    counts->kinds++;
    if (counts->room == 0 || counts->status != FTL_OK) {
        return;
    }
    memcpy(entry.name, cache->name, strnlen(cache->name, sizeof(entry.name) - 1));
    counts->status = copy_out(counts->next, &entry, sizeof(entry));
    counts->next += sizeof(entry);
    counts->room--;
}

struct call_result sys_system_objects(struct system *system, vaddr_t entries, size_t capacity)
{
    (void)system;
    struct object_counts counts = { .next = entries, .room = capacity };
    slab_for_each(count_objects, &counts);
    return counts.status == FTL_OK ? call_value(counts.kinds) : call_status(counts.status);
}

struct call_result sys_system_hart_info(struct system *system, vaddr_t address)
{
    (void)system;
    struct ftl_hart_info info;
    ftl_status_t status = copy_in(&info, address, sizeof(info));
    if (status != FTL_OK) {
        return call_status(status);
    }
    if (info.index >= hart_count) {
        return call_status(FTL_ERR_NOT_FOUND);
    }
    const struct hart *hart = &harts[info.index];
    info = (struct ftl_hart_info){
        .index = info.index,
        .id = hart->arch.id,
        .online = harts_online() >> info.index & 1,
        .ready = __atomic_load_n(&hart->queue.length, __ATOMIC_RELAXED),
        .idle_time = hart_idle_time(hart, time_now()),
        .switches = __atomic_load_n(&hart->switches, __ATOMIC_RELAXED),
        .steals = __atomic_load_n(&hart->steals, __ATOMIC_RELAXED),
        .messages = __atomic_load_n(&hart->messages, __ATOMIC_RELAXED),
    };
    return call_status(copy_out(address, &info, sizeof(info)));
}

/* Position is in and out: it is checked as memory before anything is copied. */
struct call_result sys_system_log(struct system *system, vaddr_t position, vaddr_t data,
                                  size_t size)
{
    (void)system;
    uint64_t at;
    ftl_status_t status = copy_in(&at, position, sizeof(at));
    if (status != FTL_OK) {
        return call_status(status);
    }
    char buffer[LOG_PIECE];
    size_t length = log_read(&at, buffer, size < sizeof(buffer) ? size : sizeof(buffer));
    status = copy_out(data, buffer, length);
    if (status == FTL_OK) {
        status = copy_out(position, &at, sizeof(at));
    }
    return status == FTL_OK ? call_value(length) : call_status(status);
}

struct call_result sys_clock_set(struct system *system, nsec_t time)
{
    (void)system;
    nsec_t now = time_now();
    if (time < now) { /* before boot; also what is negative */
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    __atomic_store_n(&system_clock_offset, time - now, __ATOMIC_RELAXED);
    return call_status(FTL_OK);
}

struct call_result sys_system_power(struct system *system, uint32_t action, uint32_t status)
{
    (void)system;
    if (action > FTL_POWER_REBOOT || status > UINT8_MAX) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    log_line("power: %s", action == FTL_POWER_OFF ? "off" : "reboot");
    if (action == FTL_POWER_REBOOT) {
        power_reboot();
    }
    power_off((uint8_t)status);
}
