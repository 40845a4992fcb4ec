// THE table of thresholds: every number by which detectors and the map judge, with its unit and meaning. The struct,
// the configuration, docs/detectors/thresholds.md and the answer of the API are made from it.
//
// X(name, default, unit, group, help). A group is "common", "edge", "agent" or the name of a detector in finding.h.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "base/status.h"

namespace weir::diagnose {

// clang-format off
#define WEIR_THRESHOLDS(X)                                                                                              \
  /* Common */                                                                                                          \
  X(confidence_high, 80, "points", "common", "From here on a finding's confidence is High.")                            \
  X(confidence_medium, 50, "points", "common", "From here on a finding's confidence is Medium.")                        \
  X(confidence_low, 30, "points", "common", "From here on a finding's confidence is Low; below, nothing is said.")      \
  X(clear_after_s, 10, "s", "common", "A finding ends when its condition has not held for this long.")                  \
  X(merge_gap_s, 30, "s", "common", "The same trouble again within this time is the same finding, opened again.")       \
  X(update_every_s, 10, "s", "common", "An open finding whose numbers change is stored again at most this often.")      \
  X(blind_after_s, 5, "s", "common", "Without a reading for this long a node is blind, and what concerns it stands still.") \
  X(blind_close_s, 60, "s", "common", "A finding about a blind node ends, as unknown, after this time.")                \
  X(late_after_s, 15, "s", "common", "Samples older than this are history: they add to totals and are judged no more.") \
  X(cross_node_slack_s, 5, "s", "common", "Clocks of two nodes may differ by this much when their events are compared.") \
  /* B1 */                                                                                                              \
  X(load_start_bytes, 67108864, "bytes", "model_load", "A load begins when this much came from storage within ten seconds.") \
  X(load_least_bytes, 268435456, "bytes", "model_load", "Smaller transfers are no model loads.")                        \
  X(load_large_bytes, 1073741824, "bytes", "model_load", "From here on the size itself speaks for a model.")            \
  X(load_rx_over_tx, 20, "", "model_load", "Bytes received for each byte sent, at least.")                              \
  X(load_sustain_rate, 1048576, "bytes/s", "model_load", "Slower seconds do not keep a load going.")                    \
  X(load_quiet_s, 10, "s", "model_load", "A load ends after this long without data.")                                   \
  X(load_age_s, 1800, "s", "model_load", "A container younger than this counts as starting.")                           \
  X(load_late_share, 0.01, "", "model_load", "Late bytes per byte of a second, from which it counts as loss recovery.") \
  X(load_few_connections, 4, "connections", "model_load", "At most so many may be limited by what one connection carries.") \
  X(load_connection_bits, 7e8, "bit/s", "model_load", "What one connection to an object store carries.")                \
  X(load_flow_bits, 5e9, "bit/s", "model_load", "What one connection between instances carries outside a placement group.") \
  /* B2 */                                                                                                              \
  X(breach_major_ratio, 0.001, "", "bandwidth_breach", "Exceeding packets per packet, from which a second is major.")   \
  X(breach_critical_ratio, 0.01, "", "bandwidth_breach", "Exceeding packets per packet, from which a second is critical.") \
  X(breach_major_seconds, 2, "s", "bandwidth_breach", "Major seconds of the last five that make a breach.")             \
  X(breach_minor_seconds, 3, "s", "bandwidth_breach", "Seconds of the last ten with any exceeding packet that make a breach.") \
  X(breach_near_share, 0.8, "", "bandwidth_breach", "Share of baseline or peak from which a second is near the limit.") \
  X(breach_flows, 3, "flows", "bandwidth_breach", "Flows with late segments or longer round trips that confirm a breach.") \
  X(breach_burst_mean, 0.5, "", "bandwidth_breach", "Below this share of the limit, a second that exceeds it holds a micro-burst.") \
  X(breach_burst_peak, 0.9, "", "bandwidth_breach", "Share of the peak that a step of 10 ms must reach to show a micro-burst.") \
  X(breach_step_down, 0.3, "", "bandwidth_breach", "Fall of the rate that shows that credits are used up.")             \
  X(breach_match, 0.07, "", "bandwidth_breach", "Rates this close to a known limit match it.")                          \
  X(breach_flat_s, 3, "s", "bandwidth_breach", "A plateau lasts at least this long.")                                   \
  X(breach_flat_cv, 0.03, "", "bandwidth_breach", "Coefficient of variation of the rate on a plateau, at most.")        \
  X(breach_top_share, 0.9, "", "bandwidth_breach", "Share of the node's own highest rate of a minute on a plateau.")    \
  X(breach_rtt_factor, 5, "", "bandwidth_breach", "Round trips this many times their shortest show a standing queue.")  \
  X(breach_connections_left, 0.05, "", "bandwidth_breach", "Share of the most connections ever left below which to warn.") \
  X(culprit_share, 0.5, "", "bandwidth_breach", "Share of the bytes from which one pod is named as the cause.")         \
  X(culprit_list_share, 0.8, "", "bandwidth_breach", "Otherwise pods are listed until they hold this share.")           \
  X(victim_factor, 2, "", "bandwidth_breach", "A victim's times are this many times their median from before.")         \
  X(victim_least_us, 1000, "us", "bandwidth_breach", "And longer by at least this.")                                    \
  X(victim_samples, 20, "samples", "bandwidth_breach", "Fewer samples make no victim.")                                 \
  /* B3 */                                                                                                              \
  X(loss_least_segments, 200, "segments", "loss", "Fewer segments in ten seconds say nothing about loss.")              \
  X(loss_warn_ratio, 0.001, "", "loss", "Lost share of segments above which loss is said, by its lower bound.")         \
  X(loss_over_baseline, 5, "", "loss", "And this many times the path's own loss.")                                      \
  X(loss_major_ratio, 0.01, "", "loss", "From here on loss is major.")                                                  \
  X(loss_critical_ratio, 0.05, "", "loss", "From here on loss is critical.")                                            \
  X(loss_critical_timeouts, 2, "1/s", "loss", "Retransmission timeouts a second from which loss is critical.")          \
  X(loss_spurious_share, 0.5, "", "loss", "Share of needless retransmissions from which it is delay or reordering.")    \
  X(loss_least_lost, 5, "segments", "loss", "Fewer lost segments in ten seconds are bad luck.")                         \
  X(loss_seconds, 3, "s", "loss", "Seconds of the last ten in which something was lost, at least.")                      \
  X(loss_drops_share, 0.3, "", "loss", "Drops seen on a node per lost segment that say where segments are lost.")       \
  X(loss_node_pairs, 3, "pairs", "loss", "Losing pairs of one node that become one finding about the node.")            \
  /* B4 */                                                                                                              \
  X(receiver_busy_share, 0.8, "", "receiver_limited", "Share of the time in which the sender had data to send.")        \
  X(receiver_window_share, 0.5, "", "receiver_limited", "Share of that time spent waiting for room at the receiver.")   \
  X(receiver_seconds, 3, "s", "receiver_limited", "Such seconds of the last five that make a finding.")                 \
  X(receiver_fast_bits, 1e9, "bit/s", "receiver_limited", "A receiver that takes this much is not called slow.")        \
  X(receiver_unread_share, 0.25, "", "receiver_limited", "Share of the receive buffer that waits unread.")              \
  X(throttled_share, 0.1, "", "receiver_limited", "Share of the time a CPU quota held a pod back that explains it.")    \
  /* B5 */                                                                                                              \
  X(sender_idle_share, 0.2, "", "sender_limited", "Below this busy share the application has nothing to send.")         \
  X(sender_buffer_share, 0.5, "", "sender_limited", "Share of busy time spent waiting for room in the send buffer.")    \
  X(sender_flight_share, 0.5, "", "sender_limited", "Data in flight per congestion window below which writes are too small.") \
  X(sender_seconds, 3, "s", "sender_limited", "Such seconds of the last five that make a finding.")                     \
  X(nagle_low_us, 35000, "us", "sender_limited", "A write that waits at least this long for its segment ...")           \
  X(nagle_high_us, 60000, "us", "sender_limited", "... and at most this long met Nagle's algorithm and a delayed ACK.") \
  X(nagle_least, 3, "stalls", "sender_limited", "Such stalls in ten seconds that make a finding.")                      \
  X(remote_wait_us, 1000000, "us", "sender_limited", "Answers of an outside service later than this are waited for ...") \
  X(remote_wait_factor, 3, "", "sender_limited", "... when they take this many times their own median.")                \
  /* B6 */                                                                                                              \
  X(failure_window_s, 60, "s", "connection_failure", "Attempts are counted over this time.")                            \
  X(failure_least, 3, "attempts", "connection_failure", "Failed attempts that make a finding.")                         \
  X(failure_share, 0.05, "", "connection_failure", "And the share of all attempts that must have failed.")               \
  X(failure_resets, 5, "connections", "connection_failure", "Resets of open connections that make a finding ...")         \
  X(failure_reset_share, 0.2, "", "connection_failure", "... when they are this share of those that ended.")            \
  X(failure_slow_us, 900000, "us", "connection_failure", "A handshake this long lost a SYN.")                           \
  X(failure_patient_us, 900000, "us", "connection_failure", "An attempt given up earlier says nothing about the path.") \
  X(failure_rollout_s, 30, "s", "connection_failure", "Resets this close to the end of the peer's pod belong to a rollout.") \
  /* B7 */                                                                                                              \
  X(stall_wait_us, 50000, "us", "serving_stall", "95th percentile of receive or accept wait that makes a stall.")       \
  X(stall_wait_share, 0.2, "", "serving_stall", "Or this share of the time to the first chunk, of 10 ms or more.")      \
  X(stall_samples, 20, "samples", "serving_stall", "Fewer samples in thirty seconds say nothing.")                      \
  X(stall_factor, 3, "", "serving_stall", "Time to first chunk or chunk gap over its own median that is a rise.")       \
  X(stall_rise_us, 50000, "us", "serving_stall", "And by at least this.")                                               \
  /* B8 */                                                                                                              \
  X(dns_least_queries, 10, "queries", "dns", "Fewer queries in a minute say nothing.")                                  \
  X(dns_timeout_share, 0.005, "", "dns", "Share of queries without an answer, or sent again, by its lower bound.")       \
  X(dns_failure_share, 0.005, "", "dns", "Share of queries answered by SERVFAIL or REFUSED, by its lower bound.")        \
  X(dns_slow_us, 100000, "us", "dns", "95th percentile of the time to an answer that is slow.")                         \
  X(dns_waste_share, 0.6, "", "dns", "Share of NXDOMAIN answers from which the search list wastes queries.")            \
  X(dns_events, 3, "queries", "dns", "Queries in trouble, at least.")                                                   \
  /* B9 */                                                                                                              \
  X(zone_window_s, 600, "s", "cross_zone", "Requests are counted over this time.")                                      \
  X(zone_share, 0.2, "", "cross_zone", "Share of a service's requests that leave their zone.")                          \
  X(zone_least_requests, 100, "requests", "cross_zone", "Fewer requests say nothing.")                                  \
  X(zone_usd_per_gb, 0.02, "USD/GB", "cross_zone", "Price of a gigabyte between zones, both directions' ends added up.") \
  /* B10 */                                                                                                             \
  X(health_epoch_s, 30, "s", "network_health", "Flows are judged over this time.")                                      \
  X(health_least_flows, 50, "flows", "network_health", "Fewer judged flows leave the indicator unknown.")               \
  X(health_segments, 20, "segments", "network_health", "A flow with fewer segments in an epoch is not judged.")         \
  X(health_sick_share, 0.3, "", "network_health", "Share of sick flows, by its lower bound, from which a part is degraded.") \
  X(health_owners, 3, "workloads", "network_health", "Workloads that must be sick.")                                    \
  X(health_nodes, 2, "nodes", "network_health", "Nodes that must be on the sick side; peers where the part is a node.") \
  X(health_vote_lead, 2, "", "network_health", "The part's votes over the next one's.")                                 \
  X(health_control_share, 0.05, "", "network_health", "Sick share of the control group, at most.")                      \
  X(health_control_flows, 10, "flows", "network_health", "Flows of the control group, at least.")                       \
  X(health_rtt_factor, 3, "", "network_health", "Round trips over their own usual that make a flow sick ...")           \
  X(health_rtt_least_us, 2000, "us", "network_health", "... when longer by at least this.")                             \
  X(health_workload_share, 0.7, "", "network_health", "Share of sick flows that workloads explain, from which it is theirs.") \
  X(health_persist, 3, "epochs", "network_health", "Epochs in a row that add to the confidence.")                       \
  /* B11 */                                                                                                             \
  X(herd_loads, 3, "loads", "startup", "Loads of one class that make a herd ...")                                       \
  X(herd_window_s, 60, "s", "startup", "... when they begin within this time ...")                                      \
  X(herd_demand_share, 0.8, "", "startup", "... and ask for this share of a shared limit ...")                          \
  X(herd_slower, 2, "", "startup", "... or each takes this many times what its owner's load takes alone.")              \
  X(startup_long_s, 60, "s", "startup", "A pod that takes longer than this to become ready gets a time line.")          \
  /* Edges of the map, rows of tables */                                                                                \
  X(edge_retransmit_warn_percent, 1, "%", "edge", "Segments sent again from which an edge warns ...")                   \
  X(edge_retransmit_bad_percent, 5, "%", "edge", "... and is bad ...")                                                  \
  X(edge_retransmit_least_segments, 100, "segments", "edge", "... when it had at least so many segments ...")           \
  X(edge_retransmit_least, 3, "segments", "edge", "... and so many were sent again.")                                   \
  X(edge_failed_bad_share, 0.1, "", "edge", "Failed share of attempts from which an edge is bad; any failure warns.")   \
  X(edge_rtt_over_min, 10, "", "edge", "99th percentile of round trips over the shortest that warns ...")               \
  X(edge_rtt_least_us, 50000, "us", "edge", "... when it is longer than this.")                                         \
  /* Agents, on the status page */                                                                                      \
  X(agent_silent_s, 10, "s", "agent", "An agent without a batch for longer than this is stale.")                        \
  X(agent_clock_ms, 2000, "ms", "agent", "A clock further off than this is told; the way of a batch explains less.")
// clang-format on

struct Thresholds {
#define WEIR_THRESHOLD(name, value, unit, group, help) double name = value;
  WEIR_THRESHOLDS(WEIR_THRESHOLD)
#undef WEIR_THRESHOLD
};

struct ThresholdDescription {
  std::string_view name;
  double fallback;
  std::string_view unit;
  std::string_view group;
  std::string_view help;
  double Thresholds::*member;
};

inline constexpr auto kThresholds = std::to_array<ThresholdDescription>({
#define WEIR_THRESHOLD(name, value, unit, group, help) {#name, value, unit, group, help, &Thresholds::name},
    WEIR_THRESHOLDS(WEIR_THRESHOLD)
#undef WEIR_THRESHOLD
});

// "loss_warn_ratio=0.002". kInvalid when there is no such threshold, or the value is no number of 0 or more.
Status SetThreshold(Thresholds& thresholds, std::string_view assignment);

}  // namespace weir::diagnose
