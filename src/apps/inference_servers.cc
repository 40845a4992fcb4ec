#include "apps/inference_servers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/log.h"

namespace weir::apps {

extern const std::string_view kInferenceServersText;  // made from inference_servers.txt by the build

namespace {

constexpr std::string_view kDatePrefix = "# date: ";
constexpr size_t kMaxSeries = 10'000;

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\r')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

// The next part of `text` up to `separator`, taken off it.
std::string_view Next(std::string_view& text, char separator) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return Trim(part);
}

std::optional<Meaning> MeaningNamed(std::string_view name) {
  for (size_t index = 0; index < kMeanings; ++index) {
    if (kMeaningTable[index].name == name) return static_cast<Meaning>(index);
  }
  return std::nullopt;
}

std::optional<SeriesKind> KindNamed(std::string_view name) {
  if (name == "histogram") return SeriesKind::kHistogram;
  if (name == "time_sum") return SeriesKind::kTimeSum;
  if (name == "time_count") return SeriesKind::kTimeCount;
  if (name == "counter") return SeriesKind::kCounter;
  if (name == "gauge") return SeriesKind::kGauge;
  return std::nullopt;
}

std::optional<double> UnitNamed(std::string_view name) {
  if (name == "s" || name == "1") return 1;
  if (name == "ms") return 1e-3;
  if (name == "us") return 1e-6;
  return std::nullopt;
}

}  // namespace

const InferenceServers& InferenceServers::Shipped() {
  static const InferenceServers shipped = [] {
    Result<InferenceServers> parsed = Parse(kInferenceServersText);
    if (!parsed.ok()) LogError("inference_servers.txt: {}", parsed.status().message());
    return parsed.ok() ? *std::move(parsed) : InferenceServers();
  }();
  return shipped;
}

Result<InferenceServers> InferenceServers::Parse(std::string_view text) {
  InferenceServers table;
  for (size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = Next(text, '\n');
    if (line.starts_with(kDatePrefix)) table.date_ = line.substr(kDatePrefix.size());
    if (line.empty() || line.front() == '#') continue;
    WEIR_RETURN_IF_ERROR(table.ReadLine(line).Annotate(fmt::format("line {}", number)));
  }
  return table;
}

Status InferenceServers::ReadLine(std::string_view line) {
  const std::string_view what = Next(line, '|');
  if (what == "server") return ReadServer(line);
  if (what == "series") return ReadSeries(line);
  return Status::Invalid(fmt::format("'{}' is neither server nor series", what.substr(0, 40)));
}

Status InferenceServers::ReadServer(std::string_view rest) {
  InferenceServer server;
  server.name = Next(rest, '|');
  std::string_view images = Next(rest, '|');
  while (!images.empty()) server.images.emplace_back(Next(images, ','));
  const std::string_view port = Next(rest, '|');
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), server.port);
  if (error != std::errc() || end != port.data() + port.size()) return Status::Invalid("the port is no port");
  server.path = Next(rest, '|');
  server.clock_starts = Trim(rest);
  if (server.name.empty() || !server.path.starts_with('/') || server.clock_starts.empty()) {
    return Status::Invalid("not: server | NAME | images | port | path | where its clock starts");
  }
  servers_.push_back(std::move(server));
  return Status::Ok();
}

Status InferenceServers::ReadSeries(std::string_view rest) {
  const std::string_view server = Next(rest, '|');
  Series series;
  series.name = Next(rest, '|');
  const std::optional<Meaning> meaning = MeaningNamed(Next(rest, '|'));
  const std::optional<SeriesKind> kind = KindNamed(Next(rest, '|'));
  const std::optional<double> unit = UnitNamed(Trim(rest));
  const auto of = std::find_if(servers_.begin(), servers_.end(), [&](const auto& one) { return one.name == server; });
  if (of == servers_.end()) return Status::Invalid("a series of a server that no line above names");
  if (series.name.empty() || !meaning || !kind || !unit) {
    return Status::Invalid("not: series | SERVER | name | meaning | kind | unit");
  }
  if (series_.size() >= kMaxSeries) return Status::Exhausted(fmt::format("more than {} series", kMaxSeries));
  series.server = static_cast<size_t>(of - servers_.begin());
  series.meaning = *meaning;
  series.kind = *kind;
  series.unit_seconds = *unit;
  series_.push_back(std::move(series));
  Index(static_cast<SeriesNumber>(series_.size() - 1));
  return Status::Ok();
}

void InferenceServers::Index(SeriesNumber number) {
  const Series& series = series_[number];
  const auto add = [&](std::string_view suffix, Part part) {
    places_[series.name + std::string(suffix)].push_back({number, part});
  };
  if (series.kind == SeriesKind::kHistogram) {
    add("_bucket", Part::kBucket);
    add("_sum", Part::kSum);
    add("_count", Part::kCount);
    return;
  }
  add("", Part::kValue);
  if (series.kind != SeriesKind::kGauge) add("_total", Part::kValue);
}

const std::vector<InferenceServers::Place>* InferenceServers::Find(std::string_view sample) const {
  const auto found = places_.find(sample);
  return found == places_.end() ? nullptr : &found->second;
}

const InferenceServer* InferenceServers::OfImage(std::string_view image) const {
  // "registry:5000/team/vllm-openai:v1@sha256:..." without what is behind the name.
  image = image.substr(0, image.find('@'));
  if (const size_t colon = image.rfind(':'); colon != std::string_view::npos && image.find('/', colon) == image.npos) {
    image = image.substr(0, colon);
  }
  for (const InferenceServer& server : servers_) {
    for (const std::string& part : server.images) {
      if (image.find(part) != std::string_view::npos) return &server;
    }
  }
  return nullptr;
}

}  // namespace weir::apps
