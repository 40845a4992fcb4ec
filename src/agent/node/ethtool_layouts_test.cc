// Layouts of `ethtool -S` of drivers this machine lacks, as their sources name the statistics, mapped to signals.
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>

#include "agent/node/source_catalogue.h"

namespace weir::agent::node {
namespace {

using model::NodeSignal;

// "name value" lines -> the sums by signal, as EthtoolReader computes them.
std::map<NodeSignal, uint64_t> Map(std::string_view driver, const std::string& text) {
  std::vector<std::string> names;
  std::vector<uint64_t> values;
  std::istringstream lines(text);
  std::string name;
  for (uint64_t value = 0; lines >> name >> value;) {
    names.push_back(name);
    values.push_back(value);
  }
  std::map<NodeSignal, uint64_t> sums;
  for (const ResolvedSignal& signal : Resolve(driver, names)) {
    for (const size_t place : signal.places) sums[signal.signal] += values[place];
  }
  return sums;
}

using Signals = std::map<NodeSignal, uint64_t>;

TEST(EthtoolLayouts, Ena) {
  EXPECT_EQ(Map("ena", R"(
      total_resets 1
      reset_fail 0
      tx_timeout 2
      suspend 0
      resume 0
      wd_expired 0
      interface_up 1
      interface_down 0
      admin_q_pause 0
      bw_in_allowance_exceeded 101
      bw_out_allowance_exceeded 102
      pps_allowance_exceeded 103
      conntrack_allowance_exceeded 104
      linklocal_allowance_exceeded 105
      conntrack_allowance_available 136812
      ena_srd_mode 3
      ena_srd_tx_pkts 11
      ena_srd_eligible_tx_pkts 12
      ena_srd_rx_pkts 13
      ena_srd_resource_utilization 14
      queue_0_tx_cnt 900
      queue_0_tx_queue_stop 5
      queue_0_rx_skb_alloc_fail 1
      queue_12_tx_queue_stop 7
      queue_12_rx_skb_alloc_fail 2
      ena_admin_q_aborted_cmd 0)"),
            (Signals{{NodeSignal::allowance_bandwidth_in, 101},
                     {NodeSignal::allowance_bandwidth_out, 102},
                     {NodeSignal::allowance_packets, 103},
                     {NodeSignal::allowance_connections, 104},
                     {NodeSignal::allowance_link_local, 105},
                     {NodeSignal::allowance_connections_left, 136812},
                     {NodeSignal::srd_mode, 3},
                     {NodeSignal::srd_tx_packets, 11},
                     {NodeSignal::srd_tx_eligible, 12},
                     {NodeSignal::srd_rx_packets, 13},
                     {NodeSignal::srd_utilization, 14},
                     {NodeSignal::device_rx_alloc_failed, 3},
                     {NodeSignal::device_tx_stopped, 12},
                     {NodeSignal::device_tx_timeouts, 2},
                     {NodeSignal::device_resets, 1}}));
}

TEST(EthtoolLayouts, OldEnaHasNoConnectionsLeft) {
  const Signals signals = Map("ena", "tx_timeout 0\nbw_in_allowance_exceeded 4\n");
  EXPECT_EQ(signals, (Signals{{NodeSignal::allowance_bandwidth_in, 4}, {NodeSignal::device_tx_timeouts, 0}}));
}

TEST(EthtoolLayouts, Gve) {
  EXPECT_EQ(Map("gve", R"(
      rx_packets 9
      rx_dropped 1
      tx_dropped 0
      tx_timeouts 3
      rx_skb_alloc_fail 4
      rx_buf_alloc_fail 40
      reset_cnt 2
      rx_posted_desc[0] 1937
      rx_dropped_pkt[0] 0
      rx_queue_drop_cnt[0] 5
      rx_no_buffers_posted[0] 6
      rx_drops_packet_over_mru[0] 7
      rx_queue_drop_cnt[1] 50
      rx_no_buffers_posted[1] 60
      rx_drops_packet_over_mru[1] 70
      tx_stop[0] 8
      tx_stop[1] 80)"),
            (Signals{{NodeSignal::device_rx_no_buffer, 66},
                     {NodeSignal::device_rx_dropped, 55},
                     {NodeSignal::device_rx_too_long, 77},
                     {NodeSignal::device_rx_alloc_failed, 4},
                     {NodeSignal::device_tx_stopped, 88},
                     {NodeSignal::device_tx_timeouts, 3},
                     {NodeSignal::device_resets, 2}}));
}

TEST(EthtoolLayouts, Mana) {
  EXPECT_EQ(Map("mana", R"(
      stop_queue 1
      wake_queue 1
      hc_rx_discards_no_wqe 2
      hc_rx_err_vport_disabled 3
      hc_rx_bytes 4
      hc_rx_pkt_drop_phy 5
      hc_tx_pkt_drop_phy 6
      rx_0_packets 7)"),
            (Signals{{NodeSignal::device_rx_no_buffer, 2},
                     {NodeSignal::device_rx_dropped, 5},
                     {NodeSignal::device_rx_disabled, 3},
                     {NodeSignal::device_tx_dropped, 6},
                     {NodeSignal::device_tx_stopped, 1}}));
}

TEST(EthtoolLayouts, Mlx5) {
  EXPECT_EQ(Map("mlx5_core", R"(
      rx_packets 1
      rx_out_of_buffer 2
      rx_discards_phy 3
      tx_queue_dropped 4
      outbound_pci_stalled_wr 5
      rx_prio0_buf_discard 6
      rx_prio7_buf_discard 7
      rx_prio0_discards 60
      rx_prio7_discards 70)"),
            (Signals{{NodeSignal::device_rx_no_buffer, 2},
                     {NodeSignal::device_rx_dropped, 3},
                     {NodeSignal::device_tx_dropped, 4},
                     {NodeSignal::device_pci_stalled, 5},
                     {NodeSignal::device_rx_discarded_by_priority, 13}}))
      << "one of two names for the same thing, not both";
}

TEST(EthtoolLayouts, VirtioTotalsWinOverQueues) {
  EXPECT_EQ(Map("virtio_net", R"(
      rx_packets 1
      rx_hw_drops 9
      rx_hw_drop_overruns 8
      rx_hw_ratelimit_packets 7
      rx_hw_ratelimit_bytes 700
      tx_hw_ratelimit_packets 6
      rx0_hw_drops 4
      rx1_hw_drops 5
      rx0_hw_ratelimit_packets 7)"),
            (Signals{{NodeSignal::allowance_bandwidth_in, 7},
                     {NodeSignal::allowance_bandwidth_out, 6},
                     {NodeSignal::device_rx_no_buffer, 8},
                     {NodeSignal::device_rx_dropped, 9}}));
}

TEST(EthtoolLayouts, VirtioBeforeDeviceStatistics) {
  EXPECT_EQ(Map("virtio_net", "rx_queue_0_packets 5\nrx_queue_0_drops 1\nrx_queue_1_drops 2\ntx_queue_0_packets 4\n"),
            (Signals{{NodeSignal::device_rx_dropped, 3}}));
}

TEST(EthtoolLayouts, EfaPort) {
  EXPECT_EQ(Map("rdma", R"(
      rx_bytes 1
      tx_bytes 2
      rx_drops 3
      rdma_read_bytes 4
      rdma_read_wr_err 5
      rdma_write_bytes 6
      retrans_bytes 7
      retrans_pkts 8
      retrans_timeout_events 9
      unresponsive_remote_events 10
      impaired_remote_conn_events 11
      lifespan 12)"),
            (Signals{{NodeSignal::rdma_rx_bytes, 1},
                     {NodeSignal::rdma_tx_bytes, 2},
                     {NodeSignal::rdma_rx_drops, 3},
                     {NodeSignal::rdma_read_bytes, 4},
                     {NodeSignal::rdma_read_errors, 5},
                     {NodeSignal::rdma_write_bytes, 6},
                     {NodeSignal::rdma_retransmit_bytes, 7},
                     {NodeSignal::rdma_retransmits, 8},
                     {NodeSignal::rdma_timeouts, 9},
                     {NodeSignal::rdma_unresponsive, 10},
                     {NodeSignal::rdma_impaired, 11}}));
}

TEST(EthtoolLayouts, OneDriversNamesMeanNothingToAnother) {
  EXPECT_TRUE(Map("e1000e", "bw_in_allowance_exceeded 4\nrx_out_of_buffer 1\n").empty());
  EXPECT_TRUE(Map("gve", "bw_in_allowance_exceeded 4\n").empty());
  EXPECT_TRUE(Map("", "rx_drops 4\n").empty());
}

TEST(SourceCatalogue, AStarIsTheDigitsOfAQueue) {
  EXPECT_TRUE(MatchesPattern("rx*_drops", "rx12_drops"));
  EXPECT_FALSE(MatchesPattern("rx*_drops", "rx_drops"));
  EXPECT_FALSE(MatchesPattern("rx*_drops", "rx1a_drops"));
  EXPECT_FALSE(MatchesPattern("rx*_drops", "rx12_drop"));
  EXPECT_TRUE(MatchesPattern("a[*]", "a[0]"));
  EXPECT_FALSE(MatchesPattern("a[*]", "a[]"));
  EXPECT_FALSE(MatchesPattern("ab*b", "ab"));
}

TEST(SourceCatalogue, EverySignalHasANameOfItsOwnAndASource) {
  std::map<std::string_view, int> names;
  for (const model::NodeSignalDescription& signal : model::kNodeSignals) {
    EXPECT_EQ(++names[signal.name], 1) << signal.name;
    EXPECT_NE(signal.sources.find(':'), std::string_view::npos) << signal.name;
    EXPECT_TRUE(signal.help.ends_with('.')) << signal.name;
    EXPECT_TRUE(signal.limit.empty() || signal.kind == model::SignalKind::kCounter) << signal.name;
  }
}

}  // namespace
}  // namespace weir::agent::node
