// Values in SQL text. The only place where anything that came from outside becomes SQL.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/address.h"
#include "model/filter.h"

namespace weir::store {

// A string literal for any bytes, quotes, NUL and ';' included.
std::string QuoteText(std::string_view text);
// A FixedString(16) literal.
std::string QuoteAddress(const model::Address& address);
// A number literal that reads back as the same double; whole numbers as integers. REQUIRES: finite.
std::string QuoteNumber(double number);

// The bytes behind hexadecimal digits, as ClickHouse's hex() writes them.
std::string Unhex(std::string_view digits);

// "a, b, c".
std::string Join(const std::vector<std::string>& items, std::string_view separator = ", ");

// A filter in two conditions, either of them "" for none.
struct FilterSql {
  std::string rows;    // over the columns of a table: WHERE
  std::string groups;  // over aggregates and group-by columns: HAVING
};

// Parts of the filter that speak of dimensions only choose rows; all others choose groups.
// kInvalid: an or / not mixes a measure with a dimension the answer is not grouped by.
Result<FilterSql> TranslateFilter(const model::Filter& filter, const std::vector<const model::Column*>& group_by);

}  // namespace weir::store
