/*
 * A packet loop: a worker takes packets in bursts, looks all keys of a burst up at once, refreshes the flows that it
 * finds, inserts those that it does not find, and reaps between bursts.
 *
 *     cargo build --release --package flow-table-c
 *     cc -O2 -I flow-table-c/include flow-table-c/examples/packet_loop.c target/release/libflow_table_c.a \
 *         -lpthread -ldl -lm -o packet_loop
 *     ./packet_loop
 */

#include "flow_table.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BURST = 32, BURSTS = 4000, CONVERSATIONS = 16, TURNOVER = 4 };

#define MILLISECOND UINT64_C(1000000)
#define IDLE_TIMEOUT (1000 * MILLISECOND)

/* All bytes of a key are compared, so it has no padding. */
struct key {
    uint32_t source, destination;
    uint16_t source_port, destination_port;
    uint32_t protocol;
};

/* Several threads may count, so the counters are atomic. */
struct counters {
    _Atomic uint64_t packets, bytes;
};

struct packet {
    struct key key;
    uint32_t bytes;
};

static struct key reversed(struct key key) {
    return (struct key){key.destination, key.source, key.destination_port, key.source_port, key.protocol};
}

/* Fills packets as a network card would, with packets of a few conversations in both directions. */
static void receive(uint32_t burst, struct packet packets[BURST]) {
    for (uint32_t i = 0; i < BURST; i++) {
        uint32_t client = 0x0a000000 | (burst / TURNOVER + i % CONVERSATIONS);
        struct key key = {client, 0xc0000201, 40000, 443, 6};
        packets[i] = (struct packet){i < CONVERSATIONS ? key : reversed(key), 100};
    }
}

static void fail(const char *what, ft_error error) {
    fprintf(stderr, "%s: %s\n", what, ft_error_text(error));
    exit(1);
}

static void count(const ft_flow *flow, const struct packet *packet) {
    struct counters *counters = ft_value(flow);
    atomic_fetch_add_explicit(&counters->packets, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->bytes, packet->bytes, memory_order_relaxed);
}

/* What a packet without a flow needs. There may be one by now: two first packets can be in one burst. */
static void first_packet(ft_table *table, const struct packet *packet, uint64_t now) {
    struct key reply = reversed(packet->key);
    ft_flow *flow = NULL;
    ft_error error = ft_get_or_insert(table, &packet->key, &reply, 0, NULL, IDLE_TIMEOUT, now, &flow, NULL);
    if (error != FT_ERROR_NONE)
        fail("a packet has no flow", error);
    count(flow, packet);
    ft_release(flow);
}

static void forward(ft_table *table, const struct packet packets[BURST], uint64_t now) {
    struct key keys[BURST];
    const ft_flow *flows[BURST];
    bool live[BURST];
    for (size_t i = 0; i < BURST; i++)
        keys[i] = packets[i].key;

    ft_burst *burst = ft_burst_open(table, now);
    ft_burst_get_batch(burst, keys, BURST, flows, NULL);
    ft_burst_refresh_batch(burst, flows, BURST, live);
    for (size_t i = 0; i < BURST; i++) {
        if (live[i])
            count(flows[i], &packets[i]);
        else
            first_packet(table, &packets[i], now);
    }
    ft_burst_close(burst);
}

/* One record for each flow that has ended. */
static void record(const ft_flow *flow, ft_end_reason reason, void *context) {
    struct counters *total = context, *counters = ft_value(flow);
    (void)reason;
    total->packets += counters->packets;
    total->bytes += counters->bytes;
}

int main(void) {
    ft_config config = {
        .key_length = sizeof(struct key), .value_size = sizeof(struct counters), .capacity = 10000};
    ft_table *table = NULL;
    ft_error error = ft_table_new(&config, &table);
    if (error != FT_ERROR_NONE)
        fail("no table", error);

    struct counters total = {0, 0};
    uint64_t now = 0;
    for (uint32_t burst = 0; burst < BURSTS; burst++) {
        struct packet packets[BURST];
        receive(burst, packets);
        now += 10 * MILLISECOND; /* one reading of the clock for the whole burst */
        forward(table, packets, now);
        ft_reap(table, now, 64, record, &total);
    }
    ft_counters counters = ft_stats(table);
    printf("%d packets made %" PRIu64 " flows; %" PRIu64 " are left in the table\n", BURSTS * BURST, counters.inserts,
           counters.flows);

    ft_reap(table, now + IDLE_TIMEOUT, SIZE_MAX, record, &total);
    ft_table_free(table);
    if (total.packets != (uint64_t)BURSTS * BURST || total.bytes != total.packets * 100) {
        fprintf(stderr, "%" PRIu64 " packets are in records\n", total.packets);
        return 1;
    }
    puts("each packet is in exactly one record");
    return 0;
}
