#include "model/filter_parser.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/text.h"
#include "model/filter_lexer.h"

namespace weir::model {
namespace {

using Kind = FilterToken::Kind;
using NodeResult = Result<std::unique_ptr<FilterNode>>;

// Compiled patterns stay small: a filter is evaluated for every live row of every viewer.
constexpr int64_t kMaxPatternMemory = int64_t{1} << 20;

struct Unit {
  std::string_view suffix;
  double factor;
};
constexpr std::array<Unit, 7> kTimeUnits{
    {{"", 1}, {"ns", 1e-3}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}, {"h", 3600e6}}};
constexpr std::array<Unit, 2> kPercentUnits{{{"", 1}, {"%", 1}}};
constexpr std::array<Unit, 10> kPlainUnits{{{"", 1},
                                            {"k", 1e3},
                                            {"K", 1e3},
                                            {"M", 1e6},
                                            {"G", 1e9},
                                            {"T", 1e12},
                                            {"Ki", 1024.0},
                                            {"Mi", 1048576.0},
                                            {"Gi", 1073741824.0},
                                            {"Ti", 1099511627776.0}}};

std::string_view UnitHelp(const Column& column) {
  if (column.unit == "us") return "a duration, e.g. 250us, 20ms or 1.5s";
  if (column.unit == "%") return "a percentage, e.g. 2 or 2%";
  if (column.unit == "bytes") return "a number, e.g. 1500, 10k, 5M or 1Gi";
  return "a number, e.g. 80 or 10k";
}

bool IsKeyword(const FilterToken& token, std::string_view keyword) {
  return token.kind == Kind::kWord && token.text.size() == keyword.size() && Lower(token.text) == keyword;
}
bool IsAnyKeyword(const FilterToken& token) {
  return IsKeyword(token, "and") || IsKeyword(token, "or") || IsKeyword(token, "not") || IsKeyword(token, "in");
}

// What to write in the place of a field there is none of.
std::string FieldRemedy(std::string_view written) {
  std::vector<std::string_view> names;
  for (const EitherField& field : EitherFields()) names.push_back(field.name);
  for (const Column& column : kColumns) {
    if (Filterable(column)) names.push_back(column.name);
  }
  const std::string nearest = Nearest(Lower(written), names);
  return nearest.empty() ? "fields are the columns, or of either end: address, process, pod, node, port and so on"
                         : fmt::format("did you mean {}?", nearest);
}

std::string_view OperatorHelp(ColumnType type) {
  switch (type) {
    case ColumnType::kAddress: return "=, !=, in, not in";
    case ColumnType::kString: return "=, !=, ~, !~, in, not in";
    default: return "=, !=, <, <=, >, >=, in, not in";
  }
}

bool OperatorFits(CompareOp op, ColumnType type) {
  switch (op) {
    case CompareOp::kEqual:
    case CompareOp::kNotEqual:
    case CompareOp::kIn:
    case CompareOp::kNotIn: return true;
    case CompareOp::kMatch:
    case CompareOp::kNotMatch: return type == ColumnType::kString;
    default: return type == ColumnType::kUint || type == ColumnType::kFloat;
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text), lexer_(text) {}

  NodeResult Parse() {
    WEIR_RETURN_IF_ERROR(Advance());
    if (token_.kind == Kind::kEnd) return std::unique_ptr<FilterNode>();
    WEIR_ASSIGN_OR_RETURN(auto root, ParseList(FilterNode::Kind::kOr, 0));
    if (token_.kind != Kind::kEnd) return Trailing();
    return root;
  }

 private:
  Status Advance() {
    WEIR_ASSIGN_OR_RETURN(token_, lexer_.Next());
    return Status::Ok();
  }

  Status AtToken(std::string_view problem, std::string_view remedy = "") const {
    return FilterError(text_, token_.offset, problem, remedy);
  }
  Status Expected(std::string_view what) const { return AtToken(Found(), fmt::format("expected {}", what)); }

  std::string Found() const {
    if (token_.kind == Kind::kEnd) return "the filter ends here";
    return fmt::format("found '{}'", FilterExcerpt(token_.text));
  }

  Status Trailing() const {
    if (token_.kind == Kind::kClose) return AtToken("this ')' closes nothing");
    if (token_.text.starts_with("&&") || token_.text.starts_with("||")) return AtToken(Found(), "write and / or");
    return Expected("and, or, or the end of the filter");
  }

  // and-lists inside or-lists; a list of one is the thing itself.
  NodeResult ParseList(FilterNode::Kind kind, size_t depth) {
    const bool is_or = kind == FilterNode::Kind::kOr;
    auto list = std::make_unique<FilterNode>();
    list->kind = kind;
    while (true) {
      WEIR_ASSIGN_OR_RETURN(auto child, is_or ? ParseList(FilterNode::Kind::kAnd, depth) : ParseNot(depth));
      list->children.push_back(std::move(child));
      if (!IsKeyword(token_, is_or ? "or" : "and")) break;
      WEIR_RETURN_IF_ERROR(Advance());
    }
    if (list->children.size() > 1) return list;
    return std::move(list->children.front());
  }

  NodeResult ParseNot(size_t depth) {
    if (!IsKeyword(token_, "not") && token_.kind != Kind::kOpen) return ParseComparison();
    if (depth == kMaxFilterDepth) {
      return AtToken(fmt::format("more than {} levels of parentheses and not", kMaxFilterDepth), "write it flatter");
    }
    if (token_.kind == Kind::kOpen) return ParseParenthesis(depth);
    WEIR_RETURN_IF_ERROR(Advance());
    auto node = std::make_unique<FilterNode>();
    node->kind = FilterNode::Kind::kNot;
    WEIR_ASSIGN_OR_RETURN(auto child, ParseNot(depth + 1));
    node->children.push_back(std::move(child));
    return node;
  }

  NodeResult ParseParenthesis(size_t depth) {
    const size_t opened = token_.offset;
    WEIR_RETURN_IF_ERROR(Advance());
    WEIR_ASSIGN_OR_RETURN(auto inside, ParseList(FilterNode::Kind::kOr, depth + 1));
    if (token_.kind == Kind::kEnd) return FilterError(text_, opened, "this '(' is never closed");
    if (token_.kind != Kind::kClose) return Expected("and, or, or ')'");
    WEIR_RETURN_IF_ERROR(Advance());
    return inside;
  }

  NodeResult ParseComparison() {
    auto node = std::make_unique<FilterNode>();
    Comparison& comparison = node->comparison;
    if (++comparisons_ > kMaxFilterComparisons) {
      return AtToken(fmt::format("more than {} comparisons", kMaxFilterComparisons), "use in (...) for many values");
    }
    WEIR_RETURN_IF_ERROR(ParseField(comparison));
    const std::string field = std::move(token_.text);
    WEIR_RETURN_IF_ERROR(Advance());
    WEIR_RETURN_IF_ERROR(ParseOperator(comparison, field));
    if (comparison.op == CompareOp::kIn || comparison.op == CompareOp::kNotIn) {
      WEIR_RETURN_IF_ERROR(ParseValues(comparison));
    } else {
      WEIR_RETURN_IF_ERROR(ParseValue(comparison));
    }
    return node;
  }

  Status ParseField(Comparison& comparison) const {
    if (token_.kind != Kind::kWord || IsAnyKeyword(token_)) {
      return Expected("a field, as in server_port = 443");
    }
    for (const EitherField& field : EitherFields()) {
      if (field.name != token_.text) continue;
      for (const std::string_view column : field.columns) comparison.columns.push_back(FindColumn(column));
      return Status::Ok();
    }
    const Column* column = FindColumn(token_.text);
    if (column == nullptr)
      return AtToken(fmt::format("unknown field '{}'", FilterExcerpt(token_.text)), FieldRemedy(token_.text));
    if (column->type == ColumnType::kTime) {
      return AtToken(fmt::format("{} cannot be filtered", column->name), "choose the range of time instead");
    }
    if (!Filterable(*column)) {
      return AtToken(fmt::format("{} is a distribution", column->name), "filter rtt_p50_us, rtt_p90_us or rtt_p99_us");
    }
    comparison.columns = {column};
    return Status::Ok();
  }

  Status ParseOperator(Comparison& comparison, std::string_view field) {
    const ColumnType type = comparison.columns.front()->type;
    const size_t offset = token_.offset;
    if (token_.kind == Kind::kOperator) {
      comparison.op = token_.op;
    } else if (IsKeyword(token_, "in")) {
      comparison.op = CompareOp::kIn;
    } else if (IsKeyword(token_, "not")) {
      comparison.op = CompareOp::kNotIn;
      WEIR_RETURN_IF_ERROR(Advance());
      if (!IsKeyword(token_, "in")) return Expected("in after not");
    } else {
      return Expected(fmt::format("an operator after {}: {}", field, OperatorHelp(type)));
    }
    if (!OperatorFits(comparison.op, type)) {
      return FilterError(text_, offset,
                         fmt::format("'{}' does not fit {}, which is {}", token_.text, field, TypeName(type)),
                         fmt::format("possible: {}", OperatorHelp(type)));
    }
    return Advance();
  }

  // A list in parentheses, or one address or prefix without.
  Status ParseValues(Comparison& comparison) {
    if (token_.kind != Kind::kOpen) {
      if (comparison.columns.front()->type == ColumnType::kAddress) return ParseValue(comparison);
      return Expected("a list, as in (80, 443)");
    }
    do {
      WEIR_RETURN_IF_ERROR(Advance());  // past '(' or ','
      WEIR_RETURN_IF_ERROR(ParseValue(comparison));
    } while (token_.kind == Kind::kComma);
    if (token_.kind != Kind::kClose) return Expected("',' or ')'");
    return Advance();
  }

  Status ParseValue(Comparison& comparison) {
    const Column& column = *comparison.columns.front();
    if (token_.kind == Kind::kOperator) return AtToken(Found(), "the operator is already complete");
    if (token_.kind != Kind::kWord && token_.kind != Kind::kString) {
      return Expected("a value");
    }
    if (IsAnyKeyword(token_)) {
      return AtToken("expected a value", fmt::format("to mean the text '{0}', write \"{0}\"", token_.text));
    }
    WEIR_RETURN_IF_ERROR(Convert(column, comparison));
    return Advance();
  }

  Status Convert(const Column& column, Comparison& comparison) const {
    switch (column.type) {
      case ColumnType::kAddress: {
        const auto range = AddressRange::Parse(token_.text);
        if (!range) {
          return AtToken(fmt::format("'{}' is no address or prefix", FilterExcerpt(token_.text)),
                         "examples: 10.0.0.1, 10.0.0.0/8, fd00::/8");
        }
        comparison.values.emplace_back(*range);
        return Status::Ok();
      }
      case ColumnType::kString:
        if (comparison.op == CompareOp::kMatch || comparison.op == CompareOp::kNotMatch) {
          WEIR_RETURN_IF_ERROR(Compile(comparison));
        }
        comparison.values.emplace_back(token_.text);
        return Status::Ok();
      default: {
        const auto number = ParseQuantity(token_.text, column);
        if (!number) {
          return AtToken(fmt::format("'{}' does not fit {}", FilterExcerpt(token_.text), column.name),
                         fmt::format("expected {}", UnitHelp(column)));
        }
        comparison.values.emplace_back(*number);
        return Status::Ok();
      }
    }
  }

  Status Compile(Comparison& comparison) const {
    if (token_.text.find('\0') != std::string::npos) {
      return AtToken("a regular expression cannot hold a NUL byte");
    }
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kMaxPatternMemory);
    auto pattern = std::make_shared<const RE2>(token_.text, options);
    if (!pattern->ok()) {
      return AtToken(fmt::format("not a regular expression (RE2 syntax): {}", FilterExcerpt(pattern->error())));
    }
    comparison.pattern = std::move(pattern);
    return Status::Ok();
  }

  std::string_view text_;
  FilterLexer lexer_;
  FilterToken token_;
  size_t comparisons_ = 0;
};

template <size_t N>
std::optional<double> FactorOf(const std::array<Unit, N>& units, std::string_view suffix) {
  for (const Unit& unit : units) {
    if (unit.suffix == suffix) return unit.factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> ParseQuantity(std::string_view text, const Column& column) {
  // from_chars also reads "inf" and "nan", which are no quantities.
  const size_t first = text.starts_with('-') ? 1 : 0;
  if (first == text.size() || !(text[first] == '.' || (text[first] >= '0' && text[first] <= '9'))) return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  std::string_view suffix = text.substr(static_cast<size_t>(end - text.data()));
  if (column.unit == "bytes" && suffix.ends_with('B')) suffix.remove_suffix(1);

  const auto factor = column.unit == "us"  ? FactorOf(kTimeUnits, suffix)
                      : column.unit == "%" ? FactorOf(kPercentUnits, suffix)
                                           : FactorOf(kPlainUnits, suffix);
  if (!factor || !std::isfinite(number * *factor)) return std::nullopt;
  return number * *factor;
}

NodeResult ParseFilter(std::string_view text) {
  if (text.size() > kMaxFilterBytes) {
    return FilterError(text, kMaxFilterBytes, fmt::format("the filter is longer than {} bytes", kMaxFilterBytes),
                       "shorten it");
  }
  return Parser(text).Parse();
}

}  // namespace weir::model
