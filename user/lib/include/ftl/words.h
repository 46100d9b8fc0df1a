/*
 * Short messages in registers: what the `words` calls of calls.def, the kernel and the user library
 * agree on. Usable from assembly.
 *
 * a0 holds the channel's handle, then the status; a1 the tag, both ways; t6 the address of a struct
 * ftl_message for messages that are longer; a7 the call's number. The message registers, up to
 * FTL_WORDS_SIZE bytes in the order of memory, are a2 to a6, t3, t4, t5. The kernel hands all of
 * them on, whatever the size: a sender clears those that it does not use.
 */
#ifndef FTL_WORDS_H
#define FTL_WORDS_H

#define FTL_WORDS_COUNT     8
#define FTL_WORDS_SIZE      64 /* bytes */
#define FTL_WORDS_TAG_SHIFT 8  /* the tag: a size, and above it a transaction */
#define FTL_WORDS_SIZE_MASK 0xff
#define FTL_WORDS_IN_MEMORY 0xff /* in place of the size: the message is in memory */

#endif
