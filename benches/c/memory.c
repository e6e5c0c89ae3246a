#define _GNU_SOURCE
#include "memory.h"

#include <stdint.h>
#include <sys/mman.h>

size_t memory_size(size_t bytes)
{
    return (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
}

void *memory_new(size_t bytes)
{
    size_t size = memory_size(bytes);
    char *start = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    /* The system aligns to small pages only. What lies outside of the aligned part goes back. */
    size_t before = -(uintptr_t)start % HUGE_PAGE;
    char *aligned = start + before;
    if (before != 0)
        munmap(start, before);
    munmap(aligned + size, HUGE_PAGE - before);
    /* Where there are no huge pages, this fails and does nothing. */
    madvise(aligned, size, MADV_HUGEPAGE);
    return aligned;
}

void memory_free(void *memory, size_t bytes)
{
    if (memory != NULL)
        munmap(memory, memory_size(bytes));
}
