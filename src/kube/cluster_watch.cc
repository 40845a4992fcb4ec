#include "kube/cluster_watch.h"

#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/thread.h"
#include "kube/cluster_state.h"
#include "kube/resource_watch.h"
#include "kube/stopper.h"

namespace weir::kube {
namespace {

class RunningWatch final : public ClusterWatch {
 public:
  RunningWatch(ClusterWatchOptions options, model::ClusterListener& listener, const Clock& clock)
      : options_(std::move(options)),
        state_(listener, clock),
        context_{options_.access, options_.timing, state_, clock, stopper_, [this](Resource each) { Answered(each); }} {
    for (const ResourceDescription& each : kResources)
      watches_.push_back(std::make_unique<ResourceWatch>(each.resource, context_));
    for (size_t i = 0; i < kResourceCount; ++i) threads_.emplace_back([this, i] { RunOne(i); });
  }
  ~RunningWatch() override { Stop(); }

  ClusterStatus Report() const override {
    ClusterStatus status{"", options_.cluster, options_.access.server, options_.access.source, {}};
    for (const auto& watch : watches_) status.watches.push_back(watch->Report());
    return status;
  }

  void Stop() override {
    stopper_.Stop();
    {
      const std::lock_guard lock(mutex_);
      answered_.notify_all();
    }
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

 private:
  void RunOne(size_t i) {
    NameThisThread(("weir-k-" + std::string(kResources[i].plural)).c_str());
    WakeThisThreadLoosely();
    if (kResources[i].resource == Resource::kPods) WaitForOwners();
    watches_[i]->Run();
  }

  // So that pods are told with their workloads at once, and not corrected one by one.
  void WaitForOwners() {
    std::unique_lock lock(mutex_);
    answered_.wait_for(lock, options_.timing.owners_wait, [this] {
      return stopper_.stopping() || (has_answered_[static_cast<size_t>(Resource::kReplicaSets)] &&
                                     has_answered_[static_cast<size_t>(Resource::kJobs)]);
    });
  }

  void Answered(Resource resource) {
    const std::lock_guard lock(mutex_);
    has_answered_[static_cast<size_t>(resource)] = true;
    answered_.notify_all();
  }

  const ClusterWatchOptions options_;
  ClusterState state_;
  Stopper stopper_;
  WatchContext context_;
  std::vector<std::unique_ptr<ResourceWatch>> watches_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::array<bool, kResourceCount> has_answered_{};  // guarded
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<ClusterWatch> ClusterWatch::Start(ClusterWatchOptions options, model::ClusterListener& listener,
                                                  const Clock& clock) {
  LogInfo("following the Kubernetes API at {} with {}", options.access.server, options.access.source);
  return std::make_unique<RunningWatch>(std::move(options), listener, clock);
}

}  // namespace weir::kube
