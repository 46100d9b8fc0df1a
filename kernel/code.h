/*
 * Code objects: verified code of a sandboxed program, which never changes any more. It is verified
 * once, when it is made, and can then be mapped for any number of processes.
 */
#ifndef KERNEL_CODE_H
#define KERNEL_CODE_H

#include <ftl/status.h>

#include "kernel/image.h"
#include "kernel/object.h"
#include "mm/account.h"

struct process;

struct code {
    struct object object; /* first */
    struct vmo *vmo;      /* a reference; nobody else gets one, but by mappings */
    uint64_t size;        /* bytes, whole pages; it lies at FTL_GATE_SIZE in the image */
    uint64_t image_size;  /* the verifier has been told: bytes, whole pages */
    struct account *account;
};

/* Boot: sets up the cache of code objects, and the gate page that comes with each. */
void code_init(void);

/*
 * Copies the code out of the file and verifies the copy; one reference. NULL with *status set:
 * INVALID_ARGUMENT (the layout), OUT_OF_RANGE (of the VMO), NOT_VERIFIED (the log says why),
 * NO_MEMORY, LIMIT. The account is that of the caller, or of the first process.
 */
struct code *code_create(const struct image_file *file, const struct ftl_code_layout *layout,
                         struct account *account, ftl_status_t *status);

/*
 * Maps gate and code of an image at `base` in the vmspace of a process which is held, to go with
 * the process. Errors: as vmspace_map(); NOT_SUPPORTED in user vmspaces.
 */
ftl_status_t code_map(struct code *code, struct process *process, vaddr_t base);

void code_destroy(struct object *object);

#endif
