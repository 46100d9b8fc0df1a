/* The ring of traced messages, and the calls that switch it and read it: see trace.h. */
#include "ipc/trace.h"

#include "arch/timer.h"

#include "calls.gen.h"

#include "kernel/hart.h"
#include "kernel/process.h"
#include "kernel/thread.h"

#define RECORDS 512u

static struct {
    struct spinlock lock; /* LOCK_TRACE; protects the rest */
    uint64_t count;       /* records there have been; the last RECORDS of them are here */
    struct ftl_trace_record records[RECORDS];
} ring = { .lock = SPINLOCK_INIT(LOCK_TRACE) };

void trace_note(ftl_trace_kind_t kind, struct channel *end, const struct message *message,
                uint64_t transaction)
{
    const struct ftl_trace_record record = {
        .time = time_now(),
        .pid = process_current()->pid,
        .thread = thread_current()->id,
        .transaction = transaction,
        .kind = kind,
        .size = (uint32_t)message->size,
        .handles = message->handle_count,
        .from = object_id(&end->object),
        .to = object_id(&end->peer->object),
    };
    spin_lock(&ring.lock);
    ring.records[ring.count++ % RECORDS] = record;
    spin_unlock(&ring.lock);
}

struct call_result sys_system_trace(struct system *system, uint32_t enable)
{
    (void)system;
    if (enable > 1) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    for (unsigned i = 0; i < hart_count; i++) {
        __atomic_store_n(&harts[i].arch.tracing, enable != 0, __ATOMIC_RELAXED);
    }
    return call_status(FTL_OK);
}

/* Copies records from number *position on, which moves past them; returns how many. */
static size_t read_ring(uint64_t *position, struct ftl_trace_record *records, size_t capacity)
{
    size_t count = 0;
    spin_lock(&ring.lock);
    if (*position + RECORDS < ring.count || *position > ring.count) {
        *position = ring.count < RECORDS ? 0 : ring.count - RECORDS;
    }
    while (count < capacity && *position < ring.count) {
        records[count++] = ring.records[(*position)++ % RECORDS];
    }
    spin_unlock(&ring.lock);
    return count;
}

struct call_result sys_system_trace_read(struct system *system, vaddr_t position_address,
                                         vaddr_t records_address, size_t capacity)
{
    (void)system;
    uint64_t position;
    struct ftl_trace_record records[FTL_TRACE_READ_MAX] = { 0 };
    ftl_status_t status = copy_in(&position, position_address, sizeof(position));
    if (status != FTL_OK) {
        return call_status(status);
    }
    size_t count = read_ring(&position, records,
                             capacity < FTL_TRACE_READ_MAX ? capacity : FTL_TRACE_READ_MAX);
    status = copy_out(records_address, records, count * sizeof(records[0]));
    if (status == FTL_OK) {
        status = copy_out(position_address, &position, sizeof(position));
    }
    return status == FTL_OK ? call_value(count) : call_status(status);
}
