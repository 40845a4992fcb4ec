#include "agent/privileges.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <string>
#include <thread>

namespace weir::agent {
namespace {

uint64_t Bit(unsigned capability) { return uint64_t{1} << capability; }

// "CapEff" -> 0x...; of the calling thread.
std::map<std::string, uint64_t> MyStatus() {
  std::map<std::string, uint64_t> values;
  std::ifstream file("/proc/thread-self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("Cap")) values[line.substr(0, 6)] = std::stoull(line.substr(8), nullptr, 16);
    if (line.starts_with("NoNewPrivs:")) values["NoNewPrivs"] = std::stoull(line.substr(11));
  }
  return values;
}

std::map<std::string, uint64_t> AfterOnAThread(const std::function<Status()>& lower) {
  std::map<std::string, uint64_t> after;
  std::thread([&] {
    const Status status = lower();
    EXPECT_TRUE(status.ok()) << status.message();
    after = MyStatus();
  }).join();
  return after;
}

TEST(Privileges, CollectingKeepsWhatItNeedsAndNothingElse) {
  const auto before = MyStatus();
  const uint64_t wanted =
      Bit(CAP_BPF) | Bit(CAP_PERFMON) | Bit(CAP_NET_ADMIN) | Bit(CAP_SYS_PTRACE) | Bit(CAP_DAC_READ_SEARCH);
  for (const std::string mode : {"ebpf", "sock_diag"}) {
    SCOPED_TRACE(mode);
    const uint64_t expected = before.at("CapPrm") & (mode == "ebpf" ? wanted : wanted | Bit(CAP_SYS_ADMIN));
    const auto after = AfterOnAThread([&mode] { return KeepPrivilegesForCollecting(mode); });
    EXPECT_EQ(after.at("CapEff"), expected);
    EXPECT_EQ(after.at("CapPrm"), expected);
    EXPECT_EQ(after.at("CapInh"), 0U);
    EXPECT_EQ(after.at("CapAmb"), 0U);
    EXPECT_EQ(after.at("NoNewPrivs"), 1U);
    if ((before.at("CapEff") & Bit(CAP_SETPCAP)) != 0) {
      EXPECT_EQ(after.at("CapBnd"), expected);
    }
  }
  EXPECT_EQ(MyStatus(), before) << "other threads keep theirs";
}

TEST(Privileges, LookingUpTranslationsEntersNamespaces) {
  const auto after = AfterOnAThread([] { return KeepPrivilegesForCollecting("ebpf", /*nat=*/true); });
  EXPECT_EQ(after.at("CapEff") & Bit(CAP_SYS_ADMIN), MyStatus().at("CapPrm") & Bit(CAP_SYS_ADMIN));
}

TEST(Privileges, ReadingTheNodeNeedsNeitherBpfNorNetworkAdministration) {
  const uint64_t wanted = Bit(CAP_SYS_ADMIN) | Bit(CAP_SYS_PTRACE) | Bit(CAP_DAC_READ_SEARCH);
  const uint64_t before = MyStatus().at("CapPrm");
  EXPECT_EQ(AfterOnAThread(KeepPrivilegesForNode).at("CapEff"), before & wanted);
}

TEST(Privileges, ThreadsThatOnlySendKeepNone) {
  const auto after = AfterOnAThread(KeepNoPrivileges);
  EXPECT_EQ(after.at("CapEff"), 0U);
  EXPECT_EQ(after.at("CapPrm"), 0U);
  EXPECT_EQ(after.at("NoNewPrivs"), 1U);
  if (geteuid() == 0) {
    EXPECT_FALSE(AfterOnAThread([] {
                   const Status status = KeepNoPrivileges();
                   EXPECT_NE(sethostname("weir-test", 9), 0) << "root without capabilities is nobody special";
                   return status;
                 }).empty());
  }
}

TEST(Privileges, CanBeLoweredTwice) {
  const auto after = AfterOnAThread([] {
    Status first = KeepPrivilegesForCollecting("ebpf");
    return first.ok() ? KeepNoPrivileges() : first;
  });
  EXPECT_EQ(after.at("CapEff"), 0U);
}

}  // namespace
}  // namespace weir::agent
