/*
 * Driver of virtio sources of randomness (Virtual I/O Device Version 1.2, 5.4): serves the protocol
 * `entropy`. One buffer goes to the device and back; callers are answered out of it in turn, no
 * byte is given to two, and none is kept.
 */
#include <ftl/protocols/entropy.h>
#include <stdlib.h>
#include <string.h>

#include "../virtio/calls.h"
#include "../virtio/driver.h"

#define QUEUE_ENTRIES 8u
#define ANSWER_MAX    256u

/* A call that was not answered yet. */
struct request {
    struct virtio_call call; /* first */
    uint32_t size;
    uint32_t have;
    char data[ANSWER_MAX];
};

static struct {
    struct virtio_driver driver;
    struct virtio_queue queue;
    const struct ftl_device_memory *memory;
    size_t buffer;               /* where it lies in the memory */
    struct virtio_calls waiting; /* the device is at work for the first */
} rng;

/* Asks for what the first caller still needs. */
static void ask(void)
{
    struct virtio_piece piece = {
        .address = rng.memory->address + rng.buffer,
        .device_writes = true,
    };
    struct request *request = (struct request *)(void *)rng.waiting.first;
    if (request != NULL && rng.queue.chains == 0) {
        piece.size = request->size - request->have;
        virtio_queue_add(&rng.queue, &piece, 1, request);
        virtio_queue_notify(&rng.queue);
    }
}

static void answer(struct request *request)
{
    struct entropy_buffer buffer;
    struct entropy_read_reply reply = { .data = request->data, .data_size = request->size };
    if (request->call.client != NULL) {
        entropy_read_answer(request->call.client->source.handle, request->call.transaction, &reply,
                            &buffer);
    }
    explicit_bzero(&buffer, sizeof(buffer));
}

/* `written` bytes have come for the first caller, who may need more. */
static void deliver(struct request *request, uint32_t written)
{
    char *data = rng.memory->data + rng.buffer;
    memcpy(request->data + request->have, data, written);
    explicit_bzero(data, written);
    request->have += written;
    if (request->have < request->size) {
        return;
    }
    answer(request);
    virtio_calls_take(&rng.waiting);
    explicit_bzero(request, sizeof(*request));
    free(request);
}

static void work(struct virtio_driver *driver)
{
    void *token;
    uint32_t written;
    do {
        while (virtio_driver_take(driver, &rng.queue, &token, &written)) {
            if (written == 0) { /* it must give something (5.4.6.2); asking again may never end */
                virtio_driver_fail(driver, "the device gives nothing", FTL_ERR_IO);
            }
            deliver(token, written);
            ask();
        }
    } while (!virtio_queue_interrupts(&rng.queue, true));
}

static ftl_status_t read_random(void *context, struct entropy_read_request *call,
                                struct entropy_read_reply *reply)
{
    (void)reply;
    if (call->size == 0 || call->size > ANSWER_MAX) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    struct request *request = calloc(1, sizeof(*request));
    if (request == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    request->size = call->size;
    virtio_calls_add(&rng.waiting, &request->call, context);
    ask();
    return FTL_IPC_LATER;
}

static void client_gone(struct ftl_client *client)
{
    virtio_calls_forget(&rng.waiting, client);
}

static ftl_status_t open_rng(struct virtio_driver *driver, const char **step)
{
    rng.memory = &driver->device.memory[0];
    rng.buffer = VIRTIO_QUEUE_SIZE(QUEUE_ENTRIES);
    virtio_calls_init(&rng.waiting);
    if (rng.memory->size < rng.buffer + ANSWER_MAX) {
        return FTL_ERR_NO_MEMORY;
    }
    *step = "setting up its queue";
    return virtio_queue_open(&rng.queue, &driver->virtio, 0, QUEUE_ENTRIES, rng.memory, 0);
}

int main(void)
{
    static const struct entropy_handlers handlers = { .read = read_random };
    static struct ftl_server server = {
        .protocol = &entropy_protocol,
        .handlers = &handlers,
        .closed = client_gone,
    };
    rng.driver = (struct virtio_driver){
        .name = "virtio_rng",
        .id = VIRTIO_ID_RNG,
        .server = &server,
        .open = open_rng,
        .work = work,
    };
    return virtio_driver_main(&rng.driver);
}
