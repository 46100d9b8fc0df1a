/* Programs that are files: see spawn_file.h. The file is read into memory of our own, which cannot
 * change while the program is opened and verified. */
#include "spawn_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftl/handle.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <unistd.h>

#include "posix.h"

#define PROGRAM_MAX ((long)256 << 20) /* bytes */

static size_t mapped_size(const struct spawn_file *file)
{
    return (file->file.size + FTL_PAGE_SIZE - 1) / FTL_PAGE_SIZE * FTL_PAGE_SIZE;
}

static long read_whole(int fd, char *buffer, size_t size)
{
    size_t at = 0;
    long got = 1;
    while (at < size && (got = sys_read(fd, buffer + at, size - at)) > 0) {
        at += (size_t)got;
    }
    return got < 0 ? got : at == size ? 0 : -EIO;
}

/* Makes memory of the file's size, and reads it into that. */
static long load(struct spawn_file *file, int fd)
{
    long size = sys_lseek(fd, 0, SEEK_END);
    if (size <= 0 || size > PROGRAM_MAX || sys_lseek(fd, 0, SEEK_SET) != 0) {
        return -ENOEXEC;
    }
    file->file.size = (size_t)size;
    ftl_status_t status = ftl_vmo_create(file->file.size, &file->file.vmo);
    if (status == FTL_OK) {
        status = ftl_vmspace_map(posix_vmspace(), file->file.vmo, 0, mapped_size(file),
                                 FTL_MAP_READ | FTL_MAP_WRITE, 0, &file->address);
    }
    if (status != FTL_OK) {
        return posix_error(status);
    }
    file->file.data = (const void *)file->address;
    return read_whole(fd, (char *)file->address, file->file.size);
}

/* What it is for is seen by trying. */
static long find_isolation(struct spawn_file *file)
{
    static const ftl_isolation_t isolations[] = { FTL_ISOLATION_SANDBOX, FTL_ISOLATION_USER };
    for (size_t i = 0; i < sizeof(isolations) / sizeof(isolations[0]); i++) {
        if (ftl_program_is_for(&file->file, isolations[i])) {
            file->isolation = isolations[i];
            return 0;
        }
    }
    return -ENOEXEC;
}

long spawn_file_open(struct spawn_file *file, const char *path)
{
    *file = (struct spawn_file){ 0 };
    long fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        return fd == -ENOSYS ? -ENOENT : fd;
    }
    long error = load(file, (int)fd);
    sys_close((int)fd);
    if (error == 0) {
        error = find_isolation(file);
    }
    if (error != 0) {
        spawn_file_close(file);
    }
    return error;
}

void spawn_file_close(struct spawn_file *file)
{
    if (file->address != 0) {
        ftl_vmspace_unmap(posix_vmspace(), file->address, mapped_size(file));
    }
    if (file->file.vmo != FTL_HANDLE_INVALID) {
        ftl_handle_close(file->file.vmo);
    }
    *file = (struct spawn_file){ 0 };
}
