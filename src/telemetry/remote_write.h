// Remote write 1.0: samples of a visit as requests to a receiver (prometheus.io/docs/specs/prw/remote_write_spec).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/metric_family.h"
#include "foreign/remote_write.pb.h"

namespace weir::telemetry {

// Encoded and packed.
struct Encoded {
  std::string body;
  uint64_t items = 0;  // samples, points or records
};

// One round after the other: what was there in the round before and is not any more gets a staleness marker, so that
// it ends at once and not after five minutes. Thread: one.
class RemoteWriteRounds {
 public:
  // `labels`: added to each series that has none of that name.
  explicit RemoteWriteRounds(std::vector<std::pair<std::string, std::string>> labels) : labels_(std::move(labels)) {}

  // Calls visit(visitor) once.
  template <typename Visit>
  std::vector<Encoded> Encode(UnixMillis now, Visit visit) {
    Round round(*this, now);
    visit(static_cast<MetricVisitor&>(round));
    return round.Finish();
  }

 private:
  class Round final : public MetricVisitor {
   public:
    Round(RemoteWriteRounds& rounds, UnixMillis now) : rounds_(rounds), now_(now) { ++rounds_.round_; }
    void Begin(const MetricFamily& family) override;
    void Add(std::span<const std::string_view> labels, double value, UnixMillis created) override;
    void AddHistogram(std::span<const std::string_view> labels, const HistogramSample& histogram,
                      UnixMillis created) override;
    std::vector<Encoded> Finish();

   private:
    void AddSeries(std::string_view suffix, std::span<const std::string_view> labels, std::string_view le,
                   double value);
    void AddSample(remote_write::Series* series, double value);
    remote_write::Series* NextSeries();
    void Flush();

    RemoteWriteRounds& rounds_;
    const UnixMillis now_;
    const MetricFamily* family_ = nullptr;
    std::vector<std::string_view> names_;  // of the family's labels
    std::vector<std::pair<std::string_view, std::string_view>> pairs_;
    std::string name_;
    std::string key_;
    remote_write::Request request_;
    std::vector<Encoded> done_;
  };

  const std::vector<std::pair<std::string, std::string>> labels_;
  uint64_t round_ = 0;
  std::unordered_map<std::string, uint64_t> seen_;  // a series without samples, encoded -> its last round
};

}  // namespace weir::telemetry
