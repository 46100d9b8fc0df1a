/*
 * Anonymous memory: each mapping is a VMO of its own, whose handle is closed at once, so that it
 * lives as long as it is mapped. Pages cost memory from their first touch on.
 */
#include "posix.h"

#include <errno.h>
#include <ftl/handle.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <string.h>
#include <sys/mman.h>

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

static ftl_status_t map_anonymous(uintptr_t *address, size_t size)
{
    ftl_handle_t vmo;
    ftl_status_t status = ftl_vmo_create(size, &vmo);
    if (status != FTL_OK) {
        return FTL_ERR_NO_MEMORY; /* or more than there could ever be */
    }
    status = ftl_vmspace_map(posix_vmspace(), vmo, 0, size, ALL_ACCESS, *address, address);
    ftl_handle_close(vmo);
    return status;
}

/*
 * All memory is mapped readable and writable and then restricted, since a mapping can never be
 * given more than it had at first.
 */
long sys_mmap(uintptr_t address, size_t size, int protection, int flags, int fd)
{
    bool fixed = (flags & MAP_FIXED) != 0;
    uintptr_t mapped = fixed ? address : 0;
    ftl_status_t status;

    size = whole_pages(size);
    if (size == 0 || (fixed && (address & PAGE_MASK) != 0)) {
        return -EINVAL;
    }
    if ((flags & MAP_ANONYMOUS) == 0) {
        return fd < 0 ? -EBADF : -ENODEV;
    }
    if ((protection & PROT_EXEC) != 0) {
        return -EACCES;
    }
    if (fixed) {
        status = ftl_vmspace_unmap(posix_vmspace(), address, size);
        if (status != FTL_OK) {
            return posix_error(status);
        }
    }
    status = map_anonymous(&mapped, size);
    if (status != FTL_OK) {
        return posix_error(status);
    }
    if (permissions_of(protection) != ALL_ACCESS) {
        long error = sys_mprotect(mapped, size, protection);
        if (error != 0) {
            ftl_vmspace_unmap(posix_vmspace(), mapped, size);
            return error;
        }
    }
    return (long)mapped;
}

long sys_munmap(uintptr_t address, size_t size)
{
    return posix_error(ftl_vmspace_unmap(posix_vmspace(), address, whole_pages(size)));
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
    if ((flags & MREMAP_MAYMOVE) == 0) {
        return -ENOMEM;
    }
    uintptr_t moved = 0;
    ftl_status_t status = map_anonymous(&moved, new_size);
    if (status != FTL_OK) {
        return posix_error(status);
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
