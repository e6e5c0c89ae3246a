/* Zeroed memory from the system, in huge pages where the system gives them to those who ask. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

/* What huge pages are aligned to, and the memory with them. */
enum { HUGE_PAGE = 2 << 20 };

/* At least `bytes` bytes, or null. */
void *memory_new(size_t bytes);

/* `memory` may be null. `bytes` is as it was. */
void memory_free(void *memory, size_t bytes);

/* What `bytes` take in whole huge pages. */
size_t memory_size(size_t bytes);

#endif
