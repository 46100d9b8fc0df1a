/*
 * The kernel address sanitizer: see kasan.h. The shadow is looked up by function, as all checks are
 * calls: of RAM wherever it is mapped, that is the direct map and the image, and of the first part
 * of the vmap area, where harts' stacks are. Everything else, devices and windows, faults or not by
 * its page tables alone. This file is not checked itself, nor is the slab allocator.
 */
#include "kernel/kasan.h"

#include "arch/hart.h"
#include "arch/mmu.h"
#include "arch/offsets.h"
#include "arch/platform.h"

#include "kernel/assert.h"
#include "mm/slab.h"

#define GRANULE     8         /* bytes of memory for one of the shadow */
#define VMAP_SHADOW (4 * MIB) /* of the vmap area */

/*
 * clang takes a function's stack frame's shadow to be here: see __asan_set_shadow_f1() and others.
 */
#define CLANG_SHADOW(address) ((uintptr_t)(address) / GRANULE + FTL_KASAN_OFFSET)
#define CLANG_ADDRESS(shadow) (((shadow) - FTL_KASAN_OFFSET) * GRANULE)

static struct {
    bool on;
    paddr_t start, end; /* of RAM that has a shadow */
    uint8_t *ram;
    uint8_t vmap[VMAP_SHADOW / GRANULE];
} kasan;

size_t kasan_shadow_size(paddr_t start, paddr_t end)
{
    return ALIGN_UP((end - start) / GRANULE, PAGE_SIZE);
}

/* The shadow of an address; NULL: it has none. */
static uint8_t *shadow_of(uintptr_t address)
{
    paddr_t pa;
    if (!kasan.on) {
        return NULL;
    }
    if (address - DIRECT_MAP_BASE < DIRECT_MAP_SIZE) {
        pa = address - DIRECT_MAP_BASE;
    } else if (address >= KERNEL_BASE) {
        pa = address - KERNEL_BASE + kernel_image_start();
    } else {
        return address - VMAP_BASE < VMAP_SHADOW ? &kasan.vmap[(address - VMAP_BASE) / GRANULE]
                                                 : NULL;
    }
    return pa >= kasan.start && pa < kasan.end ? &kasan.ram[(pa - kasan.start) / GRANULE] : NULL;
}

static void set_shadow(uintptr_t address, size_t size, uint8_t value)
{
    uint8_t *shadow = shadow_of(address);
    for (size_t i = 0; shadow != NULL && i < size / GRANULE; i++) {
        shadow[i] = value;
    }
}

void kasan_poison(const void *address, size_t size, enum kasan_poison why)
{
    uintptr_t start = (uintptr_t)address;
    uintptr_t whole = ALIGN_UP(start, (uintptr_t)GRANULE);
    /* The bytes that are allowed before it in its granule stay so. */
    if (start != whole && shadow_of(start) != NULL) {
        *shadow_of(start) = (uint8_t)(start % GRANULE);
    }
    if (start + size > whole) {
        set_shadow(whole, ALIGN_UP(start + size - whole, (size_t)GRANULE), (uint8_t)why);
    }
}

void kasan_allow(const void *address, size_t size)
{
    uintptr_t start = (uintptr_t)address;
    ASSERT(start % GRANULE == 0);
    set_shadow(start, size, 0);
    if (size % GRANULE != 0 && shadow_of(start) != NULL) {
        *shadow_of(start + size / GRANULE * GRANULE) = (uint8_t)(size % GRANULE);
    }
}

static bool is_allowed(uintptr_t address)
{
    const uint8_t *shadow = shadow_of(address);
    return shadow == NULL || *shadow == 0 || (*shadow < GRANULE && address % GRANULE < *shadow);
}

static const char *name_of(uint8_t poison)
{
    switch (poison) {
    case KASAN_GLOBAL: return "access behind a global variable";
    case KASAN_OBJECT_END: return "access behind an object";
    case KASAN_OBJECT_FREE: return "use after free";
    case KASAN_PAGES_END: return "access behind allocated memory";
    case KASAN_PAGES_FREE: return "use of free pages";
    default:
        return poison >= KASAN_STACK_FIRST && poison <= KASAN_STACK_LAST
                   ? "access beside a variable on the stack"
                   : "bad access";
    }
}

/* What is wrong is said by the shadow of the granule, or of the next, where it ends in this one. */
static uint8_t poison_at(uintptr_t address)
{
    const uint8_t *shadow = shadow_of(address);
    return *shadow >= GRANULE ? *shadow : shadow[1];
}

static _Noreturn void report(uintptr_t address, size_t size, bool write, uintptr_t bad,
                             uintptr_t pc)
{
    struct slab_place place;
    const char *name = name_of(poison_at(bad));
    kasan.on = false; /* the panic itself touches what it likes */
    if (slab_find((const void *)bad, &place)) {
        panic("kasan: %s: %s of %zu bytes at %#lx, pc %#lx: byte %zu of the object of %zu bytes at "
              "%#lx of slab cache %s",
              name, write ? "write" : "read", size, (unsigned long)address, (unsigned long)pc,
              place.offset, place.size, (unsigned long)(bad - place.offset), place.cache);
    }
    panic("kasan: %s: %s of %zu bytes at %#lx, pc %#lx", name, write ? "write" : "read", size,
          (unsigned long)address, (unsigned long)pc);
}

/*
 * Looks at the first byte of each granule and at the last of all: those between them go with these.
 */
static inline void check(uintptr_t address, size_t size, bool write, uintptr_t pc)
{
    if (!kasan.on || size == 0) {
        return;
    }
    for (uintptr_t at = address; at < address + size;
         at = ALIGN_DOWN(at, (uintptr_t)GRANULE) + GRANULE) {
        uintptr_t granule_end = ALIGN_DOWN(at, (uintptr_t)GRANULE) + GRANULE;
        uintptr_t last = granule_end < address + size ? granule_end - 1 : address + size - 1;
        if (unlikely(!is_allowed(last))) {
            report(address, size, write, last, pc);
        }
    }
}

void kasan_check(const void *address, size_t size, bool write)
{
    check((uintptr_t)address, size, write, (uintptr_t)__builtin_return_address(0));
}

void kasan_check_free(const void *address)
{
    const uint8_t *shadow = shadow_of((uintptr_t)address);
    if (shadow != NULL && (*shadow == KASAN_OBJECT_FREE || *shadow == KASAN_PAGES_FREE)) {
        report((uintptr_t)address, 1, true, (uintptr_t)address,
               (uintptr_t)__builtin_return_address(0));
    }
}

/* --- What clang calls --- */

#define ACCESS(size)                                                                               \
    void __asan_load##size##_noabort(uintptr_t address);                                           \
    void __asan_load##size##_noabort(uintptr_t address)                                            \
    {                                                                                              \
        check(address, size, false, (uintptr_t)__builtin_return_address(0));                       \
    }                                                                                              \
    void __asan_store##size##_noabort(uintptr_t address);                                          \
    void __asan_store##size##_noabort(uintptr_t address)                                           \
    {                                                                                              \
        check(address, size, true, (uintptr_t)__builtin_return_address(0));                        \
    }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __asan_loadN_noabort(uintptr_t address, size_t size);
void __asan_loadN_noabort(uintptr_t address, size_t size)
{
    check(address, size, false, (uintptr_t)__builtin_return_address(0));
}

void __asan_storeN_noabort(uintptr_t address, size_t size);
void __asan_storeN_noabort(uintptr_t address, size_t size)
{
    check(address, size, true, (uintptr_t)__builtin_return_address(0));
}

/* Frames: each sets the shadow of what is beside its variables, and clears it at its end. */
#define SET_SHADOW(value)                                                                          \
    void __asan_set_shadow_##value(uintptr_t shadow, size_t size);                                 \
    void __asan_set_shadow_##value(uintptr_t shadow, size_t size)                                  \
    {                                                                                              \
        set_shadow(CLANG_ADDRESS(shadow), size *GRANULE, 0x##value);                               \
    }
SET_SHADOW(00)
SET_SHADOW(01)
SET_SHADOW(02)
SET_SHADOW(03)
SET_SHADOW(04)
SET_SHADOW(05)
SET_SHADOW(06)
SET_SHADOW(07)
SET_SHADOW(f1)
SET_SHADOW(f2)
SET_SHADOW(f3)
SET_SHADOW(f5)
SET_SHADOW(f8)

/* Before a call that does not come back: nobody will clear the frames that are given up. */
void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
    set_shadow(arch_hart_self()->stack_top - HART_STACK_SIZE, HART_STACK_SIZE, 0);
}

/* clang's description of a global variable. */
struct global {
    uintptr_t address;
    size_t size;
    size_t size_with_redzone;
    const void *name, *module;
    size_t has_dynamic_init;
    const void *location;
    uintptr_t odr_indicator;
};

void __asan_register_globals(const struct global *globals, size_t count);
void __asan_register_globals(const struct global *globals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kasan_allow((const void *)globals[i].address, globals[i].size);
        uintptr_t end = globals[i].address + globals[i].size;
        kasan_poison((const void *)end, globals[i].size_with_redzone - globals[i].size,
                     KASAN_GLOBAL);
    }
}

void __asan_unregister_globals(const struct global *globals, size_t count);
void __asan_unregister_globals(const struct global *globals, size_t count)
{
    (void)globals;
    (void)count;
}

/* What each file registers its globals with: kernel.ld. */
extern void (*const __init_array_start[])(void);
extern void (*const __init_array_end[])(void);

void kasan_init(paddr_t start, paddr_t end, void *shadow)
{
    uint64_t *words = shadow;
    for (size_t i = 0; i < kasan_shadow_size(start, end) / sizeof(*words); i++) {
        words[i] = 0;
    }
    kasan.start = start;
    kasan.end = end;
    kasan.ram = shadow;
    kasan.on = true;
    for (void (*const *file)(void) = __init_array_start; file < __init_array_end; file++) {
        (*file)();
    }
}
