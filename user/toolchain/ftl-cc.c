/*
 * ftl-cc: the compiler driver for FTL programs. Takes gcc's options, so that foreign build systems
 * can use it as CC, and --isolation=user|sandbox, --flavour=trap|mask and --no-zba besides (or
 * FTL_ISOLATION and FTL_FLAVOUR in the environment), and --sysroot=DIRECTORY for another C library
 * than the one beside it. clang compiles, ld.lld links; for a sandbox
 * ftl-instrument stands between compiler and assembler, and what ftl-verify refuses is not put out.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ftl/sandbox_abi.h>
#include <ftl/types.h>

#include "user/toolchain/command.h"
#include "user/toolchain/names.h"
#include "user/toolchain/rewrite.h"

#define CLANG "clang-19"
#define LLD   "ld.lld-19"
#define MC    "llvm-mc-19"

enum output {
    OUTPUT_PROGRAM,
    OUTPUT_OBJECT,   /* -c */
    OUTPUT_ASSEMBLY, /* -S */
    OUTPUT_OTHER,    /* what clang does alone: -E, -M, -fsyntax-only, questions */
};

struct input {
    const char *path;     /* of a source file, or an argument for the linker */
    const char *language; /* clang's -x; NULL: by the file's name */
    bool source;
};

struct driver {
    ftl_isolation_t isolation;
    bool mask;
    bool zba;
    bool tables; /* the compiler may make switch tables */
    enum output output;
    enum command_mode mode;
    const char *out; /* -o; NULL: not given */
    bool standard_includes;
    bool start_files;
    bool default_libraries;
    bool relocatable;         /* -r */
    bool own_script;          /* -T */
    bool dependencies;        /* -MD or -MMD */
    bool dependency_file;     /* -MF */
    bool dependency_target;   /* -MT or -MQ */
    struct arguments compile; /* for clang */
    struct arguments all;     /* everything but our own options, for OUTPUT_OTHER */
    struct input *inputs;     /* in the order of the command line */
    size_t input_count;
    size_t source_count;
    const char *bin;       /* where our own programs are */
    const char *sysroot;   /* include/ and lib/ of this isolation */
    const char *temporary; /* directory, removed at the end */
    unsigned int temporary_count;
};

static bool starts_with(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

static bool ends_with(const char *string, const char *suffix)
{
    size_t length = strlen(string);
    size_t tail = strlen(suffix);

    return length >= tail && strcmp(string + length - tail, suffix) == 0;
}

static bool is_one_of(const char *string, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strcmp(string, *list) == 0) {
            return true;
        }
    }
    return false;
}

static bool starts_with_one_of(const char *string, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (starts_with(string, *list)) {
            return true;
        }
    }
    return false;
}

static bool sandbox(const struct driver *driver)
{
    return driver->isolation == FTL_ISOLATION_SANDBOX;
}

/* ---- The command line ---- */

static int usage_error(const char *message, const char *argument)
{
    fprintf(stderr, "ftl-cc: %s: %s\n", message, argument);
    return 2;
}

static bool set_isolation(struct driver *driver, const char *name)
{
    if (strcmp(name, "sandbox") == 0) {
        driver->isolation = FTL_ISOLATION_SANDBOX;
    } else if (strcmp(name, "user") == 0) {
        driver->isolation = FTL_ISOLATION_USER;
    } else {
        return false;
    }
    return true;
}

static bool set_flavour(struct driver *driver, const char *name)
{
    driver->mask = strcmp(name, "mask") == 0;
    return driver->mask || strcmp(name, "trap") == 0;
}

static void add_input(struct driver *driver, const char *path, const char *language, bool source)
{
    driver->inputs = xrealloc(driver->inputs, (driver->input_count + 1) * sizeof(*driver->inputs));
    driver->inputs[driver->input_count++] = (struct input){ path, language, source };
    driver->source_count += source;
}

static void add_link_argument(struct driver *driver, const char *argument)
{
    add_input(driver, argument, NULL, false);
}

/* -Wl,a,b: each part is one argument for the linker. */
static void add_comma_list(struct driver *driver, const char *list)
{
    while (*list != '\0') {
        size_t length = strcspn(list, ",");

        add_link_argument(driver, xstrndup(list, length));
        list += length + (list[length] == ',');
    }
}

/* Options of our own. True if argument was one; *bad if its value makes no sense. */
static bool take_own_option(struct driver *driver, const char *argument, bool *bad)
{
    if (starts_with(argument, "--isolation=")) {
        *bad = !set_isolation(driver, strchr(argument, '=') + 1);
    } else if (starts_with(argument, "--flavour=")) {
        *bad = !set_flavour(driver, strchr(argument, '=') + 1);
    } else if (strcmp(argument, "--no-zba") == 0) {
        driver->zba = false;
    } else if (starts_with(argument, "--sysroot=")) {
        driver->sysroot = strchr(argument, '=') + 1;
    } else {
        return false;
    }
    return true;
}

/* Options that say what to do, and those of no meaning here. True if argument was one. */
static bool take_mode_option(struct driver *driver, const char *argument)
{
    static const char *const alone[] = {
        "-E",           "-M",     "-MM", "-fsyntax-only", "--version", "-dumpmachine",
        "-dumpversion", "--help", NULL
    };
    static const char *const ignored[] = { "-static",   "-pie", "-no-pie",  "-static-pie", "-pipe",
                                           "-rdynamic", "-s",   "-pthread", NULL };
    static const char *const ignored_starts[] = { "-Wa,",  "-flto", "-save-temps", "-fPIC", "-fpic",
                                                  "-fPIE", "-fpie", "-fuse-ld=",   NULL };

    if (strcmp(argument, "-c") == 0) {
        driver->output = OUTPUT_OBJECT;
    } else if (strcmp(argument, "-S") == 0) {
        driver->output = OUTPUT_ASSEMBLY;
    } else if (strcmp(argument, "-v") == 0) {
        driver->mode = COMMAND_SHOW_AND_RUN;
    } else if (strcmp(argument, "-###") == 0) {
        driver->mode = COMMAND_SHOW;
    } else if (is_one_of(argument, alone) || starts_with(argument, "-print-") ||
               starts_with(argument, "--print-")) {
        driver->output = OUTPUT_OTHER;
    } else {
        return is_one_of(argument, ignored) || starts_with_one_of(argument, ignored_starts);
    }
    return true;
}

/* Options of the link alone. True if argument was one. */
static bool take_link_option(struct driver *driver, const char *argument)
{
    if (strcmp(argument, "-nostdlib") == 0) {
        driver->start_files = false;
        driver->default_libraries = false;
    } else if (strcmp(argument, "-nostartfiles") == 0) {
        driver->start_files = false;
    } else if (strcmp(argument, "-nodefaultlibs") == 0 || strcmp(argument, "-nolibc") == 0) {
        driver->default_libraries = false;
    } else if (strcmp(argument, "-r") == 0) {
        driver->relocatable = true;
        driver->start_files = false;
        driver->default_libraries = false;
        add_link_argument(driver, argument);
    } else if (starts_with(argument, "-Wl,")) {
        add_comma_list(driver, argument + 4);
    } else if (starts_with(argument, "-l") || starts_with(argument, "-L")) {
        add_link_argument(driver, argument);
    } else {
        return false;
    }
    return true;
}

/* The linker's options with a separate value. True if argument was one. */
static bool take_link_pair(struct driver *driver, const char *argument, const char *value)
{
    static const char *const pairs[] = { "-L", "-l", "-T", "-u", "-z", "-e", NULL };

    if (strcmp(argument, "-Xlinker") == 0) {
        add_link_argument(driver, value);
        return true;
    }
    if (!is_one_of(argument, pairs)) {
        return false;
    }
    driver->own_script = driver->own_script || strcmp(argument, "-T") == 0;
    add_link_argument(driver, argument);
    add_link_argument(driver, value);
    return true;
}

/* Options for the compiler that the driver itself must know of. */
static void note_compile_option(struct driver *driver, const char *argument)
{
    driver->dependencies |= strcmp(argument, "-MD") == 0 || strcmp(argument, "-MMD") == 0;
    driver->dependency_file |= starts_with(argument, "-MF");
    driver->dependency_target |= starts_with(argument, "-MT") || starts_with(argument, "-MQ");
    driver->standard_includes &= strcmp(argument, "-nostdinc") != 0;
}

static bool has_value(const char *argument)
{
    static const char *const pairs[] = {
        "-o",         "-I",          "-D",       "-U",        "-include", "-isystem", "-iquote",
        "-idirafter", "-imacros",    "-MF",      "-MT",       "-MQ",      "-x",       "-L",
        "-l",         "-T",          "-Xlinker", "-Xclang",   "-mllvm",   "-u",       "-z",
        "-e",         "-Xassembler", "--param",  "-isysroot", "-iprefix", NULL
    };

    return is_one_of(argument, pairs);
}

static bool is_source(const char *path, const char *language)
{
    static const char *const objects[] = { ".o", ".a", ".so", ".lo", ".obj", NULL };

    if (language != NULL) {
        return true;
    }
    for (const char *const *suffix = objects; *suffix != NULL; suffix++) {
        if (ends_with(path, *suffix)) {
            return false;
        }
    }
    return true;
}

/* An option with the separate value. */
static void take_pair(struct driver *driver, const char *argument, const char *value,
                      const char **language)
{
    if (strcmp(argument, "-o") == 0) {
        driver->out = value;
    } else if (strcmp(argument, "-x") == 0) {
        *language = strcmp(value, "none") == 0 ? NULL : value;
    } else if (!take_link_pair(driver, argument, value)) {
        note_compile_option(driver, argument);
        arguments_add(&driver->compile, argument);
        arguments_add(&driver->compile, value);
    }
}

static void take_single(struct driver *driver, const char *argument, const char **language)
{
    static const char *const machine[] = { "-march=",   "-mabi=",  "-mcpu=",
                                           "-mcmodel=", "-mrelax", NULL };

    if (take_mode_option(driver, argument) || take_link_option(driver, argument)) {
        return;
    }
    if (argument[0] != '-' || argument[1] == '\0') {
        add_input(driver, argument, *language, is_source(argument, *language));
    } else if (starts_with(argument, "-o")) {
        driver->out = argument + 2;
    } else if (starts_with(argument, "-x")) {
        *language = strcmp(argument + 2, "none") == 0 ? NULL : argument + 2;
    } else if (!sandbox(driver) || !starts_with_one_of(argument, machine)) {
        note_compile_option(driver, argument);
        arguments_add(&driver->compile, argument);
    }
}

/* Returns 0, or the exit status for a command line that makes no sense. */
static int parse_arguments(struct driver *driver, int argc, char **argv)
{
    const char *language = NULL;
    bool bad = false;

    for (int i = 1; i < argc; i++) { /* our own first: the meaning of others depends on them */
        if (take_own_option(driver, argv[i], &bad) && bad) {
            return usage_error("unknown value", argv[i]);
        }
    }
    for (int i = 1; i < argc; i++) {
        if (take_own_option(driver, argv[i], &bad)) {
            continue;
        }
        arguments_add(&driver->all, argv[i]);
        if (strcmp(argv[i], "-shared") == 0) {
            return usage_error("there are no shared libraries on FTL", argv[i]);
        }
        if (!has_value(argv[i])) {
            take_single(driver, argv[i], &language);
        } else if (i + 1 == argc) {
            return usage_error("value missing after", argv[i]);
        } else {
            arguments_add(&driver->all, argv[i + 1]);
            take_pair(driver, argv[i], argv[i + 1], &language);
            i++;
        }
    }
    return 0;
}

/* ---- Compiling ---- */

/* Options before and behind the user's own: defaults, and what is not the user's to choose. */
static void begin_clang(const struct driver *driver, struct arguments *command)
{
    static const char *const always[] = { CLANG,
                                          "--target=riscv64-unknown-elf",
                                          "-nostdlibinc",
                                          "-ffunction-sections",
                                          "-fdata-sections",
                                          "-fno-asynchronous-unwind-tables",
                                          "-fno-stack-protector",
                                          "-D__FTL__=1",
                                          NULL };

    arguments_add_list(command, always);
    if (sandbox(driver)) {
        arguments_add(command, "-D__FTL_SANDBOX__=1");
        arguments_add(command, "-gline-tables-only"); /* for what the instrumenter says */
    } else {
        arguments_add(command, "-march=rv64gc");
    }
}

static const char *machine(const struct driver *driver)
{
    return driver->zba ? "-march=rv64g_zba_zbb" : "-march=rv64g";
}

static void end_clang(const struct driver *driver, struct arguments *command)
{
    static const char *const always[] = { "-mabi=lp64d",
                                          "-mcmodel=medany",
                                          "-fPIE",
                                          "-fdirect-access-external-data",
                                          "-fno-lto",
                                          "-ftls-model=local-exec",
                                          "-msmall-data-limit=0",
                                          "-Wno-unused-command-line-argument",
                                          NULL };
    static const char *const sandboxed[] = { "-mno-relax",  "-mno-outline", "-ffixed-x24",
                                             "-ffixed-x25", "-ffixed-x26",  "-ffixed-x27",
                                             NULL };

    if (driver->standard_includes) {
        arguments_add(command, "-isystem");
        arguments_add(command, text("%s/include", driver->sysroot));
    }
    arguments_add_list(command, always);
    if (sandbox(driver)) {
        arguments_add(command, machine(driver));
        arguments_add_list(command, sandboxed);
        if (!driver->tables) { /* see docs/sandbox.md, "Switch tables" */
            arguments_add(command, "-fno-jump-tables");
        }
    }
}

static const char *temporary_file(struct driver *driver, const char *suffix)
{
    return text("%s/%u%s", driver->temporary, driver->temporary_count++, suffix);
}

static int run_and_free(const struct driver *driver, struct arguments *command)
{
    int status = command_run(command, driver->mode);

    arguments_free(command);
    return status;
}

/* Dependency files name the object the user asked for, not our temporary ones. */
static void add_dependency_options(const struct driver *driver, const char *object,
                                   struct arguments *command)
{
    if (!driver->dependencies) {
        return;
    }
    if (!driver->dependency_target) {
        arguments_add(command, "-MQ");
        arguments_add(command, object);
    }
    if (!driver->dependency_file) {
        const char *dot = strrchr(object, '.');
        const char *slash = strrchr(object, '/');
        size_t stem =
            dot == NULL || (slash != NULL && dot < slash) ? strlen(object) : (size_t)(dot - object);

        arguments_add(command, "-MF");
        arguments_add(command, text("%.*s.d", (int)stem, object));
    }
}

/* Runs clang over one source with the step option (-c, -S, -E). */
static int run_clang(const struct driver *driver, const struct input *input, const char *step,
                     const char *object, const char *out)
{
    struct arguments command = { NULL, 0, 0 };

    begin_clang(driver, &command);
    arguments_add_all(&command, &driver->compile);
    add_dependency_options(driver, object, &command);
    end_clang(driver, &command);
    if (strcmp(step, "-S") == 0 && sandbox(driver)) {
        arguments_add(&command, "-mllvm");
        arguments_add(&command, "-riscv-no-aliases");
    }
    arguments_add(&command, step);
    if (input->language != NULL) {
        arguments_add(&command, "-x");
        arguments_add(&command, input->language);
    }
    arguments_add(&command, input->path);
    arguments_add(&command, "-o");
    arguments_add(&command, out);
    return run_and_free(driver, &command);
}

/* Lets llvm-mc expand macros and pseudo-instructions: one plain statement a line. */
static int canonicalize(struct driver *driver, const char **assembly)
{
    const char *out = temporary_file(driver, ".canonical.s");
    struct arguments command = { NULL, 0, 0 };

    arguments_add(&command, MC);
    arguments_add(&command, "--triple=riscv64");
    arguments_add(&command, driver->zba ? "--mattr=+m,+a,+f,+d,+zba,+zbb" : "--mattr=+m,+a,+f,+d");
    arguments_add(&command, "--filetype=asm");
    arguments_add(&command, "-M");
    arguments_add(&command, "no-aliases");
    for (size_t i = 0; i < driver->compile.count; i++) {
        if (starts_with(driver->compile.list[i], "-I")) {
            arguments_add(&command, driver->compile.list[i]);
            if (driver->compile.list[i][2] == '\0' && i + 1 < driver->compile.count) {
                arguments_add(&command, driver->compile.list[i + 1]);
            }
        }
    }
    arguments_add(&command, *assembly);
    arguments_add(&command, "-o");
    arguments_add(&command, out);
    *assembly = out;
    return run_and_free(driver, &command);
}

static int run_instrumenter(struct driver *driver, const char *source, const char *assembly,
                            const char *out)
{
    struct arguments command = { NULL, 0, 0 };

    arguments_add(&command, text("%s/ftl-instrument", driver->bin));
    arguments_add(&command, driver->mask ? "--flavour=mask" : "--flavour=trap");
    if (!driver->zba) {
        arguments_add(&command, "--no-zba");
    }
    arguments_add(&command, text("--source=%s (as assembly)", source));
    arguments_add(&command, assembly);
    arguments_add(&command, out);
    return run_and_free(driver, &command);
}

static int assemble(const struct driver *driver, const char *assembly, const char *out)
{
    struct arguments command = { NULL, 0, 0 };

    arguments_add(&command, CLANG);
    arguments_add(&command, "--target=riscv64-unknown-elf");
    arguments_add(&command, machine(driver));
    arguments_add(&command, "-mabi=lp64d");
    arguments_add(&command, "-mno-relax");
    arguments_add(&command, "-c");
    arguments_add(&command, assembly);
    arguments_add(&command, "-o");
    arguments_add(&command, out);
    return run_and_free(driver, &command);
}

/* True if the compiler's output holds text of inline assembly, which may be anything. */
static bool has_inline_assembly(const char *assembly)
{
    char *data = read_file(assembly, NULL);
    bool found = data != NULL && strstr(data, "#APP") != NULL;

    free(data);
    return found;
}

static bool is_assembly(const struct input *input, bool *preprocessed)
{
    const char *language = input->language;

    *preprocessed =
        language != NULL ? strcmp(language, "assembler") == 0 : ends_with(input->path, ".s");
    return *preprocessed ||
           (language != NULL ? strcmp(language, "assembler-with-cpp") == 0
                             : ends_with(input->path, ".S") || ends_with(input->path, ".sx"));
}

/* Makes instrumented assembly of one source. *assembly has the file's name. */
static int instrument_source(struct driver *driver, const struct input *input, const char *object,
                             const char *assembly)
{
    const char *raw = temporary_file(driver, ".s");
    bool preprocessed;
    bool foreign = is_assembly(input, &preprocessed);
    int status = 0;

    if (preprocessed) {
        raw = input->path;
    } else {
        status = run_clang(driver, input, foreign ? "-E" : "-S", object, raw);
    }
    if (status == 0 && (foreign || has_inline_assembly(raw))) {
        status = canonicalize(driver, &raw);
    }
    if (status != 0) {
        return status;
    }
    return run_instrumenter(driver, input->path, raw, assembly);
}

/* The same, without switch tables if the instrumenter does not understand one. */
static int make_sandboxed(struct driver *driver, const struct input *input, const char *object,
                          const char *assembly)
{
    int status;

    driver->tables = driver->zba;
    status = instrument_source(driver, input, object, assembly);
    if (status == REWRITE_STATUS_TABLES) {
        driver->tables = false;
        status = instrument_source(driver, input, object, assembly);
    }
    if (status == REWRITE_STATUS_TABLES) { /* not the compiler's */
        fprintf(stderr, "ftl-cc: %s: switch table that is not understood\n", input->path);
    }
    return status;
}

/* The linker script of user programs admits no object with this section. */
static int mark_as_sandboxed(const char *assembly)
{
    static const char mark[] = "\t.section\t.ftl.isolation,\"\",@progbits\n\t.word\t1\n";
    FILE *file = fopen(assembly, "a");
    bool good = file != NULL && fputs(mark, file) >= 0;

    if ((file != NULL && fclose(file) != 0) || !good) {
        fprintf(stderr, "ftl-cc: %s: %s\n", assembly, strerror(errno));
        return EXIT_FAILURE;
    }
    return 0;
}

/*
 * Compiles one source to out: an object, or assembly for -S. Dependency files are for `target`.
 */
static int compile(struct driver *driver, const struct input *input, const char *target,
                   const char *out)
{
    const char *assembly = out;
    int status;

    if (!sandbox(driver)) {
        return run_clang(driver, input, driver->output == OUTPUT_ASSEMBLY ? "-S" : "-c", target,
                         out);
    }
    if (driver->output != OUTPUT_ASSEMBLY) {
        assembly = temporary_file(driver, ".sandbox.s");
    }
    status = make_sandboxed(driver, input, target, assembly);
    status = status == 0 ? mark_as_sandboxed(assembly) : status;
    if (status == 0 && driver->output != OUTPUT_ASSEMBLY) {
        status = assemble(driver, assembly, out);
    }
    return status;
}

/* What -c and -S call their output without -o. */
static const char *default_output(const struct driver *driver, const char *source)
{
    const char *slash = strrchr(source, '/');
    const char *base = slash == NULL ? source : slash + 1;
    const char *dot = strrchr(base, '.');
    size_t stem = dot == NULL ? strlen(base) : (size_t)(dot - base);

    return text("%.*s%s", (int)stem, base, driver->output == OUTPUT_ASSEMBLY ? ".s" : ".o");
}

static int compile_all(struct driver *driver)
{
    int status = 0;

    if (driver->out != NULL && driver->source_count > 1) {
        return usage_error("one output for several sources", driver->out);
    }
    if (driver->out != NULL && strcmp(driver->out, "-") == 0) {
        driver->out = "/dev/stdout";
    }
    for (size_t i = 0; i < driver->input_count && status == 0; i++) {
        const struct input *input = &driver->inputs[i];

        const char *out = driver->out;

        if (input->source) {
            out = out != NULL ? out : default_output(driver, input->path);
            status = compile(driver, input, out, out);
        }
    }
    return status;
}

/* ---- Linking ---- */

/* The note that tells the loader what it gets: see <ftl/sandbox_abi.h>. */
static int make_note(struct driver *driver, const char **object)
{
    const char *source = temporary_file(driver, ".note.s");
    unsigned int flavour = driver->mask ? FTL_FLAVOUR_MASK : FTL_FLAVOUR_TRAP;
    unsigned int isa = driver->zba ? FTL_ISA_ZBA | FTL_ISA_ZBB : 0;
    FILE *file = fopen(source, "w");

    if (file == NULL) {
        fprintf(stderr, "ftl-cc: %s: %s\n", source, strerror(errno));
        return EXIT_FAILURE;
    }
    if (!sandbox(driver)) {
        flavour = FTL_FLAVOUR_NONE;
        isa = 0;
    }
    fprintf(file,
            ".section .note.ftl,\"aR\",@note\n.p2align 2\n.word 4, 16, %d\n.asciz \"FTL\"\n"
            ".word %d, %d, %u, %u\n",
            FTL_NOTE_TYPE, FTL_NOTE_ABI_VERSION, (int)driver->isolation, flavour, isa);
    if (fclose(file) != 0) {
        fprintf(stderr, "ftl-cc: %s: %s\n", source, strerror(errno));
        return EXIT_FAILURE;
    }
    *object = temporary_file(driver, ".note.o");
    return assemble(driver, source, *object);
}

static bool readable(const char *path)
{
    return access(path, R_OK) == 0;
}

static void add_libraries(const struct driver *driver, struct arguments *command)
{
    static const char *const libraries[] = { "ftl", "c", "builtins", NULL };

    arguments_add(command, "--start-group");
    for (const char *const *library = libraries; *library != NULL; library++) {
        const char *path = text("%s/lib/lib%s.a", driver->sysroot, *library);

        if (readable(path)) {
            arguments_add(command, path);
        }
    }
    arguments_add(command, "--end-group");
}

static void add_link_options(const struct driver *driver, const char *out,
                             struct arguments *command)
{
    static const char *const always[] = { "-pie",
                                          "--no-dynamic-linker",
                                          "-z",
                                          "max-page-size=4096",
                                          "-z",
                                          "norelro",
                                          "-z",
                                          "nognustack",
                                          "--gc-sections",
                                          "--build-id=none",
                                          "--no-eh-frame-hdr",
                                          NULL };
    const char *script = text("%s/lib/link.ld", driver->sysroot);

    arguments_add(command, LLD);
    arguments_add(command, "-melf64lriscv");
    if (!driver->relocatable) {
        arguments_add_list(command, always);
        if (!driver->own_script && readable(script)) {
            arguments_add(command, "-T");
            arguments_add(command, script);
        }
    }
    if (sandbox(driver)) {
        arguments_add(command, "--no-relax");
    }
    arguments_add(command, "-o");
    arguments_add(command, out);
}

static int verify(struct driver *driver, const char *out)
{
    struct arguments command = { NULL, 0, 0 };
    int status;

    arguments_add(&command, text("%s/ftl-verify", driver->bin));
    arguments_add(&command, out);
    status = run_and_free(driver, &command);
    if (status != 0) {
        remove(out);
        fprintf(stderr,
                "ftl-cc: %s is no sandbox and was removed; were all objects and libraries made "
                "with --isolation=sandbox?\n",
                out);
    }
    return status;
}

/* Compiles the sources and links everything in the order of the command line. */
static int link_program(struct driver *driver)
{
    const char *out = driver->out != NULL ? driver->out : "a.out";
    const char *note = NULL;
    struct arguments command = { NULL, 0, 0 };
    int status = driver->relocatable ? 0 : make_note(driver, &note);

    add_link_options(driver, out, &command);
    if (driver->start_files) {
        arguments_add(&command, text("%s/lib/crt1.o", driver->sysroot));
    }
    if (note != NULL) {
        arguments_add(&command, note);
    }
    for (size_t i = 0; i < driver->input_count && status == 0; i++) {
        const char *path = driver->inputs[i].path;

        if (driver->inputs[i].source) {
            path = temporary_file(driver, ".o");
            status = compile(driver, &driver->inputs[i], out, path);
        }
        arguments_add(&command, path);
    }
    arguments_add(&command, text("-L%s/lib", driver->sysroot));
    if (driver->default_libraries) {
        add_libraries(driver, &command);
    }
    status = status != 0 ? status : command_run(&command, driver->mode);
    arguments_free(&command);
    if (status == 0 && sandbox(driver) && !driver->relocatable) {
        status = verify(driver, out);
    }
    return status;
}

/* Questions, preprocessing and the like: clang alone, with our target. */
static int run_alone(struct driver *driver)
{
    struct arguments command = { NULL, 0, 0 };

    begin_clang(driver, &command);
    arguments_add_all(&command, &driver->all);
    end_clang(driver, &command);
    return run_and_free(driver, &command);
}

/* ---- The tool ---- */

static bool find_directories(struct driver *driver)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    char *slash;

    if (length < 0) {
        fprintf(stderr, "ftl-cc: /proc/self/exe: %s\n", strerror(errno));
        return false;
    }
    path[length] = '\0';
    slash = strrchr(path, '/');
    *slash = '\0';
    driver->bin = text("%s", path);
    if (driver->sysroot == NULL) {
        driver->sysroot = text("%s/../sysroot/%s", path, sandbox(driver) ? "sandbox" : "user");
    }
    return true;
}

static bool make_temporary(struct driver *driver)
{
    const char *base = getenv("TMPDIR");
    const char *template = text("%s/ftl-cc.XXXXXX", base == NULL ? "/tmp" : base);

    driver->temporary = mkdtemp((char *)(uintptr_t)template);
    if (driver->temporary == NULL) {
        fprintf(stderr, "ftl-cc: %s: %s\n", template, strerror(errno));
        return false;
    }
    return true;
}

/* Files in the directory are named by the count and one of few suffixes. */
static void remove_temporary(const struct driver *driver)
{
    static const char *const suffixes[] = { ".s",      ".canonical.s", ".sandbox.s", ".note.s",
                                            ".note.o", ".o",           NULL };

    for (unsigned int i = 0; i < driver->temporary_count; i++) {
        for (const char *const *suffix = suffixes; *suffix != NULL; suffix++) {
            remove(text("%s/%u%s", driver->temporary, i, *suffix));
        }
    }
    rmdir(driver->temporary);
}

static int run(struct driver *driver)
{
    int status;

    if (driver->output == OUTPUT_OTHER || driver->input_count == 0) {
        return run_alone(driver);
    }
    if (!make_temporary(driver)) {
        return EXIT_FAILURE;
    }
    status = driver->output == OUTPUT_PROGRAM ? link_program(driver) : compile_all(driver);
    remove_temporary(driver);
    return status;
}

int main(int argc, char **argv)
{
    struct driver driver = { .isolation = FTL_ISOLATION_USER,
                             .zba = true,
                             .standard_includes = true,
                             .start_files = true,
                             .default_libraries = true };
    const char *isolation = getenv("FTL_ISOLATION");
    const char *flavour = getenv("FTL_FLAVOUR");
    int status;

    if (isolation != NULL && !set_isolation(&driver, isolation)) {
        return usage_error("unknown isolation in FTL_ISOLATION", isolation);
    }
    if (flavour != NULL && !set_flavour(&driver, flavour)) {
        return usage_error("unknown flavour in FTL_FLAVOUR", flavour);
    }
    status = parse_arguments(&driver, argc, argv);
    if (status == 0 && !find_directories(&driver)) {
        status = EXIT_FAILURE;
    }
    return status != 0 ? status : run(&driver);
}
