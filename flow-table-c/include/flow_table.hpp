// flow-table for C++17 and later: flow_table.h, with tables, handles and bursts that free themselves, and errors as
// exceptions. Header only. What flow_table.h says of each function holds here.
//
// Callbacks may throw: the exception leaves the call that ran them. (The library itself is not unwound: it first
// finishes what it does.) The destructor of a value must not throw.

#ifndef FLOW_TABLE_HPP
#define FLOW_TABLE_HPP

#include "flow_table.h"

#include <exception>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace flow_table {

// What a function of the library returned. `what` says what to do about it.
class error : public std::runtime_error {
public:
    explicit error(ft_error number) : std::runtime_error(ft_error_text(number)), number_(number) {}
    ft_error number() const noexcept { return number_; }

private:
    ft_error number_;
};

namespace detail {

inline void check(ft_error number) {
    if (number == FT_ERROR_OUT_OF_MEMORY)
        throw std::bad_alloc();
    if (number != FT_ERROR_NONE)
        throw error(number);
}

// Runs a callback of C++ for the library, and keeps its first exception.
template <typename F> struct callback {
    F &function;
    std::exception_ptr thrown = nullptr;

    template <typename... Arguments> void run(Arguments... arguments) noexcept {
        try {
            function(arguments...);
        } catch (...) {
            if (!thrown)
                thrown = std::current_exception();
        }
    }

    void rethrow() const {
        if (thrown)
            std::rethrow_exception(thrown);
    }
};

} // namespace detail

// A key is a struct without padding, or an array of bytes. All its bytes are compared.
template <typename Key>
constexpr bool is_key = std::is_trivially_copyable_v<Key> && std::has_unique_object_representations_v<Key> &&
                        sizeof(Key) >= 4 && sizeof(Key) <= 64;

// A value that may be moved by copying its bytes: the library copies it into the flow. True of numbers, atomics, pointers
// and std::unique_ptr, and of structs of these; not of std::string. Specialize it for your type to promise that.
template <typename Value> struct is_relocatable : std::is_trivially_copyable<Value> {};

// A borrowed flow: valid until the burst is closed, or the callback returns. It may be empty.
template <typename Value> class borrowed {
public:
    borrowed() noexcept = default;
    explicit borrowed(const ft_flow *flow) noexcept : flow_(flow) {}

    explicit operator bool() const noexcept { return flow_ != nullptr; }
    const ft_flow *get() const noexcept { return flow_; }
    Value &value() const noexcept { return *static_cast<Value *>(ft_value(flow_)); }
    Value *operator->() const noexcept { return &value(); }
    Value &operator*() const noexcept { return value(); }

    bool refresh(uint64_t now) const noexcept { return ft_refresh(flow_, now); }
    bool cancel() const noexcept { return ft_cancel(flow_); }
    ft_flow_status status() const noexcept { return ft_status(flow_); }
    ft_direction found_by() const noexcept { return ft_found_by(flow_); }
    uint64_t deadline() const noexcept { return ft_deadline(flow_); }

    // The forward or the reply key. Returns whether the flow has it.
    template <typename Key> bool key(Key &key, bool reply = false) const noexcept {
        static_assert(is_key<Key>);
        return ft_key(flow_, reply, &key, sizeof key);
    }

    friend bool operator==(const borrowed &one, const borrowed &other) noexcept {
        return ft_same(one.flow_, other.flow_);
    }
    friend bool operator!=(const borrowed &one, const borrowed &other) noexcept { return !(one == other); }

protected:
    const ft_flow *flow_ = nullptr;
};

// A handle: it counts a reference, and may outlive its table. It may be empty.
template <typename Value> class handle : public borrowed<Value> {
public:
    handle() noexcept = default;
    // Takes over a handle of C.
    explicit handle(ft_flow *flow) noexcept : borrowed<Value>(flow) {}
    // Empty if the flow has ended and nobody but bursts can see it.
    explicit handle(const borrowed<Value> &flow) noexcept : borrowed<Value>(ft_retain(flow.get())) {}

    handle(const handle &other) noexcept : borrowed<Value>(ft_retain(other.flow_)) {}
    handle(handle &&other) noexcept : borrowed<Value>(std::exchange(other.flow_, nullptr)) {}
    handle &operator=(handle other) noexcept {
        std::swap(this->flow_, other.flow_);
        return *this;
    }
    ~handle() { ft_release(release()); }

    // Gives the handle up to C.
    ft_flow *release() noexcept { return const_cast<ft_flow *>(std::exchange(this->flow_, nullptr)); }
};

template <typename Key, typename Value> class table;

// An open burst. It stays on its thread, and is closed before its table is gone.
template <typename Key, typename Value> class burst {
public:
    burst(const burst &) = delete;
    burst &operator=(const burst &) = delete;
    ~burst() { ft_burst_close(burst_); }

    borrowed<Value> get(const Key &key) const noexcept { return borrowed<Value>(ft_burst_get(burst_, &key)); }

    // Looks `count` keys up, and writes the flows to `flows`.
    void get_batch(const Key *keys, size_t count, const ft_flow **flows, uint64_t *hashes = nullptr) const noexcept {
        ft_burst_get_batch(burst_, keys, count, flows, hashes);
    }

private:
    friend class table<Key, Value>;
    explicit burst(ft_burst *burst) : burst_(burst) {
        if (!burst)
            throw error(FT_ERROR_INTERNAL);
    }

    ft_burst *burst_;
};

// How a table is made.
struct options {
    size_t shards = 0;
    uint64_t refresh_slack = 0;
    bool remove_on_expiry = false;
};

// A table of flows. Each has a value, which is made from the arguments of the insertion, as `Value{arguments...}`, and
// destroyed at the flow's end. If nothing is inserted, it is destroyed at once.
template <typename Key, typename Value> class table {
    static_assert(is_key<Key>, "keys are 4 to 64 bytes without padding");
    static_assert(sizeof(Value) <= 512 && alignof(Value) <= 16, "values are at most 512 bytes, aligned to 16");
    static_assert(is_relocatable<Value>::value, "specialize flow_table::is_relocatable for this type of values");

public:
    explicit table(size_t capacity, options wishes = {}) {
        ft_config config{};
        config.key_length = sizeof(Key);
        config.value_size = sizeof(Value);
        config.capacity = capacity;
        if (!std::is_trivially_destructible_v<Value>)
            config.destructor = [](void *value, void *) { std::launder(static_cast<Value *>(value))->~Value(); };
        config.shards = wishes.shards;
        config.refresh_slack = wishes.refresh_slack;
        config.remove_on_expiry = wishes.remove_on_expiry;
        detail::check(ft_table_new(&config, &table_));
    }

    table(const table &) = delete;
    table(table &&other) noexcept : table_(std::exchange(other.table_, nullptr)) {}
    table &operator=(table other) noexcept {
        std::swap(table_, other.table_);
        return *this;
    }
    ~table() { ft_table_free(table_); }

    const ft_table *get() const noexcept { return table_; }

    handle<Value> lookup(const Key &key, uint64_t now) const noexcept {
        return handle<Value>(ft_lookup(table_, &key, now));
    }

    uint64_t hash(const Key &key) const noexcept { return ft_hash(table_, &key); }

    flow_table::burst<Key, Value> burst(uint64_t now) const {
        return flow_table::burst<Key, Value>(ft_burst_open(table_, now));
    }

    // What an insertion did.
    struct inserted {
        handle<Value> flow;
        // The live flow that was replaced, if any.
        handle<Value> replaced;
    };

    template <typename... Arguments>
    inserted insert(const Key &key, uint64_t timeout, uint64_t now, Arguments &&...arguments) {
        return insert_hashed(key, 0, timeout, now, std::forward<Arguments>(arguments)...);
    }

    // With the key's hash, of `hash` or `get_batch`.
    template <typename... Arguments>
    inserted insert_hashed(const Key &key, uint64_t hash, uint64_t timeout, uint64_t now, Arguments &&...arguments) {
        ft_flow *flow = nullptr, *replaced = nullptr;
        made value(std::forward<Arguments>(arguments)...);
        value.end(ft_insert(table_, &key, hash, value.bytes, timeout, now, &flow, &replaced));
        return {handle<Value>(flow), handle<Value>(replaced)};
    }

    template <typename... Arguments>
    inserted insert_pair(const Key &key, const Key &reply, uint64_t timeout, uint64_t now, Arguments &&...arguments) {
        ft_flow *flow = nullptr, *replaced = nullptr;
        made value(std::forward<Arguments>(arguments)...);
        value.end(ft_insert_pair(table_, &key, &reply, 0, value.bytes, timeout, now, &flow, &replaced));
        return {handle<Value>(flow), handle<Value>(replaced)};
    }

    // The live flow under the key, or a new one; and whether it is new.
    template <typename... Arguments>
    std::pair<handle<Value>, bool> get_or_insert(const Key &key, uint64_t timeout, uint64_t now,
                                                 Arguments &&...arguments) {
        ft_flow *flow = nullptr;
        bool is_new = false;
        made value(std::forward<Arguments>(arguments)...);
        value.end(ft_get_or_insert(table_, &key, nullptr, 0, value.bytes, timeout, now, &flow, &is_new), &is_new);
        return {handle<Value>(flow), is_new};
    }

    void set_timeout(const borrowed<Value> &flow, uint64_t timeout, uint64_t now) {
        detail::check(ft_set_timeout(table_, flow.get(), timeout, now));
    }

    void set_deadline(const borrowed<Value> &flow, uint64_t deadline) {
        detail::check(ft_set_deadline(table_, flow.get(), deadline));
    }

    // Empty if no active flow has the key.
    handle<Value> remove(const Key &key) {
        ft_flow *removed = nullptr;
        ft_error number = ft_remove(table_, &key, &removed);
        if (number != FT_ERROR_NOT_FOUND)
            detail::check(number);
        return handle<Value>(removed);
    }

    // Returns whether this call removed the flow.
    bool remove(const borrowed<Value> &flow) {
        ft_error number = ft_remove_flow(table_, flow.get());
        if (number != FT_ERROR_NOT_LIVE)
            detail::check(number);
        return number == FT_ERROR_NONE;
    }

    ft_reaped reap(uint64_t now, size_t budget = SIZE_MAX) { return ft_reap(table_, now, budget, nullptr, nullptr); }

    // Calls `ended(borrowed<Value>, ft_end_reason)` for each flow that has ended. If it throws, it is still called for
    // the flows that follow, so that none is missed. The first exception then leaves this call.
    template <typename F> ft_reaped reap(uint64_t now, size_t budget, F &&ended) {
        using callback = detail::callback<std::remove_reference_t<F>>;
        callback context{ended};
        auto call = [](const ft_flow *flow, ft_end_reason reason, void *context) {
            static_cast<callback *>(context)->run(borrowed<Value>(flow), reason);
        };
        ft_reaped reaped = ft_reap(table_, now, budget, call, &context);
        context.rethrow();
        return reaped;
    }

    // Calls `visit(borrowed<Value>)` for each active flow. Exceptions are as for `reap`.
    template <typename F> void for_each(F &&visit) const {
        using callback = detail::callback<std::remove_reference_t<F>>;
        callback context{visit};
        auto call = [](const ft_flow *flow, void *context) {
            static_cast<callback *>(context)->run(borrowed<Value>(flow));
        };
        ft_for_each(table_, call, &context);
        context.rethrow();
    }

    uint64_t next_deadline() const noexcept { return ft_next_deadline(table_); }
    size_t size() const noexcept { return ft_len(table_); }
    size_t capacity() const noexcept { return ft_capacity(table_); }
    void set_capacity(size_t flows) noexcept { ft_set_capacity(table_, flows); }
    ft_counters stats() const noexcept { return ft_stats(table_); }

private:
    // A value that the library may take, by its bytes.
    struct made {
        alignas(16) unsigned char bytes[sizeof(Value)];

        template <typename... Arguments> explicit made(Arguments &&...arguments) {
            new (bytes) Value{std::forward<Arguments>(arguments)...};
        }

        // Destroys the value unless the library has taken it. Throws what is wrong.
        void end(ft_error number, const bool *taken = nullptr) {
            if (number != FT_ERROR_NONE || (taken && !*taken))
                std::launder(reinterpret_cast<Value *>(bytes))->~Value();
            detail::check(number);
        }
    };

    ft_table *table_ = nullptr;
};

} // namespace flow_table

#endif // FLOW_TABLE_HPP
