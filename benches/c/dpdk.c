/* DPDK's `rte_hash`, with look-ups without locks, several writers, and grace periods from `rte_rcu_qsbr`. */
#define _GNU_SOURCE
/* DPDK's own headers want it before everything else. */
#include <rte_config.h>

#include "flows.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>
#include <rte_rcu_qsbr.h>

#include "memory.h"

_Static_assert((int)BULK == RTE_HASH_LOOKUP_BULK_MAX, "a batch is what one call takes");

struct dpdk {
    struct rte_hash *index;
    struct rte_rcu_qsbr *readers;
    struct flows *flows;
    /* The hash table's memory, and its name among DPDK's heaps. */
    void *memory;
    size_t bytes;
    char name[RTE_HASH_NAMESIZE];
};

/* What the hash table keeps with a flow. */
struct entry {
    /* Where the flow's key was, once it has been removed; negative before, or if another flow took its place. */
    int32_t position;
    bool ended;
};

_Static_assert(sizeof(struct entry) <= sizeof(((struct flow *)0)->index), "an entry fits into a flow");

static struct entry *entry_of(struct flow *flow)
{
    return (struct entry *)flow->index;
}

static bool initialized;

/* Starts DPDK's environment: no huge pages of the system's pool, no devices, no files. */
static void initialize(void)
{
    /* DPDK binds the thread that calls it to one processor, for good. */
    cpu_set_t processors;
    pthread_getaffinity_np(pthread_self(), sizeof(processors), &processors);
    char lcores[32];
    snprintf(lcores, sizeof(lcores), "0@%d", sched_getcpu());
    char program[] = "flow-table-bench", no_huge[] = "--no-huge", no_pci[] = "--no-pci";
    char no_files[] = "--no-shconf", no_telemetry[] = "--no-telemetry", level[] = "--log-level=warning";
    char option[] = "--lcores";
    char *arguments[] = { program, no_huge, no_pci, no_files, no_telemetry, level, option, lcores, NULL };
    initialized = rte_eal_init(sizeof(arguments) / sizeof(*arguments) - 1, arguments) >= 0;
    pthread_setaffinity_np(pthread_self(), sizeof(processors), &processors);
}

/* What `rte_hash_create` will ask for: buckets of 64 bytes for eight keys, a ring of free positions, keys with
 * their data, rounded up to 16 bytes, and a cache of positions for each thread. */
static size_t bytes_of(uint32_t capacity)
{
    size_t slots = 1;
    while (slots < capacity + RTE_MAX_LCORE * 64ul)
        slots *= 2;
    size_t key = (sizeof(void *) + KEY_WORDS * sizeof(uint64_t) + 15) / 16 * 16;
    size_t buckets = slots * 8, ring = slots * sizeof(uint32_t), keys = (capacity + RTE_MAX_LCORE * 64ul) * key;
    return memory_size(buckets + ring + keys + RTE_MAX_LCORE * 1024ul + HUGE_PAGE);
}

static bool end_flow(void *pointer, struct flow *flow)
{
    struct dpdk *table = pointer;
    struct entry *entry = entry_of(flow);
    if (entry->ended)
        return false;
    entry->ended = true;
    entry->position = rte_hash_del_key(table->index, flow->key);
    return entry->position >= 0;
}

static void synchronize(void *pointer)
{
    struct dpdk *table = pointer;
    uint64_t token = rte_rcu_qsbr_start(table->readers);
    rte_rcu_qsbr_quiescent(table->readers, rte_lcore_id());
    /* DPDK's own wait spins. Where threads share processors, the awaited thread may need this one. */
    while (rte_rcu_qsbr_check(table->readers, token, false) == 0)
        sched_yield();
}

static void release(void *pointer, struct flow *flow)
{
    struct dpdk *table = pointer;
    if (entry_of(flow)->position >= 0)
        rte_hash_free_key_with_position(table->index, entry_of(flow)->position);
}

static const struct index index_calls = { .end = end_flow, .synchronize = synchronize, .release = release };

/* Memory of the system that is advised to be huge, as a heap of DPDK. What DPDK takes by itself without huge
 * pages is a file in memory, which cannot be advised. */
static bool add_heap(struct dpdk *table, uint32_t capacity)
{
    table->bytes = bytes_of(capacity);
    table->memory = memory_new(table->bytes);
    return table->memory != NULL && rte_malloc_heap_create(table->name) == 0 &&
           rte_malloc_heap_memory_add(table->name, table->memory, table->bytes, NULL, table->bytes / HUGE_PAGE,
                                      HUGE_PAGE) == 0;
}

static bool add_index(struct dpdk *table, uint32_t capacity)
{
    struct rte_hash_parameters parameters = {
        .name = table->name,
        .entries = capacity,
        .key_len = KEY_WORDS * sizeof(uint64_t),
        .hash_func = rte_hash_crc,
        .socket_id = rte_malloc_heap_get_socket(table->name),
        .extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_MULTI_WRITER_ADD,
    };
    table->index = rte_hash_create(&parameters);
    return table->index != NULL;
}

static bool add_readers(struct dpdk *table)
{
    table->readers = aligned_alloc(RTE_CACHE_LINE_SIZE, rte_rcu_qsbr_get_memsize(RTE_MAX_LCORE));
    return table->readers != NULL && rte_rcu_qsbr_init(table->readers, RTE_MAX_LCORE) == 0;
}

static void dpdk_free(void *pointer)
{
    struct dpdk *table = pointer;
    rte_hash_free(table->index);
    rte_malloc_heap_memory_remove(table->name, table->memory, table->bytes);
    rte_malloc_heap_destroy(table->name);
    memory_free(table->memory, table->bytes);
    free(table->readers);
    if (table->flows != NULL)
        flows_free(table->flows);
    free(table);
}

static void *dpdk_new(uint32_t flows)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static atomic_uint tables;
    pthread_once(&once, initialize);
    struct dpdk *table = initialized ? calloc(1, sizeof(*table)) : NULL;
    if (table == NULL)
        return NULL;
    uint32_t capacity = flows_capacity(flows);
    snprintf(table->name, sizeof(table->name), "flows%u", atomic_fetch_add(&tables, 1));
    table->flows = flows_new(capacity, &index_calls, table);
    if (table->flows != NULL && add_heap(table, capacity) && add_index(table, capacity) && add_readers(table))
        return table;
    dpdk_free(table);
    return NULL;
}

static void dpdk_enter(void *pointer)
{
    struct dpdk *table = pointer;
    /* Without a number, the thread could not write. */
    if (rte_thread_register() != 0)
        abort();
    rte_rcu_qsbr_thread_register(table->readers, rte_lcore_id());
    rte_rcu_qsbr_thread_online(table->readers, rte_lcore_id());
}

static void dpdk_leave(void *pointer)
{
    struct dpdk *table = pointer;
    rte_rcu_qsbr_thread_offline(table->readers, rte_lcore_id());
    rte_rcu_qsbr_thread_unregister(table->readers, rte_lcore_id());
    rte_thread_unregister();
}

static struct flow *look_up(const struct dpdk *table, const uint64_t *key)
{
    void *flow;
    return rte_hash_lookup_data(table->index, key, &flow) < 0 ? NULL : flow;
}

static bool dpdk_insert(void *pointer, uint32_t worker, const uint64_t *key, uint64_t value, uint64_t timeout,
                        uint64_t now)
{
    struct dpdk *table = pointer;
    struct flow *flow = flows_take(table->flows, key, value, timeout, now);
    if (flow == NULL)
        return false;
    *entry_of(flow) = (struct entry){ .position = -1 };
    hash_sig_t hash = rte_hash_hash(table->index, key);
    /* `rte_hash` overwrites the data of a key that it has, and doesn't tell. */
    void *replaced = NULL;
    rte_hash_lookup_with_hash_data(table->index, key, hash, &replaced);
    if (rte_hash_add_key_with_hash_data(table->index, key, hash, flow) != 0) {
        flows_give_back(table->flows, flow);
        return false;
    }
    if (replaced != NULL)
        entry_of(replaced)->ended = true;
    flows_arm(table->flows, worker, flow, replaced != NULL);
    return true;
}

static bool dpdk_hit(void *table, const uint64_t *key, uint64_t now)
{
    struct flow *flow = look_up(table, key);
    return flow != NULL && touch(flow, now);
}

/* Looks up many keys at once, and fetches the lines of the flows that are found. Returns which ones are. */
static uint64_t look_up_bulk(const struct dpdk *table, const uint64_t *keys, uint32_t count, void **flows)
{
    const void *pointers[BULK];
    uint64_t found = 0;
    for (uint32_t key = 0; key < count; key++)
        pointers[key] = keys + key * KEY_WORDS;
    rte_hash_lookup_bulk_data(table->index, pointers, count, &found, flows);
    for (uint64_t rest = found; rest != 0; rest &= rest - 1)
        rte_prefetch0(flows[__builtin_ctzll(rest)]);
    return found;
}

static uint64_t dpdk_hit_bulk(void *table, const uint64_t *keys, uint32_t count, uint64_t now)
{
    void *flows[BULK];
    uint64_t found = look_up_bulk(table, keys, count, flows), hits = found;
    for (uint64_t rest = found; rest != 0; rest &= rest - 1) {
        int key = __builtin_ctzll(rest);
        if (!touch(flows[key], now))
            hits &= ~(1ull << key);
    }
    return hits;
}

static bool dpdk_find(void *table, const uint64_t *key, uint64_t now)
{
    struct flow *flow = look_up(table, key);
    return flow != NULL && is_live(flow, now);
}

static uint64_t dpdk_find_bulk(void *table, const uint64_t *keys, uint32_t count, uint64_t now)
{
    void *flows[BULK];
    uint64_t found = look_up_bulk(table, keys, count, flows), live = found;
    for (uint64_t rest = found; rest != 0; rest &= rest - 1) {
        int key = __builtin_ctzll(rest);
        if (!is_live(flows[key], now))
            live &= ~(1ull << key);
    }
    return live;
}

static bool dpdk_remove(void *pointer, uint32_t worker, const uint64_t *key)
{
    struct dpdk *table = pointer;
    struct flow *flow = look_up(table, key);
    if (flow == NULL || !end_flow(table, flow))
        return false;
    flows_removed(table->flows, worker, flow);
    return true;
}

static size_t dpdk_expire(void *pointer, uint32_t worker, uint64_t now)
{
    struct dpdk *table = pointer;
    rte_rcu_qsbr_quiescent(table->readers, rte_lcore_id());
    return flows_expire(table->flows, worker, now);
}

static size_t dpdk_reap(void *pointer, uint64_t now)
{
    struct dpdk *table = pointer;
    rte_rcu_qsbr_quiescent(table->readers, rte_lcore_id());
    return flows_reap(table->flows, now);
}

static size_t dpdk_visit(void *pointer)
{
    struct dpdk *table = pointer;
    const void *key;
    void *flow;
    uint32_t position = 0;
    size_t visited = 0;
    while (rte_hash_iterate(table->index, &key, &flow, &position) >= 0)
        visited++;
    return visited;
}

static size_t dpdk_held(void *table)
{
    return flows_held(((struct dpdk *)table)->flows);
}

const struct calls dpdk_calls = {
    .new = dpdk_new,
    .free = dpdk_free,
    .enter = dpdk_enter,
    .leave = dpdk_leave,
    .insert = dpdk_insert,
    .hit = dpdk_hit,
    .hit_bulk = dpdk_hit_bulk,
    .find = dpdk_find,
    .find_bulk = dpdk_find_bulk,
    .remove = dpdk_remove,
    .expire = dpdk_expire,
    .reap = dpdk_reap,
    .visit = dpdk_visit,
    .held = dpdk_held,
};
