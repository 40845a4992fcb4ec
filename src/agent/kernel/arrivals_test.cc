// What arrives late, over a way whose every packet this test holds in its hands: a tun device that sends all packets
// back with their addresses exchanged, so that 10.8.0.1 talks to itself as 10.8.0.2.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/kernel/kernel_tracker.h"
#include "agent/kernel/net_lab.h"

namespace weir::agent::kernel {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kOneWay = std::chrono::milliseconds(25);
constexpr size_t kSegmentBytes = 1'000;

enum class Fate { kInOrder, kSecondIsOvertaken, kSecondIsLost };

class Mirror {
 public:
  explicit Mirror(Fate fate) : fate_(fate), tun_(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)) {
    ifreq request{};
    std::strncpy(request.ifr_name, "mirror", IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    made_ = tun_.get() >= 0 && ::ioctl(tun_.get(), TUNSETIFF, &request) == 0;
  }
  ~Mirror() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
  }
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  bool made() const { return made_; }
  void Start() {
    thread_ = std::thread([this] { Run(); });
  }

 private:
  struct Packet {
    Clock::time_point due;
    std::string bytes;
  };

  void Run() {
    while (!over_) {
      pollfd readable{tun_.get(), POLLIN, 0};
      (void)::poll(&readable, 1, 1);
      char bytes[2'048];
      for (ssize_t read = 0; (read = ::read(tun_.get(), bytes, sizeof(bytes))) > 0;) {
        Take(std::string(bytes, static_cast<size_t>(read)));
      }
      for (; !way_.empty() && way_.front().due <= Clock::now(); way_.pop_front()) {
        const std::string& packet = way_.front().bytes;
        EXPECT_EQ(::write(tun_.get(), packet.data(), packet.size()), static_cast<ssize_t>(packet.size()));
      }
    }
  }

  // Sums over a header stay what they are when its two addresses change places.
  void Take(std::string packet) {
    if (static_cast<uint8_t>(packet[0]) >> 4 != 4) return;
    std::swap_ranges(packet.begin() + 12, packet.begin() + 16, packet.begin() + 16);
    const bool second = packet.size() > kSegmentBytes && ++segments_ == 2;
    if (second && fate_ == Fate::kSecondIsLost) return;
    if (second && fate_ == Fate::kSecondIsOvertaken) {
      overtaken_ = std::move(packet);
      return;
    }
    const Clock::time_point due = Clock::now() + kOneWay;
    way_.push_back({due, std::move(packet)});
    if (!overtaken_.empty() && segments_ == 3) way_.push_back({due, std::exchange(overtaken_, {})});
  }

  const Fate fate_;
  UniqueFd tun_;
  bool made_ = false;
  std::atomic<bool> over_{false};
  std::deque<Packet> way_;
  std::string overtaken_;
  size_t segments_ = 0;
  std::thread thread_;
};

class ArrivalsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = WhyNoKernelTests(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
  }

  // The receiver's last record, after five segments.
  weir_record ReceivedBy(Fate fate) {
    weir_record none{};
    Mirror mirror(fate);
    if (!mirror.made()) return none;
    lab_.Run("ip addr add 10.8.0.1/24 dev mirror && ip link set mirror up");
    mirror.Start();
    std::vector<model::ProbeReport> probes;
    auto opened = KernelTracker::Open({.receive_loss = ReceiveLoss::kAlways}, probes);
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    if (!opened.ok()) return none;
    KernelTracker& tracker = **opened;
    Socket listener = Socket::Listen("10.8.0.1");
    {
      Socket client = Socket::Connect("10.8.0.2", listener.port());
      Socket server = listener.Accept();
      client.Set(IPPROTO_TCP, TCP_NODELAY, 1);
      for (int i = 0; i < 5; ++i) client.Send(kSegmentBytes);
      server.Receive(5 * kSegmentBytes);
      client.Close();
      server.ReceiveEnd();
    }
    EXPECT_TRUE(
        Eventually([&] { tracker.DrainRing(log_); }, [this] { return log_.Of(WEIR_RECORD_FINAL).size() >= 2; }));
    return log_.Only(WEIR_RECORD_FINAL,
                     [](const weir_record& record) { return (record.flags & WEIR_SOCKET_INCOMING) != 0; });
  }

  Lab lab_;
  RecordLog log_{{lab_.inode()}};
};

TEST_F(ArrivalsTest, WhatComesInOrderIsNotLate) {
  const weir_record record = ReceivedBy(Fate::kInOrder);
  EXPECT_EQ(record.bytes_received, 5 * kSegmentBytes + 1) << "and the FIN";
  EXPECT_EQ(record.late_segments, 0U);
  EXPECT_EQ(record.gaps, 0U);
}

TEST_F(ArrivalsTest, WhatComesSoonerThanItCanBeSentAgainWasOvertaken) {
  const weir_record record = ReceivedBy(Fate::kSecondIsOvertaken);
  EXPECT_EQ(record.gaps, 1U);
  EXPECT_EQ(record.late_segments, 1U);
  EXPECT_EQ(record.reordered, 1U);
}

TEST_F(ArrivalsTest, WhatWasLostAndSentAgainIsLateAndNotOvertaken) {
  const weir_record record = ReceivedBy(Fate::kSecondIsLost);
  EXPECT_EQ(record.gaps, 1U);
  EXPECT_EQ(record.late_segments, 1U);
  EXPECT_EQ(record.reordered, 0U);
}

}  // namespace
}  // namespace weir::agent::kernel
