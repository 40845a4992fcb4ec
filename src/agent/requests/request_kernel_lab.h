// Test support: the request programs on real sockets in a namespace of the test's own.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kernel/net_lab.h"
#include "agent/requests/hello_assembly.h"
#include "agent/requests/hello_builder.h"
#include "agent/requests/request_source.h"
#include "agent/requests/turn_machine.h"

namespace weir::agent::requests {

using kernel::Lab;
using kernel::Pair;
using kernel::Socket;

inline constexpr std::string_view kGet = "GET /items/5 HTTP/1.1\r\nHost: a\r\n\r\n";
inline constexpr std::string_view kShort = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

inline void Write(const Socket& socket, std::string_view text) {
  ASSERT_EQ(::send(socket.fd(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

// From pages of a file, which are in nobody's memory.
inline void WriteFromFile(const Socket& socket, std::string_view text) {
  FILE* file = std::tmpfile();
  ASSERT_EQ(std::fwrite(text.data(), 1, text.size(), file), text.size());
  std::fflush(file);
  off_t offset = 0;
  while (static_cast<size_t>(offset) < text.size())
    ASSERT_GT(::sendfile(socket.fd(), ::fileno(file), &offset, text.size()), 0);
  std::fclose(file);
}

// At least `bytes`: waits for them.
inline void Read(const Socket& socket, size_t bytes) {
  std::string buffer(64 << 10, '\0');
  while (bytes > 0) {
    const ssize_t got = ::recv(socket.fd(), buffer.data(), std::min(bytes, buffer.size()), 0);
    ASSERT_GT(got, 0);
    bytes -= static_cast<size_t>(got);
  }
}

inline int64_t NowMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

class RequestKernelTest : public testing::Test, protected StepSink {
 protected:
  void SetUp() override {
    if (const std::string why = kernel::WhyNoKernelTests(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    auto opened = RequestProbe::Open(options_);
    if (!opened.ok() && opened.status().code() == Code::kUnsupported)
      GTEST_SKIP() << "SKIPPED: " << opened.status().message();
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    probe_ = *std::move(opened);
  }
  void OnHead(const weir_step_head& head) override {
    if (Mine(head.netns)) sockets_.push_back(head.step.socket), machine_.OnHead(head);
  }
  void OnStep(const weir_step& step) override { machine_.OnStep(step); }
  void OnBlock(const weir_step_block& block) override { machine_.OnBlock(block); }
  void OnHello(const weir_step_hello& hello) override {
    if ((hello.step.flags & WEIR_STEP_AT_SERVER) != 0) {
      machine_.OnHello(hello);
    } else {
      ++hellos_;
      if (const auto known = names_.Put(hello)) said_ = known->said;
    }
  }
  // With these hooks instead of the kernel's best.
  void OpenWith(const RequestHooks& hooks) {
    options_.hooks = hooks;
    auto opened = RequestProbe::Open(options_);
    if (!opened.ok()) GTEST_SKIP() << "SKIPPED: " << opened.status().message();
    probe_ = *std::move(opened);
  }
  bool Mine(uint32_t netns) const { return netns == lab_.inode() || netns == also_; }
  void Drain() { probe_->Drain(*this); }
  // One exchange of two fixed messages.
  void Exchange(const Pair& pair, std::string_view request, std::string_view answer) {
    Write(pair.client, request);
    Read(pair.server, request.size());
    Write(pair.server, answer);
    Read(pair.client, answer.size());
  }
  size_t Unusable() const {
    return static_cast<size_t>(std::count_if(turns_.begin(), turns_.end(),
                                             [](const Turn& turn) { return turn.outcome == TurnOutcome::kUnusable; }));
  }

  Lab lab_;
  RequestProbeOptions options_;
  std::vector<Turn> turns_;
  std::vector<weir_step_head> ends_;
  std::vector<uint64_t> sockets_;
  size_t hellos_ = 0;  // pieces, of clients
  HelloAssembly names_;
  ClientHello said_;   // by the last client
  uint32_t also_ = 0;  // another namespace whose turns count
  std::vector<uint64_t> unfollowed_;
  TurnMachine machine_{[this](const weir_step_head& ends, const Turn& turn) {
                         turns_.push_back(turn);
                         ends_.push_back(ends);
                       },
                       [this](uint64_t socket, uint64_t secured_ns) {
                         unfollowed_.push_back(socket);
                         probe_->Unfollow(socket, secured_ns);
                       }};
  std::unique_ptr<RequestProbe> probe_;
};

// A ClientHello as OpenSSL 3 writes it, without what does not matter here; `share`: bytes of a key share before the
// name.
inline std::string ClientHelloFor(const std::string& name, const std::vector<std::string>& protocols = {},
                                  size_t share = 0) {
  std::string extensions = share != 0 ? MakeExtension(51, std::string(share, 'k')) : "";
  extensions += MakeServerName(name);
  std::string list;
  for (const std::string& protocol : protocols) list += MakeSized(1, protocol);
  if (!protocols.empty()) extensions += MakeExtension(16, MakeSized(2, list));
  return MakeHello(extensions);
}

inline std::string Encrypted(size_t bytes) { return "\x17\x03\x03" + MakeSized(2, std::string(bytes, 'e')); }

// A ServerHello of TLS 1.3 and what follows it at once.
inline std::string ServerFlight() {
  const std::string body = "\x03\x03" + std::string(32, 'r') + MakeSized(1, std::string(32, 's')) +
                           std::string("\x13\x01\0", 3) + MakeSized(2, std::string(40, 'k'));
  return "\x16\x03\x03" + MakeSized(2, "\x02" + MakeSized(3, body)) + std::string("\x14\x03\x03\0\1\1", 6) +
         Encrypted(900) + Encrypted(53);
}

class TlsKernelTest : public RequestKernelTest {
 protected:
  // A connection up to the client's hello and what the server says to it.
  Pair Greet(const std::string& hello) {
    Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
    pair.client.Set(IPPROTO_TCP, TCP_NODELAY, 1);
    pair.server.Set(IPPROTO_TCP, TCP_NODELAY, 1);
    Exchange(pair, hello, ServerFlight());
    return pair;
  }
  void Ask(const Pair& pair, const std::string& records, size_t piece) {
    for (size_t at = 0; at < records.size(); at += piece) Write(pair.client, records.substr(at, piece));
  }
};

}  // namespace weir::agent::requests
