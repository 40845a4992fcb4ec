#include "net/http_client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>

namespace weir::net {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

// A server on a loopback port that answers the n-th request with the n-th script, whoever asks, and keeps the
// connection unless the script says otherwise. Speaks just enough HTTP to be a real peer for curl.
class ScriptedServer {
 public:
  struct Answer {
    std::string bytes;
    bool close = false;  // after the bytes
    bool hang = false;   // send the bytes and then nothing, until the client leaves
  };

  explicit ScriptedServer(std::deque<Answer> answers) : answers_(std::move(answers)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }

  ~ScriptedServer() {
    shutdown(listener_, SHUT_RDWR);  // wakes accept()
    thread_.join();
    close(listener_);
  }

  std::string Url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  std::string Request(size_t i) const {
    const std::lock_guard lock(mutex_);
    return requests_.at(i);
  }
  int connections() const {
    const std::lock_guard lock(mutex_);
    return connections_;
  }

 private:
  void Run() {
    for (int peer = 0; (peer = accept(listener_, nullptr, nullptr)) >= 0; close(peer)) {
      {
        const std::lock_guard lock(mutex_);
        ++connections_;
      }
      while (Serve(peer)) {
      }
    }
  }

  // False when the connection is over.
  bool Serve(int peer) {
    std::string request;
    char buffer[65'536];
    size_t wanted = std::string::npos;  // length of the whole request, once its header is there
    while (request.size() < wanted) {
      const ssize_t got = recv(peer, buffer, sizeof(buffer), 0);
      if (got <= 0) return false;
      request.append(buffer, static_cast<size_t>(got));
      const size_t end = request.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      const size_t length = request.find("Content-Length: ");
      wanted = end + 4 + (length < end ? std::stoul(request.substr(length + 16)) : 0);
    }
    Answer answer;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      if (answers_.empty()) return false;
      answer = answers_.front();
      answers_.pop_front();
    }
    send(peer, answer.bytes.data(), answer.bytes.size(), MSG_NOSIGNAL);
    while (answer.hang && recv(peer, buffer, sizeof(buffer), 0) > 0) {
    }
    return !answer.close && !answer.hang;
  }

  int listener_ = -1;
  uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::deque<Answer> answers_;
  std::vector<std::string> requests_;
  int connections_ = 0;
  std::thread thread_;
};

std::string Ok(std::string_view body, std::string_view more_headers = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(more_headers) +
         "\r\n" + std::string(body);
}

std::string Gzip(std::string_view text) {
  z_stream stream{};
  constexpr int kGzip = 15 + 16;  // window bits; 16 more ask for a gzip header
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) return "";
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(done ? stream.total_out : 0);
  deflateEnd(&stream);
  return out;
}

ClientRequest Get(std::string url) {
  ClientRequest request;
  request.url = std::move(url);
  return request;
}

TEST(HttpClient, GetsStatusHeadersAndBody) {
  ScriptedServer server({{Ok("hello", "X-Mixed-Case:  Some Value \r\n")}});
  const auto client = HttpClient::Create({});
  const auto response = client->Send(Get(server.Url("/a/b?c=d")));
  ASSERT_TRUE(response.ok()) << response.status().message();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "hello");
  EXPECT_EQ(response->headers.at("x-mixed-case"), "Some Value");
  EXPECT_TRUE(server.Request(0).starts_with("GET /a/b?c=d HTTP/1.1\r\n")) << server.Request(0);
  EXPECT_THAT(server.Request(0), testing::Not(HasSubstr("Authorization")));
}

TEST(HttpClient, PostsBinaryBodiesWithItsHeadersAndToken) {
  ScriptedServer server({{Ok("")}});
  const auto client = HttpClient::Create({.ca_file = "", .bearer_token = "s3cret"});
  ClientRequest request = Get(server.Url("/in"));
  request.method = "POST";
  request.body = std::string("a\0b\r\n\r\nc", 8) + std::string(100'000, 'x');
  request.headers = {{"Content-Type", "application/x-protobuf"}, {"X-Empty", ""}};
  ASSERT_TRUE(client->Send(request).ok());
  const std::string seen = server.Request(0);
  EXPECT_TRUE(seen.starts_with("POST /in HTTP/1.1\r\n"));
  EXPECT_TRUE(seen.ends_with("\r\n\r\n" + request.body));
  EXPECT_THAT(seen, HasSubstr("Content-Type: application/x-protobuf\r\n"));
  EXPECT_THAT(seen, HasSubstr("Authorization: Bearer s3cret\r\n"));
  EXPECT_THAT(seen, HasSubstr("X-Empty:\r\n"));
  EXPECT_THAT(seen, testing::Not(HasSubstr("Expect")));
  EXPECT_THAT(seen, testing::Not(HasSubstr("urlencoded")));
}

TEST(HttpClient, KeepsTheConnectionAndForgetsTheRequestBefore) {
  ScriptedServer server({{Ok("one")}, {"HTTP/1.1 204 No Content\r\n\r\n"}, {Ok("three")}});
  const auto client = HttpClient::Create({});
  ClientRequest post = Get(server.Url("/"));
  post.method = "PUT";
  post.body = "x";
  post.headers = {{"X-Once", "1"}};
  EXPECT_EQ(client->Send(post)->body, "one");
  EXPECT_EQ(client->Send(Get(server.Url("/")))->status, 204);
  EXPECT_EQ(client->Send(Get(server.Url("/")))->body, "three");
  EXPECT_EQ(server.connections(), 1);
  EXPECT_TRUE(server.Request(0).starts_with("PUT "));
  EXPECT_TRUE(server.Request(1).starts_with("GET "));
  EXPECT_THAT(server.Request(1), testing::Not(HasSubstr("X-Once")));
}

TEST(HttpClient, AnyStatusIsAResponseAndRedirectsAreNotFollowed) {
  ScriptedServer server({{"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\nbusy"},
                         {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"}});
  const auto client = HttpClient::Create({});
  const auto busy = client->Send(Get(server.Url("/")));
  ASSERT_TRUE(busy.ok());
  EXPECT_EQ(busy->status, 503);
  EXPECT_EQ(busy->body, "busy");
  EXPECT_EQ(busy->headers.at("retry-after"), "3");
  EXPECT_EQ(client->Send(Get(server.Url("/")))->status, 302);
}

TEST(HttpClient, NobodyListeningIsUnavailableAndTheMessageHidesThePassword) {
  std::string url;
  {
    const ScriptedServer gone({});
    url = gone.Url("/x");
  }
  url.insert(std::string_view("http://").size(), "user:hunter2@");
  const Status status = HttpClient::Create({})->Send(Get(url)).status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("/x: "));
  EXPECT_THAT(status.message(), HasSubstr("127.0.0.1"));
  EXPECT_THAT(status.message(), testing::Not(HasSubstr("hunter2")));
}

TEST(HttpClient, NoAnswerInTimeIsUnavailable) {
  ScriptedServer server({{"", false, true}});
  ClientRequest request = Get(server.Url("/"));
  request.timeout = milliseconds(50);
  const auto client = HttpClient::Create({});
  EXPECT_EQ(client->Send(request).status().code(), Code::kUnavailable);
}

TEST(HttpClient, AnAnswerCutShortIsUnavailable) {
  ScriptedServer server({{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true}, {"garbage\r\n", true}});
  const auto client = HttpClient::Create({});
  EXPECT_EQ(client->Send(Get(server.Url("/"))).status().code(), Code::kUnavailable);
  EXPECT_EQ(client->Send(Get(server.Url("/"))).status().code(), Code::kUnavailable);
}

TEST(HttpClient, BoundsTheAnswer) {
  ScriptedServer server({{Ok(std::string(1'000, 'x'))},
                         {Ok(std::string(1'001, 'x')), true},
                         {Ok("", "X: " + std::string(70'000, 'y') + "\r\n"), true}});
  const auto client = HttpClient::Create({});
  ClientRequest request = Get(server.Url("/"));
  request.max_response_bytes = 1'000;
  EXPECT_TRUE(client->Send(request).ok());
  EXPECT_EQ(client->Send(request).status().code(), Code::kExhausted);
  EXPECT_FALSE(client->Send(request).ok()) << "headers of 70,000 bytes";
}

TEST(HttpClient, RefusesWhatWouldBeAnotherRequest) {
  ScriptedServer server({{Ok("")}});
  const auto client = HttpClient::Create({});
  const auto code = [&client](const ClientRequest& request) { return client->Send(request).status().code(); };
  ClientRequest request = Get(server.Url("/"));
  request.headers = {{"X", "a\r\nY: b"}};
  EXPECT_EQ(code(request), Code::kInvalid);
  request.headers = {{"X: a\r\nY", "b"}};
  EXPECT_EQ(code(request), Code::kInvalid);
  request.headers.clear();
  request.method = "GET / HTTP/1.1\r\nX:";
  EXPECT_EQ(code(request), Code::kInvalid);
  EXPECT_EQ(HttpClient::Create({.ca_file = "", .bearer_token = "a\nb"})->Send(Get(server.Url("/"))).status().code(),
            Code::kInvalid);
  for (const char* url : {"", "::", "file:///etc/passwd", "http://", "http://a b/"}) {
    EXPECT_EQ(code(Get(url)), Code::kInvalid) << url;
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(HttpClient, CanBeAborted) {
  ScriptedServer server({{"", false, true}});
  const auto client = HttpClient::Create({});
  const std::atomic<bool> abort{true};
  ClientRequest request = Get(server.Url("/"));
  request.abort = &abort;
  const Status status = client->Send(request).status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("the caller stops"));
}

// ---- TLS ----

// `openssl s_server` with a certificate nobody but the holder of its file trusts.
class TlsServer {
 public:
  // `demand_client`: refuses clients without a certificate signed by its own, which client.pem is, with client-key.pem.
  explicit TlsServer(bool demand_client = false) {
    char pattern[] = "/tmp/weir-tls-XXXXXX";
    directory_ = mkdtemp(pattern);
    const std::string make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1" +
                             std::string(" -subj /CN=weir-test -addext subjectAltName=IP:127.0.0.1 -keyout ") +
                             directory_ + "/key.pem -out " + certificate() + " 2>/dev/null";
    if (std::system(make.c_str()) != 0 || (demand_client && !MakeClient())) return;
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(pipe_ends[1], STDOUT_FILENO);
      dup2(pipe_ends[1], STDERR_FILENO);
      const std::string key = file("key.pem");
      execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-cert", certificate().c_str(), "-key",
             key.c_str(), demand_client ? "-Verify" : nullptr, "1", "-verify_return_error", "-CAfile",
             certificate().c_str(), nullptr);
      _exit(127);
    }
    close(pipe_ends[1]);
    output_ = fdopen(pipe_ends[0], "r");
    char line[256];
    while (port_.empty() && fgets(line, sizeof(line), output_) != nullptr) {
      if (std::string_view(line).starts_with("ACCEPT ")) port_ = std::string(line, strcspn(line, "\n")).substr(7);
    }
  }
  ~TlsServer() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    if (output_ != nullptr) fclose(output_);
    std::filesystem::remove_all(directory_);
  }
  bool running() const { return !port_.empty(); }
  std::string file(const std::string& name) const { return directory_ + "/" + name; }
  std::string certificate() const { return file("cert.pem"); }
  std::string url() const { return "https://" + port_ + "/"; }  // openssl prints address and port

 private:
  bool MakeClient() const {
    const std::string request =
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=me" +
        std::string(" -keyout ") + file("client-key.pem") + " -out " + file("client.csr");
    const std::string sign = "openssl x509 -req -days 1 -in " + file("client.csr") + " -CA " + certificate() +
                             " -CAkey " + file("key.pem") + " -CAcreateserial -out " + file("client.pem");
    return std::system((request + " 2>/dev/null && " + sign + " 2>/dev/null").c_str()) == 0;
  }

  std::string directory_;
  std::string port_;
  pid_t pid_ = -1;
  FILE* output_ = nullptr;
};

TEST(HttpClientTls, TrustsOnlyTheAuthorityItIsGiven) {
  const TlsServer server;
  if (!server.running()) GTEST_SKIP() << "the openssl program is needed to play a TLS server";
  const Status distrusted = HttpClient::Create({})->Send(Get(server.url())).status();
  EXPECT_EQ(distrusted.code(), Code::kDenied);
  EXPECT_THAT(distrusted.message(), HasSubstr("CA file"));
  const auto trusted =
      HttpClient::Create({.ca_file = server.certificate(), .bearer_token = ""})->Send(Get(server.url()));
  ASSERT_TRUE(trusted.ok()) << trusted.status().message();
  EXPECT_EQ(trusted->status, 200);
  EXPECT_EQ(
      HttpClient::Create({.ca_file = "/nonexistent.pem", .bearer_token = ""})->Send(Get(server.url())).status().code(),
      Code::kDenied);
}

TEST(HttpClientTls, ShowsItsCertificateWhereItHasOne) {
  const TlsServer server(true);
  if (!server.running()) GTEST_SKIP() << "the openssl program is needed to play a TLS server";
  HttpClient::Options options;
  options.ca_file = server.certificate();
  EXPECT_FALSE(HttpClient::Create(options)->Send(Get(server.url())).ok());
  options.client_certificate_file = server.file("client.pem");
  options.client_key_file = server.file("client-key.pem");
  const auto trusted = HttpClient::Create(options)->Send(Get(server.url()));
  ASSERT_TRUE(trusted.ok()) << trusted.status().message();
  EXPECT_THAT(trusted->body, HasSubstr("Subject: CN=me"));
  options.client_key_file = server.file("key.pem");  // of another certificate
  const Status unfit = HttpClient::Create(options)->Send(Get(server.url())).status();
  EXPECT_EQ(unfit.code(), Code::kUnavailable);
  EXPECT_THAT(unfit.message(), HasSubstr("check the client certificate and its key"));
}

TEST(HttpClientTls, ChecksTheNameItIsToldInThePlaceOfTheHost) {
  const TlsServer server;
  if (!server.running()) GTEST_SKIP() << "the openssl program is needed to play a TLS server";
  const std::string by_name = "https://localhost" + server.url().substr(server.url().rfind(':'));
  HttpClient::Options options;
  options.ca_file = server.certificate();
  EXPECT_EQ(HttpClient::Create(options)->Send(Get(by_name)).status().code(), Code::kDenied);
  options.tls_server_name = "127.0.0.1";  // what the certificate says
  const auto found = HttpClient::Create(options)->Send(Get(by_name));
  EXPECT_TRUE(found.ok()) << found.status().message();
}

TEST(HttpClient, AsksForATokenBeforeEachRequest) {
  ScriptedServer server({{Ok("1")}, {Ok("2")}});
  int asked = 0;
  HttpClient::Options options;
  options.token_source = [&asked]() -> Result<std::string> {
    if (++asked > 2) return Status::NotFound("the token file is gone");
    return "token-" + std::to_string(asked);
  };
  const auto client = HttpClient::Create(options);
  EXPECT_TRUE(client->Send(Get(server.Url("/"))).ok());
  EXPECT_TRUE(client->Send(Get(server.Url("/"))).ok());
  EXPECT_THAT(server.Request(0), HasSubstr("Authorization: Bearer token-1\r\n"));
  EXPECT_THAT(server.Request(1), HasSubstr("Authorization: Bearer token-2\r\n"));
  EXPECT_EQ(client->Send(Get(server.Url("/"))).status().code(), Code::kNotFound);
}

TEST(HttpClient, UnpacksGzipWithinTheSameBounds) {
  const std::string zeros = Gzip(std::string(100'000, '0'));
  ASSERT_FALSE(zeros.empty());
  ScriptedServer server({{Ok(zeros, "Content-Encoding: gzip\r\n")}, {Ok(zeros, "Content-Encoding: gzip\r\n")}});
  const auto client = HttpClient::Create({});
  ClientRequest request = Get(server.Url("/"));
  request.accept_gzip = true;
  const auto response = client->Send(request);
  ASSERT_TRUE(response.ok()) << response.status().message();
  EXPECT_EQ(response->body, std::string(100'000, '0'));
  EXPECT_THAT(server.Request(0), HasSubstr("Accept-Encoding: gzip\r\n"));
  request.max_response_bytes = 99'999;
  EXPECT_EQ(client->Send(request).status().code(), Code::kExhausted);
}

// ---- Streams ----

const std::string kStreamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

TEST(HttpClientStream, DeliversUntilTheServerEnds) {
  ScriptedServer server({{kStreamHead + "event: rows\ndata: 1\n\n", true}});
  std::string seen;
  const auto client = HttpClient::Create({});
  const Status status = client->Stream(Get(server.Url("/live")), [&seen](std::string_view piece) {
    seen += piece;
    return true;
  });
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(seen, "event: rows\ndata: 1\n\n");
}

TEST(HttpClientStream, EndsWhenTheCallerHasEnoughAndIgnoresTheTimeout) {
  ScriptedServer server({{kStreamHead + "data: 1\n\n", false, true}});
  const auto client = HttpClient::Create({});
  const Status status = client->Stream(Get(server.Url("/live")), [](std::string_view piece) { return piece.empty(); });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(HttpClientStream, ACutChunkedStreamIsUnavailable) {
  ScriptedServer server({{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\nwor", true}});
  std::string seen;
  const auto client = HttpClient::Create({});
  const Status status = client->Stream(Get(server.Url("/live")), [&seen](std::string_view piece) {
    seen += piece;
    return true;
  });
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(seen, "hellowor");
}

TEST(HttpClientStream, ARefusalIsAnErrorWithItsBody) {
  const auto refused = [](int status) {
    return ScriptedServer::Answer{"HTTP/1.1 " + std::to_string(status) + " No\r\nContent-Length: 9\r\n\r\nbad field"};
  };
  ScriptedServer server({refused(400), refused(401), refused(403), refused(404), refused(503), refused(302)});
  const auto client = HttpClient::Create({});
  for (const Code code :
       {Code::kInvalid, Code::kDenied, Code::kDenied, Code::kNotFound, Code::kUnavailable, Code::kUnavailable}) {
    bool called = false;
    const Status status = client->Stream(Get(server.Url("/live")), [&called](std::string_view) {
      called = true;
      return true;
    });
    EXPECT_EQ(status.code(), code);
    EXPECT_THAT(status.message(), HasSubstr("bad field"));
    EXPECT_FALSE(called);
  }
}

TEST(HttpClientStream, ALongRefusalIsCutNotLost) {
  ScriptedServer server({{"HTTP/1.1 400 No\r\nContent-Length: 5000\r\n\r\n" + std::string(5'000, 'e'), true}});
  const Status status = HttpClient::Create({})->Stream(Get(server.Url("/live")), [](std::string_view) { return true; });
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_THAT(status.message(), HasSubstr("eeee"));
  EXPECT_LT(status.message().size(), 1'200U);
}

TEST(HttpClientStream, AServerThatNeverAnswersIsUnavailable) {
  ScriptedServer server({{"", false, true}});
  ClientRequest request = Get(server.Url("/live"));
  request.timeout = milliseconds(50);
  const Status status = HttpClient::Create({})->Stream(request, [](std::string_view) { return true; });
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("no answer in time"));
}

TEST(HttpClientStream, ARefusalIsAlsoHadAsAnAnswer) {
  ScriptedServer server({{"HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nlate"}});
  ClientRequest request = Get(server.Url("/live"));
  ClientResponse refusal;
  request.refusal = &refusal;
  EXPECT_FALSE(HttpClient::Create({})->Stream(request, [](std::string_view) { return true; }).ok());
  EXPECT_EQ(refusal.status, 429);
  EXPECT_EQ(refusal.headers["retry-after"], "7");
  EXPECT_EQ(refusal.body, "late");
}

TEST(HttpClientStream, EndsWhenItHasLastedLongEnough) {
  ScriptedServer server({{kStreamHead + "data: 1\n\n", false, true}});
  ClientRequest request = Get(server.Url("/live"));
  request.max_duration = milliseconds(50);
  int opened = 0;
  request.on_open = [&opened] { ++opened; };
  const Status status = HttpClient::Create({})->Stream(request, [](std::string_view) { return true; });
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("lasted longer"));
  EXPECT_EQ(opened, 1);
}

TEST(ReadUrl, HasPartsAndTheSchemesPort) {
  const auto parts = ReadUrl("https://[fd00::5]/a?b=c");
  ASSERT_TRUE(parts.ok());
  EXPECT_EQ(parts->scheme, "https");
  EXPECT_EQ(parts->host, "fd00::5");
  EXPECT_EQ(parts->port, 443);
  EXPECT_EQ(parts->path, "/a");
  EXPECT_FALSE(parts->has_user);
  EXPECT_EQ(ReadUrl("http://10.0.0.5:8000")->port, 8000);
  EXPECT_EQ(ReadUrl("http://10.0.0.5:8000")->path, "/");
  EXPECT_TRUE(ReadUrl("http://a:b@host/")->has_user);
  EXPECT_FALSE(ReadUrl("ftp://host/").ok());
  EXPECT_FALSE(ReadUrl("").ok());
}

TEST(HttpClientStream, CanBeAborted) {
  ScriptedServer server({{kStreamHead + "data: 1\n\n", false, true}});
  std::atomic<bool> abort{false};
  ClientRequest request = Get(server.Url("/live"));
  request.abort = &abort;
  const Status status = HttpClient::Create({})->Stream(request, [&abort](std::string_view) {
    abort = true;
    return true;
  });
  EXPECT_EQ(status.code(), Code::kUnavailable);
}

}  // namespace
}  // namespace weir::net
