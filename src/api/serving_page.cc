#include "api/serving_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>

#include "api/named_cells.h"
#include "api/row_writer.h"
#include "api/time_text.h"
#include "base/metrics.h"

namespace weir::api {
namespace {

using apps::AppFigure;
using apps::Meaning;
using apps::TargetState;
using apps::TargetView;
using Cells = std::vector<store::Cell>;

bool SameCell(const store::Cell& a, const store::Cell& b) { return a.text == b.text && a.exact == b.exact; }

// By the columns of the group, the last of them, the port, only where `port`.
bool SameServer(const Cells& a, const Cells& b, bool port) {
  const auto columns = static_cast<std::ptrdiff_t>(ServingGroup().size() - (port ? 0 : 1));
  return std::equal(a.begin(), a.begin() + columns, b.begin(), b.begin() + columns, SameCell);
}

bool Means(const apps::Target& target, const NamedCells& row) {
  if (!target.pod.empty()) {
    const std::string_view cluster = row.Text("server_cluster");
    return row.Text("server_pod") == target.pod && row.Text("server_namespace") == target.name_space &&
           (cluster.empty() || cluster == target.cluster);
  }
  if (target.name.empty()) return row.Whole("server_port") == target.port;
  const std::string space = std::string(row.Text("server_namespace")) + '/';
  for (const std::string_view column : {"server_workload", "server_pod"}) {
    const std::string name(row.Text(column));
    if (!name.empty() && (target.name == name || target.name == space + name)) return true;
  }
  return target.name == row.Text("server_container_name") || target.name == row.Text("server_process");
}

struct Choice {
  std::optional<size_t> row;
  std::string reason;
};

// The busiest row of the one server that is meant, at the port that is asked where it serves there.
Choice RowOf(const ServingFacts& facts, const apps::Target& target) {
  std::vector<size_t> meant;
  std::vector<size_t> at_port;
  for (size_t index = 0; index < facts.rows.rows.size(); ++index) {
    const NamedCells row(facts.rows, facts.rows.rows[index]);
    if (!Means(target, row)) continue;
    meant.push_back(index);
    if (row.Whole("server_port") == target.port) at_port.push_back(index);
  }
  const std::vector<size_t>& among = at_port.empty() ? meant : at_port;
  if (among.empty()) return {std::nullopt, "no request to it was measured in this range"};
  const Cells& first = facts.rows.rows[among[0]];
  const bool one = std::all_of(among.begin(), among.end(),
                               [&](size_t index) { return SameServer(first, facts.rows.rows[index], false); });
  if (one) return {among[0], ""};
  return {std::nullopt, fmt::format("{} servers are called so or answer at port {}: name the one that is meant, "
                                    "--app-metrics-target NAME=URL",
                                    among.size(), target.port)};
}

std::optional<double> MeanOf(const NamedCells& row, std::string_view sum, uint64_t count) {
  if (count == 0) return std::nullopt;
  return static_cast<double>(row.Whole(sum)) / static_cast<double>(count);
}

diagnose::WireTimes WireOf(const NamedCells& row) {
  diagnose::WireTimes wire;
  wire.requests = row.Whole("requests");
  wire.first_chunks = row.Whole("first_chunk_count");
  wire.first_chunk_us = MeanOf(row, "first_chunk_sum_us", wire.first_chunks);
  wire.chunk_gaps = row.Whole("chunk_gap_count");
  wire.chunk_gap_us = MeanOf(row, "chunk_gap_sum_us", wire.chunk_gaps);
  wire.durations = row.Whole("request_duration_count");
  wire.duration_us = MeanOf(row, "request_duration_sum_us", wire.durations);
  if (row.Whole("receive_wait_count") != 0) wire.receive_wait_us = MeanOf(row, "receive_wait_sum_us", wire.requests);
  if (row.Whole("accept_wait_count") != 0) wire.accept_wait_us = MeanOf(row, "accept_wait_sum_us", wire.requests);
  if (row.Whole("request_upload_count") != 0) wire.upload_us = MeanOf(row, "request_upload_sum_us", wire.requests);
  return wire;
}

std::optional<diagnose::AppMean> AppMeanOf(const apps::AppFigures& figures, Meaning meaning) {
  const std::optional<AppFigure>& figure = figures.Of(meaning);
  if (!figure) return std::nullopt;
  return diagnose::AppMean{figure->value, figure->mean_us};
}

// Why nothing is known of it for this range; "" = something is.
std::string WhyUnknown(const ServingFacts& facts, const TargetView& app) {
  const bool covers_past = app.figures.from != 0 && facts.range.to <= app.last_believed;
  if (app.state != TargetState::kBelieved && !covers_past) {
    return app.last_believed == 0 || app.state == TargetState::kWaiting
               ? app.reason
               : fmt::format("{} (last believed {})", app.reason, FormatTime(app.last_believed));
  }
  if (app.figures.from == 0) return "it was not read in this range, and its numbers are kept for an hour";
  return "";
}

diagnose::AppTimes AppOf(const ServingFacts& facts, const TargetView& app) {
  diagnose::AppTimes times;
  times.unknown = WhyUnknown(facts, app);
  times.server = app.server;
  times.clock_starts = app.clock_starts;
  times.first_token = AppMeanOf(app.figures, Meaning::time_to_first_token);
  times.output_token = AppMeanOf(app.figures, Meaning::time_per_output_token);
  times.duration = AppMeanOf(app.figures, Meaning::request_duration);
  times.queue = AppMeanOf(app.figures, Meaning::queue_duration);
  return times;
}

Json TimeOrNull(UnixMillis time) { return time == 0 ? Json() : Json(FormatTime(time)); }
Json OrNull(const std::optional<double>& value) { return value && std::isfinite(*value) ? Json(*value) : Json(); }
Json OrNull(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json FiguresJson(const apps::AppFigures& figures) {
  Json list = Json::array();
  for (size_t index = 0; index < apps::kMeanings; ++index) {
    const std::optional<AppFigure>& figure = figures.figures[index];
    if (!figure) continue;
    Json json = {{"name", apps::kMeaningTable[index].name}, {"series", figure->series}};
    if (!apps::kMeaningTable[index].is_time) {
      json[figure->gauge ? "value" : "count"] = figure->value;
      list.push_back(std::move(json));
      continue;
    }
    json["count"] = figure->value;
    json["mean_us"] = OrNull(figure->mean_us);
    json["p50_us"] = OrNull(figure->p50_us);
    json["p99_us"] = OrNull(figure->p99_us);
    const bool buckets = figure->p50_high_us > figure->p50_low_us;
    json["p50_between_us"] = buckets ? Json{figure->p50_low_us, OrNull(figure->p50_high_us)} : Json();
    json["p99_between_us"] = buckets ? Json{figure->p99_low_us, OrNull(figure->p99_high_us)} : Json();
    list.push_back(std::move(json));
  }
  return list;
}

Json BesideJson(const diagnose::Beside& beside) {
  return {{"measure", beside.measure},
          {"verdict", NameOf(beside.verdict)},
          {"confidence", beside.confidence},
          {"wire_mean_us", OrNull(beside.wire_us)},
          {"app_mean_us", OrNull(beside.app_us)},
          {"difference_us", OrNull(beside.difference_us)},
          {"sentence", beside.sentence}};
}

Json AppJson(const ServingFacts& facts, const TargetView& app) {
  const std::string unknown = WhyUnknown(facts, app);
  Json json = {{"url", app.target.url},
               {"name", app.target.pod.empty() ? app.target.name : app.target.name_space + "/" + app.target.pod},
               {"server", app.server},
               {"clock_starts", app.clock_starts},
               {"state", apps::NameOf(app.state)},
               {"reason", unknown},
               {"last_believed", TimeOrNull(app.last_believed)},
               {"scrapes", app.scrapes},
               {"failures", app.failures},
               {"series_refused", app.refused},
               {"restarts", app.restarts}};
  json["covers"] = app.figures.from == 0
                       ? Json()
                       : Json{{"since", FormatTime(app.figures.from)}, {"until", FormatTime(app.figures.to)}};
  json["figures"] = unknown.empty() ? FiguresJson(app.figures) : Json::array();
  return json;
}

// The same server in the rows since the application is followed; nullptr = it had no request since.
const Cells* RowSince(const ServingFacts& facts, UnixMillis start, const Cells& row) {
  const auto found = facts.since.find(start);
  if (found == facts.since.end()) return nullptr;
  for (const Cells& cells : found->second.rows) {
    if (SameServer(row, cells, true)) return &cells;
  }
  return nullptr;
}

struct Sides {
  diagnose::WireTimes wire;
  diagnose::AppTimes app;
};

// Both sides of a comparison, of the time that the application covers.
Sides SidesOf(const ServingFacts& facts, const TargetView& app, const Cells& row) {
  diagnose::AppTimes times = AppOf(facts, app);
  diagnose::WireTimes wire = WireOf(NamedCells(facts.rows, row));
  if (const std::optional<UnixMillis> start = LaterStart(facts, app); start && times.unknown.empty()) {
    const Cells* const since = RowSince(facts, *start, row);
    if (since != nullptr) {
      wire = WireOf(NamedCells(facts.since.at(*start), *since));
    } else if (facts.since.contains(*start)) {
      wire = {};
    } else {
      times.unknown =
          fmt::format("it is followed since {} only; ask about a later start", FormatTime(app.figures.from));
    }
  }
  return {std::move(wire), std::move(times)};
}

Json Compare(const Sides& sides) {
  return Json::array({BesideJson(CompareFirstChunk(sides.wire, sides.app)),
                      BesideJson(CompareChunkGap(sides.wire, sides.app)),
                      BesideJson(CompareDuration(sides.wire, sides.app))});
}

}  // namespace

const std::vector<const model::Column*>& ServingGroup() {
  static const auto columns = ColumnsNamed({"server_cluster", "server_namespace", "server_workload", "server_pod",
                                            "server_container_name", "server_process", "server_node", "server_port"});
  return columns;
}

const std::vector<const model::Column*>& ServingMeasures() {
  static const auto columns = ColumnsNamed({"requests",
                                            "requests_streamed",
                                            "first_chunk_count",
                                            "first_chunk_sum_us",
                                            "first_chunk_avg_us",
                                            "first_chunk_p50_us",
                                            "first_chunk_p99_us",
                                            "chunk_gap_count",
                                            "chunk_gap_sum_us",
                                            "chunk_gap_avg_us",
                                            "chunk_gap_p50_us",
                                            "chunk_gap_p99_us",
                                            "request_duration_count",
                                            "request_duration_sum_us",
                                            "request_duration_avg_us",
                                            "request_duration_p50_us",
                                            "request_duration_p99_us",
                                            "receive_wait_count",
                                            "receive_wait_sum_us",
                                            "receive_wait_p99_us",
                                            "accept_wait_count",
                                            "accept_wait_sum_us",
                                            "accept_wait_p99_us",
                                            "request_upload_count",
                                            "request_upload_sum_us",
                                            "request_upload_p99_us"});
  return columns;
}

Matches MatchApps(const ServingFacts& facts) {
  Matches matches;
  for (size_t index = 0; index < facts.apps.size(); ++index) {
    Choice choice = RowOf(facts, facts.apps[index].target);
    if (choice.row && !matches.app_of_row.contains(*choice.row)) {
      matches.app_of_row[*choice.row] = index;
    } else {
      matches.without_row.emplace_back(index,
                                       choice.row ? "another address speaks for the same server" : choice.reason);
    }
  }
  return matches;
}

std::optional<UnixMillis> LaterStart(const ServingFacts& facts, const TargetView& app) {
  if (app.figures.from <= facts.range.from + kWindowMs + kWindowMs / 3) return std::nullopt;
  return app.figures.from / kWindowMs * kWindowMs;
}

std::optional<diagnose::Beside> FirstBeside(const ServingFacts& facts) {
  const Matches matches = MatchApps(facts);
  if (matches.app_of_row.empty()) return std::nullopt;
  const auto [row, app] = *matches.app_of_row.begin();
  const Sides sides = SidesOf(facts, facts.apps[app], facts.rows.rows[row]);
  return CompareFirstChunk(sides.wire, sides.app);
}

Json ServingJson(const ServingFacts& facts) {
  const Matches matches = MatchApps(facts);
  const RowWriter writer(facts.rows.columns);
  Json rows = Json::array();
  for (size_t index = 0; index < facts.rows.rows.size(); ++index) {
    std::string text;
    writer.AppendJson(text, facts.rows.rows[index]);
    Json row = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    row["app"] = Json();
    if (const auto app = matches.app_of_row.find(index); app != matches.app_of_row.end()) {
      row["app"] = AppJson(facts, facts.apps[app->second]);
      row["app"]["beside"] = Compare(SidesOf(facts, facts.apps[app->second], facts.rows.rows[index]));
    }
    rows.push_back(std::move(row));
  }
  Json without = Json::array();
  for (const auto& [index, reason] : matches.without_row) {
    Json app = AppJson(facts, facts.apps[index]);
    app["unmatched"] = reason;
    without.push_back(std::move(app));
  }
  return {{"range", {{"since", FormatTime(facts.range.from)}, {"until", FormatTime(facts.range.to)}}},
          {"servers", std::move(rows)},
          {"groups", facts.rows.groups},
          {"groups_left_out", facts.rows.groups_left_out},
          {"apps_asked", facts.asked},
          {"apps_left_out", Read(Metric::server_app_targets_left_out)},
          {"apps_without_server", std::move(without)},
          {"resolution", facts.rows.resolution},
          {"elapsed_ms", facts.rows.elapsed_ms}};
}

}  // namespace weir::api
