// TCP Fast Open (RFC 7413): a SYN that waits for the first write, and a server that answers before the handshake ends.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <thread>

#include "agent/kernel/kernel_tracker.h"
#include "agent/kernel/net_lab.h"

namespace weir::agent::kernel {
namespace {

constexpr auto kPause = std::chrono::milliseconds(300);

class FastOpenTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = WhyNoKernelTests(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    lab_.Run("sysctl -qw net.ipv4.tcp_fastopen=3");
    std::vector<model::ProbeReport> probes;
    auto opened = KernelTracker::Open({}, probes);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    tracker_ = *std::move(opened);
    listener_ = Socket::Listen("127.0.0.1");
    listener_.Set(IPPROTO_TCP, TCP_FASTOPEN, 16);
    LearnCookie();
  }

  Socket Client() const {
    Socket client = Socket::Make("127.0.0.1");
    client.Set(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
    EXPECT_EQ(client.TryConnect("127.0.0.1", listener_.port()), 0);
    return client;
  }

  // From now on clients of this namespace may send data with their SYN.
  void LearnCookie() {
    {
      Socket client = Client();
      Socket server = listener_.Accept();
      client.Send(10);
      server.Receive(10);
      client.Close();
      server.ReceiveEnd();
    }
    AwaitFinals(2);
    log_.Clear();
  }

  void AwaitFinals(size_t count) {
    ASSERT_TRUE(Eventually([this] { tracker_->DrainRing(log_); },
                           [this, count] { return log_.Of(WEIR_RECORD_FINAL).size() >= count; }))
        << log_.Of(WEIR_RECORD_FINAL).size() << " of " << count << " final records";
  }

  weir_record FinalOf(bool incoming) const {
    return log_.Only(WEIR_RECORD_FINAL, [incoming](const weir_record& record) {
      return ((record.flags & WEIR_SOCKET_INCOMING) != 0) == incoming;
    });
  }

  Lab lab_;
  RecordLog log_{{lab_.inode()}};
  std::unique_ptr<KernelTracker> tracker_;
  Socket listener_;
};

TEST_F(FastOpenTest, ThePauseBeforeTheFirstWriteIsNoHandshake) {
  Socket client = Client();
  std::this_thread::sleep_for(kPause);  // what the application does
  client.Send(500);
  Socket server = listener_.Accept();
  server.Receive(500);
  server.Send(300);
  client.Receive(300);
  client.Close();
  server.ReceiveEnd();
  server.Close();
  AwaitFinals(2);
  const weir_record record = FinalOf(false);
  const auto pause_ns = static_cast<uint64_t>(std::chrono::nanoseconds(kPause).count());
  EXPECT_EQ(record.flags & (WEIR_SOCKET_HANDSHAKE_UNKNOWN | WEIR_SOCKET_UNSENT), 0U);
  EXPECT_GE(record.time_ns, record.start_ns + pause_ns) << "it was put off";
  ASSERT_GE(record.established_ns, record.start_ns);
  EXPECT_LT(record.established_ns - record.start_ns, pause_ns);
  EXPECT_EQ(record.bytes_sent - record.bytes_retransmitted, 500U);
  EXPECT_EQ(FinalOf(true).bytes_sent, 300U);
}

TEST_F(FastOpenTest, ASocketThatWasNeverWrittenToAskedNothing) {
  Socket client = Client();
  ASSERT_TRUE(tracker_->Snapshot(true, log_).ok());
  const weir_record live = log_.Only(WEIR_RECORD_LIVE, [](const weir_record&) { return true; });
  EXPECT_NE(live.flags & WEIR_SOCKET_UNSENT, 0U);
  client.Close();
  AwaitFinals(1);
  const weir_record record = FinalOf(false);
  EXPECT_EQ(record.state, TCP_SYN_SENT);
  EXPECT_NE(record.flags & WEIR_SOCKET_UNSENT, 0U);
}

TEST_F(FastOpenTest, AWriteOfNothingSendsTheSynAllTheSame) {
  Socket client = Client();
  std::this_thread::sleep_for(kPause);
  client.Set(IPPROTO_TCP, TCP_NODELAY, 1);
  EXPECT_EQ(::send(client.fd(), "", 0, 0), 0);
  Socket server = listener_.Accept();
  client.Close();
  server.ReceiveEnd();
  server.Close();
  AwaitFinals(2);
  const weir_record record = FinalOf(false);
  EXPECT_LT(record.established_ns - record.start_ns, std::chrono::nanoseconds(kPause).count());
}

// Its ACK is lost until then, so that the server's socket leaves SYN_RECV without having been ESTABLISHED.
TEST_F(FastOpenTest, AServerThatClosesBeforeTheHandshakeEndsIsCounted) {
  const std::string port = std::to_string(listener_.port());
  lab_.Filter("tcp dport " + port + " tcp flags & (syn | ack) == ack drop");
  Socket client = Client();
  client.Send(500);
  Socket server = listener_.Accept();
  server.Receive(500);
  server.Send(300);
  server.Close();
  lab_.Unfilter();
  client.Receive(300);
  client.ReceiveEnd();
  client.Close();
  AwaitFinals(2);
  const weir_record record = FinalOf(true);
  EXPECT_EQ(record.bytes_sent - record.bytes_retransmitted, 300U);
  EXPECT_EQ(record.bytes_received, 501U) << "and the FIN";
  EXPECT_GT(record.established_ns, 0U);
}

TEST_F(FastOpenTest, ASynThatWasSentAgainTellsNoTime) {
  const std::string port = std::to_string(listener_.port());
  lab_.Filter("tcp dport " + port + " tcp flags & (syn | ack) == syn drop");
  Socket client = Client();
  std::this_thread::sleep_for(kPause);
  const std::string data(500, 'x');
  (void)::send(client.fd(), data.data(), data.size(), MSG_DONTWAIT);  // a blocking one waits for the handshake
  ASSERT_TRUE(Eventually([this] { log_.Clear(), (void)tracker_->Snapshot(true, log_); },
                         [this] {
                           const auto live = log_.Of(WEIR_RECORD_LIVE);
                           return live.size() == 1 && live[0].total_retrans > 0;
                         }));
  lab_.Unfilter();
  Socket server = listener_.Accept();
  server.Receive(500);
  client.Close();
  server.ReceiveEnd();
  server.Close();
  AwaitFinals(2);
  EXPECT_NE(FinalOf(false).flags & WEIR_SOCKET_HANDSHAKE_UNKNOWN, 0U);
}

}  // namespace
}  // namespace weir::agent::kernel
