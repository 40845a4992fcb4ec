// Query parameters: what a route takes, and reading what a request gave. The same descriptions make /openapi.json.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/columns.h"
#include "model/filter.h"
#include "net/http_error.h"
#include "store/query.h"

namespace weir::api {

enum class ParameterType {
  kTime,
  kDuration,
  kInteger,
  kBoolean,
  kChoice,
  kDimensions,
  kMeasures,
  kSort,
  kFilter,
  kName,
  kNames
};

inline constexpr size_t kMaxNames = 100;         // of kNames
inline constexpr std::string_view kMax = "max";  // of kInteger: as many as the parameter allows

struct Parameter {
  std::string_view name;
  ParameterType type;
  std::string_view fallback;  // as it would be typed
  std::string_view help;
  std::string_view choices = "";  // kChoice: "a|b|c"
  int64_t least = 0;              // kInteger
  int64_t most = 0;
};

std::vector<std::string_view> Choices(const Parameter& parameter);

// A request's values, checked against a route's parameters. Getters never fail: the first mistake is kept in
// refusal(), and what they return then is a default not to be used. Names must be among the route's parameters.
class Arguments {
 public:
  // `parameters` is borrowed and outlives this. Unknown keys of `query` are a mistake.
  Arguments(std::span<const Parameter> parameters, const std::map<std::string, std::string>& query, UnixMillis now);

  UnixMillis Time(std::string_view name);
  int64_t Duration(std::string_view name);  // milliseconds; 0 when empty
  int64_t Integer(std::string_view name);   // the word max stands for the most there may be
  int64_t Most(std::string_view name) const { return Find(name).most; }  // of kInteger
  bool Given(std::string_view name) const;                               // named in the request
  bool Boolean(std::string_view name);
  std::string Choice(std::string_view name);
  std::string Name(std::string_view name);                           // any text of at most kMaxStringBytes
  std::vector<std::string> Names(std::string_view name);             // comma-separated, at most kMaxNames
  std::vector<const model::Column*> Columns(std::string_view name);  // kDimensions, kMeasures: no repetitions
  // kDimensions, as FlowQuery::filter_group_by: none where nothing is given, empty for the word flow.
  std::optional<std::vector<const model::Column*>> Groups(std::string_view name);
  std::vector<store::SortKey> Sort(std::string_view name);
  model::Filter Filter(std::string_view name);
  model::Filter FlowFilter();  // filter, and an end in one of the namespaces of namespace, if any
  store::TimeRange Range();    // since .. until

  // Something only the handler can judge; kept if it is the first.
  void Refuse(std::string_view name, std::string message, std::string remedy, size_t position = 0);
  // "message; remedy" with an optional "at character N: " in front, as the parsers write it.
  void RefuseStatus(std::string_view name, const Status& status);
  const std::optional<net::HttpError>& refusal() const { return refusal_; }

 private:
  const Parameter& Find(std::string_view name) const;
  std::string Text(const Parameter& parameter) const;
  const model::Column* ColumnNamed(const Parameter& parameter, std::string_view text, size_t position);

  const std::span<const Parameter> parameters_;
  const std::map<std::string, std::string>& query_;
  const UnixMillis now_;
  std::optional<net::HttpError> refusal_;
};

}  // namespace weir::api
