/* A model of a file system, and random operations on both. */
#include "ext_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ext_disk.h"

static uint64_t pick(struct model *model, uint64_t limit)
{
    return test_random(&model->random) % limit;
}

static const struct file_system_operations *of(const struct model *model)
{
    return model->file_system->operations;
}

void model_init(struct model *model, struct file_system *file_system, uint64_t seed,
                size_t size_max)
{
    memset(model, 0, sizeof(*model));
    model->file_system = file_system;
    model->random = seed;
    model->size_max = size_max;
    model->nodes[0] = (struct model_node){ .kind = FILE_KIND_DIRECTORY, .links = 2 };
    model->nodes[0].number = file_system->operations->root(file_system);
}

void model_free(struct model *model)
{
    for (int i = 0; i < MODEL_NODES; i++) {
        free(model->nodes[i].data);
    }
}

static struct model_entry *find(struct model *model, int directory, const char *name)
{
    for (int i = 0; i < MODEL_ENTRIES; i++) {
        struct model_entry *entry = &model->entries[i];
        if (entry->is_used && entry->directory == directory && strcmp(entry->name, name) == 0) {
            return entry;
        }
    }
    return NULL;
}

static struct model_entry *add_entry(struct model *model, int directory, const char *name, int node)
{
    for (int i = 0; i < MODEL_ENTRIES; i++) {
        struct model_entry *entry = &model->entries[i];
        if (!entry->is_used) {
            entry->is_used = true;
            entry->directory = directory;
            entry->node = node;
            strcpy(entry->name, name);
            return entry;
        }
    }
    return NULL;
}

static bool is_in_use(const struct model_node *node)
{
    return node->links > 0 || node->is_held;
}

static int new_node(struct model *model)
{
    for (int i = 1; i < MODEL_NODES; i++) {
        if (!is_in_use(&model->nodes[i])) {
            free(model->nodes[i].data);
            uint64_t version = model->nodes[i].version + 1;
            model->nodes[i] = (struct model_node){ .version = version };
            return i;
        }
    }
    return -1;
}

static bool is_full(struct model *model)
{
    int nodes = 0, entries = 0;
    for (int i = 0; i < MODEL_NODES; i++) {
        nodes += is_in_use(&model->nodes[i]);
    }
    for (int i = 0; i < MODEL_ENTRIES; i++) {
        entries += model->entries[i].is_used;
    }
    return nodes > MODEL_NODES - 2 || entries > MODEL_ENTRIES - 2;
}

static int pick_node(struct model *model, enum file_kind kind)
{
    int chosen = -1, count = 0;
    for (int i = 0; i < MODEL_NODES; i++) {
        if (is_in_use(&model->nodes[i]) && model->nodes[i].kind == kind &&
            pick(model, (uint64_t)++count) == 0) {
            chosen = i;
        }
    }
    return chosen;
}

static struct model_entry *pick_entry(struct model *model)
{
    struct model_entry *chosen = NULL;
    uint64_t count = 0;
    for (int i = 0; i < MODEL_ENTRIES; i++) {
        if (model->entries[i].is_used && pick(model, ++count) == 0) {
            chosen = &model->entries[i];
        }
    }
    return chosen;
}

static void pick_name(struct model *model, char name[MODEL_NAME])
{
    int length = snprintf(name, MODEL_NAME, "n%u", (unsigned int)pick(model, 60));
    if (pick(model, 4) == 0) { /* some are long */
        size_t end = 20 + pick(model, 235);
        memset(name + length, 'x', end - (size_t)length);
        name[end] = '\0';
    }
}

/* Holds it as long as the model does. */
static node_t hold(struct model *model, int node)
{
    struct model_node *known = &model->nodes[node];
    if (node != 0 && !known->is_held) {
        for (int i = 0; i < MODEL_ENTRIES; i++) {
            struct model_entry *entry = &model->entries[i];
            if (entry->is_used && entry->node == node) {
                node_t directory = hold(model, entry->directory);
                assert_int_equal(
                    of(model)->look_up(model->file_system, directory, entry->name, &known->number),
                    FTL_OK);
                known->is_held = true;
                break;
            }
        }
        assert_true(known->is_held);
    }
    return known->number;
}

static void let_go(struct model *model, int node)
{
    struct model_node *known = &model->nodes[node];
    if (node != 0 && known->is_held) {
        of(model)->release(model->file_system, known->number);
        known->is_held = false;
    }
}

void model_release(struct model *model)
{
    for (int i = 0; i < MODEL_NODES; i++) {
        let_go(model, i);
    }
}

static bool has_no_space(struct model *model, ftl_status_t status)
{
    return model->may_be_full && status == FTL_ERR_NO_SPACE;
}

static void step_create(struct model *model)
{
    char name[MODEL_NAME], target[300];
    int directory = pick_node(model, FILE_KIND_DIRECTORY);
    enum file_kind kind = (enum file_kind)(1 + pick(model, 3));
    pick_name(model, name);
    if (is_full(model)) {
        return;
    }
    size_t length = 1 + pick(model, sizeof(target) - 2);
    memset(target, 't', length);
    target[length] = '\0';
    node_t in = hold(model, directory), number = 0;
    ftl_status_t status;
    if (kind == FILE_KIND_REGULAR) {
        status = of(model)->create(model->file_system, in, name, 0644, &number);
    } else if (kind == FILE_KIND_DIRECTORY) {
        status = of(model)->make_directory(model->file_system, in, name, 0755);
    } else {
        status = of(model)->make_link(model->file_system, in, name, target);
    }
    if (model->nodes[directory].links == 0) {
        assert_int_equal(status, FTL_ERR_NOT_FOUND);
        return;
    }
    if (find(model, directory, name) != NULL) {
        assert_int_equal(status, FTL_ERR_EXISTS);
        return;
    }
    if (has_no_space(model, status)) {
        return;
    }
    assert_int_equal(status, FTL_OK);
    int node = new_node(model);
    struct model_node *known = &model->nodes[node];
    known->kind = kind;
    known->links = kind == FILE_KIND_DIRECTORY ? 2 : 1;
    known->number = number;
    known->is_held = kind == FILE_KIND_REGULAR;
    known->mode = kind == FILE_KIND_REGULAR ? 0644 : kind == FILE_KIND_DIRECTORY ? 0755 : 0777;
    if (kind == FILE_KIND_SYMBOLIC_LINK) {
        known->data = strdup(target);
        known->size = length;
    } else if (kind == FILE_KIND_DIRECTORY) {
        model->nodes[directory].links++;
    }
    assert_non_null(add_entry(model, directory, name, node));
}

static void grow(struct model_node *node, size_t size)
{
    if (size > node->size) {
        void *more = realloc(node->data, size);
        if (more == NULL) {
            abort();
        }
        node->data = more;
        memset(node->data + node->size, 0, size - node->size);
        node->size = size;
    }
}

static void step_write(struct model *model)
{
    int node = pick_node(model, FILE_KIND_REGULAR);
    if (node < 0) {
        return;
    }
    struct model_node *known = &model->nodes[node];
    node_t number = hold(model, node);
    size_t offset = pick(model, 3) == 0 ? known->size : pick(model, model->size_max);
    size_t size = 1 + pick(model, pick(model, 2) == 0 ? 300 : model->size_max / 2), done;
    if (offset + size > model->size_max) {
        return;
    }
    char *data = malloc(size);
    assert_non_null(data);
    for (size_t i = 0; i < size; i++) {
        data[i] = (char)test_random(&model->random);
    }
    done = size;
    ftl_status_t status = of(model)->write(model->file_system, number, offset, data, &done);
    if (!has_no_space(model, status)) {
        assert_int_equal(status, FTL_OK);
        assert_true(done == size || (model->may_be_full && done < size));
        grow(known, offset + done);
        memcpy(known->data + offset, data, done);
        known->version++;
    }
    free(data);
}

static void check_read(struct model *model, int node, size_t offset, size_t wanted)
{
    struct model_node *known = &model->nodes[node];
    char *data = malloc(wanted + 1);
    size_t done = wanted;
    assert_non_null(data);
    assert_int_equal(of(model)->read(model->file_system, hold(model, node), offset, data, &done),
                     FTL_OK);
    size_t left = offset < known->size ? known->size - offset : 0;
    assert_int_equal(done, wanted < left ? wanted : left);
    if (done > 0) {
        assert_memory_equal(data, known->data + offset, done);
    }
    free(data);
}

static void step_read(struct model *model)
{
    int node = pick_node(model, FILE_KIND_REGULAR);
    if (node >= 0) {
        check_read(model, node, pick(model, model->size_max), 1 + pick(model, model->size_max));
    }
}

static void step_truncate(struct model *model)
{
    int node = pick_node(model, FILE_KIND_REGULAR);
    if (node < 0) {
        return;
    }
    struct model_node *known = &model->nodes[node];
    size_t size = pick(model, 3) == 0 ? 0 : pick(model, model->size_max);
    assert_int_equal(of(model)->truncate(model->file_system, hold(model, node), size), FTL_OK);
    if (size < known->size) {
        known->size = size;
    } else {
        grow(known, size);
    }
    known->version++;
}

static void step_link(struct model *model)
{
    char name[MODEL_NAME];
    int node = pick_node(model, FILE_KIND_REGULAR);
    int directory = pick_node(model, FILE_KIND_DIRECTORY);
    pick_name(model, name);
    if (node < 0 || is_full(model)) {
        return;
    }
    node_t in = hold(model, directory);
    ftl_status_t status = of(model)->link(model->file_system, hold(model, node), in, name);
    if (model->nodes[node].links == 0 || model->nodes[directory].links == 0) {
        assert_int_equal(status, FTL_ERR_NOT_FOUND);
    } else if (find(model, directory, name) != NULL) {
        assert_int_equal(status, FTL_ERR_EXISTS);
    } else if (!has_no_space(model, status)) {
        assert_int_equal(status, FTL_OK);
        model->nodes[node].links++;
        add_entry(model, directory, name, node);
    }
}

static bool is_empty(const struct model *model, int directory)
{
    for (int i = 0; i < MODEL_ENTRIES; i++) {
        if (model->entries[i].is_used && model->entries[i].directory == directory) {
            return false;
        }
    }
    return true;
}

/* The name has gone. */
static void unlink_node(struct model *model, int directory, int node)
{
    struct model_node *known = &model->nodes[node];
    if (known->kind == FILE_KIND_DIRECTORY) {
        known->links = 0;
        model->nodes[directory].links--;
    } else {
        known->links--;
    }
}

static void step_remove(struct model *model)
{
    struct model_entry *entry = pick_entry(model);
    if (entry == NULL) {
        return;
    }
    int node = entry->node;
    bool is_directory = model->nodes[node].kind == FILE_KIND_DIRECTORY;
    bool as_directory = pick(model, 10) == 0 ? !is_directory : is_directory;
    node_t in = hold(model, entry->directory);
    ftl_status_t status = of(model)->remove(model->file_system, in, entry->name, as_directory);
    if (as_directory != is_directory) {
        assert_int_equal(status, is_directory ? FTL_ERR_IS_DIRECTORY : FTL_ERR_NOT_DIRECTORY);
    } else if (is_directory && !is_empty(model, node)) {
        assert_int_equal(status, FTL_ERR_NOT_EMPTY);
    } else {
        assert_int_equal(status, FTL_OK);
        entry->is_used = false;
        unlink_node(model, entry->directory, node);
    }
}

static bool is_within(const struct model *model, int directory, int above)
{
    while (directory != above) {
        int parent = -1;
        for (int i = 0; i < MODEL_ENTRIES; i++) {
            if (model->entries[i].is_used && model->entries[i].node == directory) {
                parent = model->entries[i].directory;
            }
        }
        if (parent < 0) {
            return false;
        }
        directory = parent;
    }
    return true;
}

static ftl_status_t expected_rename(struct model *model, const struct model_entry *from, int to,
                                    const struct model_entry *old)
{
    bool is_directory = model->nodes[from->node].kind == FILE_KIND_DIRECTORY;
    if (old != NULL && old->node == from->node) {
        return FTL_OK;
    }
    if (model->nodes[to].links == 0) {
        return FTL_ERR_NOT_FOUND;
    }
    if (is_directory && is_within(model, to, from->node)) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    if (old == NULL) {
        return FTL_OK;
    }
    bool is_old_directory = model->nodes[old->node].kind == FILE_KIND_DIRECTORY;
    if (is_directory != is_old_directory) {
        return is_directory ? FTL_ERR_NOT_DIRECTORY : FTL_ERR_IS_DIRECTORY;
    }
    return is_old_directory && !is_empty(model, old->node) ? FTL_ERR_NOT_EMPTY : FTL_OK;
}

static void step_rename(struct model *model)
{
    char name[MODEL_NAME];
    struct model_entry *from = pick_entry(model);
    int to = pick_node(model, FILE_KIND_DIRECTORY);
    pick_name(model, name);
    if (from == NULL || is_full(model)) {
        return;
    }
    struct model_entry *old = find(model, to, name);
    ftl_status_t expected = expected_rename(model, from, to, old);
    node_t in = hold(model, from->directory), target = hold(model, to);
    ftl_status_t status = of(model)->rename(model->file_system, in, from->name, target, name);
    if (has_no_space(model, status)) {
        return;
    }
    assert_int_equal(status, expected);
    if (status != FTL_OK || (old != NULL && old->node == from->node)) {
        return;
    }
    if (old != NULL) {
        old->is_used = false;
        unlink_node(model, to, old->node);
    }
    if (model->nodes[from->node].kind == FILE_KIND_DIRECTORY && from->directory != to) {
        model->nodes[from->directory].links--;
        model->nodes[to].links++;
    }
    from->directory = to;
    strcpy(from->name, name);
}

static void step_let_go(struct model *model)
{
    for (int i = 1; i < MODEL_NODES; i++) {
        if (pick(model, 4) == 0) {
            let_go(model, i);
        }
    }
}

void model_step(struct model *model)
{
    switch (pick(model, 20)) {
    case 0:
    case 1:
    case 2:
    case 3: step_create(model); break;
    case 4:
    case 5:
    case 6:
    case 7:
    case 8: step_write(model); break;
    case 9:
    case 10: step_read(model); break;
    case 11:
    case 12: step_truncate(model); break;
    case 13: step_link(model); break;
    case 14:
    case 15:
    case 16: step_remove(model); break;
    case 17:
    case 18: step_rename(model); break;
    default: step_let_go(model); break;
    }
}

/* Comparing: each name of a listing is one of the model's, and there are as many. */
struct comparison {
    struct model *model;
    int directory;
    int count, own;
};

static bool compare_entry(void *context, const char *name, node_t node, enum file_kind kind,
                          uint64_t cursor)
{
    struct comparison *comparison = context;
    (void)cursor;
    (void)node;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        comparison->own++;
        return true;
    }
    if (comparison->directory == 0 && strcmp(name, "lost+found") == 0) {
        return true;
    }
    struct model_entry *entry = find(comparison->model, comparison->directory, name);
    assert_non_null(entry);
    assert_int_equal(kind, comparison->model->nodes[entry->node].kind);
    comparison->count++;
    return true;
}

static void compare_node(struct model *model, int node)
{
    struct model_node *known = &model->nodes[node];
    struct file_attributes attributes;
    node_t number = hold(model, node);
    assert_int_equal(of(model)->attributes(model->file_system, number, &attributes), FTL_OK);
    assert_int_equal(attributes.kind, known->kind);
    if (node != 0) { /* which has lost+found, too */
        assert_int_equal(attributes.links, known->links);
        assert_int_equal(attributes.mode, known->mode);
    }
    if (known->kind != FILE_KIND_DIRECTORY) {
        assert_int_equal(attributes.size, known->size);
    }
    if (known->kind == FILE_KIND_REGULAR) {
        check_read(model, node, 0, known->size + 1);
    } else if (known->kind == FILE_KIND_SYMBOLIC_LINK) {
        char target[4096];
        assert_int_equal(of(model)->read_link(model->file_system, number, target, sizeof(target)),
                         FTL_OK);
        assert_string_equal(target, known->data);
    } else if (known->links > 0) {
        struct comparison comparison = { model, node, 0, 0 };
        assert_int_equal(of(model)->list(model->file_system, number, 0, compare_entry, &comparison),
                         FTL_OK);
        assert_int_equal(comparison.own, 2);
        for (int i = 0; i < MODEL_ENTRIES; i++) {
            comparison.count -= model->entries[i].is_used && model->entries[i].directory == node;
        }
        assert_int_equal(comparison.count, 0);
    }
}

void model_compare(struct model *model)
{
    for (int i = 0; i < MODEL_NODES; i++) {
        if (is_in_use(&model->nodes[i])) {
            compare_node(model, i);
        }
    }
}

uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

/* The order of names does not matter: hashes are added up. */
static uint64_t hash_name(uint64_t path, const char *name, enum file_kind kind, uint64_t size,
                          uint32_t links)
{
    uint64_t hash = hash_bytes(path, name, strlen(name));
    hash = hash_bytes(hash, &kind, sizeof(kind));
    if (kind != FILE_KIND_DIRECTORY) {
        hash = hash_bytes(hash, &size, sizeof(size));
    }
    return hash_bytes(hash, &links, sizeof(links));
}

static uint64_t hash_directory(const struct model *model, int directory, uint64_t path)
{
    uint64_t sum = 0;
    for (int i = 0; i < MODEL_ENTRIES; i++) {
        const struct model_entry *entry = &model->entries[i];
        if (entry->is_used && entry->directory == directory) {
            const struct model_node *node = &model->nodes[entry->node];
            sum += hash_name(path, entry->name, node->kind, node->size, node->links);
            if (node->kind == FILE_KIND_DIRECTORY) {
                sum += hash_directory(model, entry->node,
                                      hash_bytes(path, entry->name, strlen(entry->name)));
            }
        }
    }
    return sum;
}

uint64_t model_hash(const struct model *model)
{
    return hash_directory(model, 0, 1);
}

/* A visitor may call no operation: it collects what is there. */
struct listed {
    struct listed *next;
    enum file_kind kind;
    char name[MODEL_NAME];
};

static bool collect(void *context, const char *name, node_t number, enum file_kind kind,
                    uint64_t cursor)
{
    struct listed **list = context, *item = malloc(sizeof(*item));
    (void)number;
    (void)cursor;
    assert_non_null(item);
    item->next = *list;
    item->kind = kind;
    strcpy(item->name, name);
    *list = item;
    return true;
}

static uint64_t hash_listed(struct file_system *file_system, node_t directory, uint64_t path,
                            bool is_root)
{
    const struct file_system_operations *operations = file_system->operations;
    struct listed *list = NULL;
    uint64_t sum = 0;
    assert_int_equal(operations->list(file_system, directory, 0, collect, &list), FTL_OK);
    while (list != NULL) {
        struct listed *item = list;
        struct file_attributes attributes;
        node_t node;
        list = item->next;
        if (strcmp(item->name, ".") != 0 && strcmp(item->name, "..") != 0 &&
            !(is_root && strcmp(item->name, "lost+found") == 0)) {
            assert_int_equal(operations->look_up(file_system, directory, item->name, &node),
                             FTL_OK);
            assert_int_equal(operations->attributes(file_system, node, &attributes), FTL_OK);
            assert_int_equal(attributes.kind, item->kind);
            sum += hash_name(path, item->name, item->kind, attributes.size, attributes.links);
            if (item->kind == FILE_KIND_DIRECTORY) {
                sum += hash_listed(file_system, node,
                                   hash_bytes(path, item->name, strlen(item->name)), false);
            }
            operations->release(file_system, node);
        }
        free(item);
    }
    return sum;
}

uint64_t file_system_hash(struct file_system *file_system)
{
    return hash_listed(file_system, file_system->operations->root(file_system), 1, true);
}
