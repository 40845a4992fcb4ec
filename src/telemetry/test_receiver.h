// A receiver for tests: answers by a script, and keeps what it was sent. Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "net/http_client.h"

namespace weir::telemetry {

class TestReceiver {
 public:
  // Answers in their order; when none is left, 200.
  void Say(Result<net::ClientResponse> answer) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
  }
  void Say(int status, std::string body = "") { Say(net::ClientResponse{status, {}, std::move(body)}); }
  // While it hangs, requests are not answered until they are aborted.
  void Hang(bool on) {
    const std::lock_guard lock(mutex_);
    hangs_ = on;
    changed_.notify_all();
  }
  // Waits until so many requests came, and returns all.
  std::vector<net::ClientRequest> Await(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return requests_.size() >= count; });
    return requests_;
  }

  std::unique_ptr<net::HttpClient> Client() { return std::make_unique<Line>(*this); }

 private:
  class Line final : public net::HttpClient {
   public:
    explicit Line(TestReceiver& receiver) : receiver_(receiver) {}
    Result<net::ClientResponse> Send(const net::ClientRequest& request) override { return receiver_.Take(request); }
    Status Stream(const net::ClientRequest&, const std::function<bool(std::string_view)>&) override {
      return Status::Unsupported("no streams here");
    }

   private:
    TestReceiver& receiver_;
  };

  Result<net::ClientResponse> Take(const net::ClientRequest& request) {
    std::unique_lock lock(mutex_);
    requests_.push_back(request);
    changed_.notify_all();
    while (hangs_) {
      if (request.abort != nullptr && *request.abort) return Status::Unavailable("aborted");
      changed_.wait_for(lock, std::chrono::milliseconds(5));
    }
    if (answers_.empty()) return net::ClientResponse{200, {}, ""};
    Result<net::ClientResponse> answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Result<net::ClientResponse>> answers_;
  std::vector<net::ClientRequest> requests_;
  bool hangs_ = false;
};

}  // namespace weir::telemetry
