/*
 * The kernel address sanitizer: in builds with FTL_SANITIZE=address clang has every access of the
 * kernel's C code checked against a shadow of memory, a byte for each 8 (kasan.c), and a bad one is
 * a panic that says what it was. Allocators tell what may be accessed. Else all of this is nothing.
 */
#ifndef KERNEL_KASAN_H
#define KERNEL_KASAN_H

#include "kernel/types.h"

/* Why memory may not be accessed; the shadow's bytes. Below 8: so many bytes may be. */
enum kasan_poison {
    KASAN_STACK_FIRST = 0xf1, /* to 0xf8: beside and in variables of functions; clang's */
    KASAN_STACK_LAST = 0xf8,
    KASAN_GLOBAL = 0xf9,     /* behind a global variable */
    KASAN_OBJECT_END = 0xfa, /* behind an object of a slab */
    KASAN_OBJECT_FREE = 0xfb,
    KASAN_PAGES_END = 0xfc, /* behind what was asked for of whole pages */
    KASAN_PAGES_FREE = 0xfd,
};

#ifdef FTL_KASAN

/* Bytes between objects of a slab that nobody may access. */
#define KASAN_REDZONE 16

/* Boot: bytes of shadow for RAM from start to end, and its start. What is in use then stays so. */
size_t kasan_shadow_size(paddr_t start, paddr_t end);
void kasan_init(paddr_t start, paddr_t end, void *shadow);

/* Addresses and sizes of memory that begins at a multiple of 8. */
void kasan_poison(const void *address, size_t size, enum kasan_poison why);
void kasan_allow(const void *address, size_t size);

/* What is to be freed: panics if it has been already. */
void kasan_check_free(const void *address);

/* For code that compilers do not check: panics unless the access is allowed. */
void kasan_check(const void *address, size_t size, bool write);

/* The boot argument ftl.test=kasan-WHAT makes a bad access. False: none of this name. */
bool kasan_test(const char *name);

#else

#define KASAN_REDZONE 0

static inline size_t kasan_shadow_size(paddr_t start, paddr_t end)
{
    (void)start;
    (void)end;
    return 0;
}

static inline void kasan_init(paddr_t start, paddr_t end, void *shadow)
{
    (void)start;
    (void)end;
    (void)shadow;
}

static inline void kasan_poison(const void *address, size_t size, enum kasan_poison why)
{
    (void)address;
    (void)size;
    (void)why;
}

static inline void kasan_allow(const void *address, size_t size)
{
    (void)address;
    (void)size;
}

static inline void kasan_check_free(const void *address)
{
    (void)address;
}

static inline void kasan_check(const void *address, size_t size, bool write)
{
    (void)address;
    (void)size;
    (void)write;
}

static inline bool kasan_test(const char *name)
{
    (void)name;
    return false;
}

#endif
#endif
