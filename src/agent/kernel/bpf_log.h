// What libbpf has to say, kept instead of printed: the cause of a failed load belongs into the probe's
// report.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace weir::agent::kernel {

// While alive, collects libbpf's warnings of the calling thread (at most 64 KiB). One per thread at a time.
// Without one, warnings go to the debug log.
class BpfLogCapture {
 public:
  BpfLogCapture();
  ~BpfLogCapture();
  BpfLogCapture(const BpfLogCapture&) = delete;
  BpfLogCapture& operator=(const BpfLogCapture&) = delete;

  // One line for people: libbpf's first warning and the verifier's last words.
  std::string Summary() const;

  // By libbpf's callback.
  void Append(std::string_view text);

 private:
  std::string text_;
};

// Of an errno value, with what libbpf said meanwhile and what to do: "load the object of drops: Operation not permitted
// (...); run as root". Codes and hints are those of program_choice.h.
Status FromLibbpf(int error_number, std::string_view what, const BpfLogCapture& log);

// Of a log as libbpf prints it.
std::string SummarizeBpfLog(std::string_view log);

}  // namespace weir::agent::kernel
