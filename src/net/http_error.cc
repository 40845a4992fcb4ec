#include "net/http_error.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace weir::net {

std::string JsonQuote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const CodePoint point = FirstCodePoint(text);
    const auto byte = static_cast<unsigned char>(text.front());
    if (!point.valid) {
      out += "\xEF\xBF\xBD";
    } else if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text.front();
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += text.substr(0, point.bytes);
    }
    text.remove_prefix(point.bytes);
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
