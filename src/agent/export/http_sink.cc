#include "agent/export/http_sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "wire/ack_codec.h"
#include "wire/batch_codec.h"
#include "wire/clean_text.h"

namespace weir::agent {
namespace {

using nlohmann::json;

constexpr size_t kMaxAnswerBytes = wire::kMaxAckBytes;
constexpr size_t kMaxShownBytes = 300;  // of an answer, in messages

// {"watermark": 17, "duplicate": false}; unknown members are ignored.
std::optional<wire::Ack> ParseAck(const std::string& body) {
  const json answer = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object()) return std::nullopt;
  const auto watermark = answer.find("watermark");
  const auto duplicate = answer.find("duplicate");
  if (watermark == answer.end() || !watermark->is_number_unsigned()) return std::nullopt;
  if (duplicate == answer.end() || !duplicate->is_boolean()) return std::nullopt;
  return wire::Ack{.duplicate = duplicate->get<bool>(), .watermark = watermark->get<uint64_t>(), .names = {}};
}

// Servers before acknowledgements in protobuf answer JSON whatever is accepted.
std::optional<wire::Ack> AckOf(const net::ClientResponse& response) {
  const auto type = response.headers.find("content-type");
  if (type == response.headers.end() || !type->second.starts_with(wire::kContentType)) return ParseAck(response.body);
  Result<wire::Ack> ack = wire::DecodeAck(response.body);
  return ack.ok() ? std::optional(*std::move(ack)) : std::nullopt;
}

std::string TextMember(const json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

// The server's sentence and remedy, or the start of whatever else it said; clean enough for a log.
std::string Said(const net::ClientResponse& response) {
  std::string said;
  const json answer = json::parse(response.body, nullptr, /*allow_exceptions=*/false);
  if (answer.is_object() && answer.contains("error") && answer["error"].is_object()) {
    said = TextMember(answer["error"], "message");
    const std::string remedy = TextMember(answer["error"], "remedy");
    if (!remedy.empty()) said += " (" + remedy + ")";
  } else {
    said = response.body;
  }
  return wire::CleanText(said, kMaxShownBytes);
}

Status Explain(const std::string& url, const net::ClientResponse& response) {
  std::string message = fmt::format("{} answered {}", url, response.status);
  if (const std::string said = Said(response); !said.empty()) message += ": " + said;
  switch (response.status) {
    case 400:
    case 411:
    case 413:
    case 415:
    case 422: return Status::Invalid(std::move(message));
    case 401:
    case 403: return Status::Denied(message + "; give the agent the server's token with --token-file");
    case 409: return Status::Conflict(std::move(message));
    case 429: return Status::Unavailable(std::move(message));
    default: break;
  }
  if (response.status < 500) message += "; is this the address of a Weir server?";
  return Status::Unavailable(std::move(message));
}

}  // namespace

Result<std::unique_ptr<HttpSink>> HttpSink::Create(std::string server, std::unique_ptr<net::HttpClient> client,
                                                   const Clock& clock) {
  if (!server.starts_with("http://") && !server.starts_with("https://")) {
    return Status::Invalid(fmt::format("server '{}' is not a url such as http://127.0.0.1:7600", server));
  }
  while (server.ends_with('/')) server.pop_back();
  return std::unique_ptr<HttpSink>(
      new HttpSink(std::move(server) + std::string(wire::kIngestPath), std::move(client), clock));
}

Result<wire::Ack> HttpSink::Send(const std::string& encoded_batch, UnixMillis sent_at) {
  if (abort_) return Status::Unavailable("the agent stops");
  if (clock_.MonotonicNanos() < not_before_) return Status::Unavailable(url_ + " asked to be called again later");
  net::ClientRequest request;
  request.method = "POST";
  request.url = url_;
  request.headers = {{"Content-Type", std::string(wire::kContentType)},
                     {"Content-Encoding", std::string(wire::kContentEncoding)},
                     {"Accept", fmt::format("{}, application/json", wire::kContentType)},
                     {std::string(wire::kSentAtHeader), std::to_string(sent_at)}};
  request.body = encoded_batch;
  request.timeout = kTimeout;
  request.max_response_bytes = kMaxAnswerBytes;
  request.abort = &abort_;
  const Result<net::ClientResponse> response = client_->Send(request);
  if (!response.ok()) {
    // A bad url or an endless answer is not the batch's fault either: keep it until somebody repairs the
    // other end.
    const Status status = response.status();
    return status.code() == Code::kDenied ? status : Status::Unavailable(status.message());
  }
  HonourRetryAfter(*response);
  if (response->status != 200) return Explain(url_, *response);
  if (std::optional<wire::Ack> ack = AckOf(*response)) return *std::move(ack);
  return Status::Unavailable(
      fmt::format("{} answered 200 but no acknowledgement: '{}'; is this the address of a "
                  "Weir server?",
                  url_, wire::CleanText(response->body, kMaxShownBytes)));
}

void HttpSink::HonourRetryAfter(const net::ClientResponse& response) {
  const auto header = response.headers.find("retry-after");
  if (header == response.headers.end()) return;
  const std::string& text = header->second;
  int64_t seconds = 0;  // the other form, a date, is not used by our server
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return;
  seconds = std::clamp<int64_t>(seconds, 0, kLongestRetryAfter.count());
  not_before_ = clock_.MonotonicNanos() + seconds * 1'000'000'000;
}

}  // namespace weir::agent
