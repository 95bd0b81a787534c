/* memory.h - how much memory this process may still take.
 *
 * Idea       The smaller of what the machine has (MemAvailable) and what each control group above
 *            the process leaves, page cache that can be dropped counted as free.
 * Owner      Any process, before it creates a workspace.
 * Cost       Reads a few files of /proc and /sys.
 * Caveat     A moment's picture: others may take it in between.
 */
#ifndef FLY_SHM_MEMORY_H
#define FLY_SHM_MEMORY_H

#include <stdint.h>

/* Bytes that can still be had; UINT64_MAX when nothing can be read. `root` stands before /proc and
 * /sys: "" but in tests. */
uint64_t fly_memory_available(const char *root);

/* Bytes of free huge pages of 2 MiB. */
uint64_t fly_memory_huge_free(const char *root);

#endif
