// The agent's data directory: who the agent is, across restarts, and the lock that keeps a second agent out.
//
//   <data_dir>/lock       held with flock(2) while the agent runs
//   <data_dir>/agent_id   32 lower-case hex digits, mode 0600, made once; below them the machine they were made on
//   <data_dir>/spool/     see spool.h
//   <data_dir>/pod_names  see local_names.h
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "agent/export/durable_file.h"
#include "base/status.h"

namespace weir::agent {

// A few hex digits of what tells this machine from its copies, across boots: what its firmware and its operating system
// call it. "" when neither can be read.
std::string MachineMark();

class DataDirectory {
 public:
  // Creates what is missing, mode 0700. kConflict: another agent runs on it. kDenied / kExhausted / kInvalid:
  // it cannot be used, with the remedy.
  // `machine`: as MachineMark() has it. Of a directory that was copied from another machine the agent gets a new id.
  static Result<DataDirectory> Open(const std::filesystem::path& path, const std::string& machine = MachineMark());

  const std::string& agent_id() const { return agent_id_; }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path spool() const { return path_ / "spool"; }

 private:
  DataDirectory(std::filesystem::path path, FileDescriptor lock, std::string agent_id)
      : path_(std::move(path)), lock_(std::move(lock)), agent_id_(std::move(agent_id)) {}

  std::filesystem::path path_;
  FileDescriptor lock_;  // the kernel lets go of the lock when the process ends, however it ends
  std::string agent_id_;
};

}  // namespace weir::agent
