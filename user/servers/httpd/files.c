/* The files that are served: see files.h. */
#include "files.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kernel/bootimage.h"

#define ROOT      "www"
#define WHOLE     "/boot/"
#define INDEX     "index.html"
#define NAME_SIZE (PATH_MAX_SIZE + sizeof(ROOT) + sizeof(INDEX))

/* A file of the archive. */
struct entry {
    char *name;
    const char *data;
    size_t size;
    const char *type;
};

/* All of them by name, as an archive can only be read from its beginning on. */
static struct {
    struct entry *entries;
    size_t count;
} archive;

static const struct {
    const char *suffix;
    const char *type;
} types[] = {
    { ".html", "text/html; charset=utf-8" },
    { ".css", "text/css; charset=utf-8" },
    { ".js", "text/javascript; charset=utf-8" },
    { ".json", "application/json" },
    { ".txt", "text/plain; charset=utf-8" },
    { ".manifest", "text/plain; charset=utf-8" },
    { ".svg", "image/svg+xml" },
    { ".png", "image/png" },
    { ".jpg", "image/jpeg" },
    { ".ico", "image/x-icon" },
    { ".pdf", "application/pdf" },
    { ".wasm", "application/wasm" },
    { ".gz", "application/gzip" },
    { ".tar", "application/x-tar" },
};
#define DEFAULT_TYPE "application/octet-stream"

static const char *type_of(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t suffix = strlen(types[i].suffix);
        if (length > suffix && strcasecmp(name + length - suffix, types[i].suffix) == 0) {
            return types[i].type;
        }
    }
    return DEFAULT_TYPE;
}

/* ---- The archive ---- */

/* Of files of the same name the first in the archive is meant. */
static int by_name(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->data > b->data) - (a->data < b->data);
}

static bool add_file(const char *data, const struct bootimage_file *file)
{
    struct entry *entries =
        realloc(archive.entries, (archive.count + 1) * sizeof(archive.entries[0]));
    if (entries == NULL) {
        return false;
    }
    archive.entries = entries;
    char *name = strdup(file->name);
    if (name == NULL) {
        return false;
    }
    archive.entries[archive.count++] = (struct entry){
        .name = name,
        .data = data + file->offset,
        .size = file->size,
        .type = type_of(name),
    };
    return true;
}

bool files_open(const void *data, size_t size)
{
    const struct bootimage image = { .data = data, .size = size };
    struct bootimage_cursor cursor = { 0 };
    struct bootimage_file file;
    files_close();
    while (bootimage_next(&image, &cursor, &file) == FTL_OK) {
        if (!add_file(data, &file)) {
            files_close();
            return false;
        }
    }
    if (archive.count != 0) {
        qsort(archive.entries, archive.count, sizeof(archive.entries[0]), by_name);
    }
    return true;
}

void files_close(void)
{
    for (size_t i = 0; i < archive.count; i++) {
        free(archive.entries[i].name);
    }
    free(archive.entries);
    archive.entries = NULL;
    archive.count = 0;
}

/* The archive's name for a path, without a slash in front. */
static void name_of(const char *path, char name[NAME_SIZE])
{
    if (strncmp(path, WHOLE, strlen(WHOLE)) == 0) {
        snprintf(name, NAME_SIZE, "%s", path + strlen(WHOLE));
    } else {
        snprintf(name, NAME_SIZE, ROOT "%s", path);
    }
}

/* The number of the first entry whose name is not less than this. */
static size_t first_at(const char *name)
{
    size_t low = 0;
    size_t high = archive.count;
    while (low != high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(archive.entries[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool begins_with(const struct entry *entry, const char *folder)
{
    return strncmp(entry->name, folder, strlen(folder)) == 0;
}

static bool find_file(const char *name, struct file *file)
{
    size_t at = first_at(name);
    if (at == archive.count || strcmp(archive.entries[at].name, name) != 0) {
        return false;
    }
    const struct entry *entry = &archive.entries[at];
    *file = (struct file){ .data = entry->data, .size = entry->size, .type = entry->type };
    return true;
}

/* Whether a file lies below the folder, whose name ends in a slash or is empty. */
static bool has_files(const char *folder)
{
    size_t at = first_at(folder);
    return at != archive.count && begins_with(&archive.entries[at], folder);
}

enum files_kind files_find(const char *path, struct file *file)
{
    char name[NAME_SIZE];
    name_of(path, name);
    size_t length = strlen(name);
    if (path[strlen(path) - 1] != '/') {
        if (find_file(name, file)) {
            return FILES_FILE;
        }
        strcat(name, "/");
        return has_files(name) || strcmp(path, "/boot") == 0 ? FILES_DIRECTORY_NO_SLASH
                                                             : FILES_NONE;
    }
    strcat(name, INDEX);
    if (find_file(name, file)) {
        return FILES_FILE;
    }
    name[length] = '\0';
    return has_files(name) ? FILES_DIRECTORY : FILES_NONE;
}

/* ---- Listings ---- */

/* Writes text as HTML. */
static void write_escaped(FILE *page, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<': fputs("&lt;", page); break;
        case '>': fputs("&gt;", page); break;
        case '&': fputs("&amp;", page); break;
        case '"': fputs("&quot;", page); break;
        default: fputc(*text, page);
        }
    }
}

/* A line for a file, or for a folder once. `last` is the line before. */
static void write_entry(FILE *page, const char *entry, size_t size, char last[BOOTIMAGE_NAME_MAX])
{
    char name[BOOTIMAGE_NAME_MAX];
    size_t length = strcspn(entry, "/");
    bool is_folder = entry[length] == '/';
    snprintf(name, sizeof(name), "%.*s%s", (int)length, entry, is_folder ? "/" : "");
    if (name[0] == '\0' || strcmp(name, last) == 0) {
        return;
    }
    strcpy(last, name);
    fputs("<tr><td><a href=\"", page);
    write_escaped(page, name);
    fputs("\">", page);
    write_escaped(page, name);
    if (is_folder) {
        fputs("</a><td>\n", page);
    } else {
        fprintf(page, "</a><td style=\"text-align:right\">%zu\n", size);
    }
}

char *files_list(const char *path, size_t *size)
{
    char folder[NAME_SIZE];
    char last[BOOTIMAGE_NAME_MAX] = "";
    char *text = NULL;
    FILE *page = open_memstream(&text, size);
    if (page == NULL) {
        return NULL;
    }
    name_of(path, folder);
    fputs("<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>", page);
    write_escaped(page, path);
    fputs("</title></head><body><h1>", page);
    write_escaped(page, path);
    fputs("</h1><table>\n", page);
    for (size_t i = first_at(folder); i < archive.count && begins_with(&archive.entries[i], folder);
         i++) {
        const struct entry *entry = &archive.entries[i];
        write_entry(page, entry->name + strlen(folder), entry->size, last);
    }
    fputs("</table></body></html>\n", page);
    if (fclose(page) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- Paths ---- */

static int hex(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    int letter = tolower((unsigned char)digit);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Whether a part of the path is `..`. */
static bool goes_up(const char *path)
{
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) {
            return true;
        }
    }
    return false;
}

bool files_decode_path(const char *url, size_t size, char path[PATH_MAX_SIZE])
{
    size_t length = 0;
    for (size_t i = 0; i < size; i++) {
        int byte = (unsigned char)url[i];
        if (byte == '%') {
            if (size - i < 3 || hex(url[i + 1]) < 0 || hex(url[i + 2]) < 0) {
                return false;
            }
            byte = hex(url[i + 1]) * 16 + hex(url[i + 2]);
            i += 2;
        }
        if (byte == '\0' || length == PATH_MAX_SIZE - 1) {
            return false;
        }
        path[length++] = (char)byte;
    }
    path[length] = '\0';
    return path[0] == '/' && !goes_up(path);
}
