/*
 * The protocol `file`: each handler checks what the client asks for and has the tree and the file
 * system do it. See service.h.
 */
#include "service.h"

#include <ftl/file_memory.h>
#include <string.h>

#include "lock.h"
#include "path.h"

#define MODE_BITS       07777u
#define FILE_SIZE_MAX   ((uint64_t)INT64_MAX)
#define ENTRY_ALIGNMENT _Alignof(struct ftl_file_entry)

static const struct file_system_operations *operations_of(const struct mount *mount)
{
    return mount->file_system->operations;
}

/* ---- What clients name ---- */

static ftl_status_t find(struct session *session, uint32_t number, struct opened **opened)
{
    *opened = session_find(session, number);
    return *opened != NULL ? FTL_OK : FTL_ERR_HANDLE_CLOSED;
}

/*
 * Follows a path of the client. A session without a root cannot leave the directories that it was
 * given, so each is a root to what begins there.
 */
static ftl_status_t follow(struct session *session, uint32_t base, const char *path,
                           bool follow_last, struct walk *walk)
{
    struct opened *start;
    ftl_status_t status = find(session, base, &start);
    if (status != FTL_OK) {
        return status;
    }
    struct opened *root = session_find(session, 0);
    return walk_start(walk, place_of_file(start->file),
                      place_of_file(root != NULL ? root->file : start->file), path, follow_last);
}

/* The same to something that has to be there. */
static ftl_status_t follow_to(struct session *session, uint32_t base, const char *path,
                              bool follow_last, struct walk *walk)
{
    ftl_status_t status = follow(session, base, path, follow_last, walk);
    if (status == FTL_OK && walk->found.mount == NULL) {
        walk_end(walk);
        status = FTL_ERR_NOT_FOUND;
    }
    return status;
}

/* Whether the client may change the file system, which from then on counts as changed. */
static ftl_status_t change(const struct session *session, struct mount *mount)
{
    if (session->is_read_only || mount->file_system->is_read_only) {
        return FTL_ERR_READ_ONLY;
    }
    tree_touch(mount);
    return FTL_OK;
}

/* ---- Opening ---- */

static ftl_status_t attach(void *context, struct file_attach_request *request)
{
    struct session *session = context;
    if (session->memory.vmo != FTL_HANDLE_INVALID) {
        return FTL_ERR_EXISTS;
    }
    ftl_status_t status = client_memory_map(&session->memory, request->memory);
    if (status == FTL_OK) {
        ftl_ipc_take(&request->memory);
    }
    return status;
}

/* Whether what was found can be opened so. */
static ftl_status_t check_found(const struct session *session, const struct walk *walk,
                                uint32_t access)
{
    bool accesses = (access & (FILE_ACCESS_READ | FILE_ACCESS_WRITE)) != 0;
    bool writes = (access & FILE_ACCESS_WRITE) != 0;
    if ((access & FILE_ACCESS_CREATE) != 0 && (access & FILE_ACCESS_EXCLUSIVE) != 0) {
        return FTL_ERR_EXISTS;
    }
    switch (walk->attributes.kind) {
    case FILE_KIND_DIRECTORY:
        return writes || (access & FILE_ACCESS_CREATE) != 0 ? FTL_ERR_IS_DIRECTORY : FTL_OK;
    case FILE_KIND_SYMBOLIC_LINK:
        if (accesses) {
            return FTL_ERR_LOOP;
        }
        break;
    case FILE_KIND_OTHER:
        if (accesses) {
            return FTL_ERR_NOT_SUPPORTED;
        }
        break;
    default: break;
    }
    if ((access & FILE_ACCESS_DIRECTORY) != 0) {
        return FTL_ERR_NOT_DIRECTORY;
    }
    return writes ? change(session, walk->found.mount) : FTL_OK;
}

/* Makes the regular file that the walk has not found. */
static ftl_status_t create(const struct session *session, struct walk *walk, uint32_t access,
                           uint32_t mode)
{
    struct mount *mount = walk->directory.mount;
    if ((access & FILE_ACCESS_CREATE) == 0) {
        return FTL_ERR_NOT_FOUND;
    }
    if (walk->is_directory_wanted || (access & FILE_ACCESS_DIRECTORY) != 0) {
        return FTL_ERR_IS_DIRECTORY;
    }
    ftl_status_t status = change(session, mount);
    if (status == FTL_OK) {
        walk->found = (struct place){ .mount = mount, .is_held = true };
        walk->attributes.kind = FILE_KIND_REGULAR;
        status = operations_of(mount)->create(mount->file_system, walk->directory.node, walk->name,
                                              mode & MODE_BITS, &walk->found.node);
    }
    if (status != FTL_OK) {
        walk->found = (struct place){ .mount = NULL };
    }
    return status;
}

/* Finds or makes what is to be opened. */
static ftl_status_t find_to_open(struct session *session, const struct file_open_request *request,
                                 struct walk *walk)
{
    uint32_t access = request->access;
    bool makes = (access & FILE_ACCESS_CREATE) != 0 && (access & FILE_ACCESS_EXCLUSIVE) != 0;
    bool follows = (access & FILE_ACCESS_NO_FOLLOW) == 0 && !makes;
    if ((access & FILE_ACCESS_TRUNCATE) != 0 && (access & FILE_ACCESS_WRITE) == 0) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    ftl_status_t status = follow(session, request->base, request->path, follows, walk);
    if (status != FTL_OK) {
        return status;
    }
    status = walk->found.mount != NULL ? check_found(session, walk, access)
                                       : create(session, walk, access, request->mode);
    if (status == FTL_OK && (access & FILE_ACCESS_TRUNCATE) != 0 && walk->attributes.size != 0) {
        struct mount *mount = walk->found.mount;
        status = operations_of(mount)->truncate(mount->file_system, walk->found.node, 0);
    }
    if (status != FTL_OK) {
        walk_end(walk);
    }
    return status;
}

static ftl_status_t open(void *context, struct file_open_request *request,
                         struct file_open_reply *reply)
{
    struct session *session = context;
    struct walk walk;
    struct file *file;
    struct opened *opened;
    ftl_status_t status = session_reserve(session, &reply->file);
    if (status == FTL_OK) {
        status = find_to_open(session, request, &walk);
    }
    if (status != FTL_OK) {
        return status;
    }
    reply->kind = walk.attributes.kind;
    status = file_at(&walk.found, (enum file_kind)walk.attributes.kind, &file);
    walk_end(&walk);
    if (status == FTL_OK) {
        status = opened_create(file, request->access, &opened);
    }
    if (status == FTL_OK) {
        session_put(session, reply->file, opened);
    }
    return status;
}

static ftl_status_t close(void *context, struct file_close_request *request)
{
    struct session *session = context;
    struct opened *opened;
    ftl_status_t status = find(session, request->file, &opened);
    if (status == FTL_OK && request->file == 0) {
        status = FTL_ERR_INVALID_ARGUMENT;
    }
    if (status == FTL_OK) {
        session_remove(session, request->file);
    }
    return status;
}

/* ---- Data ---- */

/* A transfer between an open file and the client's memory. */
struct transfer {
    struct opened *opened;
    struct file *file;
    void *data;
    size_t size;
    uint64_t offset;
    bool moves; /* the position */
};

/* Checks what a call asks for; `access`: the right that it needs. */
static ftl_status_t begin_transfer(struct session *session, struct transfer *transfer,
                                   const struct file_read_request *request, uint32_t access)
{
    ftl_status_t status = find(session, request->file, &transfer->opened);
    if (status != FTL_OK) {
        return status;
    }
    struct opened *opened = transfer->opened;
    transfer->file = opened->file;
    if ((opened->access & access) == 0) {
        return FTL_ERR_MISSING_RIGHT;
    }
    if (transfer->file->kind == FILE_KIND_DIRECTORY) {
        return FTL_ERR_IS_DIRECTORY;
    }
    if (request->offset < -1) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    transfer->moves = request->offset == -1;
    transfer->offset = transfer->moves ? opened->position : (uint64_t)request->offset;
    transfer->size = request->size;
    return client_memory_at(&session->memory, request->place, request->size, &transfer->data);
}

static void end_transfer(const struct transfer *transfer)
{
    if (transfer->moves) {
        transfer->opened->position = transfer->offset + transfer->size;
    }
}

static ftl_status_t read(void *context, struct file_read_request *request,
                         struct file_read_reply *reply)
{
    struct transfer transfer;
    ftl_status_t status = begin_transfer(context, &transfer, request, FILE_ACCESS_READ);
    if (status == FTL_OK && transfer.size != 0) {
        struct mount *mount = transfer.file->mount;
        status = operations_of(mount)->read(mount->file_system, transfer.file->node,
                                            transfer.offset, transfer.data, &transfer.size);
    }
    if (status == FTL_OK) {
        end_transfer(&transfer);
        reply->size = (uint32_t)transfer.size;
    }
    return status;
}

static ftl_status_t size_of(const struct file *file, uint64_t *size)
{
    struct file_attributes attributes;
    ftl_status_t status =
        operations_of(file->mount)->attributes(file->mount->file_system, file->node, &attributes);
    *size = status == FTL_OK ? attributes.size : 0;
    return status;
}

static ftl_status_t write(void *context, struct file_write_request *request,
                          struct file_write_reply *reply)
{
    struct transfer transfer;
    struct file_read_request place = {
        .file = request->file,
        .place = request->place,
        .size = request->size,
        .offset = request->offset,
    };
    ftl_status_t status = begin_transfer(context, &transfer, &place, FILE_ACCESS_WRITE);
    if (status == FTL_OK && (transfer.opened->access & FILE_ACCESS_APPEND) != 0) {
        status = size_of(transfer.file, &transfer.offset);
    }
    if (status == FTL_OK) {
        status = change(context, transfer.file->mount);
    }
    if (status == FTL_OK && transfer.size > FILE_SIZE_MAX - transfer.offset) {
        status = FTL_ERR_TOO_LARGE;
    }
    if (status == FTL_OK && transfer.size != 0) {
        struct mount *mount = transfer.file->mount;
        status = operations_of(mount)->write(mount->file_system, transfer.file->node,
                                             transfer.offset, transfer.data, &transfer.size);
    }
    if (status == FTL_OK) {
        end_transfer(&transfer);
        reply->size = (uint32_t)transfer.size;
    }
    return status;
}

/* ---- Positions ---- */

/* The next place in a hole, or in none, of a file of this size. */
static ftl_status_t seek_hole(const struct file *file, bool hole, uint64_t size, uint64_t *offset)
{
    struct mount *mount = file->mount;
    if (*offset >= size) {
        return FTL_ERR_OUT_OF_RANGE;
    }
    if (operations_of(mount)->seek != NULL) {
        return operations_of(mount)->seek(mount->file_system, file->node, hole, offset);
    }
    *offset = hole ? size : *offset;
    return FTL_OK;
}

/* The position that is asked for, from the current one and the size on. */
static ftl_status_t new_position(const struct opened *opened,
                                 const struct file_seek_request *request, uint64_t *position)
{
    uint64_t size = 0;
    int64_t from = 0;
    int64_t to;
    ftl_status_t status = FTL_OK;
    if (request->origin == FILE_ORIGIN_POSITION) {
        from = (int64_t)opened->position;
    } else if (request->origin != FILE_ORIGIN_START) {
        status = size_of(opened->file, &size);
        from = request->origin == FILE_ORIGIN_END ? (int64_t)size : 0;
    }
    if (status != FTL_OK) {
        return status;
    }
    if (__builtin_add_overflow(from, request->offset, &to) || to < 0) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    *position = (uint64_t)to;
    if (request->origin == FILE_ORIGIN_DATA || request->origin == FILE_ORIGIN_HOLE) {
        return seek_hole(opened->file, request->origin == FILE_ORIGIN_HOLE, size, position);
    }
    return FTL_OK;
}

static ftl_status_t seek(void *context, struct file_seek_request *request,
                         struct file_seek_reply *reply)
{
    struct opened *opened;
    ftl_status_t status = find(context, request->file, &opened);
    if (status == FTL_OK && opened->file->kind != FILE_KIND_REGULAR) {
        status = FTL_ERR_INVALID_ARGUMENT;
    }
    if (status == FTL_OK) {
        status = new_position(opened, request, &reply->position);
    }
    if (status == FTL_OK) {
        opened->position = reply->position;
    }
    return status;
}

/* ---- Attributes ---- */

static ftl_status_t put_attributes(struct session *session, uint32_t place,
                                   const struct mount *mount,
                                   const struct file_attributes *attributes)
{
    void *data;
    struct file_attributes whole = *attributes;
    if (place % _Alignof(struct file_attributes) != 0) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    whole.file_system = mount->number;
    ftl_status_t status = client_memory_at(&session->memory, place, sizeof(whole), &data);
    if (status == FTL_OK) {
        memcpy(data, &whole, sizeof(whole));
    }
    return status;
}

static ftl_status_t attributes_of(void *context, struct file_attributes_of_request *request)
{
    struct file_attributes attributes;
    struct opened *opened;
    ftl_status_t status = find(context, request->file, &opened);
    if (status != FTL_OK) {
        return status;
    }
    struct mount *mount = opened->file->mount;
    status = operations_of(mount)->attributes(mount->file_system, opened->file->node, &attributes);
    return status == FTL_OK ? put_attributes(context, request->place, mount, &attributes) : status;
}

static ftl_status_t look_up(void *context, struct file_look_up_request *request)
{
    struct walk walk;
    ftl_status_t status = follow_to(context, request->base, request->path, request->follow, &walk);
    if (status == FTL_OK) {
        status = put_attributes(context, request->place, walk.found.mount, &walk.attributes);
        walk_end(&walk);
    }
    return status;
}

static ftl_status_t set_attributes(void *context, struct file_set_attributes_request *request)
{
    struct opened *opened;
    ftl_status_t status = find(context, request->file, &opened);
    if (status == FTL_OK) {
        status = change(context, opened->file->mount);
    }
    if (status != FTL_OK) {
        return status;
    }
    struct mount *mount = opened->file->mount;
    request->attributes.mode &= MODE_BITS;
    return operations_of(mount)->set_attributes(mount->file_system, opened->file->node,
                                                request->fields, &request->attributes);
}

static ftl_status_t truncate(void *context, struct file_truncate_request *request)
{
    struct opened *opened;
    ftl_status_t status = find(context, request->file, &opened);
    if (status == FTL_OK && (opened->access & FILE_ACCESS_WRITE) == 0) {
        status = FTL_ERR_MISSING_RIGHT;
    }
    if (status == FTL_OK && request->size > FILE_SIZE_MAX) {
        status = FTL_ERR_TOO_LARGE;
    }
    if (status == FTL_OK) {
        status = change(context, opened->file->mount);
    }
    if (status != FTL_OK) {
        return status;
    }
    struct mount *mount = opened->file->mount;
    return operations_of(mount)->truncate(mount->file_system, opened->file->node, request->size);
}

static ftl_status_t sync(void *context, struct file_sync_request *request)
{
    struct opened *opened;
    ftl_status_t status = find(context, request->file, &opened);
    if (status != FTL_OK || opened->file->mount->file_system->is_read_only) {
        return status;
    }
    struct mount *mount = opened->file->mount;
    return operations_of(mount)->sync_node(mount->file_system, opened->file->node);
}

static ftl_status_t sync_all(void *context)
{
    (void)context;
    return tree_sync();
}

/* ---- Directories ---- */

/* Cursors of clients: at "." and "..", and then those of file systems. */
enum { CURSOR_SELF, CURSOR_PARENT, CURSOR_OTHERS };

/* Entries on their way to a client, whose memory is only written to. */
struct listing {
    char *at;
    size_t left;
    uint64_t cursor; /* behind the last */
    bool is_full;
};

/* False: there is no room for it. */
static bool put_entry(struct listing *listing, const char *name, node_t node, enum file_kind kind,
                      uint64_t cursor)
{
    size_t name_size = strlen(name);
    size_t size = offsetof(struct ftl_file_entry, name) + name_size + 1;
    size = (size + ENTRY_ALIGNMENT - 1) / ENTRY_ALIGNMENT * ENTRY_ALIGNMENT;
    if (size > listing->left) {
        listing->is_full = true;
        return false;
    }
    struct ftl_file_entry *entry = (struct ftl_file_entry *)(void *)listing->at;
    entry->number = node;
    entry->cursor = cursor;
    entry->size = (uint16_t)size;
    entry->kind = (uint8_t)kind;
    entry->name_size = (uint8_t)name_size;
    memcpy(listing->at + offsetof(struct ftl_file_entry, name), name, name_size + 1);
    listing->at += size;
    listing->left -= size;
    listing->cursor = cursor;
    return true;
}

static bool is_dots(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static bool visit(void *context, const char *name, node_t node, enum file_kind kind,
                  uint64_t cursor)
{
    struct listing *listing = context;
    if (is_dots(name)) { /* of whatever file system: they are ours */
        return true;
    }
    return put_entry(listing, name, node, kind, cursor + CURSOR_OTHERS);
}

static ftl_status_t list_entries(struct session *session, const struct file *directory,
                                 struct listing *listing)
{
    struct mount *mount = directory->mount;
    const struct opened *root = session_find(session, 0);
    if (listing->cursor == CURSOR_SELF &&
        !put_entry(listing, ".", directory->node, FILE_KIND_DIRECTORY, CURSOR_PARENT)) {
        return FTL_OK;
    }
    if (listing->cursor == CURSOR_PARENT) {
        struct place above = place_of_file(directory);
        ftl_status_t status = FTL_OK;
        if (root != NULL && root->file != directory) {
            status = place_parent(above, &above);
        }
        bool has_room = status == FTL_OK &&
                        put_entry(listing, "..", above.node, FILE_KIND_DIRECTORY, CURSOR_OTHERS);
        place_release(&above);
        if (!has_room) {
            return status;
        }
    }
    return operations_of(mount)->list(mount->file_system, directory->node,
                                      listing->cursor - CURSOR_OTHERS, visit, listing);
}

static ftl_status_t list(void *context, struct file_list_request *request,
                         struct file_list_reply *reply)
{
    struct session *session = context;
    struct opened *opened;
    struct listing listing = { .left = request->size, .cursor = request->cursor };
    void *data;
    ftl_status_t status = find(session, request->file, &opened);
    if (status == FTL_OK && opened->file->kind != FILE_KIND_DIRECTORY) {
        status = FTL_ERR_NOT_DIRECTORY;
    }
    if (status == FTL_OK && (opened->access & FILE_ACCESS_READ) == 0) {
        status = FTL_ERR_MISSING_RIGHT;
    }
    if (status == FTL_OK && request->place % _Alignof(struct ftl_file_entry) != 0) {
        status = FTL_ERR_INVALID_ARGUMENT;
    }
    if (status == FTL_OK) {
        status = client_memory_at(&session->memory, request->place, request->size, &data);
    }
    if (status != FTL_OK) {
        return status;
    }
    listing.at = data;
    status = list_entries(session, opened->file, &listing);
    reply->size = (uint32_t)(request->size - listing.left);
    reply->cursor = listing.cursor;
    if (reply->size != 0) { /* what was listed is good; the error will come again */
        return FTL_OK;
    }
    return status == FTL_OK && listing.is_full ? FTL_ERR_TOO_SMALL : status;
}

/* ---- Names ---- */

/* Follows a path to a name that nothing may have yet, of a directory that may be changed. */
static ftl_status_t follow_to_new(struct session *session, uint32_t base, const char *path,
                                  bool is_directory, struct walk *walk)
{
    ftl_status_t status = follow(session, base, path, false, walk);
    if (status != FTL_OK) {
        return status;
    }
    if (walk->found.mount != NULL) {
        status = path[0] == '\0' ? FTL_ERR_NOT_FOUND : FTL_ERR_EXISTS;
    } else if (walk->is_directory_wanted && !is_directory) {
        status = FTL_ERR_NOT_FOUND;
    } else {
        status = change(session, walk->directory.mount);
    }
    if (status != FTL_OK) {
        walk_end(walk);
    }
    return status;
}

static ftl_status_t make_directory(void *context, struct file_make_directory_request *request)
{
    struct walk walk;
    ftl_status_t status = follow_to_new(context, request->base, request->path, true, &walk);
    if (status == FTL_OK) {
        struct mount *mount = walk.directory.mount;
        status = operations_of(mount)->make_directory(mount->file_system, walk.directory.node,
                                                      walk.name, request->mode & MODE_BITS);
        walk_end(&walk);
    }
    return status;
}

static ftl_status_t make_link(void *context, struct file_make_link_request *request)
{
    struct walk walk;
    if (request->target[0] == '\0') {
        return FTL_ERR_NOT_FOUND;
    }
    ftl_status_t status = follow_to_new(context, request->base, request->path, false, &walk);
    if (status == FTL_OK) {
        struct mount *mount = walk.directory.mount;
        status = operations_of(mount)->make_link(mount->file_system, walk.directory.node, walk.name,
                                                 request->target);
        walk_end(&walk);
    }
    return status;
}

static ftl_status_t read_link(void *context, struct file_read_link_request *request,
                              struct file_read_link_reply *reply)
{
    static char target[PATH_MAX_SIZE + 1];
    struct walk walk;
    ftl_status_t status = follow_to(context, request->base, request->path, false, &walk);
    if (status != FTL_OK) {
        return status;
    }
    if (walk.attributes.kind == FILE_KIND_SYMBOLIC_LINK) {
        struct mount *mount = walk.found.mount;
        status = operations_of(mount)->read_link(mount->file_system, walk.found.node, target,
                                                 sizeof(target));
        target[sizeof(target) - 1] = '\0';
        reply->target = target;
    } else {
        status = FTL_ERR_INVALID_ARGUMENT;
    }
    walk_end(&walk);
    return status;
}

static ftl_status_t link_found(const struct walk *from, const struct walk *to)
{
    struct mount *mount = from->found.mount;
    if (from->attributes.kind == FILE_KIND_DIRECTORY) {
        return FTL_ERR_IS_DIRECTORY;
    }
    if (to->directory.mount != mount) {
        return FTL_ERR_CROSS_DEVICE;
    }
    return operations_of(mount)->link(mount->file_system, from->found.node, to->directory.node,
                                      to->name);
}

static ftl_status_t link(void *context, struct file_link_request *request)
{
    struct walk from;
    struct walk to;
    ftl_status_t status = follow_to(context, request->from_base, request->from, false, &from);
    if (status != FTL_OK) {
        return status;
    }
    status = follow_to_new(context, request->to_base, request->to, false, &to);
    if (status == FTL_OK) {
        status = link_found(&from, &to);
        walk_end(&to);
    }
    walk_end(&from);
    return status;
}

/* Whether the name can be taken away from what was found: not "..", and nothing mounted. */
static ftl_status_t check_removable(const struct walk *walk)
{
    if (walk->name[0] == '\0') {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    return walk->found.mount == walk->directory.mount ? FTL_OK : FTL_ERR_BAD_STATE;
}

static ftl_status_t remove_found(const struct session *session, const struct walk *walk,
                                 bool is_directory)
{
    struct mount *mount = walk->directory.mount;
    ftl_status_t status = check_removable(walk);
    if (status != FTL_OK) {
        return status;
    }
    if (is_directory != (walk->attributes.kind == FILE_KIND_DIRECTORY)) {
        return is_directory ? FTL_ERR_NOT_DIRECTORY : FTL_ERR_IS_DIRECTORY;
    }
    status = change(session, mount);
    return status == FTL_OK ? operations_of(mount)->remove(mount->file_system, walk->directory.node,
                                                           walk->name, is_directory)
                            : status;
}

static ftl_status_t remove(void *context, struct file_remove_request *request)
{
    struct walk walk;
    ftl_status_t status = follow_to(context, request->base, request->path, false, &walk);
    if (status == FTL_OK) {
        status = remove_found(context, &walk, request->directory);
        walk_end(&walk);
    }
    return status;
}

/* INVALID_ARGUMENT: `directory` is what was found, or lies below it. */
static ftl_status_t check_outside(struct place directory, const struct walk *found)
{
    struct place at = directory;
    ftl_status_t status = FTL_OK;
    at.is_held = false;
    while (status == FTL_OK && !place_equals(at, place_of_root(at.mount))) {
        struct place above;
        if (place_equals(at, found->found)) {
            status = FTL_ERR_INVALID_ARGUMENT;
        } else {
            status = place_parent(at, &above);
            place_release(&at);
            at = status == FTL_OK ? above : at;
        }
    }
    place_release(&at);
    return status;
}

/* What can be put in place of what: a directory of an empty one, all else of all else. */
static ftl_status_t check_replaceable(const struct walk *from, const struct walk *to)
{
    bool is_directory = from->attributes.kind == FILE_KIND_DIRECTORY;
    if (to->found.mount == NULL) {
        return to->is_directory_wanted && !is_directory ? FTL_ERR_NOT_DIRECTORY : FTL_OK;
    }
    ftl_status_t status = check_removable(to);
    if (status == FTL_OK && is_directory != (to->attributes.kind == FILE_KIND_DIRECTORY)) {
        status = is_directory ? FTL_ERR_NOT_DIRECTORY : FTL_ERR_IS_DIRECTORY;
    }
    return status;
}

static ftl_status_t rename_found(const struct session *session, const struct walk *from,
                                 const struct walk *to)
{
    struct mount *mount = from->directory.mount;
    ftl_status_t status = check_removable(from);
    if (status == FTL_OK && to->name[0] == '\0') {
        status = FTL_ERR_INVALID_ARGUMENT;
    }
    if (status == FTL_OK && to->directory.mount != mount) {
        status = FTL_ERR_CROSS_DEVICE;
    }
    if (status == FTL_OK && from->attributes.kind == FILE_KIND_DIRECTORY) {
        status = check_outside(to->directory, from);
    }
    if (status == FTL_OK) {
        status = check_replaceable(from, to);
    }
    if (status == FTL_OK) {
        status = change(session, mount);
    }
    if (status != FTL_OK || place_equals(from->found, to->found)) { /* two names of one file */
        return status;
    }
    return operations_of(mount)->rename(mount->file_system, from->directory.node, from->name,
                                        to->directory.node, to->name);
}

static ftl_status_t rename(void *context, struct file_rename_request *request)
{
    struct walk from;
    struct walk to;
    ftl_status_t status = follow_to(context, request->from_base, request->from, false, &from);
    if (status != FTL_OK) {
        return status;
    }
    status = follow(context, request->to_base, request->to, false, &to);
    if (status == FTL_OK) {
        status = rename_found(context, &from, &to);
        walk_end(&to);
    }
    walk_end(&from);
    return status;
}

/* ---- Locks ---- */

/* The last byte of a range. */
static ftl_status_t last_of(uint64_t start, uint64_t length, uint64_t *last)
{
    *last = UINT64_MAX;
    if (length != 0 && __builtin_add_overflow(start, length - 1, last)) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    return FTL_OK;
}

static ftl_status_t set_lock(void *context, struct file_set_lock_request *request)
{
    struct opened *opened;
    uint64_t last;
    ftl_status_t status = find(context, request->file, &opened);
    if (status == FTL_OK) {
        status = last_of(request->start, request->length, &last);
    }
    if (status == FTL_OK &&
        ((request->lock == FILE_LOCK_SHARED && (opened->access & FILE_ACCESS_READ) == 0) ||
         (request->lock == FILE_LOCK_EXCLUSIVE && (opened->access & FILE_ACCESS_WRITE) == 0))) {
        status = FTL_ERR_MISSING_RIGHT;
    }
    return status == FTL_OK ? locks_set(opened->file, context, (enum file_lock)request->lock,
                                        request->start, last)
                            : status;
}

static ftl_status_t find_lock(void *context, struct file_find_lock_request *request,
                              struct file_find_lock_reply *reply)
{
    struct opened *opened;
    uint64_t last;
    ftl_status_t status = find(context, request->file, &opened);
    if (status == FTL_OK) {
        status = last_of(request->start, request->length, &last);
    }
    if (status != FTL_OK) {
        return status;
    }
    const struct lock_range *range =
        locks_find(opened->file, context, (enum file_lock)request->lock, request->start, last);
    *reply = (struct file_find_lock_reply){ .lock = FILE_LOCK_NONE };
    if (range != NULL) {
        reply->start = range->start;
        reply->length = range->last == UINT64_MAX ? 0 : range->last - range->start + 1;
        reply->lock = range->is_exclusive ? FILE_LOCK_EXCLUSIVE : FILE_LOCK_SHARED;
    }
    return FTL_OK;
}

/* ---- Of all ---- */

static ftl_status_t file_system(void *context, struct file_file_system_request *request,
                                struct file_file_system_reply *reply)
{
    struct file_system_usage usage = { 0 };
    struct opened *opened;
    ftl_status_t status = find(context, request->file, &opened);
    if (status != FTL_OK) {
        return status;
    }
    struct mount *mount = opened->file->mount;
    operations_of(mount)->usage(mount->file_system, &usage);
    *reply = (struct file_file_system_reply){
        .type = operations_of(mount)->type,
        .source = mount->source,
        .block_size = usage.block_size,
        .name_max = usage.name_max,
        .blocks = usage.blocks,
        .free_blocks = usage.free_blocks,
        .files = usage.files,
        .free_files = usage.free_files,
        .identity = usage.identity,
        .read_only = mount->file_system->is_read_only,
    };
    return FTL_OK;
}

/* Gives the new session what the client wants to share, in this order. */
static ftl_status_t share_files(struct session *session, const struct file_share_request *request,
                                struct session *new)
{
    for (uint32_t i = 0; i < request->files_count; i++) {
        struct opened *opened;
        ftl_status_t status = FTL_OK;
        while (status == FTL_OK && new->capacity <= i + 1) {
            status = session_grow(new);
        }
        if (status == FTL_OK && request->files[i] != FTL_FILE_NO_FILE) {
            status = find(session, request->files[i], &opened);
            if (status == FTL_OK) {
                session_put(new, i + 1, opened);
            }
        }
        if (status != FTL_OK) {
            return status;
        }
    }
    return FTL_OK;
}

static ftl_status_t share(void *context, struct file_share_request *request,
                          struct file_share_reply *reply)
{
    struct session *session = context;
    struct opened *root = NULL;
    ftl_status_t status = FTL_OK;
    if (request->root != FTL_FILE_NO_ROOT) {
        status = find(session, request->root, &root);
        if (status == FTL_OK && root->file->kind != FILE_KIND_DIRECTORY) {
            status = FTL_ERR_NOT_DIRECTORY;
        }
    }
    if (status != FTL_OK) {
        return status;
    }
    struct session *new = session_create(root);
    if (new == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    new->is_read_only = session->is_read_only;
    status = share_files(session, request, new);
    if (status == FTL_OK) {
        status = connections_add(new, &reply->client);
    }
    if (status != FTL_OK) {
        session_destroy(new);
    }
    return status;
}

const struct file_handlers file_handlers = {
    .attach = attach,
    .open = open,
    .close = close,
    .read = read,
    .write = write,
    .seek = seek,
    .attributes_of = attributes_of,
    .look_up = look_up,
    .set_attributes = set_attributes,
    .truncate = truncate,
    .sync = sync,
    .sync_all = sync_all,
    .list = list,
    .make_directory = make_directory,
    .make_link = make_link,
    .read_link = read_link,
    .link = link,
    .remove = remove,
    .rename = rename,
    .set_lock = set_lock,
    .find_lock = find_lock,
    .file_system = file_system,
    .share = share,
};
