/*
 * Fails on purpose, in the way its argument names, so that tests can see how FTL contains and
 * reports it. The volatile variables keep the compiler from seeing what is coming.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WILD_ADDRESS   0x2000000000u       /* 128 GiB: nobody's memory, in either isolation */
#define KERNEL_ADDRESS 0xffffffff80000000u /* where the kernel is linked */
#define EXIT_USAGE     2
#define FRAME_SIZE     512
#define ARRAY_SIZE     8

static volatile uintptr_t address;
static volatile int number;
static volatile int array[ARRAY_SIZE];
static uint32_t word;

/* The compiler knows how many items there are from the member that counts them. */
struct list {
    int count;
    int items[] __attribute__((counted_by(count)));
};

static void read_at(uintptr_t where)
{
    address = where;
    number = *(volatile int *)address; /* NOLINT(clang-analyzer-core.*): on purpose */
}

static void write_at(uintptr_t where)
{
    address = where;
    *(volatile int *)address = 1;
}

static void do_null(void)
{
    read_at(0);
}

static void do_wild_read(void)
{
    read_at(WILD_ADDRESS);
}

static void do_wild_write(void)
{
    write_at(WILD_ADDRESS);
}

static void do_kernel_read(void)
{
    read_at(KERNEL_ADDRESS);
}

static void do_kernel_write(void)
{
    write_at(KERNEL_ADDRESS);
}

static __attribute__((noinline)) int recurse(int depth)
{
    volatile char frame[FRAME_SIZE];
    frame[depth % FRAME_SIZE] = (char)depth;
    int deepest = depth < 0 ? depth : recurse(depth + 1);
    return deepest + frame[depth % FRAME_SIZE];
}

static void do_stack_overflow(void)
{
    number = recurse(0);
}

/* To data: never executable, and no landing pad. */
static void do_bad_jump(void)
{
    address = (uintptr_t)array;
    ((void (*)(void))address)();
}

/* Not compressed, so that it is the same instruction in both isolation modes. */
static void do_illegal(void)
{
    __asm__ volatile(".option push\n\t"
                     ".option norvc\n\t"
                     "unimp\n\t"
                     ".option pop");
}

static void do_div(void)
{
    number = 0;
    number = 1 / number; /* NOLINT(clang-analyzer-core.*): on purpose */
}

static void do_array(void)
{
    number = ARRAY_SIZE;
    array[number] = 1;
}

static void do_counted_by(void)
{
    struct list *list = calloc(1, sizeof(*list) + ARRAY_SIZE * sizeof(list->items[0]));
    if (list != NULL) {
        list->count = ARRAY_SIZE;
        number = ARRAY_SIZE;
        number = list->items[number];
    }
    free(list);
}

static void do_object_size(void)
{
    *(uint64_t *)(void *)&word = (uint64_t)number;
    number = (int)word;
}

static void do_heap(void)
{
    char *block = calloc(ARRAY_SIZE, 1);
    if (block != NULL) {
        number = ARRAY_SIZE;
        block[number] = 1;
        number = block[0];
    }
    free(block);
}

static void do_loop(void)
{
    for (;;) {
        number = number + 1 > 1000 ? 0 : number + 1;
    }
}

static const struct {
    const char *name;
    void (*run)(void);
    const char *announcement;
} ways[] = {
    { "null", do_null, "reading through a null pointer" },
    { "wild-read", do_wild_read, "reading from an address that is nobody's" },
    { "wild-write", do_wild_write, "writing to an address that is nobody's" },
    { "kernel-read", do_kernel_read, "reading the kernel's memory" },
    { "kernel-write", do_kernel_write, "writing the kernel's memory" },
    { "stack-overflow", do_stack_overflow, "recursing without end" },
    { "bad-jump", do_bad_jump, "jumping to data" },
    { "illegal", do_illegal, "executing an illegal instruction" },
    { "div", do_div, "dividing by zero" },
    { "array", do_array, "writing behind the end of an array" },
    { "counted-by", do_counted_by, "reading behind the end of an array with counted_by" },
    { "object-size", do_object_size, "writing 8 bytes to an object of 4" },
    { "heap", do_heap, "writing behind the end of an allocated block" },
    { "loop", do_loop, "looping forever" },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static int usage(void)
{
    fprintf(stderr, "usage: crash WAY, where WAY is one of\n");
    for (size_t i = 0; i < WAYS; i++) {
        fprintf(stderr, "  %-16s%s\n", ways[i].name, ways[i].announcement);
    }
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return usage();
    }
    for (size_t i = 0; i < WAYS; i++) {
        if (strcmp(argv[1], ways[i].name) == 0) {
            printf("crash: %s\n", ways[i].announcement);
            fflush(stdout);
            ways[i].run();
            printf("crash: still alive\n");
            return EXIT_FAILURE;
        }
    }
    fprintf(stderr, "crash: no way '%s'\n", argv[1]);
    return usage();
}
