// Diagnosis: what the server stores, judged as it comes: rows and readings in, findings and health indicators into the
// store, and the present state for whoever asks.
//
// Thread `weir-diagnose` owns the judge. Everything it is told waits in a bounded queue; what does not fit is counted
// (server_diagnose_dropped) and never holds up who tells. Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "diagnose/judge.h"
#include "model/cluster.h"
#include "server/diagnose_samples.h"
#include "server/diagnosis_view.h"
#include "server/live_hub.h"
#include "store/finding_store.h"
#include "store/node_store.h"

namespace weir::server {

struct DiagnosisOptions {
  diagnose::Thresholds thresholds;
  diagnose::Capacities capacities{diagnose::InstanceTable::Shipped()};
  size_t max_queued = 400'000;  // samples and readings; some 150 MB
};

class Diagnosis final : public model::ClusterListener, public LiveSink {
 public:
  // `store` and `clock` outlive it.
  Diagnosis(DiagnosisOptions options, store::FindingStore& store, const Clock& clock);
  ~Diagnosis() override { Stop(); }
  Diagnosis(const Diagnosis&) = delete;
  Diagnosis& operator=(const Diagnosis&) = delete;

  // Takes over findings that were open when an earlier process ended.
  Status Start();
  // Judges and stores what was told. Idempotent.
  void Stop();

  void Take(const LiveBlockRef& block) override;
  void Lost(size_t items) override;
  std::shared_ptr<const DiagnosisView> view() const;

  void Changed(const model::Pod& pod) override;
  void Changed(const model::Service&) override {}
  void Changed(const model::Endpoints& endpoints) override;
  void Changed(const model::Node& node) override;
  void Changed(const model::Namespace&) override {}
  void Changed(const model::VolumeAttachment& attachment) override;
  void Gone(Kind kind, const std::string& uid, UnixMillis at) override;
  void Synced(Kind) override {}

  // One round: what waits, then the tick. Tests call it themselves instead of Start().
  void Step();

 private:
  using Work = std::function<void(diagnose::Judge&, UnixMillis now)>;
  // An indicator's value since it changed.
  struct Stretch {
    diagnose::HealthIndicator indicator;
    UnixMillis stored_end = 0;
  };

  void Tell(const std::vector<model::FlowRow>& rows);
  void Tell(const LiveBlockRef& block, const store::NodeBatch& batch);
  void Run();
  // False: it does not fit, and is counted. Objects of the cluster, which are told once, have twice the room.
  bool Enqueue(size_t cost, Work work, size_t room_factor = 1);
  void EnqueueObject(Work work);
  void Keep(std::vector<diagnose::Finding> changes);
  void Keep(const std::vector<diagnose::HealthIndicator>& epochs);
  void KeepStretch(const Stretch& stretch);
  void StoreWhatWaits();
  void Publish(UnixMillis now);
  void CountLosses();

  const DiagnosisOptions options_;
  store::FindingStore& store_;
  const Clock& clock_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Work> queue_;
  size_t queued_ = 0;
  bool stopping_ = false;
  bool stopped_ = false;
  std::shared_ptr<const DiagnosisView> view_;

  SampleMaker maker_;  // the hub's thread's

  // The thread's.
  diagnose::Judge judge_;
  diagnose::JudgeCounters counted_;
  std::map<uint64_t, store::StoredFinding> unstored_;  // the latest of each, until it is stored
  std::vector<store::StoredIndicator> unstored_indicators_;
  std::map<uint64_t, Stretch> stretches_;  // by scope
  Nanos retry_at_ = 0;                     // monotonic
  RateLimit failure_log_{std::chrono::minutes(1)};
  std::thread thread_;
};

}  // namespace weir::server
