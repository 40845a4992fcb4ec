#include "agent/flow/local_peers.h"

#include <gtest/gtest.h>

#include "agent/flow/record_builder.h"

namespace weir::agent::flow {
namespace {

using model::Side;

RecordBuilder Client() { return RecordBuilder().Outgoing(1, 2).Begins(100, 900); }
RecordBuilder Server() { return RecordBuilder().Incoming(2).Begins(900, 101); }

LocalPeers::End EndIn(uint32_t netns) {
  LocalPeers::End end;
  end.netns = netns;
  return end;
}

TEST(LocalPeersTest, BothEndsKnowAConnectionByTheSameNumber) {
  const LocalPeers::Id id = LocalPeers::IdOf(Client());
  EXPECT_NE(id, 0U);
  EXPECT_EQ(id, LocalPeers::IdOf(Server()));
  EXPECT_NE(id, LocalPeers::IdOf(Client().Begins(101, 900)));
  EXPECT_NE(id, LocalPeers::IdOf(Client().Begins(100, 901)));
  EXPECT_EQ(LocalPeers::IdOf(Client().Begins(0xfffffffe, 900)), LocalPeers::IdOf(Server().Begins(900, 0xffffffff)));
}

TEST(LocalPeersTest, OfSocketsOlderThanTheAgentItTakesWhoConnected) {
  EXPECT_EQ(LocalPeers::IdOf(Client().Flags(WEIR_SOCKET_EXISTING)), 0U);
  EXPECT_EQ(LocalPeers::IdOf(Client().Flags(WEIR_SOCKET_EXISTING | WEIR_SOCKET_OUTGOING)),
            LocalPeers::IdOf(Server().Flags(WEIR_SOCKET_EXISTING)));
}

TEST(LocalPeersTest, WhatHasNoOtherEndHasNoNumber) {
  EXPECT_EQ(LocalPeers::IdOf(Client().Final(TCP_SYN_SENT)), 0U);
  EXPECT_EQ(LocalPeers::IdOf(Client().Flags(WEIR_SOCKET_SIMULTANEOUS)), 0U);
  EXPECT_EQ(LocalPeers::IdOf(RecordBuilder().Listen("0.0.0.0", 80, "nginx", 1).Begins(1, 2)), 0U);
  EXPECT_EQ(LocalPeers::IdOf(RecordBuilder().Outgoing(1, 2)), 0U) << "as sock_diag tells of it";
}

TEST(LocalPeersTest, TheOtherEndIsFoundFromEither) {
  LocalPeers peers;
  peers.Put(5, Side::kServer, EndIn(8));
  EXPECT_EQ(peers.Other(5, Side::kServer), nullptr);
  EXPECT_EQ(peers.Other(6, Side::kClient), nullptr);
  ASSERT_NE(peers.Other(5, Side::kClient), nullptr);
  EXPECT_EQ(peers.Other(5, Side::kClient)->netns, 8U);
  peers.Put(5, Side::kClient, EndIn(7));
  peers.Put(5, Side::kServer, EndIn(8));
  EXPECT_EQ(peers.Other(5, Side::kServer)->netns, 7U);
}

TEST(LocalPeersTest, OlderConnectionsAreForgottenAndTheirNewEndsAreNot) {
  LocalPeers peers;
  peers.Put(1, Side::kServer, EndIn(8));
  for (uint64_t id = 2; id <= LocalPeers::kMaxConnections + 1; ++id) peers.Put(id, Side::kServer, EndIn(9));
  peers.Put(1, Side::kClient, EndIn(7));  // moves to the present
  EXPECT_EQ(peers.Other(1, Side::kClient)->netns, 8U);
  for (uint64_t id = 100'000; id < 100'000 + LocalPeers::kMaxConnections; ++id) {
    peers.Put(id, Side::kServer, EndIn(9));
  }
  EXPECT_EQ(peers.Other(2, Side::kClient), nullptr);
  EXPECT_NE(peers.Other(1, Side::kClient), nullptr);
}

}  // namespace
}  // namespace weir::agent::flow
