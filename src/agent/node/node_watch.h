// NodeWatch: reads the node's limits at the agent's interval on a thread of its own, so that a slow driver or many
// namespaces never delay the sockets, and keeps what was read until the collector takes it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "agent/node/node_reader.h"
#include "agent/node/rate_ring.h"
#include "base/clock.h"
#include "model/side_report.h"

namespace weir::agent::node {

struct NodeOptions {
  std::chrono::milliseconds interval{1'000};
  bool rate_ring = true;
  bool drops = true;
  std::string group{};  // whose network namespaces are read beside the own one, as GroupPlace::path; "" = all
};

// Threads: "weir-node" reads, "weir-rates" fills the rate ring (rate_ring.h); public calls from any one thread, Look()
// from any number of them.
class NodeWatch {
 public:
  // `clock` outlives the watch.
  NodeWatch(NodeOptions options, const Clock& clock);
  ~NodeWatch() { Stop(); }
  NodeWatch(const NodeWatch&) = delete;
  NodeWatch& operator=(const NodeWatch&) = delete;

  // The calling thread's network namespace is the node's own. `on_thread` is called first on either thread, with
  // whether it is the one that enters other namespaces, to lower privileges. Returns after the first pass, which
  // lays the base lines.
  void Start(const std::function<void(bool enters_namespaces)>& on_thread = {});
  // Reads once more. Idempotent.
  void Stop();

  // Whether there is a rate ring that could be given up.
  bool HasRates() const { return ring_ != nullptr; }
  // `why` is for the probe; "" = the rates are read again.
  void PauseRates(const std::string& why);

  // Moves what was read since the last call into the batch and adds the probes. What is not taken in time is dropped,
  // oldest first, and counted.
  void TakeInto(model::AgentBatch& batch);

  struct Looked {
    std::shared_ptr<const NodeSnapshot> snapshot;  // null when nothing can be read
    bool stale = false;  // reading anew took longer than `patience`: these are the values of the last pass
  };
  // The values as they stand: what moves fast is read anew, unless that was done a moment ago. Those who ask at the
  // same time share a reading, and however many ask, it is done so seldom that it costs a twentieth of a core at most.
  Looked Look(std::chrono::milliseconds patience);

 private:
  // A rise whose aftermath is still being recorded.
  struct PendingCut {
    Rise rise;
    Nanos noticed = 0;  // monotonic
    UnixMillis event = 0;
  };

  void Loop();
  void Pass(bool last);
  void LookNow();
  void PublishSnapshot(Nanos begin);
  std::string WhyRatesPaused();
  void NoteRises();
  void CutDue(bool all, std::vector<model::RateWindow>& windows);
  void Publish(std::vector<model::RateWindow> windows);

  const NodeOptions options_;
  const Clock& clock_;
  NodeReader reader_;
  std::unique_ptr<NetlinkSocket> rate_socket_;
  std::unique_ptr<RateRing> ring_;
  std::vector<PendingCut> pending_;
  std::unordered_map<uint32_t, Nanos> last_cut_;  // by ifindex: when its last window's event was noticed

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable looked_;
  bool stopping_ = false;  // these nine: guarded by mutex_
  bool look_wanted_ = false;
  std::shared_ptr<const NodeSnapshot> snapshot_;
  Nanos snapshot_at_ = 0;  // when its reading began
  Nanos fresh_for_ = 0;    // how long it need not be read anew
  std::vector<model::NetNamespace> namespaces_;
  std::vector<model::NodeSample> samples_;
  std::vector<model::RateWindow> windows_;
  std::vector<model::ProbeReport> probes_;
  std::string rates_paused_;  // why; guarded by mutex_ as well
  std::thread thread_;
};

}  // namespace weir::agent::node
