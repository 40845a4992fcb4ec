#include "net/http_error.h"

#include <fmt/format.h>

namespace weir::net {
namespace {

// Length of the well-formed UTF-8 sequence `text` starts with (Unicode 15, table 3-7); 0 when there is none.
size_t Utf8Length(std::string_view text) {
  const auto at = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto follows = [&](size_t i) { return (at(i) & 0xc0U) == 0x80U; };
  const unsigned lead = at(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return follows(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const bool overlong = lead == 0xe0 && at(1) < 0xa0;
    const bool surrogate = lead == 0xed && at(1) > 0x9f;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool outside = (lead == 0xf0 && at(1) < 0x90) || (lead == 0xf4 && at(1) > 0x8f);
    return follows(1) && follows(2) && follows(3) && !outside ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string JsonQuote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const auto byte = static_cast<unsigned char>(text.front());
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text.front();
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out + "\"";
}

HttpResponse ErrorResponse(const HttpError& error) {
  HttpResponse response;
  response.status = error.status;
  response.body =
      fmt::format(R"({{"error": {{"code": {}, "message": {})", JsonQuote(error.code), JsonQuote(error.message));
  if (!error.parameter.empty()) response.body += fmt::format(R"(, "parameter": {})", JsonQuote(error.parameter));
  if (error.position != 0) response.body += fmt::format(R"(, "position": {})", error.position);
  if (!error.remedy.empty()) response.body += fmt::format(R"(, "remedy": {})", JsonQuote(error.remedy));
  response.body += "}}\n";
  response.headers["Cache-Control"] = "no-store";
  if (error.status == 429 || error.status == 503) response.headers["Retry-After"] = "1";
  return response;
}

}  // namespace weir::net
