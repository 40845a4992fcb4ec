// The API as the terminal sees it: one GET at a time, errors turned into sentences with a remedy.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/status.h"
#include "net/http_client.h"

namespace weir::cli {

using Json = nlohmann::ordered_json;

struct Connection {
  std::string server = "http://127.0.0.1:7600";
  std::string token;
  std::string ca_file;
};

using Parameters = std::map<std::string, std::string>;

class ApiClient {
 public:
  explicit ApiClient(Connection connection);

  // path: "/api/v1/flows". Server-side errors become kInvalid with message and remedy; no server, kUnavailable
  // with what to start.
  Result<Json> Get(const std::string& path, const Parameters& parameters);
  // Server-sent events until `on_event(name, data)` returns false or the server ends.
  Status Stream(const std::string& path, const Parameters& parameters,
                const std::function<bool(std::string_view, const Json&)>& on_event);

 private:
  std::string Url(const std::string& path, const Parameters& parameters) const;

  Connection connection_;
  std::unique_ptr<net::HttpClient> http_;
};

std::string UrlEncode(std::string_view text);  // RFC 3986 unreserved characters pass

// Feeds on raw bytes of text/event-stream, hands out whole events (WHATWG HTML §9.2). Bounded to 16 MiB an event.
class EventParser {
 public:
  explicit EventParser(std::function<bool(std::string_view event, std::string_view data)> on_event)
      : on_event_(std::move(on_event)) {}
  // False when on_event said stop or an event was too large.
  bool Feed(std::string_view bytes);

 private:
  bool Line(std::string_view line);

  std::function<bool(std::string_view, std::string_view)> on_event_;
  std::string pending_;
  std::string event_;
  std::string data_;
};

}  // namespace weir::cli
