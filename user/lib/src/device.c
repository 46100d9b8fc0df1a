/* What a driver gets of its device: see <ftl/device.h>. init puts it into the environment. */
#include <ftl/device.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECIMAL      10
#define PROPERTY_MAX 48 /* bytes of a variable's name */

static ftl_status_t map(ftl_handle_t vmo, uint64_t *size, uintptr_t *address)
{
    ftl_handle_t vmspace;
    ftl_status_t status = ftl_vmo_size(vmo, size);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_vmspace_self(&vmspace);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_vmspace_map(vmspace, vmo, 0, *size, FTL_MAP_READ | FTL_MAP_WRITE, 0, address);
    ftl_handle_close(vmspace);
    return status;
}

static ftl_status_t take_registers(struct ftl_device *device)
{
    uint64_t size;
    uintptr_t address;
    ftl_handle_t vmo = ftl_environ_take(ftl_environ(), "registers");
    const char *offset = getenv("device.offset");
    const char *bytes = getenv("device.size");
    if (vmo == FTL_HANDLE_INVALID || offset == NULL || bytes == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    ftl_status_t status = map(vmo, &size, &address);
    ftl_handle_close(vmo);
    if (status == FTL_OK) {
        device->registers = (volatile void *)(address + strtoul(offset, NULL, DECIMAL));
        device->registers_size = strtoul(bytes, NULL, DECIMAL);
    }
    return status;
}

static ftl_status_t take_memory(struct ftl_device_memory *memory, const char *name)
{
    uint64_t size;
    uintptr_t address;
    memory->vmo = ftl_environ_take(ftl_environ(), name);
    if (memory->vmo == FTL_HANDLE_INVALID) {
        return FTL_OK;
    }
    ftl_status_t status = map(memory->vmo, &size, &address);
    if (status != FTL_OK) {
        return status;
    }
    memory->data = (char *)address;
    memory->size = size;
    return ftl_vmo_physical_address(memory->vmo, 0, &memory->address);
}

ftl_status_t ftl_environ_take_device(struct ftl_device *device)
{
    static const char *const names[FTL_DEVICE_DMA_MAX] = { "dma0", "dma1" };
    memset(device, 0, sizeof(*device));
    device->node = getenv("device");
    device->compatible = getenv("device.compatible");
    if (device->node == NULL || device->compatible == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    ftl_status_t status = take_registers(device);
    for (size_t i = 0; i < FTL_DEVICE_DMA_MAX && status == FTL_OK; i++) {
        status = take_memory(&device->memory[i], names[i]);
    }
    device->interrupt = ftl_environ_take(ftl_environ(), "interrupt");
    return status;
}

uint32_t ftl_device_property(const char *name, uint32_t otherwise)
{
    char variable[PROPERTY_MAX];
    snprintf(variable, sizeof(variable), "device.%s", name);
    const char *value = getenv(variable);
    return value != NULL ? (uint32_t)strtoul(value, NULL, DECIMAL) : otherwise;
}
