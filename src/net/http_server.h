// An HTTP/1.1 server over libmicrohttpd: an event loop that never runs a handler, and bounded pools of
// workers that do. A handler answers at once, later from any thread (Responder is movable), or as a stream.
// Routes that may take long get a pool of their own, so that they hold up no other route.
//
// Bounds: body size per route (checked before it is read), 64 KiB of headers, queued requests (beyond: 503 +
// Retry-After), connections, idle time. Thread-safe where said.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace weir::net {

struct HttpRequest {
  std::string method;
  std::string path;                            // decoded, without the query
  std::map<std::string, std::string> query;    // decoded; the last of repeated keys wins
  std::map<std::string, std::string> headers;  // keys in lower case
  std::string body;
  std::string peer;  // address of the other end, for logs
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::map<std::string, std::string> headers;
};

// A server-sent-events stream to one client. Thread-safe.
class EventStream {
 public:
  virtual ~EventStream() = default;
  // Queues one event; false when the client is gone or too far behind (1 MiB): the event was dropped.
  virtual bool Send(std::string_view event, std::string_view data) = 0;
  virtual bool closed() const = 0;
};

// Exactly one of Send and Stream, once, from any thread. Destroying an unused one answers 500.
class Responder {
 public:
  virtual ~Responder() = default;
  virtual void Send(HttpResponse response) = 0;
  virtual std::shared_ptr<EventStream> Stream() = 0;  // answers 200 text/event-stream
};

using HttpHandler = std::function<void(HttpRequest request, std::unique_ptr<Responder> responder)>;

// Threads that run the handlers of some routes, and the requests that may wait for one of them.
struct HttpPool {
  std::string name = "http";  // prefix of the threads' names, at most 12 characters
  unsigned workers = 4;
  size_t max_queued_requests = 256;
};

struct HttpServerOptions {
  std::string listen = "127.0.0.1:7600";  // host:port; [v6]:port; port 0 = any free one
  std::string listen_flag = "--listen";   // what it was given by, for remedies
  std::string tls_certificate_file;       // PEM; both or neither
  std::string tls_key_file;
  std::vector<HttpPool> pools = {HttpPool{}};
  size_t max_connections = 4096;
  size_t max_body_bytes = size_t{1} << 20;  // default for routes
};

class HttpServer {
 public:
  static std::unique_ptr<HttpServer> Create(HttpServerOptions options);
  virtual ~HttpServer() = default;

  // Before Start(). `path` is exact, or a prefix when it ends in "/*". max_body_bytes 0 = the default. `pool` is an
  // index into the options' pools. A known path with another method answers 405; an unknown one 404, both JSON.
  virtual void Route(std::string method, std::string path, HttpHandler handler, size_t max_body_bytes = 0,
                     size_t pool = 0) = 0;
  // Runs before every handler, on the event loop; a response refuses the request. Must not block.
  virtual void SetGate(std::function<std::optional<HttpResponse>(const HttpRequest&)> gate) = 0;

  // kConflict when the address is taken, with the remedy; kInvalid when it cannot be parsed.
  virtual Status Start() = 0;
  virtual void Stop() = 0;                  // idempotent; open streams are closed
  virtual std::string address() const = 0;  // "127.0.0.1:7600", after Start()
};

}  // namespace weir::net
