/*
 * Devices and their drivers: see devices.h. The tree is read when somebody first needs a device, so
 * that a boot does not pay for it. A driver is chosen by the best of a node's `compatible` strings
 * for which there is one; behind a virtio transport also by the kind of device that is there.
 */
#include "devices.h"

#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/interrupt.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "virtio_slot.h"

#define PAGE_MASK     ((uint64_t)FTL_PAGE_SIZE - 1)
#define DRIVERS_MAX   32
#define DEVICES_MAX   256
#define NO_DRIVER     SIZE_MAX
#define REGISTERS_MAX (UINT64_C(1) << 20) /* bytes: no device of ours has more */

/* ---- Registers ---- */

static uint64_t first_page(const struct device *device)
{
    return device->node.base & ~PAGE_MASK;
}

/* Bytes of the pages in which the registers lie. */
static uint64_t pages_size(const struct device *device)
{
    uint64_t end = (device->node.base + device->node.size + PAGE_MASK) & ~PAGE_MASK;
    return end - first_page(device);
}

/* The pages of the device's registers, all of them and no others. */
static ftl_status_t registers_of(const struct device *device, ftl_handle_t *vmo)
{
    return ftl_vmo_create_physical(device->init->system, first_page(device), pages_size(device),
                                   vmo);
}

bool device_is_kernels(const struct device *device)
{
    ftl_handle_t vmo;
    ftl_status_t status = registers_of(device, &vmo);
    if (status == FTL_OK) {
        ftl_handle_close(vmo);
    }
    return status == FTL_ERR_MISSING_RIGHT;
}

/* Calls `visit` with the registers mapped for init. */
static ftl_status_t with_registers(struct device *device,
                                   void (*visit)(struct device *device,
                                                 volatile uint32_t *registers))
{
    ftl_handle_t vmo;
    ftl_handle_t vmspace;
    uintptr_t address;
    ftl_status_t status = registers_of(device, &vmo);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_vmspace_self(&vmspace);
    if (status != FTL_OK) {
        goto close_vmo;
    }
    status = ftl_vmspace_map(vmspace, vmo, 0, pages_size(device), FTL_MAP_READ | FTL_MAP_WRITE, 0,
                             &address);
    if (status == FTL_OK) {
        visit(device, (volatile uint32_t *)(address + (device->node.base & PAGE_MASK)));
        ftl_vmspace_unmap(vmspace, address, pages_size(device));
    }
    ftl_handle_close(vmspace);
close_vmo:
    ftl_handle_close(vmo);
    return status;
}

/* ---- What there is ---- */

struct driver_list {
    struct ftl_driver drivers[DRIVERS_MAX];
    size_t count;
};

static void list_drivers(const struct init *init, struct driver_list *list)
{
    size_t position = 0;
    list->count = 0;
    while (list->count < DRIVERS_MAX &&
           ftl_app_next_driver(&init->image, &position, &list->drivers[list->count]) == FTL_OK) {
        list->count++;
    }
}

static void identify(struct device *device, volatile uint32_t *registers)
{
    device->virtio_id = virtio_slot_id(registers);
}

/* The driver whose `compatible` comes first in the node's. */
static size_t find_driver(const struct device *device, const struct driver_list *list)
{
    size_t best = NO_DRIVER;
    size_t best_rank = SIZE_MAX;
    for (size_t i = 0; i < list->count; i++) {
        size_t rank;
        if (list->drivers[i].id == device->virtio_id &&
            devicetree_is_compatible(&device->node, list->drivers[i].compatible, &rank) &&
            rank < best_rank) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

/* Whether another device's registers lie in the same pages: who has the one has the other. */
static bool shares_pages(const struct init *init, const struct device *device)
{
    for (size_t i = 0; i < init->device_count; i++) {
        const struct device *other = &init->devices[i];
        if (other != device && first_page(other) < first_page(device) + pages_size(device) &&
            first_page(device) < first_page(other) + pages_size(other)) {
            return true;
        }
    }
    return false;
}

/* With a driver or, for people to see, without. */
static void match(struct device *device, const struct driver_list *list)
{
    struct init *init = device->init;
    size_t rank;
    device->is_virtio = devicetree_is_compatible(&device->node, VIRTIO_SLOT_COMPATIBLE, &rank);
    if (device->is_virtio && with_registers(device, identify) != FTL_OK) {
        return;
    }
    size_t index = find_driver(device, list);
    if (index == NO_DRIVER || device_is_kernels(device)) {
        return;
    }
    const struct ftl_driver *driver = &list->drivers[index];
    if (shares_pages(init, device)) {
        printf("init: %s: no driver, as another device's registers lie in the same page\n",
               device->node.path);
        return;
    }
    service_init(&device->service, init, driver->app, driver->protocol);
    device->service.device = device;
    device->service.at_boot = driver->at_boot;
}

/* Numbers of devices of a kind are by address, whatever the order of the tree. */
static int by_address(const void *left, const void *right)
{
    const struct device *a = left;
    const struct device *b = right;
    return (a->node.base > b->node.base) - (a->node.base < b->node.base);
}

/* Maps the device tree, for good. NULL: there is none. */
static const void *map_tree(size_t *size)
{
    ftl_handle_t vmspace;
    uint64_t bytes;
    uintptr_t address = 0;
    ftl_handle_t vmo = ftl_environ_find(ftl_environ(), "devicetree");
    if (ftl_vmo_size(vmo, &bytes) != FTL_OK || ftl_vmspace_self(&vmspace) != FTL_OK) {
        return NULL;
    }
    ftl_status_t status = ftl_vmspace_map(vmspace, vmo, 0, bytes, FTL_MAP_READ, 0, &address);
    ftl_handle_close(vmspace);
    *size = bytes;
    return status == FTL_OK ? (const void *)address : NULL;
}

/* Adds the devices of the tree, all that have registers. */
static void read_tree(struct init *init, struct devicetree *tree)
{
    struct devicetree_node node;
    while (devicetree_next(tree, &node)) {
        if (node.size == 0) {
            continue;
        }
        if (init->device_count == DEVICES_MAX) {
            printf("init: more than %d devices: %s and others are ignored\n", DEVICES_MAX,
                   node.path);
            return;
        }
        struct device *devices =
            realloc(init->devices, (init->device_count + 1) * sizeof(devices[0]));
        if (devices == NULL) {
            return;
        }
        init->devices = devices;
        init->devices[init->device_count++] = (struct device){ .init = init, .node = node };
    }
}

void devices_find(struct init *init)
{
    struct devicetree tree;
    struct driver_list list;
    size_t size = 0;
    if (init->devices_found) {
        return;
    }
    init->devices_found = true;
    init->tree = map_tree(&size);
    if (init->tree == NULL || devicetree_open(&tree, init->tree, size) != FTL_OK) {
        printf("init: no device tree: no devices\n");
        return;
    }
    read_tree(init, &tree);
    qsort(init->devices, init->device_count, sizeof(init->devices[0]), by_address);
    list_drivers(init, &list);
    for (size_t i = 0; i < init->device_count; i++) {
        match(&init->devices[i], &list); /* from here on they stay where they are */
    }
    fflush(stdout);
}

void devices_start(struct init *init)
{
    devices_find(init);
    for (size_t i = 0; i < init->device_count; i++) {
        struct service *service = &init->devices[i].service;
        if (service->at_boot && service->state == SERVICE_NOT_STARTED) {
            service_start(service);
        }
    }
}

struct service *devices_service(struct init *init, const char *protocol, size_t index)
{
    devices_find(init);
    for (size_t i = 0; i < init->device_count; i++) {
        struct service *service = &init->devices[i].service;
        if (service->app[0] != '\0' && strcmp(service->protocols, protocol) == 0 && index-- == 0) {
            return service;
        }
    }
    return NULL;
}

/* ---- What a driver gets ---- */

static void add_handle(struct device_grants *grants, const char *name, ftl_handle_t handle,
                       ftl_rights_t rights)
{
    grants->handles[grants->handle_count++] =
        (struct ftl_spawn_handle){ .name = name, .handle = handle, .rights = rights };
}

/* A variable, as a name with a value, for the driver's environment. */
static __attribute__((format(printf, 2, 3))) void add_var(struct device_grants *grants,
                                                          const char *format, ...)
{
    va_list arguments;
    char *text = grants->text[grants->var_count];
    va_start(arguments, format);
    vsnprintf(text, DEVICE_VAR_MAX, format, arguments);
    va_end(arguments);
    grants->vars[grants->var_count++] = text;
}

/* Says where in the pages the registers are, and what drivers want to know of the node. */
static void add_vars(const struct device *device, struct device_grants *grants)
{
    static const char *const properties[] = { "reg-shift", "reg-io-width", "clock-frequency",
                                              "current-speed" };
    add_var(grants, "device=%s", device->node.path);
    add_var(grants, "device.compatible=%s", device->node.compatible);
    add_var(grants, "device.offset=%" PRIu64, device->node.base & PAGE_MASK);
    add_var(grants, "device.size=%" PRIu64, device->node.size);
    for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
        uint32_t value;
        if (devicetree_cell(device->init->tree, &device->node, properties[i], &value)) {
            add_var(grants, "device.%s=%" PRIu32, properties[i], value);
        }
    }
}

static ftl_status_t add_registers(struct device *device, struct device_grants *grants)
{
    ftl_handle_t registers;
    if (device->node.size > REGISTERS_MAX) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    ftl_status_t status = registers_of(device, &registers);
    if (status == FTL_OK) {
        add_handle(grants, "registers", registers,
                   FTL_RIGHT_READ | FTL_RIGHT_WRITE | FTL_RIGHT_MAP | FTL_RIGHT_TRANSFER);
    }
    return status;
}

static ftl_status_t add_interrupt(struct device *device, struct device_grants *grants)
{
    ftl_handle_t interrupt;
    if (device->node.interrupt == 0) {
        return FTL_OK;
    }
    ftl_status_t status =
        ftl_interrupt_create(device->init->system, device->node.interrupt, &interrupt);
    if (status == FTL_OK) {
        add_handle(grants, "interrupt", interrupt, FTL_RIGHTS_SAME);
    }
    return status;
}

/* Memory for the device, of which init keeps a handle: nobody else can have it while it may be
 * accessed. */
static ftl_status_t add_memory(struct device *device, const struct ftl_app *app,
                               struct device_grants *grants)
{
    static const char *const names[FTL_APP_DMA_MAX] = { "dma0", "dma1" };
    if (app->dma_count != 0 && !device->is_virtio) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    for (uint32_t i = 0; i < app->dma_count && i < FTL_APP_DMA_MAX; i++) {
        ftl_status_t status = ftl_vmo_create_contiguous(app->dma[i], &device->dma[i]);
        if (status != FTL_OK) {
            return status;
        }
        add_handle(grants, names[i], device->dma[i], FTL_RIGHTS_SAME);
    }
    return FTL_OK;
}

ftl_status_t device_give(struct device *device, const struct ftl_app *app,
                         struct device_grants *grants)
{
    grants->handle_count = 0;
    grants->var_count = 0;
    if (device->dma[0] != FTL_HANDLE_INVALID) { /* of one that was killed before it was watched */
        device_stop(device);
    }
    add_vars(device, grants);
    ftl_status_t status = add_registers(device, grants);
    if (status == FTL_OK) {
        status = add_interrupt(device, grants);
    }
    if (status == FTL_OK) {
        status = add_memory(device, app, grants);
    }
    return status;
}

void device_given(struct device_grants *grants)
{
    for (size_t i = 0; i < grants->handle_count; i++) {
        if (strncmp(grants->handles[i].name, "dma", strlen("dma")) != 0) {
            ftl_handle_close(grants->handles[i].handle);
        }
    }
    grants->handle_count = 0;
}

/* ---- When it has ended ---- */

static void reset(struct device *device, volatile uint32_t *registers)
{
    device->stopped = virtio_slot_reset(registers);
}

void device_stop(struct device *device)
{
    device->stopped = !device->is_virtio;
    if (device->is_virtio) {
        with_registers(device, reset);
    }
    if (!device->stopped) {
        printf("init: %s does not stop: its memory is lost\n", device->node.path);
    }
    for (size_t i = 0; i < FTL_APP_DMA_MAX; i++) {
        if (device->stopped) {
            ftl_ipc_drop(&device->dma[i]);
        }
        device->dma[i] = FTL_HANDLE_INVALID; /* what cannot be freed stays with a handle of ours */
    }
}
