#include "api/gate.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/metrics.h"
#include "base/text.h"
#include "net/http_error.h"
#include "net/listen_address.h"

namespace weir::api {
namespace {

std::string HeaderOf(const net::HttpRequest& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? std::string() : found->second;
}

// The token a request shows: of a bearer, or the password of Basic authentication. "" = none.
std::string ShownToken(std::string_view authorization) {
  const size_t space = authorization.find(' ');
  if (space == std::string_view::npos) return "";
  const std::string scheme = Lower(authorization.substr(0, space));
  std::string_view rest = authorization.substr(space + 1);
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  while (rest.ends_with(' ')) rest.remove_suffix(1);
  if (scheme == "bearer") return std::string(rest);
  if (scheme != "basic") return "";
  const std::optional<std::string> pair = DecodeBase64(rest);
  const size_t colon = pair ? pair->find(':') : std::string::npos;
  return colon == std::string::npos ? "" : pair->substr(colon + 1);
}

net::HttpResponse ForeignHost() {
  Count(Metric::server_http_refused);
  return net::ErrorResponse(
      {.status = 403,
       .code = "forbidden",
       .message = "this server listens on a loopback address and the request's Host header names another machine",
       .remedy = "use http://127.0.0.1 or http://localhost, or start the server with --token-file to allow any name"});
}

net::HttpResponse NoToken(bool wrong) {
  Count(Metric::server_http_refused);
  net::HttpResponse response = net::ErrorResponse(
      {.status = 401,
       .code = "unauthorized",
       .message = wrong ? "that is not the server's token" : "this server wants a token",
       .remedy = "send 'Authorization: Bearer <token>' with the first line of the file the server got"
                 " by --token-file (weir --token-file), or give it as the password in a browser"});
  response.headers["WWW-Authenticate"] = R"(Basic realm="weir", charset="UTF-8")";
  return response;
}

}  // namespace

std::optional<std::string> DecodeBase64(std::string_view text) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  unsigned bits = 0;
  unsigned held = 0;
  size_t padding = 0;
  for (const char c : text) {
    if (c == '=') {
      if (++padding > 2) return std::nullopt;
      continue;
    }
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos || padding != 0) return std::nullopt;
    bits = (bits << 6 | static_cast<unsigned>(digit)) & 0xffffffU;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>(bits >> held & 0xffU);
    }
  }
  return out;
}

bool EqualInConstantTime(std::string_view given, std::string_view secret) {
  if (secret.empty()) return given.empty();
  size_t difference = given.size() ^ secret.size();
  for (size_t i = 0; i < given.size(); ++i) {
    difference |= static_cast<size_t>(static_cast<unsigned char>(given[i]) ^
                                      static_cast<unsigned char>(secret[i % secret.size()]));
  }
  return difference == 0;
}

Result<Gate> Gate::Create(std::string_view listen, std::string token) {
  WEIR_ASSIGN_OR_RETURN(const net::ListenAddress address, net::ParseListenAddress(listen));
  if (!address.loopback && token.empty()) {
    return Status::Invalid(
        fmt::format("{} can be reached from other machines, and without a token anybody there could read and write: "
                    "make one with `head -c 24 /dev/urandom | base64 > weir.token` and give --token-file weir.token, "
                    "or listen on 127.0.0.1",
                    listen));
  }
  return Gate(std::move(token));
}

std::optional<net::HttpResponse> Gate::Check(const net::HttpRequest& request) const {
  Count(Metric::server_http_requests);
  if (request.path == "/healthz" || request.path == "/readyz") return std::nullopt;
  if (token_.empty()) {
    if (net::IsLoopbackHost(HeaderOf(request, "host"))) return std::nullopt;
    return ForeignHost();
  }
  // With a token the Host does not matter: a page that got here by rebinding has no credentials for its own name.
  const std::string shown = ShownToken(HeaderOf(request, "authorization"));
  if (!shown.empty() && EqualInConstantTime(shown, token_)) return std::nullopt;
  return NoToken(!shown.empty());
}

}  // namespace weir::api
