// What flow_table.hpp adds to flow_table.h: ownership, exceptions, callbacks.

#include "flow_table.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <type_traits>

#define CHECK(condition)                                                                \
    do {                                                                                \
        if (!(condition)) {                                                             \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            std::exit(1);                                                               \
        }                                                                               \
    } while (0)

struct key {
    uint32_t source, destination;
    uint16_t ports[2];
    uint32_t protocol;
};

static int alive;

struct session {
    std::atomic<uint64_t> packets;
    std::unique_ptr<int> owned;

    explicit session(int number) : packets(0), owned(new int(number)) { alive++; }
    session(const session &) = delete;
    ~session() { alive--; }
};

template <> struct flow_table::is_relocatable<session> : std::true_type {};

using sessions = flow_table::table<key, session>;

static_assert(!std::is_copy_constructible_v<sessions> && std::is_nothrow_move_constructible_v<sessions>);
static_assert(!std::is_copy_constructible_v<flow_table::burst<key, session>>);
static_assert(std::is_nothrow_copy_constructible_v<flow_table::handle<session>>);

template <typename F> static ft_error thrown(F &&function) {
    try {
        function();
    } catch (const flow_table::error &error) {
        CHECK(error.what() == std::string(ft_error_text(error.number())));
        return error.number();
    }
    return FT_ERROR_NONE;
}

int main() {
    constexpr uint64_t second = 1000000000;
    const key one{1, 2, {3, 4}, 6}, two{2, 1, {4, 3}, 6}, three{3, 3, {3, 3}, 3};
    flow_table::handle<session> kept;
    {
        sessions first(2);
        sessions table(std::move(first));
        auto [flow, replaced] = table.insert_pair(one, two, second, 0, 7);
        CHECK(flow && !replaced && *flow->owned == 7 && alive == 1);
        CHECK(thrown([&] { table.insert_pair(one, one, second, 0, 8); }) == FT_ERROR_IDENTICAL_KEYS && alive == 1);
        auto [found, is_new] = table.get_or_insert(two, second, 0, 9);
        CHECK(!is_new && found == flow && found.found_by() == FT_DIRECTION_REPLY && alive == 1);
        {
            auto burst = table.burst(1);
            auto borrowed = burst.get(one);
            CHECK(borrowed.refresh(1) && !burst.get(three));
            borrowed->packets++;
            const ft_flow *flows[2];
            const key keys[2] = {two, three};
            uint64_t hashes[2];
            burst.get_batch(keys, 2, flows, hashes);
            CHECK(flows[0] && !flows[1] && hashes[1] == table.hash(three));
            table.insert_hashed(three, hashes[1], second, 1, 10);
            kept = flow_table::handle<session>(burst.get(three));
        }
        CHECK(kept && kept->packets == 0 && table.size() == 2 && alive == 2);
        CHECK(thrown([&] { table.insert(key{9, 9, {9, 9}, 9}, second, 0, 1); }) == FT_ERROR_FULL && alive == 2);
        table.set_timeout(flow, 5 * second, 0);
        CHECK(flow.deadline() == 5 * second);
        table.set_deadline(flow, second);
        key back{};
        CHECK(flow.key(back, true) && back.source == two.source && !kept.key(back, true));
        int visited = 0;
        table.for_each([&](auto) { visited++; });
        CHECK(visited == 2);

        // A callback that throws misses nothing.
        int handed_over = 0;
        try {
            table.reap(9 * second, SIZE_MAX, [&](flow_table::borrowed<session>, ft_end_reason reason) {
                CHECK(reason == FT_END_REASON_EXPIRED);
                if (++handed_over == 1)
                    throw 5;
            });
            CHECK(!"it throws");
        } catch (int number) {
            CHECK(number == 5 && handed_over == 2);
        }
        CHECK(table.size() == 0 && table.stats().expired == 2);
        flow = {}, found = {};
        CHECK(alive == 1 && !table.remove(one));

        flow = table.insert(one, second, 0, 11).flow;
        replaced = table.insert(one, second, 0, 12).replaced;
        CHECK(replaced == flow && replaced.status() == FT_FLOW_STATUS_DETACHED && !table.remove(flow));
        CHECK(*table.remove(one)->owned == 12 && alive == 3);
        flow = table.insert(two, second, 0, 13).flow;
        CHECK(flow.cancel() && table.reap(0).cancelled == 1);
    }
    auto copy = kept;
    kept = {};
    CHECK(alive == 1 && *copy->owned == 10);
    copy = {};
    CHECK(alive == 0);
    std::puts("everything holds");
}
