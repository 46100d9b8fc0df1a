/* Says hello and shows what a program finds at its start. The same in both isolation modes. */
#include <ftl/environ.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    const struct ftl_environ *env = ftl_environ();
    const char *variable;

    printf("Hello from FTL\n");
    for (int i = 0; i < argc; i++) {
        printf("argument %d: %s\n", i, argv[i]);
    }
    for (size_t i = 0; (variable = ftl_environ_var(env, i)) != NULL; i++) {
        printf("variable: %s\n", variable);
    }
    for (size_t i = 0; i < env->handle_count; i++) {
        printf("handle: %s\n", env->handles[i].name);
    }
    return EXIT_SUCCESS;
}
