#include "telemetry/headers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace weir::telemetry {
namespace {

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// RFC 9110, 5.6.2.
bool IsToken(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kMarks.find(c) != kMarks.npos;
  });
}

bool IsValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return c == '\t' || (c >= ' ' && c <= '~'); });
}

// Set by what is sent.
bool IsReserved(const std::string& name) {
  return name == "content-type" || name == "content-encoding" || name == "content-length" || name == "host" ||
         name == "transfer-encoding" || name == "connection";
}

}  // namespace

Result<std::map<std::string, std::string>> ParseHeaders(std::string_view text) {
  std::map<std::string, std::string> headers;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = Trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty() || line.starts_with('#')) continue;
    const size_t colon = line.find(':');
    const std::string_view name = Trimmed(line.substr(0, colon));
    // The line may hold a secret: it is not repeated.
    if (colon == std::string_view::npos || !IsToken(name)) {
      return Status::Invalid(fmt::format("line {} is no header; write `Name: value`", number));
    }
    const std::string_view value = Trimmed(line.substr(colon + 1));
    if (!IsValue(value)) {
      return Status::Invalid(fmt::format("the value of {} in line {} has characters no header carries", name, number));
    }
    if (IsReserved(Lower(name))) {
      return Status::Invalid(fmt::format("{} in line {} is set by Weir; remove the line", name, number));
    }
    headers[std::string(name)] = value;
  }
  return headers;
}

}  // namespace weir::telemetry
