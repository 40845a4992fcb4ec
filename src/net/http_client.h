// A blocking HTTP client over libcurl: keep-alive, TLS verified, bounded answers. One thread at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"

namespace weir::net {

struct ClientRequest {
  std::string method = "GET";
  std::string url;
  std::map<std::string, std::string> headers;
  std::string body;
  std::chrono::milliseconds timeout{30'000};
  size_t max_response_bytes = size_t{256} << 20;
  // Ends the request with kUnavailable within a second of becoming true. Borrowed until the call returns.
  const std::atomic<bool>* abort = nullptr;
};

struct ClientResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // keys in lower case
  std::string body;
};

class HttpClient {
 public:
  struct Options {
    std::string ca_file;       // "" = the system's
    std::string bearer_token;  // "" = none
  };
  static std::unique_ptr<HttpClient> Create(Options options);
  virtual ~HttpClient() = default;

  // Any HTTP status is a response. kUnavailable: no connection, no answer in time (the message names the url
  // and the cause), or aborted. kInvalid: bad url, method or header. kDenied: certificate not trusted.
  // kExhausted: the answer is larger than max_response_bytes. Redirects are answers, not followed.
  virtual Result<ClientResponse> Send(const ClientRequest& request) = 0;
  // Streams the body to `on_data` until it returns false or the server ends; no timeout once the server has
  // answered. A status other than 200 is an error with the start of its body: 400 kInvalid, 401 and 403
  // kDenied, 404 kNotFound, else kUnavailable.
  virtual Status Stream(const ClientRequest& request, const std::function<bool(std::string_view)>& on_data) = 0;
};

}  // namespace weir::net
