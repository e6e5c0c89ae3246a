/* Does everything that flow_table.h offers, for the sanitizers and for its own assertions. */

#include "flow_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                             \
    do {                                                                             \
        if (!(condition)) {                                                          \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);  \
            exit(1);                                                                 \
        }                                                                            \
    } while (0)

#define SECOND UINT64_C(1000000000)

/* A value that owns memory and counts its packets. */
struct value {
    _Atomic uint64_t packets;
    char *name;
};

static _Atomic int made, ended;

static void end_value(void *value, void *context) {
    struct value *own = value;
    free(own->name);
    atomic_fetch_add((_Atomic int *)context, 1);
}

static struct value new_value(const char *name) {
    struct value value = {.packets = 0, .name = malloc(strlen(name) + 1)};
    CHECK(value.name);
    strcpy(value.name, name);
    atomic_fetch_add(&made, 1);
    return value;
}

static ft_table *table_of(size_t key_length, size_t value_size, size_t capacity) {
    ft_config config = {.key_length = key_length, .value_size = value_size, .capacity = capacity};
    ft_table *table = NULL;
    CHECK(ft_table_new(&config, &table) == FT_ERROR_NONE && table);
    return table;
}

static ft_table *table_of_values(size_t capacity) {
    ft_config config = {
        .key_length = 13,
        .value_size = sizeof(struct value),
        .capacity = capacity,
        .destructor = end_value,
        .context = &ended,
    };
    ft_table *table = NULL;
    CHECK(ft_table_new(&config, &table) == FT_ERROR_NONE && table);
    return table;
}

static void key13(unsigned char key[13], uint32_t number) {
    memset(key, 0, 13);
    memcpy(key + 9, &number, sizeof number);
}

static void configurations(void) {
    ft_table *table = NULL;
    ft_config config = {.key_length = 3, .capacity = 1};
    CHECK(ft_table_new(&config, &table) == FT_ERROR_KEY_LENGTH);
    config.key_length = 65;
    CHECK(ft_table_new(&config, &table) == FT_ERROR_KEY_LENGTH);
    config.key_length = 8;
    config.value_size = 513;
    CHECK(ft_table_new(&config, &table) == FT_ERROR_VALUE_SIZE);
    CHECK(ft_table_new(NULL, &table) == FT_ERROR_NULL_POINTER);
    CHECK(ft_table_new(&config, NULL) == FT_ERROR_NULL_POINTER);
    CHECK(table == NULL);
    for (uint32_t error = 0; error < 20; error++)
        CHECK(strlen(ft_error_text(error)) > 5);
    CHECK(strcmp(ft_error_text(FT_ERROR_NONE), "success") == 0);
}

/* Every length of keys and many sizes of values: what goes in comes out. */
static void sizes(void) {
    static const size_t value_sizes[] = {0, 1, 8, 9, 56, 57, 120, 121, 248, 249, 512};
    for (size_t length = 4; length <= 64; length++) {
        for (size_t i = 0; i < sizeof value_sizes / sizeof *value_sizes; i++) {
            size_t size = value_sizes[i];
            ft_table *table = table_of(length, size, 10);
            /* Exactly as long, so that the sanitizer sees any access beyond. */
            unsigned char *key = malloc(length), *reply = malloc(length), *back = malloc(length);
            unsigned char *value = malloc(size ? size : 1);
            CHECK(key && reply && back && value);
            for (size_t byte = 0; byte < length; byte++)
                key[byte] = (unsigned char)(byte * 7 + 1), reply[byte] = (unsigned char)(byte * 5 + 2);
            memset(value, 0x5a, size ? size : 1);
            CHECK(ft_insert_pair(table, key, reply, 0, value, SECOND, 0, NULL, NULL) == FT_ERROR_NONE);

            ft_flow *flow = ft_lookup(table, reply, 0);
            CHECK(flow && ft_found_by(flow) == FT_DIRECTION_REPLY);
            CHECK((uintptr_t)ft_value(flow) % 16 == 0 && memcmp(ft_value(flow), value, size) == 0);
            CHECK(ft_key(flow, false, back, length) && memcmp(back, key, length) == 0);
            CHECK(ft_key(flow, true, back, length) && memcmp(back, reply, length) == 0);
            memset(ft_value(flow), 1, size);
            ft_release(flow);

            key[length - 1] ^= 1;
            CHECK(ft_lookup(table, key, 0) == NULL);
            ft_table_free(table);
            free(key), free(reply), free(back), free(value);
        }
    }
}

static void nulls(void) {
    ft_table *table = table_of(8, 8, 10);
    uint64_t key = 1;
    ft_flow *flow = NULL;
    const ft_flow *borrowed = NULL;
    CHECK(ft_insert(NULL, &key, 0, NULL, 1, 0, &flow, NULL) == FT_ERROR_NULL_POINTER);
    CHECK(ft_insert(table, NULL, 0, NULL, 1, 0, &flow, NULL) == FT_ERROR_NULL_POINTER);
    CHECK(ft_insert_pair(table, &key, NULL, 0, NULL, 1, 0, &flow, NULL) == FT_ERROR_NULL_POINTER);
    CHECK(ft_get_or_insert(table, NULL, NULL, 0, NULL, 1, 0, &flow, NULL) == FT_ERROR_NULL_POINTER);
    CHECK(ft_remove(table, NULL, NULL) == FT_ERROR_NULL_POINTER);
    CHECK(ft_remove_flow(table, NULL) == FT_ERROR_NULL_POINTER);
    CHECK(ft_set_timeout(NULL, NULL, 1, 0) == FT_ERROR_NULL_POINTER);
    CHECK(ft_set_deadline(table, NULL, 1) == FT_ERROR_NULL_POINTER);
    CHECK(!ft_lookup(NULL, &key, 0) && !ft_lookup(table, NULL, 0));
    ft_lookup_batch(table, NULL, 1, 0, &flow);
    ft_lookup_batch(table, &key, 1, 0, NULL);
    CHECK(!ft_burst_open(NULL, 0) && !ft_burst_get(NULL, &key));
    ft_burst *burst = ft_burst_open(table, 0);
    CHECK(burst && !ft_burst_get(burst, NULL));
    ft_burst_get_batch(burst, NULL, 1, &borrowed, NULL);
    ft_burst_get_batch(burst, &key, 1, NULL, NULL);
    ft_burst_get_batch(NULL, &key, 1, &borrowed, NULL);
    ft_burst_get_batch(burst, &key, 0, &borrowed, NULL);
    ft_burst_close(burst);
    ft_burst_close(NULL);
    CHECK(!ft_retain(NULL) && !ft_refresh(NULL, 0) && !ft_cancel(NULL) && !ft_value(NULL));
    CHECK(!ft_key(NULL, false, &key, 8) && ft_status(NULL) == FT_FLOW_STATUS_DETACHED && ft_deadline(NULL) == 0);
    CHECK(ft_hash(table, NULL) == 0 && ft_hash(NULL, &key) == 0 && ft_hash(table, &key) != 0);
    ft_release(NULL);
    CHECK(ft_len(NULL) == 0 && ft_capacity(NULL) == 0 && ft_stats(NULL).inserts == 0);
    ft_set_capacity(NULL, 1);
    CHECK(ft_reap(NULL, 0, 1, NULL, NULL).expired == 0 && ft_next_deadline(NULL) == UINT64_MAX);
    ft_for_each(table, NULL, NULL);
    ft_table_free(table);
    ft_table_free(NULL);
    CHECK(flow == NULL && borrowed == NULL);
}

struct records {
    int expired, cancelled;
    uint64_t packets;
    ft_flow *kept;
};

static void record(const ft_flow *flow, ft_end_reason reason, void *context) {
    struct records *records = context;
    struct value *value = ft_value(flow);
    records->expired += reason == FT_END_REASON_EXPIRED;
    records->cancelled += reason == FT_END_REASON_CANCELLED;
    records->packets += atomic_load(&value->packets);
    if (!records->kept)
        records->kept = ft_retain(flow);
}

static void count(const ft_flow *flow, void *context) {
    (void)flow;
    ++*(int *)context;
}

static void life(void) {
    ended = made = 0;
    ft_table *table = table_of_values(4);
    unsigned char one[13], two[13], three[13];
    key13(one, 1), key13(two, 2), key13(three, 3);

    /* Refused values stay the caller's. */
    struct value value = new_value("pair");
    CHECK(ft_insert_pair(table, one, one, 0, &value, SECOND, 0, NULL, NULL) == FT_ERROR_IDENTICAL_KEYS);
    CHECK(ended == 0);
    ft_flow *flow = NULL, *replaced = NULL;
    CHECK(ft_insert_pair(table, one, two, ft_hash(table, one), &value, SECOND, 0, &flow, &replaced) == FT_ERROR_NONE);
    CHECK(flow && !replaced && ft_found_by(flow) == FT_DIRECTION_FORWARD);

    struct value other = new_value("other");
    CHECK(ft_insert_pair(table, three, two, 0, &other, SECOND, 0, NULL, NULL) == FT_ERROR_CONFLICT);
    bool inserted = true;
    ft_flow *found = NULL;
    CHECK(ft_get_or_insert(table, two, NULL, 0, &other, SECOND, 0, &found, &inserted) == FT_ERROR_NONE);
    CHECK(!inserted && ft_same(found, flow) && ft_found_by(found) == FT_DIRECTION_REPLY && ended == 0);
    ft_release(found);
    CHECK(ft_get_or_insert(table, three, NULL, 0, &other, SECOND, 0, NULL, &inserted) == FT_ERROR_NONE);
    CHECK(inserted && ft_len(table) == 2);

    /* Deadlines. */
    CHECK(ft_deadline(flow) == SECOND && ft_refresh(flow, SECOND / 2) && ft_deadline(flow) == SECOND * 3 / 2);
    CHECK(ft_set_timeout(table, flow, SECOND * 10, SECOND) == FT_ERROR_NONE && ft_deadline(flow) == SECOND * 11);
    CHECK(ft_set_deadline(table, flow, SECOND * 5) == FT_ERROR_NONE && ft_deadline(flow) == SECOND * 5);
    ft_table *foreign = table_of_values(4), *far = table_of(64, 512, 4);
    CHECK(ft_set_timeout(far, flow, 1, 0) == FT_ERROR_FOREIGN);
    CHECK(ft_set_deadline(far, flow, 1) == FT_ERROR_FOREIGN);
    CHECK(ft_remove_flow(far, flow) == FT_ERROR_FOREIGN && ft_remove_flow(foreign, flow) == FT_ERROR_FOREIGN);
    ft_table_free(foreign);
    ft_table_free(far);

    /* Replaced, removed, cancelled. */
    struct value third = new_value("third");
    CHECK(ft_insert(table, one, 0, &third, SECOND, SECOND, &found, &replaced) == FT_ERROR_NONE);
    CHECK(ft_same(replaced, flow) && ft_status(flow) == FT_FLOW_STATUS_DETACHED);
    CHECK(ft_set_timeout(table, flow, 1, 0) == FT_ERROR_NOT_LIVE && !ft_refresh(flow, 0));
    ft_release(flow);
    CHECK(ended == 0);
    ft_release(replaced);
    CHECK(ended == 1);
    CHECK(ft_remove(table, two, NULL) == FT_ERROR_NOT_FOUND);
    CHECK(ft_remove(table, one, &replaced) == FT_ERROR_NONE && ft_same(found, replaced));
    CHECK(ft_remove_flow(table, found) == FT_ERROR_NOT_LIVE);
    ft_release(found), ft_release(replaced);
    CHECK(ended == 2 && ft_remove(table, three, NULL) == FT_ERROR_NONE && ended == 3);

    /* Full: refused, then reaped. */
    for (uint32_t number = 10; number < 14; number++) {
        unsigned char key[13];
        key13(key, number);
        value = new_value("many");
        value.packets = number;
        CHECK(ft_insert(table, key, 0, &value, SECOND, SECOND, NULL, NULL) == FT_ERROR_NONE);
    }
    value = new_value("refused");
    CHECK(ft_insert(table, one, 0, &value, SECOND, SECOND, NULL, NULL) == FT_ERROR_FULL);
    CHECK(ft_stats(table).refusals == 1 && ft_capacity(table) == 4);
    end_value(&value, &ended);
    int visited = 0;
    ft_for_each(table, count, &visited);
    CHECK(visited == 4 && ft_next_deadline(table) <= SECOND * 2);
    unsigned char key[13];
    key13(key, 13);
    flow = ft_lookup(table, key, SECOND);
    CHECK(ft_cancel(flow) && !ft_cancel(flow) && ft_status(flow) == FT_FLOW_STATUS_CANCELLED);
    ft_release(flow);
    struct records records = {0};
    ft_reaped reaped = ft_reap(table, SECOND * 2, 1, record, &records);
    CHECK(reaped.more && reaped.expired + reaped.cancelled + reaped.rescheduled == 1);
    while (ft_reap(table, SECOND * 2, SIZE_MAX, record, &records).more) {
    }
    CHECK(records.expired == 3 && records.cancelled == 1 && records.packets == 10 + 11 + 12 + 13);
    CHECK(ft_len(table) == 0 && ended == made - 1);
    ft_counters counters = ft_stats(table);
    CHECK(counters.inserts == 7 && counters.expired == 3 && counters.cancelled == 1);
    CHECK(counters.removed == 2 && counters.replaced == 1 && counters.flows == 0 && counters.bytes > 0);

    /* A handle outlives its table. */
    ft_set_capacity(table, 5);
    CHECK(ft_capacity(table) == 5);
    ft_table_free(table);
    CHECK(strcmp(((struct value *)ft_value(records.kept))->name, "many") == 0 && !ft_cancel(records.kept));
    ft_flow *again = ft_retain(records.kept);
    ft_release(records.kept), ft_release(again);
    CHECK(ended == made);
}

static void bursts(void) {
    ended = made = 0;
    ft_table *table = table_of_values(1000);
    enum { COUNT = 100 };
    unsigned char keys[COUNT][13];
    for (uint32_t number = 0; number < COUNT; number++) {
        key13(keys[number], number);
        if (number % 3) {
            struct value value = new_value("burst");
            CHECK(ft_insert(table, keys[number], 0, &value, SECOND, 0, NULL, NULL) == FT_ERROR_NONE);
        }
    }
    const ft_flow *flows[COUNT];
    uint64_t hashes[COUNT];
    ft_burst *burst = ft_burst_open(table, 1);
    ft_burst_get_batch(burst, keys, COUNT, flows, NULL);
    for (uint32_t number = 0; number < COUNT; number++) {
        CHECK(!flows[number] == (number % 3 == 0) && ft_refresh(flows[number], 1) == (number % 3 != 0));
        CHECK(flows[number] == ft_burst_get(burst, keys[number]));
    }
    ft_burst_get_batch(burst, keys, COUNT, flows, hashes);
    for (uint32_t number = 0; number < COUNT; number++) {
        CHECK(hashes[number] == ft_hash(table, keys[number]));
        if (!flows[number]) {
            struct value value = new_value("hashed");
            ft_error error = ft_insert(table, keys[number], hashes[number], &value, SECOND, 1, NULL, NULL);
            CHECK(error == FT_ERROR_NONE && ft_burst_get(burst, keys[number]));
        }
    }
    /* What ends in a burst can still be read in it, but not kept unless somebody holds it. */
    ft_flow *kept = ft_retain(flows[1]);
    CHECK(kept && ft_cancel(flows[1]) && ft_remove_flow(table, flows[2]) == FT_ERROR_NONE);
    ft_reap(table, 2, SIZE_MAX, NULL, NULL);
    CHECK(strcmp(((struct value *)ft_value(flows[2]))->name, "burst") == 0 && ended == 0);
    CHECK(!ft_retain(flows[2]) && !ft_cancel(flows[2]));
    ft_burst_close(burst);
    CHECK(ended == 1 && ft_status(kept) == FT_FLOW_STATUS_CANCELLED);
    ft_release(kept);
    CHECK(ended == 2);

    ft_flow *handles[COUNT];
    ft_lookup_batch(table, keys, COUNT, 1, handles);
    for (uint32_t number = 0; number < COUNT; number++) {
        CHECK(!handles[number] == (number == 1 || number == 2));
        ft_release(handles[number]);
    }
    ft_table_free(table);
    CHECK(ended == made);
}

/* What a destructor may do. */
static ft_table *inner;

static void insert_at_the_end(void *value, void *context) {
    uint64_t key = *(uint64_t *)value;
    CHECK(context == &inner && ft_insert(inner, &key, 0, NULL, SECOND, 0, NULL, NULL) == FT_ERROR_NONE);
}

static void destructors_use_tables(void) {
    inner = table_of(8, 0, 10);
    ft_config config = {
        .key_length = 8, .value_size = 8, .capacity = 1, .destructor = insert_at_the_end, .context = &inner,
        .shards = 1, .refresh_slack = SECOND, .remove_on_expiry = true};
    ft_table *table = NULL;
    CHECK(ft_table_new(&config, &table) == FT_ERROR_NONE);
    uint64_t key = 77;
    ft_flow *flow = NULL;
    CHECK(ft_insert(table, &key, 0, &key, SECOND, 0, &flow, NULL) == FT_ERROR_NONE);
    CHECK(!ft_lookup(table, &key, 3 * SECOND) && ft_status(flow) == FT_FLOW_STATUS_EXPIRED);
    ft_release(flow);
    ft_reap(table, 3 * SECOND, SIZE_MAX, NULL, NULL);
    CHECK(ft_len(inner) == 1);
    flow = ft_lookup(inner, &key, 0);
    CHECK(flow);
    ft_release(flow);
    ft_table_free(table);
    ft_table_free(inner);
}

struct worker {
    ft_table *table;
    uint32_t seed;
    uint64_t packets;
};

static void *work(void *context) {
    struct worker *worker = context;
    for (uint32_t packet = 0; packet < 3000; packet++) {
        unsigned char key[13];
        worker->seed = worker->seed * 1664525 + 1013904223;
        key13(key, (worker->seed >> 16) % 50);
        uint64_t now = packet;
        ft_burst *burst = ft_burst_open(worker->table, now);
        const ft_flow *flow = ft_burst_get(burst, key);
        if (ft_refresh(flow, now)) {
            atomic_fetch_add(&((struct value *)ft_value(flow))->packets, 1);
        } else {
            struct value value = new_value("worker");
            ft_flow *own = NULL;
            bool inserted = false;
            CHECK(ft_get_or_insert(worker->table, key, NULL, 0, &value, 100, now, &own, &inserted) == FT_ERROR_NONE);
            atomic_fetch_add(&((struct value *)ft_value(own))->packets, 1);
            if (!inserted)
                end_value(&value, &ended);
            if (packet % 7 == 0)
                ft_cancel(own);
            ft_release(own);
        }
        ft_burst_close(burst);
        if (packet % 16 == 0)
            ft_reap(worker->table, now, 64, NULL, NULL);
    }
    return NULL;
}

static void threads(void) {
    ended = made = 0;
    ft_table *table = table_of_values(1000);
    enum { THREADS = 4 };
    pthread_t handles[THREADS];
    struct worker workers[THREADS];
    for (uint32_t number = 0; number < THREADS; number++) {
        workers[number] = (struct worker){.table = table, .seed = number};
        CHECK(pthread_create(&handles[number], NULL, work, &workers[number]) == 0);
    }
    for (uint32_t number = 0; number < THREADS; number++)
        CHECK(pthread_join(handles[number], NULL) == 0);
    ft_table_free(table);
    CHECK(ended == made);
}

int main(void) {
    configurations();
    sizes();
    nulls();
    life();
    bursts();
    destructors_use_tables();
    threads();
    puts("everything holds");
    return 0;
}
