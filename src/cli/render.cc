#include "cli/render.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "cli/units.h"
#include "diagnose/edge_health.h"
#include "model/container_name.h"

namespace weir::cli {

OutputFormat FormatOf(std::string_view name) {
  if (name == "json") return OutputFormat::kJson;
  return name == "csv" ? OutputFormat::kCsv : OutputFormat::kTable;
}

std::string RowsAsJson(const Json& rows) {
  std::string out = "[";
  const char* separator = "\n";
  for (const Json& row : rows) {
    out += separator + row.dump(-1, ' ', false, Json::error_handler_t::replace);
    separator = ",\n";
  }
  return out + (rows.empty() ? "]\n" : "\n]\n");
}

std::string RowsAsCsv(const Json& rows, const std::vector<std::string>& names, bool header) {
  std::string out;
  for (size_t i = 0; header && i < names.size(); ++i) out += (i == 0 ? "" : ",") + CsvField(names[i], false);
  if (header) out += "\r\n";
  for (const Json& row : rows) {
    for (size_t i = 0; i < names.size(); ++i) {
      const auto value = row.find(names[i]);
      const bool absent = value == row.end() || value->is_null();
      const bool text = !absent && value->is_string();
      if (i > 0) out += ',';
      if (!absent) {
        out += CsvField(text ? value->get<std::string>() : value->dump(-1, ' ', false, Json::error_handler_t::replace),
                        !text);
      }
    }
    out += "\r\n";
  }
  return out;
}

double NumberAt(const Json& row, const std::string& name) {
  const auto value = row.find(name);
  return value != row.end() && value->is_number() ? value->get<double>() : 0;
}

std::string TextAt(const Json& row, const std::string& name) {
  const auto value = row.find(name);
  return value != row.end() && value->is_string() ? value->get<std::string>() : "";
}

std::string CellText(const Json& row, const std::string& name, std::string_view unit) {
  const auto value = row.find(name);
  if (value == row.end() || value->is_null()) return "-";
  if (value->is_string()) return value->get<std::string>();
  if (value->is_number()) return FormatValue(value->get<double>(), unit);
  return value->dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> SplitList(std::string_view comma_separated) {
  std::vector<std::string> names;
  while (!comma_separated.empty()) {
    const size_t comma = comma_separated.find(',');
    std::string_view name = comma_separated.substr(0, comma);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (!name.empty()) names.emplace_back(name);
    comma_separated = comma == std::string_view::npos ? std::string_view{} : comma_separated.substr(comma + 1);
  }
  return names;
}

namespace {

bool Unspecified(const std::string& address) { return address == "::" || address == "0.0.0.0"; }

// Of a listener on all addresses as ss writes it: "*:80".
std::string WithPort(const std::string& address, double port) {
  if (Unspecified(address)) return fmt::format("*:{:.0f}", port);
  const bool v6 = address.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{:.0f}", address, port) : fmt::format("{}:{:.0f}", address, port);
}

Color ColorOf(diagnose::EdgeHealth health) {
  switch (health) {
    case diagnose::EdgeHealth::kOk: return Color::kNone;
    case diagnose::EdgeHealth::kWarn: return Color::kYellow;
    case diagnose::EdgeHealth::kBad:
    case diagnose::EdgeHealth::kFailed: return Color::kRed;
  }
  return Color::kNone;
}

}  // namespace

std::string NameOfEnd(const Json& row, const std::string& side) {
  const auto at = [&](const char* attribute) { return TextAt(row, fmt::format("{}_{}", side, attribute)); };
  const auto in_namespace = [&](const std::string& name) {
    const std::string name_space = at("namespace");
    return name_space.empty() ? name : fmt::format("{}/{}", name_space, name);
  };
  const std::string kind = at("kind");
  if (kind == "internet") return "Internet";
  if (kind == "service" && side == "server" && !TextAt(row, "server_service").empty()) {
    return fmt::format("{}/{}", TextAt(row, "server_service_namespace"), TextAt(row, "server_service"));
  }
  for (const char* attribute : {"pod", "workload"}) {
    if (const std::string name = at(attribute); !name.empty()) return in_namespace(name);
  }
  for (const char* attribute : {"namespace", "external_name", "external_service"}) {
    if (std::string name = at(attribute); !name.empty()) return name;
  }
  if (kind == "node" || kind == "zone" || kind == "cluster") return at(kind.c_str());
  return "";
}

std::string EndText(const Json& row, const std::string& side, bool with_port) {
  // On coarser levels an end is no address; in older rows a full accept queue has none.
  std::string address = TextAt(row, side + "_address");
  const bool has_port = with_port && row.contains("server_port");
  const std::string name = NameOfEnd(row, side);
  if (Unspecified(address) && (!has_port || !name.empty())) address = name.empty() ? "-" : "";
  if (has_port && address != "-" && (!address.empty() || name.empty())) {
    address = WithPort(address, NumberAt(row, "server_port"));
  } else if (has_port && address.empty()) {
    address = fmt::format("port {:.0f}", NumberAt(row, "server_port"));
  }
  const std::string process = TextAt(row, side + "_process");
  const std::string container = TextAt(row, side + "_container");
  const std::string container_name = TextAt(row, side + "_container_name");
  std::string text = name;
  const auto add = [&](const std::string& word) {
    if (!word.empty()) text += (text.empty() ? "" : " ") + word;
  };
  if (name.empty()) add(address);
  add(process);
  const std::string netns_name = TextAt(row, side + "_netns_name");
  if (!container_name.empty()) {
    add("in " + container_name);
  } else if (!container.empty() && name.empty()) {
    add(fmt::format("in {}", model::ShortContainer(container)));
  } else if (!netns_name.empty() && name.empty()) {
    add("in " + netns_name);
  }
  // On the level of containers a machine is what runs outside of all of them.
  if (text.empty())
    add(TextAt(row, side + "_unit").empty() ? TextAt(row, side + "_node") : TextAt(row, side + "_unit"));
  if (!name.empty()) add(address);
  if (const std::string workloads = TextAt(row, side + "_on_behalf_of"); !workloads.empty()) add("for " + workloads);
  const std::string service = TextAt(row, "service_address");
  if (with_port && !service.empty() && service != "::") {
    text += " behind " + WithPort(service, NumberAt(row, "service_port"));
  }
  return text;
}

Color RetransmitColor(const Json& row) {
  const auto segments = NumberAt(row, "segments_to_server") + NumberAt(row, "segments_to_client");
  return ColorOf(
      diagnose::RetransmitHealth(static_cast<uint64_t>(NumberAt(row, "retransmits")), static_cast<uint64_t>(segments)));
}

Color FailureColor(const Json& row) {
  const auto count = [&](const char* name) { return static_cast<uint64_t>(NumberAt(row, name)); };
  return ColorOf(diagnose::JudgeEdge({.bytes = count("bytes_to_server") + count("bytes_to_client"),
                                      .opened = count("connections_opened"),
                                      .failed_other = count("connections_failed")})
                     .health);
}

std::string LimitOf(const Question& question) {
  if (question.limit != 0) return std::to_string(question.limit);
  return question.output == OutputFormat::kTable ? std::to_string(kTableRows) : "max";
}

std::string LeftOut(const Json& answer) {
  if (const double groups = NumberAt(answer, "groups_left_out"); groups > 0) {
    return fmt::format("{:.0f} of {:.0f} rows not shown: raise --limit for more, or narrow --filter\n", groups,
                       NumberAt(answer, "groups"));
  }
  if (const double edges = NumberAt(answer, "edges_left_out"); edges > 0)
    return fmt::format("{:.0f} more edges not shown: raise --limit, or narrow --filter\n", edges);
  if (!answer.value("complete", true)) return "there is more than one answer holds; name a node or a shorter time\n";
  return "";
}

int Redraw(const Question& question, const std::function<Result<Json>()>& ask, Renderer render) {
  const bool in_place = question.watch && question.output == OutputFormat::kTable && isatty(STDOUT_FILENO) == 1;
  while (true) {
    const Result<Json> answer = ask();
    if (!answer.ok()) {
      std::fprintf(stderr, "weir: %s\n", Printable(answer.status().message(), 2'000).c_str());
      if (!question.watch) return 1;
    } else {
      const std::string text = render(*answer, question);
      const std::string left_out = question.output == OutputFormat::kTable ? "" : LeftOut(*answer);
      if (!left_out.empty()) std::fprintf(stderr, "weir: %s", left_out.c_str());
      if (in_place) std::fputs("\033[H\033[2J", stdout);
      std::fwrite(text.data(), 1, text.size(), stdout);
      if (std::fflush(stdout) != 0) return 0;  // the reader of a pipe has gone
    }
    if (!question.watch) return 0;
    std::this_thread::sleep_for(question.every);
  }
}

}  // namespace weir::cli
