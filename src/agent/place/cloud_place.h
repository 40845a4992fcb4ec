// In which zone and region of which cloud this machine is, by the cloud's metadata address. Asked once, when the agent
// starts, and only on machines whose firmware says that they are of a cloud that has such an address.
#pragma once

#include <atomic>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

#include "base/status.h"
#include "net/http_client.h"

namespace weir::agent {

struct Place {
  std::string zone;  // as Kubernetes labels it: eu-central-1a, europe-west1-b, westeurope-1
  std::string region;

  bool operator==(const Place&) const = default;
};

enum class Cloud { kNone, kAws, kGoogle, kAzure };

// `dmi`: where the kernel shows what the firmware says (/sys/class/dmi/id).
Cloud CloudOf(const std::filesystem::path& dmi);

// `base`: "http://169.254.169.254". kUnavailable: no answer within two seconds per question, of which there are three
// at most. kInvalid: an answer that names no zone or region. Ends early when `abort` becomes true.
Result<Place> AskCloud(Cloud cloud, const std::string& base, net::HttpClient& client, const std::atomic<bool>& abort);

// Where the machine is. Thread-safe; `weir-place` asks the cloud and ends then.
class PlaceFinder {
 public:
  // What is given is never asked for.
  explicit PlaceFinder(Place given);
  ~PlaceFinder();
  PlaceFinder(const PlaceFinder&) = delete;
  PlaceFinder& operator=(const PlaceFinder&) = delete;

  Place place() const;  // empty texts until known

 private:
  mutable std::mutex mutex_;
  Place place_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace weir::agent
