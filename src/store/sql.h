// Values in SQL text. The only place where anything that came from outside becomes SQL.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/address.h"

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

}  // namespace weir::store
