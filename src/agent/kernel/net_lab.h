// Test support: network namespaces of the test's own and real sockets in them. Namespaces have no names; they
// vanish with the test.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kernel/record_sink.h"
#include "agent/kernel/unique_fd.h"

namespace weir::agent::kernel {

// Why kernel tests cannot run here, "" when they can: they need root, bpf(2) and BTF.
std::string WhyNoKernelTests();

// A fresh network namespace with loopback up. The thread that makes one is in it from then on; Enter() to
// switch.
class Lab {
 public:
  Lab();
  ~Lab();
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  void Enter() const;
  uint32_t inode() const { return inode_; }
  pid_t holder() const { return holder_; }  // a process inside
  // Connects this namespace with `other` by a veth pair, 10.9.0.1 here and 10.9.0.2 there, fd09::1 and
  // fd09::2.
  void LinkTo(const Lab& other) const;
  // Runs a shell command inside; fails the test when it fails.
  void Run(const std::string& command) const;
  // An nft ruleset of this namespace only: `rules` go into an input chain.
  void Filter(const std::string& rules) const;
  void Unfilter() const;

 private:
  UniqueFd home_;
  UniqueFd fd_;
  uint32_t inode_ = 0;
  pid_t holder_ = 0;
};

// Calls the process's first thread, which must be the calling one, something else while it lives.
class ThreadName {
 public:
  explicit ThreadName(const char* name);
  ~ThreadName();
  ThreadName(const ThreadName&) = delete;
  ThreadName& operator=(const ThreadName&) = delete;
  // Of the file this process was started from, as far as the kernel keeps names of processes.
  static std::string Program();

 private:
  char before_[16] = {};
};

// What a shell command prints, in the calling thread's namespace; fails the test when it fails.
std::string Output(const std::string& command);

// A TCP socket; fails the test instead of returning errors, except where an error is the point.
class Socket {
 public:
  Socket() = default;
  static Socket Listen(const std::string& address, int backlog = 1'024);
  static Socket Make(const std::string& address_of_family, int protocol = 0);

  // errno of connect(), 0 on success.
  int TryConnect(const std::string& address, uint16_t port);
  int FinishConnect(std::chrono::milliseconds limit);  // of a non-blocking one
  static Socket Connect(const std::string& address, uint16_t port);
  Socket Accept();  // and asks for the other end's address, as most servers do

  void Bind(const std::string& address, uint16_t port);
  void Send(size_t bytes);
  void Receive(size_t bytes);  // exactly
  void ReceiveEnd();           // until the peer's FIN
  int Error();                 // waits until there is one, and takes it
  void Set(int level, int option, int value);
  void NonBlocking();
  void ShutdownWrite();
  void Abort();  // SO_LINGER 0: a reset
  void Close() { fd_ = UniqueFd(); }

  uint16_t port() const;  // local
  int fd() const { return fd_.get(); }

 private:
  explicit Socket(int fd) : fd_(fd) {}
  UniqueFd fd_;
};

// Two ends of a connection over loopback of the current namespace, and the listener they came from.
struct Pair {
  Socket listener;
  Socket client;
  Socket server;
};
Pair MakePair(const std::string& listen_address, const std::string& connect_address);
// Closes the client first, waits until the server has seen it, closes the server.
void CloseInOrder(Pair& pair);

// Keeps the records of some namespaces.
class RecordLog final : public RecordSink {
 public:
  explicit RecordLog(std::vector<uint32_t> namespaces) : namespaces_(std::move(namespaces)) {}
  void OnRecord(const weir_record& record) override;

  std::vector<weir_record> Of(weir_record_kind kind) const;
  // The only one of its kind that `wanted` likes; fails the test when there is none or more.
  weir_record Only(weir_record_kind kind, const std::function<bool(const weir_record&)>& wanted) const;
  void Clear() { records_.clear(); }

 private:
  std::vector<uint32_t> namespaces_;
  std::vector<weir_record> records_;
};

// Calls `step` until `done`; the kernel finishes closing connections on its own time. False after ten
// seconds.
bool Eventually(const std::function<void()>& step, const std::function<bool()>& done);

}  // namespace weir::agent::kernel
