// Finding: what Weir says is wrong, with whom, since when, how sure it is, by what evidence, what else it could be and
// what to do about it. A plain value: detectors make it, the store keeps it, the API shows it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "diagnose/subject.h"
#include "diagnose/thresholds.h"

namespace weir::diagnose {

// X(name, title, what it says)
#define WEIR_DETECTORS(X)                                                                                           \
  X(model_load, "Model load", "A pod loads weights or an image: bytes, rate, phases, share of the start.")          \
  X(bandwidth_breach, "Bandwidth breach", "A node exceeds what it may send or receive: who, and who suffers.")      \
  X(loss, "Packet loss", "Segments are lost or sent again, and where.")                                             \
  X(receiver_limited, "Slow receiver", "An application does not read what the network brings.")                     \
  X(sender_limited, "Limited sender", "A send buffer, small writes or a slow remote service hold data back.")       \
  X(connection_failure, "Failed connections", "Connections are refused, rejected, blocked, time out or are reset.") \
  X(serving_stall, "Serving stall", "A server answers late, and the network is not the cause.")                     \
  X(dns, "DNS trouble", "Names are resolved late, not at all, or with many needless queries.")                      \
  X(cross_zone, "Cross-zone requests", "A latency-critical service is asked across zones although it need not be.") \
  X(network_health, "Network health", "A part of the network is degraded for several workloads at once.")           \
  X(startup, "Slow start", "What a pod's start was spent on, and starts that get in each other's way.")

enum class Detector : uint8_t {
#define WEIR_DETECTOR_ENUM(name, title, help) name,
  WEIR_DETECTORS(WEIR_DETECTOR_ENUM)
#undef WEIR_DETECTOR_ENUM
};

struct DetectorDescription {
  std::string_view name;
  std::string_view title;
  std::string_view help;
};

inline constexpr auto kDetectors = std::to_array<DetectorDescription>({
#define WEIR_DETECTOR_ROW(name, title, help) {#name, title, help},
    WEIR_DETECTORS(WEIR_DETECTOR_ROW)
#undef WEIR_DETECTOR_ROW
});

constexpr const DetectorDescription& Describe(Detector detector) { return kDetectors[static_cast<size_t>(detector)]; }

enum class Level : uint8_t { kSilent, kLow, kMedium, kHigh };
std::string_view LevelName(Level level);  // "silent", "low", "medium", "high"
Level LevelOf(double points, const Thresholds& thresholds);

// kInfo is an event worth knowing, a model load for example; from kMinor on something is wrong.
enum class Severity : uint8_t { kInfo, kMinor, kMajor, kCritical };
std::string_view SeverityName(Severity severity);

enum class FindingState : uint8_t { kOpen, kClosed };

// Where a number comes from, so that a person can look at it.
struct Reference {
  enum class Kind : uint8_t { kNone, kFlows, kRequests, kNodeSeries, kRateWindows, kPods };
  Kind kind = Kind::kNone;
  std::string columns;  // of flows, or the signal of a node; joined by commas
  std::string filter;   // of flows
  std::string node;
  std::string subject;  // of the signal
  UnixMillis from = 0;
  UnixMillis to = 0;
};
std::string_view ReferenceKindName(Reference::Kind kind);

struct Evidence {
  std::string name;      // for programs: "late_segments"
  std::string sentence;  // for people, with the number in it
  double value = 0;
  std::string unit;
  double points = 0;  // what it adds to the confidence; below 0 it speaks against
  Reference reference;
};

// A culprit or a victim.
struct Involved {
  Subject subject;
  double share = 0;      // of the bytes (culprit); how many times longer (victim)
  std::string sentence;  // "9.8 GB of 13.9 GB (71 %)"
};

// Phases of a load, by what limited each second. X(name, what a person reads)
#define WEIR_LOAD_PHASES(X)                                                      \
  X(reader_limited, "the reader did not take the data")                          \
  X(node_limited, "the node exceeded its bandwidth")                             \
  X(loss_recovery, "lost segments were sent again")                              \
  X(server_wait, "the source had been asked and had not answered yet")           \
  X(client_idle, "the loader asked for nothing")                                 \
  X(quiet, "nothing came, and whether anything was asked for is unknown")        \
  X(per_connection_limited, "few connections carried what a connection carries") \
  X(flowing, "data flowed")

enum class LoadPhase : uint8_t {
#define WEIR_PHASE_ENUM(name, text) name,
  WEIR_LOAD_PHASES(WEIR_PHASE_ENUM)
#undef WEIR_PHASE_ENUM
      kCount
};
inline constexpr size_t kLoadPhases = static_cast<size_t>(LoadPhase::kCount);
struct LoadPhaseDescription {
  std::string_view name;
  std::string_view text;
};
inline constexpr std::array<LoadPhaseDescription, kLoadPhases> kLoadPhaseTexts{{
#define WEIR_PHASE_ROW(name, text) {#name, text},
    WEIR_LOAD_PHASES(WEIR_PHASE_ROW)
#undef WEIR_PHASE_ROW
}};

// What a model load was. 0 means unknown unless said otherwise.
struct LoadFacts {
  std::string kind;          // weights | image_pull | hot_reload
  bool shared = false;       // a helper loads for several workloads
  std::string remote_class;  // object_store | model_hub | registry | file_store
  Subject source;
  Subject helper;  // the pod or process whose sockets carried it, where that is not the subject
  uint64_t bytes = 0;
  double wall_s = 0;
  double mean_bits = 0;  // per second, over the whole time
  double p95_bits = 0;   // of seconds
  double peak_10ms_bits = 0;
  double baseline_bits = 0;  // what the node may always receive
  double peak_bits = 0;      // what it may receive for a while
  std::string capacity_source;
  uint64_t connections = 0;  // most at once
  uint64_t late_segments = 0;
  std::array<double, kLoadPhases> phase_s{};
  uint64_t others_bytes = 0;  // payload that others on the node received meanwhile
  double startup_s = 0;       // created until ready
  double startup_share = 0;   // of it, this load
  uint32_t earlier_loads = 0;
  double earlier_median_s = 0;  // of the owner's earlier loads of like size
  bool samples_missing = false;
};

// One piece of a pod's start.
struct StartupStep {
  std::string name;  // scheduling | image_pull | container_start | load | initialising | first_answer
  UnixMillis from = 0;
  UnixMillis to = 0;
  bool known = true;
};

struct Finding {
  uint64_t id = 0;  // a hash of detector, subject and start: the same in every run over the same samples
  Detector detector = Detector::model_load;
  std::string kind;  // sub-kind, for programs: "sustained", "refused"
  Subject subject;
  Subject peer;          // the other end, where the finding is about a pair
  uint64_t variant = 0;  // tells findings of one detector and subject apart, a port for example
  FindingState state = FindingState::kOpen;
  Severity severity = Severity::kMinor;
  UnixMillis start = 0;
  UnixMillis end = 0;  // when the condition last held; of an open finding: so far
  UnixMillis updated = 0;
  uint32_t revision = 0;  // grows with each stored change
  double points = 0;
  Level level = Level::kSilent;
  std::string verdict;  // one sentence
  std::vector<Evidence> evidence;
  std::vector<std::string> not_excluded;  // whole sentences
  std::vector<Involved> culprits;
  std::vector<Involved> victims;
  std::string advice;  // one line
  std::vector<uint64_t> related;
  std::string closed_because;  // "clean", "no_data", "done"; "" while open
  std::string node;            // whose readings it rests on; "" = none in particular
  std::optional<LoadFacts> load;
  std::vector<StartupStep> steps;
};

uint64_t FindingId(Detector detector, uint64_t subject_key, uint64_t peer_key, uint64_t variant, UnixMillis start);

// References (SubjectReference) of all whom it concerns: subject and peer, culprits and victims, their workloads, and
// the node it rests on. Each once, at most kMaxAbout.
inline constexpr size_t kMaxAbout = 200;
std::vector<std::string> AboutWhom(const Finding& finding);

// Adds evidence and its points.
void Add(Finding& finding, Evidence evidence);

// Numbers in sentences: "4.1 Gbit/s", "13.9 GB", "27.1 s", "312".
std::string BitsText(double bits_per_second);
std::string BytesText(double bytes);
std::string SecondsText(double seconds);
std::string MicrosText(double microseconds);
std::string PercentText(double share);

}  // namespace weir::diagnose
