#include "agent/recording/writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "wire/batch_codec.h"

namespace weir::agent::recording {
namespace {

constexpr int kCompressionLevel = 1;                // the node's CPU belongs to its workload
constexpr size_t kFlushBytes = size_t{256} << 10;   // a block this large is written at the end of an interval
constexpr Nanos kFlushPeriod = 5'000'000'000;       // and one this old: what a killed agent leaves ends there
constexpr uint64_t kRoomForEnd = 4'096;             // of the limit
constexpr size_t kMaxBatchBytes = size_t{1} << 20;  // beyond, a batch is recorded without samples of the node

Status WriteAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Status::FromErrno(errno, "write");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return Status::Ok();
}

template <typename T>
std::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

void AppendFrame(FrameKind kind, Observer observer, std::initializer_list<std::string_view> pieces, std::string& to) {
  FrameHeader header{static_cast<uint8_t>(kind), static_cast<uint8_t>(observer), 0, 0};
  for (const std::string_view piece : pieces) header.bytes += static_cast<uint32_t>(piece.size());
  to.append(BytesOf(header));
  for (const std::string_view piece : pieces) to.append(piece);
}

}  // namespace

Result<std::unique_ptr<Writer>> Writer::Create(const std::filesystem::path& file, uint64_t limit_bytes,
                                               const Header& header) {
  const std::string what = "record to " + file.string();
  if (limit_bytes < kMinLimit) return Status::Invalid(fmt::format("{}: a limit below {} bytes", what, kMinLimit));
  kernel::UniqueFd opened(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!opened.valid() && errno == EEXIST) {
    return Status::Conflict(what + ": the file exists; name another one, recordings are not overwritten");
  }
  if (!opened.valid()) return Status::FromErrno(errno, what);
  const std::string bytes = FileStart(header);
  WEIR_RETURN_IF_ERROR(WriteAll(opened.get(), bytes).Annotate(what));
  std::unique_ptr<Writer> writer(new Writer(std::move(opened), file, limit_bytes));
  writer->written_ = static_cast<off_t>(bytes.size());
  return writer;
}

Writer::Writer(kernel::UniqueFd file, std::filesystem::path path, uint64_t limit_bytes)
    : file_(std::move(file)), path_(std::move(path)), limit_bytes_(limit_bytes) {}

Writer::~Writer() { Finish(); }

void Writer::Start(std::function<void()> on_thread) {
  thread_ = std::thread([this, on_thread = std::move(on_thread)] {
    NameThisThread("weir-record");
    if (on_thread) on_thread();
    Run();
  });
}

// ---- The loop's side ----

void Writer::BeginStep(Step step, Nanos now) {
  ++step_;
  step_now_ = now;
  const StepFrame frame{static_cast<uint32_t>(step), 0, now};
  step_frame_.clear();
  AppendFrame(FrameKind::kStep, Observer::kTcp, {BytesOf(frame)}, step_frame_);
  // A collection is one whether anything was seen or not.
  if (step == Step::kCollect && recording()) MakeRoom(0);
}

void Writer::MakeRoom(size_t bytes) {
  if (block_.size() + step_frame_.size() + bytes > kBlockBytes) CloseBlock();
  if (block_.empty()) block_began_ = step_now_;
  block_ += step_frame_;
  step_frame_.clear();
}

void Writer::Put(FrameKind kind, Observer observer, std::initializer_list<std::string_view> pieces) {
  if (!recording()) return;
  size_t bytes = sizeof(FrameHeader);
  for (const std::string_view piece : pieces) bytes += piece.size();
  MakeRoom(bytes);
  AppendFrame(kind, observer, pieces, block_);
}

void Writer::PutBatch(const model::AgentBatch& batch) {
  if (!recording()) {
    Count(Metric::agent_recording_missing);
    return;
  }
  model::AgentBatch rest;
  rest.agent_id = batch.agent_id;
  rest.node = batch.node;
  rest.sequence = 1;
  rest.start = batch.start;
  rest.end = batch.end;
  rest.mode = batch.mode;
  rest.version = batch.version;
  rest.probes = batch.probes;
  rest.node_samples = batch.node_samples;
  rest.rate_windows = batch.rate_windows;
  Result<std::string> encoded = wire::EncodeBatch(rest);
  if (!encoded.ok() || encoded->size() > kMaxBatchBytes) {
    rest.node_samples.clear();
    rest.rate_windows.clear();
    encoded = wire::EncodeBatch(rest);
  }
  if (!encoded.ok()) {
    End("an interval could not be written: " + encoded.status().message());
    return;
  }
  Put(FrameKind::kBatch, Observer::kTcp, {*encoded});
  if (block_.size() >= kFlushBytes || step_now_ - block_began_ >= kFlushPeriod) CloseBlock();
}

void Writer::CloseBlock() {
  if (block_.empty()) return;
  std::string block;
  block.reserve(kBlockBytes);
  block.swap(block_);
  bool slow = false;
  {
    const std::lock_guard lock(mutex_);
    slow = queued_bytes_ + block.size() > kMaxQueuedBytes;
    if (!slow) {
      queued_bytes_ += block.size();
      queue_.push_back(std::move(block));
      wake_.notify_one();
    }
  }
  if (slow) End("the disk was slower than what was recorded");
}

// Either side's.
void Writer::End(std::string why) {
  const std::lock_guard lock(mutex_);
  if (ended_.exchange(true)) return;
  why_ended_ = std::move(why);
  wake_.notify_one();
}

void Writer::Finish() {
  if (recording()) CloseBlock();
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
    wake_.notify_one();
  }
  thread_.join();
  ended_ = true;
}

model::ProbeReport Writer::Probe() const {
  const std::lock_guard lock(mutex_);
  if (why_ended_.empty()) return {"recording", "on", "", ""};
  return {"recording", "failed", path_.string() + " is cut: " + why_ended_,
          "what it has can be replayed; raise --record-limit or record to a faster disk"};
}

// ---- The thread's side ----

void Writer::Run() {
  for (;;) {
    std::string block;
    std::string why;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !queue_.empty() || finishing_ || !why_ended_.empty(); });
      if (queue_.empty()) {
        why = why_ended_;
      } else {
        block = std::move(queue_.front());
        queue_.pop_front();
      }
    }
    if (block.empty()) {
      WriteEnd(why.empty() ? EndReason::kComplete : EndReason::kCut, why);
      return;
    }
    const size_t bytes = block.size();
    WriteBlock(block);
    const std::lock_guard lock(mutex_);
    queued_bytes_ -= bytes;
  }
}

void Writer::WriteBlock(std::string_view frames) {
  Status status = Append(frames, limit_bytes_ - kRoomForEnd);
  SetGauge(Metric::agent_recording_bytes, static_cast<uint64_t>(written_));
  if (status.ok()) return;
  LogWarn("the recording {} ends here: {}", path_.string(), status.message());
  {
    const std::lock_guard lock(mutex_);
    queue_.clear();  // behind a hole nothing is worth anything
    queued_bytes_ = frames.size();
  }
  End(status.message());
}

void Writer::WriteEnd(EndReason reason, std::string_view why) {
  const EndFrame end{static_cast<uint32_t>(reason), 0};
  std::string frame;
  AppendFrame(FrameKind::kEnd, Observer::kTcp, {BytesOf(end), why.substr(0, 1'024)}, frame);
  Status status = Append(frame, limit_bytes_ + kRoomForEnd);
  if (status.ok() && ::fdatasync(file_.get()) != 0) status = Status::FromErrno(errno, "sync");
  if (!status.ok()) LogWarn("the recording {} has no end: {}", path_.string(), status.message());
}

Status Writer::Append(std::string_view frames, uint64_t limit_bytes) {
  std::string bytes(sizeof(BlockHeader) + ZSTD_compressBound(frames.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  if (context == nullptr) return Status::Exhausted("compress: no memory");
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, kCompressionLevel);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  const size_t stored = ZSTD_compress2(context, bytes.data() + sizeof(BlockHeader), bytes.size() - sizeof(BlockHeader),
                                       frames.data(), frames.size());
  ZSTD_freeCCtx(context);
  if (ZSTD_isError(stored) != 0) return Status::Internal(fmt::format("compress: {}", ZSTD_getErrorName(stored)));
  bytes.resize(sizeof(BlockHeader) + stored);
  const BlockHeader header{static_cast<uint32_t>(stored), static_cast<uint32_t>(frames.size())};
  std::memcpy(bytes.data(), &header, sizeof(header));
  if (static_cast<uint64_t>(written_) + bytes.size() > limit_bytes) {
    return Status::Exhausted(fmt::format("it reached its limit of {} bytes", limit_bytes_));
  }
  Status status = WriteAll(file_.get(), bytes);
  if (status.ok()) {
    written_ += static_cast<off_t>(bytes.size());
  } else if (::ftruncate(file_.get(), written_) == 0) {  // a reader finds whole blocks only
    ::lseek(file_.get(), written_, SEEK_SET);
  }
  return status;
}

}  // namespace weir::agent::recording
