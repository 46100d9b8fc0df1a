/* A little program for tests/unit/test_symbols.c: functions, an alias, a label and things that are not code, with lines
 * of two sources. */
    .file 1 "/src" "one.c"
    .file 2 "/src/deep" "two.c"
    .option norvc
    .text
    .globl first, second
    .type first, @function
first:
    .loc 1 11
    nop
    .loc 1 12
    nop
    .size first, 8
    .type alias_of_second, @function
alias_of_second:
second:
    .loc 1 7
    .rept 6
    nop
    .endr
.Llabel:
last:
    .loc 2 100
    nop
    nop
    .data
    .globl variable
variable:
    .8byte 0
    .set constant, 42
