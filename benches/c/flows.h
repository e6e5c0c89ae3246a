/* What the peers share: flows in memory that is reserved at the beginning, a timing wheel for each worker, and
 * flows that wait until no reader holds them. The hash table over the flows is the library's.
 *
 * A flow is in one place at a time: unused, with its inserter, on a wheel, or retired. Only its wheel lets go
 * of it: a flow that was removed by its key or replaced stays there until its time has come. Retired flows are
 * used again after a grace period, which is waited for once for many of them. */
#ifndef FLOWS_H
#define FLOWS_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer.h"
#include "wheel.h"

enum {
    WORKERS = 16,
    VALUE_WORDS = 8,
    /* So many retired flows of a worker wait for a grace period together. */
    BATCH = 1024,
    /* Nanoseconds of a tick, as a power of two: about a millisecond. */
    TICK_BITS = 20,
};

/* Two cache lines. A look-up that hits needs the first one only. */
struct flow {
    /* What the hash table keeps with the flow. */
    alignas(64) unsigned char index[16];
    uint64_t key[KEY_WORDS];
    /* In ticks. The flow is live before it. */
    _Atomic uint32_t deadline;
    uint32_t timeout;
    uint64_t value[VALUE_WORDS];
};

_Static_assert(sizeof(struct flow) == 128, "two lines");

/* What the hash table does for its flows. */
struct index {
    /* Takes the flow out. False if it has been taken out before. */
    bool (*end)(void *table, struct flow *flow);
    /* Waits until no reader holds a flow that was taken out before the call. */
    void (*synchronize)(void *table);
    /* No reader holds the flow any more. */
    void (*release)(void *table, struct flow *flow);
};

struct worker {
    alignas(64) atomic_flag lock;
    struct wheel wheel;
    /* Flows on the wheel. Written under the lock. */
    _Atomic uint32_t timers;
    /* Insertions by this worker less ends. */
    _Atomic int64_t held;
    /* First of the retired flows, and their number. */
    uint32_t retired;
    uint32_t retirees;
};

struct flows {
    const struct index *index;
    void *table;
    uint32_t capacity;
    /* The flows, from number 1 on, and the links of the lists that they are in. */
    struct flow *memory;
    uint32_t *next;
    struct worker workers[WORKERS];
    /* The pool: a list, and numbers that were never used. */
    alignas(64) atomic_flag lock;
    uint32_t free;
    uint32_t untouched;
};

/* How many flows may exist for `flows` to be live: some are late to expire, and some are retired. */
uint32_t flows_capacity(uint32_t flows);

/* Null if there is no memory. */
struct flows *flows_new(uint32_t capacity, const struct index *index, void *table);

void flows_free(struct flows *flows);

/* A flow with this content, for the hash table; null if all are in use. */
struct flow *flows_take(struct flows *flows, const uint64_t *key, uint64_t value, uint64_t timeout, uint64_t now);

/* Gives back a flow that the hash table refused. */
void flows_give_back(struct flows *flows, struct flow *flow);

/* Sets the timer of a flow that is in the hash table now. `replaced` says whether another one left it for that. */
void flows_arm(struct flows *flows, uint32_t worker, struct flow *flow, bool replaced);

/* Notes that a flow was taken out of the hash table by its key. */
void flows_removed(struct flows *flows, uint32_t worker, struct flow *flow);

/* Ends what is due on the wheel of `worker`, or on all. Returns how many flows expired. */
size_t flows_expire(struct flows *flows, uint32_t worker, uint64_t now);
size_t flows_reap(struct flows *flows, uint64_t now);

size_t flows_held(struct flows *flows);

static inline uint32_t ticks(uint64_t nanoseconds)
{
    return (uint32_t)(nanoseconds >> TICK_BITS);
}

static inline bool same_key(const uint64_t *one, const uint64_t *other)
{
    uint64_t difference = 0;
    for (int word = 0; word < KEY_WORDS; word++)
        difference |= one[word] ^ other[word];
    return difference == 0;
}

static inline bool is_live(const struct flow *flow, uint64_t now)
{
    return ticks(now) < atomic_load_explicit(&flow->deadline, memory_order_relaxed);
}

/* Moves the deadline of a flow that is live. A flow that expires at the same moment ends nevertheless: look and
 * write are two steps, as in most tables of this kind. */
static inline bool touch(struct flow *flow, uint64_t now)
{
    if (!is_live(flow, now))
        return false;
    atomic_store_explicit(&flow->deadline, ticks(now) + flow->timeout, memory_order_relaxed);
    return true;
}

#endif
