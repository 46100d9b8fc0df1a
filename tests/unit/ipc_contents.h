/*
 * What the header that scripts/genipc.py --tests makes needs: random contents for messages of every
 * protocol. ipc_contents.c has that for test_ipc_messages.c and for the fuzz targets of decoders
 * (tests/fuzz/fuzz_ipc.c), with a kernel that only knows types and rights of handles;
 * user/apps/ipcfuzz has it with real handles.
 */
#ifndef IPC_CONTENTS_H
#define IPC_CONTENTS_H

#include <ftl/ipc.h>
#include <stdlib.h>
#include <string.h>

/* A message of some protocol. */
struct test_message {
    const struct ftl_protocol *protocol;
    const char *name;
    size_t size_max;
    uint32_t handles;                             /* at most */
    uint32_t optional_handles;                    /* of these */
    ftl_status_t (*fill)(struct ftl_message *to); /* encodes random values */
    /* Decodes, and encodes what came of it. */
    ftl_status_t (*recode)(struct ftl_message *from, struct ftl_message *to);
};

/* The numbers that everything below is made of; not 0. */
void test_seed(uint64_t seed);

uint64_t test_number(void);
size_t test_below(size_t end);
uint64_t test_choose(const uint64_t *from, size_t count);

/* Up to `max`; bounds are met often. */
uint32_t test_size(uint32_t max);

/* Memory with contents: it stays until test_forget(). */
void *test_bytes(size_t size);
const char *test_string(uint32_t max);
void test_forget(void);

/* An empty list with room for so many bytes; whether more is to be put into it after this result
 * of putting something in. */
struct ftl_ipc_list test_list(uint32_t max);
bool test_goes_on(ftl_status_t status);

/* Called for what was decoded and cannot be encoded again. Does not return. */
ftl_status_t test_not_encoded(ftl_status_t status);

/*
 * On the host a handle's value is its type and rights. Where every type will do, ANY_TYPE is sent.
 */
#define TEST_ANY_TYPE FTL_OBJECT_CHANNEL
ftl_handle_t test_handle(ftl_object_type_t type, ftl_rights_t rights);

#endif
