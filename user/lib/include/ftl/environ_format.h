/*
 * Layout of the environment blob that a process finds at its start (a0 = address, a1 = size).
 * Written by whoever starts the process (for the first process: the kernel); read by the process's
 * own start-up code. The kernel passes it on without looking inside. All offsets are from the start
 * of the blob; all strings end in NUL.
 */
#ifndef FTL_ENVIRON_FORMAT_H
#define FTL_ENVIRON_FORMAT_H

#include <ftl/types.h>

#define FTL_ENVIRON_MAGIC   0x454c5446u /* "FTLE" */
#define FTL_ENVIRON_VERSION 1u
#define FTL_ENVIRON_MAX     16384u /* bytes of a whole blob */

struct ftl_environ_header {
    uint32_t magic;
    uint32_t version;
    uint32_t size;      /* of the whole blob */
    uint32_t arg_count; /* strings at args_offset, one after the other */
    uint32_t args_offset;
    uint32_t var_count; /* NAME=value strings at vars_offset */
    uint32_t vars_offset;
    uint32_t handle_count; /* struct ftl_environ_handle at handles_offset (8-aligned) */
    uint32_t handles_offset;
    uint32_t reserved;
};

struct ftl_environ_handle {
    char name[FTL_NAME_MAX];
    ftl_handle_t handle;
};

#endif
