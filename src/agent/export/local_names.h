// LocalNames: the names of this node's pods, as the server's acknowledgements brought them, by pod uid and container
// id. They are kept on disk too, so that an agent that starts while the server is away still has them.
//
// Bounded: kMaxPods; beyond, new pods stay nameless (agent_local_names_full). Thread-safe; Save() is called by one
// thread.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/status.h"
#include "model/pod_names.h"

namespace weir::agent {

class LocalNames {
 public:
  static constexpr size_t kMaxPods = 10'000;

  // Reads what an earlier run left in `directory`; a damaged file is as good as none. `clock` outlives this.
  LocalNames(std::filesystem::path directory, const Clock& clock);

  void Apply(const model::PodNames& change);
  // What to tell the server in the next batch.
  model::NamesVersion version() const;

  // Null: not known.
  std::shared_ptr<const model::PodName> OfPod(std::string_view uid) const;
  std::shared_ptr<const model::PodName> OfContainer(std::string_view container_id) const;
  size_t size() const;

  // Writes what has changed, ten seconds after the last time at the earliest unless `now`.
  Status Save(bool now = false);

 private:
  using Pods = std::unordered_map<std::string, std::shared_ptr<const model::PodName>>;

  void Put(const model::PodName& pod);
  void Remove(const std::string& uid);

  const std::filesystem::path directory_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  model::NamesVersion version_;  // these four: guarded by mutex_
  Pods pods_;                    // by uid
  Pods containers_;              // by container id
  bool changed_ = false;
  Nanos saved_ = 0;  // monotonic; the saving thread's
};

}  // namespace weir::agent
