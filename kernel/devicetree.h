/*
 * Reads the flattened device tree (Devicetree Specification v0.4) that the firmware passes at boot
 * into a struct boot_info. The tree is not trusted: nothing outside it is read, nothing in it is
 * believed unchecked.
 */
#ifndef KERNEL_DEVICETREE_H
#define KERNEL_DEVICETREE_H

#include "kernel/boot_info.h"

/*
 * Fills *info from the tree at `dtb`, which must be 8-byte aligned. Never reads outside [dtb, dtb +
 * limit), nor beyond the size that the tree's header states. `address` is the tree's physical
 * address: its pages get reserved. Keeps no pointer into the tree.
 *
 * Returns false, with the node, the property and what is wrong with it in *error, when the
 * structure is broken or when there is no memory, no usable hart or no timebase-frequency; *info is
 * undefined then. A device that cannot be used is left out, with a warning in *info.
 *
 * Uses less than 4 KiB of stack; no allocation, no lock, no recursion.
 */
bool devicetree_parse(const void *dtb, size_t limit, paddr_t address, struct boot_info *info,
                      struct boot_error *error);

/*
 * The size that the header of a tree at any address states; 0 without the magic number. Reads 8
 * bytes.
 */
size_t devicetree_size(const void *dtb);

#endif
