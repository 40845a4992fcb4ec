// SocketTable: turns the kernel's absolute counters into what each socket did since its last record, and adds
// that to the socket's flow. A close that races with a snapshot can therefore not be counted twice, and a
// lost snapshot costs nothing.
//
// A socket is known by its pointer and its birth, because the kernel reuses pointers at once. Sockets that
// live shorter than a snapshot interval, nearly all of them on a busy node, never enter the table: their
// final record says that it is the first one, and counts from zero.
//
// A socket older than the agent starts from a base line: its first record counts nothing but shows it as
// open. Thread: the agent's loop, all calls.
#pragma once

#include <tsl/robin_map.h>
#include <tsl/robin_set.h>

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "agent/flow/address_translations.h"
#include "agent/flow/connection_names.h"
#include "agent/flow/flow_table.h"
#include "agent/flow/listener_table.h"
#include "agent/flow/local_peers.h"
#include "agent/flow/recent_flows.h"
#include "agent/identity/identities.h"
#include "agent/kernel/record_sink.h"

namespace weir::agent::flow {

class SocketTable final : public kernel::RecordSink {
 public:
  // What a final record says about earlier ones.
  enum class Finals {
    kMarked,  // WEIR_SOCKET_REPORTED tells that there was one
    // Nothing is told, not even who connected (sock_diag): always look, and ask the listeners for the
    // direction. Final records may come long after the socket left the snapshots, when its last descriptor is
    // closed.
    kUnmarked,
  };

  // `jiffy_us`: of the kernel that made the records. `flows`, `identities` and, unless null, `names` and `translations`
  // outlive the table.
  SocketTable(Finals finals, uint64_t jiffy_us, FlowTable& flows, identity::Identities& identities,
              ConnectionNames* names = nullptr, AddressTranslations* translations = nullptr)
      : finals_(finals),
        jiffy_us_(jiffy_us),
        flows_(flows),
        identities_(identities),
        names_(names),
        translations_(translations) {}

  void OnRecord(const weir_record& record) override;

  enum class Snapshot {
    kFailed,    // it broke off
    kChanged,   // it reported what changed
    kComplete,  // unchanged sockets too: those it did not report are gone, although their final record was
                // lost
  };
  // Bracket a snapshot. Times are CLOCK_MONOTONIC, to be compared with those in the records. All records of
  // the snapshot, and all final records made before it ended, come before SnapshotEnds().
  void SnapshotBegins(Nanos now);
  void SnapshotEnds(Nanos now, Snapshot result);

  // Between rounds flows may go, and what was learnt about their ends may change.
  void RoundEnds();

  size_t size() const { return sockets_.size(); }
  uint64_t records() const { return records_; }  // taken so far
  // Control groups whose sockets received something out of order since the last call; at most 64.
  std::vector<uint64_t> TakeOutOfOrderGroups() { return std::exchange(out_of_order_groups_, {}); }
  // Ports whose connections only their holder's process can be told by, see ListenerTable.
  const std::set<uint16_t>& shared_ports() const { return listeners_.shared_ports(); }
  // Whether connections were attributed to their listener's process and the descriptor tables may know
  // better. The caller asks them, and those that are closed by then do not count again.
  bool TakeBorrowed() { return std::exchange(socket_activated_, false) || borrowed_ > 0; }

 private:
  struct Key {
    uint64_t socket;
    uint64_t birth;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const;
  };
  struct Entry {  // counters as of the last record
    uint64_t sent = 0;
    uint64_t received = 0;
    uint32_t segs_in = 0;
    uint32_t segs_out = 0;
    uint32_t retransmits = 0;
    uint32_t syn_retransmits = 0;
    uint32_t timeouts = 0;
    uint32_t delivered = 0;
    uint32_t retransmits_rto = 0;
    uint32_t retransmits_probe = 0;
    uint32_t spurious = 0;
    uint32_t ecn_marks = 0;
    uint32_t busy_jiffies = 0;
    uint32_t window_jiffies = 0;
    uint32_t buffer_jiffies = 0;
    uint32_t out_of_order = 0;
    uint32_t late_segments = 0;
    uint32_t gaps = 0;
    uint32_t reordered = 0;
    uint64_t late_bytes = 0;
    uint64_t retransmitted_bytes = 0;
    uint32_t pid = 0;       // whose it was; 0 = the listener's, if that
    uint32_t snapshot = 0;  // number of the last one that reported it
    FlowTable::Index flow = 0;
    bool open = false;
    bool borrowed = false;  // counted in borrowed_
    bool named = false;
    bool translate_later = false;  // Translation::State::kLater
  };
  using Sockets = tsl::robin_map<Key, Entry, Hash>;
  struct Ports {  // of one connection at a time
    uint32_t netns;
    uint32_t local_address[4];
    uint32_t remote_address[4];
    uint16_t local_port;
    uint16_t remote_port;
    bool operator==(const Ports&) const = default;
  };
  struct PortsHash {
    size_t operator()(const Ports& ports) const;
  };

  static Key KeyOf(const weir_record& record);
  static bool IsOpen(const weir_record& record);
  // How its process was found.
  struct Attribution {
    bool borrowed = false;  // it is the listener's, or one of the listeners'
    bool of_all = true;     // other connections between the same ends have the same
  };
  // Whether this end accepted. `found`: what listens there, where that had to be asked for the direction or for the
  // process.
  bool IsIncoming(const weir_record& record, ListenerTable::Found* found) const;
  bool ChangedHands(const weir_record& record, const Entry& entry) const;
  uint64_t OwnerOf(uint64_t group, uint32_t pid, uint32_t netns, const Comm& comm) const;
  FlowKey FlowOf(const weir_record& record, Attribution* by);

  bool LooksForPeers();
  void Take(const weir_record& record);
  void TakeHeld();
  void MeetPeer(const weir_record& record);
  void OnListener(const weir_record& record);
  void OnLive(const weir_record& record);
  void OnFinal(const weir_record& record);
  void Enter(const weir_record& record, Entry& entry, bool existing);
  void Attribute(const weir_record& record, Entry& entry);
  // Puts the ends that NAT made of them into a client's key.
  Translation Translate(const weir_record& record, FlowKey& key);
  Translation FindTranslation(const weir_record& record, const FlowKey& key);
  // The flow of a socket that ended and was never in the table.
  RecentFlows::Known FlowOfShort(const weir_record& record);
  // Brings `entry` up to date and adds what happened since to `counters`.
  void Update(const weir_record& record, Entry& entry, model::SideCounters& counters);
  uint32_t NameOf(const weir_record& record);
  void Leave(Entry& entry);
  void SweepUnreported();
  void EnterExisting();
  bool MayBeKnown(const weir_record& final_record) const;
  bool CountedAlready(const weir_record& final_record);

  const Finals finals_;
  const uint64_t jiffy_us_;
  FlowTable& flows_;
  identity::Identities& identities_;
  ConnectionNames* const names_;
  AddressTranslations* const translations_;
  ListenerTable listeners_;
  RecentFlows recent_;
  LocalPeers peers_;
  // While connections are looked for at both ends: of this round, until all ends that accepted are known.
  std::vector<weir_record> held_;
  tsl::robin_set<Ports, PortsHash> later_ports_;  // scratch of TakeHeld()
  bool succeeded_ = false;                        // of the record that is taken: as ClientEnds
  bool round_began_ = false;
  bool may_be_translated_ = false;  // in this round
  Sockets sockets_;
  tsl::robin_set<Key, Hash> swept_;    // counted as closed; their final records are still to come (kUnmarked)
  std::vector<weir_record> existing_;  // waiting until all listeners of the snapshot are known
  size_t borrowed_ = 0;
  uint64_t records_ = 0;
  uint32_t snapshot_ = 0;
  std::vector<uint64_t> out_of_order_groups_;
  bool in_snapshot_ = false;
  bool socket_activated_ = false;  // a connection was attributed to process 1
  uint64_t race_from_ns_ = 0;      // final records made in this time may lack WEIR_SOCKET_REPORTED
  uint64_t race_until_ns_ = 0;
};

}  // namespace weir::agent::flow
