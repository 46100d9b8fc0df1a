/* A file system for tests: see files_fake.h. */
#include "files_fake.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MAX   256u
#define ENTRIES_MAX 256u
#define DATA_MAX    65536u
#define ROOT        1u

struct node {
    bool exists;
    enum file_kind kind;
    uint32_t mode;
    unsigned links;
    unsigned held;
    node_t parent; /* of a directory */
    char *data;    /* of a file; the target of a link */
    size_t size;
    int64_t modified;
};

struct entry {
    node_t directory; /* 0: none */
    node_t node;
    char name[256];
};

struct fake {
    struct file_system file_system;
    struct node nodes[NODES_MAX];
    struct entry entries[ENTRIES_MAX]; /* cursors are places in it */
    ftl_status_t next_error;
    unsigned idles;
    unsigned syncs;
};

static struct fake *fake_of(struct file_system *file_system)
{
    return (struct fake *)(void *)file_system;
}

/* A node that the server may name: the root, or one that it holds. */
static struct node *node_of(struct file_system *self, node_t node)
{
    struct node *found = &fake_of(self)->nodes[node];
    assert(node != 0 && node < NODES_MAX && found->exists);
    assert(node == ROOT || found->held != 0);
    return found;
}

static void check_name(const char *name)
{
    assert(name[0] != '\0' && strlen(name) <= 255 && strchr(name, '/') == NULL);
    assert(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
}

static struct entry *entry_of(struct file_system *self, node_t directory, const char *name)
{
    struct fake *fake = fake_of(self);
    check_name(name);
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        struct entry *entry = &fake->entries[i];
        if (entry->directory == directory && strcmp(entry->name, name) == 0) {
            return entry;
        }
    }
    return NULL;
}

static ftl_status_t take_error(struct file_system *self)
{
    ftl_status_t status = fake_of(self)->next_error;
    assert(!self->is_read_only);
    fake_of(self)->next_error = FTL_OK;
    return status;
}

static node_t root_of(struct file_system *self)
{
    (void)self;
    return ROOT;
}

static void free_if_unused(struct node *node)
{
    if (node->held == 0 && node->links == 0) {
        free(node->data);
        memset(node, 0, sizeof(*node));
    }
}

static void release(struct file_system *self, node_t node)
{
    struct node *released = node_of(self, node);
    assert(released->held != 0);
    released->held--;
    free_if_unused(released);
}

static ftl_status_t look_up(struct file_system *self, node_t directory, const char *name,
                            node_t *node)
{
    if (node_of(self, directory)->kind != FILE_KIND_DIRECTORY) {
        return FTL_ERR_NOT_DIRECTORY;
    }
    const struct entry *entry = entry_of(self, directory, name);
    if (entry == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    fake_of(self)->nodes[entry->node].held++;
    *node = entry->node;
    return FTL_OK;
}

static ftl_status_t parent(struct file_system *self, node_t directory, node_t *node)
{
    *node = node_of(self, directory)->parent;
    fake_of(self)->nodes[*node].held++;
    return FTL_OK;
}

static ftl_status_t attributes(struct file_system *self, node_t node,
                               struct file_attributes *attributes)
{
    const struct node *of = node_of(self, node);
    *attributes = (struct file_attributes){
        .number = node,
        .size = of->size,
        .links = of->links,
        .mode = of->mode,
        .modified = of->modified,
        .kind = (uint8_t)of->kind,
    };
    return FTL_OK;
}

static ftl_status_t set_attributes(struct file_system *self, node_t node, uint32_t fields,
                                   const struct file_attributes *attributes)
{
    struct node *of = node_of(self, node);
    if ((fields & FILE_FIELDS_MODE) != 0) {
        of->mode = attributes->mode;
    }
    if ((fields & FILE_FIELDS_MODIFIED) != 0) {
        of->modified = attributes->modified;
    }
    return take_error(self);
}

static ftl_status_t list(struct file_system *self, node_t directory, uint64_t cursor,
                         entry_visitor_t visit, void *context)
{
    struct fake *fake = fake_of(self);
    node_of(self, directory);
    if (cursor == 0 && !visit(context, ".", directory, FILE_KIND_DIRECTORY, 0)) {
        return FTL_OK;
    }
    for (uint64_t i = cursor; i < ENTRIES_MAX; i++) {
        const struct entry *entry = &fake->entries[i];
        if (entry->directory == directory &&
            !visit(context, entry->name, entry->node, fake->nodes[entry->node].kind, i + 1)) {
            break;
        }
    }
    return FTL_OK;
}

static ftl_status_t read(struct file_system *self, node_t node, uint64_t offset, void *data,
                         size_t *size)
{
    const struct node *of = node_of(self, node);
    assert(of->kind == FILE_KIND_REGULAR && *size != 0);
    size_t left = offset < of->size ? of->size - (size_t)offset : 0;
    *size = *size < left ? *size : left;
    memcpy(data, of->data + (*size != 0 ? offset : 0), *size);
    return FTL_OK;
}

static ftl_status_t resize(struct node *node, uint64_t size)
{
    if (size > DATA_MAX) {
        return FTL_ERR_TOO_LARGE;
    }
    char *data = calloc(1, (size_t)size + 1);
    assert(data != NULL);
    memcpy(data, node->data, node->size < size ? node->size : (size_t)size);
    free(node->data);
    node->data = data;
    node->size = (size_t)size;
    return FTL_OK;
}

static ftl_status_t write(struct file_system *self, node_t node, uint64_t offset, const void *data,
                          size_t *size)
{
    struct node *of = node_of(self, node);
    ftl_status_t status = take_error(self);
    assert(of->kind == FILE_KIND_REGULAR && *size != 0);
    if (status == FTL_OK && offset + *size > of->size) {
        status = resize(of, offset + *size);
    }
    if (status != FTL_OK) {
        *size = 0;
        return status;
    }
    memcpy(of->data + offset, data, *size);
    return FTL_OK;
}

static ftl_status_t truncate(struct file_system *self, node_t node, uint64_t size)
{
    ftl_status_t status = take_error(self);
    assert(node_of(self, node)->kind == FILE_KIND_REGULAR);
    return status == FTL_OK ? resize(node_of(self, node), size) : status;
}

/* Makes a node and its name. */
static ftl_status_t add(struct file_system *self, node_t directory, const char *name,
                        const struct node *from, node_t *made)
{
    struct fake *fake = fake_of(self);
    node_t node = ROOT;
    size_t place = 0;
    ftl_status_t status = take_error(self);
    assert(node_of(self, directory)->kind == FILE_KIND_DIRECTORY);
    assert(entry_of(self, directory, name) == NULL);
    while (fake->nodes[node].exists) {
        node++;
        assert(node < NODES_MAX);
    }
    while (fake->entries[place].directory != 0) {
        place++;
        assert(place < ENTRIES_MAX);
    }
    if (status != FTL_OK) {
        return status;
    }
    fake->nodes[node] = *from;
    fake->nodes[node].exists = true;
    fake->nodes[node].links = 1;
    fake->nodes[node].parent = directory;
    if (fake->nodes[node].data == NULL) {
        fake->nodes[node].data = calloc(1, 1);
    }
    fake->entries[place].directory = directory;
    fake->entries[place].node = node;
    strcpy(fake->entries[place].name, name);
    *made = node;
    return FTL_OK;
}

static ftl_status_t create(struct file_system *self, node_t directory, const char *name,
                           uint32_t mode, node_t *node)
{
    struct node made = { .kind = FILE_KIND_REGULAR, .mode = mode, .held = 1 };
    return add(self, directory, name, &made, node);
}

static ftl_status_t make_directory(struct file_system *self, node_t directory, const char *name,
                                   uint32_t mode)
{
    struct node made = { .kind = FILE_KIND_DIRECTORY, .mode = mode };
    node_t node;
    return add(self, directory, name, &made, &node);
}

static ftl_status_t make_link(struct file_system *self, node_t directory, const char *name,
                              const char *target)
{
    struct node made = { .kind = FILE_KIND_SYMBOLIC_LINK, .size = strlen(target) };
    node_t node;
    ftl_status_t status = add(self, directory, name, &made, &node);
    if (status == FTL_OK) {
        free(fake_of(self)->nodes[node].data);
        fake_of(self)->nodes[node].data = strdup(target);
    }
    return status;
}

static ftl_status_t read_link(struct file_system *self, node_t node, char *target, size_t size)
{
    assert(node_of(self, node)->kind == FILE_KIND_SYMBOLIC_LINK &&
           size > node_of(self, node)->size);
    strcpy(target, node_of(self, node)->data);
    return FTL_OK;
}

static ftl_status_t link(struct file_system *self, node_t node, node_t directory, const char *name)
{
    struct fake *fake = fake_of(self);
    size_t place = 0;
    assert(node_of(self, node)->kind != FILE_KIND_DIRECTORY);
    assert(node_of(self, directory)->kind == FILE_KIND_DIRECTORY);
    assert(entry_of(self, directory, name) == NULL);
    while (fake->entries[place].directory != 0) {
        place++;
        assert(place < ENTRIES_MAX);
    }
    fake->entries[place] = (struct entry){ .directory = directory, .node = node };
    strcpy(fake->entries[place].name, name);
    fake->nodes[node].links++;
    return take_error(self);
}

static bool is_empty(struct file_system *self, node_t directory)
{
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        if (fake_of(self)->entries[i].directory == directory) {
            return false;
        }
    }
    return true;
}

static ftl_status_t remove_entry(struct file_system *self, struct entry *entry)
{
    struct node *node = &fake_of(self)->nodes[entry->node];
    if (node->kind == FILE_KIND_DIRECTORY && !is_empty(self, entry->node)) {
        return FTL_ERR_NOT_EMPTY;
    }
    *entry = (struct entry){ 0 };
    node->links--;
    free_if_unused(node);
    return FTL_OK;
}

static ftl_status_t remove(struct file_system *self, node_t directory, const char *name,
                           bool is_directory)
{
    struct entry *entry = entry_of(self, directory, name);
    ftl_status_t status = take_error(self);
    node_of(self, directory);
    assert(entry != NULL);
    assert(is_directory == (fake_of(self)->nodes[entry->node].kind == FILE_KIND_DIRECTORY));
    return status == FTL_OK ? remove_entry(self, entry) : status;
}

static ftl_status_t rename(struct file_system *self, node_t from, const char *from_name, node_t to,
                           const char *to_name)
{
    struct entry *moved = entry_of(self, from, from_name);
    struct entry *replaced = entry_of(self, to, to_name);
    ftl_status_t status = take_error(self);
    assert(moved != NULL && moved != replaced);
    node_of(self, to);
    if (status == FTL_OK && replaced != NULL) {
        status = remove_entry(self, replaced);
    }
    if (status == FTL_OK) {
        moved->directory = to;
        strcpy(moved->name, to_name);
        fake_of(self)->nodes[moved->node].parent = to;
    }
    return status;
}

static ftl_status_t sync_node(struct file_system *self, node_t node)
{
    node_of(self, node);
    fake_of(self)->syncs++;
    return FTL_OK;
}

static ftl_status_t sync(struct file_system *self)
{
    fake_of(self)->syncs++;
    return FTL_OK;
}

static void idle(struct file_system *self)
{
    fake_of(self)->idles++;
}

static void usage(struct file_system *self, struct file_system_usage *usage)
{
    (void)self;
    *usage = (struct file_system_usage){ .block_size = 1, .name_max = 255, .identity = 42 };
}

static ftl_status_t unmount(struct file_system *self)
{
    assert(fake_held(self) == 0);
    for (size_t i = 0; i < NODES_MAX; i++) {
        free(fake_of(self)->nodes[i].data);
    }
    free(self);
    return FTL_OK;
}

struct file_system *fake_file_system(void)
{
    static const struct file_system_operations operations = {
        .type = "fake",
        .root = root_of,
        .release = release,
        .look_up = look_up,
        .parent = parent,
        .attributes = attributes,
        .set_attributes = set_attributes,
        .list = list,
        .read = read,
        .write = write,
        .truncate = truncate,
        .create = create,
        .make_directory = make_directory,
        .make_link = make_link,
        .read_link = read_link,
        .link = link,
        .remove = remove,
        .rename = rename,
        .sync_node = sync_node,
        .sync = sync,
        .idle = idle,
        .usage = usage,
        .unmount = unmount,
    };
    struct fake *fake = calloc(1, sizeof(*fake));
    assert(fake != NULL);
    fake->file_system.operations = &operations;
    fake->nodes[ROOT] = (struct node){ .exists = true,
                                       .kind = FILE_KIND_DIRECTORY,
                                       .links = 1,
                                       .parent = ROOT,
                                       .data = calloc(1, 1) };
    return &fake->file_system;
}

unsigned fake_held(struct file_system *file_system)
{
    unsigned held = 0;
    for (size_t i = 0; i < NODES_MAX; i++) {
        held += fake_of(file_system)->nodes[i].held;
    }
    return held;
}

void fake_fail_next(struct file_system *file_system, ftl_status_t status)
{
    fake_of(file_system)->next_error = status;
}

unsigned fake_idles(struct file_system *file_system)
{
    return fake_of(file_system)->idles;
}

unsigned fake_syncs(struct file_system *file_system)
{
    return fake_of(file_system)->syncs;
}
