/*
 * Tests of files from inside: posixfiletest DIRECTORY [PART...]. The directory is where it makes
 * its files, and is empty again at the end. Two parts are for two processes at once: `hold` has
 * locks until `meet` has met them.
 */
#ifndef POSIXFILETEST_H
#define POSIXFILETEST_H

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "user/apps/testing/check.h"

/* The call fails with this errno. */
#define CHECK_FAILS(call, error)                                                                   \
    do {                                                                                           \
        errno = 0;                                                                                 \
        CHECK_EQUAL(call, -1);                                                                     \
        CHECK_EQUAL(errno, error);                                                                 \
    } while (0)
#define CHECK_TEXT(text, expected) CHECK_EQUAL(strcmp(text, expected), 0)

/* As open() and fopen(); without the file there is nothing more to be tested. */
int must_open(const char *path, int flags, mode_t mode);
FILE *must_fopen(const char *path, const char *mode);

/* Makes a file that has this text. */
void make_file(const char *path, const char *text);

/* Checks that a file has this text, and nothing else. */
void check_file(const char *path, const char *text);

/* The size that stat() tells; -1: there is no such file. */
off_t size_of(const char *path);

int child_main(const char *role);

void test_children(void);
void test_data(void);
void test_positions(void);
void test_append(void);
void test_sparse(void);
void test_large(void);
void test_vectors(void);
void test_stdio(void);
void test_directories(void);
void test_some(void);
void test_many(void);
void test_deep(void);
void test_working(void);
void test_names(void);
void test_links(void);
void test_attributes(void);
void test_errors(void);
void test_maps(void);
void test_locks(void);
void test_hold(void);
void test_meet(void);
void test_special(void);
void test_temporary(void);
void test_copy(void);
void test_systems(void);
void test_restart(void);

#endif
