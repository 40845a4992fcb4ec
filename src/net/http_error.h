// The one shape of an error answer (docs/api.md), made without a JSON library so that the server itself can use it.
#pragma once

#include <string>
#include <string_view>

#include "net/http_server.h"

namespace weir::net {

struct HttpError {
  int status = 500;
  std::string_view code = "internal";
  std::string message = {};
  std::string parameter = {};  // "" = none; which query parameter is at fault
  size_t position = 0;         // from 1; 0 = none
  std::string remedy = {};     // "" = none
};

// {"error": {...}}; adds Retry-After to 429 and 503.
HttpResponse ErrorResponse(const HttpError& error);

// A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
std::string JsonQuote(std::string_view text);

}  // namespace weir::net
