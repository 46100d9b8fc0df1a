/*
 * The memory that a client of the file server shares with it (protocol `file`): data on its way.
 * Which parts of it calls use is the client's business; several threads may use several parts. The
 * server copies from and to it, and takes nothing that lies in it for true.
 */
#ifndef FTL_FILE_MEMORY_H
#define FTL_FILE_MEMORY_H

#define FTL_FILE_MEMORY_SIZE 262144u /* bytes */

#endif
