/*
 * Runs all workloads and prints a line for each: name, executed instructions, result. Counts with
 * the hart's instruction counter: exact under QEMU's -icount with one hart.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <ftl/clock.h>

#include "workloads.h"

struct workload {
    const char *name;
    uint64_t (*run)(void);
};

static const struct workload workloads[] = {
    { "kernel.list", kernel_list },
    { "kernel.matrix", kernel_matrix },
    { "kernel.state", kernel_state },
    { "kernel.crc", kernel_crc },
    { "kernel.hash", kernel_hash },
    { "kernel.sort", kernel_sort },
    { "kernel.interpreter", kernel_interpreter },
    { "kernel.recursion", kernel_recursion },
    { "library.zlib", library_zlib },
    { "library.lz4", library_lz4 },
    { "library.cjson", library_cjson },
    { "library.lua", library_lua },
    { "library.sha256", library_sha256 },
    { "library.regex", library_regex },
    { "library.printf", library_printf },
    { "library.checksum", library_checksum },
};

void require(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "workloads: %s failed\n", what);
        exit(EXIT_FAILURE);
    }
}

static uint64_t instructions(void)
{
    uint64_t count = 0;
    require(ftl_clock_instructions(&count) == FTL_OK, "ftl_clock_instructions");
    return count;
}

int main(void)
{
    for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
        const struct workload *workload = &workloads[i];
        uint64_t result = workload->run(); /* brings pages in */
        uint64_t start = instructions();
        require(workload->run() == result, workload->name);
        uint64_t count = instructions() - start;
        printf("%s %" PRIu64 " %016" PRIx64 "\n", workload->name, count, result);
    }
    return EXIT_SUCCESS;
}
