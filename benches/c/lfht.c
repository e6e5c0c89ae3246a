/* liburcu's `cds_lfht`, in the flavour `qsbr`: a look-up needs no barrier, and threads tell when they hold
 * nothing. */
#include "flows.h"

#include <stdlib.h>
#include <string.h>
#include <urcu/urcu-qsbr.h>

#include <urcu/rculfhash.h>

struct lfht {
    struct cds_lfht *index;
    struct flows *flows;
};

_Static_assert(sizeof(struct cds_lfht_node) <= sizeof(((struct flow *)0)->index), "a node fits into a flow");
_Static_assert(offsetof(struct flow, index) == 0, "a flow's address is its node's");

static struct cds_lfht_node *node_of(struct flow *flow)
{
    return (struct cds_lfht_node *)flow->index;
}

static struct flow *flow_of(struct cds_lfht_node *node)
{
    return (struct flow *)node;
}

static int matches(struct cds_lfht_node *node, const void *key)
{
    return same_key(flow_of(node)->key, key);
}

/* The two halves of a product, folded: each bit of the result depends on all of both words. */
static uint64_t fold(uint64_t one, uint64_t other)
{
    __extension__ unsigned __int128 product = (unsigned __int128)one * other;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Folded multiplications, as wyhash, XXH3 and the backends' foldhash do them. The constants are digits of pi.
 * They are no secret, so keys can be made that collide. */
static unsigned long hash(const uint64_t *key)
{
    uint64_t state = fold(key[0] ^ 0x243f6a8885a308d3, key[1] ^ 0x13198a2e03707344);
    state = fold(key[2] ^ state, key[3] ^ 0xa4093822299f31d0);
    return fold(key[4] ^ state, 0x082efa98ec4e6c89);
}

static struct flow *look_up(const struct lfht *table, const uint64_t *key)
{
    struct cds_lfht_iter found;
    cds_lfht_lookup(table->index, hash(key), matches, key, &found);
    struct cds_lfht_node *node = cds_lfht_iter_get_node(&found);
    return node == NULL ? NULL : flow_of(node);
}

static bool end_flow(void *table, struct flow *flow)
{
    return cds_lfht_del(((struct lfht *)table)->index, node_of(flow)) == 0;
}

static void synchronize(void *table)
{
    (void)table;
    urcu_qsbr_synchronize_rcu();
}

static void release(void *table, struct flow *flow)
{
    (void)table;
    (void)flow;
}

static const struct index index_calls = { .end = end_flow, .synchronize = synchronize, .release = release };

static void lfht_enter(void *table)
{
    (void)table;
    urcu_qsbr_register_thread();
}

static void lfht_leave(void *table)
{
    (void)table;
    urcu_qsbr_unregister_thread();
}

/* As many buckets as flows, or up to twice as many. The table doesn't grow: it is large enough from the
 * beginning. */
static void *lfht_new(uint32_t flows)
{
    struct lfht *table = malloc(sizeof(*table));
    if (table == NULL)
        return NULL;
    unsigned long buckets = 1;
    while (buckets < flows)
        buckets *= 2;
    table->flows = flows_new(flows_capacity(flows), &index_calls, table);
    table->index = cds_lfht_new_flavor(buckets, buckets, buckets, 0, &urcu_qsbr_flavor, NULL);
    if (table->flows != NULL && table->index != NULL)
        return table;
    if (table->flows != NULL)
        flows_free(table->flows);
    if (table->index != NULL)
        cds_lfht_destroy(table->index, NULL);
    free(table);
    return NULL;
}

static void lfht_free(void *pointer)
{
    struct lfht *table = pointer;
    struct cds_lfht_iter each;
    struct cds_lfht_node *node;
    /* A table can be destroyed only when it is empty. */
    lfht_enter(table);
    cds_lfht_for_each(table->index, &each, node)
        cds_lfht_del(table->index, node);
    lfht_leave(table);
    cds_lfht_destroy(table->index, NULL);
    flows_free(table->flows);
    free(table);
}

static bool lfht_insert(void *pointer, uint32_t worker, const uint64_t *key, uint64_t value, uint64_t timeout,
                        uint64_t now)
{
    struct lfht *table = pointer;
    struct flow *flow = flows_take(table->flows, key, value, timeout, now);
    if (flow == NULL)
        return false;
    struct cds_lfht_node *replaced =
        cds_lfht_add_replace(table->index, hash(key), matches, key, node_of(flow));
    flows_arm(table->flows, worker, flow, replaced != NULL);
    return true;
}

static bool lfht_hit(void *table, const uint64_t *key, uint64_t now)
{
    struct flow *flow = look_up(table, key);
    return flow != NULL && touch(flow, now);
}

/* The library has no look-up of many keys. */
static uint64_t lfht_hit_bulk(void *table, const uint64_t *keys, uint32_t count, uint64_t now)
{
    uint64_t hits = 0;
    for (uint32_t key = 0; key < count; key++)
        hits |= (uint64_t)lfht_hit(table, keys + key * KEY_WORDS, now) << key;
    return hits;
}

static bool lfht_find(void *table, const uint64_t *key, uint64_t now)
{
    struct flow *flow = look_up(table, key);
    return flow != NULL && is_live(flow, now);
}

static uint64_t lfht_find_bulk(void *table, const uint64_t *keys, uint32_t count, uint64_t now)
{
    uint64_t found = 0;
    for (uint32_t key = 0; key < count; key++)
        found |= (uint64_t)lfht_find(table, keys + key * KEY_WORDS, now) << key;
    return found;
}

static bool lfht_remove(void *pointer, uint32_t worker, const uint64_t *key)
{
    struct lfht *table = pointer;
    struct flow *flow = look_up(table, key);
    if (flow == NULL || !end_flow(table, flow))
        return false;
    flows_removed(table->flows, worker, flow);
    return true;
}

static size_t lfht_expire(void *pointer, uint32_t worker, uint64_t now)
{
    struct lfht *table = pointer;
    urcu_qsbr_quiescent_state();
    return flows_expire(table->flows, worker, now);
}

static size_t lfht_reap(void *pointer, uint64_t now)
{
    struct lfht *table = pointer;
    urcu_qsbr_quiescent_state();
    return flows_reap(table->flows, now);
}

static size_t lfht_visit(void *pointer)
{
    struct lfht *table = pointer;
    struct cds_lfht_iter each;
    struct cds_lfht_node *node;
    size_t visited = 0;
    cds_lfht_for_each(table->index, &each, node)
        visited++;
    return visited;
}

static size_t lfht_held(void *table)
{
    return flows_held(((struct lfht *)table)->flows);
}

const struct calls lfht_calls = {
    .new = lfht_new,
    .free = lfht_free,
    .enter = lfht_enter,
    .leave = lfht_leave,
    .insert = lfht_insert,
    .hit = lfht_hit,
    .hit_bulk = lfht_hit_bulk,
    .find = lfht_find,
    .find_bulk = lfht_find_bulk,
    .remove = lfht_remove,
    .expire = lfht_expire,
    .reap = lfht_reap,
    .visit = lfht_visit,
    .held = lfht_held,
};
