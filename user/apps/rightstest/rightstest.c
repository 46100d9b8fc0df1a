/*
 * Every call but words calls, with every handle it takes, without each of the rights that the call
 * needs of it: the answer is MISSING_RIGHT. Which calls, handles and rights there are is made from
 * calls.def: a new call is tried without a change here; a new type of object needs a line in
 * make_object().
 */
#include <ftl/call_numbers.h>
#include <ftl/channel.h>
#include <ftl/code.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/interrupt.h>
#include <ftl/notification.h>
#include <ftl/poll.h>
#include <ftl/process.h>
#include <ftl/sandbox_abi.h>
#include <ftl/thread.h>
#include <ftl/timer.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <stdio.h>
#include <stdlib.h>

#include "calls_table.gen.h"

#include "user/apps/testing/check.h"
#include "user/lib/src/enter_kernel.h"

#define CALLS          (sizeof(call_descriptions) / sizeof(call_descriptions[0]))
#define TYPE_COUNT     (FTL_OBJECT_INTERRUPT + 1)
#define FILLER         8 /* for arguments that do not matter */
#define UNUSED_SOURCE  3 /* of the interrupt controller: no driver takes it */
#define CHILD_MEMORY   (64 * (uint64_t)FTL_PAGE_SIZE)
#define JUMP_TO_ITSELF 0x0000006fu
#define RIGHT_COUNT    8

struct result {
    long status;
    unsigned long value;
};

/* Any call: its number comes behind its arguments. */
struct result raw_call(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5,
                       uint64_t number);
KERNEL_ENTRY_BY(raw_call, "mv a7, a6");

static ftl_handle_t objects[TYPE_COUNT];
static char memory[2 * FTL_PAGE_SIZE];
static unsigned long combinations;

static ftl_handle_t make_code(void)
{
    const uint32_t code[] = { FTL_SANDBOX_PAD, JUMP_TO_ITSELF };
    const struct ftl_code_layout layout = {
        .file_size = sizeof(code),
        .memory_size = sizeof(code),
        .image_size = FTL_GATE_SIZE + FTL_PAGE_SIZE,
        .entry = FTL_GATE_SIZE,
    };
    ftl_handle_t vmo;
    ftl_handle_t made = FTL_HANDLE_INVALID;
    CHECK_OK(ftl_vmo_create(FTL_PAGE_SIZE, &vmo));
    CHECK_OK(ftl_vmo_write(vmo, 0, code, sizeof(code)));
    CHECK_OK(ftl_code_create(vmo, 0, sizeof(code), &layout, &made));
    return made;
}

static ftl_handle_t make_process(void)
{
    ftl_handle_t vmspace;
    ftl_handle_t process = FTL_HANDLE_INVALID;
    CHECK_OK(ftl_vmspace_create(FTL_ISOLATION_USER, &vmspace));
    CHECK_OK(ftl_process_create(vmspace, "child", 5, CHILD_MEMORY, &process));
    return process;
}

static ftl_handle_t make_object(unsigned type)
{
    ftl_handle_t made = FTL_HANDLE_INVALID;
    ftl_handle_t other;
    switch (type) {
    case FTL_OBJECT_ANY:
    case FTL_OBJECT_VMO: CHECK_OK(ftl_vmo_create(FTL_PAGE_SIZE, &made)); break;
    case FTL_OBJECT_PROCESS: return make_process();
    case FTL_OBJECT_THREAD: CHECK_OK(ftl_thread_self(&made)); break;
    case FTL_OBJECT_VMSPACE: CHECK_OK(ftl_vmspace_create(FTL_ISOLATION_USER, &made)); break;
    case FTL_OBJECT_CODE: return make_code();
    case FTL_OBJECT_CHANNEL: CHECK_OK(ftl_channel_create(&other, &made)); break;
    case FTL_OBJECT_NOTIFICATION: CHECK_OK(ftl_notification_create(&made)); break;
    case FTL_OBJECT_TIMER: CHECK_OK(ftl_timer_create(&made)); break;
    case FTL_OBJECT_POLL: CHECK_OK(ftl_poll_create(&made)); break;
    case FTL_OBJECT_INTERRUPT:
        CHECK_OK(
            ftl_interrupt_create(ftl_environ_find(ftl_environ(), "system"), UNUSED_SOURCE, &made));
        break;
    case FTL_OBJECT_CONSOLE: return ftl_environ_find(ftl_environ(), "console");
    case FTL_OBJECT_SYSTEM: return ftl_environ_find(ftl_environ(), "system");
    default: break;
    }
    return made;
}

/* A handle to the object with all the rights that this process has, but for one. */
static ftl_handle_t handle_without(unsigned type, ftl_rights_t right)
{
    ftl_rights_t held = 0;
    ftl_handle_t copy;
    for (unsigned i = 0; i < RIGHT_COUNT; i++) {
        if (ftl_handle_duplicate(objects[type], 1u << i, &copy) == FTL_OK) {
            held |= 1u << i;
            ftl_handle_close(copy);
        }
    }
    CHECK_OK(ftl_handle_duplicate(objects[type], held & ~right, &copy));
    return copy;
}

static void try_without(const struct call_description *call, unsigned argument, ftl_rights_t right)
{
    uint64_t args[6] = { FILLER, FILLER, FILLER, FILLER, FILLER, FILLER };
    for (unsigned i = 0; i < call->count; i++) {
        if (call->args[i].is_handle) {
            args[i] = objects[call->args[i].type];
        } else if (call->args[i].is_pointer) {
            args[i] = (uintptr_t)memory;
        }
    }
    ftl_handle_t handle = handle_without(call->args[argument].type, right);
    args[argument] = handle;
    struct result result =
        raw_call(args[0], args[1], args[2], args[3], args[4], args[5], call->number);
    if (result.status != FTL_ERR_MISSING_RIGHT) {
        printf("%s, argument %u, without right %#x:\n", call->name, argument, right);
    }
    CHECK_EQUAL(result.status, FTL_ERR_MISSING_RIGHT);
    CHECK_OK(ftl_handle_close(handle)); /* it is as it was */
    combinations++;
}

int main(void)
{
    for (unsigned type = 0; type < TYPE_COUNT; type++) {
        objects[type] = make_object(type);
        CHECK(objects[type] != FTL_HANDLE_INVALID);
    }
    for (size_t i = 0; i < CALLS && check_failures() == 0; i++) {
        const struct call_description *call = &call_descriptions[i];
        for (unsigned j = 0; j < call->count; j++) {
            for (ftl_rights_t right = 1; right <= FTL_RIGHTS_ALL; right <<= 1) {
                if ((call->args[j].rights & right) != 0) {
                    try_without(call, j, right);
                }
            }
        }
    }
    printf("%lu combinations of a call and a missing right, %lu failures\n", combinations,
           check_failures());
    return check_failures() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
