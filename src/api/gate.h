// Who may ask (docs/api.md, "Who may ask"): nobody's web page on a loopback address, and only bearers of the token
// anywhere else.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "net/http_server.h"

namespace weir::api {

class Gate {
 public:
  // kInvalid when `listen` can be reached from other machines and there is no token.
  static Result<Gate> Create(std::string_view listen, std::string token);

  // The answer that refuses the request; nullopt lets it pass. Thread-safe.
  std::optional<net::HttpResponse> Check(const net::HttpRequest& request) const;

 private:
  explicit Gate(std::string token) : token_(std::move(token)) {}

  std::string token_;  // "" = open, on a loopback address
};

// Time depends on the length of `given` only.
bool EqualInConstantTime(std::string_view given, std::string_view secret);
// RFC 4648, section 4; nullopt when it is not.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace weir::api
