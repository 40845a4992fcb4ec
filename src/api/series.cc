#include "api/series.h"

#include <algorithm>
#include <array>
#include <map>

#include "api/row_writer.h"
#include "api/time_text.h"
#include "net/http_error.h"

namespace weir::api {
namespace {

using Row = std::vector<store::Cell>;

int64_t FirstStep(const store::TimeRange& range, int64_t step_ms) {
  const int64_t rest = range.from % step_ms;
  return range.from - (rest < 0 ? rest + step_ms : rest);
}

struct Series {
  const Row* any = nullptr;         // a row of the group, for its dimensions
  std::vector<const Row*> by_step;  // null = no data
  double weight = 0;                // sum of the first measure
};

std::vector<size_t> PositionsOf(const std::vector<const model::Column*>& wanted,
                                const std::vector<const model::Column*>& columns) {
  std::vector<size_t> positions;
  for (const model::Column* column : wanted) {
    const auto found = std::find(columns.begin(), columns.end(), column);
    if (found != columns.end()) positions.push_back(static_cast<size_t>(found - columns.begin()));
  }
  return positions;
}

class Builder {
 public:
  Builder(const store::FlowResult& result, const SeriesOptions& options)
      : result_(result),
        options_(options),
        writer_(result.columns),
        groups_(PositionsOf(options.group_by, result.columns)),
        measures_(PositionsOf(options.measures, result.columns)),
        first_(FirstStep(options.range, options.step_ms)),
        steps_(StepsOf(options.range, options.step_ms)) {}

  std::vector<Series> Collect() const {
    const std::vector<size_t> start = PositionsOf({model::FindColumn("start")}, result_.columns);
    std::map<std::string, Series> by_group;
    if (start.empty()) return {};
    for (const Row& row : result_.rows) {
      const int64_t step = (static_cast<int64_t>(row[start.front()].number) - first_) / options_.step_ms;
      if (step < 0 || step >= steps_) continue;
      std::string key;
      for (const size_t position : groups_) {
        writer_.AppendValueJson(key, row, position);
        key += ',';
      }
      Series& series = by_group[key];
      series.any = &row;
      series.by_step.resize(static_cast<size_t>(steps_), nullptr);
      series.by_step[static_cast<size_t>(step)] = &row;
      if (!measures_.empty() && !writer_.Unknown(row, measures_.front()))
        series.weight += row[measures_.front()].number;
    }
    std::vector<Series> ordered;
    for (auto& [key, series] : by_group) ordered.push_back(std::move(series));
    std::stable_sort(ordered.begin(), ordered.end(),
                     [](const Series& a, const Series& b) { return a.weight > b.weight; });
    return ordered;
  }

  std::string Times() const {
    std::string out = "[";
    for (int64_t step = 0; step < steps_; ++step) {
      if (step != 0) out += ", ";
      out += '"' + FormatTime(first_ + step * options_.step_ms) + '"';
    }
    return out + "]";
  }

  void Append(std::string& out, const Series& series) const {
    out += "{\"group\": {";
    for (size_t i = 0; i < groups_.size(); ++i) {
      out += (i == 0 ? "" : ", ") + net::JsonQuote(result_.columns[groups_[i]]->name) + ": ";
      writer_.AppendValueJson(out, *series.any, groups_[i]);
    }
    out += "}, \"values\": {";
    for (size_t i = 0; i < measures_.size(); ++i) {
      out += (i == 0 ? "" : ", ") + net::JsonQuote(result_.columns[measures_[i]]->name) + ": [";
      for (size_t step = 0; step < series.by_step.size(); ++step) {
        if (step != 0) out += ", ";
        if (const Row* row = series.by_step[step]; row != nullptr) {
          writer_.AppendValueJson(out, *row, measures_[i]);
        } else {
          out += "null";
        }
      }
      out += ']';
    }
    out += "}}";
  }

 private:
  const store::FlowResult& result_;
  const SeriesOptions& options_;
  const RowWriter writer_;
  const std::vector<size_t> groups_;  // cells
  const std::vector<size_t> measures_;
  const int64_t first_;
  const int64_t steps_;
};

}  // namespace

int64_t StepsOf(const store::TimeRange& range, int64_t step_ms) {
  return (range.to - 1 - FirstStep(range, step_ms)) / step_ms + 1;
}

int64_t DefaultStep(const store::TimeRange& range) {
  constexpr int64_t kSecond = 1'000;
  constexpr int64_t kDay = 86'400 * kSecond;
  constexpr std::array<int64_t, 18> kRound{
      1 * kSecond,     2 * kSecond,     5 * kSecond,      10 * kSecond,     15 * kSecond,     30 * kSecond,
      60 * kSecond,    120 * kSecond,   300 * kSecond,    600 * kSecond,    900 * kSecond,    1'800 * kSecond,
      3'600 * kSecond, 7'200 * kSecond, 10'800 * kSecond, 21'600 * kSecond, 43'200 * kSecond, kDay};
  for (const int64_t step : kRound) {
    if (StepsOf(range, step) <= kDefaultPoints) return step;
  }
  const int64_t days = (range.to - range.from) / (kDay * (kDefaultPoints - 1)) + 1;
  return days * kDay;
}

std::vector<const model::Column*> WithSamples(const std::vector<const model::Column*>& measures) {
  std::vector<const model::Column*> all = measures;
  for (const model::Column* column : measures) {
    for (const std::string_view name : model::SampleColumns(*column)) {
      const model::Column* sample = model::FindColumn(name);
      if (std::find(all.begin(), all.end(), sample) == all.end()) all.push_back(sample);
    }
  }
  return all;
}

SeriesText BuildSeries(const store::FlowResult& result, const SeriesOptions& options) {
  const Builder builder(result, options);
  std::vector<Series> all = builder.Collect();
  SeriesText text;
  text.groups_left_out = result.groups_left_out;
  if (all.size() > options.limit) {
    text.groups_left_out += all.size() - options.limit;
    all.resize(options.limit);
  }
  text.times = builder.Times();
  text.series = "[";
  for (size_t i = 0; i < all.size(); ++i) {
    if (i != 0) text.series += ",\n";
    builder.Append(text.series, all[i]);
  }
  text.series += "]";
  return text;
}

}  // namespace weir::api
