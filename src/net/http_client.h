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

// What an http or https URL says.
struct UrlParts {
  std::string scheme;
  std::string host;   // an IPv6 address without brackets
  uint16_t port = 0;  // the scheme's where the URL has none
  std::string path;   // "/" where it has none
  bool has_user = false;
};
// kInvalid: no URL, or of another scheme.
Result<UrlParts> ReadUrl(const std::string& url);

struct ClientResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // keys in lower case
  std::string body;
};

struct ClientRequest {
  std::string method = "GET";
  std::string url;
  std::map<std::string, std::string> headers;
  std::string body;
  std::chrono::milliseconds timeout{30'000};
  size_t max_response_bytes = size_t{256} << 20;
  // Ends the request with kUnavailable within a second of becoming true. Borrowed until the call returns.
  const std::atomic<bool>* abort = nullptr;
  bool direct = false;       // by no proxy of the environment: what is asked for is near
  bool accept_gzip = false;  // max_response_bytes bounds the body as it is unpacked
  // Of a stream only: its longest life, 0 = any. Beyond it ends with kUnavailable within a second.
  std::chrono::milliseconds max_duration{0};
  std::function<void()> on_open = nullptr;  // of a stream only: called once, when the server has answered 200
  // Of a stream only: becomes the answer when that is another than 200. Borrowed until the call returns; may be
  // nullptr.
  ClientResponse* refusal = nullptr;
};

class HttpClient {
 public:
  struct Options {
    std::string ca_file;       // "" = the system's
    std::string bearer_token;  // "" = none
    // Asked before each request, in the place of bearer_token, on the requesting thread; its failure is the request's.
    std::function<Result<std::string>()> token_source = nullptr;
    std::string client_certificate_file = "";  // PEM; both or neither, read again for every new connection
    std::string client_key_file = "";
    std::string tls_server_name = "";  // the name the server's certificate must have; "" = the url's host
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
