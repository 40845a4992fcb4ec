// The two routes that answer later: /live, for as long as somebody watches, and /ingest, when a batch is durable.
#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "api/routes.h"
#include "wire/ack_codec.h"
#include "wire/batch_codec.h"

namespace weir::api {
namespace {

constexpr int64_t kMaxReplayMs = 180'000;  // what the server keeps in memory (server/server.h)

std::string HeaderOf(const net::HttpRequest& request, std::string_view name) {
  std::string key(name);
  for (char& c : key) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const auto found = request.headers.find(key);
  return found == request.headers.end() ? std::string() : found->second;
}

// The agent's clock when it sent the batch.
Result<UnixMillis> SentAt(const net::HttpRequest& request) {
  const std::string text = HeaderOf(request, wire::kSentAtHeader);
  UnixMillis time = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), time);
  if (!text.empty() && error == std::errc{} && end == text.data() + text.size()) return time;
  return Status::Invalid(fmt::format("header {} is missing or not a number", wire::kSentAtHeader))
      .WithRemedy("send the Unix milliseconds of the agent's clock");
}

Status CheckKind(const net::HttpRequest& request) {
  // Also what keeps web pages out: a form or a simple request cannot send this type (Fetch, CORS-safelisted headers).
  if (HeaderOf(request, "Content-Type") != wire::kContentType) {
    return Status::Invalid(fmt::format("a batch is {} in {}", wire::kContentType, wire::kContentEncoding))
        .WithRemedy("check that agent and server versions match");
  }
  const std::string encoding = HeaderOf(request, "Content-Encoding");
  if (!encoding.empty() && encoding != wire::kContentEncoding) {
    return Status::Invalid(fmt::format("Content-Encoding '{}' is not understood", encoding.substr(0, 40)))
        .WithRemedy(fmt::format("send {}", wire::kContentEncoding));
  }
  return Status::Ok();
}

// Agents before acknowledgements in protobuf accept JSON alone, and name nothing.
net::HttpResponse AckResponse(const wire::Ack& ack, bool protobuf) {
  if (protobuf) {
    Result<std::string> bytes = wire::EncodeAck(ack);
    if (!bytes.ok()) bytes = wire::EncodeAck({ack.duplicate, ack.watermark, {}});
    return {200, std::string(wire::kContentType), *std::move(bytes), {}};
  }
  return JsonResponse(fmt::format("{{\"watermark\": {}, \"duplicate\": {}}}\n", ack.watermark, ack.duplicate));
}

}  // namespace

void RespondLive(Service& service, net::HttpRequest request, std::unique_ptr<net::Responder> responder,
                 Arguments& arguments) {
  model::Filter filter = arguments.FlowFilter();
  const int64_t replay_ms = arguments.Duration("replay");
  if (replay_ms > kMaxReplayMs) {
    arguments.Refuse("replay", "only the last 180s are kept for replay",
                     "give at most 180s, and ask GET /api/v1/flows for what is older");
  }
  if (arguments.refusal()) return responder->Send(net::ErrorResponse(*arguments.refusal()));
  if (!service.live.HasRoom()) {
    return responder->Send(net::ErrorResponse({.status = 503,
                                               .code = "busy",
                                               .message = "too many live viewers already",
                                               .remedy = "close one, or ask GET /api/v1/flows again and again"}));
  }
  // HEAD wants to know whether there is a stream, not to watch it.
  std::shared_ptr<net::EventStream> stream = responder->Stream();
  if (request.method != "HEAD") service.live.Join(std::move(stream), std::move(filter), replay_ms);
}

void RespondIngest(Service& service, net::HttpRequest request, std::unique_ptr<net::Responder> responder,
                   Arguments& arguments) {
  if (arguments.refusal()) return responder->Send(net::ErrorResponse(*arguments.refusal()));
  if (const Status kind = CheckKind(request); !kind.ok()) return responder->Send(StatusResponse(kind));
  const Result<UnixMillis> sent_at = SentAt(request);
  if (!sent_at.ok()) return responder->Send(StatusResponse(sent_at.status()));
  const bool protobuf = HeaderOf(request, "Accept").find(wire::kContentType) != std::string::npos;
  // std::function wants copies; there is one responder.
  service.server.Ingest(
      request.body, *sent_at,
      [later = std::shared_ptr<net::Responder>(std::move(responder)), protobuf](Result<wire::Ack> ack) {
        later->Send(ack.ok() ? AckResponse(*ack, protobuf) : StatusResponse(ack.status()));
      });
}

}  // namespace weir::api
