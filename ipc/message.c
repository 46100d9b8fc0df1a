/*
 * Messages: see message.h. Small ones are one allocation; the bytes of large ones are whole pages
 * of their own.
 */
#include "ipc/message.h"

#include "arch/hart.h"

#include "kernel/assert.h"
#include "kernel/process.h"
#include "kernel/string.h"
#include "kernel/thread.h"
#include "mm/slab.h"
#include "mm/vmspace.h"

#define INLINE_MAX 1024 /* bytes that lie behind the handles */

/*
 * Messages a hart is about to free. Closing a channel end frees the messages in its queue, which
 * may hold channel ends, and so on: as deep as processes like, where the kernel's stack is not. So
 * the outermost message_free() on a hart does it all. Only the hart itself touches its own.
 */
static struct reaper {
    struct list messages;
    bool busy;
} reapers[MAX_HARTS];

static inline size_t header_size(size_t size, uint32_t handle_count)
{
    return sizeof(struct message) + handle_count * sizeof(struct message_handle) +
           (size <= INLINE_MAX ? size : 0);
}

static inline size_t pages_size(size_t size)
{
    return size <= INLINE_MAX ? 0 : size;
}

static void release_handles(struct message *message)
{
    for (uint32_t i = 0; i < message->handle_count; i++) {
        if (message->taken) {
            object_close(message->handles[i].content.object);
        }
        if (message->handles[i].object != NULL) {
            object_put(message->handles[i].object);
        }
    }
}

static void free_one(struct message *message)
{
    size_t header = header_size(message->size, message->handle_count);
    size_t pages = pages_size(message->size);
    release_handles(message);
    account_release(message->account, header + pages);
    account_put(message->account);
    if (pages != 0) {
        kfree(message->data, pages);
    }
    kfree(message, header);
}

void message_free_all(struct list *messages)
{
    struct reaper *reaper = &reapers[hart_index()];
    if (reaper->messages.next == NULL) {
        list_init(&reaper->messages);
    }
    for (struct list *node = list_pop_front(messages); node != NULL;
         node = list_pop_front(messages)) {
        list_push_back(&reaper->messages, node);
    }
    if (reaper->busy) {
        return;
    }
    reaper->busy = true;
    for (struct list *node = list_pop_front(&reaper->messages); node != NULL;
         node = list_pop_front(&reaper->messages)) {
        free_one(LIST_ENTRY(node, struct message, link));
    }
    reaper->busy = false;
}

void message_free(struct message *message)
{
    if (message == NULL) {
        return;
    }
    if (message->handle_count == 0) {
        free_one(message); /* nothing goes with it */
    } else {
        struct list one = LIST_INIT(one);
        list_push_back(&one, &message->link);
        message_free_all(&one);
    }
}

/* Fills in all but the bytes. Member by member: most are 0, but a call of memset costs more. */
static inline void fill_in(struct message *message, size_t size, uint32_t handle_count,
                           struct account *account)
{
    list_init(&message->link);
    message->account = account_get(account);
    message->transaction = 0;
    message->data = (char *)&message->handles[handle_count];
    message->size = size;
    message->handle_count = handle_count;
    message->channel_count = 0;
    message->taken = false;
    if (handle_count != 0) {
        memset(message->handles, 0, handle_count * sizeof(message->handles[0]));
    }
}

/* A message with room for all, its bytes to be filled in; charged to the current process. */
static ftl_status_t message_alloc(size_t size, uint32_t handle_count, struct message **made)
{
    struct account *account = process_current()->account;
    size_t header = header_size(size, handle_count);
    size_t pages = pages_size(size);
    if (!account_charge(account, header + pages)) {
        return FTL_ERR_LIMIT;
    }
    struct message *message = kalloc_unfilled(header);
    char *data = pages != 0 && message != NULL ? kalloc_unfilled(pages) : NULL;
    if (message == NULL || (pages != 0 && data == NULL)) {
        kfree(message, header);
        account_release(account, header + pages);
        return FTL_ERR_NO_MEMORY;
    }
    fill_in(message, size, handle_count, account);
    if (data != NULL) {
        message->data = data;
    }
    *made = message;
    return FTL_OK;
}

/*
 * A process that was not started lives by its handles alone and holds others': one in a message to
 * a channel end of its own would keep itself alive. Once started it never is new again.
 */
static bool is_new_process(struct object *object)
{
    struct process *process = (struct process *)object;
    if (object->type != OBJECT_PROCESS) {
        return false;
    }
    spin_lock(&process->lock);
    bool is_new = process->state == FTL_PROCESS_NEW;
    spin_unlock(&process->lock);
    return is_new;
}

/* Finds the objects of the handles, whose values are the caller's at this address. */
static ftl_status_t find_handles(struct message *message, vaddr_t values)
{
    ftl_handle_t copies[FTL_MESSAGE_HANDLES_MAX];
    ftl_status_t status = copy_in(copies, values, message->handle_count * sizeof(copies[0]));
    for (uint32_t i = 0; i < message->handle_count && status == FTL_OK; i++) {
        struct message_handle *handle = &message->handles[i];
        struct object *object;
        status = handle_lookup(copies[i], OBJECT_ANY, FTL_RIGHT_TRANSFER, &object);
        if (status != FTL_OK) {
            break;
        }
        handle->value = copies[i];
        handle->object = object;
        message->channel_count += object->type == OBJECT_CHANNEL;
        if (is_new_process(object)) {
            status = FTL_ERR_BAD_STATE;
        }
    }
    return status;
}

ftl_status_t message_make(vaddr_t address, struct message **made)
{
    struct ftl_message how;
    ftl_status_t status = copy_in(&how, address, sizeof(how));
    if (status != FTL_OK) {
        return status;
    }
    if (how.size > FTL_MESSAGE_SIZE_MAX || how.handle_count > FTL_MESSAGE_HANDLES_MAX) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    struct message *message;
    status = message_alloc(how.size, how.handle_count, &message);
    if (status != FTL_OK) {
        return status;
    }
    if (how.size != 0) {
        status = copy_in(message->data, (vaddr_t)how.data, how.size);
    }
    if (status == FTL_OK && how.handle_count != 0) {
        status = find_handles(message, (vaddr_t)how.handles);
    }
    if (status != FTL_OK) {
        message_free(message);
        return status;
    }
    *made = message;
    return FTL_OK;
}

ftl_status_t message_make_of_words(size_t size, struct message **made)
{
    uint64_t words[FTL_WORDS_COUNT];
    ftl_status_t status = message_alloc(size, 0, made);
    if (status != FTL_OK) {
        return status;
    }
    for (size_t i = 0; i < FTL_WORDS_COUNT; i++) {
        words[i] = *context_word(&thread_current()->context, i);
    }
    memcpy((*made)->data, words, size);
    return FTL_OK;
}

void message_give_words(const struct message *message)
{
    uint64_t words[FTL_WORDS_COUNT] = { 0 };
    memcpy(words, message->data, message->size);
    for (size_t i = 0; i < FTL_WORDS_COUNT; i++) {
        *context_word(&thread_current()->context, i) = words[i];
    }
}

static ftl_status_t take_handles(struct message *message)
{
    ftl_handle_t values[FTL_MESSAGE_HANDLES_MAX];
    struct handle_content contents[FTL_MESSAGE_HANDLES_MAX];
    for (uint32_t i = 0; i < message->handle_count; i++) {
        values[i] = message->handles[i].value;
    }
    ftl_status_t status = handle_remove_all(&process_current()->handles, values,
                                            message->handle_count, FTL_RIGHT_TRANSFER, contents);
    if (status != FTL_OK) {
        return status;
    }
    for (uint32_t i = 0; i < message->handle_count; i++) {
        /* A value names one object for ever: it is still the one that was looked at. */
        ASSERT(contents[i].object == message->handles[i].object);
        message->handles[i].content = contents[i];
    }
    message->taken = true;
    return FTL_OK;
}

ftl_status_t message_take_handles(struct message *message)
{
    return message->handle_count == 0 ? FTL_OK : take_handles(message);
}

/* Takes back the first handles that a process was given; what it has done with them stays done. */
static void revoke(const ftl_handle_t *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct object *object;
        ftl_rights_t rights;
        if (handle_remove(&process_current()->handles, values[i], 0, &object, &rights) == FTL_OK) {
            object_close(object);
        }
    }
}

/* Makes handles of the message's; it keeps its own, so that nothing is lost on an error. */
static ftl_status_t insert_handles(struct message *message, ftl_handle_t *values)
{
    for (uint32_t i = 0; i < message->handle_count; i++) {
        const struct handle_content *content = &message->handles[i].content;
        object_get(content->object);
        ftl_status_t status = handle_insert(&process_current()->handles, content->object,
                                            content->rights, &values[i]);
        if (status != FTL_OK) {
            object_put(content->object);
            revoke(values, i);
            return status;
        }
    }
    return FTL_OK;
}

static ftl_status_t report_sizes(const struct message *message, const struct ftl_message *how,
                                 vaddr_t address)
{
    struct ftl_message result = *how;
    result.size = message->size;
    result.handle_count = message->handle_count;
    result.transaction = message->transaction;
    return copy_out(address, &result, sizeof(result));
}

ftl_status_t message_check_room(const struct message *message, const struct ftl_message *how,
                                vaddr_t address)
{
    if (message_fits(message, how)) {
        return FTL_OK;
    }
    ftl_status_t status = report_sizes(message, how, address);
    return status == FTL_OK ? FTL_ERR_TOO_SMALL : status;
}

static ftl_status_t give_bytes(const struct message *message, const struct ftl_message *how,
                               vaddr_t address)
{
    ftl_status_t status = FTL_OK;
    if (message->size != 0) {
        status = copy_out((vaddr_t)how->data, message->data, message->size);
    }
    return status == FTL_OK ? report_sizes(message, how, address) : status;
}

static ftl_status_t give_all(struct message *message, const struct ftl_message *how,
                             vaddr_t address)
{
    ftl_handle_t values[FTL_MESSAGE_HANDLES_MAX];
    ftl_status_t status = insert_handles(message, values);
    if (status != FTL_OK) {
        return status;
    }
    status = copy_out((vaddr_t)how->handles, values, message->handle_count * sizeof(values[0]));
    if (status == FTL_OK) {
        status = give_bytes(message, how, address);
    }
    if (status != FTL_OK) {
        revoke(values, message->handle_count);
    }
    return status;
}

ftl_status_t message_give(struct message *message, const struct ftl_message *how, vaddr_t address)
{
    return message->handle_count == 0 ? give_bytes(message, how, address)
                                      : give_all(message, how, address);
}
