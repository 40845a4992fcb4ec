// B1: model loads with their phases, kinds and what they were held back by. See docs/detectors/model_load.md.
#pragma once

#include <array>
#include <deque>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "diagnose/context.h"
#include "diagnose/serving.h"

namespace weir::diagnose {

// A load that is over, for what comes after it: start-up time lines, herds, later loads of the same owner.
struct PastLoad {
  Finding finding;
  PartyNumber party = kNobody;
  NameNumber workload = 0;
  bool solo = true;  // no other of its class at the same time
};

class LoadDetector {
 public:
  // `serving` outlives this.
  explicit LoadDetector(const Serving& serving) : serving_(serving) {}

  // The class of what a flow's server is, by name or by port; kNone: no data is loaded from it.
  static RemoteClass ClassOf(const PartyBrief& server, uint16_t port);

  void Observe(const Context& context, const FlowSample& sample, const FlowEnds& ends, RemoteClass remote_class);
  // History that came late still belongs to the load's bytes.
  void ObserveLate(const FlowSample& sample, const FlowEnds& ends, RemoteClass remote_class);
  void Observe(const RequestSample& sample, const FlowEnds& ends, RemoteClass remote_class);
  void Tick(const Context& context);

  // A load under way.
  struct Running {
    PartyNumber party = kNobody;
    RemoteClass remote_class = RemoteClass::kNone;
    PartyNumber source = kNobody;
    int64_t start_s = 0;
    double mean_bits = 0;
    double usual_bits = 0;  // median of the owner's solo loads; 0 = unknown
  };
  // Whether a load for this pod that began before then is not known to be over.
  bool LoadsFor(const Context& context, const model::Pod& pod, UnixMillis before) const;
  std::vector<Running> RunningLoads(const Context& context) const;
  const std::deque<PastLoad>& past() const { return past_; }

 private:
  static constexpr size_t kRing = 32;
  struct Second {
    int64_t second = -1;
    uint64_t rx = 0, tx = 0, late_bytes = 0, wait_us = 0, idle_us = 0;
    uint32_t connections = 0, late_segments = 0;
    bool reader_full = false;
  };
  struct Key {
    PartyNumber party = kNobody;
    RemoteClass remote_class = RemoteClass::kNone;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const { return HashPair(key.party, static_cast<uint64_t>(key.remote_class)); }
  };
  struct Watch {
    std::array<Second, kRing> ring;
    int64_t latest_s = -1;
    int64_t judged_s = -1;
    PartyNumber source = kNobody;
    bool by_port = false;  // the class is known by its port only
    bool loading = false;
    // Of the load.
    int64_t start_s = 0, last_s = 0;  // first and last second with data
    uint64_t bytes = 0, late_bytes_total = 0, others = 0, late_segments = 0;
    uint64_t connections = 0;
    std::array<double, kLoadPhases> phase_s{};
    std::vector<float> rates;  // bytes of each second, at most two hours
    double peak_10ms = 0;
    std::set<std::string> wanting;  // uids of pods it is for, when others carry it
    bool serving = false, solo = true, missing = false;
  };

  static Second& At(Watch& watch, int64_t second);
  void Rekey(const Context& context);
  void JudgeSecond(const Context& context, const Key& key, Watch& watch, int64_t second);
  static bool Begins(const Context& context, const Watch& watch, int64_t second);
  void Start(const Context& context, const Key& key, Watch& watch, int64_t second);
  static LoadPhase PhaseOf(const Context& context, const Key& key, const Second& second);
  void Count(const Context& context, const Key& key, Watch& watch, const Second& second);
  std::vector<const model::Pod*> Wanting(const Context& context, const Key& key) const;
  Finding Describe(const Context& context, const Key& key, const Watch& watch) const;
  void AddPoints(const Context& context, const Key& key, const Watch& watch, const model::Pod* pod,
                 Finding& finding) const;
  static void AddPod(const Context& context, const Watch& watch, const model::Pod& pod, Finding& finding);
  void FillFacts(const Context& context, const Key& key, const Watch& watch, LoadFacts& load) const;
  static double WallSeconds(const Watch& watch);
  static void AddWords(const Watch& watch, Finding& finding);
  void Emit(const Context& context, const Key& key, Watch& watch, bool over);

  const Serving& serving_;
  std::unordered_map<Key, Watch, KeyHash> watches_;
  std::deque<PastLoad> past_;
};

}  // namespace weir::diagnose
