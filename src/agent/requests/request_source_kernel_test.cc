// Request turns and server names on the running kernel: real sockets over loopback of a namespace of the test's own.
#include "agent/requests/request_source.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "agent/kernel/net_lab.h"
#include "agent/requests/http2_builder.h"
#include "agent/requests/request_kernel_lab.h"
#include "agent/source/ebpf/ebpf_source.h"

namespace weir::agent::requests {
namespace {

TEST_F(RequestKernelTest, KeptAliveStreamsAgreeWithBothEndsClocks) {
  constexpr size_t kStreams = 150;
  constexpr std::string_view kHeader = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  constexpr std::string_view kChunk = "5\r\nhello\r\n";
  constexpr std::string_view kEnd = "0\r\n\r\n";
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  pair.server.Set(IPPROTO_TCP, TCP_NODELAY, 1);
  std::vector<int64_t> client_us(kStreams);
  std::vector<int64_t> server_us(kStreams);  // from the request's read to just before the first chunk's write
  std::thread server([&] {
    for (size_t i = 0; i < kStreams; ++i) {
      Read(pair.server, kGet.size());
      const int64_t begin = NowMicros();
      Write(pair.server, kHeader);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // what there is to measure
      server_us[i] = NowMicros() - begin;
      Write(pair.server, kChunk);
      Write(pair.server, kChunk);
      Write(pair.server, kEnd);
    }
  });
  for (size_t i = 0; i < kStreams; ++i) {
    const int64_t begin = NowMicros();
    Write(pair.client, kGet);
    Read(pair.client, kHeader.size() + 1);
    client_us[i] = NowMicros() - begin;
    Read(pair.client, 2 * kChunk.size() + kEnd.size() - 1);
  }
  server.join();
  kernel::CloseInOrder(pair);
  Drain();
  ASSERT_EQ(turns_.size(), kStreams);
  std::vector<int64_t> difference(kStreams);
  for (size_t i = 0; i < kStreams; ++i) {
    // The kernel's times lie within the client's and around the server's, whatever the machine is busy with.
    EXPECT_LE(turns_[i].first_chunk_us, client_us[i]);
    EXPECT_GE(turns_[i].first_chunk_us + 1, server_us[i]);
    EXPECT_LE(turns_[i].latency_us + 2'000, turns_[i].first_chunk_us + 1) << "the header left 2 ms before";
    EXPECT_EQ(turns_[i].gaps_us.size(), 1U);
    EXPECT_GE(turns_[i].duration_us, turns_[i].first_chunk_us);
    difference[i] = client_us[i] - turns_[i].first_chunk_us;
  }
  std::sort(difference.begin(), difference.end());
  std::printf("client's clock minus ours: median %lld us, p95 %lld us\n",
              static_cast<long long>(difference[kStreams / 2]),
              static_cast<long long>(difference[kStreams * 95 / 100]));
}

// Each time lies within what happened around it, by this process's clock.
TEST_F(RequestKernelTest, WhatARequestWaitedForIsToldApart) {
  constexpr std::string_view kPost = "POST /v1/images HTTP/1.1\r\nContent-Length: 6\r\n\r\n";
  struct Moment {
    int64_t begin = 0;
    int64_t end = 0;
  };
  const auto at = [](const std::function<void()>& act) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));  // what there is to measure
    const int64_t begin = NowMicros();
    act();
    return Moment{begin, NowMicros()};
  };
  const auto expect_between = [](int64_t us, const Moment& from, const Moment& to) {
    EXPECT_GE(us + 1, to.begin - from.end);
    EXPECT_LE(us - 1, to.end - from.begin);
  };
  for (const char* address : {"127.0.0.1", "::1"}) {
    Pair known = kernel::MakePair(address, address);
    Exchange(known, kGet, kShort);  // from here on the port is one that serves requests
    Socket client;
    Socket server;
    const Moment connect = at([&] { client = Socket::Connect(address, known.listener.port()); });
    const Moment accept = at([&] { server = known.listener.Accept(); });
    const Moment first = at([&] { Write(client, kPost); });
    at([&] { Write(client, "cat"); });
    const Moment last = at([&] { Write(client, "dog"); });
    const Moment read = at([&] { Read(server, kPost.size() + 6); });
    const Moment answer = at([&] { Write(server, kShort); });
    Read(client, kShort.size());
    const Moment next = at([&] { Write(client, kGet); });
    Read(server, kGet.size());
    Write(server, kShort);
    Drain();
    ASSERT_EQ(turns_.size(), 3U);
    EXPECT_EQ(turns_[0].accept_wait_us, -1) << "nobody knew then that the port serves requests";
    EXPECT_EQ(turns_[0].client_idle_us, -1) << "nothing was answered before";
    expect_between(turns_[1].accept_wait_us, connect, accept);
    expect_between(turns_[1].upload_us, first, last);
    expect_between(turns_[1].receive_wait_us, first, read);
    expect_between(turns_[1].latency_us, first, answer);
    expect_between(turns_[2].client_idle_us, answer, next);
    EXPECT_EQ(turns_[2].accept_wait_us, -1) << "told once";
    EXPECT_EQ(turns_[2].upload_us, 1) << "one segment";
    turns_.clear();
  }
}

TEST_F(RequestKernelTest, TellsEndsAndTheProcessThatAnswers) {
  Pair pair = kernel::MakePair("::1", "::1");
  Exchange(pair, kGet, kShort);
  Drain();
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].method, "GET");
  EXPECT_EQ(turns_[0].resource, "/items/{id}");
  EXPECT_EQ(turns_[0].status, 200);
  EXPECT_EQ(ends_[0].local_port, pair.listener.port());
  EXPECT_EQ(ends_[0].remote_port, pair.client.port());
  EXPECT_EQ(ends_[0].family, AF_INET6);
  EXPECT_EQ(ends_[0].pid, static_cast<uint32_t>(::getpid()));
}

TEST_F(RequestKernelTest, WhateverWayAnAnswerIsWritten) {
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  constexpr size_t kBody = 1 << 20;
  std::string head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kBody) + "\r\n\r\n";
  std::string body(kBody, 'b');
  std::thread client([&] {
    for (int i = 0; i < 3; ++i) {
      Write(pair.client, kGet);
      Read(pair.client, head.size() + kBody);
    }
  });
  // Header and body in one writev(): one time. A megabyte fills many buffers, and the tracepoint fires for each.
  Read(pair.server, kGet.size());
  iovec pieces[] = {{head.data(), head.size()}, {body.data(), body.size()}};
  ASSERT_EQ(::writev(pair.server.fd(), pieces, 2), static_cast<ssize_t>(head.size() + kBody));
  // The body by write().
  Read(pair.server, kGet.size());
  Write(pair.server, head);
  Write(pair.server, body);
  // The body from a file: its bytes are in nobody's memory.
  FILE* file = std::tmpfile();
  ASSERT_EQ(std::fwrite(body.data(), 1, kBody, file), kBody);
  std::fflush(file);
  Read(pair.server, kGet.size());
  Write(pair.server, head);
  off_t offset = 0;
  while (static_cast<size_t>(offset) < kBody)
    ASSERT_GT(::sendfile(pair.server.fd(), ::fileno(file), &offset, kBody), 0);
  std::fclose(file);
  client.join();
  Drain();
  ASSERT_EQ(turns_.size(), 3U);
  for (const Turn& turn : turns_) {
    EXPECT_EQ(turn.outcome, TurnOutcome::kAnswered);
    EXPECT_GE(turn.first_chunk_us, turn.latency_us);
    EXPECT_GE(turn.duration_us, turn.first_chunk_us);
  }
  EXPECT_EQ(turns_[0].first_chunk_us, turns_[0].latency_us);
}

TEST_F(RequestKernelTest, AnUploadIsOneRequest) {
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  const std::string request = "POST /upload HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + std::string(1'000'000, 'x');
  std::thread server([&] {
    Read(pair.server, request.size());
    Write(pair.server, kShort);
  });
  Write(pair.client, request);
  Read(pair.client, kShort.size());
  server.join();
  Exchange(pair, kGet, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  Exchange(pair, kGet, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
  Drain();
  ASSERT_EQ(turns_.size(), 3U);
  EXPECT_EQ(Unusable(), 0U);
  EXPECT_EQ(turns_[0].resource, "/upload");
  EXPECT_EQ(turns_[0].request_body_bytes, 1'000'000U);
  EXPECT_EQ(turns_[1].request_body_bytes, 0U);
  EXPECT_EQ(turns_[1].status, 404);
  EXPECT_EQ(turns_[2].status, 500);
}

TEST_F(RequestKernelTest, PipelinedAndForeignExchangesAreNeverGuessed) {
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  const std::string two = std::string(kGet) + std::string(kGet);
  Exchange(pair, two, std::string(kShort) + std::string(kShort));
  Pair http2 = kernel::MakePair("127.0.0.1", "127.0.0.1");
  Exchange(http2, std::string(kPreface) + "no frame at all", "x");
  Drain();
  ASSERT_EQ(turns_.size(), 2U);
  EXPECT_EQ(Unusable(), 2U);
  EXPECT_EQ(turns_[1].application, "h2");
  EXPECT_EQ(turns_[1].ending, "not_frames");
}

const std::string kSettings = MakeFrame(WEIR_FRAME_SETTINGS, 0, 0);
constexpr uint8_t kWhole = WEIR_FRAME_END_HEADERS;
constexpr uint8_t kLast = WEIR_FRAME_END_STREAM;

std::string Ask(uint32_t stream, const std::string& path, uint8_t flags = kWhole | kLast) {
  return MakeFrame(WEIR_FRAME_HEADERS, flags, stream,
                   "\x82\x44" + std::string(1, static_cast<char>(path.size())) + path);
}

// Two requests and their answers, in whatever pieces.
void ExpectTwoStreams(const std::vector<Turn>& turns) {
  ASSERT_EQ(turns.size(), 2U);
  EXPECT_EQ(turns[0].outcome, TurnOutcome::kAnswered);
  EXPECT_EQ(turns[0].resource, "/second");
  EXPECT_EQ(turns[0].request_body_bytes, 40'000U);
  EXPECT_EQ(turns[0].status, 404);
  EXPECT_EQ(turns[1].outcome, TurnOutcome::kAnswered);
  EXPECT_EQ(turns[1].method, "GET");
  EXPECT_EQ(turns[1].resource, "/items/{id}");
  EXPECT_EQ(turns[1].status, 200);
}

TEST_F(RequestKernelTest, StreamsAreFollowedWhateverPiecesTheirFramesComeIn) {
  const std::string asks = std::string(kPreface) + kSettings + Ask(1, "/items/5") + Ask(3, "/second", kWhole) +
                           MakeFrame(WEIR_FRAME_DATA, 0, 3, std::string(30'000, 'u')) +
                           MakeFrame(WEIR_FRAME_DATA, kLast, 3, std::string(10'000, 'u'));
  const std::string answers = MakeFrame(WEIR_FRAME_HEADERS, kWhole, 3, "\x8d") +
                              MakeFrame(WEIR_FRAME_DATA, kLast, 3, "no") +
                              MakeFrame(WEIR_FRAME_HEADERS, kWhole, 1, "\x88") +
                              MakeFrame(WEIR_FRAME_DATA, kLast, 1, std::string(300'000, 'a'));
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{5'000}, asks.size()}) {
    turns_.clear();
    Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
    pair.client.Set(IPPROTO_TCP, TCP_NODELAY, 1);
    pair.server.Set(IPPROTO_TCP, TCP_NODELAY, 1);
    Write(pair.server, kSettings);  // before the client has said anything
    Write(pair.client, kPreface);   // one segment begins with it
    std::thread server([&] {
      Read(pair.server, asks.size());
      // The first headers in pieces of one writev() each a byte long, the rest as it was cut for the client.
      std::vector<iovec> bytes;
      for (size_t at = 0; at < 40; ++at) bytes.push_back({const_cast<char*>(answers.data() + at), 1});
      EXPECT_EQ(::writev(pair.server.fd(), bytes.data(), 40), 40);
      for (size_t at = 40; at < answers.size(); at += std::max<size_t>(piece, 500)) {
        Write(pair.server, std::string_view(answers).substr(at, std::max<size_t>(piece, 500)));
      }
    });
    for (size_t at = kPreface.size(); at < asks.size(); at += at < 200 ? piece : std::max<size_t>(piece, 500)) {
      Write(pair.client, std::string_view(asks).substr(at, at < 200 ? piece : std::max<size_t>(piece, 500)));
    }
    Read(pair.client, kSettings.size() + answers.size());
    server.join();
    Drain();
    SCOPED_TRACE(piece);
    ExpectTwoStreams(turns_);
    EXPECT_EQ(ends_.back().pid, static_cast<uint32_t>(::getpid()));
  }
  EXPECT_EQ(probe_->Losses().skipped + probe_->Losses().unreadable, 0U);
}

TEST_F(RequestKernelTest, AStreamsTimesLieWithinTheClients) {
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  pair.client.Set(IPPROTO_TCP, TCP_NODELAY, 1);
  pair.server.Set(IPPROTO_TCP, TCP_NODELAY, 1);
  const std::string head = MakeFrame(WEIR_FRAME_HEADERS, kWhole, 1, "\x88");
  const std::string chunk = MakeFrame(WEIR_FRAME_DATA, 0, 1, "hello");
  const std::string end = MakeFrame(WEIR_FRAME_HEADERS, kWhole | kLast, 1, "\x88");
  const std::string ask = std::string(kPreface) + kSettings + Ask(1, "/");
  const int64_t begin = NowMicros();
  Write(pair.client, ask);
  Read(pair.server, ask.size());
  Write(pair.server, head);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));  // what there is to measure
  Write(pair.server, chunk);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  Write(pair.server, chunk + chunk);
  Write(pair.server, end);
  Read(pair.client, head.size() + 3 * chunk.size() + end.size());
  const int64_t took = NowMicros() - begin;
  Drain();
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_GE(turns_[0].first_chunk_us, turns_[0].latency_us + 1'999);
  ASSERT_EQ(turns_[0].gaps_us.size(), 1U) << "two frames of one write are one chunk, trailers none";
  EXPECT_GE(turns_[0].gaps_us[0], 1'999U);
  EXPECT_LE(turns_[0].duration_us, took);
}

TEST_F(RequestKernelTest, ABodyFromAFileIsFollowedAndAHeaderFromAFileIsNot) {
  const std::string answer =
      MakeFrame(WEIR_FRAME_HEADERS, kWhole, 1, "\x88") + MakeFrame(WEIR_FRAME_DATA, kLast, 1, std::string(10'000, 'f'));
  const size_t body_at = answer.size() - 10'000;
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  const std::string ask = std::string(kPreface) + kSettings + Ask(1, "/file");
  Write(pair.client, ask);
  Read(pair.server, ask.size());
  Write(pair.server, std::string_view(answer).substr(0, body_at));
  WriteFromFile(pair.server, answer.substr(body_at));
  Read(pair.client, answer.size());
  Pair other = kernel::MakePair("127.0.0.1", "127.0.0.1");
  Write(other.client, ask);
  Read(other.server, ask.size());
  WriteFromFile(other.server, answer);
  Read(other.client, answer.size());
  Drain();
  ASSERT_EQ(turns_.size(), 2U);
  EXPECT_EQ(turns_[0].outcome, TurnOutcome::kAnswered);
  EXPECT_EQ(turns_[0].resource, "/file");
  EXPECT_EQ(turns_[1].outcome, TurnOutcome::kUnusable);
  EXPECT_EQ(turns_[1].ending, "not_in_memory");
}

TEST_F(RequestKernelTest, MoreFramesThanTheBudgetOfMovesEndTheFollowing) {
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  std::string many = std::string(kPreface) + kSettings + Ask(1, "/");
  for (int i = 0; i < 1'000; ++i) many += MakeFrame(WEIR_FRAME_PING, 0, 0, "12345678");
  Write(pair.client, many);
  Read(pair.server, many.size());
  Drain();
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].ending, "too_many_frames");
}

TEST_F(RequestKernelTest, WhatDoesNotBeginLikeARequestCostsNothingMore) {
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  for (const char* text : {"G", "GE", "GET", "\x16\x03\x01", "SSH-2.0", "GETTING", "\n\n\n\n\n", "get / HTTP/1.1\r\n",
                           " GET / HTTP/1.1"}) {
    Exchange(pair, text, "x");
  }
  // The port has been sorted out by now: even a request on this connection is not looked at, until the agent forgets.
  Exchange(pair, kGet, kShort);
  Drain();
  EXPECT_TRUE(sockets_.empty());
  probe_->ForgetPorts(false);
  Exchange(pair, kGet, kShort);
  Drain();
  EXPECT_EQ(turns_.size(), 1U);
}

TEST_F(RequestKernelTest, AboveTheBudgetTurnsAreLeftOutAndCounted) {
  options_.steps_per_second = 1;  // four steps per processor and 134 ms
  auto opened = RequestProbe::Open(options_);
  ASSERT_TRUE(opened.ok());
  probe_ = *std::move(opened);
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  constexpr size_t kTurns = 200;
  for (size_t i = 0; i < kTurns; ++i) Exchange(pair, kGet, kShort);
  Drain();
  EXPECT_LT(turns_.size(), kTurns);
  EXPECT_EQ(Unusable(), 0U);
  EXPECT_EQ(turns_.size() + probe_->Losses().skipped, kTurns);
}

TEST_F(TlsKernelTest, ExchangesAreTimedByTheirRecordsWhateverPiecesTheyComeIn) {
  const std::string finished = "\x14\x03\x03" + MakeSized(2, "\x01") + Encrypted(53);
  const std::string tickets = Encrypted(250) + Encrypted(250);
  const std::string request = Encrypted(160);
  const std::string header = Encrypted(190);
  const std::string chunk = Encrypted(40);
  for (const size_t piece : {size_t{1}, size_t{7}, finished.size() + request.size()}) {
    SCOPED_TRACE(piece);
    turns_.clear();
    Pair pair = Greet(ClientHelloFor("tls.example", {"http/1.1", "h2c"}));
    const int64_t begin = NowMicros();
    Ask(pair, finished + request, piece);  // the request is here before the tickets are written
    Read(pair.server, finished.size());
    Write(pair.server, tickets.substr(0, 255));
    Write(pair.server, tickets.substr(255));
    Read(pair.server, request.size());
    Read(pair.client, tickets.size());
    for (int round = 0; round < 3; ++round) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // what there is to measure
      std::vector<iovec> bytes;                                   // a record header in pieces
      for (size_t at = 0; at < 5; ++at) bytes.push_back({const_cast<char*>(header.data() + at), 1});
      bytes.push_back({const_cast<char*>(header.data() + 5), header.size() - 5});
      ASSERT_EQ(::writev(pair.server.fd(), bytes.data(), static_cast<int>(bytes.size())),
                static_cast<ssize_t>(header.size()));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      Write(pair.server, chunk);
      Read(pair.client, header.size() + chunk.size());
      if (round == 2) break;
      Ask(pair, request, piece);
      Read(pair.server, request.size());
    }
    const int64_t took = NowMicros() - begin;
    kernel::CloseInOrder(pair);
    Drain();
    ASSERT_EQ(turns_.size(), 3U);
    for (const Turn& turn : turns_) {
      EXPECT_EQ(turn.outcome, TurnOutcome::kAnswered);
      EXPECT_EQ(turn.application, kTlsTiming);
      EXPECT_GE(turn.latency_us, 1'999);
      EXPECT_GE(turn.first_chunk_us, turn.latency_us + 1'999);
      EXPECT_LE(turn.duration_us, took);
    }
    EXPECT_EQ(ends_.back().pid, static_cast<uint32_t>(::getpid()));
  }
  EXPECT_EQ(probe_->Losses().skipped + probe_->Losses().unreadable, 0U);
}

TEST_F(TlsKernelTest, ClientsThatOfferHttp2AreCountedAndNotTimed) {
  for (const auto& offered : std::vector<std::vector<std::string>>{{"h2"}, {"x", "http/1.1", "h2"}, {"h2", "z"}}) {
    turns_.clear();
    Pair pair = Greet(ClientHelloFor("both.example", offered));
    Exchange(pair, Encrypted(53) + Encrypted(160), Encrypted(190));
    kernel::CloseInOrder(pair);
    Drain();
    ASSERT_EQ(turns_.size(), 1U);
    EXPECT_EQ(turns_[0].outcome, TurnOutcome::kUnusable);
    EXPECT_EQ(turns_[0].ending, "h2_offered");
  }
}

TEST_F(TlsKernelTest, HellosThatLieAreNotGuessedAt) {
  const std::string hello = ClientHelloFor("lying.example", {"http/1.1"});
  std::string lying = hello;
  lying[lying.size() - 9] = '\xff';  // the length of the protocol's name
  std::string empty = hello;
  empty[empty.size() - 9] = '\0';
  for (const std::string& bad : {lying, empty}) {
    turns_.clear();
    Pair pair = Greet(bad);
    kernel::CloseInOrder(pair);
    Drain();
    ASSERT_EQ(turns_.size(), 1U);
    EXPECT_EQ(turns_[0].ending, "hello_not_read");
  }
}

TEST_F(TlsKernelTest, HostileRecordsEndTheFollowing) {
  std::string many;
  for (int i = 0; i < 600; ++i) many += Encrypted(0);
  const std::pair<std::string, std::string> kBad[] = {{std::string("\x17\x03\x03\xff\xff", 5), "not_records"},
                                                      {std::string("\x17\x02\x03\0\1e", 6), "not_records"},
                                                      {kGet.data(), "not_records"},
                                                      {many, "too_many_records"}};
  for (const auto& [bad, why] : kBad) {
    SCOPED_TRACE(why);
    turns_.clear();
    Pair pair = Greet(ClientHelloFor("bad.example"));
    Exchange(pair, Encrypted(53) + bad, Encrypted(3'000));
    kernel::CloseInOrder(pair);
    Drain();
    ASSERT_EQ(turns_.size(), 1U);
    EXPECT_EQ(turns_[0].ending, why);
  }
  turns_.clear();
  Pair refused = kernel::MakePair("127.0.0.1", "127.0.0.1");
  Exchange(refused, ClientHelloFor("no.example"), std::string("\x15\x03\x03\0\2\2\x28", 7) + std::string(80, 'x'));
  Pair early = kernel::MakePair("127.0.0.1", "127.0.0.1");
  Exchange(early, ClientHelloFor("early.example") + Encrypted(160), ServerFlight());
  Drain();
  ASSERT_EQ(turns_.size(), 1U) << "a refusal is no exchange";
  EXPECT_EQ(turns_[0].ending, "early_data");
}

TEST_F(RequestKernelTest, AServerNameReachesTheClientsFlow) {
  probe_.reset();
  FakeClock clock;
  auto requests = MakeRequestSource(clock);
  EbpfOptions ebpf;
  ebpf.max_sockets = 4'096;
  ebpf.names = &requests->names();
  std::vector<std::unique_ptr<OptionalSource>> beside;
  beside.push_back(std::move(requests));
  auto source = WithOptions(MakeEbpfSource(ebpf, clock), std::move(beside));
  ASSERT_TRUE(source->Start().ok());
  for (const bool snapshot_before : {false, true}) {
    Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
    Collection first;
    if (snapshot_before) {
      ASSERT_TRUE(source->Collect(0, first).ok());
    }
    const std::string name = snapshot_before ? "late.example" : "early.example";
    Exchange(pair, ClientHelloFor(name), "\x16\x03\x03");
    kernel::CloseInOrder(pair);
    uint64_t bytes = 0;
    const auto collect = [&] {
      Collection out;
      ASSERT_TRUE(source->Collect(0, out).ok());
      for (const model::SideReport& report : out.reports) {
        if (report.ends.netns != lab_.inode() || report.ends.server_port != pair.listener.port()) continue;
        EXPECT_TRUE(report.request.empty()) << "no turns where TLS is spoken";
        if (report.identity.server_name == name && report.identity.application == "tls") {
          EXPECT_EQ(report.ends.side, model::Side::kClient);
          bytes += report.counters.bytes_sent;
        }
      }
    };
    EXPECT_TRUE(kernel::Eventually(collect, [&] { return bytes == ClientHelloFor(name).size(); }))
        << name << ": " << bytes;
  }
}

}  // namespace
}  // namespace weir::agent::requests
