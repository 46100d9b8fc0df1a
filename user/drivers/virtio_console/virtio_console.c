/*
 * Driver of virtio consoles (Virtual I/O Device Version 1.2, 5.3), their first port: serves the
 * protocol `terminal`. One buffer goes to the device to be filled, and again only when all that was
 * in it has been read; one goes out at a time.
 */
#include <ftl/protocols/terminal.h>
#include <stdlib.h>
#include <string.h>

#include "../virtio/calls.h"
#include "../virtio/driver.h"

#define QUEUE_RECEIVE  0
#define QUEUE_TRANSMIT 1
#define QUEUE_ENTRIES  8u
#define BUFFER_SIZE    1024u

/* A call of `write` that was not answered yet. */
struct output {
    struct virtio_call call; /* first */
    uint32_t size;
    char data[BUFFER_SIZE];
};

static struct {
    struct virtio_driver driver;
    struct virtio_queue receive;
    struct virtio_queue transmit;
    const struct ftl_device_memory *memory;
    size_t input; /* where the buffers lie in the memory */
    size_t output;
    uint32_t have;              /* bytes of input that nobody has read */
    struct virtio_calls reads;  /* who waits for input */
    struct virtio_calls writes; /* the device is at work for the first */
} console;

/* ---- Input ---- */

/* Has the device fill the buffer, once it is empty. */
static void ask_for_input(void)
{
    struct virtio_piece piece = {
        .address = console.memory->address + console.input,
        .size = BUFFER_SIZE,
        .device_writes = true,
    };
    if (console.have == 0 && console.receive.chains == 0) {
        virtio_queue_add(&console.receive, &piece, 1, &console);
        virtio_queue_notify(&console.receive);
    }
}

/* Gives all that there is to whoever has waited longest. */
static void give_input_once(void)
{
    struct terminal_buffer buffer;
    struct virtio_call *call = virtio_calls_take(&console.reads);
    struct terminal_read_reply reply = {
        .data = console.memory->data + console.input,
        .data_size = console.have,
    };
    if (call->client != NULL && terminal_read_answer(call->client->source.handle, call->transaction,
                                                     &reply, &buffer) == FTL_OK) {
        console.have = 0; /* else the next one has it */
    }
    free(call);
}

static void give_input(void)
{
    while (console.have != 0 && console.reads.first != NULL) {
        give_input_once();
    }
}

static ftl_status_t read_input(void *context, struct terminal_read_reply *reply)
{
    (void)reply;
    struct virtio_call *call = malloc(sizeof(*call));
    if (call == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    virtio_calls_add(&console.reads, call, context);
    give_input();
    ask_for_input();
    return FTL_IPC_LATER;
}

/* ---- Output ---- */

/* Gives what was written first to the device, if that has nothing to do. */
static void send_output(void)
{
    struct output *output = (struct output *)(void *)console.writes.first;
    if (output == NULL || console.transmit.chains != 0) {
        return;
    }
    memcpy(console.memory->data + console.output, output->data, output->size);
    struct virtio_piece piece = {
        .address = console.memory->address + console.output,
        .size = output->size,
    };
    virtio_queue_add(&console.transmit, &piece, 1, output);
    virtio_queue_notify(&console.transmit);
}

static void finish_output(void)
{
    struct terminal_buffer buffer;
    struct virtio_call *call = virtio_calls_take(&console.writes);
    if (call->client != NULL) {
        terminal_write_answer(call->client->source.handle, call->transaction, &buffer);
    }
    free(call);
}

static ftl_status_t write_output(void *context, struct terminal_write_request *request)
{
    if (request->data_size == 0) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    struct output *output = malloc(sizeof(*output));
    if (output == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    output->size = request->data_size;
    memcpy(output->data, request->data, request->data_size);
    virtio_calls_add(&console.writes, &output->call, context);
    send_output();
    return FTL_IPC_LATER;
}

/* ---- The device ---- */

static void work(struct virtio_driver *driver)
{
    void *token;
    uint32_t written;
    do {
        while (virtio_driver_take(driver, &console.transmit, &token, &written)) {
            finish_output();
        }
        send_output();
        if (virtio_driver_take(driver, &console.receive, &token, &written)) {
            if (written == 0) { /* asking again might never end */
                virtio_driver_fail(driver, "the device gives nothing", FTL_ERR_IO);
            }
            console.have = written;
        }
        give_input();
        ask_for_input();
    } while (!virtio_queue_interrupts(&console.transmit, true) ||
             !virtio_queue_interrupts(&console.receive, true));
}

static void client_gone(struct ftl_client *client)
{
    virtio_calls_forget(&console.reads, client);
    virtio_calls_forget(&console.writes, client);
}

static ftl_status_t open_console(struct virtio_driver *driver, const char **step)
{
    size_t queue_size = VIRTIO_QUEUE_SIZE(QUEUE_ENTRIES);
    console.memory = &driver->device.memory[0];
    console.input = 2 * queue_size;
    console.output = console.input + BUFFER_SIZE;
    virtio_calls_init(&console.reads);
    virtio_calls_init(&console.writes);
    if (console.memory->size < console.output + BUFFER_SIZE) {
        return FTL_ERR_NO_MEMORY;
    }
    *step = "setting up its queues";
    ftl_status_t status = virtio_queue_open(&console.receive, &driver->virtio, QUEUE_RECEIVE,
                                            QUEUE_ENTRIES, console.memory, 0);
    if (status != FTL_OK) {
        return status;
    }
    return virtio_queue_open(&console.transmit, &driver->virtio, QUEUE_TRANSMIT, QUEUE_ENTRIES,
                             console.memory, queue_size);
}

int main(void)
{
    static const struct terminal_handlers handlers = {
        .read = read_input,
        .write = write_output,
    };
    static struct ftl_server server = {
        .protocol = &terminal_protocol,
        .handlers = &handlers,
        .closed = client_gone,
    };
    console.driver = (struct virtio_driver){
        .name = "virtio_console",
        .id = VIRTIO_ID_CONSOLE,
        .server = &server,
        .open = open_console,
        .work = work,
    };
    return virtio_driver_main(&console.driver);
}
