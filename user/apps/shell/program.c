/*
 * Programs that are files: read into memory, since the kernel takes programs out of VMOs. What such
 * a program may use is what the manifest `program` of the boot image says.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftl/handle.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shell.h"

#define FILE_MAX (256 << 20) /* bytes of a program */
#define MAGIC                                                                                      \
    "\x7f"                                                                                         \
    "ELF"

static bool read_whole(int file, char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(file, data + done, size - done);
        if (got <= 0) {
            errno = got == 0 ? EIO : errno;
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

/* Memory for the file's contents, mapped. */
static ftl_status_t make_room(struct shell_image *image, size_t size)
{
    ftl_handle_t vmspace;
    uintptr_t address;
    image->mapped = (size + FTL_PAGE_SIZE - 1) / FTL_PAGE_SIZE * FTL_PAGE_SIZE;
    ftl_status_t status = ftl_vmo_create(size, &image->file.vmo);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_vmspace_self(&vmspace);
    if (status == FTL_OK) {
        status = ftl_vmspace_map(vmspace, image->file.vmo, 0, image->mapped,
                                 FTL_MAP_READ | FTL_MAP_WRITE, 0, &address);
        ftl_handle_close(vmspace);
    }
    if (status != FTL_OK) {
        ftl_handle_close(image->file.vmo);
        return status;
    }
    image->address = address;
    image->file.data = (const void *)address;
    image->file.size = size;
    return FTL_OK;
}

void shell_image_close(struct shell_image *image)
{
    ftl_handle_t vmspace;
    if (ftl_vmspace_self(&vmspace) == FTL_OK) {
        ftl_vmspace_unmap(vmspace, image->address, image->mapped);
        ftl_handle_close(vmspace);
    }
    ftl_handle_close(image->file.vmo);
}

static bool read_image(const char *path, int file, struct shell_image *image)
{
    struct stat info;
    if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0 ||
        info.st_size > FILE_MAX) {
        fprintf(stderr, "shell: %s is no program\n", path);
        return false;
    }
    ftl_status_t status = make_room(image, (size_t)info.st_size);
    if (status != FTL_OK) {
        fprintf(stderr, "shell: cannot read %s: %s\n", path, ftl_strerror(status));
        return false;
    }
    if (!read_whole(file, (char *)image->address, image->file.size)) {
        fprintf(stderr, "shell: cannot read %s: %s\n", path, strerror(errno));
        shell_image_close(image);
        return false;
    }
    return true;
}

bool shell_image_open(const char *path, struct shell_image *image)
{
    *image = (struct shell_image){ .address = 0 };
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        fprintf(stderr, "shell: cannot open %s: %s\n", path, strerror(errno));
        return false;
    }
    bool ok = read_image(path, file, image);
    close(file);
    return ok;
}

bool shell_file_is_program(const char *path)
{
    char start[sizeof(MAGIC) - 1];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool is = file >= 0 && read(file, start, sizeof(start)) == (ssize_t)sizeof(start) &&
              memcmp(start, MAGIC, sizeof(start)) == 0;
    if (file >= 0) {
        close(file);
    }
    return is;
}

bool shell_file_find(const struct shell *shell, const char *name, char *path, size_t size)
{
    const char *directories = shell_variable(shell, "PATH");
    struct stat info;
    if (strchr(name, '/') != NULL) {
        return snprintf(path, size, "%s", name) < (int)size;
    }
    while (directories != NULL && *directories != '\0') {
        size_t length = strcspn(directories, ":");
        int printed = snprintf(path, size, "%.*s/%s", (int)length, directories, name);
        if (printed < (int)size && stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
            return true;
        }
        directories += length;
        directories += *directories == ':';
    }
    return false;
}
