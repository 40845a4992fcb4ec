// Where a request's connection may begin: on a port whose number others use, behind a PROXY header, in pieces.
#include <sys/uio.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/requests/http2_builder.h"
#include "agent/requests/request_kernel_lab.h"

namespace weir::agent::requests {
namespace {

const std::string kProxyLine = "PROXY TCP4 192.0.2.1 198.51.100.1 35646 80\r\n";

std::string ProxyBlock(size_t more) {
  return std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11", 14) + MakeSized(2, std::string(more, 'p'));
}

void Pieces(const Socket& to, Socket& from, const std::string& text, size_t size) {
  from.Set(IPPROTO_TCP, TCP_NODELAY, 1);
  for (size_t at = 0; at < text.size(); at += size) {
    Write(from, text.substr(at, size));
    Read(to, std::min(size, text.size() - at));  // one segment each
  }
}

// What is no request, often enough to have its port sorted out.
void TalkOfOtherThings(const Pair& pair) {
  for (int i = 0; i < 20; ++i) {
    Write(pair.client, "\x01\x06 binary");
    Read(pair.server, 9);
    Write(pair.server, "x");
    Read(pair.client, 1);
  }
}

Pair PairOn(uint16_t port) {
  Pair pair;
  pair.listener = Socket::Make("127.0.0.1");
  pair.listener.Bind("127.0.0.1", port);
  EXPECT_EQ(::listen(pair.listener.fd(), 16), 0);
  pair.client = Socket::Connect("127.0.0.1", port);
  pair.server = pair.listener.Accept();
  return pair;
}

TEST_F(RequestKernelTest, APortIsItsNamespaces) {
  const Pair other = kernel::MakePair("127.0.0.1", "127.0.0.1");
  TalkOfOtherThings(other);
  const Lab second;
  also_ = second.inode();
  Pair pair = PairOn(other.listener.port());
  Exchange(pair, kGet, kShort);
  Exchange(pair, kGet, kShort);
  Drain();
  EXPECT_EQ(turns_.size(), 2U);
  EXPECT_EQ(Unusable(), 0U);
  lab_.Enter();
}

TEST_F(RequestKernelTest, AConnectionsFirstBytesAreLookedAtWhateverItsPortWasUsedFor) {
  uint16_t port = 0;
  {
    const Pair other = kernel::MakePair("127.0.0.1", "127.0.0.1");
    TalkOfOtherThings(other);
    port = other.listener.port();
  }
  Pair pair = PairOn(port);
  Exchange(pair, kGet, kShort);
  Drain();
  EXPECT_EQ(turns_.size(), 1U);
}

// A connection older than the agent shows no first bytes: only its port may be known to be another's.
TEST_F(RequestKernelTest, WhatAClientGetsSaysNothingOfItsPort) {
  probe_.reset();
  Pair old = kernel::MakePair("127.0.0.1", "127.0.0.1");
  Exchange(old, kGet, kShort);
  Socket elsewhere = Socket::Listen("127.0.0.2");
  Socket client = Socket::Make("127.0.0.1");
  client.Bind("127.0.0.3", old.listener.port());  // the same number, as a client's own
  ASSERT_EQ(client.TryConnect("127.0.0.2", elsewhere.port()), 0);
  Socket server = elsewhere.Accept();
  auto opened = RequestProbe::Open(options_);
  ASSERT_TRUE(opened.ok());
  probe_ = *std::move(opened);
  for (int i = 0; i < 20; ++i) {
    Write(server, "binary");
    Read(client, 6);
  }
  Exchange(old, kGet, kShort);
  Drain();
  EXPECT_EQ(turns_.size(), 1U);
}

TEST_F(RequestKernelTest, ARequestBehindAProxyHeaderIsMeasured) {
  std::string longest = "PROXY UNKNOWN " + std::string(91, 'f') + "\r\n";
  ASSERT_EQ(longest.size(), 107U);
  for (const std::string& proxy :
       {kProxyLine, longest, std::string("PROXY UNKNOWN\r\n"), ProxyBlock(12), ProxyBlock(0), ProxyBlock(500)}) {
    SCOPED_TRACE(proxy);
    for (const bool together : {true, false}) {
      turns_.clear();
      Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
      if (together) {
        Exchange(pair, proxy + std::string(kGet), kShort);
      } else {
        Write(pair.client, proxy);
        Read(pair.server, proxy.size());
        Exchange(pair, kGet, kShort);
      }
      Exchange(pair, kGet, kShort);
      kernel::CloseInOrder(pair);
      Drain();
      ASSERT_EQ(turns_.size(), 2U) << together;
      EXPECT_EQ(turns_[0].resource, "/items/{id}");
      EXPECT_EQ(turns_[0].outcome, TurnOutcome::kAnswered);
      EXPECT_EQ(turns_[0].request_body_bytes, 0U) << "the header is no part of the request";
    }
  }
}

TEST_F(RequestKernelTest, AProxyHeaderMayComeInPieces) {
  for (const std::string& proxy : {kProxyLine, ProxyBlock(100)}) {
    SCOPED_TRACE(proxy);
    turns_.clear();
    Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
    Pieces(pair.server, pair.client, proxy, 20);
    Exchange(pair, kGet, kShort);
    Drain();
    EXPECT_EQ(turns_.size(), 1U);
  }
}

TEST_F(RequestKernelTest, WhatOnlyLooksLikeAProxyHeaderIsNone) {
  for (const std::string& text : {"PROXY " + std::string(200, 'x'), std::string("PROX"),
                                  ProxyBlock(12).replace(6, 1, "x"), std::string("\r\n\r\n")}) {
    SCOPED_TRACE(text);
    Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
    Exchange(pair, text, "x");
    Drain();
    EXPECT_TRUE(sockets_.empty());
  }
}

TEST_F(RequestKernelTest, Http2BehindAProxyHeaderIsMeasured) {
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  const std::string ask = std::string(kPreface) + MakeFrame(WEIR_FRAME_SETTINGS, 0, 0) +
                          MakeFrame(WEIR_FRAME_HEADERS, WEIR_FRAME_END_STREAM | WEIR_FRAME_END_HEADERS, 1, "\x82\x84");
  const std::string answer = MakeFrame(WEIR_FRAME_SETTINGS, 0, 0) +
                             MakeFrame(WEIR_FRAME_HEADERS, WEIR_FRAME_END_STREAM | WEIR_FRAME_END_HEADERS, 1, "\x88");
  Exchange(pair, kProxyLine + ask, answer);
  Drain();
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].application, "h2");
  EXPECT_EQ(turns_[0].status, 200);
}

// Once per call, where the tracepoint fires for each buffer.
TEST_F(RequestKernelTest, WithoutTheTracepointTheFunctionItselfWillDo) {
  OpenWith({.write_tracepoint = false, .segment_dynptr = probe_->Hooks().segment_dynptr});
  if (IsSkipped()) return;
  const std::string body(1 << 20, 'b');
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  for (int i = 0; i < 3; ++i) {
    Write(pair.client, kGet);
    Read(pair.server, kGet.size());
    std::thread client([&] { Read(pair.client, head.size() + body.size()); });
    Write(pair.server, head);
    Write(pair.server, body);
    client.join();
  }
  Exchange(pair, kGet, kShort);
  kernel::CloseInOrder(pair);
  Pair tls = kernel::MakePair("127.0.0.1", "127.0.0.1");
  Write(tls.client, ClientHelloFor("function.example"));
  Drain();
  ASSERT_EQ(turns_.size(), 4U);
  for (const Turn& turn : turns_) EXPECT_EQ(turn.outcome, TurnOutcome::kAnswered);
  EXPECT_GT(turns_[0].first_chunk_us, turns_[0].latency_us);
  EXPECT_EQ(turns_[3].first_chunk_us, turns_[3].latency_us);
  EXPECT_EQ(ends_.back().pid, static_cast<uint32_t>(::getpid()));
  EXPECT_EQ(said_.server_name, "function.example");
}

// One segment, its bytes in a fragment for each piece.
void WriteInFragments(Socket& socket, const std::string& text, size_t piece) {
  socket.Set(IPPROTO_TCP, TCP_CORK, 1);
  bool from_file = false;  // by turns, or the kernel puts one piece behind the other
  for (size_t at = 0; at < text.size(); at += piece, from_file = !from_file) {
    const std::string bytes = text.substr(at, piece);
    from_file ? WriteFromFile(socket, bytes) : Write(socket, bytes);
  }
  socket.Set(IPPROTO_TCP, TCP_CORK, 0);
}

TEST_F(RequestKernelTest, WithoutADynptrSegmentsAreReadAllTheSame) {
  const RequestHooks kernels = probe_->Hooks();
  OpenWith({.write_tracepoint = kernels.write_tracepoint, .segment_dynptr = false});
  if (IsSkipped()) return;
  if (!probe_->Hooks().segment_fragments)
    GTEST_SKIP() << "SKIPPED: /proc/kallsyms has no vmemmap_base and page_offset_base";
  const std::string asks = std::string(kPreface) + MakeFrame(WEIR_FRAME_SETTINGS, 0, 0) +
                           MakeFrame(WEIR_FRAME_HEADERS, WEIR_FRAME_END_STREAM | WEIR_FRAME_END_HEADERS, 1, "\x82\x84");
  const std::string answer = MakeFrame(WEIR_FRAME_SETTINGS, 0, 0) +
                             MakeFrame(WEIR_FRAME_HEADERS, WEIR_FRAME_END_STREAM | WEIR_FRAME_END_HEADERS, 1, "\x88");
  for (const size_t piece : {3UL, 7UL, 20UL, 1'000UL}) {
    SCOPED_TRACE(piece);
    turns_.clear();
    Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
    WriteInFragments(pair.client, std::string(kGet), piece);
    Read(pair.server, kGet.size());
    Exchange(pair, "", kShort);
    kernel::CloseInOrder(pair);
    Pair http2 = kernel::MakePair("127.0.0.1", "127.0.0.1");
    WriteInFragments(http2.client, asks, std::max<size_t>(piece, 4));
    Read(http2.server, asks.size());
    Exchange(http2, "", answer);
    Drain();
    ASSERT_EQ(turns_.size(), 2U);
    EXPECT_EQ(turns_[0].resource, "/items/{id}");
    EXPECT_EQ(turns_[0].outcome, TurnOutcome::kAnswered);
    EXPECT_EQ(turns_[1].application, "h2");
    EXPECT_EQ(turns_[1].status, 200);
  }
  EXPECT_EQ(probe_->Losses().unreadable, 0U);
}

class SplitHelloTest : public TlsKernelTest {
 protected:
  // A handshake whose ClientHello comes in segments of `size` bytes, and one request.
  void Shake(const std::string& hello, size_t size, const std::string& before = "") {
    turns_.clear();
    Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
    pair.client.Set(IPPROTO_TCP, TCP_NODELAY, 1);
    pair.server.Set(IPPROTO_TCP, TCP_NODELAY, 1);
    Pieces(pair.server, pair.client, before + hello, size);
    Write(pair.server, ServerFlight());
    Read(pair.client, ServerFlight().size());
    Drain();  // the agent knows now what the client offered
    const std::string finished = "\x14\x03\x03" + MakeSized(2, "\x01") + Encrypted(53);
    Exchange(pair, finished + Encrypted(160), Encrypted(2'100));  // too large for a ticket
    Exchange(pair, Encrypted(170), Encrypted(190));
    kernel::CloseInOrder(pair);
    Drain();
  }
};

TEST_F(SplitHelloTest, AHelloInSeveralSegmentsIsReadAllTheSame) {
  const std::string hello = ClientHelloFor("split.example", {"http/1.1"}, 3'000);
  for (const size_t size : {1'400UL, 500UL, 44UL}) {
    SCOPED_TRACE(size);
    Shake(hello, size);
    ASSERT_EQ(turns_.size(), 2U);
    for (const Turn& turn : turns_) EXPECT_EQ(turn.outcome, TurnOutcome::kAnswered);
    EXPECT_EQ(said_.server_name, "split.example") << "and as its client wrote it";
    EXPECT_EQ(said_.alpn, "http/1.1");
  }
  EXPECT_TRUE(unfollowed_.empty());
}

TEST_F(SplitHelloTest, SomeThatOfferHttp2AreCountedAndLeftAlone) {
  Shake(ClientHelloFor("split.example", {"h2", "http/1.1"}, 3'000), 1'400);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].ending, "h2_offered");
  EXPECT_EQ(unfollowed_.size(), 1U);
}

TEST_F(SplitHelloTest, BehindAProxyHeaderToo) {
  Shake(ClientHelloFor("split.example", {"http/1.1"}, 3'000), 1'400, kProxyLine);
  EXPECT_EQ(turns_.size(), 2U);
  EXPECT_EQ(said_.server_name, "split.example");
  Shake(ClientHelloFor("short.example", {"http/1.1"}), 10'000, ProxyBlock(12));
  EXPECT_EQ(turns_.size(), 2U);
  EXPECT_EQ(said_.server_name, "short.example");
}

TEST_F(SplitHelloTest, AClientMayWriteItsHelloInPiecesOfAnySize) {
  const std::string large = ClientHelloFor("large.example", {"h2"}, 9'000);
  for (const size_t size : {1UL, 4UL, 100UL, 4'096UL, 20'000UL}) {
    SCOPED_TRACE(size);
    said_ = {};
    Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
    const std::string& hello = size < 100 ? ClientHelloFor("large.example", {"h2"}) : large;
    Pieces(pair.server, pair.client, hello, size);
    Drain();
    EXPECT_EQ(said_.server_name, "large.example");
    EXPECT_TRUE(said_.is_whole);
  }
}

TEST_F(SplitHelloTest, AClientMayWriteItsHelloFromManyPlaces) {
  const std::string hello = ClientHelloFor("places.example", {"h2"}, 3'000);
  std::vector<iovec> places;
  for (size_t at = 0; at < hello.size(); at += 400) {
    places.push_back({const_cast<char*>(hello.data() + at), std::min<size_t>(400, hello.size() - at)});
  }
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  ASSERT_EQ(::writev(pair.client.fd(), places.data(), static_cast<int>(places.size())),
            static_cast<ssize_t>(hello.size()));
  Drain();
  EXPECT_EQ(said_.server_name, "places.example");
  EXPECT_EQ(said_.alpn, "h2");
}

TEST_F(SplitHelloTest, WhatFollowsTheServersAnswerIsNoHello) {
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  const std::string hello = ClientHelloFor("half.example", {"h2"});
  Exchange(pair, hello.substr(0, 50), "x");
  Exchange(pair, hello.substr(50), "x");
  Drain();
  EXPECT_EQ(hellos_, 1U);
  EXPECT_EQ(said_.server_name, "");
}

}  // namespace
}  // namespace weir::agent::requests
