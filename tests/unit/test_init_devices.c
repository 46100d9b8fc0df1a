/*
 * user/apps/init/devices.c: which driver gets which device of QEMU's machine, what it gets of it,
 * and that memory which the device may access is not given up before it has stopped. The system is
 * a fake that counts handles; two virtio transports have a disk behind them.
 */
#include "host/test.h"

#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/interrupt.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <libfdt.h>
#include <stdio.h>

#include "user/apps/init/devices.h"
#include "user/apps/init/virtio_slot.h"

#define HANDLES    100u
#define TREE       ((ftl_handle_t)90)
#define DISK_ID    2u
#define FIRST_DISK UINT64_C(0x10002000)
#define LAST_DISK  UINT64_C(0x10008000)
#define RTC        UINT64_C(0x101000)
#define TREE_MAX   1048576u

static struct {
    bool open[HANDLES];
    uint64_t address[HANDLES]; /* of registers */
    uint64_t size[HANDLES];
    uint32_t source;     /* of the interrupt made last */
    ftl_handle_t mapped; /* whose registers init looks at */
    bool refuses_to_stop;
    unsigned resets;
    size_t open_at_reset; /* handles */
    unsigned started;
    ftl_status_t contiguous;
} fake;

static char tree[TREE_MAX] __attribute__((aligned(8)));
static volatile uint32_t registers[1024];
static struct init init;

static ftl_handle_t make_handle(void)
{
    ftl_handle_t handle = 1;
    while (fake.open[handle]) {
        handle++;
    }
    assert_true(handle < TREE);
    fake.open[handle] = true;
    return handle;
}

static size_t open_handles(void)
{
    size_t count = 0;
    for (size_t i = 0; i < HANDLES; i++) {
        count += fake.open[i];
    }
    return count;
}

/* ---- The system ---- */

ftl_status_t ftl_handle_close(ftl_handle_t handle)
{
    assert_true(fake.open[handle]);
    fake.open[handle] = false;
    return FTL_OK;
}

void ftl_ipc_drop(ftl_handle_t *handle)
{
    if (*handle != FTL_HANDLE_INVALID) {
        ftl_handle_close(*handle);
        *handle = FTL_HANDLE_INVALID;
    }
}

struct ftl_environ *ftl_environ(void)
{
    return NULL;
}

ftl_handle_t ftl_environ_find(const struct ftl_environ *env, const char *name)
{
    (void)env;
    assert_string_equal(name, "devicetree");
    return TREE;
}

ftl_status_t ftl_vmo_size(ftl_handle_t vmo, uint64_t *size)
{
    assert_int_equal(vmo, TREE);
    *size = sizeof(tree);
    return FTL_OK;
}

ftl_status_t ftl_vmspace_self(ftl_handle_t *vmspace)
{
    *vmspace = make_handle();
    return FTL_OK;
}

ftl_status_t ftl_vmspace_map(ftl_handle_t vmspace, ftl_handle_t vmo, uint64_t offset, uint64_t size,
                             uint32_t permissions, uintptr_t address, uintptr_t *mapped)
{
    (void)permissions;
    assert_true(fake.open[vmspace]);
    assert_int_equal(offset, 0);
    assert_int_equal(address, 0);
    if (vmo == TREE) {
        assert_int_equal(size, sizeof(tree));
        *mapped = (uintptr_t)tree;
    } else {
        assert_int_equal(size, fake.size[vmo]);
        fake.mapped = vmo;
        *mapped = (uintptr_t)registers;
    }
    return FTL_OK;
}

ftl_status_t ftl_vmspace_unmap(ftl_handle_t vmspace, uintptr_t address, size_t size)
{
    assert_true(fake.open[vmspace]);
    assert_int_equal(address, (uintptr_t)registers);
    assert_int_equal(size, fake.size[fake.mapped]);
    return FTL_OK;
}

ftl_status_t ftl_vmo_create_physical(ftl_handle_t system, uint64_t address, uint64_t size,
                                     ftl_handle_t *vmo)
{
    (void)system;
    if (address == UINT64_C(0x10000000)) { /* the kernel's serial port */
        return FTL_ERR_MISSING_RIGHT;
    }
    *vmo = make_handle();
    fake.address[*vmo] = address;
    fake.size[*vmo] = size;
    return FTL_OK;
}

ftl_status_t ftl_vmo_create_contiguous(uint64_t size, ftl_handle_t *vmo)
{
    if (fake.contiguous == FTL_OK) {
        *vmo = make_handle();
        fake.size[*vmo] = size;
    }
    return fake.contiguous;
}

ftl_status_t ftl_interrupt_create(ftl_handle_t system, uint32_t source, ftl_handle_t *interrupt)
{
    (void)system;
    fake.source = source;
    *interrupt = make_handle();
    return FTL_OK;
}

ftl_status_t ftl_app_next_driver(const struct ftl_bootimage *image, size_t *position,
                                 struct ftl_driver *driver)
{
    static const struct ftl_driver drivers[] = {
        { "disk", "block", "virtio,mmio", DISK_ID, false },
        { "net", "nic", "virtio,mmio", 1, false },
        { "clock", "clock", "google,goldfish-rtc", 0, true },
        { "worse", "power", "syscon", 0, false },
        { "better", "power", "sifive,test0", 0, false },
        { "uart", "terminal", "ns16550a", 0, false },
    };
    (void)image;
    if (*position == sizeof(drivers) / sizeof(drivers[0])) {
        return FTL_ERR_NOT_FOUND;
    }
    *driver = drivers[(*position)++];
    return FTL_OK;
}

uint32_t virtio_slot_id(const volatile uint32_t *at)
{
    uint64_t address = fake.address[fake.mapped];
    assert_ptr_equal(at, registers);
    return address == FIRST_DISK || address == LAST_DISK ? DISK_ID : 0;
}

bool virtio_slot_reset(volatile uint32_t *at)
{
    assert_ptr_equal(at, registers);
    fake.resets++;
    fake.open_at_reset = open_handles();
    return !fake.refuses_to_stop;
}

void service_init(struct service *service, struct init *owner, const char *app,
                  const char *protocols)
{
    memset(service, 0, sizeof(*service));
    strcpy(service->app, app);
    strcpy(service->protocols, protocols);
    service->init = owner;
}

void service_start(struct service *service)
{
    assert_string_equal(service->app, "clock");
    service->state = SERVICE_RUNNING;
    fake.started++;
}

/* ---- Tests ---- */

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    memset(&init, 0, sizeof(init));
    FILE *file = fopen(DTB_DIR "/virt-4.dtb", "rb");
    if (file == NULL) {
        fail_msg("no device tree in %s", DTB_DIR);
        abort();
    }
    assert_true(fread(tree, 1, sizeof(tree), file) > sizeof(struct fdt_header));
    fclose(file);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(init.devices);
    return 0;
}

static uint64_t base_of(const struct service *service)
{
    assert_non_null(service);
    return service->device->node.base;
}

static void drivers_are_for_devices_that_are_there(void **state)
{
    (void)state;
    assert_true(base_of(devices_service(&init, "block", 0)) == FIRST_DISK);
    assert_true(base_of(devices_service(&init, "block", 1)) == LAST_DISK);
    assert_null(devices_service(&init, "block", 2));
    assert_null(devices_service(&init, "nic", 0)); /* no transport has one */
    assert_true(base_of(devices_service(&init, "clock", 0)) == RTC);
    assert_string_equal(devices_service(&init, "power", 0)->app, "better");
    assert_null(devices_service(&init, "power", 1));
    assert_null(devices_service(&init, "terminal", 0)); /* it is the kernel's console */
    assert_int_equal(open_handles(), 0);
    devices_start(&init);
    devices_start(&init);
    assert_int_equal(fake.started, 1);
}

static void the_kernels_own_devices_are_known(void **state)
{
    (void)state;
    devices_find(&init);
    size_t count = 0;
    for (size_t i = 0; i < init.device_count; i++) {
        if (device_is_kernels(&init.devices[i])) {
            assert_true(init.devices[i].node.base == UINT64_C(0x10000000));
            count++;
        }
    }
    assert_int_equal(count, 1);
    assert_int_equal(open_handles(), 0);
}

static const struct ftl_app disk_app = { .driver = true, .dma_count = 2, .dma = { 16384, 65536 } };

static void a_driver_gets_its_device_and_no_more(void **state)
{
    struct device_grants grants;
    (void)state;
    struct device *device = devices_service(&init, "block", 1)->device;
    assert_int_equal(device_give(device, &disk_app, &grants), FTL_OK);
    static const char *const names[] = { "registers", "interrupt", "dma0", "dma1" };
    assert_int_equal(grants.handle_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(grants.handles[i].name, names[i]);
    }
    ftl_handle_t vmo = grants.handles[0].handle;
    assert_true(fake.address[vmo] == LAST_DISK && fake.size[vmo] == 0x1000);
    assert_int_equal(grants.handles[0].rights & FTL_RIGHT_MANAGE, 0);
    assert_int_equal(fake.source, 8);
    assert_true(fake.size[device->dma[0]] == 16384 && fake.size[device->dma[1]] == 65536);
    assert_string_equal(grants.vars[0], "device=/soc/virtio_mmio@10008000");
    assert_string_equal(grants.vars[2], "device.offset=0");
    assert_string_equal(grants.vars[3], "device.size=4096");
    device_given(&grants);
    assert_int_equal(open_handles(), 2); /* init keeps the memory alone */
    device_stop(device);
    assert_int_equal(open_handles(), 0);
}

/* The handles are open while the device is being reset; only then they are closed. */
static void memory_is_given_up_after_the_reset(void **state)
{
    struct device_grants grants;
    (void)state;
    struct device *device = devices_service(&init, "block", 0)->device;
    assert_int_equal(device_give(device, &disk_app, &grants), FTL_OK);
    device_given(&grants);
    device_stop(device);
    assert_int_equal(fake.resets, 1);
    assert_int_equal(fake.open_at_reset, 2 + 2); /* besides, the registers' and the vmspace's */
    assert_int_equal(open_handles(), 0);
}

static void a_device_that_does_not_stop_keeps_its_memory(void **state)
{
    struct device_grants grants;
    (void)state;
    struct device *device = devices_service(&init, "block", 0)->device;
    assert_int_equal(device_give(device, &disk_app, &grants), FTL_OK);
    device_given(&grants);
    fake.refuses_to_stop = true;
    device_stop(device);
    assert_int_equal(open_handles(), 2);
    fake.refuses_to_stop = false;
    assert_int_equal(device_give(device, &disk_app, &grants), FTL_OK);
    device_given(&grants);
    device_stop(device);
    assert_int_equal(open_handles(), 2); /* the former, for ever */
}

static void memory_is_for_devices_that_can_be_stopped(void **state)
{
    struct device_grants grants;
    (void)state;
    struct device *device = devices_service(&init, "clock", 0)->device;
    assert_int_equal(device_give(device, &disk_app, &grants), FTL_ERR_NOT_SUPPORTED);
    device_given(&grants);
    device_stop(device);
    assert_int_equal(fake.resets, 0);
    assert_int_equal(open_handles(), 0);
}

static void what_was_given_in_part_is_taken_back(void **state)
{
    struct device_grants grants;
    (void)state;
    struct device *device = devices_service(&init, "block", 0)->device;
    fake.contiguous = FTL_ERR_NO_MEMORY;
    assert_int_equal(device_give(device, &disk_app, &grants), FTL_ERR_NO_MEMORY);
    device_given(&grants);
    device_stop(device);
    assert_int_equal(open_handles(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(drivers_are_for_devices_that_are_there),
        TEST(the_kernels_own_devices_are_known),
        TEST(a_driver_gets_its_device_and_no_more),
        TEST(memory_is_given_up_after_the_reset),
        TEST(a_device_that_does_not_stop_keeps_its_memory),
        TEST(memory_is_for_devices_that_can_be_stopped),
        TEST(what_was_given_in_part_is_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
