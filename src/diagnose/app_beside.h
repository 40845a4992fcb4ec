// What the wire measured of a server beside what its application says of itself, and what the difference means. Means
// are compared, because means add up: what lies between the two is a wait that was measured, or nobody's. Pure.
//
// An application's numbers may be late, missing or wrong. They are told beside the wire's and never put in their place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::diagnose {

// Of one server over a while. Times are microseconds; nullopt: nobody measured any.
struct WireTimes {
  uint64_t requests = 0;
  uint64_t first_chunks = 0;
  std::optional<double> first_chunk_us;
  uint64_t chunk_gaps = 0;
  std::optional<double> chunk_gap_us;
  uint64_t durations = 0;
  std::optional<double> duration_us;
  // For each request, those that did not wait included.
  std::optional<double> receive_wait_us;
  std::optional<double> accept_wait_us;
  std::optional<double> upload_us;
};

// A mean of the application's own.
struct AppMean {
  double samples = 0;
  std::optional<double> mean_us;
};

struct AppTimes {
  std::string unknown;       // why nothing is known of it now; "" = it is
  std::string server;        // "vLLM"; "" = the application
  std::string clock_starts;  // "when it begins to tokenize"; "" = not known
  std::optional<AppMean> first_token;
  std::optional<AppMean> output_token;
  std::optional<AppMean> duration;
  std::optional<AppMean> queue;
};

// X(identifier)
#define WEIR_BESIDE_VERDICTS(X)                                                             \
  X(agree)              /* within a tenth, or 5 ms */                                       \
  X(explained)          /* the wire saw more, and a wait that was measured is most of it */ \
  X(unexplained)        /* the wire saw more, and no wait accounts for it */                \
  X(contradiction)      /* the application says more than the wire saw */                   \
  X(different_requests) /* their counts do not fit */                                       \
  X(unknown)

enum class BesideVerdict : uint8_t {
#define WEIR_BESIDE_VERDICT(name) name,
  WEIR_BESIDE_VERDICTS(WEIR_BESIDE_VERDICT)
#undef WEIR_BESIDE_VERDICT
};
std::string_view NameOf(BesideVerdict verdict);

struct Beside {
  std::string_view measure;  // first_chunk, chunk_gap, request_duration
  BesideVerdict verdict = BesideVerdict::unknown;
  std::string_view confidence;  // "high", "medium", "low"; "none" where the verdict is unknown
  std::optional<double> wire_us;
  std::optional<double> app_us;
  std::optional<double> difference_us;  // wire minus application
  std::string sentence;
};

Beside CompareFirstChunk(const WireTimes& wire, const AppTimes& app);
Beside CompareChunkGap(const WireTimes& wire, const AppTimes& app);
Beside CompareDuration(const WireTimes& wire, const AppTimes& app);

}  // namespace weir::diagnose
