// An API server for tests that answers what a test wrote down, also what a real one would never say.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace weir::kube {

struct ScriptedAnswer {
  std::string bytes;  // of the whole answer, head included
  bool hang = false;  // then keeps the connection open and silent
};

inline ScriptedAnswer Answer(int status, std::string_view body, std::string_view more_headers = "") {
  return {"HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\nContent-Length: " +
          std::to_string(body.size()) + "\r\n" + std::string(more_headers) + "\r\n" + std::string(body)};
}
// A watch that sends these lines and then ends, or stays open.
inline ScriptedAnswer WatchAnswer(std::string_view lines, bool hang) {
  return {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + std::string(lines), hang};
}
inline ScriptedAnswer ListAnswer(std::string_view items, std::string_view version, std::string_view next = "") {
  return Answer(200, R"({"kind":"List","metadata":{"resourceVersion":")" + std::string(version) + R"(","continue":")" +
                         std::string(next) + R"("},"items":[)" + std::string(items) + "]}");
}
inline std::string ApiStatus(int code, std::string_view reason, std::string_view message) {
  return R"({"kind":"Status","status":"Failure","message":")" + std::string(message) + R"(","reason":")" +
         std::string(reason) + R"(","code":)" + std::to_string(code) + "}";
}

class ScriptedApi {
 public:
  ScriptedApi() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listener_, 64), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    acceptor_ = std::thread([this] { Accept(); });
  }

  ~ScriptedApi() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int peer : peers_) shutdown(peer, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
    close(listener_);
  }

  const std::string& url() const { return url_; }

  // The next answer to a request whose path ends in `resource`. What is not scripted is an empty list, and a watch that
  // stays silent.
  void Script(const std::string& resource, ScriptedAnswer answer) {
    const std::lock_guard lock(mutex_);
    answers_[resource].push_back(std::move(answer));
  }

  // Requests for a resource so far, "/path?query".
  std::vector<std::string> Requests(const std::string& resource) const {
    const std::lock_guard lock(mutex_);
    const auto found = requests_.find(resource);
    return found == requests_.end() ? std::vector<std::string>{} : found->second;
  }
  std::string Head(const std::string& resource, size_t i) const {
    const std::lock_guard lock(mutex_);
    return heads_.at(resource).at(i);
  }
  // Waits until a resource was asked for so many times.
  bool WaitRequests(const std::string& resource, size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return requests_[resource].size() >= count; });
  }

 private:
  void Accept() {
    for (int peer = 0; (peer = accept(listener_, nullptr, nullptr)) >= 0;) {
      const std::lock_guard lock(mutex_);
      peers_.push_back(peer);
      threads_.emplace_back([this, peer] { Serve(peer); });
    }
  }

  void Serve(int peer) {
    std::string head;
    char buffer[16'384];
    bool open = true;
    while (open) {
      const ssize_t got = recv(peer, buffer, sizeof(buffer), 0);
      if (got <= 0) break;
      head.append(buffer, static_cast<size_t>(got));
      const size_t end = head.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      open = Reply(peer, head.substr(0, end));
      head.erase(0, end + 4);
    }
    const std::lock_guard lock(mutex_);
    std::erase(peers_, peer);
    close(peer);
  }

  // False when the connection is over.
  bool Reply(int peer, const std::string& head) {
    const std::string target = head.substr(4, head.find(' ', 4) - 4);
    const std::string path = target.substr(0, target.find('?'));
    const std::string resource = path.substr(path.rfind('/') + 1);
    const bool watch = target.find("watch=1") != std::string::npos;
    ScriptedAnswer answer = watch ? WatchAnswer("", true) : ListAnswer("", "1");
    if (path.starts_with("/apis/") && std::count(path.begin(), path.end(), '/') == 2)
      answer = Answer(200, R"({"kind":"APIGroup","versions":[{"version":"v1"}]})");
    {
      const std::lock_guard lock(mutex_);
      requests_[resource].push_back(target);
      heads_[resource].push_back(head);
      std::deque<ScriptedAnswer>& scripted = answers_[resource];
      if (!scripted.empty()) {
        answer = std::move(scripted.front());
        scripted.pop_front();
      }
      changed_.notify_all();
    }
    size_t sent = 0;
    while (sent < answer.bytes.size()) {
      const ssize_t written = send(peer, answer.bytes.data() + sent, answer.bytes.size() - sent, MSG_NOSIGNAL);
      if (written <= 0) return false;
      sent += static_cast<size_t>(written);
    }
    char buffer[1'024];
    while (answer.hang && recv(peer, buffer, sizeof(buffer), 0) > 0) {
    }
    return !answer.hang && answer.bytes.find("Connection: close") == std::string::npos;
  }

  int listener_ = -1;
  std::string url_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::deque<ScriptedAnswer>> answers_;
  std::map<std::string, std::vector<std::string>> requests_;
  std::map<std::string, std::vector<std::string>> heads_;
  std::vector<int> peers_;
  std::thread acceptor_;
  std::list<std::thread> threads_;
};

}  // namespace weir::kube
