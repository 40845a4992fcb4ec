// What one application said of itself over the last hour: the differences between its readings. Pure, not thread-safe.
//
// Counters of applications only grow, until a process starts anew. What shrinks in any other way is not believed: the
// reading is left out of what is added up, and counted.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/exposition.h"
#include "apps/inference_servers.h"
#include "base/clock.h"

namespace weir::apps {

inline constexpr int64_t kKeptMs = 3'600'000;
inline constexpr size_t kMaxSteps = 300;        // an hour of readings every 15 s, and some
inline constexpr size_t kRestartsWatched = 20;  // readings
inline constexpr size_t kMostRestarts = 3;      // of these; more, and several processes answer

// One meaning over a while. Times are microseconds.
struct AppFigure {
  std::string series;  // as the application calls it
  bool gauge = false;
  double value = 0;  // of a gauge: the latest. Else how much was counted, of times: how many
  std::optional<double> mean_us;
  // Of histograms: by interpolation within a bucket, and that bucket's bounds. Nothing where it is the last one, which
  // has no upper bound: then the low bound alone is known.
  std::optional<double> p50_us, p99_us;
  double p50_low_us = 0, p50_high_us = 0;
  double p99_low_us = 0, p99_high_us = 0;
};

struct AppFigures {
  UnixMillis from = 0;  // what the figures cover; 0 = nothing
  UnixMillis to = 0;
  std::array<std::optional<AppFigure>, kMeanings> figures;

  const std::optional<AppFigure>& Of(Meaning meaning) const { return figures[static_cast<size_t>(meaning)]; }
};

class AppWindows {
 public:
  // `table` outlives this.
  explicit AppWindows(const InferenceServers& table) : table_(&table) {}

  struct Judgement {
    size_t believed = 0;     // series
    size_t refused = 0;      // series that were not believed
    bool restarted = false;  // the process is another one than before
    std::string why;         // of the first that was refused
  };
  // `at` grows from call to call.
  Judgement Add(const Exposition& exposition, UnixMillis at);

  // Of what was read in (from, to]: a difference belongs to the time of its later reading.
  AppFigures Between(UnixMillis from, UnixMillis to) const;
  // The server whose series were read last; nullptr = none has been.
  const InferenceServer* server() const { return server_; }

 private:
  struct Known {
    Reading reading;
    UnixMillis at = 0;
  };
  // What was added to one series between two readings.
  struct Delta {
    SeriesNumber series = 0;
    UnixMillis from = 0;
    double value = 0;  // of a gauge: as it stands
    double count = 0;
    double sum = 0;
    std::vector<std::pair<uint8_t, double>> counts;  // by bucket, without zeros
  };
  struct Step {
    UnixMillis at = 0;
    std::vector<Delta> deltas;
  };
  enum class Change { kGrew, kRestarted, kImpossible };

  Change Compare(const Series& series, const Reading& before, const Reading& now, std::string& why) const;
  std::string ImpossibleSum(const Delta& delta, const Reading& now) const;
  void SetBounds(SeriesNumber number, const std::vector<double>& bounds);
  void TakeOne(SeriesNumber number, const Reading& reading, Step& step, Judgement& judgement);
  AppFigure FigureOf(SeriesNumber number, UnixMillis from, UnixMillis to, AppFigures& range, bool& found) const;

  const InferenceServers* table_;
  const InferenceServer* server_ = nullptr;
  std::map<SeriesNumber, Known> known_;
  std::map<SeriesNumber, std::vector<double>> bounds_;  // of histograms, which all their deltas have
  std::deque<Step> steps_;                              // oldest first
  std::deque<bool> restarts_;                           // of the last readings
};

}  // namespace weir::apps
