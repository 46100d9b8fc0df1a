/*
 * What a file system should hold, as a simple tree in memory, and random operations that are done
 * to both and compared.
 */
#ifndef TESTS_EXT_MODEL_H
#define TESTS_EXT_MODEL_H

#include "user/servers/files/backend.h"

#define MODEL_NODES   256
#define MODEL_ENTRIES 512
#define MODEL_NAME    256

struct model_node {
    enum file_kind kind;
    uint32_t links; /* 0: not in use, unless it is held */
    node_t number;
    bool is_held;
    char *data; /* of a file, or a link's target */
    size_t size;
    uint64_t version; /* counts changes of the data */
    uint32_t mode;
};

struct model_entry {
    bool is_used;
    int directory, node;
    char name[MODEL_NAME];
};

struct model {
    struct file_system *file_system;
    uint64_t random;
    size_t size_max; /* of files */
    bool may_be_full;
    struct model_node nodes[MODEL_NODES]; /* the root first */
    struct model_entry entries[MODEL_ENTRIES];
};

void model_init(struct model *model, struct file_system *file_system, uint64_t seed,
                size_t size_max);
void model_free(struct model *model);
/* Does one random operation to both. */
void model_step(struct model *model);
/* Lets go of all that is held in the file system. */
void model_release(struct model *model);
/* Compares all there is. */
void model_compare(struct model *model);
/* A hash of names, kinds, sizes and links of all there is, in the model or in a file system. */
uint64_t model_hash(const struct model *model);
uint64_t file_system_hash(struct file_system *file_system);
uint64_t hash_bytes(uint64_t hash, const void *data, size_t size);

#endif
