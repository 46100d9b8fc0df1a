/* Types and small macros of the whole kernel. Compiles on the host too. */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ftl/types.h>

typedef uint64_t paddr_t;   /* physical address */
typedef uintptr_t vaddr_t;  /* virtual address, of the kernel or of a process */
typedef ftl_nsec_t nsec_t;  /* monotonic nanoseconds */
typedef uint32_t hart_id_t; /* the hardware's hart number: sparse; see hart_index_t */

#define PAGE_SHIFT 12
#define PAGE_SIZE  ((size_t)1 << PAGE_SHIFT)
#define KIB        ((size_t)1 << 10)
#define MIB        ((size_t)1 << 20)
#define GIB        ((size_t)1 << 30)

#define MAX_HARTS 16 /* usable harts; others that the device tree lists are left alone */

#define ARRAY_SIZE(array)                   (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

/* Powers of two only. */
#define ALIGN_DOWN(value, align) ((value) & ~((align) - 1))
#define ALIGN_UP(value, align)   (((value) + (align) - 1) & ~((align) - 1))
#define IS_ALIGNED(value, align) (((value) & ((align) - 1)) == 0)

#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#endif
