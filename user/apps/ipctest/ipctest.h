/*
 * The parts of ipctest: each exercises one kind of object and reports what is not as it should be.
 */
#ifndef IPCTEST_H
#define IPCTEST_H

#include "user/apps/testing/check.h"

void test_notification(void);
void test_timer(void);
void test_poll(void);
void test_channel(void);
void test_inheritance(void);

#endif
