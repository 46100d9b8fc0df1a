/* A little program for tests/unit/test_symbols.c: functions, an alias, a label and things that are not code. */
    .text
    .globl first, second
    .type first, @function
first:
    .skip 8
    .size first, 8
    .type alias_of_second, @function
alias_of_second:
second:
    .skip 24
.Llabel:
last:
    .skip 8
    .data
    .globl variable
variable:
    .8byte 0
    .set constant, 42
