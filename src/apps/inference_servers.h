// What inference servers call their own numbers, and what the numbers mean: the table inference_servers.txt.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"

namespace weir::apps {

// X(identifier, name, is a time). Names with gen_ai. are OpenTelemetry's,
// https://opentelemetry.io/docs/specs/semconv/gen-ai.
#define WEIR_APP_MEANINGS(X)                                            \
  X(time_to_first_token, "gen_ai.server.time_to_first_token", true)     \
  X(time_per_output_token, "gen_ai.server.time_per_output_token", true) \
  X(request_duration, "gen_ai.server.request.duration", true)           \
  X(queue_duration, "app.queue.duration", true)                         \
  X(requests_waiting, "app.requests.waiting", false)                    \
  X(requests_running, "app.requests.running", false)                    \
  X(requests, "app.requests", false)

enum class Meaning : uint8_t {
#define WEIR_APP_MEANING(id, name, time) id,
  WEIR_APP_MEANINGS(WEIR_APP_MEANING)
#undef WEIR_APP_MEANING
      kCount
};
inline constexpr size_t kMeanings = static_cast<size_t>(Meaning::kCount);

struct MeaningDescription {
  std::string_view name;
  bool is_time;
};
inline constexpr auto kMeaningTable = std::to_array<MeaningDescription>({
#define WEIR_APP_MEANING(id, name, time) {name, time},
    WEIR_APP_MEANINGS(WEIR_APP_MEANING)
#undef WEIR_APP_MEANING
});
inline std::string_view NameOf(Meaning meaning) { return kMeaningTable[static_cast<size_t>(meaning)].name; }

enum class SeriesKind : uint8_t {
  kHistogram,
  kTimeSum,  // adds up times; its mean needs a kTimeCount of the same server and meaning
  kTimeCount,
  kCounter,
  kGauge,
};

struct InferenceServer {
  std::string name;
  std::vector<std::string> images;  // parts of image names
  uint16_t port = 0;                // where /metrics usually is; 0 = not known
  std::string path;
  std::string clock_starts;  // "when it begins to tokenize": of its time to first token
};

using SeriesNumber = uint16_t;  // in the order of the table

struct Series {
  size_t server = 0;
  std::string name;  // of a counter without _total
  Meaning meaning = Meaning::kCount;
  SeriesKind kind = SeriesKind::kGauge;
  double unit_seconds = 1;  // what a time is multiplied with
};

class InferenceServers {
 public:
  // The part of a family that a sample is.
  enum class Part : uint8_t { kValue, kBucket, kSum, kCount };
  struct Place {
    SeriesNumber series = 0;
    Part part = Part::kValue;
  };

  // The table that ships with Weir.
  static const InferenceServers& Shipped();
  // kInvalid names the line.
  static Result<InferenceServers> Parse(std::string_view text);

  // What a sample of this name tells; nullptr when it is in no table.
  const std::vector<Place>* Find(std::string_view sample) const;
  // Whose image this is; nullptr: no known server's.
  const InferenceServer* OfImage(std::string_view image) const;

  const std::vector<InferenceServer>& servers() const { return servers_; }
  const std::vector<Series>& series() const { return series_; }
  const std::string& date() const { return date_; }

 private:
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  Status ReadLine(std::string_view line);
  Status ReadServer(std::string_view rest);
  Status ReadSeries(std::string_view rest);
  void Index(SeriesNumber number);

  std::vector<InferenceServer> servers_;
  std::vector<Series> series_;
  std::unordered_map<std::string, std::vector<Place>, TextHash, std::equal_to<>> places_;
  std::string date_;
};

}  // namespace weir::apps
