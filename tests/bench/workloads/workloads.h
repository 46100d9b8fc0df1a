/*
 * The workloads of scripts/bench sandbox: each runs once per call, does the same every time, and
 * returns a number that depends on all it computed, so that the builds can be compared.
 */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include <stddef.h>
#include <stdint.h>

/* Kernels of our own, in the manner of CoreMark: kernels.c. */
uint64_t kernel_list(void);
uint64_t kernel_matrix(void);
uint64_t kernel_state(void);
uint64_t kernel_crc(void);
uint64_t kernel_hash(void);
uint64_t kernel_sort(void);
uint64_t kernel_interpreter(void);
uint64_t kernel_recursion(void);

/* Library code: a file each. */
uint64_t library_zlib(void);
uint64_t library_lz4(void);
uint64_t library_cjson(void);
uint64_t library_lua(void);
uint64_t library_sha256(void);
uint64_t library_regex(void);
uint64_t library_printf(void);
uint64_t library_checksum(void);

/* Fills a buffer with text of words, as compressible as prose; the same for the same size. */
void make_text(char *text, size_t size);

/* A number that depends on each of the bytes and on what `hash` was before. */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size);

/* Ends the program with a message unless what a library said is good. */
void require(int good, const char *what);

#endif
