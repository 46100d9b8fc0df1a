/*
 * Anonymous memory: each mapping is a VMO of its own, whose handle is closed at once, so that it
 * lives as long as it is mapped. Pages cost memory from their first touch on. What files' mappings
 * are is in file_map.c.
 */
#include "posix.h"

#include <errno.h>
#include <ftl/handle.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <string.h>
#include <sys/mman.h>

#include "descriptor.h"
#include "file_map.h"

/* Programs with files have these. */
#pragma weak file_map_forget
#pragma weak file_map_is_mapped
#pragma weak file_map_sync

#define PAGE_MASK  ((size_t)FTL_PAGE_SIZE - 1)
#define ALL_ACCESS (FTL_MAP_READ | FTL_MAP_WRITE)

/*
 * The process's own vmspace: asked for once, kept. FTL_HANDLE_INVALID when the kernel gives none.
 */
ftl_handle_t posix_vmspace(void)
{
    static ftl_handle_t vmspace;
    ftl_handle_t known = __atomic_load_n(&vmspace, __ATOMIC_RELAXED);
    ftl_handle_t mine;

    if (known != FTL_HANDLE_INVALID || ftl_vmspace_self(&mine) != FTL_OK) {
        return known;
    }
    if (!__atomic_compare_exchange_n(&vmspace, &known, mine, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED)) {
        ftl_handle_close(mine);
        return known;
    }
    return mine;
}

static uint32_t permissions_of(int protection)
{
    uint32_t permissions = 0;
    if ((protection & (PROT_READ | PROT_WRITE)) != 0) {
        permissions |= FTL_MAP_READ;
    }
    if ((protection & PROT_WRITE) != 0) {
        permissions |= FTL_MAP_WRITE;
    }
    return permissions;
}

/* Rounds up to whole pages; 0 when that overflows (or for 0). */
static size_t whole_pages(size_t size)
{
    return (size + PAGE_MASK) & ~PAGE_MASK;
}

static ftl_status_t unmap(uintptr_t address, size_t size)
{
    if (file_map_forget != NULL) {
        file_map_forget(address, size);
    }
    return ftl_vmspace_unmap(posix_vmspace(), address, size);
}

long posix_map_vmo(ftl_handle_t vmo, uint64_t offset, size_t size, uintptr_t *address)
{
    return posix_error(
        ftl_vmspace_map(posix_vmspace(), vmo, offset, size, ALL_ACCESS, *address, address));
}

static long map_anonymous(uintptr_t *address, size_t size)
{
    ftl_handle_t vmo;
    if (ftl_vmo_create(size, &vmo) != FTL_OK) {
        return -ENOMEM; /* or more than there could ever be */
    }
    long error = posix_map_vmo(vmo, 0, size, address);
    ftl_handle_close(vmo);
    return error;
}

static long map_descriptor(int fd, uintptr_t *address, size_t size, const struct file_mapping *how)
{
    struct description *description = descriptor_get(fd);
    long error = -ENODEV;
    if (description == NULL) {
        return -EBADF;
    }
    if (description->operations->map != NULL) {
        error = description->operations->map(description, address, size, how);
    }
    description_drop(description);
    return error;
}

/*
 * All memory is mapped readable and writable and then restricted, since a mapping can never be
 * given more than it had at first.
 */
long sys_mmap(uintptr_t address, size_t size, int protection, int flags, int fd, off_t offset)
{
    const struct file_mapping how = { protection, flags, offset };
    bool fixed = (flags & MAP_FIXED) != 0;
    uintptr_t mapped = fixed ? address : 0;

    size = whole_pages(size);
    if (size == 0 || (fixed && (address & PAGE_MASK) != 0)) {
        return -EINVAL;
    }
    if ((protection & PROT_EXEC) != 0) {
        return -EACCES;
    }
    if (fixed) {
        ftl_status_t status = unmap(address, size);
        if (status != FTL_OK) {
            return posix_error(status);
        }
    }
    long failed = (flags & MAP_ANONYMOUS) != 0 ? map_anonymous(&mapped, size)
                                               : map_descriptor(fd, &mapped, size, &how);
    if (failed != 0) {
        return failed;
    }
    if (permissions_of(protection) != ALL_ACCESS) {
        long error = sys_mprotect(mapped, size, protection);
        if (error != 0) {
            unmap(mapped, size);
            return error;
        }
    }
    return (long)mapped;
}

long sys_munmap(uintptr_t address, size_t size)
{
    return posix_error(unmap(address, whole_pages(size)));
}

/* Anonymous memory is always in step with itself. */
long sys_msync(uintptr_t address, size_t size, int flags)
{
    const int both = MS_SYNC | MS_ASYNC;
    if ((address & PAGE_MASK) != 0 || (flags & ~(both | MS_INVALIDATE)) != 0 ||
        (flags & both) == both) {
        return -EINVAL;
    }
    return file_map_sync != NULL ? file_map_sync(address, whole_pages(size), flags) : 0;
}

long sys_mprotect(uintptr_t address, size_t size, int protection)
{
    if ((protection & PROT_EXEC) != 0) {
        return -EACCES;
    }
    return posix_error(ftl_vmspace_protect(posix_vmspace(), address, whole_pages(size),
                                           permissions_of(protection)));
}

/* Growing always moves: the bytes are copied. */
long sys_mremap(uintptr_t address, size_t old_size, size_t new_size, int flags)
{
    old_size = whole_pages(old_size);
    new_size = whole_pages(new_size);
    if (new_size == 0 || (flags & ~MREMAP_MAYMOVE) != 0) {
        return -EINVAL;
    }
    if (new_size < old_size) {
        long error = sys_munmap(address + new_size, old_size - new_size);
        return error != 0 ? error : (long)address;
    }
    if (new_size == old_size) {
        return (long)address;
    }
    if ((flags & MREMAP_MAYMOVE) == 0 ||
        (file_map_is_mapped != NULL && file_map_is_mapped(address, old_size))) {
        return -ENOMEM;
    }
    uintptr_t moved = 0;
    long error = map_anonymous(&moved, new_size);
    if (error != 0) {
        return error;
    }
    memcpy((void *)moved, (const void *)address, old_size);
    sys_munmap(address, old_size);
    return (long)moved;
}

/* Advice that may be ignored is; advice that promises something is refused. */
long sys_madvise(uintptr_t address, size_t size, int advice)
{
    (void)address;
    (void)size;
    switch (advice) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_FREE: return 0;
    default: return -EINVAL;
    }
}
