/*
 * Bad accesses that the address sanitizer has to find, for the boot argument ftl.test=kasan-NAME.
 * Each is made through a pointer that compilers know nothing of.
 */
#include "kernel/kasan.h"

#include "kernel/string.h"
#include "mm/page.h"
#include "mm/slab.h"

#define SIZE 40

static char global[SIZE];

static void touch(char *address)
{
    volatile char *hidden = address;
    __asm__("" : "+r"(hidden));
    *hidden = 1;
}

static void use_after_free(void)
{
    char *object = kalloc(SIZE);
    kfree(object, SIZE);
    touch(object + 1);
}

static void use_behind_object(void)
{
    touch((char *)kalloc(SIZE) + SIZE);
}

static void read_behind_object(void)
{
    char *object = kalloc(SIZE);
    char copy[2 * SIZE];
    size_t size = SIZE + 1;
    __asm__("" : "+r"(size));
    memcpy(copy, object, size);
    __asm__ volatile("" : : "r"(copy) : "memory"); /* it is used */
}

static void free_twice(void)
{
    char *object = kalloc(SIZE);
    kfree(object, SIZE);
    kfree(object, SIZE);
}

static void use_free_page(void)
{
    struct page *page = page_alloc(0);
    char *memory = page_to_virt(page);
    page_free(page, 0);
    touch(memory + PAGE_SIZE / 2);
}

static void use_behind_pages(void)
{
    touch((char *)kalloc(PAGE_SIZE - SIZE) + PAGE_SIZE - 1);
}

static void use_behind_global(void)
{
    touch(global + SIZE);
}

static __attribute__((noinline)) void use_behind_variable(void)
{
    char variable[SIZE];
    touch(variable + SIZE);
}

static const struct {
    const char *name;
    void (*access)(void);
} tests[] = {
    { "kasan-use-after-free", use_after_free }, { "kasan-object", use_behind_object },
    { "kasan-memcpy", read_behind_object },     { "kasan-double-free", free_twice },
    { "kasan-free-page", use_free_page },       { "kasan-pages", use_behind_pages },
    { "kasan-global", use_behind_global },      { "kasan-stack", use_behind_variable },
};

bool kasan_test(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
        if (strcmp(name, tests[i].name) == 0) {
            tests[i].access();
            return true;
        }
    }
    return false;
}
