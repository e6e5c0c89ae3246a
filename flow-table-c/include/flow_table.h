/*
 * flow-table: a flow table for packet dataplanes.
 *
 * Made by cbindgen from the sources of flow-table-c; do not edit. README.md explains how to build and link, and has an
 * example. flow_table.hpp has the same for C++, with handles that release themselves.
 *
 * Times and durations are nanoseconds on a clock of the caller, as CLOCK_MONOTONIC. The library reads no clock. Functions
 * say what they return for null pointers. They never unwind: a panic of the library ends in a return value.
 */

#ifndef FLOW_TABLE_H
#define FLOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a function of this interface returns. Zero is success. `ft_error_text` explains the others.
typedef enum {
  // It is done: there is none.
  FT_ERROR_NONE = 0,
  // A pointer that must not be null is null.
  FT_ERROR_NULL_POINTER = 1,
  // The configuration has a length of keys that is not 4 to 64.
  FT_ERROR_KEY_LENGTH = 2,
  // The configuration has a size of values that is more than 512.
  FT_ERROR_VALUE_SIZE = 3,
  // The table is full, and nothing in it can make room.
  FT_ERROR_FULL = 4,
  // The two keys of a flow are equal.
  FT_ERROR_IDENTICAL_KEYS = 5,
  // The reply key belongs to another live flow.
  FT_ERROR_CONFLICT = 6,
  // The system has no memory left, or the table finds no more keys.
  FT_ERROR_OUT_OF_MEMORY = 7,
  // The flow has ended, or its deadline has passed.
  FT_ERROR_NOT_LIVE = 8,
  // The flow belongs to another table.
  FT_ERROR_FOREIGN = 9,
  // Nothing has that key.
  FT_ERROR_NOT_FOUND = 10,
  // A defect of the library: it panicked, and the panic went no further.
  FT_ERROR_INTERNAL = 11,
} ft_error;

// Which of a flow's keys was looked up.
typedef enum {
  // The key with which the flow was inserted; also of handles that did not come from a look-up.
  FT_DIRECTION_FORWARD = 0,
  // Its reply key.
  FT_DIRECTION_REPLY = 1,
} ft_direction;

// Where a flow is in its life.
typedef enum {
  // In no table: removed, replaced, or the table is gone.
  FT_FLOW_STATUS_DETACHED = 0,
  // Its deadline passed.
  FT_FLOW_STATUS_EXPIRED = 1,
  // It was cancelled.
  FT_FLOW_STATUS_CANCELLED = 2,
  // In a table, until its deadline.
  FT_FLOW_STATUS_ACTIVE = 3,
} ft_flow_status;

// Why a reap hands a flow over.
typedef enum {
  // Its deadline passed.
  FT_END_REASON_EXPIRED = 0,
  // It was cancelled.
  FT_END_REASON_CANCELLED = 1,
  // Something that this version of the interface has no name for.
  FT_END_REASON_OTHER = 2,
} ft_end_reason;

// An open burst, behind a pointer. It belongs to the thread that opened it.
typedef struct ft_burst ft_burst;

// A flow, behind a pointer: use the functions.
//
// A pointer to a constant flow is borrowed: from an open burst until that is closed, or from a callback until
// that returns. Any other is a handle, which counts a reference: the caller passes each to `ft_release` once.
//
// Pointers to one flow may differ: `ft_same` compares flows.
typedef struct ft_flow ft_flow;

// A table of flows, behind a pointer.
typedef struct ft_table ft_table;

// Called once for each flow that was in a table, when nobody holds it any more: with its value, and with the
// `context` of the table's configuration. It may use the table. It must not unwind: no C++ exception may leave
// it.
typedef void (*ft_destructor)(void *value, void *context);

// What a table is to be. Set what you need, and leave the rest zero.
typedef struct {
  // Bytes of each key: 4 to 64. All bytes are compared, so padding in a struct must be zero.
  size_t key_length;
  // Bytes of each value: 0 to 512. Values are aligned to 16.
  size_t value_size;
  // Flows that may have a place in the table at most.
  size_t capacity;
  // What ends a value, or null.
  ft_destructor destructor;
  // Passed to the destructor. Any thread may pass it.
  void *context;
  // Parts that are locked independently; zero for the default, which depends on the processors.
  size_t shards;
  // By how many nanoseconds a busy flow may outlive its timeout, so that it is not written for each packet.
  uint64_t refresh_slack;
  // If true, look-ups do not find a flow that has expired. Else they find it, with that status, while somebody
  // holds it.
  bool remove_on_expiry;
  // Flows with one key whose memory is made ready, and kept, when the table is made. Up to so many, an
  // insertion neither calls the system for the table's memory nor waits for a page.
  size_t prefault;
  // Flows with two keys, besides, whose memory is made ready.
  size_t prefault_pairs;
} ft_config;

// What a reap has done.
typedef struct {
  // Flows that were handed over because their deadline had passed.
  size_t expired;
  // Flows that were handed over because they were cancelled.
  size_t cancelled;
  // Flows that were visited and stay, most of them because they were refreshed.
  size_t rescheduled;
  // Whether the budget was used up before the work was done: call again.
  bool more;
} ft_reaped;

// Called for each flow that a reap hands over. The flow is borrowed until the call returns; `ft_retain` keeps it.
// It may use the table. It must not unwind: no C++ exception may leave it.
typedef void (*ft_ended)(const ft_flow *flow, ft_end_reason reason, void *context);

// Called for each flow of a visit. As for the callback of a reap.
typedef void (*ft_visit)(const ft_flow *flow, void *context);

// The counters of a table. Each is exact, but they are not all read at the same moment.
typedef struct {
  // Flows that have a place in the table.
  uint64_t flows;
  // Flows that became active.
  uint64_t inserts;
  // Insertions refused because the table was full.
  uint64_t refusals;
  // Flows whose deadline passed.
  uint64_t expired;
  // Flows that were cancelled.
  uint64_t cancelled;
  // Flows that were removed.
  uint64_t removed;
  // Live flows that an insertion replaced.
  uint64_t replaced;
  // Flows that were evicted to make room.
  uint64_t evicted;
  // Flows that have made room in a full table and wait for a reap.
  uint64_t dying;
  // Ended flows that wait for open bursts.
  uint64_t waiting;
  // Parts that are locked independently.
  uint64_t shards;
  // Bytes of memory that the table occupies.
  uint64_t bytes;
} ft_counters;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Returns what an error means, and what to do about it. `error` may be any number.
//
// Thread-safe. The text is never null, and stays valid for ever.
const char *ft_error_text(uint32_t error);

// Makes an empty table, and writes it to `table`. It takes memory for the flows that it holds, not for its
// capacity. Free it with `ft_table_free`.
//
// Thread-safe. Returns `FT_ERROR_NONE`, `FT_ERROR_NULL_POINTER`, `FT_ERROR_KEY_LENGTH`, `FT_ERROR_VALUE_SIZE` or
// `FT_ERROR_INTERNAL`. Unless it is `FT_ERROR_NONE`, `table` is unchanged.
//
// # Safety
//
// `config` is null or can be read, and `table` is null or can be written.
ft_error ft_table_new(const ft_config *config, ft_table **table);

// Frees a table. Its active flows end as detached. Handles may outlive it: they can be read, refreshed (which
// does nothing), and released. Null is allowed.
//
// No other thread may use the table, and no burst of it may be open. It runs the destructors of flows that nobody
// holds.
//
// # Safety
//
// `table` is null or a table, which is not used any more.
void ft_table_free(ft_table *table);

// Returns the number of flows that have a place in the table: the active ones, and those that have ended and were
// not reaped yet. It is never above the capacity. Zero if `table` is null.
//
// Thread-safe. It takes constant time.
//
// # Safety
//
// `table` is null or a table.
size_t ft_len(const ft_table *table);

// Returns the number of flows that may have a place in the table at most. Zero if `table` is null.
//
// Thread-safe.
//
// # Safety
//
// `table` is null or a table.
size_t ft_capacity(const ft_table *table);

// Sets the capacity. Below `ft_len` it evicts nothing; insertions are refused until enough flows have gone. Does
// nothing if `table` is null.
//
// Thread-safe.
//
// # Safety
//
// `table` is null or a table.
void ft_set_capacity(const ft_table *table, size_t flows);

// Looks a key up at `now` nanoseconds. Returns a handle, which the caller releases, or null if no flow has the
// key, or a pointer is null. Check the result of `ft_refresh`: a flow may have ended. In a burst, look-ups cost
// less.
//
// Thread-safe. It takes no lock, and never waits for another look-up.
//
// # Safety
//
// `table` is null or a table, and `key` is null or has the table's key length.
ft_flow *ft_lookup(const ft_table *table, const void *key, uint64_t now);

// Looks `count` keys up that stand one after the other, each of the table's key length. Writes for each key, in
// their order, a handle to `flows`, or null. Their cache misses overlap. If a pointer is null, it does nothing.
//
// Thread-safe. It takes no lock.
//
// # Safety
//
// `table` is null or a table; there are `count` keys, and room for as many flows.
void ft_lookup_batch(const ft_table *table, const void *keys, size_t count, uint64_t now, ft_flow **flows);

// Returns the hash of a key in this table, to pass to an insertion, or zero if a pointer is null. It is never
// zero otherwise, and the same for as long as the table lives. Do not show it to whoever chooses the keys: hashes
// reveal the table's secret.
//
// Thread-safe.
//
// # Safety
//
// `table` is null or a table, and `key` is null or has the table's key length.
uint64_t ft_hash(const ft_table *table, const void *key);

// Opens a burst at `now` nanoseconds: look-ups within it borrow flows and count no references. Returns null if
// `table` is null.
//
// Thread-safe. It blocks nothing, and an open burst blocks nothing. It only delays the destructors of flows that
// end meanwhile, so keep bursts short. Any number may be open. The burst belongs to the thread that opened it.
// Close it before the table is freed.
//
// # Safety
//
// `table` is null or a table.
ft_burst *ft_burst_open(const ft_table *table, uint64_t now);

// Looks `count` keys up that stand one after the other, each of the table's key length. Writes for each key, in
// their order, the flow to `flows`, or null. Flows are borrowed until the burst is closed. Check the result of
// `ft_refresh`: a flow may have ended.
//
// If `hashes` is not null, writes the hash of each key there. Pass that of a key which was not found to the
// insertion that follows.
//
// Call it on the burst's thread. It takes no lock. If a pointer is null that must not be, it does nothing.
//
// # Safety
//
// The burst is open, and this is its thread. There are `count` keys, and room for as many flows and hashes.
void ft_burst_get_batch(ft_burst *burst, const void *keys, size_t count, const ft_flow **flows, uint64_t *hashes);

// Looks one key up, as `ft_burst_get_batch` does. Returns a borrowed flow, or null.
//
// Call it on the burst's thread. It takes no lock.
//
// # Safety
//
// As for `ft_burst_get_batch`.
const ft_flow *ft_burst_get(ft_burst *burst, const void *key);

// Refreshes `count` flows that this burst borrowed, or null, at the burst's time, as `ft_refresh` does. Writes
// for each, in their order, whether it is live to `live`. It costs less than as many calls of `ft_refresh`.
//
// Call it on the burst's thread. It never blocks. If a pointer is null that must not be, it does nothing.
//
// # Safety
//
// The burst is open, this is its thread, and it borrowed the flows that are not null. There is room for as many
// answers.
void ft_burst_refresh_batch(ft_burst *burst, const ft_flow *const *flows, size_t count, bool *live);

// Closes a burst. What it borrowed must not be used any more. Null is allowed.
//
// Call it on the burst's thread. It may run destructors of flows that waited for the burst.
//
// # Safety
//
// The burst is open, and this is its thread. It is not used any more.
void ft_burst_close(ft_burst *burst);

// Inserts a flow with one key. It replaces a flow under the same key.
//
// * `hash`: the key's hash by `ft_hash` or `ft_burst_get_batch`, or zero.
// * `value`: copied into the flow; null for zeros. From success on the table's destructor ends it. After an error
//   it still belongs to the caller.
// * `timeout`: nanoseconds without a refresh until the flow expires; `UINT64_MAX` for never.
// * `now`: nanoseconds on the caller's clock.
// * `flow`: gets a handle to the new flow, unless it is null.
// * `replaced`: gets a handle to the live flow that was replaced, or null, unless it is null itself.
//
// Thread-safe. It takes a lock for a short time. Returns `FT_ERROR_NONE`, `FT_ERROR_NULL_POINTER`,
// `FT_ERROR_FULL`, `FT_ERROR_OUT_OF_MEMORY` or `FT_ERROR_INTERNAL`. Unless it is `FT_ERROR_NONE`, nothing is
// written.
//
// # Safety
//
// `table` is null or a table; `key` and `value` are null or have the table's sizes; `flow` and `replaced` are
// null or can be written.
ft_error ft_insert(const ft_table *table,
                   const void *key,
                   uint64_t hash,
                   const void *value,
                   uint64_t timeout,
                   uint64_t now,
                   ft_flow **flow,
                   ft_flow **replaced);

// Inserts a flow with two keys: packets of either direction find it. Both appear and disappear together.
// Otherwise it is as `ft_insert`, and a live flow that is replaced loses both of its keys.
//
// Thread-safe. It takes locks for a short time. Returns also `FT_ERROR_IDENTICAL_KEYS`, and `FT_ERROR_CONFLICT`
// if the reply key belongs to another live flow.
//
// # Safety
//
// As for `ft_insert`; `reply_key` is null or has the table's key length.
ft_error ft_insert_pair(const ft_table *table,
                        const void *key,
                        const void *reply_key,
                        uint64_t hash,
                        const void *value,
                        uint64_t timeout,
                        uint64_t now,
                        ft_flow **flow,
                        ft_flow **replaced);

// Returns the live flow under `key`, or inserts one: what a packet without a flow needs. It never displaces a
// live flow. Of threads that race for one key, one inserts, and the others find its flow.
//
// `reply_key` may be null. `flow` gets a handle to the flow found or inserted; `inserted` whether it was
// inserted. Either may be null. The value belongs to the table only if the flow was inserted; the rest is as for
// `ft_insert`. If another live flow has the reply key, that one is found.
//
// Thread-safe. It takes a lock for a short time if it inserts. Returns `FT_ERROR_NONE`, `FT_ERROR_NULL_POINTER`,
// `FT_ERROR_FULL`, `FT_ERROR_IDENTICAL_KEYS`, `FT_ERROR_OUT_OF_MEMORY` or `FT_ERROR_INTERNAL`. Unless it is
// `FT_ERROR_NONE`, nothing is written.
//
// # Safety
//
// As for `ft_insert_pair`; `inserted` is null or can be written.
ft_error ft_get_or_insert(const ft_table *table,
                          const void *key,
                          const void *reply_key,
                          uint64_t hash,
                          const void *value,
                          uint64_t timeout,
                          uint64_t now,
                          ft_flow **flow,
                          bool *inserted);

// Returns another handle to a flow, which may be borrowed, with the same direction. The caller releases it.
// Returns null if the flow is null, or has ended and nobody but bursts can see it.
//
// Thread-safe. It never blocks.
//
// # Safety
//
// `flow` is null, a handle, or borrowed.
ft_flow *ft_retain(const ft_flow *flow);

// Releases a handle. The last one of a flow that is in no table any more ends the flow's value. Null is allowed.
//
// Thread-safe. It may run the destructor, and may take a lock then; the destructor runs under none.
//
// # Safety
//
// `flow` is null or a handle, which is not used any more.
void ft_release(ft_flow *flow);

// Moves the deadline to `now` plus the flow's timeout, unless it is later already. Returns whether the flow is
// live at `now`. If not, or if `flow` is null, nothing changes.
//
// Thread-safe. It never blocks: it is one atomic operation.
//
// # Safety
//
// `flow` is null, a handle, or borrowed.
bool ft_refresh(const ft_flow *flow, uint64_t now);

// Ends a flow. From then on look-ups do not find it, and the next reap hands it over. Returns whether this call
// ended it; false if `flow` is null.
//
// Thread-safe. It may take a lock for a short time.
//
// # Safety
//
// `flow` is null, a handle, or borrowed.
bool ft_cancel(const ft_flow *flow);

// Returns the flow's value: as many bytes as the configuration says, aligned to 16. It stays there for as long as
// the flow is held or borrowed. Null if `flow` is null.
//
// Thread-safe, but the library does not order accesses to the value: what several threads use must be atomic, or
// under a lock of the caller. What was copied in by an insertion is visible to everybody who finds the flow.
//
// # Safety
//
// `flow` is null, a handle, or borrowed.
void *ft_value(const ft_flow *flow);

// Copies a key of the flow to `key`: the forward one, or the reply key if `reply`. `length` is the table's key
// length. Returns false, and writes nothing, if the flow has no such key or a pointer is null.
//
// Thread-safe.
//
// # Safety
//
// `flow` is null, a handle, or borrowed. `length` is the table's, and as many bytes can be written.
bool ft_key(const ft_flow *flow, bool reply, void *key, size_t length);

// Returns which of its keys the flow was found by. Forward if `flow` is null.
//
// Thread-safe.
ft_direction ft_found_by(const ft_flow *flow);

// Returns whether both are the same flow, by whichever keys they were found.
//
// Thread-safe.
bool ft_same(const ft_flow *one, const ft_flow *other);

// Returns the flow's status; active may be out of date the moment it is read. Detached if `flow` is null.
//
// Thread-safe.
//
// # Safety
//
// `flow` is null, a handle, or borrowed.
ft_flow_status ft_status(const ft_flow *flow);

// Returns the time in nanoseconds at which the flow expires unless it is refreshed. Zero if `flow` is null.
//
// Thread-safe.
//
// # Safety
//
// `flow` is null, a handle, or borrowed.
uint64_t ft_deadline(const ft_flow *flow);

// Sets a flow's timeout to so many nanoseconds, and its deadline to `now` plus that, also to an earlier time:
// what a closing connection needs. `UINT64_MAX` means never.
//
// Thread-safe. Returns `FT_ERROR_NONE`, `FT_ERROR_NULL_POINTER`, `FT_ERROR_INTERNAL`, `FT_ERROR_FOREIGN` if the
// flow is of a table with other sizes, or `FT_ERROR_NOT_LIVE` if it has ended or its deadline has passed.
//
// # Safety
//
// `table` is null or a table; `flow` is null, a handle, or borrowed.
ft_error ft_set_timeout(const ft_table *table, const ft_flow *flow, uint64_t timeout, uint64_t now);

// Sets the time in nanoseconds at which an active flow expires, also to an earlier one. Later refreshes work as
// before.
//
// Thread-safe. Returns `FT_ERROR_NONE`, `FT_ERROR_NULL_POINTER`, `FT_ERROR_FOREIGN`, `FT_ERROR_INTERNAL`, or
// `FT_ERROR_NOT_LIVE` if the flow has ended.
//
// # Safety
//
// As for `ft_set_timeout`.
ft_error ft_set_deadline(const ft_table *table, const ft_flow *flow, uint64_t deadline);

// Removes the active flow under `key`, which may be its forward or its reply key. `removed` gets a handle to it,
// or the handle is released if `removed` is null.
//
// Thread-safe. It takes a lock for a short time. Returns `FT_ERROR_NONE`, `FT_ERROR_NULL_POINTER`,
// `FT_ERROR_NOT_FOUND` or `FT_ERROR_INTERNAL`. Unless it is `FT_ERROR_NONE`, nothing is written.
//
// # Safety
//
// `table` is null or a table; `key` is null or has the table's key length; `removed` is null or can be written.
ft_error ft_remove(const ft_table *table, const void *key, ft_flow **removed);

// Removes exactly this flow, if it is active.
//
// Thread-safe. It takes a lock for a short time. Returns `FT_ERROR_NONE`, `FT_ERROR_NULL_POINTER`,
// `FT_ERROR_FOREIGN`, `FT_ERROR_INTERNAL`, or `FT_ERROR_NOT_LIVE` if the flow was not active.
//
// # Safety
//
// As for `ft_set_timeout`.
ft_error ft_remove_flow(const ft_table *table, const ft_flow *flow);

// Takes out the flows that are due at `now` nanoseconds, or cancelled, and passes each to `ended`, once, unless
// that is null. It visits at most `budget` flows; `SIZE_MAX` for all. Returns what it did; zeros if `table` is
// null.
//
// A flow that others still hold is handed over, too: they may still change its value.
//
// Thread-safe. With nothing due it takes constant time. `ended` runs on this thread, under no lock.
//
// # Safety
//
// `table` is null or a table, and `ended` may be called with `context`.
ft_reaped ft_reap(const ft_table *table, uint64_t now, size_t budget, ft_ended ended, void *context);

// Calls `visit` for each active flow, once. Flows that come or go meanwhile may be left out. Does nothing if
// `table` or `visit` is null.
//
// Thread-safe. It takes time in proportion to the table. `visit` runs on this thread, under no lock.
//
// # Safety
//
// `table` is null or a table, and `visit` may be called with `context`.
void ft_for_each(const ft_table *table, ft_visit visit, void *context);

// Returns a time in nanoseconds before which a reap finds nothing to do: `UINT64_MAX` if the table is empty or
// null, zero if something waits already. It may be too early, because refreshes do not move it.
//
// Thread-safe.
//
// # Safety
//
// `table` is null or a table.
uint64_t ft_next_deadline(const ft_table *table);

// Returns the counters of a table; zeros if `table` is null.
//
// Thread-safe. It is cheap, but not meant for every packet.
//
// # Safety
//
// `table` is null or a table.
ft_counters ft_stats(const ft_table *table);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FLOW_TABLE_H */
