// What one end of a flow counts in an interval: THE list of an agent's measures. The struct, the wire, the plausibility
// check and the server's row builder come from these lists; what a measure means stands in columns.h under the same
// name, there once per direction or end.
#pragma once

#include <cstdint>

#include "model/histogram.h"

namespace weir::model {

// Seen by both ends: of two reports exactly one is stored. All but `open` are deltas of the interval.
// clang-format off
#define WEIR_SHARED_COUNTERS(X) \
  X(bytes_sent) X(bytes_received) X(segments_sent) X(segments_received) \
  X(opened) X(closed) X(failed_refused) X(failed_timed_out) X(failed_unreachable) X(failed_abandoned) \
  X(failed_no_port) X(failed_other) X(closed_reset_by_client) X(closed_reset_by_server) X(closed_timed_out)

// Known to the sending end only. Column: NAME_to_server where the client sends.
#define WEIR_SENDER_COUNTERS(X) \
  X(retransmits) X(retransmits_rto) X(retransmits_probe) X(timeouts) X(spurious_retransmits) X(ecn_marks) \
  X(busy_us) X(window_limited_us) X(buffer_limited_us) X(retransmitted_bytes)
#define WEIR_SENDER_MAXIMA(X) X(delivery_rate)

// Known to the receiving end only. Column: NAME_to_server where the server receives.
#define WEIR_RECEIVER_COUNTERS(X) \
  X(out_of_order) X(late_segments) X(late_bytes) X(gaps) X(reordered) X(zero_windows)
#define WEIR_RECEIVER_MAXIMA(X) X(unread_max)

// RTT of the reporting end. Column: client_NAME or server_NAME.
#define WEIR_RTT_COUNTERS(X) X(rtt_count) X(rtt_sum_us) X(rtt_min_us) X(rtt_max_us)

// Columns of the same name; each is measured at one end only.
#define WEIR_END_COUNTERS(X) \
  X(connect_count) X(connect_sum_us) X(accept_overflows) \
  X(requests) X(requests_failed) X(requests_unanswered) X(requests_repeated) X(requests_unusable) \
  X(requests_streamed) X(requests_body_bytes) \
  X(request_latency_count) X(request_latency_sum_us) X(first_chunk_count) X(first_chunk_sum_us) \
  X(chunk_gap_count) X(chunk_gap_sum_us) X(request_duration_count) X(request_duration_sum_us) \
  X(request_upload_count) X(request_upload_sum_us) X(receive_wait_count) X(receive_wait_sum_us) \
  X(accept_wait_count) X(accept_wait_sum_us) X(client_idle_count) X(client_idle_sum_us)
#define WEIR_END_MAXIMA(X) \
  X(connect_max_us) X(accept_queue_max) X(request_latency_max_us) X(first_chunk_max_us) X(chunk_gap_max_us) \
  X(request_duration_max_us) X(failed_after_max_us) X(request_upload_max_us) X(receive_wait_max_us) \
  X(accept_wait_max_us) X(client_idle_max_us)
#define WEIR_END_HISTOGRAMS(X) \
  X(request_latency_histogram) X(first_chunk_histogram) X(chunk_gap_histogram) X(request_duration_histogram) \
  X(request_upload_histogram) X(receive_wait_histogram) X(accept_wait_histogram) X(client_idle_histogram)

// Every number, and every histogram, in the order of the wire.
#define WEIR_SIDE_COUNTERS(X) \
  WEIR_SHARED_COUNTERS(X) WEIR_SENDER_COUNTERS(X) WEIR_SENDER_MAXIMA(X) WEIR_RECEIVER_COUNTERS(X) \
  WEIR_RECEIVER_MAXIMA(X) WEIR_RTT_COUNTERS(X) WEIR_END_COUNTERS(X) WEIR_END_MAXIMA(X) \
  X(retransmits_syn) X(open)
#define WEIR_SIDE_HISTOGRAMS(X) X(rtt_histogram) WEIR_END_HISTOGRAMS(X)
// clang-format on

// `open` is the level at the end of the interval. Where no sample was taken, rtt_min_us is 0.
struct SideCounters {
#define WEIR_FIELD(name) uint64_t name = 0;
  WEIR_SIDE_COUNTERS(WEIR_FIELD)
#undef WEIR_FIELD
#define WEIR_FIELD(name) Histogram name;
  WEIR_SIDE_HISTOGRAMS(WEIR_FIELD)
#undef WEIR_FIELD

  uint64_t failed() const {
    return failed_refused + failed_timed_out + failed_unreachable + failed_abandoned + failed_no_port + failed_other;
  }
};

}  // namespace weir::model
