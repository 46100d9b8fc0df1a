/* See ipc_fakes.h. Memory of processes is the test's own. */
#include "ipc_fakes.h"

#include "host/slab.h"
#include "ipc/channel.h"
#include "ipc/notification.h"
#include "ipc/poll.h"
#include "ipc/timer.h"
#include "ipc/trace.h"
#include "kernel/sched.h"

#define PLENTY (64 * MIB)

struct process fake_processes[2];
struct thread fake_threads[FAKE_THREADS];
struct timer_queue fake_timers;

struct hart harts[MAX_HARTS];

int fake_setup(void **state)
{
    (void)state;
    static bool initialized;
    if (!initialized) {
        notification_init();
        timer_object_init();
        poll_init();
        channel_init();
        initialized = true;
    }
    memset(fake_processes, 0, sizeof(fake_processes));
    memset(fake_threads, 0, sizeof(fake_threads));
    host_alloc_budget = -1;
    timer_queue_init(&fake_timers);
    for (size_t i = 0; i < ARRAY_SIZE(fake_processes); i++) {
        struct process *process = &fake_processes[i];
        object_init(&process->object, OBJECT_PROCESS);
        process->state = FTL_PROCESS_RUNNING;
        process->account = account_create(PLENTY);
        spin_init(&process->lock, LOCK_PROCESS);
        handle_table_init(&process->handles, process->account, HANDLE_LIMIT_DEFAULT);
    }
    for (size_t i = 0; i < FAKE_THREADS; i++) {
        object_init(&fake_threads[i].object, OBJECT_THREAD);
        fake_threads[i].process = &fake_processes[i == FAKE_THREADS - 1];
        spin_init(&fake_threads[i].lock, LOCK_THREAD);
        words_ports_init(&fake_threads[i]);
    }
    fake_switch(0);
    return 0;
}

int fake_teardown(void **state)
{
    (void)state;
    host_alloc_budget = -1;
    for (unsigned i = 0; i < FAKE_THREADS; i++) {
        if (fake_is_stopped(i)) {
            fake_kill(i);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(fake_processes); i++) {
        handle_table_destroy(&fake_processes[i].handles);
        assert_int_equal(fake_processes[i].object.refs, 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(fake_processes); i++) {
        assert_int_equal(fake_processes[i].account->used, 0);
        assert_int_equal(fake_processes[i].account->refs, 1);
        account_put(fake_processes[i].account);
    }
    for (unsigned i = 0; i < FAKE_THREADS; i++) {
        assert_int_equal(fake_threads[i].object.refs, 1);
    }
    assert_null(fake_timers.root);
    assert_int_equal(host_alloc_pieces, 0);
    spin_assert_none_held();
    return 0;
}

void fake_switch(unsigned thread)
{
    harts[0].current = &fake_threads[thread];
}

struct arch_hart *arch_hart_self(void)
{
    return &harts[0].arch;
}

struct call_result thread_wait_commit_until(nsec_t deadline)
{
    sched_add_timer(&thread_current()->wait.timer, deadline);
    return call_stopped();
}

void thread_notify(struct thread *thread)
{
    thread->wait.state = WAIT_NOTIFIED;
}

/* No thread ever gets further than being about to stop: so it is always woken in the longer way. */
void sched_enqueue(struct thread *thread)
{
    (void)thread;
    fail_msg("a thread was stopped");
}

void sched_hand_over(struct thread *thread)
{
    sched_enqueue(thread);
}

void thread_lend_priority(struct thread *lender, struct thread *server)
{
    lender->loan.borrower = server;
}

void thread_begin_loan(struct thread *lender, struct thread *server)
{
    thread_lend_priority(lender, server);
}

void thread_renew_loan(struct thread *lender)
{
    (void)lender;
}

void context_set_words_call(struct context *context)
{
    (void)context;
}

void thread_return_priority(struct thread *lender)
{
    lender->loan.borrower = NULL;
}

/* Nothing is traced: test_words.c does. */
void trace_note(ftl_trace_kind_t kind, struct channel *end, const struct message *message,
                uint64_t transaction)
{
    (void)kind;
    (void)end;
    (void)message;
    (void)transaction;
}

bool fake_is_stopped(unsigned thread)
{
    return fake_threads[thread].wait.resume != NULL;
}

bool fake_is_ready(unsigned thread)
{
    return fake_is_stopped(thread) && fake_threads[thread].wait.state == WAIT_NOTIFIED;
}

/* As thread_finish_wait() and thread_leave(). */
static void abandon_wait(unsigned thread)
{
    assert_true(fake_is_stopped(thread));
    spin_assert_none_held();
    fake_switch(thread);
    timer_cancel(&thread_current()->wait.timer);
    thread_current()->wait.resume = NULL;
    if (thread_current()->wait.cleanup != NULL) {
        thread_current()->wait.cleanup(thread_current());
    }
}

struct call_result fake_run(unsigned thread)
{
    assert_true(fake_is_ready(thread));
    struct call_result (*resume)(struct thread *) = fake_threads[thread].wait.resume;
    abandon_wait(thread);
    struct call_result result = resume(thread_current());
    spin_assert_none_held();
    return result;
}

struct call_result fake_expire(unsigned thread)
{
    fake_threads[thread].wait.timed_out = true;
    thread_notify(&fake_threads[thread]);
    return fake_run(thread);
}

void fake_kill(unsigned thread)
{
    fake_threads[thread].kill = 1;
    abandon_wait(thread);
    spin_assert_none_held();
}

ftl_status_t handle_lookup(ftl_handle_t handle, enum object_type type, ftl_rights_t rights,
                           struct object **object)
{
    return handle_table_lookup(&process_current()->handles, handle, type, rights, object);
}

struct call_result call_give_handle(struct object *object, ftl_rights_t rights)
{
    ftl_handle_t handle;
    ftl_status_t status = handle_insert(&process_current()->handles, object, rights, &handle);
    if (status != FTL_OK) {
        object_put(object);
        return call_status(status);
    }
    return call_value(handle);
}

void *fake_object(ftl_handle_t handle)
{
    struct object *object = NULL;
    struct handle_table *table = &process_current()->handles;
    assert_int_equal(handle_table_lookup(table, handle, OBJECT_ANY, 0, &object), FTL_OK);
    object_put(object);
    return object;
}

void fake_close(ftl_handle_t handle)
{
    struct object *object;
    ftl_rights_t rights;
    assert_int_equal(handle_remove(&process_current()->handles, handle, 0, &object, &rights),
                     FTL_OK);
    object_close(object);
}

uint64_t fake_ok(struct call_result result)
{
    assert_int_equal(result.status, FTL_OK);
    return result.value;
}

/* 0 is the only address that is no memory. */
ftl_status_t copy_in(void *to, vaddr_t from, size_t size)
{
    if (from == 0) {
        return FTL_ERR_BAD_ADDRESS;
    }
    memcpy(to, (const void *)from, size);
    return FTL_OK;
}

ftl_status_t copy_out(vaddr_t to, const void *from, size_t size)
{
    if (to == 0) {
        return FTL_ERR_BAD_ADDRESS;
    }
    memcpy((void *)to, from, size);
    return FTL_OK;
}

void sched_add_timer(struct timer *timer, nsec_t deadline)
{
    timer_add(&fake_timers, timer, deadline);
}

static void no_destroy(struct object *object)
{
    (void)object;
    fail_msg("an object of the test itself was destroyed");
}

const struct object_ops object_ops[OBJECT_TYPE_COUNT] = {
    [OBJECT_PROCESS] = { .name = "process", .destroy = no_destroy },
    [OBJECT_NOTIFICATION] = { .name = "notification", .destroy = notification_destroy },
    [OBJECT_TIMER] = { .name = "timer", .destroy = timer_object_destroy },
    [OBJECT_POLL] = { .name = "poll", .destroy = poll_destroy },
    [OBJECT_CHANNEL] = { .name = "channel",
                         .destroy = channel_destroy,
                         .handle_made = channel_handle_made,
                         .handle_closed = channel_handle_closed },
};
