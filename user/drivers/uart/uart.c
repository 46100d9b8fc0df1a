/*
 * Driver of serial ports, ns16550a and snps,dw-apb-uart: serves the protocol `terminal`. Works by
 * interrupts in both directions. While nobody reads, as much is kept as fits; then the port
 * interrupts for input no more, and its own FIFO fills.
 *
 * The port that is the kernel's console is not given to a driver.
 */
#include <ftl/device.h>
#include <ftl/interrupt.h>
#include <ftl/protocols/terminal.h>
#include <ftl/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../virtio/calls.h"
#include "ns16550.h"

#define INPUT_SIZE     4096u
#define READ_MAX       1024u /* of one call */
#define WRITE_MAX      1024u
#define CAUSES_AT_ONCE 64 /* of an interrupt, before clients have their turn */
#define BAUD_DEFAULT   115200
#define BAUD_MAX       4000000
#define DESIGNWARE_APP "dw_apb_uart" /* the app of this program that is for DesignWare's */

/* A call of `write` that was not answered yet. */
struct output {
    struct virtio_call call; /* first */
    uint32_t size;
    uint32_t sent;
    uint8_t data[WRITE_MAX];
};

static struct {
    struct ftl_device device;
    struct ns16550 uart;
    struct ftl_mainloop loop;
    struct ftl_source interrupt;
    uint8_t input[INPUT_SIZE]; /* a ring */
    size_t input_first;
    size_t input_count;
    struct virtio_calls reads;  /* who waits for input */
    struct virtio_calls writes; /* the first is being sent */
} port;

/* ---- Input ---- */

static void take_input(void)
{
    while (port.input_count < INPUT_SIZE) {
        int byte = ns16550_receive(&port.uart);
        if (byte < 0) {
            return;
        }
        port.input[(port.input_first + port.input_count++) % INPUT_SIZE] = (uint8_t)byte;
    }
}

/* Gives what lies in one piece to whoever has waited longest. */
static void give_input_once(void)
{
    struct terminal_buffer buffer;
    struct virtio_call *call = virtio_calls_take(&port.reads);
    size_t size = INPUT_SIZE - port.input_first;
    size = size < port.input_count ? size : port.input_count;
    size = size < READ_MAX ? size : READ_MAX;
    struct terminal_read_reply reply = {
        .data = port.input + port.input_first,
        .data_size = (uint32_t)size,
    };
    if (call->client != NULL && terminal_read_answer(call->client->source.handle, call->transaction,
                                                     &reply, &buffer) == FTL_OK) {
        port.input_first = (port.input_first + size) % INPUT_SIZE; /* else the next one has it */
        port.input_count -= size;
    }
    free(call);
}

/* ---- Output ---- */

static void finish_output(void)
{
    struct terminal_buffer buffer;
    struct virtio_call *call = virtio_calls_take(&port.writes);
    if (call->client != NULL) {
        terminal_write_answer(call->client->source.handle, call->transaction, &buffer);
    }
    free(call);
}

/* Fills the transmitter; what is all in there was taken by the device. */
static void send_output(void)
{
    struct output *output;
    while ((output = (struct output *)(void *)port.writes.first) != NULL) {
        size_t count =
            ns16550_send(&port.uart, output->data + output->sent, output->size - output->sent);
        if (count == 0) {
            return;
        }
        output->sent += (uint32_t)count;
        if (output->sent == output->size) {
            finish_output();
        }
    }
}

/* ---- The port ---- */

/* Moves what can be moved, and has the port tell when there is more to do. */
static void work(void)
{
    take_input();
    while (port.input_count != 0 && port.reads.first != NULL) {
        give_input_once();
        take_input();
    }
    send_output();
    ns16550_enable(&port.uart, port.input_count < INPUT_SIZE, port.writes.first != NULL);
}

static void on_interrupt(struct ftl_source *source, uint32_t signals)
{
    (void)signals;
    for (unsigned i = 0; i < CAUSES_AT_ONCE && ns16550_take_cause(&port.uart); i++) {
        work();
    }
    ftl_interrupt_ack(source->handle);
}

/* ---- Clients ---- */

static ftl_status_t read_input(void *context, struct terminal_read_reply *reply)
{
    (void)reply;
    struct virtio_call *call = malloc(sizeof(*call));
    if (call == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    virtio_calls_add(&port.reads, call, context);
    work();
    return FTL_IPC_LATER;
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
    output->sent = 0;
    memcpy(output->data, request->data, request->data_size);
    virtio_calls_add(&port.writes, &output->call, context);
    work();
    return FTL_IPC_LATER;
}

static void client_gone(struct ftl_client *client)
{
    virtio_calls_forget(&port.reads, client);
    virtio_calls_forget(&port.writes, client);
}

/* ---- Beginning ---- */

/* Of the clock, of which a bit takes 16 periods; 0: it is not known. */
static uint32_t divisor(void)
{
    uint32_t clock = ftl_device_property("clock-frequency", 0);
    uint32_t baud = ftl_device_property("current-speed", BAUD_DEFAULT);
    if (baud == 0 || baud > BAUD_MAX) {
        return 0;
    }
    uint64_t per_second = UINT64_C(16) * baud;
    return (uint32_t)((clock + per_second / 2) / per_second);
}

static ftl_status_t open_port(const char *app, const char **step)
{
    *step = "taking the device";
    ftl_status_t status = ftl_environ_take_device(&port.device);
    if (status != FTL_OK) {
        return status;
    }
    port.uart = (struct ns16550){
        .registers = port.device.registers,
        .size = port.device.registers_size,
        .shift = ftl_device_property("reg-shift", 0),
        .width = ftl_device_property("reg-io-width", 1),
        .is_designware = strcmp(app, DESIGNWARE_APP) == 0,
        .divisor = divisor(),
    };
    *step = "setting up the port";
    if (port.device.interrupt == FTL_HANDLE_INVALID || !ns16550_open(&port.uart)) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    virtio_calls_init(&port.reads);
    virtio_calls_init(&port.writes);
    *step = "waiting for interrupts";
    status = ftl_mainloop_init(&port.loop);
    if (status == FTL_OK) {
        status = ftl_mainloop_add(&port.loop, &port.interrupt, port.device.interrupt,
                                  FTL_SIGNAL_READABLE, on_interrupt, NULL);
    }
    return status;
}

int main(int argc, char **argv)
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
    struct ftl_server clients;
    const char *step;
    ftl_status_t status = open_port(argc > 0 ? argv[0] : "", &step);
    if (status == FTL_OK) {
        step = "serving clients";
        status = ftl_service_open(&clients, &server, &port.loop);
    }
    if (status == FTL_OK) {
        work();
        status = ftl_mainloop_run(&port.loop);
    }
    if (status != FTL_OK) {
        fprintf(stderr, "uart: %s: %s: %s\n",
                port.device.node != NULL ? port.device.node : "no device", step,
                ftl_strerror(status));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
