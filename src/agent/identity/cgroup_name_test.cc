#include "agent/identity/cgroup_name.h"

#include <gtest/gtest.h>

namespace weir::agent::identity {
namespace {

const std::string kId(64, 'a');
const std::string kInner(64, 'b');
const std::string kTask(32, 'c');

struct PathCase {
  std::string description;
  std::string path;
  CgroupName expected;
};

TEST(CgroupName, EveryRuntimeAndDriver) {
  const std::vector<PathCase> cases = {
      {"docker, systemd", "/system.slice/docker-" + kId + ".scope", {kId, ""}},
      {"docker, cgroupfs", "/docker/" + kId, {kId, ""}},
      {"containerd, systemd",
       "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1a_2b.slice/cri-containerd-" + kId + ".scope",
       {kId, ""}},
      {"containerd, cgroupfs", "/kubepods/burstable/pod1a2b/" + kId, {kId, ""}},
      {"containerd, systemd with a cgroupfs path",
       "/system.slice/containerd.service/kubepods-besteffort-pod1.slice:cri-containerd:" + kId,
       {kId, ""}},
      {"CRI-O, systemd", "/kubepods.slice/kubepods-pod1.slice/crio-" + kId + ".scope", {kId, ""}},
      {"CRI-O's conmon is the host's",
       "/kubepods.slice/crio-conmon-" + kId + ".scope",
       {"", "crio-conmon-" + kId + ".scope"}},
      {"podman, systemd", "/machine.slice/libpod-" + kId + ".scope/container", {kId, ""}},
      {"podman, cgroupfs", "/libpod_parent/libpod-" + kId, {kId, ""}},
      {"podman, rootless",
       "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kId + ".scope",
       {kId, ""}},
      {"nerdctl", "/system.slice/nerdctl-" + kId + ".scope", {kId, ""}},
      {"docker in docker", "/docker/" + kId + "/docker/" + kInner, {kInner, ""}},
      {"a unit inside a container belongs to it", "/docker/" + kId + "/system.slice/nginx.service", {kId, ""}},
      {"LXC", "/lxc.payload.web1/system.slice/nginx.service", {"web1", ""}},
      {"LXC 3", "/lxc.payload/web1/system.slice/nginx.service", {"web1", ""}},
      {"LXC before, Proxmox", "/lxc/101/ns/system.slice/nginx.service", {"101", ""}},
      {"LXC of a user", "/user.slice/user-1000.slice/session-3.scope/lxc.payload.web1/init.scope", {"web1", ""}},
      {"a name with dots", "/lxc.payload.shop.example.org", {"shop.example.org", ""}},
      {"Incus, of a project", "/lxc.payload.blue_web1/system.slice/nginx.service", {"blue_web1", ""}},
      {"LXC's monitor is the host's", "/lxc.monitor.web1", {"", "lxc.monitor.web1"}},
      {"a container of LXC without a name", "/lxc.payload.", {"", "lxc.payload."}},
      {"docker in LXC", "/lxc.payload.web1/system.slice/docker-" + kId + ".scope", {kId, ""}},
      {"LXC in LXC", "/lxc.payload.outer/lxc.payload.inner/system.slice/a.service", {"inner", ""}},
      {"nspawn", "/machine.slice/systemd-nspawn@web4.service/payload/system.slice/nginx.service", {"web4", ""}},
      {"nspawn, a name that is escaped", "/machine.slice/systemd-nspawn@my\\x2dweb.service/payload", {"my-web", ""}},
      {"nspawn itself is the host's",
       "/machine.slice/systemd-nspawn@web4.service/supervisor",
       {"", "systemd-nspawn@web4.service"}},
      {"nspawn itself, in a container",
       "/docker/" + kId + "/machine.slice/systemd-nspawn@web4.service/supervisor",
       {kId, ""}},
      {"a supervisor of its own", "/machine.slice/systemd-nspawn@web4.service/payload/supervisor", {"web4", ""}},
      {"machined", "/machine.slice/machine-web5.scope/system.slice/nginx.service", {"web5", ""}},
      {"machined, escaped", "/machine.slice/machine-my\\x2dweb.scope/payload/init.scope", {"my-web", ""}},
      {"machined, another slice", "/system.slice/machine-web5.scope", {"", "machine-web5.scope"}},
      {"libvirt's LXC", "/machine.slice/machine-lxc\\x2d1234\\x2dweb6.scope", {"web6", ""}},
      {"libvirt's virtual machine",
       "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator",
       {"", "machine-qemu\\x2d1\\x2dvm.scope"}},
      {"ECS, systemd", "/ecstasks.slice/ecstasks-" + kTask + ".slice/docker-" + kId + ".scope", {kId, ""}},
      {"ECS, cgroupfs", "/ecs/cluster/" + kTask + "/" + kId, {kId, ""}},
      {"ECS on Fargate", "/ecs/" + kTask + "/" + kTask + "-2395772889", {kTask + "-2395772889", ""}},
      {"an escape that is none", "/machine.slice/machine-a\\xg0\\x2.scope", {"a\\xg0\\x2", ""}},
      {"unit", "/system.slice/nginx.service", {"", "nginx.service"}},
      {"unit with a delegated folder", "/system.slice/nginx.service/workers", {"", "nginx.service"}},
      {"login session", "/user.slice/user-1000.slice/session-3.scope", {"", "session-3.scope"}},
      {"innermost unit",
       "/user.slice/user-1000.slice/user@1000.service/app.slice/shell.service",
       {"", "shell.service"}},
      {"no systemd", "/batch/job7", {"", "job7"}},
      {"63 digits are no container id", "/docker/" + kId.substr(1), {"", kId.substr(1)}},
      {"upper case is no container id", "/docker/" + std::string(64, 'A'), {"", std::string(64, 'A')}},
      {"root", "/", {"", ""}},
      {"nothing", "", {"", ""}},
      {"unprintable", "/a\x1b[31mb\xff", {"", "a?[31mb?"}},
  };
  for (const PathCase& test : cases) {
    SCOPED_TRACE(test.description);
    const CgroupName name = NameFromPath(test.path);
    EXPECT_EQ(name.container, test.expected.container);
    EXPECT_EQ(name.unit, test.expected.unit);
  }
}

TEST(CgroupName, AReaderInAControlGroupNamespaceSeesWhereItIsNot) {
  EXPECT_EQ(NameFromPath("/../../docker/" + kId), (CgroupName{kId, ""}));
  EXPECT_EQ(NameFromPath("/../nginx.service"), (CgroupName{"", "nginx.service"}));
  EXPECT_EQ(NameFromPath("/../.."), CgroupName{}) << "no folder is called so";
}

TEST(CgroupName, TheUidOfThePodStandsInThePath) {
  const std::string uid = "0a1b2c3d-4e5f-6789-abcd-ef0123456789";
  const std::string slice = "0a1b2c3d_4e5f_6789_abcd_ef0123456789";
  const std::string is_static = "0123456789abcdef0123456789abcdef";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + slice + ".slice/cri-containerd-" + kId +
           ".scope",
       uid},
      {"/kubepods.slice/kubepods-pod" + slice + ".slice/crio-" + kId + ".scope", uid},
      {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + slice + ".slice", uid},
      {"/kubepods/burstable/pod" + uid + "/" + kId, uid},
      {"/kubepods/pod" + uid + "/" + kId, uid},
      {"/system.slice/containerd.service/kubepods-besteffort-pod" + slice + ".slice:cri-containerd:" + kId, uid},
      {"/docker/" + kId + "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + slice +
           ".slice/cri-containerd-" + kInner + ".scope",
       uid},
      {"/docker/" + kId + "/kubelet/kubepods/besteffort/pod" + uid + "/" + kInner, uid},
      {"/kubepods/burstable/pod" + uid + "/docker/" + kInner, uid},
      {"/kubepods/burstable/pod" + is_static + "/" + kId, is_static},
      {"/kubepods/burstable/pod" + uid + "0/" + kId, ""},
      {"/kubepods/burstable/pod" + uid.substr(1) + "/" + kId, ""},
      {"/kubepods/burstable/pod0A1B2C3D-4e5f-6789-abcd-ef0123456789/" + kId, ""},
      {"/batch/mypod" + uid, ""},
      {"/machine.slice/libpod_pod_" + kId + ".slice", ""},
      {"/pod", ""},
  };
  for (const auto& [path, expected] : cases) EXPECT_EQ(NameFromPath(path).pod_uid, expected) << path;
}

TEST(CgroupName, AnyHierarchyTellsThePod) {
  const std::string uid = "0a1b2c3d-4e5f-6789-abcd-ef0123456789";
  const CgroupName name =
      NameFromProcFile("4:memory:/kubepods/pod" + uid + "\n1:name=systemd:/system.slice/a.service\n");
  EXPECT_EQ(name, (CgroupName{"", "a.service", uid}));
}

TEST(CgroupName, ProcFileOfAVersionOneNode) {
  EXPECT_EQ(NameFromProcFile("12:memory:/docker/" + kId + "\n1:name=systemd:/docker/" + kId + "\n0::/\n"),
            (CgroupName{kId, ""}));
  EXPECT_EQ(NameFromProcFile("4:memory:/user.slice\n1:name=systemd:/system.slice/cron.service\n0::/\n"),
            (CgroupName{"", "cron.service"}));
  EXPECT_EQ(NameFromProcFile("4:memory:/lxc/web1\n1:name=systemd:/lxc/web1/system.slice/cron.service\n0::/\n"),
            (CgroupName{"web1", ""}));
  EXPECT_EQ(NameFromProcFile("0::/\n"), CgroupName{});
  EXPECT_EQ(NameFromProcFile("garbage\n:\n"), CgroupName{});
  EXPECT_EQ(NameFromProcFile("5:cpu:/a:b/c.service"), (CgroupName{"", "c.service"}));  // no newline, colon in path
}

TEST(PrintableName, KeepsUtf8ReplacesTheRestAndNeverCutsACharacter) {
  EXPECT_EQ(PrintableName("größe", 16), "größe");
  EXPECT_EQ(PrintableName("größe", 3), "gr");
  EXPECT_EQ(PrintableName("a\nb\x7f", 16), "a?b?");
  EXPECT_EQ(PrintableName("\xed\xa0\x80", 16), "???");  // a surrogate
  EXPECT_EQ(PrintableName("\xc0\xaf", 16), "??");       // overlong
  EXPECT_EQ(PrintableName("\xc2\x9b", 16), "??");       // C1: starts a terminal sequence
  EXPECT_EQ(PrintableName("\xe2\x82", 16), "??");       // cut short
}

}  // namespace
}  // namespace weir::agent::identity
