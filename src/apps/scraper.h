// Scraper: asks applications for their own numbers, and keeps what they said over the last hour.
//
// One request to each target every period, at most one at a time; what hangs or fails is asked less often, and so is
// what tells nothing that is in the table. Nothing is sent but the question: no token, no cookie, no redirect is
// followed. Threads `weir-apps`, a few: a target that hangs holds up none but the one that waits for it. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "apps/app_windows.h"
#include "apps/inference_servers.h"
#include "apps/target.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/cluster.h"
#include "net/http_client.h"

namespace weir::apps {

enum class TargetState : uint8_t {
  kWaiting,       // no two readings yet
  kBelieved,      // the last reading was
  kUnreachable,   // no answer in time, or another than 200
  kTellsNothing,  // an answer without any series of the table
  kNotBelieved,   // numbers that cannot be
};
std::string_view NameOf(TargetState state);

// What is known of one target. Figures are of the range that was asked for.
struct TargetView {
  Target target;
  TargetState state = TargetState::kWaiting;
  std::string reason;  // of all states but kBelieved
  std::string server;  // "vLLM"; "" = not known yet
  std::string clock_starts;
  UnixMillis last_believed = 0;  // 0 = never
  uint64_t scrapes = 0, failures = 0, refused = 0, restarts = 0;
  AppFigures figures;
};

struct ScraperOptions {
  std::chrono::milliseconds period{15'000};  // eight times that for a target that goes on failing
  std::chrono::milliseconds timeout{3'000};
  size_t max_body_bytes = size_t{4} << 20;
  size_t max_targets = 256;  // some 20 MB when all of them are busy
  size_t threads = 4;
  bool pods = false;  // pods of the cluster become targets
};

class Scraper {
 public:
  using MakeClient = std::function<std::unique_ptr<net::HttpClient>()>;

  // `table` and `clock` outlive it. Tests bring their own clients.
  Scraper(ScraperOptions options, const InferenceServers& table, const Clock& clock, MakeClient make_client = nullptr);
  ~Scraper() { Stop(); }
  Scraper(const Scraper&) = delete;
  Scraper& operator=(const Scraper&) = delete;

  void Start();
  // Ends requests under way within a second. Idempotent.
  void Stop();

  // A target that is one too many is left out and counted.
  void Put(Target target);
  void Remove(const std::string& key);
  // Who tells of the pods of this cluster. Lives as long as this.
  model::ClusterListener& ListenerOf(const std::string& cluster);

  std::vector<TargetView> View(UnixMillis from, UnixMillis to) const;
  // Targets left out for want of room, now.
  size_t left_out() const;

  // Asks the target that has been due for longest, if one is. For the threads, and for tests without them.
  bool ScrapeOne(net::HttpClient& client);

 private:
  struct Followed {
    Target target;
    AppWindows windows;
    TargetState state = TargetState::kWaiting;
    std::string reason = "it has not been asked yet";
    UnixMillis last_believed = 0;
    uint64_t scrapes = 0, failures = 0, refused = 0, restarts = 0;
    Nanos due = 0;  // monotonic
    std::chrono::milliseconds period{};
    bool busy = false;
  };
  class Pods;

  void Run();
  Nanos NextDue() const;  // mutex_ held
  void Admit();           // mutex_ held: fills free places with targets left out
  net::ClientRequest RequestTo(const std::string& url) const;
  void Failed(Followed& followed, TargetState state, std::string reason);
  void Take(Followed& followed, const Exposition& exposition);

  const ScraperOptions options_;
  const InferenceServers& table_;
  const Clock& clock_;
  const MakeClient make_client_;
  std::atomic<bool> stopping_ = false;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Followed> followed_;  // by key; these: guarded by mutex_
  std::map<std::string, Target> waiting_;     // for a place
  RateLimit failure_log_{std::chrono::minutes(1)};

  std::vector<std::unique_ptr<model::ClusterListener>> listeners_;
  std::vector<std::thread> threads_;
};

}  // namespace weir::apps
