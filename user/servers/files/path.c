/* Ways through the tree of files: see path.h. */
#include "path.h"

#include <string.h>

/* A path with the target of a symbolic link in front of what is left of it. */
#define REST_SIZE ((size_t)2 * (PATH_MAX_SIZE + 1))

/* A walk in progress. */
struct walker {
    struct walk *walk;
    struct place root;
    struct place at; /* where the walk has come to */
    enum file_kind kind;
    unsigned links;
    bool follow;
    const char *rest;
};

static const struct file_system_operations *operations_of(struct place place)
{
    return place.mount->file_system->operations;
}

static ftl_status_t look(struct place place, struct file_attributes *attributes)
{
    return operations_of(place)->attributes(place.mount->file_system, place.node, attributes);
}

static void go_to(struct walker *walker, struct place place, enum file_kind kind)
{
    place_release(&walker->at);
    walker->at = place;
    walker->kind = kind;
}

/* ---- Up ---- */

/* Whether a directory lies below the root, which it does not when it was moved away from there. */
static ftl_status_t check_below(struct place directory, struct place root)
{
    struct place at = directory;
    ftl_status_t status = FTL_OK;
    at.is_held = false;
    while (status == FTL_OK && !place_equals(at, root)) {
        struct place above;
        if (place_equals(at, place_of_root(tree_root()))) {
            status = FTL_ERR_NOT_FOUND;
        } else {
            status = place_parent(at, &above);
            place_release(&at);
            at = above;
        }
    }
    place_release(&at);
    return status;
}

/* Goes to the directory above, but not above the root. */
static ftl_status_t go_up(struct walker *walker)
{
    struct place above;
    ftl_status_t status = FTL_OK;
    if (place_equals(walker->at, walker->root)) {
        return FTL_OK;
    }
    if (!place_equals(walker->root, place_of_root(tree_root()))) {
        status = check_below(walker->at, walker->root);
    }
    if (status == FTL_OK) {
        status = place_parent(walker->at, &above);
    }
    if (status == FTL_OK) {
        go_to(walker, above, FILE_KIND_DIRECTORY);
    }
    return status;
}

/* ---- Names ---- */

static void skip_slashes(struct walker *walker)
{
    while (*walker->rest == '/') {
        walker->rest++;
    }
}

/* Takes the next name off the rest. */
static ftl_status_t take_name(struct walker *walker, char name[NAME_MAX_SIZE + 1])
{
    size_t size = strcspn(walker->rest, "/");
    if (size > NAME_MAX_SIZE) {
        return FTL_ERR_NAME_TOO_LONG;
    }
    memcpy(name, walker->rest, size);
    name[size] = '\0';
    walker->rest += size;
    return FTL_OK;
}

/* Puts the target of a symbolic link in front of the rest, and goes to where it begins. */
static ftl_status_t expand(struct walker *walker, struct place link)
{
    static char target[PATH_MAX_SIZE + 1];
    static char paths[2][REST_SIZE]; /* the rest lies in one, and is put together in the other */
    char *whole =
        walker->rest >= paths[0] && walker->rest < paths[0] + REST_SIZE ? paths[1] : paths[0];
    if (++walker->links > LINKS_MAX) {
        return FTL_ERR_LOOP;
    }
    ftl_status_t status =
        operations_of(link)->read_link(link.mount->file_system, link.node, target, sizeof(target));
    if (status != FTL_OK) {
        return status;
    }
    if (target[0] == '\0') {
        return FTL_ERR_NOT_FOUND;
    }
    size_t size = strnlen(target, sizeof(target));
    size_t rest_size = strlen(walker->rest);
    if (size + rest_size >= REST_SIZE) {
        return FTL_ERR_NAME_TOO_LONG;
    }
    memcpy(whole, target, size);
    memcpy(whole + size, walker->rest, rest_size + 1);
    walker->rest = whole;
    if (target[0] == '/') {
        go_to(walker, walker->root, FILE_KIND_DIRECTORY);
    }
    return FTL_OK;
}

/*
 * Looks a name up in the directory that the walk has come to. Not being there is no error: then
 * `found` is none.
 */
static ftl_status_t look_up(const struct walker *walker, const char *name, struct place *found,
                            struct file_attributes *attributes)
{
    struct place at = walker->at;
    *found = (struct place){ .mount = at.mount, .is_held = true };
    ftl_status_t status =
        operations_of(at)->look_up(at.mount->file_system, at.node, name, &found->node);
    if (status != FTL_OK) {
        *found = (struct place){ .mount = NULL };
        return status == FTL_ERR_NOT_FOUND ? FTL_OK : status;
    }
    place_enter_mounts(found);
    status = look(*found, attributes);
    if (status != FTL_OK) {
        place_release(found);
    }
    return status;
}

/* The walk ends in a name of the directory that it has come to. */
static void arrive(struct walker *walker, const char *name, struct place found,
                   const struct file_attributes *attributes)
{
    struct walk *walk = walker->walk;
    walk->directory = walker->at;
    walker->at = (struct place){ .mount = NULL };
    strcpy(walk->name, name);
    walk->found = found;
    walk->attributes = *attributes;
}

/* One step: by the next name of the rest. `*done`: it was the last, and the walk has arrived. */
static ftl_status_t step(struct walker *walker, bool *done)
{
    char name[NAME_MAX_SIZE + 1];
    struct file_attributes attributes = { 0 };
    struct place found;
    ftl_status_t status = take_name(walker, name);
    if (status != FTL_OK) {
        return status;
    }
    if (walker->kind != FILE_KIND_DIRECTORY) {
        return FTL_ERR_NOT_DIRECTORY;
    }
    bool slash = walker->rest[0] == '/';
    bool is_last = walker->rest[strspn(walker->rest, "/")] == '\0';
    if (strcmp(name, ".") == 0) {
        return FTL_OK;
    }
    if (strcmp(name, "..") == 0) {
        return go_up(walker);
    }
    status = look_up(walker, name, &found, &attributes);
    if (status != FTL_OK) {
        return status;
    }
    if (found.mount == NULL && !is_last) {
        return FTL_ERR_NOT_FOUND;
    }
    if (found.mount != NULL && attributes.kind == FILE_KIND_SYMBOLIC_LINK &&
        (!is_last || slash || walker->follow)) {
        status = expand(walker, found);
        place_release(&found);
        return status;
    }
    if (is_last) {
        walker->walk->is_directory_wanted = slash;
        arrive(walker, name, found, &attributes);
        *done = true;
        return FTL_OK;
    }
    go_to(walker, found, (enum file_kind)attributes.kind);
    return FTL_OK;
}

/* The walk ends where it has come to, which has no name of its own there. */
static ftl_status_t stay(struct walker *walker)
{
    struct walk *walk = walker->walk;
    ftl_status_t status = look(walker->at, &walk->attributes);
    if (status == FTL_OK) {
        walk->found = walker->at;
        walker->at = (struct place){ .mount = NULL };
    }
    return status;
}

ftl_status_t walk_start(struct walk *walk, struct place start, struct place root, const char *path,
                        bool follow)
{
    struct walker walker = {
        .walk = walk,
        .root = root,
        .at = path[0] == '/' ? root : start,
        .kind = FILE_KIND_DIRECTORY,
        .follow = follow,
        .rest = path,
    };
    bool done = false;
    ftl_status_t status = FTL_OK;
    memset(walk, 0, sizeof(*walk));
    walker.at.is_held = false;
    walker.root.is_held = false;
    if (path[0] != '/' && path[0] != '\0') { /* only a directory leads on */
        struct file_attributes attributes;
        status = look(start, &attributes);
        walker.kind = (enum file_kind)attributes.kind;
    }
    skip_slashes(&walker);
    while (status == FTL_OK && !done && walker.rest[0] != '\0') {
        status = step(&walker, &done);
        skip_slashes(&walker);
    }
    if (status == FTL_OK && !done) {
        status = stay(&walker);
    }
    if (status == FTL_OK && walk->found.mount != NULL && walk->is_directory_wanted &&
        walk->attributes.kind != FILE_KIND_DIRECTORY) {
        status = FTL_ERR_NOT_DIRECTORY;
    }
    place_release(&walker.at);
    if (status != FTL_OK) {
        walk_end(walk);
    }
    return status;
}

ftl_status_t walk_to(struct walk *walk, struct place start, struct place root, const char *path,
                     bool follow)
{
    ftl_status_t status = walk_start(walk, start, root, path, follow);
    if (status == FTL_OK && walk->found.mount == NULL) {
        walk_end(walk);
        status = FTL_ERR_NOT_FOUND;
    }
    return status;
}

void walk_end(struct walk *walk)
{
    place_release(&walk->found);
    place_release(&walk->directory);
}

/* ---- Back ---- */

/* Looks for the name of a node in a directory. */
struct search {
    node_t node;
    char *name;
    bool is_found;
};

static bool is_other(void *context, const char *name, node_t node, enum file_kind kind,
                     uint64_t cursor)
{
    struct search *search = context;
    (void)cursor;
    if (node == search->node && kind == FILE_KIND_DIRECTORY && strcmp(name, ".") != 0 &&
        strcmp(name, "..") != 0) {
        strcpy(search->name, name);
        search->is_found = true;
    }
    return !search->is_found;
}

/* The name that a directory, no root of a file system, has in the one above. */
static ftl_status_t name_of(struct place directory, struct place above,
                            char name[NAME_MAX_SIZE + 1])
{
    struct search search = { .node = directory.node, .name = name };
    ftl_status_t status =
        operations_of(above)->list(above.mount->file_system, above.node, 0, is_other, &search);
    return status == FTL_OK && !search.is_found ? FTL_ERR_NOT_FOUND : status;
}

ftl_status_t path_of(struct place directory, char path[PATH_MAX_SIZE + 1])
{
    char *start = path + PATH_MAX_SIZE; /* it grows towards the front */
    struct place at = directory;
    ftl_status_t status = FTL_OK;
    *start = '\0';
    at.is_held = false;
    while (status == FTL_OK && !place_equals(at, place_of_root(tree_root()))) {
        char name[NAME_MAX_SIZE + 1];
        struct place above = { .mount = NULL };
        while (at.node == at.mount->root && at.mount->point != NULL) {
            struct place point = place_of_file(at.mount->point);
            place_release(&at);
            at = point;
        }
        status = place_parent(at, &above);
        if (status == FTL_OK) {
            status = name_of(at, above, name);
        }
        if (status == FTL_OK && strlen(name) + 1 > (size_t)(start - path)) {
            status = FTL_ERR_NAME_TOO_LONG;
        }
        if (status == FTL_OK) {
            start -= strlen(name);
            memcpy(start, name, strlen(name));
            *--start = '/';
        }
        place_release(&at);
        at = above;
    }
    place_release(&at);
    if (*start == '\0') {
        *--start = '/';
    }
    memmove(path, start, strlen(start) + 1);
    return status;
}
