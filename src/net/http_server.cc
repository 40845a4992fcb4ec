#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <unordered_set>

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "net/http_error.h"
#include "net/http_exchange.h"
#include "net/http_routes.h"
#include "net/http_server.h"
#include "net/listen_address.h"
#include "net/worker_pool.h"

namespace weir::net {
namespace {

// libmicrohttpd reads headers into a pool per connection of this size and answers 431 when they do not fit; a part
// of it is needed for the parsed form and the answer's headers, so that 64 KiB remain for the request's.
constexpr size_t kConnectionPoolBytes = size_t{96} << 10;
constexpr unsigned kIdleSeconds = 60;
// A refused body up to this size is read and thrown away, because a client that is still sending when the connection
// closes sees a reset instead of the answer.
constexpr size_t kMaxDiscardedBytes = size_t{64} << 20;
constexpr std::chrono::seconds kStopGrace{2};
// Descriptors left to the rest of the process (store files, agent).
constexpr size_t kReservedDescriptors = 256;

MHD_Result CollectHeader(void* into, MHD_ValueKind, const char* key, size_t key_size, const char* value,
                         size_t value_size) {
  auto& headers = *static_cast<std::map<std::string, std::string>*>(into);
  headers[Lower({key, key_size})] = value == nullptr ? std::string() : std::string(value, value_size);
  return MHD_YES;
}

MHD_Result CollectQuery(void* into, MHD_ValueKind, const char* key, size_t key_size, const char* value,
                        size_t value_size) {
  auto& query = *static_cast<std::map<std::string, std::string>*>(into);
  query[std::string(key, key_size)] = value == nullptr ? std::string() : std::string(value, value_size);
  return MHD_YES;
}

std::string PeerOf(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  if (info == nullptr || info->client_addr == nullptr) return "";
  sockaddr_storage storage{};
  const bool v6 = info->client_addr->sa_family == AF_INET6;
  std::memcpy(&storage, info->client_addr, v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
  return FormatSocketHost(storage);
}

HttpResponse TooLarge(size_t limit) {
  return ErrorResponse(
      {.status = 413, .code = "too_large", .message = fmt::format("the request body is larger than {} bytes", limit)});
}

HttpResponse Busy(std::string message) {
  return ErrorResponse(
      {.status = 503, .code = "busy", .message = std::move(message), .remedy = "try again in a moment"});
}

HttpResponse NoRoute(const RouteTable::Match& match) {
  if (match.allowed.empty()) {
    return ErrorResponse({.status = 404,
                          .code = "not_found",
                          .message = "no such path",
                          .remedy = "GET /api/v1/openapi.json lists the API"});
  }
  HttpResponse response = ErrorResponse({.status = 405,
                                         .code = "method_not_allowed",
                                         .message = "this path does not take that method",
                                         .remedy = "use one of: " + match.allowed});
  response.headers["Allow"] = match.allowed;
  return response;
}

// Declared length of the body; 0 without one, SIZE_MAX when chunked or beyond counting.
size_t DeclaredBody(const std::map<std::string, std::string>& headers) {
  if (headers.contains("transfer-encoding")) return SIZE_MAX;
  const auto found = headers.find("content-length");
  if (found == headers.end()) return 0;
  size_t length = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  return error == std::errc{} && end == text.data() + text.size() ? length : SIZE_MAX;
}

Result<std::string> ReadPem(const std::string& path, std::string_view flag) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || text.empty())
    return Status::NotFound(fmt::format("cannot read {} ({}): give a PEM file this user may read", path, flag));
  return text;
}

unsigned ConnectionLimit(size_t wanted) {
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0 || descriptors.rlim_cur == RLIM_INFINITY)
    return static_cast<unsigned>(wanted);
  const size_t open = descriptors.rlim_cur;
  const size_t usable = open > 2 * kReservedDescriptors ? open - kReservedDescriptors : open / 2;
  return static_cast<unsigned>(std::min(wanted, usable));
}

// The event loop is libmicrohttpd's one internal thread (epoll); handlers run on their route's pool. The mutex guards
// what both touch: whether we stop, and which exchanges are under way.
class MicrohttpdServer final : public HttpServer {
 public:
  explicit MicrohttpdServer(HttpServerOptions options) : options_(std::move(options)) {}
  ~MicrohttpdServer() override { MicrohttpdServer::Stop(); }
  MicrohttpdServer(const MicrohttpdServer&) = delete;
  MicrohttpdServer& operator=(const MicrohttpdServer&) = delete;

  void Route(std::string method, std::string path, HttpHandler handler, size_t max_body_bytes, size_t pool) override {
    const size_t limit = max_body_bytes == 0 ? options_.max_body_bytes : max_body_bytes;
    routes_.Add({std::move(method), std::move(path), std::move(handler), limit, pool});
  }
  void SetGate(std::function<std::optional<HttpResponse>(const HttpRequest&)> gate) override {
    gate_ = std::move(gate);
  }
  Status Start() override;
  void Stop() override;
  std::string address() const override { return address_; }

 private:
  static void OnLog(void* self, const char* format, va_list arguments) __attribute__((format(printf, 2, 0)));
  static MHD_Result OnAccess(void* self, MHD_Connection* connection, const char* url, const char* method,
                             const char* version, const char* upload, size_t* upload_size, void** context);
  static void OnCompleted(void* self, MHD_Connection* connection, void** context, MHD_RequestTerminationCode code);

  Status StartDaemon();
  MHD_Result OnHead(MHD_Connection* connection, const char* url, const char* method, void** context);
  MHD_Result OnBody(Exchange& exchange, const char* upload, size_t* upload_size);
  MHD_Result OnWhole(const std::shared_ptr<Exchange>& exchange, MHD_Connection* connection);
  std::optional<HttpResponse> Judge(Exchange& exchange, size_t declared);
  void Dispatch(const std::shared_ptr<Exchange>& exchange);
  bool stopping();

  HttpServerOptions options_;
  RouteTable routes_;
  std::function<std::optional<HttpResponse>(const HttpRequest&)> gate_;
  std::string address_;
  std::string certificate_, key_;  // PEM, read by libmicrohttpd while it starts
  std::string last_log_;           // libmicrohttpd's reason when it does not start
  MHD_Daemon* daemon_ = nullptr;
  std::vector<std::unique_ptr<WorkerPool>> pools_;  // in the order of the options

  std::mutex mutex_;
  std::condition_variable completed_;
  bool stopping_ = false;
  std::unordered_set<std::shared_ptr<Exchange>> exchanges_;
};

void MicrohttpdServer::OnLog(void* self, const char* format, va_list arguments) {
  std::array<char, 512> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  std::string line(text.data());
  while (line.ends_with('\n')) line.pop_back();
  LogDebug("http: {}", line);
  auto& server = *static_cast<MicrohttpdServer*>(self);
  const std::lock_guard lock(server.mutex_);
  server.last_log_ = std::move(line);
}

MHD_Result MicrohttpdServer::OnAccess(void* self, MHD_Connection* connection, const char* url, const char* method,
                                      const char*, const char* upload, size_t* upload_size, void** context) {
  auto& server = *static_cast<MicrohttpdServer*>(self);
  if (*context == nullptr) return server.OnHead(connection, url, method, context);
  const auto& exchange = *static_cast<std::shared_ptr<Exchange>*>(*context);
  if (*upload_size != 0) return server.OnBody(*exchange, upload, upload_size);
  return server.OnWhole(exchange, connection);
}

MHD_Result MicrohttpdServer::OnHead(MHD_Connection* connection, const char* url, const char* method, void** context) {
  auto exchange = std::make_shared<Exchange>(connection);
  HttpRequest& request = exchange->request;
  request.method = method;
  request.path = url;
  request.peer = PeerOf(connection);
  MHD_get_connection_values_n(connection, MHD_HEADER_KIND, CollectHeader, &request.headers);
  MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, CollectQuery, &request.query);
  *context = new std::shared_ptr<Exchange>(exchange);
  {
    const std::lock_guard lock(mutex_);
    exchanges_.insert(exchange);
  }
  const size_t declared = DeclaredBody(request.headers);
  exchange->refusal = Judge(*exchange, declared);
  if (!exchange->refusal) {
    if (declared != SIZE_MAX) request.body.reserve(declared);
    return MHD_YES;
  }
  // A client that asked first (RFC 9110, 10.1.1) has sent nothing yet and gets its refusal at once.
  const bool asks_first = request.headers.contains("expect");
  const bool discard = declared != 0 && !asks_first && (declared == SIZE_MAX || declared <= kMaxDiscardedBytes);
  if (declared == 0 || discard) return MHD_YES;
  return QueueResponse(connection, *std::move(exchange->refusal), /*close_connection=*/true);
}

std::optional<HttpResponse> MicrohttpdServer::Judge(Exchange& exchange, size_t declared) {
  if (gate_) {
    if (std::optional<HttpResponse> refused = gate_(exchange.request)) return refused;
  }
  const RouteTable::Match match = routes_.Find(exchange.request.method, exchange.request.path);
  if (match.route == nullptr) return NoRoute(match);
  exchange.handler = &match.route->handler;
  exchange.max_body_bytes = match.route->max_body_bytes;
  exchange.pool = match.route->pool;
  if (declared != SIZE_MAX && declared > exchange.max_body_bytes) return TooLarge(exchange.max_body_bytes);
  return std::nullopt;
}

MHD_Result MicrohttpdServer::OnBody(Exchange& exchange, const char* upload, size_t* upload_size) {
  const size_t size = *upload_size;
  *upload_size = 0;
  if (!exchange.refusal && exchange.request.body.size() + size > exchange.max_body_bytes) {
    exchange.refusal = TooLarge(exchange.max_body_bytes);
    exchange.request.body = {};
  }
  if (!exchange.refusal) {
    exchange.request.body.append(upload, size);
    return MHD_YES;
  }
  // libmicrohttpd takes no answer in the middle of a body; one that never ends is cut off.
  exchange.discarded_bytes += size;
  return exchange.discarded_bytes > kMaxDiscardedBytes ? MHD_NO : MHD_YES;
}

MHD_Result MicrohttpdServer::OnWhole(const std::shared_ptr<Exchange>& exchange, MHD_Connection* connection) {
  if (exchange->refusal) return QueueResponse(connection, *std::move(exchange->refusal), stopping());
  if (exchange->answered()) return exchange->Queue(stopping());
  Dispatch(exchange);
  if (exchange->refusal) return QueueResponse(connection, *std::move(exchange->refusal), stopping());
  return MHD_YES;
}

void MicrohttpdServer::Dispatch(const std::shared_ptr<Exchange>& exchange) {
  {
    // Under the lock, so that Stop() finds every exchange that waits.
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      exchange->refusal = Busy("the server is stopping");
      return;
    }
    exchange->AwaitAnswer();
  }
  // std::function wants copies; the responder must not have any.
  auto responder = std::make_shared<std::unique_ptr<Responder>>(MakeResponder(exchange));
  auto request = std::make_shared<HttpRequest>(std::move(exchange->request));
  const HttpHandler* handler = exchange->handler;
  const bool taken = pools_[exchange->pool]->Submit(
      [responder, request, handler] { (*handler)(std::move(*request), std::move(*responder)); });
  if (!taken) exchange->Answer(Busy("too many requests wait already"));
}

void MicrohttpdServer::OnCompleted(void* self, MHD_Connection*, void** context, MHD_RequestTerminationCode) {
  if (*context == nullptr) return;
  auto& server = *static_cast<MicrohttpdServer*>(self);
  const std::unique_ptr<std::shared_ptr<Exchange>> exchange(static_cast<std::shared_ptr<Exchange>*>(*context));
  *context = nullptr;
  (*exchange)->Completed();
  {
    const std::lock_guard lock(server.mutex_);
    server.exchanges_.erase(*exchange);
  }
  server.completed_.notify_all();
}

bool MicrohttpdServer::stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

Status MicrohttpdServer::Start() {
  if (options_.tls_certificate_file.empty() != options_.tls_key_file.empty()) {
    return Status::Invalid("TLS needs both a certificate and a key: give --tls-cert and --tls-key, or neither");
  }
  if (!options_.tls_certificate_file.empty()) {
    WEIR_ASSIGN_OR_RETURN(certificate_, ReadPem(options_.tls_certificate_file, "--tls-cert"));
    WEIR_ASSIGN_OR_RETURN(key_, ReadPem(options_.tls_key_file, "--tls-key"));
  }
  return StartDaemon();
}

Status MicrohttpdServer::StartDaemon() {
  WEIR_ASSIGN_OR_RETURN(const ListenAddress listen_address, ParseListenAddress(options_.listen));
  WEIR_ASSIGN_OR_RETURN(const int listener, OpenListenSocket(listen_address, options_.listen_flag));
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &length);
  address_ = FormatSocketAddress(bound);

  // Before the daemon: its first request may come at once.
  for (const HttpPool& pool : options_.pools)
    pools_.push_back(std::make_unique<WorkerPool>(pool.name, pool.workers, pool.max_queued_requests));
  const bool tls = !certificate_.empty();
  const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                         (tls ? static_cast<unsigned>(MHD_USE_TLS) : 0U);
  std::array<MHD_OptionItem, 4> tls_options{{{MHD_OPTION_END, 0, nullptr}}};
  if (tls) {
    static std::string priorities = "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";  // GnuTLS priority string
    tls_options = {{{MHD_OPTION_HTTPS_MEM_CERT, 0, certificate_.data()},
                    {MHD_OPTION_HTTPS_MEM_KEY, 0, key_.data()},
                    {MHD_OPTION_HTTPS_PRIORITIES, 0, priorities.data()},
                    {MHD_OPTION_END, 0, nullptr}}};
  }
  daemon_ = MHD_start_daemon(flags, 0, nullptr, nullptr, &OnAccess, this, MHD_OPTION_EXTERNAL_LOGGER, &OnLog,
                             this,  // first, so that the other options can complain
                             MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_NOTIFY_COMPLETED, &OnCompleted, this,
                             MHD_OPTION_CONNECTION_LIMIT, ConnectionLimit(options_.max_connections),
                             MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionPoolBytes, MHD_OPTION_CONNECTION_TIMEOUT,
                             kIdleSeconds, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls_options.data(),
                             MHD_OPTION_END);
  if (daemon_ != nullptr) return Status::Ok();
  close(listener);
  pools_.clear();
  const std::lock_guard lock(mutex_);
  if (tls) {
    return Status::Invalid(
        fmt::format("TLS with {} and {} does not work ({}): check that both are PEM and belong together",
                    options_.tls_certificate_file, options_.tls_key_file, last_log_));
  }
  return Status::Internal(fmt::format("the HTTP server does not start on {}: {}", address_, last_log_));
}

void MicrohttpdServer::Stop() {
  if (daemon_ == nullptr) return;
  const MHD_socket listener = MHD_quiesce_daemon(daemon_);
  std::unordered_set<std::shared_ptr<Exchange>> under_way;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  for (const auto& pool : pools_) pool->Close();
  for (const auto& pool : pools_) pool->Stop();  // handlers that run may still answer
  {
    const std::lock_guard lock(mutex_);
    under_way = exchanges_;
  }
  // libmicrohttpd must not be stopped while a connection is suspended: every one is resumed by an answer or an end.
  for (const auto& exchange : under_way) exchange->Shut();
  under_way.clear();
  {
    std::unique_lock lock(mutex_);
    completed_.wait_for(lock, kStopGrace, [this] { return exchanges_.empty(); });
  }
  MHD_stop_daemon(daemon_);
  daemon_ = nullptr;
  if (listener != MHD_INVALID_SOCKET) close(listener);
  pools_.clear();
}

}  // namespace

std::unique_ptr<HttpServer> HttpServer::Create(HttpServerOptions options) {
  return std::make_unique<MicrohttpdServer>(std::move(options));
}

}  // namespace weir::net
