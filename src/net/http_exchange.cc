#include "net/http_exchange.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "net/http_error.h"

namespace weir::net {
namespace {

constexpr size_t kStreamBlockBytes = size_t{32} << 10;

HttpResponse Stopping() {
  return ErrorResponse(
      {.status = 503, .code = "busy", .message = "the server is stopping", .remedy = "try again in a moment"});
}

void AddHeaders(MHD_Response* raw, const HttpResponse& response, bool close_connection) {
  MHD_add_response_header(raw, MHD_HTTP_HEADER_CONTENT_TYPE, response.content_type.c_str());
  for (const auto& [name, value] : response.headers) {
    if (MHD_add_response_header(raw, name.c_str(), value.c_str()) != MHD_YES) {
      LogDebug("http: header {} left out: its value is not one line of text", name);
    }
  }
  if (close_connection) MHD_add_response_header(raw, MHD_HTTP_HEADER_CONNECTION, "close");
}

MHD_Result QueueAndRelease(MHD_Connection* connection, int status, MHD_Response* raw) {
  const MHD_Result queued = MHD_queue_response(connection, static_cast<unsigned>(status), raw);
  MHD_destroy_response(raw);
  return queued;
}

ssize_t ReadStream(void* buffer, uint64_t, char* out, size_t max) {
  return (*static_cast<std::shared_ptr<EventBuffer>*>(buffer))->Read(out, max);
}

void FreeStream(void* buffer) { delete static_cast<std::shared_ptr<EventBuffer>*>(buffer); }

MHD_Result QueueStream(MHD_Connection* connection, const std::shared_ptr<EventBuffer>& stream) {
  HttpResponse head;
  head.content_type = "text/event-stream";
  // Proxies must pass events on at once (X-Accel-Buffering: nginx).
  head.headers = {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}, {"X-Content-Type-Options", "nosniff"}};
  auto* owned = new std::shared_ptr<EventBuffer>(stream);
  MHD_Response* raw =
      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, kStreamBlockBytes, ReadStream, owned, FreeStream);
  if (raw == nullptr) {
    delete owned;
    return MHD_NO;
  }
  AddHeaders(raw, head, /*close_connection=*/false);
  return QueueAndRelease(connection, 200, raw);
}

// The sender's end of a stream: letting go of it ends the stream.
class SendingEnd final : public EventStream {
 public:
  explicit SendingEnd(std::shared_ptr<EventBuffer> buffer) : buffer_(std::move(buffer)) {}
  ~SendingEnd() override {
    if (buffer_) buffer_->End();
  }
  SendingEnd(const SendingEnd&) = delete;
  SendingEnd& operator=(const SendingEnd&) = delete;

  bool Send(std::string_view event, std::string_view data) override {
    if (!buffer_) return false;
    std::string bytes = "event: ";
    bytes.append(event).append("\n");
    // A line break inside data starts another data line (WHATWG HTML, 9.2.6).
    for (bool more = true; more;) {
      const size_t end = data.find('\n');
      more = end != std::string_view::npos;
      bytes.append("data: ").append(data.substr(0, end)).append("\n");
      if (more) data.remove_prefix(end + 1);
    }
    bytes += '\n';
    return buffer_->Append(bytes);
  }
  bool closed() const override { return !buffer_ || buffer_->closed(); }

 private:
  const std::shared_ptr<EventBuffer> buffer_;  // null: the request had been answered
};

class ExchangeResponder final : public Responder {
 public:
  explicit ExchangeResponder(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  ~ExchangeResponder() override {
    // No effect when the request has been answered.
    exchange_->Answer(ErrorResponse(
        {.message = "the request was dropped without an answer", .remedy = "this is a bug in Weir; please report it"}));
  }
  ExchangeResponder(const ExchangeResponder&) = delete;
  ExchangeResponder& operator=(const ExchangeResponder&) = delete;

  void Send(HttpResponse response) override { exchange_->Answer(std::move(response)); }
  std::shared_ptr<EventStream> Stream() override { return std::make_shared<SendingEnd>(exchange_->StartStream()); }

 private:
  const std::shared_ptr<Exchange> exchange_;
};

}  // namespace

bool EventBuffer::Append(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (connection_ == nullptr || ended_ || bytes_.size() - taken_ + bytes.size() > kMaxStreamBytes) return false;
  if (taken_ > kMaxStreamBytes) {
    bytes_.erase(0, taken_);
    taken_ = 0;
  }
  bytes_ += bytes;
  ResumeLocked();
  return true;
}

void EventBuffer::End() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  ResumeLocked();
}

void EventBuffer::Disconnect() {
  const std::lock_guard lock(mutex_);
  connection_ = nullptr;
  suspended_ = false;
}

bool EventBuffer::closed() const {
  const std::lock_guard lock(mutex_);
  return connection_ == nullptr || ended_;
}

ssize_t EventBuffer::Read(char* out, size_t max) {
  const std::lock_guard lock(mutex_);
  const size_t left = bytes_.size() - taken_;
  if (left == 0) {
    bytes_.clear();
    taken_ = 0;
    if (ended_ || connection_ == nullptr) return MHD_CONTENT_READER_END_OF_STREAM;
    suspended_ = true;
    MHD_suspend_connection(connection_);
    return 0;
  }
  const size_t count = std::min(left, max);
  std::memcpy(out, bytes_.data() + taken_, count);
  taken_ += count;
  return static_cast<ssize_t>(count);
}

void EventBuffer::ResumeLocked() {
  if (!suspended_ || connection_ == nullptr) return;
  suspended_ = false;
  MHD_resume_connection(connection_);
}

void Exchange::AwaitAnswer() {
  const std::lock_guard lock(mutex_);
  state_ = State::kWaiting;
  MHD_suspend_connection(connection_);
}

bool Exchange::answered() {
  const std::lock_guard lock(mutex_);
  return state_ == State::kAnswered || state_ == State::kStreaming;
}

MHD_Result Exchange::Queue(bool close_connection) {
  const std::lock_guard lock(mutex_);
  if (state_ == State::kStreaming) return QueueStream(connection_, stream_);
  return QueueResponse(connection_, std::move(answer_), close_connection);
}

void Exchange::Completed() {
  const std::lock_guard lock(mutex_);
  state_ = State::kDone;
  connection_ = nullptr;
  if (stream_) stream_->Disconnect();
  stream_.reset();
}

void Exchange::Answer(HttpResponse response) {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kWaiting) return;
  answer_ = std::move(response);
  state_ = State::kAnswered;
  MHD_resume_connection(connection_);
}

std::shared_ptr<EventBuffer> Exchange::StartStream() {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kWaiting) return nullptr;
  stream_ = std::make_shared<EventBuffer>(connection_);
  state_ = State::kStreaming;
  MHD_resume_connection(connection_);
  return stream_;
}

void Exchange::Shut() {
  Answer(Stopping());
  const std::lock_guard lock(mutex_);
  if (stream_) stream_->End();
}

std::unique_ptr<Responder> MakeResponder(std::shared_ptr<Exchange> exchange) {
  return std::make_unique<ExchangeResponder>(std::move(exchange));
}

MHD_Result QueueResponse(MHD_Connection* connection, HttpResponse response, bool close_connection) {
  // The body is handed over, not copied: an answer may be tens of megabytes.
  auto* body = new std::string(std::move(response.body));
  MHD_Response* raw = MHD_create_response_from_buffer_with_free_callback_cls(
      body->size(), body->data(), [](void* owned) { delete static_cast<std::string*>(owned); }, body);
  if (raw == nullptr) {
    delete body;
    return MHD_NO;
  }
  AddHeaders(raw, response, close_connection);
  return QueueAndRelease(connection, response.status, raw);
}

}  // namespace weir::net
