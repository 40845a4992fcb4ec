// Whose a socket is when it changes hands, and who is the client when ports and listeners do not tell.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "agent/flow/record_builder.h"
#include "agent/flow/socket_table.h"

namespace weir::agent::flow {
namespace {

using model::Side;
using model::SideReport;

constexpr auto kChanged = SocketTable::Snapshot::kChanged;

// Control groups are called by their number.
class NumberedGroups final : public identity::Identities {
 public:
  std::shared_ptr<const identity::CgroupName> NameOf(uint64_t owner) override {
    return std::make_shared<const identity::CgroupName>(identity::CgroupName{"", std::to_string(owner)});
  }
  std::shared_ptr<const std::string> NetnsNameOf(uint32_t) override { return std::make_shared<const std::string>(); }
  void ExpireAnswers() override {}
  Groups groups() const override { return Groups::kAll; }

 protected:
  uint64_t OwnerByProcess(uint64_t cgroup_id, uint32_t) override { return cgroup_id; }
};

class SocketOwnerTest : public testing::Test {
 protected:
  void Snapshot(const std::vector<weir_record>& records) {
    table_.SnapshotBegins(++now_);
    for (const weir_record& record : records) table_.OnRecord(record);
    table_.SnapshotEnds(++now_, kChanged);
  }
  // "process/unit" -> payload sent since the last call.
  std::map<std::string, uint64_t> Sent() {
    std::vector<SideReport> reports;
    flows_.Emit(++now_, reports);
    std::map<std::string, uint64_t> sent;
    for (const SideReport& report : reports) {
      if (report.counters.bytes_sent != 0) {
        sent[report.identity.process + "/" + report.identity.unit] += report.counters.bytes_sent;
      }
    }
    return sent;
  }
  std::vector<SideReport> Reports() {
    std::vector<SideReport> reports;
    flows_.Emit(++now_, reports);
    return reports;
  }
  using Named = std::map<std::string, uint64_t>;

  Nanos now_ = 1'000;
  NumberedGroups groups_;
  FlowTable flows_{1'000, groups_};
  SocketTable table_{SocketTable::Finals::kMarked, 4'000, flows_, groups_};
};

RecordBuilder Accepted() { return RecordBuilder().Incoming(5).Cgroup(1).Ends("10.0.0.2", 80, "10.0.0.1", 40'000); }

TEST_F(SocketOwnerTest, AConnectionThatIsHandedOverBelongsToItsNewHolderFromThenOn) {
  Snapshot({Accepted().Process("super", 7).Bytes(100, 0).Segments(2, 2)});
  EXPECT_EQ(Sent(), (Named{{"super/1", 100}}));
  const auto heir = [] { return Accepted().Process("heir", 8).Holder(2); };
  Snapshot({heir().Bytes(150, 0).Segments(3, 3)});
  EXPECT_EQ(Sent(), (Named{{"heir/2", 50}}));
  table_.OnRecord(heir().Final().Bytes(157, 0).Segments(4, 4).Flags(WEIR_SOCKET_REPORTED));
  EXPECT_EQ(Sent(), (Named{{"heir/2", 7}}));
}

TEST_F(SocketOwnerTest, TheFinalRecordTellsANewHolderToo) {
  Snapshot({Accepted().Process("super", 7).Bytes(100, 0).Segments(2, 2)});
  (void)Sent();
  table_.OnRecord(Accepted().Process("heir", 8).Holder(2).Final().Bytes(130, 0).Flags(WEIR_SOCKET_REPORTED));
  EXPECT_EQ(Sent(), (Named{{"heir/2", 30}}));
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(SocketOwnerTest, AProcessThatBecomesAnotherProgramTakesItsConnectionsAlong) {
  const auto connected = [](const char* comm) { return RecordBuilder().Outgoing(10, 20).Process(comm, 7); };
  Snapshot({connected("shell").Bytes(100, 0).Segments(2, 2)});
  EXPECT_EQ(Sent(), (Named{{"shell/0", 100}}));
  Snapshot({connected("curl").Bytes(160, 0).Segments(3, 3)});
  EXPECT_EQ(Sent(), (Named{{"curl/0", 60}}));
}

TEST_F(SocketOwnerTest, ConnectionsOfAHandedListenerBelongWhereItsHolderLives) {
  table_.OnRecord(RecordBuilder().Listen("0.0.0.0", 80, "worker", 8).Cgroup(1).Holder(2));
  table_.OnRecord(Accepted().Final().Bytes(9, 0));
  EXPECT_EQ(Sent(), (Named{{"worker/2", 9}}));
}

TEST_F(SocketOwnerTest, WhoConnectedIsTheClientWhateverListensAtItsPort) {
  Snapshot({RecordBuilder().Listen("0.0.0.0", 7530, "peer", 3).Flags(WEIR_SOCKET_EXISTING),
            RecordBuilder()
                .Flags(WEIR_SOCKET_EXISTING | WEIR_SOCKET_OUTGOING)
                .Ends("10.0.0.1", 7530, "10.0.0.2", 7531)
                .Process("peer", 3)});
  const std::vector<SideReport> reports = Reports();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].ends.side, Side::kClient);
  EXPECT_EQ(reports[0].ends.server_port, 7531);
}

TEST_F(SocketOwnerTest, BothEndsOfASimultaneousOpenNameTheSameServer) {
  const auto end = [](uint64_t socket, const char* local, uint16_t port, const char* remote, uint16_t remote_port) {
    return RecordBuilder()
        .Socket(socket)
        .Outgoing(10, 20)
        .Flags(WEIR_SOCKET_SIMULTANEOUS)
        .Ends(local, port, remote, remote_port)
        .Process("peer", 3);
  };
  table_.OnRecord(end(1, "10.0.0.1", 5'000, "10.0.0.2", 5'001).Final());
  table_.OnRecord(end(2, "10.0.0.2", 5'001, "10.0.0.1", 5'000).Final());
  table_.OnRecord(end(3, "10.0.0.3", 6'000, "10.0.0.4", 6'000).Final());
  table_.OnRecord(end(4, "10.0.0.4", 6'000, "10.0.0.3", 6'000).Final());
  std::map<std::string, int> servers;
  std::map<Side, int> sides;
  for (const SideReport& report : Reports()) {
    ++servers[report.ends.server_address.ToString() + ":" + std::to_string(report.ends.server_port)];
    ++sides[report.ends.side];
  }
  EXPECT_EQ(servers, (std::map<std::string, int>{{"10.0.0.1:5000", 2}, {"10.0.0.3:6000", 2}}));
  EXPECT_EQ(sides, (std::map<Side, int>{{Side::kClient, 2}, {Side::kServer, 2}}));
}

}  // namespace
}  // namespace weir::agent::flow
