// What detectors read: what two ends did in an interval, what requests took, what a node read of its limits. Made from
// stored rows, live blocks or text fixtures alike; measures carry the names of model/columns.h.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/entity.h"
#include "model/histogram.h"
#include "model/node_report.h"

namespace weir::diagnose {

// Measures of one direction. What the sending end knows is 0 where it is not observed; so is what the receiving end
// knows. Names of the list are column stems: NAME_to_server, NAME_to_client.
// clang-format off
#define WEIR_DIRECTION_MEASURES(X) \
  X(bytes, uint64_t) X(late_bytes, uint64_t) X(segments, uint32_t) X(retransmits, uint32_t) \
  X(spurious_retransmits, uint32_t) X(timeouts, uint32_t) X(late_segments, uint32_t) X(reordered, uint32_t) \
  X(busy_us, uint32_t) X(window_limited_us, uint32_t) X(buffer_limited_us, uint32_t) X(zero_windows, uint32_t) \
  X(unread_max, uint32_t)
// Not measured by every agent; 0 = unknown. receive_rtt_us: round trip as the receiver estimates it.
#define WEIR_OPTIONAL_MEASURES(X) \
  X(receive_rtt_us, uint32_t) X(receive_buffer, uint32_t) X(congestion_window, uint32_t) X(in_flight_max, uint32_t)
// Of the flow as a whole: columns of the same name.
#define WEIR_FLOW_MEASURES(X) \
  X(connections_opened) X(connections_closed) X(connections_open) X(failed_refused) X(failed_timed_out) \
  X(failed_unreachable) X(failed_abandoned) X(failed_no_port) X(failed_other) X(closed_reset_by_client) \
  X(closed_reset_by_server) X(closed_timed_out) X(retransmits_syn) X(accept_overflows) X(accept_queue_max) \
  X(failed_after_max_us) X(connect_max_us)
// clang-format on

struct Direction {
#define WEIR_FIELD(name, type) type name = 0;
  WEIR_DIRECTION_MEASURES(WEIR_FIELD)
  WEIR_OPTIONAL_MEASURES(WEIR_FIELD)
#undef WEIR_FIELD
};

struct Rtt {
  uint32_t count = 0;  // 0: no sample, the rest is unknown
  uint32_t min_us = 0;
  uint32_t max_us = 0;
  uint64_t sum_us = 0;
};

enum class Application : uint8_t { kUnknown, kDns, kHttp, kTls, kOther };

// Which agents reported: bits.
inline constexpr uint8_t kByClient = 1;
inline constexpr uint8_t kByServer = 2;

// One flow in one interval.
struct FlowSample {
  uint64_t flow = 0;  // what tells flows apart: all dimensions, see store/flow_hash.h
  model::EntityId client = 0;
  model::EntityId server = 0;
  UnixMillis start = 0;
  UnixMillis end = 0;
  uint16_t server_port = 0;
  uint8_t reported_by = 0;
  Application application = Application::kUnknown;
  Direction to_server;
  Direction to_client;
  Rtt client_rtt;
  Rtt server_rtt;
#define WEIR_FIELD(name) uint32_t name = 0;
  WEIR_FLOW_MEASURES(WEIR_FIELD)
#undef WEIR_FIELD

  double seconds() const { return static_cast<double>(end - start) / 1000; }
  uint32_t failed() const {
    return failed_refused + failed_timed_out + failed_unreachable + failed_abandoned + failed_no_port + failed_other;
  }
};

// A time that requests took, over an interval.
struct Times {
  uint64_t count = 0;  // 0: not measured
  uint64_t sum_us = 0;
  uint64_t max_us = 0;
  model::Histogram histogram;
};

// Times by their column stems, and send_wait: from a write until its first segment left, where agents measure it.
#define WEIR_REQUEST_SAMPLE_TIMES(X) \
  X(request_latency)                 \
  X(first_chunk)                     \
  X(chunk_gap) X(request_duration) X(request_upload) X(receive_wait) X(accept_wait) X(client_idle) X(send_wait)

// Requests of one kind between two ends in one interval.
struct RequestSample {
  uint64_t flow = 0;  // dimensions of the request too
  model::EntityId client = 0;
  model::EntityId server = 0;
  UnixMillis start = 0;
  UnixMillis end = 0;
  uint16_t server_port = 0;
  uint8_t reported_by = 0;
  Application application = Application::kUnknown;
  std::string operation;
  std::string resource;
  std::string result;
  uint64_t requests = 0;
  uint64_t requests_failed = 0;
  uint64_t requests_unanswered = 0;
  uint64_t requests_repeated = 0;
  uint64_t requests_streamed = 0;
#define WEIR_FIELD(name) Times name;
  WEIR_REQUEST_SAMPLE_TIMES(WEIR_FIELD)
#undef WEIR_FIELD
};

// What one node's agent read in one interval. The spans belong to the caller.
struct NodeReadings {
  std::string_view node;
  std::span<const model::NodeSample> samples;
  std::span<const model::RateWindow> windows;
};

}  // namespace weir::diagnose
