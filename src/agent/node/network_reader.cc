#include "agent/node/network_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/netlink.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include "agent/identity/cgroup_name.h"
#include "agent/kernel/group_tree.h"
#include "agent/kernel/own_namespaces.h"
#include "agent/node/proc_text.h"
#include "agent/node/protocol_counters.h"
#include "agent/node/qdisc_counts.h"
#include "base/metrics.h"
#include "model/container_name.h"
#include "model/node_subject.h"

namespace weir::agent::node {
namespace {

namespace fs = std::filesystem;
using model::NodeSignal;

constexpr int kLooksForPod = 12;
// kube-proxy puts the addresses of every service on it, on every node (its IPVS mode).
constexpr std::string_view kServicesLink = "kube-ipvs0";
constexpr const char* kBoundNamespaces = "/run/netns";

struct LinkSignal {
  NodeSignal signal;
  uint64_t LinkCounters::*field;
};
constexpr LinkSignal kLinkSignals[] = {
    {NodeSignal::interface_rx_bytes, &LinkCounters::rx_bytes},
    {NodeSignal::interface_tx_bytes, &LinkCounters::tx_bytes},
    {NodeSignal::interface_rx_packets, &LinkCounters::rx_packets},
    {NodeSignal::interface_tx_packets, &LinkCounters::tx_packets},
    {NodeSignal::interface_rx_errors, &LinkCounters::rx_errors},
    {NodeSignal::interface_tx_errors, &LinkCounters::tx_errors},
    {NodeSignal::interface_rx_dropped, &LinkCounters::rx_dropped},
    {NodeSignal::interface_tx_dropped, &LinkCounters::tx_dropped},
    {NodeSignal::interface_rx_over, &LinkCounters::rx_over},
    {NodeSignal::interface_rx_missed, &LinkCounters::rx_missed},
};

// Kernels before 5.14 do not say it by netlink; only the own namespace's interfaces are in sysfs.
bool IsHardware(const Link& link, bool own) {
  std::error_code ignored;
  return link.has_parent || (own && fs::exists(fs::path("/sys/class/net") / link.name / "device", ignored));
}

uint32_t InodeOf(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<uint32_t>(info.st_ino) : 0;
}

// /proc/PID/ns/net -> /proc/PID/cgroup; "" where it was not found by a process.
std::string ContainerOf(const kernel::NetNamespace& found) {
  if (found.path.filename() != "net") return "";
  const Result<std::string> text = ReadText(found.path.parent_path().parent_path() / "cgroup");
  return text.ok() ? identity::NameFromProcFile(*text).container : "";
}

std::unordered_map<uint32_t, std::string> BoundNames() {
  std::unordered_map<uint32_t, std::string> names;
  std::error_code ignored;
  for (fs::directory_iterator item(kBoundNamespaces, ignored); item != fs::directory_iterator();
       item.increment(ignored)) {
    if (const uint32_t inode = InodeOf(item->path()); inode != 0) {
      names.emplace(inode, identity::PrintableName(item->path().filename().native(), 64));
    }
  }
  return names;
}

// Of the thread's namespace. Lines of net/route: device, destination, gateway, ...; of net/ipv6_route: destination,
// prefix length, ..., device.
std::set<std::string> DefaultRouteInterfaces() {
  constexpr std::string_view kAny6 = "00000000000000000000000000000000";
  std::set<std::string> names;
  std::ifstream four("/proc/thread-self/net/route");
  std::string line;
  for (std::getline(four, line); std::getline(four, line);) {
    std::istringstream words(line);
    std::string device, destination, gateway, flags, references, use, metric, mask;
    words >> device >> destination >> gateway >> flags >> references >> use >> metric >> mask;
    if (destination == "00000000" && mask == "00000000") names.insert(device);
  }
  std::ifstream six("/proc/thread-self/net/ipv6_route");
  while (std::getline(six, line)) {
    std::istringstream words(line);
    std::string destination, prefix, device;
    words >> destination >> prefix;
    while (words >> device) {
    }
    if (destination == kAny6 && prefix == "00" && device != "lo") names.insert(device);
  }
  return names;
}

}  // namespace

Status NetworkReader::Open() {
  own_inode_ = InodeOf("/proc/thread-self/ns/net");
  machines_network_ = kernel::SharesNetworkNamespace();
  machines_processes_ = kernel::ProcShowsMachine();
  if (machines_network_)
    host_inode_ = own_inode_;
  else if (machines_processes_)
    host_inode_ = InodeOf("/proc/1/ns/net");
  WEIR_ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::Open(NETLINK_ROUTE));
  socket_ = std::move(socket);
  if (Result<EthtoolReader> ethtool = EthtoolReader::Open(); ethtool.ok()) {
    ethtool_ = *std::move(ethtool);
  } else {
    probes_.Failed("node_ethtool", ethtool.status());
  }
  Result<QueueStatsReader> queues = QueueStatsReader::Open();
  probes_.Judge("node_queue_stats", queues.status());
  if (queues.ok()) queues_ = *std::move(queues);
  return Status::Ok();
}

void NetworkReader::ReadOwn() {
  own_links_.clear();
  JudgeOwn("node_interfaces", ReadNamespace(*socket_, own_));
  JudgeOwn("node_tcp", AddProtocols(own_));
}

void NetworkReader::JudgeOwn(std::string_view probe, const Status& status) {
  if (status.ok() && !machines_network_) return probes_.Fallback(probe, kOwnNetworkOnly, kOwnNetworkHint);
  probes_.Judge(probe, status);
}

Status NetworkReader::ReadNamespace(NetlinkSocket& socket, Namespace& space) {
  LinkNames links;
  Status status = DumpLinks(socket, [&](Link link) {
    if (link.loopback) {  // nothing limits it, and its traffic is no node's; but IP counts it with the rest
      table_.Add(ObjectOf(space), NodeSignal::loopback_bytes, link.counters.tx_bytes);
      table_.Add(ObjectOf(space), NodeSignal::loopback_packets, link.counters.tx_packets);
      return;
    }
    const uint32_t ifindex = link.ifindex;
    if (link.name == kServicesLink) space.services_link = ifindex;
    links.emplace(ifindex, std::move(link));
  });
  if (status.ok()) {
    space.links.clear();
    for (const auto& [ifindex, link] : links) AddLink(space, link);
    std::sort(space.links.begin(), space.links.end(),
              [](const auto& a, const auto& b) { return a.ifindex < b.ifindex; });
    if (space.number == 0) AddUplinks(links);
    status = ReadQdiscs(socket, space, links);
  }
  space.listed = status.ok();
  return status;
}

void NetworkReader::AddEvidence(const Namespace& space, const Link& link, const Object& object, NodeSignal signal,
                                uint64_t value) {
  const uint64_t added = table_.Add(object, signal, value);
  if (added == 0 || space.number != 0 || model::Describe(signal).limit.empty()) return;
  rises_.push_back({link.ifindex, link.name, signal, std::string(object.name)});
}

void NetworkReader::AddCounters(Namespace& space, const Link& link, bool hardware, const Object& object) {
  for (const auto& [signal, field] : kLinkSignals) AddEvidence(space, link, object, signal, link.counters.*field);
  if (link.up) space.links.push_back({link.ifindex, link.name, link.peer_elsewhere ? link.peer : 0, hardware});
}

void NetworkReader::AddLink(Namespace& space, const Link& link) {
  const std::string subject = model::NodeSubjectText({space.name, link.name, ""});
  const bool hardware = IsHardware(link, space.number == 0);
  // A device that is plugged in, or comes from another namespace, brings its counters along.
  const Object object{space.number, link.ifindex, subject, !hardware && (space.is_new || space.listed)};
  AddCounters(space, link, hardware, object);
  if (!link.up) return;
  table_.Add(object, NodeSignal::interface_hardware, hardware ? 1 : 0);
  if (space.number == 0) own_links_.push_back({link.ifindex, link.name, hardware, false});
}

Status NetworkReader::ReadQdiscs(NetlinkSocket& socket, const Namespace& space, const LinkNames& links) {
  std::vector<NamedQdisc> qdiscs;
  const Status status = DumpQdiscs(socket, [&](const Qdisc& qdisc) {
    const auto link = links.find(qdisc.ifindex);
    if (link == links.end() || qdisc.kind == "noqueue") return;
    const std::string discipline = QdiscName(qdisc);
    qdiscs.push_back({qdisc, model::NodeSubjectText({space.name, link->second.name, discipline})});
    if (space.number != 0 || !Shapes(qdisc)) return;
    for (OwnLink& own : own_links_) own.shaped |= own.ifindex == qdisc.ifindex;
  });
  AddQdiscs(qdiscs, space.number, space.is_new || space.listed, table_,
            [&](const NamedQdisc& grown, NodeSignal signal) {
              const uint32_t ifindex = grown.qdisc.ifindex;
              if (space.number == 0) rises_.push_back({ifindex, links.at(ifindex).name, signal, grown.subject});
            });
  return status;
}

void NetworkReader::AddUplinks(const LinkNames& links) {
  const bool any_hardware =
      std::any_of(own_links_.begin(), own_links_.end(), [](const OwnLink& own) { return own.hardware; });
  const std::set<std::string> routed = any_hardware ? std::set<std::string>{} : DefaultRouteInterfaces();
  for (const OwnLink& own : own_links_) {
    const Object object{0, own.ifindex, links.at(own.ifindex).name, false};
    table_.Add(object, NodeSignal::interface_uplink, own.hardware || routed.contains(own.name) ? 1 : 0);
  }
}

Object NetworkReader::ObjectOf(const Namespace& space) {
  return {space.number, 0, space.name.empty() ? "host" : std::string_view(space.name), space.is_new};
}

// REQUIRES: the thread is in the namespace.
Status NetworkReader::AddProtocols(const Namespace& space) {
  const Object object = ObjectOf(space);
  table_.Say(object, NodeSignal::netns_inode, space.number == 0 ? own_inode_ : space.number);
  // /proc/sys shows the namespace of the thread that opens, /proc/thread-self/net that of the thread it is of.
  if (const Result<std::string> text = ReadText("/proc/sys/net/ipv4/tcp_timestamps"); text.ok()) {
    if (const auto value = ParseNumber(*text)) table_.Add(object, NodeSignal::tcp_timestamps, *value);
  }
  return ReadProtocolCounters("/proc/thread-self/net",
                              [&](NodeSignal signal, uint64_t value) { table_.Add(object, signal, value); });
}

void NetworkReader::AddDevice(const OwnLink& own) {
  const Object object{0, own.ifindex, own.name, false};
  const Link link{
      .ifindex = own.ifindex, .name = own.name, .up = true, .loopback = false, .has_parent = true, .counters = {}};
  const Status status = ethtool_->Read(own.name, own.ifindex, [&](NodeSignal signal, uint64_t value) {
    AddEvidence(own_, link, object, signal, value);
  });
  if (status.ok()) {
    probes_.On("node_ethtool " + own.name, fmt::format("driver {}", ethtool_->DriverOf(own.ifindex)));
  } else {
    probes_.Judge("node_ethtool " + own.name, status);
  }
}

void NetworkReader::ReadDevices() {
  std::vector<uint32_t> hardware;
  for (const OwnLink& link : own_links_) {
    if (link.hardware) hardware.push_back(link.ifindex);
  }
  if (ethtool_) {
    ethtool_->KeepOnly(hardware);
    for (const OwnLink& link : own_links_) {
      if (link.hardware) AddDevice(link);
    }
    if (hardware.empty()) {
      probes_.Off("node_ethtool", machines_network_ ? "no interface here is a device of the machine" : kOwnNetworkOnly);
    }
  }
  if (!queues_) return;
  size_t answered = 0;
  const Status status = queues_->Read([&](const QueueStats& stats) {
    const auto own = std::find_if(own_links_.begin(), own_links_.end(),
                                  [&](const OwnLink& link) { return link.ifindex == stats.ifindex; });
    if (own == own_links_.end()) return;
    ++answered;
    const std::string queue = fmt::format("{} {}", stats.transmit ? "tx" : "rx", stats.queue);
    const std::string subject = model::NodeSubjectText({"", own->name, queue});
    const uint64_t number = uint64_t{stats.ifindex} << 32 | uint64_t{stats.transmit} << 31 | stats.queue;
    for (const auto& [signal, value] : stats.values) table_.Add({0, number, subject, false}, signal, value);
  });
  if (status.ok() && answered == 0) {
    probes_.Off("node_queue_stats", "no driver here answers for its queues");
  } else {
    probes_.Judge("node_queue_stats", status);
  }
}

std::string NetworkReader::NameOf(const kernel::NetNamespace& found) const {
  if (const auto bound = bound_names_.find(found.inode); bound != bound_names_.end()) return bound->second;
  // /proc/PID/ns/net -> /proc/PID/cgroup
  const Result<std::string> text = ReadText(found.path.parent_path().parent_path() / "cgroup");
  const identity::CgroupName name = text.ok() ? identity::NameFromProcFile(*text) : identity::CgroupName{};
  if (!name.container.empty()) return std::string(model::ShortContainer(name.container));
  // Units are no names of namespaces: two may belong to one.
  return fmt::format("{}#{}", name.unit.empty() ? "net" : name.unit, found.inode);
}

std::string NetworkReader::SpaceName(uint32_t inode) const {
  if (inode == own_inode_) return "";
  const auto known = others_.find(inode);
  return known != others_.end() ? known->second.name : fmt::format("net#{}", inode);
}

void NetworkReader::LookForPod(const kernel::NetNamespace& found, Namespace& space) {
  if (!space.pod_uid.empty() || space.looks_for_pod >= kLooksForPod || found.path.filename() != "net") return;
  ++space.looks_for_pod;
  const Result<std::string> text = ReadText(found.path.parent_path().parent_path() / "cgroup");
  if (text.ok()) space.pod_uid = identity::NameFromProcFile(*text).pod_uid;
}

Status NetworkReader::ReadAddresses(NetlinkSocket& socket, Namespace& space) {
  space.addresses.clear();
  WEIR_RETURN_IF_ERROR(DumpAddresses(socket, [&](const LinkAddress& found) {
    const model::Address& address = found.address;
    if (found.ifindex == space.services_link || address.is_loopback() || address.is_link_local() ||
        address.is_unspecified())
      return;
    if (space.addresses.size() < model::kMaxNamespaceAddresses) space.addresses.push_back(address);
  }));
  std::sort(space.addresses.begin(), space.addresses.end());
  space.addresses.erase(std::unique(space.addresses.begin(), space.addresses.end()), space.addresses.end());
  return Status::Ok();
}

void NetworkReader::Tell() {
  found_.clear();
  found_.push_back({own_inode_, "", own_inode_ == host_inode_, "", own_.addresses});
  for (const auto& [inode, space] : others_) {
    const auto bound = bound_names_.find(inode);
    found_.push_back({inode, bound != bound_names_.end() ? bound->second : "", inode == host_inode_, space.pod_uid,
                      space.addresses});
  }
}

void NetworkReader::UpdateNamespaces(const std::vector<kernel::NetNamespace>& found) {
  bound_names_ = BoundNames();
  for (auto& [inode, space] : others_) space.present = false;
  for (const kernel::NetNamespace& item : found) {
    if (item.inode == own_inode_) continue;
    const auto [at, added] = others_.try_emplace(item.inode);
    at->second.present = true;
    // Kernels without cookies tell another namespace of the same inode by its name, where it has one.
    const auto bound = bound_names_.find(item.inode);
    if (!added && at->second.cookie == 0 && bound != bound_names_.end())
      at->second.present = bound->second == at->second.name;
    LookForPod(item, at->second);
    at->second.path = item.path;
    if (!added) continue;
    at->second.number = item.inode;
    at->second.name = NameOf(item);
    at->second.container = ContainerOf(item);
    at->second.is_new = others_listed_;
  }
  DropGone();
  others_listed_ = found.size() < kMaxNamespaces;
}

bool NetworkReader::IsSame(const NetlinkSocket& socket, Namespace& space) {
  const uint64_t cookie = socket.NamespaceCookie();
  if (space.cookie == 0) space.cookie = cookie;
  return cookie == space.cookie;
}

void NetworkReader::DropGone() {
  std::set<uint32_t> gone;
  for (const auto& [inode, space] : others_) {
    if (!space.present) gone.insert(inode);
  }
  if (gone.empty()) return;
  table_.ForgetNamespaces([&](uint32_t netns) { return gone.contains(netns); });
  std::erase_if(others_, [](const auto& entry) { return !entry.second.present; });
}

// A namespace that is only bound, or whose process has ended meanwhile, is nobody's.
std::vector<kernel::NetNamespace> NetworkReader::ListSpaces() const {
  std::vector<kernel::NetNamespace> found = kernel::ListNetNamespaces(kMaxNamespaces);
  if (group_.empty()) return found;
  std::erase_if(found, [this](const kernel::NetNamespace& space) {
    if (space.inode == own_inode_) return false;
    if (space.path.filename() != "net") return true;
    const Result<std::string> text = ReadText(space.path.parent_path().parent_path() / "cgroup");
    return !text.ok() || !kernel::IsBelow(*text, group_);
  });
  return found;
}

void NetworkReader::ReadOthers() {
  const std::vector<kernel::NetNamespace> found = ListSpaces();
  UpdateNamespaces(found);
  const Nanos begin = clock_.MonotonicNanos();
  Status last;
  std::optional<size_t> first_skipped;
  for (size_t i = 0; i < found.size(); ++i) {
    const size_t place = (next_other_ + i) % found.size();
    const kernel::NetNamespace& item = found[place];
    const auto at = others_.find(item.inode);
    if (at == others_.end()) continue;
    Namespace& space = at->second;
    if (clock_.MonotonicNanos() - begin > kNamespaceBudget) {
      Count(Metric::agent_node_skipped);
      // What it holds may have been there for long when its turn comes.
      space.listed = space.is_new = false;
      if (!first_skipped) first_skipped = place;
      continue;
    }
    Status status = kernel::RunInNetNamespace(item.fd.get(), [&] {
      WEIR_ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::Open(NETLINK_ROUTE));
      // Another in its place is met as a new one by the next pass.
      space.present = IsSame(socket, space);
      if (!space.present) return Status::Ok();
      WEIR_RETURN_IF_ERROR(ReadNamespace(socket, space));
      WEIR_RETURN_IF_ERROR(ReadAddresses(socket, space));
      return AddProtocols(space);
    });
    space.is_new = false;
    if (!status.ok()) space.listed = false;
    if (!status.ok()) last = std::move(status);
  }
  DropGone();
  next_other_ = first_skipped.value_or(0);
  if (const Status own = ReadAddresses(*socket_, own_); !own.ok()) last = own;
  Tell();
  if (last.ok() && !machines_processes_) {
    probes_.Fallback("node_namespaces",
                     "the machine's processes are out of sight: network namespaces are those of the agent's own and "
                     "those with a name in /run/netns",
                     "start the agent in the machine's process namespace (--pid host, hostPID: true)");
  } else if (last.ok() && !others_listed_) {
    probes_.On("node_namespaces", fmt::format("there are more than {}, which is as many as are read", kMaxNamespaces));
  } else {
    probes_.Judge("node_namespaces", last);
  }
}

Status NetworkReader::LookAt(NetlinkSocket& socket, Namespace& space) {
  std::vector<Link> links;
  WEIR_RETURN_IF_ERROR(DumpLinks(socket, [&](Link link) {
    if (!link.loopback) links.push_back(std::move(link));
  }));
  space.links.clear();
  for (const Link& link : links) {
    const std::string subject = model::NodeSubjectText({space.name, link.name, ""});
    const bool hardware = IsHardware(link, space.number == 0);
    AddCounters(space, link, hardware, {space.number, link.ifindex, subject, !hardware && space.listed});
  }
  const Object object = ObjectOf(space);
  return ReadProtocolCounters("/proc/thread-self/net",
                              [&](NodeSignal signal, uint64_t value) { table_.Add(object, signal, value); });
}

void NetworkReader::Look() {
  (void)LookAt(*socket_, own_);  // the next pass says what is wrong
  const Nanos begin = clock_.MonotonicNanos();
  for (auto& entry : others_) {
    const uint32_t inode = entry.first;
    auto& space = entry.second;
    if (clock_.MonotonicNanos() - begin > kNamespaceBudget) return Count(Metric::agent_node_skipped);
    const kernel::UniqueFd fd(::open(space.path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    // Its process may have ended: the next pass knows another one of it, or that it is gone.
    if (!fd.valid() || ::fstat(fd.get(), &info) != 0 || static_cast<uint32_t>(info.st_ino) != inode) continue;
    (void)kernel::RunInNetNamespace(fd.get(), [&] {
      WEIR_ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::Open(NETLINK_ROUTE));
      return IsSame(socket, space) ? LookAt(socket, space) : Status::Ok();
    });
  }
}

std::string NetworkReader::HostNameOf(const ShownLink& link) const {
  if (link.peer == 0) return "";
  for (const ShownLink& own : own_.links) {
    if (own.ifindex == link.peer && own.peer == link.ifindex) return own.name;
  }
  return "";
}

void NetworkReader::Show(const CounterBoard& board, NodeSnapshot& into) const {
  const auto values_of = [](const CounterBoard::Entry& entry) {
    NodeSnapshot::Values values;
    for (const CounterBoard::Value& value : entry.values) values.emplace_back(value.signal, value.value);
    return values;
  };
  const auto show = [&](const Namespace& space) {
    NodeSnapshot::Space& shown = into.spaces.emplace_back();
    shown.netns = space.number;
    shown.name = space.name;
    shown.pod_uid = space.pod_uid;
    shown.container = space.container;
    if (const auto* entry = board.Find(space.number, model::SignalScope::kNetns, 0); entry != nullptr) {
      shown.created = entry->created;
      shown.values = values_of(*entry);
    }
    for (const ShownLink& link : space.links) {
      // The node's ends of pods' interfaces would count their traffic once more.
      if (space.number == 0 && !link.hardware) continue;
      const auto* entry = board.Find(space.number, model::SignalScope::kInterface, link.ifindex);
      if (entry == nullptr) continue;
      shown.interfaces.push_back({link.name, HostNameOf(link), link.hardware, entry->created, values_of(*entry)});
    }
  };
  show(own_);
  for (const auto& [inode, space] : others_) show(space);
  board.ForEachOther([&](uint32_t netns, model::SignalScope scope, const CounterBoard::Entry& entry) {
    const auto space = others_.find(netns);
    std::string_view name = entry.name;
    // Reasons of drops stand alone; the others have their namespace in front.
    if (space != others_.end() && scope != model::SignalScope::kDrop) name.remove_prefix(space->second.name.size() + 1);
    into.objects.push_back({netns, scope, std::string(name), entry.created, values_of(entry)});
  });
}

std::vector<RateTarget> NetworkReader::RateTargets(size_t limit) const {
  std::vector<OwnLink> links = own_links_;
  std::sort(links.begin(), links.end(), [](const OwnLink& a, const OwnLink& b) {
    if (a.hardware != b.hardware) return a.hardware;
    return a.shaped != b.shaped ? a.shaped : a.ifindex < b.ifindex;
  });
  links.resize(std::min(links.size(), limit));
  std::vector<RateTarget> targets;
  for (OwnLink& link : links) targets.push_back({link.ifindex, std::move(link.name)});
  return targets;
}

}  // namespace weir::agent::node
