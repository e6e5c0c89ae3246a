/* Look-ups in bursts, many times, for callgrind to count instructions: see scripts/c-interface. instructions.rs is the
 * same program in Rust. Callgrind collects only in functions called `measured`. */

#include "flow_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLOWS = 1 << 14, KEYS = 1 << 12, BURST = 32 };

#define SECOND UINT64_C(1000000000)

struct key {
    uint64_t words[5];
};

static uint64_t mix(uint64_t word) {
    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return word ^ word >> 31;
}

static struct key key(uint64_t index) {
    return (struct key){
        {mix(index), mix(~index), mix(index ^ UINT64_C(1) << 40), mix(index ^ UINT64_C(1) << 41), index}};
}

static __attribute__((noinline)) uint64_t measured_lookup(const ft_table *table, const struct key *keys, uint64_t now) {
    uint64_t found = 0;
    for (size_t at = 0; at < KEYS; at += BURST) {
        const ft_flow *flows[BURST];
        ft_burst *burst = ft_burst_open(table, now);
        ft_burst_get_batch(burst, keys + at, BURST, flows, NULL);
        for (size_t packet = 0; packet < BURST; packet++)
            found += flows[packet] != NULL;
        ft_burst_close(burst);
    }
    return found;
}

static __attribute__((noinline)) uint64_t measured_refresh(const ft_table *table, const struct key *keys, uint64_t now) {
    uint64_t refreshed = 0;
    for (size_t at = 0; at < KEYS; at += BURST) {
        const ft_flow *flows[BURST];
        ft_burst *burst = ft_burst_open(table, now);
        ft_burst_get_batch(burst, keys + at, BURST, flows, NULL);
        bool live[BURST];
        ft_burst_refresh_batch(burst, flows, BURST, live);
        for (size_t packet = 0; packet < BURST; packet++)
            refreshed += live[packet];
        ft_burst_close(burst);
    }
    return refreshed;
}

int main(int count, char **arguments) {
    const char *operation = count == 2 ? arguments[1] : "";
    bool hit = strcmp(operation, "miss") != 0;
    ft_config config = {.key_length = sizeof(struct key), .value_size = 64, .capacity = 2 * FLOWS};
    ft_table *table = NULL;
    if (ft_table_new(&config, &table) != FT_ERROR_NONE)
        return 1;
    for (uint64_t index = 0; index < FLOWS; index++) {
        struct key own = key(index);
        if (ft_insert(table, &own, 0, NULL, 60 * SECOND, index, NULL, NULL) != FT_ERROR_NONE)
            return 1;
    }
    static struct key keys[KEYS];
    for (uint64_t index = 0; index < KEYS; index++)
        keys[index] = key(hit ? FLOWS - KEYS + index : FLOWS + index);
    uint64_t found = strcmp(operation, "refresh") == 0 ? measured_refresh(table, keys, FLOWS)
                                                       : measured_lookup(table, keys, FLOWS);
    ft_table_free(table);
    printf("%d\n", KEYS);
    return found != (hit ? KEYS : 0);
}
