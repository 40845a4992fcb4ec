#include "base/metric_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/utf8.h"

namespace weir {
namespace {

constexpr double kLargestExact = 9007199254740992.0;  // 2^53

std::string_view TypeIn(MetricFormat format, FamilyType type) {
  switch (type) {
    case FamilyType::kCounter: return "counter";
    case FamilyType::kGauge: return "gauge";
    case FamilyType::kHistogram: return "histogram";
    case FamilyType::kPlainCounter: return format == MetricFormat::kOpenMetrics ? "unknown" : "counter";
  }
  return "unknown";
}

void AppendEscaped(std::string& out, char c, bool quotes) {
  if (c == '\n') {
    out += "\\n";
  } else if (c == '\\' || (quotes && c == '"')) {
    out += '\\';
    out += c;
  } else {
    out += c;
  }
}

void AppendHelp(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) AppendEscaped(out, c, quotes);
}

bool IsPlain(char c) { return c >= ' ' && c != '"' && c != '\\' && c != 0x7f; }

void AppendLabelValue(std::string& out, std::string_view value) {
  while (!value.empty()) {
    // Nearly all values are plain to their end.
    size_t plain = 0;
    while (plain < value.size() && IsPlain(value[plain])) ++plain;
    out += value.substr(0, plain);
    value.remove_prefix(plain);
    if (value.empty()) return;
    const CodePoint point = FirstCodePoint(value);
    if (!point.valid) {
      out += kReplacementCharacter;
    } else if (point.bytes == 1) {
      AppendEscaped(out, value[0], true);
    } else {
      out += value.substr(0, point.bytes);
    }
    value.remove_prefix(point.bytes);
  }
}

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// The part before the next `separator`, trimmed; `text` is what follows.
std::string_view Cut(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return Trimmed(part);
}

double QualityOf(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = Cut(parameters, ';');
    if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) continue;
    double quality = 0;
    const char* end = parameter.data() + parameter.size();
    const auto [rest, error] = std::from_chars(parameter.data() + 2, end, quality);
    return error == std::errc{} && rest == end && quality >= 0 && quality <= 1 ? quality : 0;
  }
  return 1;
}

}  // namespace

MetricFormat FormatFor(std::string_view accept) {
  double open_metrics = 0;
  double prometheus = 0;
  while (!accept.empty()) {
    std::string_view range = Cut(accept, ',');
    const std::string_view type = Cut(range, ';');
    const double quality = QualityOf(range);
    if (type == "application/openmetrics-text") open_metrics = std::max(open_metrics, quality);
    if (type == "text/plain" || type == "text/*" || type == "*/*") prometheus = std::max(prometheus, quality);
  }
  return open_metrics > prometheus ? MetricFormat::kOpenMetrics : MetricFormat::kPrometheus;
}

std::string_view ContentTypeOf(MetricFormat format) {
  return format == MetricFormat::kOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                              : "text/plain; version=0.0.4; charset=utf-8";
}

void AppendNumber(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
    return;
  }
  std::array<char, 32> digits;
  const bool whole = std::abs(value) < kLargestExact && value == std::floor(value);
  const auto end = whole ? std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<int64_t>(value))
                         : std::to_chars(digits.data(), digits.data() + digits.size(), value);
  out.append(digits.data(), end.ptr);
}

void MetricText::Begin(const MetricFamily& family) {
  family_ = &family;
  names_.clear();
  ForEachWord(family.labels, [this](std::string_view name) { names_.push_back(name); });
  std::string title(family.name);
  if (!open_metrics() && family.type == FamilyType::kCounter) title += "_total";
  text_.append("# TYPE ").append(title).append(" ").append(TypeIn(format_, family.type)).append("\n");
  if (open_metrics() && !family.unit.empty()) {
    text_.append("# UNIT ").append(title).append(" ").append(family.unit).append("\n");
  }
  text_.append("# HELP ").append(title).append(" ");
  AppendHelp(text_, family.help, open_metrics());
  text_ += '\n';
}

void MetricText::RenderLabels(std::span<const std::string_view> labels) {
  labels_.clear();
  for (size_t i = 0; i < labels.size() && i < names_.size(); ++i) {
    if (labels[i].empty()) continue;
    if (!labels_.empty()) labels_ += ',';
    labels_.append(names_[i]).append("=\"");
    AppendLabelValue(labels_, labels[i]);
    labels_ += '"';
  }
}

void MetricText::Line(std::string_view suffix, std::string_view more_labels, double value) {
  text_.append(family_->name).append(suffix);
  if (!labels_.empty() || !more_labels.empty()) {
    text_.append("{").append(labels_);
    if (!labels_.empty() && !more_labels.empty()) text_ += ',';
    text_.append(more_labels).append("}");
  }
  text_ += ' ';
  AppendNumber(text_, value);
  text_ += '\n';
  ++samples_;
}

void MetricText::CreatedLine(UnixMillis created) {
  if (!open_metrics() || !created_ || created == 0) return;
  Line("_created", "", static_cast<double>(created) / 1'000);
}

void MetricText::Add(std::span<const std::string_view> labels, double value, UnixMillis created) {
  RenderLabels(labels);
  const bool counter = family_->type == FamilyType::kCounter;
  Line(counter ? "_total" : "", "", value);
  if (counter) CreatedLine(created);
}

void MetricText::AddHistogram(std::span<const std::string_view> labels, const HistogramSample& histogram,
                              UnixMillis created) {
  RenderLabels(labels);
  uint64_t below = 0;
  std::string bound;
  for (size_t i = 0; i < histogram.buckets.size(); ++i) {
    below += histogram.buckets[i];
    bound = "le=\"";
    if (i < histogram.bounds.size()) {
      AppendNumber(bound, histogram.bounds[i]);
      // OpenMetrics wants bounds to look like floats, so that "1" and "1.0" are not two series.
      if (bound.find_first_of(".e", 4) == std::string::npos) bound += ".0";
    } else {
      bound += "+Inf";
    }
    bound += '"';
    Line("_bucket", bound, static_cast<double>(below));
  }
  Line("_count", "", static_cast<double>(below));
  Line("_sum", "", histogram.sum);
  CreatedLine(created);
}

std::string MetricText::Finish() {
  if (open_metrics()) text_ += "# EOF\n";
  return std::move(text_);
}

}  // namespace weir
