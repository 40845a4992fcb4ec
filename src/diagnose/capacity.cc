#include "diagnose/capacity.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace weir::diagnose {
namespace {

constexpr double kMega = 1e6;
constexpr std::string_view kDatePrefix = "# date: ";
constexpr size_t kMaxTypes = 100'000;

// Empty is 0; nullopt when it is no number.
std::optional<double> Number(std::string_view text) {
  double value = 0;
  if (text.empty()) return value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > 1e9) return std::nullopt;
  return value;
}

std::string_view NextLine(std::string_view& rest) {
  const size_t newline = rest.find('\n');
  const std::string_view line = rest.substr(0, newline);
  rest = newline == std::string_view::npos ? "" : rest.substr(newline + 1);
  return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

}  // namespace

extern const std::string_view kInstanceBandwidthCsv;  // made from instance_bandwidth.csv by the build

const InstanceTable& InstanceTable::Shipped() {
  static const InstanceTable table = [] {
    Result<InstanceTable> parsed = Parse(kInstanceBandwidthCsv);
    return parsed.ok() ? *std::move(parsed) : InstanceTable{};
  }();
  return table;
}

Result<InstanceTable> InstanceTable::Parse(std::string_view csv) {
  InstanceTable table;
  bool header = true;
  for (size_t number = 1; !csv.empty(); ++number) {
    const std::string_view line = NextLine(csv);
    if (line.starts_with(kDatePrefix)) table.date_ = line.substr(kDatePrefix.size());
    if (line.empty() || line.starts_with('#')) continue;
    if (std::exchange(header, false)) continue;
    const size_t first = line.find(',');
    const size_t second = first == std::string_view::npos ? first : line.find(',', first + 1);
    if (second == std::string_view::npos || first == 0) {
      return Status::Invalid(fmt::format("instance table, line {}: not TYPE,BASELINE,PEAK", number));
    }
    const std::optional<double> baseline = Number(line.substr(first + 1, second - first - 1));
    const std::optional<double> peak = Number(line.substr(second + 1));
    if (!baseline || !peak) return Status::Invalid(fmt::format("instance table, line {}: not Mbit/s", number));
    if (table.types_.size() >= kMaxTypes) return Status::Invalid("instance table: more than 100,000 types");
    table.types_[std::string(line.substr(0, first))] = {*baseline * kMega, *peak * kMega, ""};
  }
  for (auto& [type, capacity] : table.types_) {
    capacity.source = fmt::format("instance table of {}", table.date_.empty() ? "an unknown day" : table.date_);
  }
  return table;
}

const Capacity* InstanceTable::Find(const std::string& instance_type) const {
  const auto found = types_.find(instance_type);
  return found == types_.end() ? nullptr : &found->second;
}

Status Capacities::Configure(std::string_view assignment) {
  const size_t equals = assignment.find('=');
  const std::string_view values = equals == std::string_view::npos ? "" : assignment.substr(equals + 1);
  const size_t slash = values.find('/');
  const std::optional<double> baseline = Number(values.substr(0, slash));
  const std::optional<double> peak = slash == std::string_view::npos ? baseline : Number(values.substr(slash + 1));
  if (equals == 0 || values.empty() || !baseline || !peak || *baseline <= 0) {
    return Status::Invalid(fmt::format(
        "capacity '{}' is not NODE=BASELINE or NODE=BASELINE/PEAK in Mbit/s, e.g. *=5000/10000", assignment));
  }
  configured_[std::string(assignment.substr(0, equals))] = {*baseline * kMega, *peak * kMega, "configuration"};
  return Status::Ok();
}

Capacity Capacities::Of(const std::string& node, const CapacityFacts& facts) const {
  const Capacity* instance = table_->Find(facts.instance_type);
  if (facts.label_baseline_mbits != 0) {
    Capacity capacity{static_cast<double>(facts.label_baseline_mbits) * kMega, 0, "node label"};
    if (instance != nullptr && instance->peak_bits > 0) capacity.peak_bits = instance->peak_bits;
    return capacity;
  }
  for (const std::string& name : {node, std::string("*")}) {
    if (const auto found = configured_.find(name); found != configured_.end()) return found->second;
  }
  if (instance != nullptr) return *instance;
  if (facts.link_bits > 0) return {0, facts.link_bits, "link speed"};
  return {};
}

}  // namespace weir::diagnose
