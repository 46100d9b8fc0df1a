/* The shell, and programs in the place of this one. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proctest.h"

static void test_system(void)
{
    CHECK(system(NULL) != 0);
    int status = system("exit 7");
    CHECK(WIFEXITED(status));
    CHECK_EQUAL(WEXITSTATUS(status), 7);
    status = system("no-such-program-anywhere 2> /dev/null");
    CHECK_EQUAL(WEXITSTATUS(status), 127);
    status = system("proctest as exit 9");
    CHECK_EQUAL(WEXITSTATUS(status), 9);
    struct sigaction action;
    CHECK_EQUAL(sigaction(SIGINT, NULL, &action), 0);
    CHECK(action.sa_handler == SIG_DFL); /* as it was before */
}

static void test_popen(void)
{
    char line[100] = "";
    FILE *reader = popen("echo one two; exit 5", "r");
    CHECK(reader != NULL);
    if (reader != NULL) {
        CHECK(fgets(line, sizeof(line), reader) != NULL);
        CHECK_EQUAL(strcmp(line, "one two\n"), 0);
        CHECK(fgets(line, sizeof(line), reader) == NULL);
        CHECK_EQUAL(pclose(reader), 5 << 8);
    }
    FILE *writer = popen("proctest as wait", "w");
    CHECK(writer != NULL);
    if (writer != NULL) {
        CHECK(fputs("some text\n", writer) >= 0);
        CHECK_EQUAL(pclose(writer), 0);
    }
    /* The output of one command is the input of the next. */
    reader = popen("echo through a pipe | proctest as copy", "r");
    CHECK(reader != NULL);
    if (reader != NULL) {
        CHECK(fgets(line, sizeof(line), reader) != NULL);
        CHECK_EQUAL(strcmp(line, "through a pipe\n"), 0);
        CHECK_EQUAL(pclose(reader), 0);
    }
}

void test_exec(void)
{
    int status = status_of(start_child(NULL, "become", "exit", "33", NULL));
    CHECK(WIFEXITED(status));
    CHECK_EQUAL(WEXITSTATUS(status), 33);
    status = status_of(start_child(NULL, "become", "raise", "15", NULL));
    CHECK(WIFSIGNALED(status));
    CHECK_EQUAL(WTERMSIG(status), SIGTERM);
    CHECK_ERRNO(execlp("no such program", "x", NULL), ENOENT);
    CHECK_ERRNO(fork(), ENOSYS);
}

void test_shell(void)
{
    test_system();
    test_popen();
}
