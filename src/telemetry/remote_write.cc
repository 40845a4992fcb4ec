#include "telemetry/remote_write.h"

#include <snappy.h>

#include <algorithm>
#include <bit>

#include "base/metric_text.h"
#include "base/utf8.h"

namespace weir::telemetry {
namespace {

// A request stays below what receivers take by default (Mimir: 100 MB unpacked; Prometheus' own sender: 2,000 samples).
constexpr int kSeriesPerRequest = 2'000;
constexpr uint64_t kStaleBits = 0x7ff0000000000002;  // the NaN that means "it ended"

std::string_view SuffixOf(FamilyType type) { return type == FamilyType::kCounter ? "_total" : ""; }

}  // namespace

void RemoteWriteRounds::Round::Begin(const MetricFamily& family) {
  family_ = &family;
  names_.clear();
  ForEachWord(family.labels, [&](std::string_view label) { names_.push_back(label); });
}

remote_write::Series* RemoteWriteRounds::Round::NextSeries() {
  if (request_.series_size() == kSeriesPerRequest) Flush();
  return request_.add_series();
}

void RemoteWriteRounds::Round::AddSample(remote_write::Series* series, double value) {
  remote_write::Sample* sample = series->add_samples();
  sample->set_value(value);
  sample->set_timestamp_ms(now_);
}

void RemoteWriteRounds::Round::AddSeries(std::string_view suffix, std::span<const std::string_view> labels,
                                         std::string_view le, double value) {
  name_.assign(family_->name).append(suffix);
  pairs_.clear();
  pairs_.emplace_back("__name__", name_);
  for (size_t i = 0; i < names_.size(); ++i) {
    if (!labels[i].empty()) pairs_.emplace_back(names_[i], labels[i]);
  }
  if (!le.empty()) pairs_.emplace_back("le", le);
  const size_t own = pairs_.size();
  for (const auto& [name, text] : rounds_.labels_) {
    const auto taken = [&, name = std::string_view(name)](const auto& pair) { return pair.first == name; };
    if (std::none_of(pairs_.begin(), pairs_.begin() + static_cast<ptrdiff_t>(own), taken))
      pairs_.emplace_back(name, text);
  }
  std::sort(pairs_.begin(), pairs_.end());
  remote_write::Series* series = NextSeries();
  for (const auto& [label, text] : pairs_) {
    remote_write::Label* added = series->add_labels();
    added->set_name(label.data(), label.size());
    AppendValid(*added->mutable_value(), text);
  }
  series->SerializeToString(&key_);
  rounds_.seen_[key_] = rounds_.round_;
  AddSample(series, value);
}

void RemoteWriteRounds::Round::Add(std::span<const std::string_view> labels, double value, UnixMillis) {
  AddSeries(SuffixOf(family_->type), labels, "", value);
}

void RemoteWriteRounds::Round::AddHistogram(std::span<const std::string_view> labels, const HistogramSample& histogram,
                                            UnixMillis) {
  uint64_t count = 0;
  std::string le;
  for (size_t i = 0; i < histogram.buckets.size(); ++i) {
    count += histogram.buckets[i];
    le.clear();
    if (i < histogram.bounds.size()) {
      AppendNumber(le, histogram.bounds[i]);
    } else {
      le = "+Inf";
    }
    AddSeries("_bucket", labels, le, static_cast<double>(count));
  }
  AddSeries("_sum", labels, "", histogram.sum);
  AddSeries("_count", labels, "", static_cast<double>(count));
}

void RemoteWriteRounds::Round::Flush() {
  if (request_.series_size() == 0) return;
  const std::string plain = request_.SerializeAsString();
  Encoded encoded;
  snappy::Compress(plain.data(), plain.size(), &encoded.body);
  encoded.items = static_cast<uint64_t>(request_.series_size());
  done_.push_back(std::move(encoded));
  request_.Clear();
}

std::vector<Encoded> RemoteWriteRounds::Round::Finish() {
  const uint64_t round = rounds_.round_;
  std::erase_if(rounds_.seen_, [&](const auto& entry) {
    if (entry.second == round) return false;
    remote_write::Series* series = NextSeries();
    series->ParseFromString(entry.first);
    AddSample(series, std::bit_cast<double>(kStaleBits));
    return true;
  });
  Flush();
  return std::move(done_);
}

}  // namespace weir::telemetry
