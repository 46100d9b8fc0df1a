/* The apps of the boot image and their manifests: see <ftl/spawn.h>. */
#include <ftl/inherit.h>
#include <ftl/signals.h>
#include <ftl/spawn.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <string.h>

#include <ftl/handle.h>

#include "app.h"
#include "kernel/bootimage.h"

#define DIRECTORY       "bin/"
#define MANIFEST_SUFFIX ".manifest"
#define SERVICE_LIST    "SERVICES"
#define DRIVER_LIST     "DRIVERS"
#define ALIAS_LIST      "ALIASES"
#define ISOLATION_WORD  "ftl.isolation."

static const char *const isolation_names[] = {
    [FTL_ISOLATION_SANDBOX] = "sandbox",
    [FTL_ISOLATION_USER] = "user",
};
#define ISOLATIONS (sizeof(isolation_names) / sizeof(isolation_names[0]))

static const char *const restart_names[] = {
    [FTL_RESTART_NEVER] = "never",
    [FTL_RESTART_ON_FAILURE] = "on-failure",
    [FTL_RESTART_ALWAYS] = "always",
};
#define RESTARTS (sizeof(restart_names) / sizeof(restart_names[0]))

ftl_status_t ftl_bootimage_open(struct ftl_bootimage *image, ftl_handle_t vmo)
{
    uint64_t size;
    uintptr_t address;
    ftl_handle_t vmspace;
    ftl_status_t status = ftl_vmo_size(vmo, &size);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_vmspace_self(&vmspace);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_vmspace_map(vmspace, vmo, 0, size, FTL_MAP_READ, 0, &address);
    ftl_handle_close(vmspace);
    if (status == FTL_OK) {
        *image = (struct ftl_bootimage){ .vmo = vmo, .data = (const void *)address, .size = size };
    }
    return status;
}

bool ftl_isolation_parse(const char *text, ftl_isolation_t *isolation)
{
    for (size_t i = 0; i < ISOLATIONS; i++) {
        if (strcmp(text, isolation_names[i]) == 0) {
            *isolation = (ftl_isolation_t)i;
            return true;
        }
    }
    return false;
}

const char *ftl_isolation_name(ftl_isolation_t isolation)
{
    return (size_t)isolation < ISOLATIONS ? isolation_names[isolation] : "unknown";
}

/* The value of a word `ftl.isolation.NAME=value`, or NULL when the word is another one. */
static const char *isolation_value(const char *word, const char *name)
{
    size_t prefix = sizeof(ISOLATION_WORD) - 1;
    size_t length = strlen(name);
    if (strncmp(word, ISOLATION_WORD, prefix) != 0 || strncmp(word + prefix, name, length) != 0 ||
        word[prefix + length] != '=') {
        return NULL;
    }
    return word + prefix + length + 1;
}

bool ftl_isolation_of_app(const char *const *words, size_t count, const char *name,
                          ftl_isolation_t *isolation)
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        const char *value = isolation_value(words[i], name);
        found |= value != NULL && ftl_isolation_parse(value, isolation);
    }
    return found;
}

/* Whether the file is a manifest; if so, copies the app's name out of its path. */
static bool app_name(const char *path, char name[FTL_NAME_MAX])
{
    size_t length = strlen(path);
    size_t around = sizeof(DIRECTORY) - 1 + sizeof(MANIFEST_SUFFIX) - 1;
    if (length <= around || length - around >= FTL_NAME_MAX ||
        strncmp(path, DIRECTORY, sizeof(DIRECTORY) - 1) != 0 ||
        strcmp(path + length - (sizeof(MANIFEST_SUFFIX) - 1), MANIFEST_SUFFIX) != 0) {
        return false;
    }
    memcpy(name, path + sizeof(DIRECTORY) - 1, length - around);
    name[length - around] = '\0';
    return true;
}

bool ftl_app_path(char *path, size_t size, const char *name, const char *suffix)
{
    if (sizeof(DIRECTORY) + strlen(name) + strlen(suffix) > size) {
        return false;
    }
    strcpy(path, DIRECTORY);
    strcat(path, name);
    strcat(path, suffix);
    return true;
}

/* Copies a value of the manifest, the empty string when it has none. False when it is too long. */
static bool get_text(struct text manifest, const char *key, char *buffer, size_t size)
{
    struct text value;
    buffer[0] = '\0';
    return !manifest_get(manifest, key, &value) || text_copy(value, buffer, size);
}

/* A key that may be missing: false when it has another value than those it can have. */
static bool get_restart(struct text manifest, struct ftl_app *app)
{
    struct text value;
    uint64_t limit = 0;
    app->restart = FTL_RESTART_NEVER;
    if (manifest_get(manifest, "restart", &value)) {
        size_t index = 0;
        while (index < RESTARTS && !text_equals(value, restart_names[index])) {
            index++;
        }
        if (index == RESTARTS) {
            return false;
        }
        app->restart = (ftl_restart_t)index;
    }
    if (manifest_get(manifest, "restart-limit", &value) && !text_parse_size(value, &limit)) {
        return false;
    }
    app->restart_limit = (uint32_t)limit;
    return limit <= UINT32_MAX;
}

/* Takes the next word, apart by blanks, off the front; empty at the end. */
static struct text next_word(struct text *rest)
{
    struct text word;
    while (rest->size != 0 && *rest->data == ' ') {
        rest->data++;
        rest->size--;
    }
    word = (struct text){ rest->data, 0 };
    while (rest->size != 0 && *rest->data != ' ') {
        rest->data++;
        rest->size--;
        word.size++;
    }
    return word;
}

static bool get_driver(struct text manifest, struct ftl_app *app)
{
    struct text value;
    struct text word;
    app->driver = manifest_get(manifest, "driver", &value);
    app->dma_count = 0;
    if (!manifest_get(manifest, "dma", &value)) {
        return true;
    }
    while ((word = next_word(&value)).size != 0) {
        if (app->dma_count == FTL_APP_DMA_MAX ||
            !text_parse_size(word, &app->dma[app->dma_count++])) {
            return false;
        }
    }
    return true;
}

/* Fills in all but the name. */
static ftl_status_t parse_manifest(struct text manifest, struct ftl_app *app)
{
    struct text memory;
    char isolation[sizeof("sandbox")];

    app->isolation = FTL_ISOLATION_SANDBOX;
    app->memory_limit = FTL_APP_MEMORY_LIMIT;
    if (!get_text(manifest, "description", app->description, sizeof(app->description)) ||
        !get_text(manifest, "grants", app->grants, sizeof(app->grants)) ||
        !get_text(manifest, "uses", app->uses, sizeof(app->uses)) ||
        !get_text(manifest, "files", app->files, sizeof(app->files)) ||
        !get_text(manifest, "provides", app->provides, sizeof(app->provides)) ||
        !get_text(manifest, "isolation", isolation, sizeof(isolation)) ||
        !get_restart(manifest, app) || !get_driver(manifest, app)) {
        return FTL_ERR_BAD_FORMAT;
    }
    if (isolation[0] != '\0' && !ftl_isolation_parse(isolation, &app->isolation)) {
        return FTL_ERR_BAD_FORMAT;
    }
    if (manifest_get(manifest, "memory", &memory) && !text_parse_size(memory, &app->memory_limit)) {
        return FTL_ERR_BAD_FORMAT;
    }
    return FTL_OK;
}

static struct text contents(const struct ftl_bootimage *image, const struct bootimage_file *file)
{
    return (struct text){ (const char *)image->data + file->offset, file->size };
}

/* Reads the next `key = value` of a list in the boot image. */
static ftl_status_t next_line(const struct ftl_bootimage *image, const char *list, size_t *position,
                              struct text *key, struct text *value)
{
    struct bootimage archive = { image->data, image->size };
    struct bootimage_file file;
    ftl_status_t status = bootimage_find(&archive, list, &file);
    if (status != FTL_OK) {
        return status;
    }
    struct text whole = contents(image, &file);
    struct text rest = { whole.data + *position, whole.size - *position };
    status = manifest_next(&rest, key, value);
    *position = whole.size - rest.size;
    return status;
}

/* Reads the next line of a list of two names each. */
static ftl_status_t next_names(const struct ftl_bootimage *image, const char *list,
                               size_t *position, char key[FTL_NAME_MAX], char value[FTL_NAME_MAX])
{
    struct text left;
    struct text right;
    ftl_status_t status = next_line(image, list, position, &left, &right);
    if (status != FTL_OK) {
        return status;
    }
    return text_copy(left, key, FTL_NAME_MAX) && text_copy(right, value, FTL_NAME_MAX)
               ? FTL_OK
               : FTL_ERR_BAD_FORMAT;
}

/* Finds the manifest of an app that has one. */
static ftl_status_t find_manifest(const struct ftl_bootimage *image, const char *name,
                                  struct bootimage_file *file)
{
    struct bootimage archive = { image->data, image->size };
    char path[BOOTIMAGE_NAME_MAX];
    if (!ftl_app_path(path, sizeof(path), name, MANIFEST_SUFFIX)) {
        return FTL_ERR_NOT_FOUND;
    }
    return bootimage_find(&archive, path, file);
}

/* Finds the app that an alias stands for. */
static ftl_status_t find_alias(const struct ftl_bootimage *image, const char *name,
                               char program[FTL_NAME_MAX])
{
    char alias[FTL_NAME_MAX];
    size_t position = 0;
    ftl_status_t status;
    do {
        status = ftl_app_next_alias(image, &position, alias, program);
    } while (status == FTL_OK && strcmp(alias, name) != 0);
    return status;
}

ftl_status_t ftl_app_find(const struct ftl_bootimage *image, const char *name, struct ftl_app *app)
{
    struct bootimage_file file;

    if (strlen(name) >= sizeof(app->name)) {
        return FTL_ERR_NOT_FOUND;
    }
    strcpy(app->program, name);
    ftl_status_t status = find_manifest(image, name, &file);
    if (status == FTL_ERR_NOT_FOUND) {
        status = find_alias(image, name, app->program);
        if (status == FTL_OK) {
            status = find_manifest(image, app->program, &file);
        }
    }
    if (status != FTL_OK) {
        return status;
    }
    strcpy(app->name, name);
    return parse_manifest(contents(image, &file), app);
}

ftl_status_t ftl_app_next(const struct ftl_bootimage *image, size_t *position, struct ftl_app *app)
{
    struct bootimage archive = { image->data, image->size };
    struct bootimage_cursor cursor = { .offset = *position };
    struct bootimage_file file;
    ftl_status_t status;

    app->name[0] = '\0';
    do {
        status = bootimage_next(&archive, &cursor, &file);
        *position = cursor.offset;
        if (status != FTL_OK) {
            return status;
        }
    } while (!app_name(file.name, app->name));
    strcpy(app->program, app->name);
    return parse_manifest(contents(image, &file), app);
}

bool ftl_app_has_word(const char *words, const char *word)
{
    return text_has_word((struct text){ words, strlen(words) }, word);
}

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool ftl_app_is_granted(const struct ftl_app *app, const char *name)
{
    return strcmp(name, "console") == 0 || begins_with(name, FTL_INHERIT_PREFIX) ||
           begins_with(name, FTL_SIGNALS_PREFIX) || ftl_app_has_word(app->grants, name) ||
           (strcmp(name, "names") == 0 && app->uses[0] != '\0') ||
           (strcmp(name, "service") == 0 && app->provides[0] != '\0') ||
           (app->driver && ftl_app_has_word("registers interrupt dma0 dma1", name));
}

bool ftl_app_uses(const struct ftl_app *app, const char *protocol)
{
    return ftl_app_has_word(app->uses, protocol);
}

ftl_status_t ftl_app_next_alias(const struct ftl_bootimage *image, size_t *position,
                                char alias[FTL_NAME_MAX], char app[FTL_NAME_MAX])
{
    return next_names(image, ALIAS_LIST, position, alias, app);
}

ftl_status_t ftl_app_next_service(const struct ftl_bootimage *image, size_t *position,
                                  char protocol[FTL_NAME_MAX], char app[FTL_NAME_MAX])
{
    return next_names(image, SERVICE_LIST, position, protocol, app);
}

ftl_status_t ftl_app_next_driver(const struct ftl_bootimage *image, size_t *position,
                                 struct ftl_driver *driver)
{
    struct text app;
    struct text rest;
    uint64_t id;
    ftl_status_t status = next_line(image, DRIVER_LIST, position, &app, &rest);
    if (status != FTL_OK) {
        return status;
    }
    if (!text_copy(app, driver->app, FTL_NAME_MAX) ||
        !text_copy(next_word(&rest), driver->protocol, FTL_NAME_MAX) ||
        !text_copy(next_word(&rest), driver->compatible, FTL_NAME_MAX) ||
        !text_parse_size(next_word(&rest), &id) || id > UINT32_MAX) {
        return FTL_ERR_BAD_FORMAT;
    }
    driver->id = (uint32_t)id;
    driver->at_boot = text_equals(next_word(&rest), "boot");
    return FTL_OK;
}
