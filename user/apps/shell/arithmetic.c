/* $((...)): C's integer operators, without those that change anything, by precedence climbing. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "expand.h"

#define UNARY_PRECEDENCE 11

struct calculation {
    const struct shell_source *source;
    const char *at;
    struct shell_error *error;
    size_t depth;
};

enum operation {
    LOGICAL_OR,
    LOGICAL_AND,
    BIT_OR,
    BIT_XOR,
    BIT_AND,
    EQUAL,
    NOT_EQUAL,
    LESS_OR_EQUAL,
    GREATER_OR_EQUAL,
    SHIFT_LEFT,
    SHIFT_RIGHT,
    LESS,
    GREATER,
    ADD,
    SUBTRACT,
    MULTIPLY,
    DIVIDE,
    REMAINDER,
};

/* Longer operators come before those that they begin with. */
static const struct {
    const char *text;
    enum operation operation;
    int precedence;
} operators[] = {
    { "||", LOGICAL_OR, 1 },
    { "&&", LOGICAL_AND, 2 },
    { "|", BIT_OR, 3 },
    { "^", BIT_XOR, 4 },
    { "&", BIT_AND, 5 },
    { "==", EQUAL, 6 },
    { "!=", NOT_EQUAL, 6 },
    { "<=", LESS_OR_EQUAL, 7 },
    { ">=", GREATER_OR_EQUAL, 7 },
    { "<<", SHIFT_LEFT, 8 },
    { ">>", SHIFT_RIGHT, 8 },
    { "<", LESS, 7 },
    { ">", GREATER, 7 },
    { "+", ADD, 9 },
    { "-", SUBTRACT, 9 },
    { "*", MULTIPLY, 10 },
    { "/", DIVIDE, 10 },
    { "%", REMAINDER, 10 },
};

#define OPERATORS (sizeof(operators) / sizeof(operators[0]))

static bool evaluate(struct calculation *c, int precedence, long long *value);

static void skip_blanks(struct calculation *c)
{
    c->at += strspn(c->at, " \t\n");
}

static bool malformed(struct calculation *c)
{
    return shell_fail(c->error, "arithmetic: a number or a variable expected at '%.20s'", c->at);
}

static bool parse_number(struct calculation *c, const char *text, const char **end,
                         long long *value)
{
    char *stop;
    errno = 0;
    *value = strtoll(text, &stop, 0);
    *end = stop;
    if (errno != 0) {
        return shell_fail(c->error, "arithmetic: '%.20s' is too large", text);
    }
    return true;
}

/* A variable that is not set, or empty, is 0. */
static bool variable(struct calculation *c, long long *value)
{
    size_t size = shell_parameter_size((struct shell_text){ c->at, strlen(c->at) }, false);
    const char *text = c->source->lookup(c->source->context, c->at, size);
    const char *end = "";
    *value = 0;
    if (text != NULL && !parse_number(c, text, &end, value)) {
        return false;
    }
    if (end[strspn(end, " \t\n")] != '\0') {
        return shell_fail(c->error, "arithmetic: %.*s is '%.20s', no number", (int)size, c->at,
                          text);
    }
    c->at += size;
    return true;
}

static bool primary(struct calculation *c, long long *value)
{
    if (*c->at == '(') {
        c->at++;
        if (!evaluate(c, 1, value)) {
            return false;
        }
        skip_blanks(c);
        if (*c->at != ')') {
            return shell_fail(c->error, "arithmetic: ) expected at '%.20s'", c->at);
        }
        c->at++;
        return true;
    }
    if (*c->at >= '0' && *c->at <= '9') {
        return parse_number(c, c->at, &c->at, value);
    }
    if (shell_is_name(c->at, 1)) {
        return variable(c, value);
    }
    return malformed(c);
}

static bool unary(struct calculation *c, long long *value)
{
    skip_blanks(c);
    char sign = *c->at;
    if (sign != '\0' && strchr("+-!~", sign) != NULL) {
        c->at++;
        if (!evaluate(c, UNARY_PRECEDENCE, value)) {
            return false;
        }
        switch (sign) {
        case '-': *value = (long long)(0 - (unsigned long long)*value); break;
        case '!': *value = *value == 0; break;
        case '~': *value = ~*value; break;
        default: break;
        }
        return true;
    }
    return primary(c, value);
}

/* Like the machine's, without undefined behaviour: results wrap around. */
static bool apply(struct calculation *c, enum operation operation, long long left, long long right,
                  long long *value)
{
    unsigned long long a = (unsigned long long)left;
    unsigned long long b = (unsigned long long)right;
    switch (operation) {
    case LOGICAL_OR: *value = left != 0 || right != 0; break;
    case LOGICAL_AND: *value = left != 0 && right != 0; break;
    case BIT_OR: *value = (long long)(a | b); break;
    case BIT_XOR: *value = (long long)(a ^ b); break;
    case BIT_AND: *value = (long long)(a & b); break;
    case EQUAL: *value = left == right; break;
    case NOT_EQUAL: *value = left != right; break;
    case LESS_OR_EQUAL: *value = left <= right; break;
    case GREATER_OR_EQUAL: *value = left >= right; break;
    case SHIFT_LEFT: *value = (long long)(a << (b & 63)); break;
    case SHIFT_RIGHT: *value = left >> (b & 63); break;
    case LESS: *value = left < right; break;
    case GREATER: *value = left > right; break;
    case ADD: *value = (long long)(a + b); break;
    case SUBTRACT: *value = (long long)(a - b); break;
    case MULTIPLY: *value = (long long)(a * b); break;
    case DIVIDE:
    case REMAINDER:
        if (right == 0) {
            return shell_fail(c->error, "arithmetic: division by 0");
        }
        if (right == -1) {
            *value = operation == DIVIDE ? (long long)(0 - a) : 0;
        } else {
            *value = operation == DIVIDE ? left / right : left % right;
        }
        break;
    }
    return true;
}

/* The index of the operator here, if it binds at least as strongly; OPERATORS: there is none. */
static size_t find_operator(struct calculation *c, int precedence)
{
    skip_blanks(c);
    for (size_t i = 0; i < OPERATORS; i++) {
        if (strncmp(c->at, operators[i].text, strlen(operators[i].text)) == 0) {
            return operators[i].precedence >= precedence ? i : OPERATORS;
        }
    }
    return OPERATORS;
}

static bool evaluate(struct calculation *c, int precedence, long long *value)
{
    size_t found;
    if (++c->depth > SHELL_DEPTH_MAX) {
        return shell_fail(c->error, "arithmetic: more than %d levels", SHELL_DEPTH_MAX);
    }
    if (!unary(c, value)) {
        return false;
    }
    while ((found = find_operator(c, precedence)) < OPERATORS) {
        long long right = 0;
        c->at += strlen(operators[found].text);
        if (!evaluate(c, operators[found].precedence + 1, &right) ||
            !apply(c, operators[found].operation, *value, right, value)) {
            return false;
        }
    }
    c->depth--;
    return true;
}

bool shell_arithmetic(const struct shell_source *source, const char *expression, long long *value,
                      struct shell_error *error)
{
    struct calculation c = { .source = source, .at = expression, .error = error };
    if (!evaluate(&c, 1, value)) {
        return false;
    }
    skip_blanks(&c);
    return *c.at == '\0' || shell_fail(error, "arithmetic: operator expected at '%.20s'", c.at);
}
