#include "apps/app_windows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace weir::apps {
namespace {

constexpr double kMicros = 1e6;
constexpr double kSlack = 1e-6;  // of a sum: it is added up in floating point
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Place {
  std::optional<double> value;  // seconds
  double low = 0;
  double high = 0;
};

// Where `q` of the samples lie below: straight through the bucket that has it.
Place QuantileOf(const std::vector<double>& bounds, const std::vector<double>& counts, double total, double q) {
  double before = 0;
  for (size_t bucket = 0; bucket < counts.size(); ++bucket) {
    if (counts[bucket] == 0 || before + counts[bucket] < q * total) {
      before += counts[bucket];
      continue;
    }
    Place place;
    place.low = bucket == 0 ? std::min(0.0, bounds.empty() ? 0.0 : bounds[0]) : bounds[bucket - 1];
    place.high = bucket < bounds.size() ? bounds[bucket] : kInfinity;
    if (place.high < kInfinity) {
      const double share = std::clamp((q * total - before) / counts[bucket], 0.0, 1.0);
      place.value = std::clamp(place.low + (place.high - place.low) * share, place.low, place.high);
    }
    return place;
  }
  return {};
}

bool NoneGrew(const std::vector<double>& before, const std::vector<double>& now) {
  return std::equal(before.begin(), before.end(), now.begin(), now.end(), [](double b, double n) { return n <= b; });
}

}  // namespace

AppWindows::Change AppWindows::Compare(const Series& series, const Reading& before, const Reading& now,
                                       std::string& why) const {
  if (series.kind == SeriesKind::kGauge) return Change::kGrew;
  if (series.kind != SeriesKind::kHistogram) return now.value >= before.value ? Change::kGrew : Change::kRestarted;
  if (before.bounds != now.bounds) return Change::kRestarted;
  const double slack = kSlack * before.sum;
  if (now.count < before.count) {
    if (NoneGrew(before.counts, now.counts) || now.sum < before.sum) return Change::kRestarted;
    why = fmt::format("the count of {} went back from {:.0f} to {:.0f} while its sum grew", series.name, before.count,
                      now.count);
    return Change::kImpossible;
  }
  for (size_t bucket = 0; bucket < now.counts.size(); ++bucket) {
    if (now.counts[bucket] >= before.counts[bucket]) continue;
    why = fmt::format("a bucket of {} went back while its count did not", series.name);
    return Change::kImpossible;
  }
  if (now.sum >= before.sum - slack) return Change::kGrew;
  why = fmt::format("the sum of {} went back while its count did not", series.name);
  return Change::kImpossible;
}

// "" when the sum can be that of samples in these buckets.
std::string AppWindows::ImpossibleSum(const Delta& delta, const Reading& now) const {
  double least = 0;
  double most = 0;
  for (const auto& [bucket, count] : delta.counts) {
    least += count * (bucket == 0 ? std::min(0.0, now.bounds.empty() ? 0.0 : now.bounds[0]) : now.bounds[bucket - 1]);
    most += bucket < now.bounds.size() ? count * now.bounds[bucket] : kInfinity;
  }
  const double slack = kSlack * (now.sum + 1);
  if (delta.sum >= least - slack && delta.sum <= most + slack) return "";
  return fmt::format("{:.0f} samples of {} cannot add up to {:g} s by their buckets", delta.count,
                     table_->series()[delta.series].name, delta.sum);
}

// Other buckets than before cannot be added to those: what was counted in them is forgotten.
void AppWindows::SetBounds(SeriesNumber number, const std::vector<double>& bounds) {
  std::vector<double>& known = bounds_[number];
  if (known == bounds) return;
  known = bounds;
  for (Step& step : steps_) {
    std::erase_if(step.deltas, [&](const Delta& delta) { return delta.series == number; });
  }
}

void AppWindows::TakeOne(SeriesNumber number, const Reading& reading, Step& step, Judgement& judgement) {
  const Series& series = table_->series()[number];
  const auto known = known_.find(number);
  Delta delta;
  delta.series = number;
  if (series.kind == SeriesKind::kGauge) {
    delta.from = step.at;
    delta.value = reading.value;
    ++judgement.believed;
    step.deltas.push_back(std::move(delta));
    return;
  }
  SetBounds(number, reading.bounds);
  if (known == known_.end()) {
    known_[number] = {reading, step.at};
    ++judgement.believed;
    return;
  }
  std::string why;
  const Change change = Compare(series, known->second.reading, reading, why);
  delta.from = known->second.at;
  if (change == Change::kGrew && series.kind == SeriesKind::kHistogram) {
    const Reading& before = known->second.reading;
    for (size_t bucket = 0; bucket < reading.counts.size(); ++bucket) {
      const double grown = reading.counts[bucket] - before.counts[bucket];
      if (grown > 0) delta.counts.emplace_back(static_cast<uint8_t>(bucket), grown);
    }
    delta.count = reading.count - before.count;
    delta.sum = std::max(0.0, reading.sum - before.sum);
    why = ImpossibleSum(delta, reading);
  } else if (change == Change::kGrew) {
    delta.value = reading.value - known->second.reading.value;
  }
  if (!why.empty()) {
    known_.erase(known);  // nothing is compared with what is not believed
    ++judgement.refused;
    if (judgement.why.empty()) judgement.why = std::move(why);
    return;
  }
  known->second = {reading, step.at};
  ++judgement.believed;
  judgement.restarted = judgement.restarted || change == Change::kRestarted;
  if (change == Change::kGrew) step.deltas.push_back(std::move(delta));
}

AppWindows::Judgement AppWindows::Add(const Exposition& exposition, UnixMillis at) {
  Judgement judgement;
  judgement.refused = exposition.refused.size();
  if (!exposition.refused.empty()) {
    const auto& [number, why] = exposition.refused.front();
    judgement.why = fmt::format("{}: {}", table_->series()[number].name, why);
  }
  Step step;
  step.at = at;
  for (const auto& [number, reading] : exposition.readings) {
    TakeOne(number, reading, step, judgement);
    if (number == exposition.readings.begin()->first) server_ = &table_->servers()[table_->series()[number].server];
  }
  restarts_.push_back(judgement.restarted);
  if (restarts_.size() > kRestartsWatched) restarts_.pop_front();
  const auto restarts = static_cast<size_t>(std::count(restarts_.begin(), restarts_.end(), true));
  if (restarts > kMostRestarts) {
    judgement.refused += std::max<size_t>(judgement.believed, 1);
    judgement.believed = 0;
    judgement.why = fmt::format("its counters fell in {} of {} readings: several processes answer at this address",
                                restarts, restarts_.size());
    return judgement;
  }
  if (!step.deltas.empty()) steps_.push_back(std::move(step));
  while (!steps_.empty() && (steps_.size() > kMaxSteps || steps_.front().at < at - kKeptMs)) steps_.pop_front();
  return judgement;
}

AppFigure AppWindows::FigureOf(SeriesNumber number, UnixMillis from, UnixMillis to, AppFigures& range,
                               bool& found) const {
  const Series& series = table_->series()[number];
  AppFigure figure;
  figure.series = series.name;
  figure.gauge = series.kind == SeriesKind::kGauge;
  const auto known = bounds_.find(number);
  const std::vector<double> bounds = known == bounds_.end() ? std::vector<double>() : known->second;
  std::vector<double> counts(bounds.size() + 1);
  double sum = 0;
  for (const Step& step : steps_) {
    if (step.at <= from || step.at > to) continue;
    for (const Delta& delta : step.deltas) {
      if (delta.series != number) continue;
      found = true;
      range.from = range.from == 0 ? delta.from : std::min(range.from, delta.from);
      range.to = std::max(range.to, step.at);
      sum += series.kind == SeriesKind::kHistogram ? delta.sum : delta.value;
      figure.value = figure.gauge ? delta.value : figure.value + delta.value + delta.count;
      for (const auto& [bucket, count] : delta.counts) {
        if (bucket < counts.size()) counts[bucket] += count;
      }
    }
  }
  if (series.kind == SeriesKind::kTimeSum) figure.mean_us = sum * kMicros;  // a sum still; Between() divides it
  if (series.kind != SeriesKind::kHistogram || figure.value == 0) return figure;
  figure.mean_us = sum / figure.value * kMicros;
  const Place median = QuantileOf(bounds, counts, figure.value, 0.5);
  const Place high = QuantileOf(bounds, counts, figure.value, 0.99);
  if (median.value) figure.p50_us = *median.value * kMicros;
  if (high.value) figure.p99_us = *high.value * kMicros;
  figure.p50_low_us = median.low * kMicros;
  figure.p50_high_us = median.high * kMicros;
  figure.p99_low_us = high.low * kMicros;
  figure.p99_high_us = high.high * kMicros;
  return figure;
}

AppFigures AppWindows::Between(UnixMillis from, UnixMillis to) const {
  AppFigures answer;
  std::array<std::optional<double>, kMeanings> sums;  // of times that a count of its own divides
  for (size_t number = 0; number < table_->series().size(); ++number) {
    const Series& series = table_->series()[number];
    std::optional<AppFigure>& place = answer.figures[static_cast<size_t>(series.meaning)];
    const bool divides = series.kind == SeriesKind::kTimeCount;
    std::optional<double>& total = sums[static_cast<size_t>(series.meaning)];
    // The first series that counted anything speaks; a sum and its count speak together.
    if (place && place->value > 0 && !(divides && total)) continue;
    bool found = false;
    AppFigure figure = FigureOf(static_cast<SeriesNumber>(number), from, to, answer, found);
    if (!found) continue;
    if (series.kind == SeriesKind::kTimeSum) {
      total = figure.mean_us;
      figure.mean_us.reset();
      figure.value = 0;
      place = std::move(figure);
    } else if (divides) {
      if (!place || !total) continue;
      place->value = figure.value;
      if (figure.value > 0) place->mean_us = *total / figure.value;
      total.reset();
    } else if (!place || figure.value > 0) {
      place = std::move(figure);
    }
  }
  return answer;
}

}  // namespace weir::apps
