// One request on its way through the server, seen from both sides: libmicrohttpd's event loop, which owns the
// connection, and whoever answers, on any thread, now, later or never.
//
// A connection whose answer is awaited is suspended. It stays suspended, and therefore valid, until Answer() or
// StartStream() resumes it under the exchange's lock; after that the exchange belongs to the event loop alone. So a
// Responder or stream may outlive the connection and the server: it finds the exchange done, and nothing happens.
#pragma once

#include <microhttpd.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_server.h"

namespace weir::net {

inline constexpr size_t kMaxStreamBytes = size_t{1} << 20;  // queued in a stream and not yet taken by the socket

// The bytes of one event stream between its sender and the event loop. Thread-safe.
class EventBuffer {
 public:
  explicit EventBuffer(MHD_Connection* connection) : connection_(connection) {}

  bool Append(std::string_view bytes);  // false: closed, or the bound would be exceeded
  void End();                           // no more will come; what is queued is still delivered
  void Disconnect();                    // event loop: the connection is gone
  bool closed() const;

  // Event loop only. Bytes copied, 0 after suspending the connection because nothing is queued, or
  // MHD_CONTENT_READER_END_OF_STREAM.
  ssize_t Read(char* out, size_t max);

 private:
  void ResumeLocked();

  mutable std::mutex mutex_;
  MHD_Connection* connection_;  // borrowed; null once disconnected
  std::string bytes_;
  size_t taken_ = 0;  // of bytes_, already read
  bool suspended_ = false;
  bool ended_ = false;
};

class Exchange {
 public:
  // `connection` is borrowed until Completed().
  explicit Exchange(MHD_Connection* connection) : connection_(connection) {}

  // --- event loop ---
  // Filled while the request is read, before AwaitAnswer().
  HttpRequest request;
  const HttpHandler* handler = nullptr;  // of the route, which outlives the exchange's reading
  size_t max_body_bytes = 0;
  size_t pool = 0;  // of the route
  size_t discarded_bytes = 0;
  std::optional<HttpResponse> refusal;  // decided before the body was read; the body is thrown away

  void AwaitAnswer();  // suspends the connection
  bool answered();     // Queue() has something to send
  MHD_Result Queue(bool close_connection);
  void Completed();  // the request is over, in whatever way; the connection may not be touched again

  // --- any thread ---
  void Answer(HttpResponse response);  // the first one counts
  // Null when the request is no longer waiting.
  std::shared_ptr<EventBuffer> StartStream();
  // The server stops: answers 503 if nobody has answered, ends the stream if there is one.
  void Shut();

 private:
  enum class State { kReading, kWaiting, kAnswered, kStreaming, kDone };

  std::mutex mutex_;
  State state_ = State::kReading;
  MHD_Connection* connection_;
  HttpResponse answer_;
  std::shared_ptr<EventBuffer> stream_;
};

std::unique_ptr<Responder> MakeResponder(std::shared_ptr<Exchange> exchange);

// Sends `response` on a connection of the event loop.
MHD_Result QueueResponse(MHD_Connection* connection, HttpResponse response, bool close_connection);

}  // namespace weir::net
