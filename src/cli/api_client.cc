#include "cli/api_client.h"

#include <fmt/format.h>

namespace weir::cli {
namespace {

constexpr size_t kMaxEventBytes = size_t{16} << 20;

Status StatusOf(const net::ClientResponse& response, const std::string& url) {
  const Json body = Json::parse(response.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object() || !body.contains("error") || !body["error"].is_object()) {
    return Status::Unavailable(fmt::format("{} answered HTTP {}; is that a Weir server?", url, response.status));
  }
  const Json& error = body["error"];
  std::string message = error.value("message", "the server refused");
  if (error.contains("parameter")) message = fmt::format("{}: {}", error.value("parameter", ""), message);
  if (const std::string remedy = error.value("remedy", ""); !remedy.empty()) message += "; " + remedy;
  switch (response.status) {
    case 401:
    case 403: return Status::Denied(message);
    case 429:
    case 503: return Status::Unavailable(message);
    default: return Status::Invalid(message);
  }
}

}  // namespace

std::string UrlEncode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

ApiClient::ApiClient(Connection connection)
    : connection_(std::move(connection)),
      http_(net::HttpClient::Create({.ca_file = connection_.ca_file, .bearer_token = connection_.token})) {
  while (connection_.server.ends_with('/')) connection_.server.pop_back();
}

std::string ApiClient::Url(const std::string& path, const Parameters& parameters) const {
  std::string url = connection_.server + path;
  char separator = '?';
  for (const auto& [name, value] : parameters) {
    url += fmt::format("{}{}={}", separator, UrlEncode(name), UrlEncode(value));
    separator = '&';
  }
  return url;
}

Result<Json> ApiClient::Get(const std::string& path, const Parameters& parameters) {
  net::ClientRequest request;
  request.url = Url(path, parameters);
  Result<net::ClientResponse> response = http_->Send(request);
  if (!response.ok()) {
    if (response.status().code() != Code::kUnavailable) return response.status();
    return Status::Unavailable(
        fmt::format("{}; start one with `weir up`, or name another with --server", response.status().message()));
  }
  if (response->status != 200) return StatusOf(*response, connection_.server);
  Json body = Json::parse(response->body, nullptr, /*allow_exceptions=*/false);
  if (body.is_discarded())
    return Status::Unavailable(fmt::format("{} did not answer JSON; is that a Weir server?", connection_.server));
  return body;
}

Status ApiClient::Stream(const std::string& path, const Parameters& parameters,
                         const std::function<bool(std::string_view, const Json&)>& on_event) {
  net::ClientRequest request;
  request.url = Url(path, parameters);
  EventParser parser([&](std::string_view event, std::string_view data) {
    const Json json = Json::parse(data, nullptr, /*allow_exceptions=*/false);
    return json.is_discarded() || on_event(event, json);
  });
  return http_->Stream(request, [&](std::string_view bytes) { return parser.Feed(bytes); });
}

bool EventParser::Feed(std::string_view bytes) {
  pending_ += bytes;
  size_t begin = 0;
  for (size_t end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n', begin)) {
    std::string_view line(pending_.data() + begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!Line(line)) return false;
    begin = end + 1;
  }
  pending_.erase(0, begin);
  return pending_.size() + data_.size() <= kMaxEventBytes;
}

bool EventParser::Line(std::string_view line) {
  if (line.empty()) {
    const bool go_on = data_.empty() || on_event_(event_.empty() ? "message" : event_, data_);
    event_.clear();
    data_.clear();
    return go_on;
  }
  const size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") event_ = value;
  if (field == "data") {
    if (!data_.empty()) data_ += '\n';
    data_ += value;
  }
  return true;
}

}  // namespace weir::cli
