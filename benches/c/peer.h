/* What a peer written in C offers to the benchmarks. `src/peers/c/ffi.rs` declares the same for Rust.
 *
 * Keys are five words. Times are nanoseconds of the caller's clock. A flow is live until its deadline; a packet
 * that hits it moves the deadline to the packet's time plus the flow's timeout.
 *
 * A thread enters a table before it calls anything else on it, except `new`, `free` and `held`, and leaves it
 * before it enters another one. Between the two it holds the table's flows only within a call, and `expire` and
 * `reap` tell the library so. Writes to one key (`insert`, `remove`, `expire` of its worker) come from one thread
 * at a time, as they do where the network card assigns flows to processors.
 */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KEY_WORDS = 5,
    /* The most keys of one batch. */
    BULK = 64,
};

struct calls {
    /* An empty table of `flows` flows, or null. All memory is reserved here. */
    void *(*new)(uint32_t flows);
    /* Called when no thread is in the table. */
    void (*free)(void *table);
    void (*enter)(void *table);
    void (*leave)(void *table);
    /* Inserts or replaces a flow, with a timer of `worker`. False if there is no room. */
    bool (*insert)(void *table, uint32_t worker, const uint64_t *key, uint64_t value, uint64_t timeout,
                   uint64_t now);
    /* Whether the flow is found live. Moves its deadline. */
    bool (*hit)(void *table, const uint64_t *key, uint64_t now);
    /* The same for up to BULK keys, one after the other in memory: bit n is the result for key n. */
    uint64_t (*hit_bulk)(void *table, const uint64_t *keys, uint32_t count, uint64_t now);
    /* Whether the flow is found live. */
    bool (*find)(void *table, const uint64_t *key, uint64_t now);
    uint64_t (*find_bulk)(void *table, const uint64_t *keys, uint32_t count, uint64_t now);
    /* Removes a flow. False if there is none. */
    bool (*remove)(void *table, uint32_t worker, const uint64_t *key);
    /* Turns the timers of `worker`, or of all, to `now`. Returns how many flows expired. */
    size_t (*expire)(void *table, uint32_t worker, uint64_t now);
    size_t (*reap)(void *table, uint64_t now);
    /* Visits each flow of the hash table, and returns their number. */
    size_t (*visit)(void *table);
    /* The number of flows. */
    size_t (*held)(void *table);
};

extern const struct calls dpdk_calls;
extern const struct calls lfht_calls;

#endif
