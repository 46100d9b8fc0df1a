/*
 * Channels: see channel.h. One lock serves both ends.
 *
 * Bounds: an end's queue holds QUEUE_MESSAGES messages and QUEUE_BYTES bytes. A sender that finds
 * no room waits in line; who makes room grants it to the first in line, in whose name it is kept.
 *
 * Ends inside of messages. An end without handles is closed, and the messages in its queue freed.
 * Handles in messages count, so two ends that lay in each other's queues would keep each other open
 * with nobody to receive them. Such rings never come about: a message that carries ends is queued
 * with nesting_lock held, after a walk over all that lies, at any depth, in the queues of these
 * ends; it is refused if the receiving end is among them. The walk is bounded, by NESTING_MAX ends.
 * So what is in flight hangs, without rings, from ends that processes hold, and goes with the last
 * handle to these. Freeing it takes no stack (message.c).
 */
#include "ipc/channel.h"

#include "calls.gen.h"

#include "ipc/message.h"
#include "ipc/trace.h"
#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/process.h"
#include "kernel/thread.h"
#include "mm/slab.h"

#define QUEUE_MESSAGES 128u
#define QUEUE_BYTES    (256 * KIB)
#define NESTING_MAX    64u

static struct slab_cache pair_cache;

/* What lies in which queue: held while a message with channel ends is queued. */
static struct spinlock nesting_lock = SPINLOCK_INIT(LOCK_NESTING);

void channel_init(void)
{
    slab_cache_init(&pair_cache, "channel", sizeof(struct channel_pair),
                    _Alignof(struct channel_pair));
}

/* Waiting threads. The lock is held. */

static void wake_first(struct list *waiters)
{
    struct list *node = list_pop_front(waiters);
    if (node != NULL) {
        thread_notify(CONTAINER_OF(node, struct thread, wait.channel.link));
    }
}

/* The same for the current thread's call, which waits for what that one does. */
static void wake_first_and_hand_over(struct list *waiters)
{
    struct list *node = list_pop_front(waiters);
    if (node != NULL) {
        thread_notify_and_hand_over(CONTAINER_OF(node, struct thread, wait.channel.link));
    }
}

static void wake_all(struct list *waiters)
{
    while (!list_empty(waiters)) {
        wake_first(waiters);
    }
}

static void wake_everyone(struct channel *channel)
{
    wake_all(&channel->receivers);
    wake_all(&channel->senders);
    wake_all(&channel->callers);
}

/* Room in a queue. The lock is held. */

static bool has_room(const struct channel *receiver, size_t size)
{
    return receiver->queued < QUEUE_MESSAGES && size <= QUEUE_BYTES - receiver->queued_bytes;
}

static void take_room(struct channel *receiver, size_t size)
{
    receiver->queued++;
    receiver->queued_bytes += size;
}

/* WRITABLE says whether a message of any size could be sent. */
static void update_writable(struct channel *sender)
{
    bool writable = !sender->peer->closed && has_room(sender->peer, FTL_MESSAGE_SIZE_MAX);
    bool was_writable = (object_signals(&sender->object) & FTL_SIGNAL_WRITABLE) != 0;
    if (writable && !was_writable) {
        object_signal(&sender->object, 0, FTL_SIGNAL_WRITABLE);
    } else if (!writable && was_writable) {
        object_signal(&sender->object, FTL_SIGNAL_WRITABLE, 0);
    }
}

/* Gives room back, to those who wait for it first. */
static void give_room(struct channel *receiver, size_t size)
{
    struct channel *sender = receiver->peer;
    receiver->queued--;
    receiver->queued_bytes -= size;
    while (!list_empty(&sender->senders)) {
        struct channel_wait *wait = LIST_ENTRY(sender->senders.next, struct channel_wait, link);
        if (!has_room(receiver, wait->message->size)) {
            break;
        }
        take_room(receiver, wait->message->size);
        wait->granted = true;
        wake_first(&sender->senders);
    }
    update_writable(sender);
}

static ftl_status_t check_open(struct channel *channel)
{
    if (channel->closed) {
        return FTL_ERR_HANDLE_CLOSED;
    }
    return channel->peer->closed ? FTL_ERR_PEER_CLOSED : FTL_OK;
}

/* Closing. */

static void close_end(struct channel *channel)
{
    struct channel *peer = channel->peer;
    struct list messages = LIST_INIT(messages);
    struct thread *served_by = NULL;
    spin_lock(&channel->pair->lock);
    if (!channel->closed) {
        channel->closed = true;
        served_by = channel->served_by;
        channel->served_by = NULL;
        lane_clear(channel);
        lane_clear(peer);
        for (struct list *node = list_pop_front(&channel->queue); node != NULL;
             node = list_pop_front(&channel->queue)) {
            list_push_back(&messages, node);
        }
        wake_everyone(channel);
        wake_everyone(peer);
        if (!peer->closed) {
            object_signal(&peer->object, FTL_SIGNAL_WRITABLE, FTL_SIGNAL_PEER_CLOSED);
        }
    }
    spin_unlock(&channel->pair->lock);
    message_free_all(&messages);
    if (served_by != NULL) {
        object_put(&served_by->object);
    }
}

void channel_handle_made(struct object *object)
{
    __atomic_fetch_add(&((struct channel *)object)->handles, 1, __ATOMIC_RELAXED);
}

void channel_handle_closed(struct object *object)
{
    struct channel *channel = (struct channel *)object;
    uint32_t before = __atomic_fetch_sub(&channel->handles, 1, __ATOMIC_ACQ_REL);
    ASSERT(before != 0);
    words_ports_close_for(channel->pair);
    if (before == 1) {
        close_end(channel);
    }
}

void channel_pair_put(struct channel_pair *pair)
{
    if (__atomic_sub_fetch(&pair->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        account_release(pair->account, sizeof(*pair));
        account_put(pair->account);
        slab_free(&pair_cache, pair);
    }
}

void channel_destroy(struct object *object)
{
    struct channel *channel = (struct channel *)object;
    close_end(channel); /* one that never had a handle */
    channel_pair_put(channel->pair);
}

/* Creation. */

static struct channel_pair *pair_create(struct account *account, ftl_status_t *status)
{
    *status = FTL_ERR_LIMIT;
    if (!account_charge(account, sizeof(struct channel_pair))) {
        return NULL;
    }
    struct channel_pair *pair = slab_alloc(&pair_cache);
    *status = FTL_ERR_NO_MEMORY;
    if (pair == NULL) {
        account_release(account, sizeof(*pair));
        return NULL;
    }
    pair->account = account_get(account);
    pair->refs = 2;
    spin_init(&pair->lock, LOCK_CHANNEL);
    for (size_t i = 0; i < 2; i++) {
        struct channel *end = &pair->ends[i];
        object_init(&end->object, OBJECT_CHANNEL);
        end->object.signals = FTL_SIGNAL_WRITABLE;
        end->pair = pair;
        end->peer = &pair->ends[1 - i];
        list_init(&end->queue);
        list_init(&end->receivers);
        list_init(&end->senders);
        list_init(&end->callers);
        spin_init(&end->lane.lock, LOCK_LANE);
    }
    return pair;
}

static void close_handle(ftl_handle_t handle)
{
    struct object *object;
    ftl_rights_t rights;
    if (handle_remove(&process_current()->handles, handle, 0, &object, &rights) == FTL_OK) {
        object_close(object);
    }
}

struct call_result sys_channel_create(vaddr_t second)
{
    ftl_status_t status;
    struct channel_pair *pair = pair_create(process_current()->account, &status);
    if (pair == NULL) {
        return call_status(status);
    }
    struct object *other = &pair->ends[1].object;
    struct call_result first = call_give_handle(&pair->ends[0].object, FTL_RIGHTS_ALL);
    if (first.status != FTL_OK) {
        object_put(other);
        return first;
    }
    struct call_result result = call_give_handle(other, FTL_RIGHTS_ALL);
    if (result.status == FTL_OK) {
        status = copy_out(second, &result.value, sizeof(result.value));
        if (status == FTL_OK) {
            return first;
        }
        close_handle(result.value);
        result = call_status(status);
    }
    close_handle(first.value);
    return result;
}

/* Ends inside of messages: see above. */

/* The ends a walk has found, each with a reference. */
struct walk {
    uint32_t count;
    struct channel *found[NESTING_MAX];
};

/* Notes the ends that a message carries. BAD_STATE if one is `into`; LIMIT if they are too many. */
static ftl_status_t note_ends(struct walk *walk, const struct message *message,
                              const struct channel *into)
{
    for (uint32_t i = 0; i < message->handle_count && message->channel_count != 0; i++) {
        struct object *object = message->handles[i].object;
        struct channel *end = (struct channel *)object;
        bool known = object->type != OBJECT_CHANNEL;
        for (uint32_t k = 0; k < walk->count && !known; k++) {
            known = walk->found[k] == end;
        }
        if (known) {
            continue;
        }
        if (end == into) {
            return FTL_ERR_BAD_STATE;
        }
        if (walk->count == NESTING_MAX) {
            return FTL_ERR_LIMIT;
        }
        object_get(object);
        walk->found[walk->count++] = end;
    }
    return FTL_OK;
}

static ftl_status_t walk_queue(struct walk *walk, struct channel *end, const struct channel *into)
{
    ftl_status_t status = FTL_OK;
    spin_lock(&end->pair->lock);
    struct message *message;
    LIST_FOR_EACH(message, &end->queue, struct message, link)
    {
        status = note_ends(walk, message, into);
        if (status != FTL_OK) {
            break;
        }
    }
    spin_unlock(&end->pair->lock);
    return status;
}

/*
 * Whether the message may be queued at `into` without closing a ring: BAD_STATE if not, LIMIT if
 * that would take too long to find out. With nesting_lock held, until it is queued.
 */
static ftl_status_t check_nesting(struct walk *walk, const struct message *message,
                                  const struct channel *into)
{
    ftl_status_t status = note_ends(walk, message, into);
    for (uint32_t i = 0; i < walk->count && status == FTL_OK; i++) {
        status = walk_queue(walk, walk->found[i], into);
    }
    return status;
}

static ftl_status_t nesting_begin(struct walk *walk, const struct message *message,
                                  const struct channel *into)
{
    walk->count = 0;
    if (message->channel_count == 0) {
        return FTL_OK;
    }
    spin_lock(&nesting_lock);
    return check_nesting(walk, message, into);
}

static void nesting_end(struct walk *walk, bool has_ends)
{
    if (has_ends) {
        spin_unlock(&nesting_lock);
    }
    for (uint32_t i = 0; i < walk->count; i++) {
        object_put(&walk->found[i]->object);
    }
}

/* Puts a message into a queue where room was taken for it, for a receiver to be woken. The lock is
 * held. */
static void enqueue(struct channel *receiver, struct message *message, bool in_front)
{
    lane_clear(receiver->peer);
    if (in_front) {
        list_push_front(&receiver->queue, &message->link);
    } else {
        list_push_back(&receiver->queue, &message->link);
    }
    /* Whether it is readable is the channel's lock's; who begins to observe it sees that it is. */
    if ((object_signals(&receiver->object) & FTL_SIGNAL_READABLE) == 0 ||
        !list_empty(&receiver->object.observers)) {
        object_signal(&receiver->object, 0, FTL_SIGNAL_READABLE);
    }
}

/*
 * Sending and calling. An operation holds a reference to its channel's pair, so that its memory
 * stays, and owns its message. It lies from the beginning where it is when the thread waits, and is
 * the current thread's alone until then: others change it while it is in a list or a lane.
 */

/* One of the current thread's. How to receive is filled in by who does, as is the rest. */
static struct channel_wait *operation_new(struct channel *channel, nsec_t deadline)
{
    struct channel_wait *operation = &thread_current()->wait.channel;
    operation->channel = channel;
    operation->message = NULL;
    operation->is_call = false;
    operation->receiving = false;
    operation->words = false;
    operation->granted = false;
    operation->transaction = 0;
    operation->address = 0;
    operation->deadline = deadline;
    return operation;
}

static void operation_begin(const struct channel_wait *operation)
{
    channel_pair_get(operation->channel->pair);
}

static void operation_end(struct channel_wait *operation)
{
    message_free(operation->message);
    channel_pair_put(operation->channel->pair);
}

/*
 * Clean-up of every wait: out of the list, and out of the operation when the thread is killed.
 * Returns whether it is.
 */
static bool leave_list(struct thread *thread)
{
    struct channel_wait *wait = &thread->wait.channel;
    bool killed = __atomic_load_n(&thread->kill, __ATOMIC_ACQUIRE) != 0;
    spin_lock(&wait->channel->pair->lock);
    bool woken = list_empty(&wait->link);
    list_remove(&wait->link);
    thread_return_priority(thread);
    if (killed && wait->granted) {
        give_room(wait->channel->peer, wait->message->size);
    } else if (killed && wait->receiving && woken && !list_empty(&wait->channel->queue)) {
        wake_first(&wait->channel->receivers); /* it will not look: another has to */
    }
    spin_unlock(&wait->channel->pair->lock);
    return killed;
}

void channel_wait_cleanup(struct thread *thread)
{
    if (leave_list(thread)) {
        struct channel_wait operation = thread->wait.channel;
        thread->wait.channel.channel = NULL;
        operation_end(&operation);
    }
}

/* Registers the current thread, with the lock held; the caller then releases it and commits. */
static void wait_in(struct list *waiters, struct channel_wait *operation,
                    struct call_result (*resume)(struct thread *thread))
{
    struct wait *wait = thread_wait_begin(resume, channel_wait_cleanup);
    ASSERT(operation == &wait->channel);
    (void)wait;
    list_push_back(waiters, &operation->link);
}

/* What a wait without success ends with. */
static ftl_status_t time_is_up(nsec_t deadline)
{
    return deadline == 0 ? FTL_ERR_WOULD_BLOCK : FTL_ERR_TIMED_OUT;
}

/*
 * Reads where to put what is received: a words call gives an address for it, or 0, and it is not
 * looked at before a message is too long for registers, or the call takes the slow path.
 */
static ftl_status_t find_room(struct channel_wait *operation)
{
    if (operation->words) {
        operation->address = context_words_address(&thread_current()->context);
        operation->how = (struct ftl_message){ 0 };
        if (operation->address == 0) {
            return FTL_OK;
        }
    }
    return copy_in(&operation->how, operation->address, sizeof(operation->how));
}

static bool goes_to_registers(const struct channel_wait *operation, const struct message *message)
{
    return operation->words && message_fits_words(message);
}

/* Whether the message fits into the room of the operation: TOO_SMALL, with the sizes reported. */
static ftl_status_t check_room(const struct channel_wait *operation, const struct message *message)
{
    if (goes_to_registers(operation, message)) {
        return FTL_OK;
    }
    if (operation->words && operation->address == 0) {
        return FTL_ERR_TOO_SMALL;
    }
    return message_check_room(message, &operation->how, operation->address);
}

/* Gives the message, which fits, to the current process. The value is the tag of a words call. */
static struct call_result give(const struct channel_wait *operation, struct message *message)
{
    uint64_t tag = message->transaction << FTL_WORDS_TAG_SHIFT;
    if (goes_to_registers(operation, message)) {
        message_give_words(message);
        return call_value(tag | message->size);
    }
    ftl_status_t status = message_give(message, &operation->how, operation->address);
    return status == FTL_OK ? call_value(tag | FTL_WORDS_IN_MEMORY) : call_status(status);
}

static struct call_result give_reply(struct channel_wait *call, bool timed_out)
{
    if (call->message == NULL && timed_out) {
        return call_status(FTL_ERR_TIMED_OUT);
    }
    if (call->message == NULL) {
        return call_status(call->channel->closed ? FTL_ERR_HANDLE_CLOSED : FTL_ERR_PEER_CLOSED);
    }
    ftl_status_t status = FTL_OK;
    if (call->words && !message_fits_words(call->message)) {
        status = find_room(call);
    }
    if (status == FTL_OK) {
        status = check_room(call, call->message);
    }
    return status == FTL_OK ? give(call, call->message) : call_status(status);
}

struct call_result channel_resume_call(struct thread *thread)
{
    struct channel_wait *call = &thread->wait.channel;
    if (call->channel == NULL) {
        return call_status(FTL_ERR_CANCELLED); /* killed since: nobody sees it */
    }
    struct call_result result = give_reply(call, thread->wait.timed_out);
    operation_end(call);
    return result;
}

/*
 * The current thread calls: who will be woken to receive gets its priority now, or it would have to
 * wait for what is less urgent than the call; so does who received there last, and is busy with
 * something else, perhaps another's call. The lock is held.
 */
static void lend_to_receiver(const struct channel *receiver)
{
    if (!list_empty(&receiver->receivers)) {
        struct list *first = receiver->receivers.next;
        thread_lend_priority(thread_current(),
                             CONTAINER_OF(first, struct thread, wait.channel.link));
    } else if (receiver->served_by != NULL) {
        thread_lend_priority(thread_current(), receiver->served_by);
    }
}

/*
 * Queues the message, for which room is granted, with its handles; then a call waits for the reply.
 * The lock is held. *stopped: the thread waits, and the message is the queue's.
 */
static ftl_status_t queue_message(struct channel_wait *operation, bool *stopped)
{
    struct channel *channel = operation->channel;
    struct message *message = operation->message;
    ftl_status_t status = check_open(channel);
    if (status == FTL_OK) {
        status = message_take_handles(message);
    }
    if (status != FTL_OK) {
        return status;
    }
    operation->granted = false;
    operation->message = NULL;
    if (operation->is_call) {
        lane_clear(channel);
        operation->transaction = lane_next_transaction(channel);
        message->transaction = operation->transaction;
        wait_in(&channel->callers, operation, channel_resume_call);
        lend_to_receiver(channel->peer);
        *stopped = true;
    }
    hart_self()->messages++;
    trace_message(operation->is_call ? FTL_TRACE_CALL : FTL_TRACE_SEND, channel, message,
                  message->transaction);
    enqueue(channel->peer, message, false);
    if (operation->is_call) {
        wake_first_and_hand_over(&channel->peer->receivers);
    } else {
        wake_first(&channel->peer->receivers);
    }
    update_writable(channel);
    return FTL_OK;
}

/* The end of an operation that has sent its message, or failed to; or a call stops. */
static struct call_result sent(struct channel_wait *operation, ftl_status_t status, bool stopped)
{
    if (stopped) {
        return thread_wait_commit(operation->deadline);
    }
    operation_end(operation);
    return call_status(status);
}

/* Queues a message, or gives its room back. The lock is held. */
static ftl_status_t queue_or_give_up(struct channel_wait *operation, bool *stopped)
{
    size_t size = operation->message->size;
    ftl_status_t status = queue_message(operation, stopped);
    if (status != FTL_OK) {
        give_room(operation->channel->peer, size);
    }
    return status;
}

/* Queues a message with channel ends in it, for which there is room. */
static struct call_result deliver_ends(struct channel_wait *operation)
{
    struct walk walk;
    struct channel *channel = operation->channel;
    struct spinlock *lock = &channel->pair->lock;
    bool stopped = false;
    ftl_status_t status = nesting_begin(&walk, operation->message, channel->peer);
    spin_lock(lock);
    if (status == FTL_OK) {
        status = queue_or_give_up(operation, &stopped);
    } else {
        give_room(channel->peer, operation->message->size);
    }
    spin_unlock(lock);
    nesting_end(&walk, true);
    return sent(operation, status, stopped);
}

static struct call_result send_resume(struct thread *thread);

/* Gets room and queues the message, or waits for room. */
static struct call_result send(struct channel_wait *operation, bool timed_out)
{
    struct channel *channel = operation->channel;
    struct channel *peer = channel->peer;
    size_t size = operation->message->size;
    bool has_ends = operation->message->channel_count != 0;
    bool stopped = false;
    spin_lock(&channel->pair->lock);
    ftl_status_t status = check_open(channel);
    if (status != FTL_OK && operation->granted) {
        give_room(peer, size);
    } else if (status == FTL_OK && !operation->granted) {
        if (list_empty(&channel->senders) && has_room(peer, size)) {
            take_room(peer, size);
            operation->granted = true;
        } else if (timed_out || operation->deadline == 0) {
            status = time_is_up(operation->deadline);
        } else {
            wait_in(&channel->senders, operation, send_resume);
            if (operation->is_call) {
                lend_to_receiver(peer);
            }
            stopped = true;
        }
    }
    if (status == FTL_OK && !stopped && !has_ends) {
        status = queue_or_give_up(operation, &stopped);
        spin_unlock(&channel->pair->lock);
        return sent(operation, status, stopped);
    }
    spin_unlock(&channel->pair->lock);
    return status == FTL_OK && !stopped ? deliver_ends(operation)
                                        : sent(operation, status, stopped);
}

static struct call_result send_resume(struct thread *thread)
{
    struct channel_wait *operation = &thread->wait.channel;
    return operation->channel == NULL ? call_status(FTL_ERR_CANCELLED)
                                      : send(operation, thread->wait.timed_out);
}

/* An end is not sent through its own channel. */
static bool carries_own_end(const struct message *message, const struct channel *channel)
{
    for (uint32_t i = 0; i < message->handle_count && message->channel_count != 0; i++) {
        const struct object *object = message->handles[i].object;
        if (object->type == OBJECT_CHANNEL &&
            ((const struct channel *)object)->pair == channel->pair) {
            return true;
        }
    }
    return false;
}

static ftl_status_t make_for(struct channel *channel, vaddr_t address, struct message **made)
{
    ftl_status_t status = message_make(address, made);
    if (status == FTL_OK && carries_own_end(*made, channel)) {
        message_free(*made);
        status = FTL_ERR_BAD_STATE;
    }
    return status;
}

struct call_result sys_channel_send(struct channel *channel, vaddr_t message, nsec_t deadline)
{
    struct channel_wait *operation = operation_new(channel, deadline);
    ftl_status_t status = make_for(channel, message, &operation->message);
    if (status != FTL_OK) {
        return call_status(status);
    }
    operation_begin(operation);
    return send(operation, false);
}

struct call_result sys_channel_call(struct channel *channel, vaddr_t request, vaddr_t reply,
                                    nsec_t deadline)
{
    struct channel_wait *operation = operation_new(channel, deadline);
    operation->is_call = true;
    operation->address = reply;
    if (deadline == 0) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    ftl_status_t status = copy_in(&operation->how, reply, sizeof(operation->how));
    if (status == FTL_OK) {
        status = make_for(channel, request, &operation->message);
    }
    if (status != FTL_OK) {
        return call_status(status);
    }
    operation_begin(operation);
    return send(operation, false);
}

struct call_result sys_channel_call_words(struct channel *channel, uint64_t tag, vaddr_t reply)
{
    struct channel_wait *operation = operation_new(channel, FTL_TIME_INFINITE);
    operation->is_call = true;
    operation->words = true;
    operation->address = reply;
    if (tag > FTL_WORDS_SIZE) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    ftl_status_t status = message_make_of_words(tag, &operation->message);
    if (status != FTL_OK) {
        return call_status(status);
    }
    operation_begin(operation);
    return send(operation, false);
}

/* The thread that waits for the reply to this call; NULL: none, any more. The lock is held. */
static struct thread *caller_of(const struct channel *caller_end, uint64_t transaction)
{
    struct channel_wait *call;
    if (transaction == 0) {
        return NULL; /* no call */
    }
    LIST_FOR_EACH(call, &caller_end->callers, struct channel_wait, link)
    {
        if (call->transaction == transaction) {
            return CONTAINER_OF(call, struct thread, wait.channel);
        }
    }
    return NULL;
}

/*
 * Hands the message to the caller that waits for it, and the hart too if the current thread is
 * about to stop. The lock is held.
 */
static ftl_status_t answer(struct channel *caller_end, uint64_t transaction,
                           struct message *message, bool stops)
{
    struct thread *caller = caller_of(caller_end, transaction);
    if (caller == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    ftl_status_t status = message_take_handles(message);
    if (status == FTL_OK) {
        list_remove(&caller->wait.channel.link);
        caller->wait.channel.message = message;
        trace_message(FTL_TRACE_REPLY, caller_end->peer, message, transaction);
        thread_return_priority(caller);
        if (stops) {
            thread_notify_and_hand_over(caller);
        } else {
            thread_notify(caller);
        }
    }
    return status;
}

/* Answers the call; the message is used up. `goes_on`: to receive from here, and to wait for it. */
static ftl_status_t reply_with(struct channel *channel, uint64_t transaction,
                               struct message *message, bool goes_on)
{
    spin_lock(&channel->pair->lock);
    ftl_status_t status = check_open(channel);
    if (status == FTL_OK) {
        lane_clear(channel->peer);
        bool stops = goes_on && list_empty(&channel->queue);
        status = answer(channel->peer, transaction, message, stops);
    }
    spin_unlock(&channel->pair->lock);
    if (status != FTL_OK) {
        message_free(message);
    }
    return status;
}

static ftl_status_t reply(struct channel *channel, uint64_t transaction, vaddr_t address,
                          bool goes_on)
{
    struct message *message;
    ftl_status_t status = make_for(channel, address, &message);
    return status == FTL_OK ? reply_with(channel, transaction, message, goes_on) : status;
}

struct call_result sys_channel_reply(struct channel *channel, uint64_t transaction, vaddr_t address)
{
    return call_status(reply(channel, transaction, address, false));
}

/* Receiving. */

/* A message that could not be given goes back to where it was, if it still can. */
static void put_back(struct channel *channel, struct message *message)
{
    struct walk walk;
    bool has_ends = message->channel_count != 0;
    /* While it was out of the queue, a message that may not meet it may have been let in. */
    ftl_status_t status = nesting_begin(&walk, message, channel);
    spin_lock(&channel->pair->lock);
    bool queued = status == FTL_OK && !channel->closed;
    struct thread *caller = caller_of(channel->peer, message->transaction);
    if (caller != NULL) {
        thread_return_priority(caller);
    }
    if (queued) {
        enqueue(channel, message, true);
        wake_first(&channel->receivers);
    } else {
        give_room(channel, message->size);
    }
    spin_unlock(&channel->pair->lock);
    nesting_end(&walk, has_ends);
    if (!queued) {
        message_free(message);
    }
}

/* Takes the first message out, if it fits; its room stays taken. The lock is held. */
static struct message *dequeue(struct channel *channel, const struct channel_wait *operation)
{
    struct message *message = LIST_ENTRY(channel->queue.next, struct message, link);
    if (!goes_to_registers(operation, message) && !message_fits(message, &operation->how)) {
        wake_first(&channel->receivers); /* it may fit another one's buffer */
        return NULL;
    }
    list_remove(&message->link);
    if (list_empty(&channel->queue)) {
        object_signal(&channel->object, FTL_SIGNAL_READABLE, 0);
    }
    struct thread *caller = caller_of(channel->peer, message->transaction);
    if (caller != NULL) {
        thread_lend_priority(caller, thread_current());
    }
    return message;
}

static struct call_result hand_over(struct channel *channel, struct message *message,
                                    const struct channel_wait *operation)
{
    struct call_result result = give(operation, message);
    if (result.status != FTL_OK) {
        put_back(channel, message);
        return result;
    }
    spin_lock(&channel->pair->lock);
    give_room(channel, message->size);
    spin_unlock(&channel->pair->lock);
    message_free(message);
    return result;
}

/*
 * Notes that the current thread receives here: see lend_to_receiver(). Returns who did before, a
 * reference to drop without the lock, which is held; or NULL.
 */
static inline struct thread *note_receiver(struct channel *channel)
{
    struct thread *thread = thread_current();
    struct thread *former = channel->served_by;
    if (likely(former == thread) || channel->closed) {
        return NULL;
    }
    object_get(&thread->object);
    channel->served_by = thread;
    return former;
}

static struct call_result receive(struct channel_wait *operation, bool timed_out)
{
    struct channel *channel = operation->channel;
    struct message *message = NULL;
    struct message first; /* a copy, for its sizes, when it does not fit */
    struct channel_pair *pair = channel->pair;
    nsec_t deadline = operation->deadline;
    bool stopped = false;
    bool in_lane = false;
    spin_lock(&pair->lock);
    struct thread *former = note_receiver(channel);
    bool empty = list_empty(&channel->queue);
    ftl_status_t status = empty || channel->closed ? check_open(channel) : FTL_OK;
    if (!empty && status == FTL_OK) {
        message = dequeue(channel, operation);
        if (message == NULL) {
            first = *LIST_ENTRY(channel->queue.next, struct message, link);
        }
    } else if (status == FTL_OK && (timed_out || deadline == 0)) {
        status = time_is_up(deadline);
    } else if (status == FTL_OK) {
        in_lane = operation->words && channel->queued == 0 && lane_wait(channel);
        if (!in_lane) {
            wait_in(&channel->receivers, operation, channel_resume_receive);
        }
        stopped = true;
    }
    spin_unlock(&pair->lock);
    if (unlikely(former != NULL)) {
        object_put(&former->object);
    }
    if (in_lane) {
        channel_pair_put(pair); /* the thread's port keeps it; the operation is others' by now */
    }
    if (stopped) {
        return thread_wait_commit(deadline);
    }
    struct call_result result = call_status(status);
    if (message != NULL) {
        result = hand_over(channel, message, operation);
    } else if (status == FTL_OK) {
        result = call_status(check_room(operation, &first));
    }
    operation_end(operation);
    return result;
}

/* Begins to receive: the operation is filled in but for its room. */
static struct call_result receive_first(struct channel_wait *operation)
{
    ftl_status_t status = find_room(operation);
    if (status != FTL_OK) {
        return call_status(status);
    }
    operation_begin(operation);
    return receive(operation, false);
}

struct call_result channel_resume_receive(struct thread *thread)
{
    struct channel_wait *operation = &thread->wait.channel;
    if (operation->channel == NULL) {
        return call_status(FTL_ERR_CANCELLED);
    }
    ftl_status_t status = operation->words ? find_room(operation) : FTL_OK;
    if (status != FTL_OK) {
        operation_end(operation);
        return call_status(status);
    }
    return receive(operation, thread->wait.timed_out);
}

struct call_result sys_channel_recv(struct channel *channel, vaddr_t message, nsec_t deadline)
{
    struct channel_wait *operation = operation_new(channel, deadline);
    operation->receiving = true;
    operation->address = message;
    return receive_first(operation);
}

/* Whether a server goes on to receive: a caller that has given up meanwhile is no error of its. */
static bool goes_on_after(ftl_status_t status)
{
    return status == FTL_OK || status == FTL_ERR_NOT_FOUND;
}

struct call_result sys_channel_reply_and_recv(struct channel *channel, uint64_t transaction,
                                              vaddr_t reply_address, vaddr_t message,
                                              nsec_t deadline)
{
    ftl_status_t status =
        transaction == 0 ? FTL_OK : reply(channel, transaction, reply_address, deadline != 0);
    return goes_on_after(status) ? sys_channel_recv(channel, message, deadline)
                                 : call_status(status);
}

static ftl_status_t reply_words(struct channel *channel, uint64_t transaction, size_t size)
{
    struct message *message;
    if (size > FTL_WORDS_SIZE) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    ftl_status_t status = message_make_of_words(size, &message);
    return status == FTL_OK ? reply_with(channel, transaction, message, true) : status;
}

struct call_result sys_channel_serve_words(struct channel *channel, uint64_t tag, vaddr_t message)
{
    uint64_t transaction = tag >> FTL_WORDS_TAG_SHIFT;
    ftl_status_t status =
        transaction == 0 ? FTL_OK : reply_words(channel, transaction, tag & FTL_WORDS_SIZE_MASK);
    if (!goes_on_after(status)) {
        return call_status(status);
    }
    struct channel_wait *operation = operation_new(channel, FTL_TIME_INFINITE);
    operation->receiving = true;
    operation->words = true;
    operation->address = message;
    return receive_first(operation);
}
