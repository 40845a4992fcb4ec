#include "model/filter.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "model/filter_lexer.h"
#include "model/filter_parser.h"

namespace weir::model {
namespace {

bool IsNegative(CompareOp op) {
  return op == CompareOp::kNotEqual || op == CompareOp::kNotMatch || op == CompareOp::kNotIn;
}

bool IsKnown(const FlowRow& row, const Column& column) {
  const auto samples = SampleColumns(column);
  return samples.empty() || std::any_of(samples.begin(), samples.end(),
                                        [&](std::string_view name) { return NumberOf(row, *FindColumn(name)) != 0; });
}

bool NumberHolds(double number, CompareOp op, double value) {
  switch (op) {
    case CompareOp::kLess: return number < value;
    case CompareOp::kLessEqual: return number <= value;
    case CompareOp::kGreater: return number > value;
    case CompareOp::kGreaterEqual: return number >= value;
    default: return number == value;
  }
}

// Whether any of the values holds, a negative operator read as its positive counterpart.
bool PositiveHolds(const FlowRow& row, const Column& column, const Comparison& comparison) {
  const auto any = [&](auto&& holds) { return std::any_of(comparison.values.begin(), comparison.values.end(), holds); };
  switch (column.type) {
    case ColumnType::kAddress: {
      const Address address = AddressOf(row, column);
      return any([&](const FilterValue& value) { return std::get<AddressRange>(value).Contains(address); });
    }
    case ColumnType::kString: {
      const std::string text = TextOf(row, column);
      if (comparison.pattern) return RE2::PartialMatch(text, *comparison.pattern);
      return any([&](const FilterValue& value) { return std::get<std::string>(value) == text; });
    }
    default: {
      const double number = NumberOf(row, column);
      return any([&](const FilterValue& value) { return NumberHolds(number, comparison.op, std::get<double>(value)); });
    }
  }
}

bool Holds(const FlowRow& row, const Comparison& comparison) {
  const bool negative = IsNegative(comparison.op);
  for (const Column* column : comparison.columns) {
    if (!IsKnown(row, *column)) return false;  // only single columns can be unknown
    if (PositiveHolds(row, *column, comparison)) return !negative;
  }
  return negative;
}

}  // namespace

bool Holds(const FlowRow& row, const FilterNode& node) {
  const auto holds = [&](const std::unique_ptr<FilterNode>& child) { return Holds(row, *child); };
  switch (node.kind) {
    case FilterNode::Kind::kAnd: return std::all_of(node.children.begin(), node.children.end(), holds);
    case FilterNode::Kind::kOr: return std::any_of(node.children.begin(), node.children.end(), holds);
    case FilterNode::Kind::kNot: return !Holds(row, *node.children.front());
    case FilterNode::Kind::kComparison: return Holds(row, node.comparison);
  }
  return false;
}

Result<Filter> Filter::Parse(std::string_view text) {
  WEIR_ASSIGN_OR_RETURN(std::unique_ptr<FilterNode> root, ParseFilter(text));
  Filter filter;
  filter.root_ = std::move(root);
  return filter;
}

namespace {

std::unique_ptr<FilterNode> CopyOf(const FilterNode& node) {
  auto copy = std::make_unique<FilterNode>();
  copy->kind = node.kind;
  copy->comparison = node.comparison;
  for (const auto& child : node.children) copy->children.push_back(CopyOf(*child));
  return copy;
}

bool IsBare(std::string_view text) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '/' || c == '-';
  };
  // A word of the language, or a number with a unit, would be read as one.
  static constexpr std::array<std::string_view, 4> kWords{"and", "or", "not", "in"};
  const auto is_word = [&](std::string_view word) {
    return std::equal(text.begin(), text.end(), word.begin(), word.end(),
                      [](unsigned char a, char b) { return std::tolower(a) == b; });
  };
  if (text.empty() || std::any_of(kWords.begin(), kWords.end(), is_word)) return false;
  return std::isalpha(static_cast<unsigned char>(text.front())) != 0 && std::all_of(text.begin(), text.end(), plain);
}

}  // namespace

Filter Filter::And(const Filter& a, const Filter& b) {
  if (a.empty() || b.empty()) return a.empty() ? b : a;
  auto root = std::make_shared<FilterNode>();
  root->kind = FilterNode::Kind::kAnd;
  root->children.push_back(CopyOf(*a.root_));
  root->children.push_back(CopyOf(*b.root_));
  Filter both;
  both.root_ = std::move(root);
  return both;
}

std::string FilterValueText(std::string_view text) {
  if (IsBare(text)) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

bool Filter::Matches(const FlowRow& row) const { return root_ == nullptr || Holds(row, *root_); }

const std::vector<EitherField>& EitherFields() {
  static const std::vector<EitherField> fields = [] {
    std::vector<EitherField> either{{"address", {"client_address", "server_address"}}};
    for (const Column& client : kColumns) {
      if (client.source != ColumnSource::kClient) continue;
      for (const Column& server : kColumns) {
        if (server.source != ColumnSource::kServer || server.place != client.place) continue;
        either.push_back({kEntityFields[client.place].name, {client.name, server.name}});
      }
    }
    either.push_back({"port", {"server_port"}});
    return either;
  }();
  return fields;
}

}  // namespace weir::model
