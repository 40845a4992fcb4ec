// Real sockets on the loopback, spoken to byte by byte: what a friendly client library hides is what breaks servers.
#include "net/http_server.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

namespace weir::net {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr int kPatienceMs = 20'000;  // a hang, not a slow machine

class Connection {
 public:
  explicit Connection(const std::string& address, int receive_buffer = 0)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer != 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::string port = address.substr(address.rfind(':') + 1);
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(port)));
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool connected() const { return connected_; }
  void ShutdownWrite() const { shutdown(fd_, SHUT_WR); }
  bool Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // False at the end of the connection.
  bool ReadMore() {
    pollfd ready{fd_, POLLIN, 0};
    if (poll(&ready, 1, kPatienceMs) != 1) {
      ADD_FAILURE() << "no bytes in time; so far: " << pending_.substr(0, 500);
      return false;
    }
    std::array<char, 65536> chunk{};
    const ssize_t got = recv(fd_, chunk.data(), chunk.size(), 0);
    if (got <= 0) return false;
    pending_.append(chunk.data(), static_cast<size_t>(got));
    return true;
  }
  // Everything up to and including `mark`; "" when the connection ends before.
  std::string ReadUntil(std::string_view mark) {
    size_t found = pending_.find(mark);
    while (found == std::string::npos) {
      if (!ReadMore()) return "";
      found = pending_.find(mark);
    }
    return Take(found + mark.size());
  }
  std::string ReadToEnd() {
    while (ReadMore()) {
    }
    return Take(pending_.size());
  }
  // One answer with a Content-Length: head and body in one text.
  std::string ReadAnswer(bool has_body = true) {
    std::string answer = ReadUntil("\r\n\r\n");
    const size_t at = answer.find("Content-Length: ");
    if (!has_body || at == std::string::npos) return answer;
    const size_t length = std::stoul(answer.substr(at + 16));
    while (pending_.size() < length) {
      if (!ReadMore()) return answer;
    }
    return answer + Take(length);
  }

 private:
  std::string Take(size_t count) {
    std::string taken = pending_.substr(0, count);
    pending_.erase(0, count);
    return taken;
  }
  int fd_;
  bool connected_ = false;
  std::string pending_;
};

std::string Get(std::string_view path, std::string_view headers = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(headers) + "\r\n";
}
std::string Post(std::string_view path, std::string_view body, std::string_view headers = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

HttpResponse Text(std::string body) {
  HttpResponse response;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

// A gate handlers wait at, so that a test decides when they go on.
class Latch {
 public:
  void Wait() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
};

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() { options_.listen = "127.0.0.1:0"; }
  void Begin() {
    server_ = HttpServer::Create(options_);
    server_->Route(
        "GET", "/echo",
        [](HttpRequest request, std::unique_ptr<Responder> responder) {
          std::string text = request.method + " " + request.path + " from " + request.peer;
          for (const auto& [key, value] : request.query) text += "\n" + key + "=" + value;
          for (const auto& [key, value] : request.headers) text += "\n" + key + ": " + value;
          responder->Send(Text(text));
        },
        0);
    server_->Route(
        "POST", "/sum",
        [](HttpRequest request, std::unique_ptr<Responder> responder) {
          responder->Send(Text(std::to_string(request.body.size())));
        },
        1000);
    server_->Route(
        "GET", "/files/*",
        [](HttpRequest request, std::unique_ptr<Responder> responder) {
          responder->Send(Text("file " + request.path));
        },
        0);
    if (more_routes_) more_routes_(*server_);
    const Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started.message();
  }
  std::string Ask(const std::string& request) {
    Connection connection(server_->address());
    connection.Send(request);
    return connection.ReadAnswer();
  }

  HttpServerOptions options_;
  std::function<void(HttpServer&)> more_routes_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, HandsOverTheDecodedRequest) {
  Begin();
  const std::string answer = Ask(Get("/echo?a=1&b=x%20y%2Bz+w&a=2&empty", "X-Name: Value\r\n"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain\r\n"));
  EXPECT_THAT(answer, HasSubstr("GET /echo from 127.0.0.1\na=2\nb=x y+z w\nempty="));
  EXPECT_THAT(answer, HasSubstr("\nx-name: Value"));
}

TEST_F(HttpServerTest, UnknownPathsAndMethodsAreJsonErrors) {
  Begin();
  const std::string missing = Ask(Get("/nowhere"));
  EXPECT_THAT(missing, StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(missing, HasSubstr(R"("code": "not_found")"));
  const std::string method = Ask(Post("/echo", "x"));
  EXPECT_THAT(method, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(method, HasSubstr("Allow: GET, HEAD\r\n"));
  EXPECT_THAT(method, HasSubstr(R"("code": "method_not_allowed")"));
  EXPECT_THAT(Ask(Get("/files/a/b.js")), HasSubstr("file /files/a/b.js"));
}

TEST_F(HttpServerTest, HeadHasTheLengthAndNoBody) {
  Begin();
  Connection connection(server_->address());
  connection.Send("HEAD /files/abc HTTP/1.1\r\nHost: x\r\n\r\n" + Get("/files/next"));
  const std::string head = connection.ReadAnswer(/*has_body=*/false);
  EXPECT_THAT(head, HasSubstr("Content-Length: 15\r\n"));
  // What follows is the next answer, not a body.
  EXPECT_THAT(connection.ReadAnswer(), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrderOnOneConnection) {
  Begin();
  Connection connection(server_->address());
  std::string requests;
  for (int i = 0; i < 50; ++i)
    requests += Get("/files/" + std::to_string(i)) + Post("/sum", std::string(static_cast<size_t>(i), 'x'));
  connection.Send(requests);
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(connection.ReadAnswer().ends_with("file /files/" + std::to_string(i)));
    EXPECT_TRUE(connection.ReadAnswer().ends_with("\r\n\r\n" + std::to_string(i)));
  }
}

TEST_F(HttpServerTest, RefusesAnOversizeBodyByItsDeclaredLength) {
  Begin();
  // Sent whole: the client must see the answer, not a reset, and may go on with the connection.
  Connection patient(server_->address());
  patient.Send(Post("/sum", std::string(3'000'000, 'x')) + Post("/sum", "abc"));
  const std::string answer = patient.ReadAnswer();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(answer, HasSubstr(R"("code": "too_large")"));
  EXPECT_TRUE(patient.ReadAnswer().ends_with("\r\n\r\n3"));
  // Never sent: beyond what is worth throwing away, the answer comes from the length alone.
  EXPECT_THAT(Ask("POST /sum HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(Ask("POST /sum HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, RefusesAnOversizeChunkedBodyWhileReading) {
  Begin();
  const std::string chunk = "200\r\n" + std::string(512, 'x') + "\r\n";
  const std::string head = "POST /sum HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_TRUE(Ask(head + chunk + "0\r\n\r\n").ends_with("\r\n\r\n512"));
  EXPECT_THAT(Ask(head + chunk + chunk + "0\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, BoundsTheHeaders) {
  Begin();
  EXPECT_THAT(Ask(Get("/files/x", "X-Long: " + std::string(60'000, 'a') + "\r\n")), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask(Get("/files/x", "X-Long: " + std::string(200'000, 'a') + "\r\n")), StartsWith("HTTP/1.1 431"));
}

TEST_F(HttpServerTest, TheGateComesBeforeEverything) {
  std::atomic<int> handled = 0;
  more_routes_ = [&](HttpServer& server) {
    server.Route(
        "GET", "/secret",
        [&](HttpRequest, std::unique_ptr<Responder> responder) {
          ++handled;
          responder->Send(Text("open"));
        },
        0);
    server.SetGate([](const HttpRequest& request) -> std::optional<HttpResponse> {
      if (request.headers.contains("x-pass")) return std::nullopt;
      HttpResponse refused = Text("no");
      refused.status = 401;
      return refused;
    });
  };
  Begin();
  EXPECT_THAT(Ask(Get("/secret")), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Ask(Get("/nowhere")), StartsWith("HTTP/1.1 401 "));
  EXPECT_EQ(handled, 0);
  EXPECT_TRUE(Ask(Get("/secret", "X-Pass: 1\r\n")).ends_with("open"));
}

TEST_F(HttpServerTest, AnswersLaterFromAnotherThread) {
  std::promise<std::unique_ptr<Responder>> later;
  more_routes_ = [&](HttpServer& server) {
    server.Route(
        "GET", "/later",
        [&](HttpRequest, std::unique_ptr<Responder> responder) { later.set_value(std::move(responder)); }, 0);
    server.Route(
        "GET", "/never", [](HttpRequest, std::unique_ptr<Responder>) {}, 0);
  };
  Begin();
  Connection waiting(server_->address());
  waiting.Send(Get("/later"));
  std::unique_ptr<Responder> responder = later.get_future().get();
  EXPECT_THAT(Ask(Get("/files/x")), HasSubstr("file /files/x"));  // nobody else waits
  std::thread([&] {
    responder->Send(Text("late"));
    responder->Send(Text("twice"));
  }).join();
  EXPECT_TRUE(waiting.ReadAnswer().ends_with("late"));
  waiting.Send(Get("/never"));
  EXPECT_THAT(waiting.ReadAnswer(), StartsWith("HTTP/1.1 500 "));
}

TEST_F(HttpServerTest, AHandlerThatThrowsAnswers500AndTheServerLives) {
  more_routes_ = [](HttpServer& server) {
    server.Route(
        "GET", "/throw", [](HttpRequest, std::unique_ptr<Responder>) { throw std::runtime_error("boom"); }, 0);
  };
  Begin();
  EXPECT_THAT(Ask(Get("/throw")), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(Ask(Get("/files/x")), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, ManyClientsAtOnce) {
  Begin();
  std::vector<std::thread> clients;
  std::atomic<int> right = 0;
  for (int c = 0; c < 16; ++c) {
    clients.emplace_back([&, c] {
      Connection connection(server_->address());
      for (int i = 0; i < 50; ++i) {
        const std::string name = std::to_string(c) + "." + std::to_string(i);
        connection.Send(Get("/files/" + name));
        if (connection.ReadAnswer().ends_with("file /files/" + name)) ++right;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 16 * 50);
}

TEST_F(HttpServerTest, ASlowClientHoldsUpNobody) {
  Begin();
  Connection slow(server_->address());
  for (const char byte : Get("/files/slow").substr(0, 20)) slow.Send({&byte, 1});
  Connection half_body(server_->address());
  half_body.Send("POST /sum HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_THAT(Ask(Get("/files/x")), HasSubstr("file /files/x"));
  slow.Send(Get("/files/slow").substr(20));
  half_body.Send("defghij");
  EXPECT_TRUE(slow.ReadAnswer().ends_with("file /files/slow"));
  EXPECT_TRUE(half_body.ReadAnswer().ends_with("\r\n\r\n10"));
}

TEST_F(HttpServerTest, AHalfClosedClientGetsItsAnswer) {
  Begin();
  Connection connection(server_->address());
  connection.Send(Get("/files/last"));
  connection.ShutdownWrite();
  EXPECT_TRUE(connection.ReadAnswer().ends_with("file /files/last"));
}

TEST_F(HttpServerTest, AClientThatLeavesWhileItsAnswerIsMadeHarmsNobody) {
  std::promise<std::unique_ptr<Responder>> later;
  more_routes_ = [&](HttpServer& server) {
    server.Route(
        "GET", "/later",
        [&](HttpRequest, std::unique_ptr<Responder> responder) { later.set_value(std::move(responder)); }, 0);
  };
  Begin();
  auto leaving = std::make_unique<Connection>(server_->address());
  leaving->Send(Get("/later"));
  const std::unique_ptr<Responder> responder = later.get_future().get();
  leaving.reset();
  responder->Send(Text(std::string(10'000'000, 'x')));
  EXPECT_THAT(Ask(Get("/files/x")), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, SlowRoutesHoldUpNoRouteOfAnotherPool) {
  options_.pools = {{"quick", 1, 4}, {"slow", 2, 2}};
  Latch latch;
  std::atomic<int> running = 0;
  more_routes_ = [&](HttpServer& server) {
    const auto block = [&](HttpRequest, std::unique_ptr<Responder> responder) {
      ++running;
      latch.Wait();
      responder->Send(Text("done"));
    };
    server.Route("GET", "/block", block, 0, 1);
  };
  Begin();
  // Two run, two wait, the others are turned away.
  std::vector<std::unique_ptr<Connection>> blocked;
  for (int i = 0; i < 8; ++i) {
    blocked.push_back(std::make_unique<Connection>(server_->address()));
    blocked.back()->Send(Get("/block"));
  }
  while (running < 2) std::this_thread::yield();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Ask(Get("/files/x")).ends_with("file /files/x"));
  latch.Open();
  server_->Stop();  // the handlers borrow the latch
}

TEST_F(HttpServerTest, AFullQueueSheds) {
  options_.pools = {{"http", 1, 1}};
  Latch latch;
  Latch somebody_refused;
  std::promise<void> busy;
  more_routes_ = [&](HttpServer& server) {
    server.Route(
        "GET", "/block",
        [&, first = std::make_shared<std::atomic<bool>>(true)](HttpRequest, std::unique_ptr<Responder> responder) {
          if (first->exchange(false)) busy.set_value();
          latch.Wait();
          responder->Send(Text("done"));
        },
        0);
  };
  Begin();
  Connection running(server_->address());
  running.Send(Get("/block"));
  busy.get_future().wait();
  // The queue has one place: of these three at least one is turned away while the worker is held.
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      const std::string answer = Ask(Get("/block"));
      if (answer.ends_with("done")) return;
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
      EXPECT_THAT(answer, HasSubstr("Retry-After: 1\r\n"));
      somebody_refused.Open();
    });
  }
  somebody_refused.Wait();
  latch.Open();
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(running.ReadAnswer().ends_with("done"));
}

TEST_F(HttpServerTest, StreamsEventsAndEndsWhenTheSenderLetsGo) {
  std::promise<std::shared_ptr<EventStream>> opened;
  more_routes_ = [&](HttpServer& server) {
    server.Route(
        "GET", "/events",
        [&](HttpRequest, std::unique_ptr<Responder> responder) { opened.set_value(responder->Stream()); }, 0);
  };
  Begin();
  Connection reader(server_->address());
  reader.Send(Get("/events"));
  std::shared_ptr<EventStream> stream = opened.get_future().get();
  EXPECT_THAT(reader.ReadUntil("\r\n\r\n"), HasSubstr("Content-Type: text/event-stream\r\n"));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(stream->Send("tick", std::to_string(i)));
    EXPECT_THAT(reader.ReadUntil("\n\n"), HasSubstr("event: tick\ndata: " + std::to_string(i) + "\n\n"));
  }
  EXPECT_TRUE(stream->Send("lines", "a\nb"));
  EXPECT_THAT(reader.ReadUntil("\n\n"), HasSubstr("event: lines\ndata: a\ndata: b\n\n"));
  EXPECT_FALSE(stream->closed());
  stream.reset();
  EXPECT_THAT(reader.ReadUntil("0\r\n\r\n"), HasSubstr("0\r\n\r\n"));  // the last chunk: a proper end
}

TEST_F(HttpServerTest, AStreamToAReaderThatDoesNotReadIsBounded) {
  std::promise<std::shared_ptr<EventStream>> opened;
  more_routes_ = [&](HttpServer& server) {
    server.Route(
        "GET", "/events",
        [&](HttpRequest, std::unique_ptr<Responder> responder) { opened.set_value(responder->Stream()); }, 0);
  };
  Begin();
  Connection reader(server_->address(), /*receive_buffer=*/4096);
  reader.Send(Get("/events"));
  const std::shared_ptr<EventStream> stream = opened.get_future().get();
  const std::string data(10'000, 'x');
  int accepted = 0;
  // The kernel's buffers take some megabytes at most; an unbounded stream would take all 100 MB.
  while (accepted < 10'000 && stream->Send("row", data)) ++accepted;
  EXPECT_LT(accepted, 10'000);
  EXPECT_FALSE(stream->closed());
  // Once it reads again, events get through again, and the accepted ones were not lost.
  std::string seen;
  for (int i = 0; i < accepted; ++i) {
    seen = reader.ReadUntil("\n\n");
    ASSERT_THAT(seen, HasSubstr("event: row\n"));
  }
  ASSERT_TRUE(stream->Send("after", "1"));
  EXPECT_THAT(reader.ReadUntil("\n\n"), HasSubstr("event: after"));
}

TEST_F(HttpServerTest, AStreamLearnsThatItsReaderLeft) {
  std::promise<std::shared_ptr<EventStream>> opened;
  more_routes_ = [&](HttpServer& server) {
    server.Route(
        "GET", "/events",
        [&](HttpRequest, std::unique_ptr<Responder> responder) { opened.set_value(responder->Stream()); }, 0);
  };
  Begin();
  auto reader = std::make_unique<Connection>(server_->address());
  reader->Send(Get("/events"));
  const std::shared_ptr<EventStream> stream = opened.get_future().get();
  reader->ReadUntil("\r\n\r\n");
  reader.reset();
  while (stream->Send("tick", "1")) std::this_thread::yield();  // the first writes still meet an open socket
  EXPECT_TRUE(stream->closed());
}

TEST_F(HttpServerTest, StopAnswersWhatWaitsAndClosesStreams) {
  std::promise<std::unique_ptr<Responder>> later;
  std::promise<std::shared_ptr<EventStream>> opened;
  Latch latch;
  std::promise<void> running;
  more_routes_ = [&](HttpServer& server) {
    server.Route(
        "GET", "/later",
        [&](HttpRequest, std::unique_ptr<Responder> responder) { later.set_value(std::move(responder)); }, 0);
    server.Route(
        "GET", "/events",
        [&](HttpRequest, std::unique_ptr<Responder> responder) { opened.set_value(responder->Stream()); }, 0);
    server.Route(
        "GET", "/slow",
        [&](HttpRequest, std::unique_ptr<Responder> responder) {
          running.set_value();
          latch.Wait();
          responder->Send(Text("finished"));
        },
        0);
  };
  Begin();
  Connection waiting(server_->address());
  Connection reading(server_->address());
  Connection working(server_->address());
  waiting.Send(Get("/later"));
  reading.Send(Get("/events"));
  working.Send(Get("/slow"));
  std::unique_ptr<Responder> responder = later.get_future().get();
  const std::shared_ptr<EventStream> stream = opened.get_future().get();
  running.get_future().wait();
  std::thread stopping([&] { server_->Stop(); });
  latch.Open();
  EXPECT_TRUE(working.ReadAnswer().ends_with("finished"));  // a handler that runs may answer
  EXPECT_THAT(waiting.ReadAnswer(), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(reading.ReadToEnd(), HasSubstr("text/event-stream"));
  stopping.join();
  const std::string address = server_->address();
  EXPECT_FALSE(Connection(address).connected());
  server_->Stop();
  server_.reset();
  responder->Send(Text("too late"));  // harmless
  EXPECT_TRUE(responder->Stream()->closed());
  EXPECT_FALSE(stream->Send("tick", "1"));
}

TEST_F(HttpServerTest, StopUnderLoad) {
  Begin();
  std::atomic<bool> begun = false;
  std::vector<std::thread> clients;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i) {
        Connection connection(server_->address());
        if (!connection.connected() || !connection.Send(Get("/files/x") + Get("/files/y"))) return;
        const std::string answer = connection.ReadAnswer();
        if (answer.empty()) return;
        begun = true;
        if (answer.starts_with("HTTP/1.1 503")) return;
      }
    });
  }
  while (!begun) std::this_thread::yield();
  server_->Stop();
  for (std::thread& client : clients) client.join();
}

TEST_F(HttpServerTest, SaysWhoHasThePort) {
  Begin();
  HttpServerOptions same;
  same.listen = server_->address();
  const Status status = HttpServer::Create(same)->Start();
  EXPECT_EQ(status.code(), Code::kConflict);
  EXPECT_THAT(status.message(), HasSubstr("is in use by another process; stop it or choose another --listen address"));
}

TEST_F(HttpServerTest, SaysWhatIsWrongWithTheAddressOrCertificate) {
  for (const char* listen : {"", "7600", "127.0.0.1", "127.0.0.1:x", ":7600", "::1:7600", "[::1:7600",
                             "127.0.0.1:70000", "203.0.113.77:0"}) {
    options_.listen = listen;
    const Status status = HttpServer::Create(options_)->Start();
    EXPECT_EQ(status.code(), Code::kInvalid) << listen << ": " << status.message();
  }
  options_.listen = "127.0.0.1:0";
  options_.tls_certificate_file = "/nonexistent.pem";
  EXPECT_THAT(HttpServer::Create(options_)->Start().message(), HasSubstr("both a certificate and a key"));
  options_.tls_key_file = "/nonexistent.key";
  EXPECT_THAT(HttpServer::Create(options_)->Start().message(), HasSubstr("cannot read /nonexistent.pem (--tls-cert)"));
}

// A self-signed certificate for 127.0.0.1, made anew so that no private key lies in the repository.
class Certificate {
 public:
  Certificate() : folder_(std::filesystem::temp_directory_path() / ("weir-tls-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 "
        "-addext subjectAltName=IP:127.0.0.1 -keyout " +
        key() + " -out " + certificate() + " 2>/dev/null";
    made_ = std::system(command.c_str()) == 0;
  }
  ~Certificate() { std::filesystem::remove_all(folder_); }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;
  bool made() const { return made_; }
  std::string certificate() const { return folder_ / "certificate.pem"; }
  std::string key() const { return folder_ / "key.pem"; }

 private:
  std::filesystem::path folder_;
  bool made_ = false;
};

size_t AppendBody(char* bytes, size_t size, size_t count, void* into) {
  static_cast<std::string*>(into)->append(bytes, size * count);
  return size * count;
}

TEST_F(HttpServerTest, SpeaksTls) {
  const Certificate files;
  ASSERT_TRUE(files.made()) << "the openssl command is needed";
  options_.tls_certificate_file = files.certificate();
  options_.tls_key_file = files.key();
  Begin();
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
  std::string body;
  const std::string url = "https://" + server_->address() + "/files/x";
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_CAINFO, files.certificate().c_str());
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &AppendBody);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
  for (int i = 0; i < 3; ++i) {
    body.clear();
    ASSERT_EQ(curl_easy_perform(curl.get()), CURLE_OK);
    EXPECT_EQ(body, "file /files/x");
  }
  // Plain text to a TLS port is not answered as if it were none.
  Connection plain(server_->address());
  plain.Send(Get("/files/x"));
  EXPECT_THAT(plain.ReadToEnd(), testing::Not(HasSubstr("file /files/x")));
}

TEST_F(HttpServerTest, SaysThatTheKeyDoesNotFit) {
  const Certificate files;
  ASSERT_TRUE(files.made()) << "the openssl command is needed";
  options_.tls_certificate_file = files.certificate();
  options_.tls_key_file = files.certificate();
  options_.listen = "127.0.0.1:0";
  const Status status = HttpServer::Create(options_)->Start();
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_THAT(status.message(), HasSubstr("check that both are PEM and belong together"));
}

TEST_F(HttpServerTest, ListensOnIpv6) {
  options_.listen = "[::1]:0";
  server_ = HttpServer::Create(options_);
  const Status status = server_->Start();
  if (!status.ok()) GTEST_SKIP() << "no IPv6 here: " << status.message();
  EXPECT_THAT(server_->address(), StartsWith("[::1]:"));
}

}  // namespace
}  // namespace weir::net
