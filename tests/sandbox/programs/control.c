/* Control flow in a sandbox: function tables, computed goto, dense switches, varargs, tail calls,
 * loops. */
#include <stdarg.h>
#include <stdio.h>

typedef unsigned int (*operation)(unsigned int, unsigned int);

static unsigned int add(unsigned int a, unsigned int b)
{
    return a + b;
}

static unsigned int multiply(unsigned int a, unsigned int b)
{
    return a * b;
}

static unsigned int mix(unsigned int a, unsigned int b)
{
    return (a << 5 | a >> 27) ^ b;
}

static const operation operations[] = { add, multiply, mix };

/* An interpreter by computed goto: opcodes index a table of labels. */
static int interpret(const unsigned char *code)
{
    static const void *const labels[] = { &&push, &&sum, &&product, &&done };
    int stack[16];
    int top = 0;

    goto *labels[*code];
push:
    stack[top++] = code[1];
    code += 2;
    goto *labels[*code];
sum:
    top--;
    stack[top - 1] += stack[top];
    code++;
    goto *labels[*code];
product:
    top--;
    stack[top - 1] *= stack[top];
    code++;
    goto *labels[*code];
done:
    return stack[0];
}

__attribute__((noinline)) static const char *name(int digit)
{
    switch (digit) {
    case 0: return "zero";
    case 1: return "one";
    case 2: return "two";
    case 3: return "three";
    case 4: return "four";
    case 5: return "five";
    case 6: return "six";
    case 7: return "seven";
    case 8: return "eight";
    case 9: return "nine";
    default: return "many";
    }
}

static long sum(int count, ...)
{
    va_list list;
    long total = 0;

    va_start(list, count);
    while (count-- > 0) {
        total += va_arg(list, long);
    }
    va_end(list);
    return total;
}

static int odd(unsigned int n);

static int even(unsigned int n)
{
    return n == 0 ? 1 : odd(n - 1);
}

static int odd(unsigned int n)
{
    return n == 0 ? 0 : even(n - 1);
}

int main(void)
{
    static const unsigned char code[] = { 0, 6, 0, 7, 2, 0, 8, 1, 3 };
    unsigned int value = 1;

    for (unsigned int i = 0; i < 1000; i++) {
        value = operations[i % 3](value, i + 1);
    }
    printf("table: %u\n", value);
    printf("computed goto: %d\n", interpret(code));
    for (int i = -1; i < 11; i++) {
        printf("%s%s", i < 0 ? "" : " ", name(i));
    }
    printf("\nvarargs: %ld\n", sum(10, 1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L, 10L));
    printf("even: %d\n", even(1001));
    return 0;
}
