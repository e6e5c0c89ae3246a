#include "flows.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* Locks are held for some instructions, and by two threads at a time only if one reaps all wheels. */
static void lock(atomic_flag *flag)
{
    while (atomic_flag_test_and_set_explicit(flag, memory_order_acquire))
        ;
}

static void unlock(atomic_flag *flag)
{
    atomic_flag_clear_explicit(flag, memory_order_release);
}

static struct worker *worker_of(struct flows *flows, uint32_t number)
{
    return &flows->workers[number % WORKERS];
}

static uint32_t number_of(const struct flows *flows, const struct flow *flow)
{
    return (uint32_t)(flow - flows->memory);
}

uint32_t flows_capacity(uint32_t flows)
{
    return flows + flows / 8 + WORKERS * BATCH;
}

struct flows *flows_new(uint32_t capacity, const struct index *index, void *table)
{
    struct flows *flows = aligned_alloc(alignof(struct flows), sizeof(*flows));
    if (flows == NULL)
        return NULL;
    *flows = (struct flows){ .index = index, .table = table, .capacity = capacity, .untouched = 1 };
    flows->memory = memory_new((capacity + 1ul) * sizeof(*flows->memory));
    flows->next = memory_new((capacity + 1ul) * sizeof(*flows->next));
    bool complete = flows->memory != NULL && flows->next != NULL;
    atomic_flag_clear(&flows->lock);
    for (int worker = 0; worker < WORKERS; worker++) {
        atomic_flag_clear(&flows->workers[worker].lock);
        complete &= wheel_init(&flows->workers[worker].wheel);
    }
    if (complete)
        return flows;
    flows_free(flows);
    return NULL;
}

void flows_free(struct flows *flows)
{
    for (int worker = 0; worker < WORKERS; worker++)
        wheel_destroy(&flows->workers[worker].wheel);
    memory_free(flows->memory, (flows->capacity + 1ul) * sizeof(*flows->memory));
    memory_free(flows->next, (flows->capacity + 1ul) * sizeof(*flows->next));
    free(flows);
}

struct flow *flows_take(struct flows *flows, const uint64_t *key, uint64_t value, uint64_t timeout, uint64_t now)
{
    lock(&flows->lock);
    uint32_t number = flows->free;
    if (number != 0)
        flows->free = flows->next[number];
    else if (flows->untouched <= flows->capacity)
        number = flows->untouched++;
    unlock(&flows->lock);
    if (number == 0)
        return NULL;
    struct flow *flow = &flows->memory[number];
    memcpy(flow->key, key, sizeof(flow->key));
    /* Rounded up, and one more for the tick of `now`, which has begun: flows expire late, never early. */
    flow->timeout = ticks(timeout + (1ul << TICK_BITS) - 1) + 1;
    atomic_store_explicit(&flow->deadline, ticks(now) + flow->timeout, memory_order_relaxed);
    for (int word = 0; word < VALUE_WORDS; word++)
        flow->value[word] = value;
    return flow;
}

void flows_give_back(struct flows *flows, struct flow *flow)
{
    uint32_t number = number_of(flows, flow);
    lock(&flows->lock);
    flows->next[number] = flows->free;
    flows->free = number;
    unlock(&flows->lock);
}

/* Only the holder of the worker's lock changes its counters, so load and store do. */
static void count_timers(struct worker *worker, int32_t change)
{
    uint32_t timers = atomic_load_explicit(&worker->timers, memory_order_relaxed);
    atomic_store_explicit(&worker->timers, timers + (uint32_t)change, memory_order_relaxed);
}

static void count_held(struct worker *worker, int64_t change)
{
    int64_t held = atomic_load_explicit(&worker->held, memory_order_relaxed);
    atomic_store_explicit(&worker->held, held + change, memory_order_relaxed);
}

void flows_arm(struct flows *flows, uint32_t number, struct flow *flow, bool replaced)
{
    struct worker *worker = worker_of(flows, number);
    uint32_t deadline = atomic_load_explicit(&flow->deadline, memory_order_relaxed);
    lock(&worker->lock);
    wheel_arm(&worker->wheel, flows->next, number_of(flows, flow), deadline);
    count_timers(worker, 1);
    count_held(worker, replaced ? 0 : 1);
    unlock(&worker->lock);
}

void flows_removed(struct flows *flows, uint32_t number, struct flow *flow)
{
    struct worker *worker = worker_of(flows, number);
    /* So that its wheel lets go of it as soon as it sees it. */
    atomic_store_explicit(&flow->deadline, 0, memory_order_relaxed);
    lock(&worker->lock);
    count_held(worker, -1);
    unlock(&worker->lock);
}

/* Uses a list of flows again, once no reader holds one of them. */
static void recycle(struct flows *flows, uint32_t first)
{
    flows->index->synchronize(flows->table);
    uint32_t last = first;
    for (uint32_t number = first; number != 0; number = flows->next[number]) {
        flows->index->release(flows->table, &flows->memory[number]);
        last = number;
    }
    lock(&flows->lock);
    flows->next[last] = flows->free;
    flows->free = first;
    unlock(&flows->lock);
}

/* Looks at the flows of a slot whose time has come. Returns how many expired. */
static size_t take_slot(struct flows *flows, struct worker *worker, uint32_t first, uint32_t now)
{
    size_t expired = 0;
    for (uint32_t number = first, after; number != 0; number = after) {
        struct flow *flow = &flows->memory[number];
        after = flows->next[number];
        uint32_t deadline = atomic_load_explicit(&flow->deadline, memory_order_relaxed);
        if (now < deadline) {
            wheel_arm(&worker->wheel, flows->next, number, deadline);
            continue;
        }
        if (flows->index->end(flows->table, flow))
            expired++;
        flows->next[number] = worker->retired;
        worker->retired = number;
        worker->retirees++;
        count_timers(worker, -1);
    }
    count_held(worker, -(int64_t)expired);
    return expired;
}

static size_t expire(struct flows *flows, struct worker *worker, uint32_t now)
{
    size_t expired = 0;
    uint32_t first, retired = 0;
    lock(&worker->lock);
    while ((first = wheel_take(&worker->wheel, now)) != 0)
        expired += take_slot(flows, worker, first, now);
    if (worker->retirees >= BATCH) {
        retired = worker->retired;
        worker->retired = 0;
        worker->retirees = 0;
    }
    unlock(&worker->lock);
    /* Without the lock: a thread that waited for it would never come to tell that it holds no flow. */
    if (retired != 0)
        recycle(flows, retired);
    return expired;
}

size_t flows_expire(struct flows *flows, uint32_t worker, uint64_t now)
{
    return expire(flows, worker_of(flows, worker), ticks(now));
}

size_t flows_reap(struct flows *flows, uint64_t now)
{
    size_t expired = 0;
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        if (atomic_load_explicit(&flows->workers[worker].timers, memory_order_relaxed) != 0)
            expired += expire(flows, &flows->workers[worker], ticks(now));
    }
    return expired;
}

size_t flows_held(struct flows *flows)
{
    int64_t held = 0;
    for (uint32_t worker = 0; worker < WORKERS; worker++)
        held += atomic_load_explicit(&flows->workers[worker].held, memory_order_relaxed);
    return (size_t)held;
}
