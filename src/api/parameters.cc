#include "api/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <charconv>

#include "api/time_text.h"
#include "base/duration.h"
#include "base/text.h"
#include "store/resolution.h"

namespace weir::api {
namespace {

constexpr std::string_view kFlow = "flow";  // in place of dimensions: all that identify a flow

struct Piece {
  std::string_view text;
  size_t position;  // in characters, from 1
};

size_t CharactersBefore(std::string_view text, size_t byte) {
  return static_cast<size_t>(std::count_if(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(byte),
                                           [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Comma-separated words without the blanks around them; none for an empty text.
std::vector<Piece> Split(std::string_view text) {
  std::vector<Piece> pieces;
  if (text.empty()) return pieces;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    size_t first = begin;
    size_t last = end;
    while (first < last && text[first] == ' ') ++first;
    while (last > first && text[last - 1] == ' ') --last;
    pieces.push_back({text.substr(first, last - first), CharactersBefore(text, first) + 1});
    begin = end + 1;
  }
  return pieces;
}

bool Suits(const model::Column& column, ParameterType type) {
  using model::ColumnKind;
  switch (type) {
    case ParameterType::kDimensions: return column.groupable();
    case ParameterType::kMeasures:
      return column.kind != ColumnKind::kDimension && column.kind != ColumnKind::kTime &&
             column.kind != ColumnKind::kHistogram && column.type != model::ColumnType::kString;
    default: return column.kind != ColumnKind::kHistogram;
  }
}

std::string_view Wanted(ParameterType type) {
  switch (type) {
    case ParameterType::kDimensions: return "a dimension to group by";
    case ParameterType::kMeasures: return "a measure";
    default: return "a column to sort by";
  }
}

std::string ColumnRemedy(std::string_view text, ParameterType type) {
  std::vector<std::string_view> names;
  for (const model::Column& column : model::kColumns) {
    if (Suits(column, type)) names.push_back(column.name);
  }
  const std::string nearest = Nearest(text, names);
  return (nearest.empty() ? "" : fmt::format("did you mean {}? ", nearest)) + "GET /api/v1/columns lists all";
}

}  // namespace

std::vector<std::string_view> Choices(const Parameter& parameter) {
  std::vector<std::string_view> choices;
  for (std::string_view rest = parameter.choices; !rest.empty();) {
    const size_t end = std::min(rest.find('|'), rest.size());
    choices.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return choices;
}

Arguments::Arguments(std::span<const Parameter> parameters, const std::map<std::string, std::string>& query,
                     UnixMillis now)
    : parameters_(parameters), query_(query), now_(now) {
  std::vector<std::string_view> names;
  for (const Parameter& parameter : parameters_) names.push_back(parameter.name);
  for (const auto& [key, value] : query_) {
    if (std::find(names.begin(), names.end(), key) != names.end()) continue;
    const std::string nearest = Nearest(key, names);
    std::string remedy = "this path takes no parameters";
    if (!names.empty()) remedy = fmt::format("it takes {}", fmt::join(names, ", "));
    if (!nearest.empty()) remedy = fmt::format("did you mean {}? {}", nearest, remedy);
    Refuse(key, fmt::format("unknown parameter '{}'", key.substr(0, 60)), std::move(remedy));
    return;
  }
}

const Parameter& Arguments::Find(std::string_view name) const {
  const auto found =
      std::find_if(parameters_.begin(), parameters_.end(), [&](const Parameter& p) { return p.name == name; });
  assert(found != parameters_.end());
  return *found;
}

std::string Arguments::Text(const Parameter& parameter) const {
  const auto found = query_.find(std::string(parameter.name));
  return found == query_.end() ? std::string(parameter.fallback) : found->second;
}

void Arguments::Refuse(std::string_view name, std::string message, std::string remedy, size_t position) {
  if (refusal_) return;
  refusal_ = net::HttpError{.status = 400,
                            .code = "invalid",
                            .message = std::move(message),
                            .parameter = std::string(name),
                            .position = position,
                            .remedy = std::move(remedy)};
}

void Arguments::RefuseStatus(std::string_view name, const Status& status) {
  Refuse(name, std::string(status.problem()), std::string(status.remedy()), status.position());
}

UnixMillis Arguments::Time(std::string_view name) {
  const Result<UnixMillis> time = ParseTime(Text(Find(name)), now_);
  if (!time.ok()) RefuseStatus(name, time.status());
  return time.ok() ? *time : now_;
}

int64_t Arguments::Duration(std::string_view name) {
  const std::string text = Text(Find(name));
  if (text.empty()) return 0;
  const Result<int64_t> duration = ParseDuration(text);
  if (!duration.ok()) RefuseStatus(name, duration.status());
  return duration.ok() ? *duration : 0;
}

int64_t Arguments::Integer(std::string_view name) {
  const Parameter& parameter = Find(name);
  const std::string text = Text(parameter);
  if (text == kMax) return parameter.most;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (whole && value >= parameter.least && value <= parameter.most) return value;
  Refuse(name,
         fmt::format("'{}' is not a whole number from {} to {}", text.substr(0, 60), parameter.least, parameter.most),
         fmt::format("write a number or the word {}; the default is {}", kMax, parameter.fallback));
  return parameter.least;
}

bool Arguments::Given(std::string_view name) const { return query_.contains(std::string(name)); }

bool Arguments::Boolean(std::string_view name) {
  const std::string text = Text(Find(name));
  if (text == "true" || text == "1") return true;
  if (text != "false" && text != "0")
    Refuse(name, fmt::format("'{}' is neither true nor false", text.substr(0, 60)), "write true or false");
  return false;
}

std::string Arguments::Choice(std::string_view name) {
  const Parameter& parameter = Find(name);
  std::string text = Text(parameter);
  const std::vector<std::string_view> choices = Choices(parameter);
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return text;
  const std::string nearest = Nearest(text, choices);
  Refuse(name, fmt::format("'{}' is not a choice", text.substr(0, 60)),
         fmt::format("{}possible: {}", nearest.empty() ? "" : fmt::format("did you mean {}? ", nearest),
                     fmt::join(choices, ", ")));
  return std::string(parameter.fallback);
}

const model::Column* Arguments::ColumnNamed(const Parameter& parameter, std::string_view text, size_t position) {
  const model::Column* column = model::FindColumn(text);
  if (column != nullptr && Suits(*column, parameter.type)) return column;
  const std::string shown(text.substr(0, 60));
  const std::string message = column == nullptr ? fmt::format("unknown column '{}'", shown)
                                                : fmt::format("{} is not {}", shown, Wanted(parameter.type));
  Refuse(parameter.name, fmt::format("at character {}: {}", position, message), ColumnRemedy(text, parameter.type),
         position);
  return nullptr;
}

std::string Arguments::Name(std::string_view name) {
  std::string text = Text(Find(name));
  if (text.size() <= model::kMaxStringBytes) return text;
  Refuse(name, fmt::format("a name of {} bytes", text.size()),
         fmt::format("names have at most {} bytes", model::kMaxStringBytes));
  return "";
}

std::vector<std::string> Arguments::Names(std::string_view name) {
  const std::string text = Text(Find(name));
  std::vector<std::string> names;
  for (const Piece& piece : Split(text)) {
    if (piece.text.empty()) continue;
    if (piece.text.size() > model::kMaxStringBytes) {
      Refuse(name, fmt::format("at character {}: a name of {} bytes", piece.position, piece.text.size()),
             fmt::format("names have at most {} bytes", model::kMaxStringBytes), piece.position);
      return {};
    }
    names.emplace_back(piece.text);
  }
  if (names.size() <= kMaxNames) return names;
  Refuse(name, fmt::format("{} names, more than {}", names.size(), kMaxNames), "name fewer, or write a filter");
  return {};
}

std::vector<const model::Column*> Arguments::Columns(std::string_view name) {
  const Parameter& parameter = Find(name);
  const std::string text = Text(parameter);
  std::vector<const model::Column*> columns;
  for (const Piece& piece : Split(text)) {
    const model::Column* column = ColumnNamed(parameter, piece.text, piece.position);
    if (column == nullptr) return {};
    if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
  }
  return columns;
}

std::optional<std::vector<const model::Column*>> Arguments::Groups(std::string_view name) {
  const std::string text = Text(Find(name));
  if (text.empty()) return std::nullopt;
  if (text == kFlow) return std::vector<const model::Column*>{};
  return Columns(name);
}

std::vector<store::SortKey> Arguments::Sort(std::string_view name) {
  const Parameter& parameter = Find(name);
  const std::string text = Text(parameter);
  std::vector<store::SortKey> keys;
  for (const Piece& piece : Split(text)) {
    const bool descending = piece.text.starts_with('-');
    const model::Column* column = ColumnNamed(parameter, piece.text.substr(descending ? 1 : 0), piece.position);
    if (column == nullptr) return {};
    keys.push_back({column, descending});
  }
  return keys;
}

model::Filter Arguments::Filter(std::string_view name) {
  Result<model::Filter> filter = model::Filter::Parse(Text(Find(name)));
  if (filter.ok()) return *std::move(filter);
  RefuseStatus(name, filter.status());
  return {};
}

model::Filter Arguments::FlowFilter() {
  const model::Filter filter = Filter("filter");
  std::string list;
  for (const std::string& name : Names("namespace")) list += (list.empty() ? "" : ", ") + model::FilterValueText(name);
  if (list.empty()) return filter;
  const auto namespaces = model::Filter::Parse(fmt::format("namespace in ({})", list));
  if (!namespaces.ok()) RefuseStatus("namespace", namespaces.status());
  return namespaces.ok() ? model::Filter::And(filter, *namespaces) : filter;
}

store::TimeRange Arguments::Range() {
  store::TimeRange range{Time("since"), Time("until")};
  if (const std::optional<int64_t> ago = ParseAgo(Text(Find("since")))) {
    const int64_t step = store::StepOfLength(*ago);
    range.from -= range.from % step;
  }
  if (range.from >= range.to) {
    Refuse("since",
           fmt::format("the range is empty: since {} is not before until {}", FormatTime(range.from),
                       FormatTime(range.to)),
           "give an earlier since or a later until");
  }
  return range;
}

}  // namespace weir::api
