/* Parts of sockettest in other files. */
#ifndef SOCKETTEST_H
#define SOCKETTEST_H

/*
 * A client that breaks all rules of the protocol and of the shared memory; others must not notice.
 */
void test_hostile(void);

#endif
