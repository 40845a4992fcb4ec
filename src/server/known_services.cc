#include "server/known_services.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "server/data_files.h"

namespace weir::server {
namespace {

constexpr std::string_view kRegion = "{region}";

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// The next part of `text` up to `separator`, taken off it.
std::string_view Next(std::string_view& text, char separator) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return Trim(part);
}

// The last label of `text`, taken off it.
std::string_view TakeLabel(std::string_view& text) {
  const size_t dot = text.rfind('.');
  const std::string_view label = dot == std::string_view::npos ? text : text.substr(dot + 1);
  text = dot == std::string_view::npos ? std::string_view{} : text.substr(0, dot);
  return label;
}

// At most one wildcard in a pattern, which stands for one character at least.
bool MatchesLabel(std::string_view label, std::string_view pattern, std::string& region) {
  const bool is_region = pattern.find(kRegion) != std::string_view::npos;
  const size_t at = is_region ? pattern.find(kRegion) : pattern.find('*');
  if (at == std::string_view::npos) return label == pattern;
  const std::string_view before = pattern.substr(0, at);
  const std::string_view after = pattern.substr(at + (is_region ? kRegion.size() : 1));
  if (label.size() <= before.size() + after.size() || !label.starts_with(before) || !label.ends_with(after)) {
    return false;
  }
  if (is_region) region = label.substr(before.size(), label.size() - before.size() - after.size());
  return true;
}

}  // namespace

const KnownServices& KnownServices::Shipped() {
  static const KnownServices shipped = [] {
    Result<KnownServices> parsed = Parse(kKnownServicesText);
    if (!parsed.ok()) LogError("known_services.txt: {}", parsed.status().message());
    return parsed.ok() ? *std::move(parsed) : KnownServices();
  }();
  return shipped;
}

Result<KnownServices> KnownServices::Parse(std::string_view text) {
  KnownServices services;
  for (size_t number = 1; !text.empty(); ++number) {
    std::string_view line = Next(text, '\n');
    if (line.empty() || line.front() == '#') continue;
    const std::string class_name(Next(line, '|'));
    const std::string name(Next(line, '|'));
    if (class_name.empty() || name.empty() || line.empty()) {
      return Status::Invalid(fmt::format("line {} is not: class | name | pattern, pattern", number));
    }
    while (!line.empty()) {
      std::string_view pattern = Next(line, ',');
      if (pattern.empty()) continue;
      Rule& rule = services.rules_.emplace_back(Rule{{}, name, class_name});
      while (!pattern.empty()) rule.labels.emplace_back(TakeLabel(pattern));
    }
  }
  std::stable_sort(services.rules_.begin(), services.rules_.end(),
                   [](const Rule& a, const Rule& b) { return a.labels.size() > b.labels.size(); });
  return services;
}

KnownServiceName KnownServices::Find(std::string_view name) const {
  for (const Rule& rule : rules_) {
    std::string_view rest = name;
    std::string region;
    const bool matches = std::all_of(rule.labels.begin(), rule.labels.end(), [&](const std::string& pattern) {
      return !rest.empty() && MatchesLabel(TakeLabel(rest), pattern, region);
    });
    if (matches) return {rule.name, rule.class_name, std::move(region)};
  }
  return {};
}

std::string_view ClassOfPort(uint16_t port) {
  constexpr uint16_t kNfs = 2049;
  constexpr uint16_t kLustre = 988;
  return port == kNfs || port == kLustre ? "file_store" : "";
}

}  // namespace weir::server
