// The filter language: one expression for the API, the CLI, the UI's text mode and the live stream.
//
//   expression := and ( "or" and )*            and := not ( "and" not )*        not := "not" not | primary
//   primary    := "(" expression ")" | comparison
//   comparison := field ("=" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~") value
//               | field ("in" | "not in") "(" value ("," value)* ")" | address-field ("in" | "not in") cidr
//   value      := number with optional unit (10k 5M 2G 1Ki 100ms 20us 3s 2%) | "quoted" | 'quoted' | bareword
//
// "~" is RE2 search in strings. Besides the columns of columns.h there are either-end fields: address and every
// attribute of an end (process, pod, node, ...) match client or server ("=" any, "!=" none); port is server_port. An
// empty expression matches everything. Bounds: 4 KiB of text, 32 levels, 256 comparisons.
//
// A comparison with an unknown value (an RTT without samples, see SampleColumns) is false, whatever the operator.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "model/flow_row.h"

namespace re2 {
class RE2;
}

namespace weir::model {

enum class CompareOp { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kMatch, kNotMatch, kIn, kNotIn };

using FilterValue = std::variant<double, std::string, AddressRange>;

struct Comparison {
  std::vector<const Column*> columns;  // more than one for the either-end fields
  CompareOp op = CompareOp::kEqual;
  std::vector<FilterValue> values;          // one, or several for kIn / kNotIn
  std::shared_ptr<const re2::RE2> pattern;  // values[0] compiled, for kMatch / kNotMatch
};

struct FilterNode {
  enum class Kind { kAnd, kOr, kNot, kComparison } kind = Kind::kComparison;
  std::vector<std::unique_ptr<FilterNode>> children;  // kAnd, kOr: 2 or more; kNot: 1
  Comparison comparison;                              // kComparison
};

// Whether a part of an expression holds for the row.
bool Holds(const FlowRow& row, const FilterNode& node);

// A parsed, type-checked expression. Movable, immutable; safe to evaluate from several threads.
class Filter {
 public:
  Filter() = default;  // matches everything

  // kInvalid with "at character N: what is wrong; what is possible" (N counts from 1).
  static Result<Filter> Parse(std::string_view text);

  // What both let through.
  static Filter And(const Filter& a, const Filter& b);

  bool empty() const { return root_ == nullptr; }
  const FilterNode* root() const { return root_.get(); }
  bool Matches(const FlowRow& row) const;

 private:
  std::shared_ptr<const FilterNode> root_;
};

// The text as a value of an expression: bare where that is possible, else in quotes.
std::string FilterValueText(std::string_view text);

// The either-end fields, for docs and completion: name and the columns they stand for.
struct EitherField {
  std::string_view name;
  std::vector<std::string_view> columns;
};
const std::vector<EitherField>& EitherFields();

}  // namespace weir::model
