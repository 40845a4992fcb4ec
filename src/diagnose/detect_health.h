// B10: the open network health indicator: 0, 1 or unknown for zone pairs, nodes and services, by what many flows of
// many workloads have in common. See docs/detectors/network_health.md.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "diagnose/context.h"
#include "diagnose/flow_table.h"

namespace weir::diagnose {

// One scope in one epoch.
struct HealthIndicator {
  Subject scope;  // a zone pair, a node, a service or the cluster
  UnixMillis start = 0;
  UnixMillis end = 0;
  std::optional<int> value;  // 0 healthy, 1 degraded; nothing = unknown
  uint64_t judged = 0;       // flows
  uint64_t sick = 0;         // of them, for no reason of their own
  uint64_t explained = 0;    // in trouble for a reason of their own
  uint64_t owners = 0;       // workloads with sick flows
  double confidence = 0;     // points; where degraded
  std::string why;           // one sentence
};

class HealthDetector {
 public:
  // Every tick. At the end of an epoch all flows are judged and their sums begin anew.
  void Tick(const Context& context, FlowTable& flows);

  // Of the last whole epoch.
  const std::vector<HealthIndicator>& indicators() const { return indicators_; }
  // Epochs that ended since the last call, for storing: indicators of all their scopes.
  std::vector<HealthIndicator> TakeEpochs();

 private:
  enum class Part : uint8_t { kNode, kZonePair, kService };
  struct PartKey {
    Part part = Part::kNode;
    uint32_t a = 0, b = 0;
    bool operator==(const PartKey&) const = default;
  };
  struct PartHash {
    size_t operator()(const PartKey& key) const {
      return HashPair((uint64_t{key.a} << 32) | key.b, static_cast<uint64_t>(key.part));
    }
  };
  // A few distinct numbers; more than fit count as many.
  struct Few {
    std::array<uint32_t, 8> values{};
    uint8_t count = 0;
    void Add(uint32_t value);
  };
  struct Tally {
    uint64_t judged = 0, sick = 0, explained = 0, by_node_limit = 0;
    double votes = 0;
    Few owners, clients, servers, example_peers;
    bool to_server = false, to_client = false, connects = false;
  };
  struct Judged {
    NodeNumber client_node = 0, server_node = 0;
    NameNumber client_zone = 0, server_zone = 0, owner = 0, client_owner = 0;
    PartyNumber server = kNobody;
    bool sick = false, explained = false, node_limit = false;
    bool to_server = false, to_client = false, connects = false;
  };
  using Tallies = std::unordered_map<PartKey, Tally, PartHash>;

  static std::optional<Judged> JudgeFlow(const Context& context, FlowState& flow);
  static std::array<PartKey, 4> PartsOf(const Judged& flow, size_t& count);
  static void Count(Tallies& tallies, const Judged& flow);
  void EndEpoch(const Context& context, FlowTable& flows);
  bool Degraded(const Context& context, const PartKey& key, const Tally& tally, double next_votes) const;
  bool ControlIsHealthy(const Thresholds& thresholds, const PartKey& key, const Tally& tally) const;
  HealthIndicator IndicatorOf(const Context& context, const PartKey& key, const Tally& tally, double next_votes);
  static std::string Explain(const Context& context, const Tally& tally, const std::optional<int>& value);
  Subject ScopeOf(const Context& context, const PartKey& key, const Tally& tally) const;
  static Finding Describe(const HealthIndicator& indicator, const Tally& tally);
  HealthIndicator ClusterIndicator(const Context& context, const Tally& whole, bool any) const;

  int64_t epoch_s_ = 0;  // when the present one began
  std::vector<Judged> judged_;
  std::vector<HealthIndicator> indicators_;
  std::vector<HealthIndicator> taken_;
  std::vector<Finding> degraded_;
  std::unordered_map<PartKey, int, PartHash> persists_;  // epochs in a row
};

}  // namespace weir::diagnose
