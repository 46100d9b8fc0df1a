/*
 * Files that a program gets from its starter (<ftl/inherit.h>): one connection for all of them, in
 * which they are open already, and which is the program's own from then on if it has a root. Behind
 * them is the working directory. Every program has this, so that its input and output can be files.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftl/environ.h>
#include <ftl/inherit.h>
#include <pthread.h>

#include "file.h"
#include "posix.h"

/* Programs that make calls which are about files have this. */
#pragma weak file_set_working_directory

static struct file_connection *inherited; /* NULL: none */

/* The highest number among those of the descriptors. */
static uint32_t last_number(const struct ftl_environ *env)
{
    struct ftl_inherit inherit;
    uint32_t last = 0;
    for (size_t i = 0; i < env->handle_count; i++) {
        if (ftl_inherit_parse(env->handles[i].name, &inherit) && inherit.number > last) {
            last = inherit.number;
        }
    }
    return last;
}

static struct file *file_of_number(uint32_t number, int flags)
{
    struct file_attributes attributes;
    if (inherited == NULL || file_attributes_by_number(inherited, number, &attributes) != 0) {
        return NULL;
    }
    file_connection_hold(inherited);
    return file_make(inherited, number, attributes.kind, flags);
}

static void receive_once(void)
{
    struct ftl_environ *env = ftl_environ();
    struct file_attributes attributes;
    ftl_handle_t channel = ftl_environ_take(env, FTL_INHERIT_FILES);
    if (channel == FTL_HANDLE_INVALID) {
        return;
    }
    inherited = file_connection_make(channel);
    if (inherited == NULL || file_set_working_directory == NULL ||
        file_attributes_by_number(inherited, FILE_ROOT, &attributes) != 0) {
        return;
    }
    file_connection_hold(inherited);
    file_connection_adopt(inherited);
    if (file_set_working_directory != NULL) {
        struct file *directory = file_of_number(last_number(env) + 1, O_PATH | O_DIRECTORY);
        if (directory != NULL) {
            file_set_working_directory(directory);
        }
    }
}

void file_inherit(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, receive_once);
}

struct description *file_receive(ftl_handle_t handle, const struct ftl_inherit *inherit)
{
    ftl_ipc_drop(&handle); /* there is none for each file */
    file_inherit();
    struct file *file = file_of_number(inherit->number, (int)inherit->flags);
    if (file == NULL) {
        return NULL;
    }
    file->description.references = 0; /* as the table wants it */
    return &file->description;
}
