#include "apps/exposition.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace weir::apps {
namespace {

using Part = InferenceServers::Part;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLargest = 1e18;  // beyond it no count and no time of an application is meant

struct Sample {
  std::string_view name;
  std::optional<double> bound;  // of its label le
  double value = 0;
};

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
}

void SkipBlanks(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

std::string_view TakeName(std::string_view& text) {
  size_t size = 0;
  while (size < text.size() && IsNameByte(text[size])) ++size;
  const std::string_view name = text.substr(0, size);
  text.remove_prefix(size);
  return name;
}

// "1e3", "+Inf", "NaN"; the whole of the word.
std::optional<double> NumberOf(std::string_view word) {
  if (word.starts_with('+')) word.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  const bool whole = end == word.data() + word.size() && !word.empty();
  if (!whole || error != std::errc()) return std::nullopt;
  return number;
}

// A text between quotation marks, which are taken off `text` with it; escapes stay as they are.
std::optional<std::string_view> TakeQuoted(std::string_view& text) {
  if (text.empty() || text.front() != '"') return std::nullopt;
  for (size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      const std::string_view quoted = text.substr(1, at - 1);
      text.remove_prefix(at + 1);
      return quoted;
    }
  }
  return std::nullopt;
}

// {name="value",...}: nothing but le is of interest. False: they are broken.
bool TakeLabels(std::string_view& text, Sample& sample) {
  text.remove_prefix(1);
  while (true) {
    SkipBlanks(text);
    if (text.starts_with('}')) break;
    const std::string_view name = TakeName(text);
    SkipBlanks(text);
    if (name.empty() || !text.starts_with('=')) return false;
    text.remove_prefix(1);
    SkipBlanks(text);
    const std::optional<std::string_view> value = TakeQuoted(text);
    if (!value) return false;
    if (name == "le") {
      sample.bound = NumberOf(*value);
      if (!sample.bound) return false;
    }
    SkipBlanks(text);
    if (text.starts_with(',')) {
      text.remove_prefix(1);
    } else if (!text.starts_with('}')) {
      return false;
    }
  }
  text.remove_prefix(1);
  return true;
}

// A time or an exemplar may stand behind the value; neither matters here.
std::optional<Sample> SampleOf(std::string_view line) {
  Sample sample;
  sample.name = TakeName(line);
  if (sample.name.empty()) return std::nullopt;
  SkipBlanks(line);
  if (line.starts_with('{') && !TakeLabels(line, sample)) return std::nullopt;
  SkipBlanks(line);
  const std::optional<double> value = NumberOf(line.substr(0, line.find_first_of(" \t#")));
  if (!value) return std::nullopt;
  sample.value = *value;
  return sample;
}

struct Bucket {
  double cumulative = 0;
  size_t label_sets = 0;
};

// What has been read of one series.
struct Gathered {
  std::map<double, Bucket> buckets;  // by upper bound
  double sum = 0;
  double count = 0;
  double value = 0;
  size_t sums = 0, counts = 0, values = 0;  // label sets
  std::string trouble;                      // the first
};

void Add(const Sample& sample, Part part, const Series& series, Gathered& all) {
  const auto trouble = [&](std::string text) {
    if (all.trouble.empty()) all.trouble = std::move(text);
  };
  if (std::isnan(sample.value)) return trouble(fmt::format("{} is not a number", sample.name));
  if (sample.value < 0) return trouble(fmt::format("{} is below zero", sample.name));
  if (sample.value > kLargest) return trouble(fmt::format("{} is beyond all measure", sample.name));
  size_t label_sets = 0;
  switch (part) {
    case Part::kValue:
      all.value += sample.value;
      label_sets = ++all.values;
      break;
    case Part::kSum:
      all.sum += sample.value * series.unit_seconds;
      label_sets = ++all.sums;
      break;
    case Part::kCount:
      all.count += sample.value;
      label_sets = ++all.counts;
      break;
    case Part::kBucket: {
      if (!sample.bound || std::isnan(*sample.bound) || *sample.bound < -kLargest) {
        return trouble("a bucket without a bound");
      }
      const double bound = *sample.bound * series.unit_seconds;
      if (!all.buckets.contains(bound) && all.buckets.size() >= kMaxBuckets) {
        return trouble(fmt::format("more than {} buckets", kMaxBuckets));
      }
      Bucket& bucket = all.buckets[bound];
      bucket.cumulative += sample.value;
      label_sets = ++bucket.label_sets;
      break;
    }
  }
  if (label_sets > kMaxLabelSets) trouble(fmt::format("more than {} label sets", kMaxLabelSets));
}

// "" when all of it can be.
std::string FillHistogram(const Gathered& all, Reading& reading) {
  if (all.buckets.empty() || all.buckets.rbegin()->first != kInfinity) return "a histogram without a last bucket";
  if (all.sums == 0 || all.counts == 0) return "a histogram without sum or count";
  const size_t label_sets = all.buckets.rbegin()->second.label_sets;
  double before = 0;
  for (const auto& [bound, bucket] : all.buckets) {
    if (bucket.label_sets != label_sets) return "its label sets have different buckets, which do not add up";
    if (bucket.cumulative < before) return fmt::format("its buckets fall at {:g} s, and they add up", bound);
    if (bound < kInfinity) reading.bounds.push_back(bound);
    reading.counts.push_back(bucket.cumulative - before);
    before = bucket.cumulative;
  }
  if (all.count != before) return fmt::format("its count is {:.0f} and its last bucket {:.0f}", all.count, before);
  reading.sum = all.sum;
  reading.count = all.count;
  return "";
}

}  // namespace

Exposition ReadExposition(std::string_view text, const InferenceServers& table) {
  Exposition exposition;
  std::map<SeriesNumber, Gathered> gathered;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    SkipBlanks(line);
    if (line.empty() || line.front() == '#') continue;
    const std::optional<Sample> sample = line.size() > kMaxLineBytes ? std::nullopt : SampleOf(line);
    if (!sample) {
      ++exposition.unreadable;
      continue;
    }
    ++exposition.samples;
    const std::vector<InferenceServers::Place>* places = table.Find(sample->name);
    if (places == nullptr) continue;
    for (const InferenceServers::Place& place : *places) {
      Add(*sample, place.part, table.series()[place.series], gathered[place.series]);
    }
  }
  for (auto& [number, all] : gathered) {
    const Series& series = table.series()[number];
    Reading reading;
    if (all.trouble.empty() && series.kind == SeriesKind::kHistogram) all.trouble = FillHistogram(all, reading);
    if (!all.trouble.empty()) {
      exposition.refused.emplace_back(number, std::move(all.trouble));
      continue;
    }
    if (series.kind != SeriesKind::kHistogram) reading.value = all.value * series.unit_seconds;
    exposition.readings.emplace(number, std::move(reading));
  }
  return exposition;
}

}  // namespace weir::apps
