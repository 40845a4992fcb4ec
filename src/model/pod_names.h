// Names of the pods of one node, on their way back from the server to that node's agent, which asks no API server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::model {

// A state of a node's names. Versions of one epoch grow; those of another epoch, another life of the server, mean
// nothing. Both 0: nothing is known.
struct NamesVersion {
  uint64_t epoch = 0;
  uint64_t version = 0;

  bool operator==(const NamesVersion&) const = default;
};

struct ContainerName {
  std::string id;
  std::string name;

  bool operator==(const ContainerName&) const = default;
};

struct PodName {
  std::string uid;
  std::string cluster;
  std::string name_space;
  std::string pod;
  std::string workload_kind;
  std::string workload;
  std::vector<ContainerName> containers;

  bool operator==(const PodName&) const = default;
};

// What leads from one state to the next. Applying it twice does no harm.
struct PodNames {
  NamesVersion to;
  bool complete = false;  // replaces all that was known
  std::vector<PodName> pods;
  std::vector<std::string> gone;  // uids

  bool empty() const { return !complete && pods.empty() && gone.empty(); }
  bool operator==(const PodNames&) const = default;
};

inline constexpr size_t kMaxPodNames = 1'000;     // of one step, with those that are gone; more come with the next one
inline constexpr size_t kMaxContainerNames = 64;  // of a pod

}  // namespace weir::model
