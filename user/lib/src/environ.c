/* Reader and writer of environment blobs: see <ftl/environ.h>. Runs on the host too, for unit
 * tests. */
#include <ftl/environ.h>

#include <string.h>

/* True when `count` strings that end in NUL lie one after the other in [at, end). */
static bool strings_fit(const char *at, const char *end, size_t count)
{
    for (; count != 0; count--) {
        const char *terminator = memchr(at, '\0', (size_t)(end - at));
        if (terminator == NULL) {
            return false;
        }
        at = terminator + 1;
    }
    return true;
}

static bool handles_fit(const struct ftl_environ_header *header, size_t size)
{
    size_t offset = header->handles_offset;
    return offset % _Alignof(struct ftl_environ_handle) == 0 && offset <= size &&
           header->handle_count <= (size - offset) / sizeof(struct ftl_environ_handle);
}

static bool handles_named(const struct ftl_environ_handle *handles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (memchr(handles[i].name, '\0', sizeof(handles[i].name)) == NULL) {
            return false;
        }
    }
    return true;
}

static bool header_valid(const struct ftl_environ_header *header, size_t size)
{
    return header->magic == FTL_ENVIRON_MAGIC && header->version == FTL_ENVIRON_VERSION &&
           header->size >= sizeof(*header) && header->size <= size &&
           header->args_offset <= header->size && header->vars_offset <= header->size &&
           handles_fit(header, header->size);
}

ftl_status_t ftl_environ_open(struct ftl_environ *env, void *blob, size_t size)
{
    const struct ftl_environ_header *header = blob;
    char *bytes = blob;

    memset(env, 0, sizeof(*env));
    if (bytes == NULL || size < sizeof(*header) || !header_valid(header, size)) {
        return FTL_ERR_BAD_FORMAT;
    }
    const char *args = bytes + header->args_offset;
    const char *vars = bytes + header->vars_offset;
    const char *end = bytes + header->size;
    struct ftl_environ_handle *handles =
        (struct ftl_environ_handle *)(void *)(bytes + header->handles_offset);
    if (!strings_fit(args, end, header->arg_count) || !strings_fit(vars, end, header->var_count) ||
        !handles_named(handles, header->handle_count)) {
        return FTL_ERR_BAD_FORMAT;
    }
    *env = (struct ftl_environ){
        .handles = handles,
        .handle_count = header->handle_count,
        .args = args,
        .arg_count = header->arg_count,
        .vars = vars,
        .var_count = header->var_count,
    };
    return FTL_OK;
}

static struct ftl_environ_handle *find_entry(const struct ftl_environ *env, const char *name)
{
    for (size_t i = 0; i < env->handle_count; i++) {
        if (strcmp(env->handles[i].name, name) == 0) {
            return &env->handles[i];
        }
    }
    return NULL;
}

ftl_handle_t ftl_environ_take(struct ftl_environ *env, const char *name)
{
    struct ftl_environ_handle *entry = find_entry(env, name);
    if (entry == NULL) {
        return FTL_HANDLE_INVALID;
    }
    return __atomic_exchange_n(&entry->handle, FTL_HANDLE_INVALID, __ATOMIC_RELAXED);
}

ftl_handle_t ftl_environ_find(const struct ftl_environ *env, const char *name)
{
    const struct ftl_environ_handle *entry = find_entry(env, name);
    return entry != NULL ? __atomic_load_n(&entry->handle, __ATOMIC_RELAXED) : FTL_HANDLE_INVALID;
}

static const char *string_at(const char *strings, size_t count, size_t index)
{
    if (index >= count) {
        return NULL;
    }
    for (; index != 0; index--) {
        strings += strlen(strings) + 1;
    }
    return strings;
}

const char *ftl_environ_arg(const struct ftl_environ *env, size_t index)
{
    return string_at(env->args, env->arg_count, index);
}

const char *ftl_environ_var(const struct ftl_environ *env, size_t index)
{
    return string_at(env->vars, env->var_count, index);
}

/* Where the writer is: the next free byte of the buffer, or the fact that something did not fit. */
struct writer {
    char *buffer;
    size_t capacity;
    size_t used;
    bool full;
};

static void append(struct writer *writer, const void *data, size_t size)
{
    if (writer->full || size > writer->capacity - writer->used) {
        writer->full = true;
        return;
    }
    memcpy(writer->buffer + writer->used, data, size);
    writer->used += size;
}

/* Appends the strings and returns the offset of the first. */
static uint32_t append_strings(struct writer *writer, const char *const *strings, size_t count)
{
    uint32_t offset = (uint32_t)writer->used;
    for (size_t i = 0; i < count; i++) {
        append(writer, strings[i], strlen(strings[i]) + 1);
    }
    return offset;
}

static bool content_valid(const struct ftl_environ_content *content)
{
    for (size_t i = 0; i < content->var_count; i++) {
        if (strchr(content->vars[i], '=') == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < content->handle_count; i++) {
        const char *name = content->handles[i].name;
        if (name[0] == '\0' || memchr(name, '\0', FTL_NAME_MAX) == NULL) {
            return false;
        }
    }
    return true;
}

ftl_status_t ftl_environ_write(void *buffer, size_t capacity,
                               const struct ftl_environ_content *content, size_t *size)
{
    if (!content_valid(content)) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    struct writer writer = {
        .buffer = buffer,
        .capacity = capacity < FTL_ENVIRON_MAX ? capacity : FTL_ENVIRON_MAX,
    };
    struct ftl_environ_header header = {
        .magic = FTL_ENVIRON_MAGIC,
        .version = FTL_ENVIRON_VERSION,
        .arg_count = (uint32_t)content->arg_count,
        .var_count = (uint32_t)content->var_count,
        .handle_count = (uint32_t)content->handle_count,
        .handles_offset = sizeof(header),
    };
    append(&writer, &header, sizeof(header));
    for (size_t i = 0; i < content->handle_count; i++) {
        append(&writer, &content->handles[i], sizeof(content->handles[i]));
    }
    header.args_offset = append_strings(&writer, content->args, content->arg_count);
    header.vars_offset = append_strings(&writer, content->vars, content->var_count);
    header.size = (uint32_t)writer.used;
    if (writer.full) {
        return FTL_ERR_LIMIT;
    }
    memcpy(buffer, &header, sizeof(header));
    *size = writer.used;
    return FTL_OK;
}
