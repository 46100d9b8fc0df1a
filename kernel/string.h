/*
 * The part of <string.h> the kernel has (C11 7.24, and strnlen of POSIX). Host tests use the C
 * library's. The compiler may call memcpy, memmove, memset and memcmp on its own account.
 */
#ifndef KERNEL_STRING_H
#define KERNEL_STRING_H

#if __STDC_HOSTED__
#include <string.h>
#else

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *memory, int byte, size_t size);
int memcmp(const void *left, const void *right, size_t size);
void *memchr(const void *memory, int byte, size_t size);

size_t strlen(const char *text);
size_t strnlen(const char *text, size_t size);
char *strchr(const char *text, int character);
char *strrchr(const char *text, int character);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t size);

/*
 * -ffreestanding takes away that small constant sizes compile to a few instructions; this gives it
 * back.
 */
#define memcpy(to, from, size)     __builtin_memcpy(to, from, size)
#define memmove(to, from, size)    __builtin_memmove(to, from, size)
#define memset(memory, byte, size) __builtin_memset(memory, byte, size)

#endif

#endif
