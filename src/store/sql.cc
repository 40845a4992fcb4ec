#include "store/sql.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace weir::store {
namespace {

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view(" _-.:/@+").find(c) != std::string_view::npos;
}

}  // namespace

std::string QuoteText(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (IsPlain(c)) {
      quoted += c;
    } else {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return quoted + "'";
}

std::string QuoteAddress(const model::Address& address) {
  std::string hex;
  for (const uint8_t byte : address.bytes) hex += fmt::format("{:02x}", byte);
  return fmt::format("toFixedString(unhex('{}'), 16)", hex);
}

std::string QuoteNumber(double number) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (std::floor(number) == number && std::fabs(number) <= kExact) {
    return fmt::format("{}", static_cast<int64_t>(number));
  }
  // Always with an exponent: a long row of digits would be read as an integer.
  return fmt::format("{:.16e}", number);
}

std::string Unhex(std::string_view digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    uint8_t byte = 0;
    std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

std::string Join(const std::vector<std::string>& items, std::string_view separator) {
  return fmt::format("{}", fmt::join(items, separator));
}

}  // namespace weir::store
