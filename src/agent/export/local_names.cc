#include "agent/export/local_names.h"

#include <utility>

#include "agent/export/durable_file.h"
#include "base/log.h"
#include "base/metrics.h"
#include "wire/ack_codec.h"

namespace weir::agent {
namespace {

constexpr std::string_view kFile = "pod_names";
constexpr Nanos kSavePeriod = 10'000'000'000;
constexpr size_t kMaxFileBytes = LocalNames::kMaxPods * 1'024 + 1'024;

std::shared_ptr<const model::PodName> FindIn(
    const std::unordered_map<std::string, std::shared_ptr<const model::PodName>>& names, std::string_view key) {
  const auto found = names.find(std::string(key));
  return found == names.end() ? nullptr : found->second;
}

}  // namespace

LocalNames::LocalNames(std::filesystem::path directory, const Clock& clock)
    : directory_(std::move(directory)), clock_(clock) {
  const Result<std::string> bytes = ReadFile(directory_ / kFile, kMaxFileBytes);
  if (!bytes.ok()) {
    if (bytes.status().code() != Code::kNotFound) {
      LogWarn("names of this node's pods are asked for anew: {}", bytes.status().message());
    }
    return;
  }
  Result<model::PodNames> names = wire::DecodePodNames(*bytes, kMaxPods);
  if (!names.ok()) {
    LogWarn("names of this node's pods are asked for anew: {}: {}", (directory_ / kFile).string(),
            names.status().message());
    return;
  }
  names->complete = true;
  Apply(*names);
  changed_ = false;
}

void LocalNames::Apply(const model::PodNames& change) {
  if (change.to == model::NamesVersion{}) return;
  const std::lock_guard lock(mutex_);
  if (change.empty() && change.to == version_) return;
  if (change.complete) {
    pods_.clear();
    containers_.clear();
  }
  for (const std::string& uid : change.gone) Remove(uid);
  for (const model::PodName& pod : change.pods) Put(pod);
  version_ = change.to;
  changed_ = true;
  SetGauge(Metric::agent_local_names, pods_.size());
}

void LocalNames::Put(const model::PodName& pod) {
  Remove(pod.uid);
  if (pods_.size() >= kMaxPods) {
    Count(Metric::agent_local_names_full);
    return;
  }
  auto shared = std::make_shared<const model::PodName>(pod);
  for (const model::ContainerName& container : pod.containers) containers_[container.id] = shared;
  pods_[pod.uid] = std::move(shared);
}

void LocalNames::Remove(const std::string& uid) {
  const auto found = pods_.find(uid);
  if (found == pods_.end()) return;
  for (const model::ContainerName& container : found->second->containers) {
    const auto of = containers_.find(container.id);
    if (of != containers_.end() && of->second == found->second) containers_.erase(of);
  }
  pods_.erase(found);
}

model::NamesVersion LocalNames::version() const {
  const std::lock_guard lock(mutex_);
  return version_;
}

std::shared_ptr<const model::PodName> LocalNames::OfPod(std::string_view uid) const {
  const std::lock_guard lock(mutex_);
  return FindIn(pods_, uid);
}

std::shared_ptr<const model::PodName> LocalNames::OfContainer(std::string_view container_id) const {
  const std::lock_guard lock(mutex_);
  return FindIn(containers_, container_id);
}

size_t LocalNames::size() const {
  const std::lock_guard lock(mutex_);
  return pods_.size();
}

Status LocalNames::Save(bool now) {
  const Nanos time = clock_.MonotonicNanos();
  if (!now && saved_ != 0 && time - saved_ < kSavePeriod) return Status::Ok();
  model::PodNames all;
  {
    const std::lock_guard lock(mutex_);
    if (!changed_) return Status::Ok();
    changed_ = false;
    all.to = version_;
    all.complete = true;
    all.pods.reserve(pods_.size());
    for (const auto& [uid, pod] : pods_) all.pods.push_back(*pod);
  }
  saved_ = time;
  Status written = WriteFileDurably(directory_, kFile, {wire::EncodePodNames(all)});
  if (!written.ok()) {
    const std::lock_guard lock(mutex_);
    changed_ = true;
  }
  return written;
}

}  // namespace weir::agent
