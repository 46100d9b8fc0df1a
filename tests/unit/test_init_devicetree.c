/*
 * user/apps/init/devicetree.c: the devices of real trees, of small ones made here, and of trees
 * with random damage. Each tree lies in a heap block of its exact size, so that ASan sees any read
 * beyond it.
 */
#include "host/test.h"

#include <libfdt.h>
#include <stdio.h>

#include "user/apps/init/devicetree.h"

#define TREE_MAX  2097152u
#define ROOM      4096 /* of a tree that is made here */
#define MUTATIONS 3000u
#define DAMAGE    8u /* changes of one mutation, at most */
#define NODES_MAX 10000u

/* ---- Trees ---- */

static void *load(const char *name, size_t *size)
{
    char path[512];
    static char whole[TREE_MAX];
    snprintf(path, sizeof(path), "%s/%s.dtb", DTB_DIR, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("cannot open %s", path);
        abort();
    }
    assert_true(fread(whole, 1, sizeof(whole), file) >= sizeof(struct fdt_header));
    fclose(file);
    *size = fdt_totalsize(whole);
    void *tree = malloc(*size);
    memcpy(tree, whole, *size);
    return tree;
}

static bool find(const void *fdt, size_t size, const char *path, struct devicetree_node *node)
{
    struct devicetree tree;
    assert_int_equal(devicetree_open(&tree, fdt, size), FTL_OK);
    while (devicetree_next(&tree, node)) {
        if (strcmp(node->path, path) == 0) {
            return true;
        }
    }
    return false;
}

/* A tree with a PLIC, phandle 1; nodes are added to `root`. */
static void *make_tree(int *root)
{
    void *fdt = calloc(1, ROOM);
    assert_int_equal(fdt_create_empty_tree(fdt, ROOM), 0);
    fdt_setprop_u32(fdt, 0, "#address-cells", 2);
    fdt_setprop_u32(fdt, 0, "#size-cells", 2);
    fdt_setprop_u32(fdt, 0, "interrupt-parent", 1);
    int plic = fdt_add_subnode(fdt, 0, "plic");
    fdt_setprop_string(fdt, plic, "compatible", "riscv,plic0");
    fdt_setprop_u32(fdt, plic, "#interrupt-cells", 1);
    fdt_setprop_u32(fdt, plic, "phandle", 1);
    *root = 0;
    return fdt;
}

/* ---- Tests ---- */

static void devices_of_qemus_machine_are_found(void **state)
{
    size_t size;
    size_t rank;
    struct devicetree_node node;
    (void)state;
    void *tree = load("virt-4", &size);
    assert_true(find(tree, size, "/soc/rtc@101000", &node));
    assert_int_equal(node.base, 0x101000);
    assert_int_equal(node.size, 0x1000);
    assert_int_equal(node.interrupt, 11);
    assert_true(devicetree_is_compatible(&node, "google,goldfish-rtc", &rank));
    assert_int_equal(rank, 0);
    assert_true(find(tree, size, "/soc/virtio_mmio@10008000", &node));
    assert_int_equal(node.base, 0x10008000);
    assert_int_equal(node.interrupt, 8);
    assert_true(find(tree, size, "/soc/test@100000", &node));
    assert_true(devicetree_is_compatible(&node, "sifive,test0", &rank));
    assert_int_equal(rank, 1);
    assert_false(devicetree_is_compatible(&node, "sifive", &rank));
    assert_int_equal(node.interrupt, 0);
    assert_false(find(tree, size, "/memory@80000000", &node));
    assert_true(find(tree, size, "/cpus/cpu@0", &node));
    assert_int_equal(node.size, 0); /* its reg is no address */
    free(tree);
}

static void devices_of_the_visionfive_are_found(void **state)
{
    size_t size;
    uint32_t value;
    struct devicetree_node node;
    (void)state;
    void *tree = load("jh7110", &size);
    assert_true(find(tree, size, "/soc/serial@10000000", &node));
    assert_int_equal(node.base, 0x10000000);
    assert_int_equal(node.interrupt, 32);
    assert_true(devicetree_cell(tree, &node, "reg-shift", &value));
    assert_int_equal(value, 2);
    assert_false(devicetree_cell(tree, &node, "compatible", &value));
    free(tree);
}

static void addresses_are_translated_through_buses(void **state)
{
    int root;
    struct devicetree_node node;
    (void)state;
    void *fdt = make_tree(&root);
    int bus = fdt_add_subnode(fdt, root, "bus");
    const fdt32_t ranges[] = { cpu_to_fdt32(0x100), 0, cpu_to_fdt32(0x40000000),
                               cpu_to_fdt32(0x1000) };
    fdt_setprop_u32(fdt, bus, "#address-cells", 1);
    fdt_setprop_u32(fdt, bus, "#size-cells", 1);
    fdt_setprop(fdt, bus, "ranges", ranges, sizeof(ranges));
    int device = fdt_add_subnode(fdt, bus, "device");
    const fdt32_t reg[] = { cpu_to_fdt32(0x300), cpu_to_fdt32(0x80) };
    fdt_setprop_string(fdt, device, "compatible", "thing");
    fdt_setprop(fdt, device, "reg", reg, sizeof(reg));
    assert_true(find(fdt, ROOM, "/bus/device", &node));
    assert_int_equal(node.base, 0x40000200);
    assert_int_equal(node.size, 0x80);

    const fdt32_t beyond[] = { cpu_to_fdt32(0x10c0), cpu_to_fdt32(0x80) };
    fdt_setprop(fdt, fdt_path_offset(fdt, "/bus/device"), "reg", beyond, sizeof(beyond));
    assert_true(find(fdt, ROOM, "/bus/device", &node));
    assert_int_equal(node.size, 0); /* only a part of it can be reached */
    fdt_delprop(fdt, fdt_path_offset(fdt, "/bus"), "ranges");
    fdt_setprop(fdt, fdt_path_offset(fdt, "/bus/device"), "reg", reg, sizeof(reg));
    assert_true(find(fdt, ROOM, "/bus/device", &node));
    assert_int_equal(node.size, 0);
    free(fdt);
}

static void interrupts_are_the_plics_alone(void **state)
{
    int root;
    struct devicetree_node node;
    (void)state;
    void *fdt = make_tree(&root);
    int other = fdt_add_subnode(fdt, root, "other");
    fdt_setprop_string(fdt, other, "compatible", "msi");
    fdt_setprop_u32(fdt, other, "#interrupt-cells", 1);
    fdt_setprop_u32(fdt, other, "phandle", 2);
    int device = fdt_add_subnode(fdt, root, "device");
    const fdt32_t reg[] = { 0, cpu_to_fdt32(0x1000), 0, cpu_to_fdt32(8) };
    fdt_setprop_string(fdt, device, "compatible", "thing");
    fdt_setprop(fdt, device, "reg", reg, sizeof(reg));
    fdt_setprop_u32(fdt, device, "interrupts", 5);
    assert_true(find(fdt, ROOM, "/device", &node));
    assert_int_equal(node.interrupt, 5);
    device = fdt_path_offset(fdt, "/device");
    fdt_setprop_u32(fdt, device, "interrupt-parent", 2);
    assert_true(find(fdt, ROOM, "/device", &node));
    assert_int_equal(node.interrupt, 0);
    const fdt32_t extended[] = { cpu_to_fdt32(1), cpu_to_fdt32(9) };
    fdt_setprop(fdt, fdt_path_offset(fdt, "/device"), "interrupts-extended", extended,
                sizeof(extended));
    assert_true(find(fdt, ROOM, "/device", &node));
    assert_int_equal(node.interrupt, 9);
    free(fdt);
}

static void what_is_switched_off_is_no_device(void **state)
{
    int root;
    struct devicetree_node node;
    (void)state;
    void *fdt = make_tree(&root);
    int bus = fdt_add_subnode(fdt, root, "bus");
    fdt_setprop_string(fdt, bus, "status", "disabled");
    int device = fdt_add_subnode(fdt, bus, "device");
    fdt_setprop_string(fdt, device, "compatible", "thing");
    assert_false(find(fdt, ROOM, "/bus/device", &node));
    fdt_setprop_string(fdt, fdt_path_offset(fdt, "/bus"), "status", "okay");
    assert_true(find(fdt, ROOM, "/bus/device", &node));
    fdt_setprop(fdt, fdt_path_offset(fdt, "/bus"), "status", "okay", 4); /* without its end */
    assert_false(find(fdt, ROOM, "/bus/device", &node));
    free(fdt);
}

static void what_is_no_tree_is_refused(void **state)
{
    size_t size;
    struct devicetree tree;
    (void)state;
    void *fdt = load("virt-1", &size);
    assert_int_equal(devicetree_open(&tree, fdt, size - 1), FTL_ERR_BAD_FORMAT);
    assert_int_equal(devicetree_open(&tree, fdt, 3), FTL_ERR_BAD_FORMAT);
    memset(fdt, 0, 4);
    assert_int_equal(devicetree_open(&tree, fdt, size), FTL_ERR_BAD_FORMAT);
    free(fdt);
}

/* Every walk ends, and never leaves the tree. */
static void damaged_trees_do_no_harm(void **state)
{
    static const char *const names[] = { "virt-4", "jh7110", "sifive_u" };
    struct host_random random = { .state = 1 };
    (void)state;
    for (size_t name = 0; name < sizeof(names) / sizeof(names[0]); name++) {
        size_t size;
        char *intact = load(names[name], &size);
        char *fdt = malloc(size);
        for (size_t i = 0; i < MUTATIONS; i++) {
            struct devicetree tree;
            struct devicetree_node node;
            size_t nodes = 0;
            size_t rank;
            memcpy(fdt, intact, size);
            for (size_t j = host_random_below(&random, DAMAGE) + 1; j != 0; j--) {
                fdt[host_random_below(&random, size)] = (char)host_random_below(&random, 256);
            }
            if (devicetree_open(&tree, fdt, size) != FTL_OK) {
                continue;
            }
            while (devicetree_next(&tree, &node)) {
                assert_true(++nodes < NODES_MAX);
                assert_non_null(memchr(node.path, '\0', sizeof(node.path)));
                devicetree_is_compatible(&node, "nothing", &rank);
            }
        }
        free(fdt);
        free(intact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_of_qemus_machine_are_found),
        cmocka_unit_test(devices_of_the_visionfive_are_found),
        cmocka_unit_test(addresses_are_translated_through_buses),
        cmocka_unit_test(interrupts_are_the_plics_alone),
        cmocka_unit_test(what_is_switched_off_is_no_device),
        cmocka_unit_test(what_is_no_tree_is_refused),
        cmocka_unit_test(damaged_trees_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
