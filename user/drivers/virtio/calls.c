/* Calls that a driver has yet to answer: see calls.h. */
#include "calls.h"

void virtio_calls_init(struct virtio_calls *calls)
{
    calls->first = NULL;
    calls->last = &calls->first;
}

void virtio_calls_add(struct virtio_calls *calls, struct virtio_call *call,
                      struct ftl_client *client)
{
    call->next = NULL;
    call->client = client;
    call->transaction = client->transaction;
    *calls->last = call;
    calls->last = &call->next;
}

struct virtio_call *virtio_calls_take(struct virtio_calls *calls)
{
    struct virtio_call *call = calls->first;
    calls->first = call->next;
    if (calls->first == NULL) {
        calls->last = &calls->first;
    }
    return call;
}

void virtio_call_forget(struct virtio_call *call, const struct ftl_client *client)
{
    if (call->client == client) {
        call->client = NULL;
    }
}

void virtio_calls_forget(struct virtio_calls *calls, const struct ftl_client *client)
{
    for (struct virtio_call *call = calls->first; call != NULL; call = call->next) {
        virtio_call_forget(call, client);
    }
}
