// THE column table. What a flow is, written once: the FlowRow struct, the store's schema and aggregates, the
// API's column descriptions, the filter language's fields, the CLI's headers, docs/columns.md and the web UI's
// generated types all come from here.
//
// A flow row is what one client did with one server port during one interval, both ends' reports joined.
// "client" is the side that connected, whoever reported it. Rates and percentages are derived, never stored.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::model {

enum class ColumnType {
  kTime,      // Unix milliseconds, shown as RFC 3339 UTC
  kAddress,   // 16 bytes, see Address
  kString,    // UTF-8, at most kMaxStringBytes
  kUint,      // unsigned integer
  kFloat,     // derived columns only
  kHistogram  // sparse (bucket index, count) pairs, see histogram.h
};

enum class ColumnKind {
  kTime,       // interval bounds
  kDimension,  // identifies the flow; can be grouped by
  kSum,        // adds up over rows
  kMin,        // smallest non-zero value; 0 means no sample
  kMax,        // largest value
  kHistogram,  // adds up bucket by bucket
  kDerived,    // computed from aggregates
};

inline constexpr size_t kMaxStringBytes = 256;

// Stored columns: X(name, C++ type, ColumnType, ColumnKind, unit, help)
#define WEIR_STORED_COLUMNS(X)                                                                                      \
  X(start, int64_t, kTime, kTime, "ms", "Start of the interval, by the server's clock.")                            \
  X(end, int64_t, kTime, kTime, "ms", "End of the interval, by the server's clock.")                                \
  X(protocol, std::string, kString, kDimension, "", "Transport protocol: tcp.")                                     \
  X(client_address, Address, kAddress, kDimension, "", "Address of the side that connected.")                       \
  X(server_address, Address, kAddress, kDimension, "", "Address the client connected to.")                          \
  X(server_port, uint16_t, kUint, kDimension, "", "Port the client connected to.")                                  \
  X(client_process, std::string, kString, kDimension, "",                                                           \
    "Name of the connecting process; empty when no agent sees the client.")                                         \
  X(server_process, std::string, kString, kDimension, "",                                                           \
    "Name of the listening process; empty when no agent sees the server.")                                          \
  X(client_container, std::string, kString, kDimension, "", "Container id of the client; empty on a bare host.")    \
  X(server_container, std::string, kString, kDimension, "", "Container id of the server; empty on a bare host.")    \
  X(client_unit, std::string, kString, kDimension, "",                                                              \
    "systemd unit or last control-group folder of the client, outside containers.")                                 \
  X(server_unit, std::string, kString, kDimension, "",                                                              \
    "systemd unit or last control-group folder of the server, outside containers.")                                 \
  X(client_node, std::string, kString, kDimension, "", "Node whose agent reported the client side.")                \
  X(server_node, std::string, kString, kDimension, "", "Node whose agent reported the server side.")                \
  X(client_netns, uint32_t, kUint, kDimension, "", "Network namespace inode of the client; 0 = unknown.")           \
  X(server_netns, uint32_t, kUint, kDimension, "", "Network namespace inode of the server; 0 = unknown.")           \
  X(locality, std::string, kString, kDimension, "",                                                                 \
    "loopback, same_node, cross_node, private or internet: how far the flow went, as far as known.")                \
  X(client_reports, uint32_t, kUint, kSum, "", "Intervals reported by the client's agent.")                         \
  X(server_reports, uint32_t, kUint, kSum, "", "Intervals reported by the server's agent.")                         \
  X(bytes_to_server, uint64_t, kUint, kSum, "bytes", "Payload from client to server, each byte once.")              \
  X(bytes_to_client, uint64_t, kUint, kSum, "bytes", "Payload from server to client, each byte once.")              \
  X(segments_to_server, uint64_t, kUint, kSum, "segments", "TCP segments from client to server.")                   \
  X(segments_to_client, uint64_t, kUint, kSum, "segments", "TCP segments from server to client.")                   \
  X(retransmits_to_server, uint64_t, kUint, kSum, "segments",                                                       \
    "Segments the client sent again, SYN excluded; known only where the client is observed.")                       \
  X(retransmits_to_client, uint64_t, kUint, kSum, "segments",                                                       \
    "Segments the server sent again, SYN-ACK excluded; known only where the server is observed.")                   \
  X(retransmits_syn, uint64_t, kUint, kSum, "segments", "SYN and SYN-ACK segments sent again.")                     \
  X(timeouts_to_server, uint64_t, kUint, kSum, "events", "Retransmission timeouts (RTO) of the client's sender.")   \
  X(timeouts_to_client, uint64_t, kUint, kSum, "events", "Retransmission timeouts (RTO) of the server's sender.")   \
  X(connections_opened, uint64_t, kUint, kSum, "connections", "Connections whose handshake completed.")             \
  X(connections_closed, uint64_t, kUint, kSum, "connections", "Opened connections that ended, in any way.")         \
  X(connections_failed, uint64_t, kUint, kSum, "connections",                                                       \
    "Attempts that never opened: refused + timed out + unreachable + abandoned + other.")                           \
  X(failed_refused, uint64_t, kUint, kSum, "connections", "Attempts answered by a reset.")                          \
  X(failed_timed_out, uint64_t, kUint, kSum, "connections", "Attempts that got no answer to any SYN.")              \
  X(failed_unreachable, uint64_t, kUint, kSum, "connections", "Attempts refused by ICMP or for want of a route.")   \
  X(failed_abandoned, uint64_t, kUint, kSum, "connections", "Attempts the application gave up on.")                 \
  X(failed_other, uint64_t, kUint, kSum, "connections", "Attempts that failed otherwise, e.g. no local port left.") \
  X(closed_reset, uint64_t, kUint, kSum, "connections", "Opened connections ended by a reset from the peer.")       \
  X(closed_timed_out, uint64_t, kUint, kSum, "connections", "Opened connections given up after retransmissions.")   \
  X(connections_open, uint64_t, kUint, kMax, "connections",                                                         \
    "Open connections at the end of an interval; the largest.")                                                     \
  X(connect_count, uint64_t, kUint, kSum, "connections", "Handshakes whose duration was measured by the client.")   \
  X(connect_sum_us, uint64_t, kUint, kSum, "us", "Sum of handshake durations seen by the client.")                  \
  X(connect_max_us, uint64_t, kUint, kMax, "us", "Longest handshake seen by the client.")                           \
  X(client_rtt_count, uint64_t, kUint, kSum, "samples", "Fresh smoothed-RTT samples taken at the client.")          \
  X(client_rtt_sum_us, uint64_t, kUint, kSum, "us", "Sum of smoothed-RTT samples taken at the client.")             \
  X(client_rtt_min_us, uint64_t, kUint, kMin, "us", "Smallest RTT the client's kernel measured.")                   \
  X(client_rtt_max_us, uint64_t, kUint, kMax, "us", "Largest smoothed-RTT sample taken at the client.")             \
  X(client_rtt_histogram, Histogram, kHistogram, kHistogram, "us", "Distribution of the client's samples.")         \
  X(server_rtt_count, uint64_t, kUint, kSum, "samples", "Fresh smoothed-RTT samples taken at the server.")          \
  X(server_rtt_sum_us, uint64_t, kUint, kSum, "us", "Sum of smoothed-RTT samples taken at the server.")             \
  X(server_rtt_min_us, uint64_t, kUint, kMin, "us", "Smallest RTT the server's kernel measured.")                   \
  X(server_rtt_max_us, uint64_t, kUint, kMax, "us", "Largest smoothed-RTT sample taken at the server.")             \
  X(server_rtt_histogram, Histogram, kHistogram, kHistogram, "us", "Distribution of the server's samples.")

// Derived columns: X(name, ColumnType, unit, help). How each is computed stands once in store/derived.cc (SQL)
// and once in model/flow_row.cc (rows in memory); a test holds the two against each other.
#define WEIR_DERIVED_COLUMNS(X)                                                                              \
  X(reported_by, kString, "", "Which end's agent reported the flow: client, server or both.")                \
  X(bytes, kUint, "bytes", "Payload in both directions.")                                                    \
  X(retransmits, kUint, "segments", "All segments sent again, both directions and SYN, as far as observed.") \
  X(retransmit_percent, kFloat, "%", "Retransmits per hundred segments, both directions.")                   \
  X(timeouts, kUint, "events", "Retransmission timeouts, both directions.")                                  \
  X(connect_avg_us, kFloat, "us", "Mean handshake duration seen by the client.")                             \
  X(rtt_avg_us, kFloat, "us", "Mean smoothed RTT: the client's samples, or the server's where it has none.") \
  X(rtt_min_us, kUint, "us", "Smallest RTT either kernel measured.")                                         \
  X(rtt_max_us, kUint, "us", "Largest smoothed-RTT sample of the side rtt_avg_us is taken from.")            \
  X(rtt_p50_us, kFloat, "us", "Median of the smoothed-RTT samples, by histogram (±19 %).")                   \
  X(rtt_p90_us, kFloat, "us", "90th percentile of the smoothed-RTT samples, by histogram (±19 %).")          \
  X(rtt_p99_us, kFloat, "us", "99th percentile of the smoothed-RTT samples, by histogram (±19 %).")

struct Column {
  std::string_view name;
  ColumnType type;
  ColumnKind kind;
  std::string_view unit;  // "" = none
  std::string_view help;

  bool stored() const { return kind != ColumnKind::kDerived; }
  bool groupable() const { return kind == ColumnKind::kDimension; }
};

inline constexpr auto kColumns = std::to_array<Column>({
#define WEIR_COLUMN(name, cpp, type, kind, unit, help) {#name, ColumnType::type, ColumnKind::kind, unit, help},
    WEIR_STORED_COLUMNS(WEIR_COLUMN)
#undef WEIR_COLUMN
#define WEIR_COLUMN(name, type, unit, help) {#name, ColumnType::type, ColumnKind::kDerived, unit, help},
        WEIR_DERIVED_COLUMNS(WEIR_COLUMN)
#undef WEIR_COLUMN
});

// nullptr when there is no such column.
constexpr const Column* FindColumn(std::string_view name) {
  for (const Column& column : kColumns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

// "time", "address", "string", "uint", "float", "histogram".
std::string_view TypeName(ColumnType type);
// "time", "dimension", "sum", "min", "max", "histogram", "derived".
std::string_view KindName(ColumnKind kind);

}  // namespace weir::model
