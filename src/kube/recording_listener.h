// A listener for tests: what it was told, in order, as short texts, and the newest state of each pod.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "model/cluster.h"

namespace weir::kube {

class RecordingListener final : public model::ClusterListener {
 public:
  void Changed(const model::Pod& pod) override {
    Note("pod " + pod.uid + " of " + pod.workload.kind + "/" + pod.workload.name, [&] { pods[pod.uid] = pod; });
  }
  void Changed(const model::Service& service) override {
    Note("service " + service.uid, [&] { services[service.uid] = service; });
  }
  void Changed(const model::Endpoints& endpoints) override { Note("endpoints " + endpoints.uid); }
  void Changed(const model::Node& node) override { Note("node " + node.uid); }
  void Changed(const model::Namespace& name_space) override { Note("namespace " + name_space.uid); }
  void Changed(const model::VolumeAttachment& attachment) override { Note("attachment " + attachment.uid); }
  void Gone(Kind, const std::string& uid, UnixMillis at) override {
    Note("gone " + uid, [&] {
      pods.erase(uid);
      gone[uid] = at;
    });
  }
  void Synced(Kind kind) override { Note("synced " + std::to_string(static_cast<int>(kind))); }

  // Waits until `check` is true of what was told; false after 20 s.
  bool WaitFor(const std::function<bool(const RecordingListener&)>& check) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(20), [&] { return check(*this); });
  }
  bool WaitForNote(const std::string& note) {
    return WaitFor([&](const RecordingListener& heard) {
      return std::find(heard.notes.begin(), heard.notes.end(), note) != heard.notes.end();
    });
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> notes;  // guarded, as the rest
  std::map<std::string, model::Pod> pods;
  std::map<std::string, model::Service> services;
  std::map<std::string, UnixMillis> gone;

 private:
  void Note(std::string note, const std::function<void()>& keep = nullptr) {
    const std::lock_guard lock(mutex);
    notes.push_back(std::move(note));
    if (keep) keep();
    changed.notify_all();
  }
};

}  // namespace weir::kube
