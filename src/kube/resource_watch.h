// ResourceWatch: lists one resource in pages, then watches it from there, for as long as the program runs.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>

#include "kube/backoff.h"
#include "kube/cluster_state.h"
#include "kube/cluster_watch.h"
#include "kube/decode.h"
#include "kube/stopper.h"
#include "net/http_client.h"

namespace weir::kube {

// Shared by the watches of a cluster, which it outlives.
struct WatchContext {
  const Access& access;
  const WatchTiming& timing;
  ClusterState& state;
  const Clock& clock;
  Stopper& stopper;
  // Called after the first list of a resource succeeded or failed.
  std::function<void(Resource)> on_first_answer;
};

class ResourceWatch {
 public:
  ResourceWatch(Resource resource, WatchContext& context);

  void Run();                  // returns when the context's stopper stops; on a thread of its own
  WatchStatus Report() const;  // any thread

 private:
  enum class Verdict {
    kDone,     // a list is complete, or a watch ended in good order
    kExpired,  // the version is too old: list again
    kDenied,   // 401 or 403
    kAbsent,   // 404
    kBusy,     // the server asked to come later
    kTooLarge,
    kBroken,  // garbage, or an error of the server
    kUnreachable,
  };
  struct Outcome {
    Verdict verdict = Verdict::kDone;
    std::string message;
    std::chrono::milliseconds retry_after{0};
  };

  Outcome FindVersion();
  Outcome List();
  Outcome ListPages(bool in_pages, std::unordered_set<std::string>& uids);
  Outcome Watch();
  bool TakeEvent(std::string& line, Outcome& outcome);
  void Handle(const Outcome& outcome, bool listed);
  std::chrono::milliseconds WaitAfter(const Outcome& outcome);
  std::string Sentence(const Outcome& outcome) const;

  net::ClientRequest Request(const std::string& query) const;
  Outcome OutcomeOf(net::ClientResponse& response);
  Outcome OutcomeOf(const Status& status) const;
  Outcome OutcomeOf(const Refusal& refusal) const;
  void SetState(const char* state);
  void Heard();

  const ResourceDescription& resource_;
  WatchContext& context_;
  const std::unique_ptr<net::HttpClient> http_;
  Decoder decoder_;
  Backoff backoff_;
  std::string base_url_;  // of the resource; "" = which version is served is not known yet
  std::string version_;   // to watch from; "" = list first
  uint32_t page_objects_;
  int failures_in_a_row_ = 0;
  int expired_in_a_row_ = 0;
  bool heard_ = false;  // in the watch that runs
  bool answered_ = false;

  mutable std::mutex mutex_;
  WatchStatus status_;  // guarded
};

}  // namespace weir::kube
