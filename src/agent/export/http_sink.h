// A BatchSink that POSTs to a Weir server (docs/api.md, POST /ingest) and turns its answer into what the
// exporter should do.
//
//   200 with an acknowledgement   OK
//   400 411 413 415 422           kInvalid: this batch will never be accepted
//   401 403                       kDenied
//   409                           kConflict: another agent has this node's name
//   anything else, or nothing     kUnavailable: 429, 5xx, but also 3xx, 404 and a 200 that is no acknowledgement:
//                                 whoever answers there is not a Weir server, and the batch must not die of it
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "net/http_client.h"
#include "wire/batch_sink.h"

namespace weir::agent {

class HttpSink final : public wire::BatchSink {
 public:
  static constexpr std::chrono::seconds kTimeout{10};
  static constexpr std::chrono::seconds kLongestRetryAfter{30};

  // `server` is the base url, e.g. "https://weir.example:7600"; `client` carries token and CA; `clock`
  // outlives the sink. kInvalid when the url has no http or https.
  static Result<std::unique_ptr<HttpSink>> Create(std::string server, std::unique_ptr<net::HttpClient> client,
                                                  const Clock& clock);

  // After an answer with Retry-After, calls within that time (at most kLongestRetryAfter) return kUnavailable
  // without asking.
  Result<wire::Ack> Send(const std::string& encoded_batch, UnixMillis sent_at) override;
  void Abort() override { abort_ = true; }

 private:
  HttpSink(std::string url, std::unique_ptr<net::HttpClient> client, const Clock& clock)
      : url_(std::move(url)), client_(std::move(client)), clock_(clock) {}

  void HonourRetryAfter(const net::ClientResponse& response);

  const std::string url_;
  const std::unique_ptr<net::HttpClient> client_;
  const Clock& clock_;
  std::atomic<bool> abort_{false};
  Nanos not_before_ = 0;  // monotonic
};

}  // namespace weir::agent
