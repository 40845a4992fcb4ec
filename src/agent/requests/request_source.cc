#include "agent/requests/request_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent/requests/hello_assembly.h"
#include "agent/requests/request_table.h"
#include "agent/requests/server_names.h"
#include "agent/requests/serving_programs.h"
#include "agent/requests/turn_machine.h"
#include "base/log.h"
#include "base/metrics.h"

namespace weir::agent::requests {
namespace {

constexpr Nanos kForgetPortsPeriod = 10'000'000'000;
constexpr uint32_t kForgetAllPortsEvery = 60;
constexpr Nanos kPatience = 300'000'000'000;  // after the last sign that somebody serves

class KernelRequestSource final : public RequestSource, private StepSink {
 public:
  KernelRequestSource(OpenProbe open, source::Surroundings surroundings, When when)
      : open_(std::move(open)),
        when_(when),
        identities_(std::move(surroundings.identities)),
        table_(*identities_),
        turns_([this](const weir_step_head& ends, const Turn& turn) { table_.Add(ends, turn); },
               [this](uint64_t socket, uint64_t secured_ns) { probe_->Unfollow(socket, secured_ns); }),
        names_([this] { Poll(); }) {}

  void Start() override;
  void Poll() override {
    if (probe_ != nullptr) probe_->Drain(*this);
  }
  bool NeedsPolls() const override { return probe_ != nullptr; }
  void Collect(Nanos now, Collection& out) override;
  void Saw(const std::vector<model::SideReport>& reports) override;
  std::vector<model::ProbeReport> Probes() const override { return {report_}; }
  GivenUpMask Dispensable() const override { return dispensable_ ? MaskOf(GivenUp::kRequests) : 0; }
  void Restrain(const Restraint& restraint) override;
  kernel::ProgramTime KernelTime() const override {
    return probe_ == nullptr ? kernel::ProgramTime{} : probe_->Programs();
  }
  flow::ConnectionNames& names() override { return names_; }

 private:
  void OnHead(const weir_step_head& head) override { turns_.OnHead(head); }
  void OnStep(const weir_step& step) override { turns_.OnStep(step); }
  void OnBlock(const weir_step_block& block) override { turns_.OnBlock(block); }
  void OnHello(const weir_step_hello& hello) override;
  void Open();
  void Close();
  void Wait();
  void CountLosses();
  model::ProbeReport Working() const;

  const OpenProbe open_;
  const When when_;
  const std::unique_ptr<identity::Identities> identities_;
  RequestTable table_;
  TurnMachine turns_;
  ServerNames names_;
  HelloAssembly hellos_;  // of clients
  std::unique_ptr<RequestProbe> probe_;
  RequestLosses losses_;
  model::ProbeReport report_{"requests", "off", "not started", ""};
  Nanos forget_ports_ = 0;
  uint32_t ports_forgotten_ = 0;  // times
  bool dispensable_ = false;      // it runs, or was given up
  bool given_up_ = false;
  bool refused_ = false;     // it could not start: another attempt would end alike
  Nanos now_ = 0;            // of the last Collect()
  Nanos serving_until_ = 0;  // When::kServing: what is seen to serve is believed to until then; 0 = nothing is
};

void KernelRequestSource::Start() {
  if (when_ == When::kServing) {
    Wait();
    return;
  }
  Open();
}

void KernelRequestSource::Wait() {
  report_ = {"requests", "off", "no program is seen to serve here that is known to serve inference",
             "nothing need be done; --requests on measures the requests of any program"};
}

void KernelRequestSource::Open() {
  auto opened = open_({});
  if (opened.ok()) {
    probe_ = *std::move(opened);
    dispensable_ = true;
    losses_ = {};
    report_ = Working();
    return;
  }
  refused_ = true;
  LogWarn("requests are not measured: {}", opened.status().message());
  report_ = {"requests", "failed", std::string(opened.status().problem()),
             std::string(opened.status().remedy()) + "; everything else is observed all the same"};
}

void KernelRequestSource::Restrain(const Restraint& restraint) {
  given_up_ = restraint.Has(GivenUp::kRequests);
  if (!dispensable_ || given_up_ == (probe_ == nullptr)) return;
  if (!given_up_) {
    // Anew: what the kernel side knew of connections is out of date.
    if (when_ == When::kAlways || serving_until_ != 0) Open();
    return;
  }
  Close();
  report_ = {"requests", "off", restraint.Why(GivenUp::kRequests),
             "requests and TLS server names are missing meanwhile; docs/budget.md"};
}

void KernelRequestSource::Close() {
  Poll();
  CountLosses();
  probe_.reset();
  turns_.Abandon();
  names_.ForgetSockets();
  hellos_.Clear();
}

void KernelRequestSource::Saw(const std::vector<model::SideReport>& reports) {
  if (when_ != When::kServing) return;
  const bool serving = std::any_of(reports.begin(), reports.end(), [](const model::SideReport& report) {
    return report.ends.side == model::Side::kServer && IsServingInference(report.identity);
  });
  if (serving) {
    serving_until_ = now_ + kPatience;
    if (probe_ == nullptr && !given_up_ && !refused_) Open();
  } else if (serving_until_ != 0 && now_ >= serving_until_) {
    serving_until_ = 0;
    if (probe_ != nullptr) Close();
    if (!given_up_ && !refused_) Wait();
  }
}

void KernelRequestSource::OnHello(const weir_step_hello& hello) {
  if ((hello.step.flags & WEIR_STEP_AT_SERVER) != 0) {
    turns_.OnHello(hello);
    return;
  }
  // The name may be there before the rest, which then says the same and more.
  const auto known = hellos_.Put(hello);
  if (known && (known->said.is_whole || !known->said.server_name.empty())) {
    names_.Put(known->socket, known->time_ns, known->said);
  }
}

void KernelRequestSource::Collect(Nanos now, Collection& out) {
  now_ = now;
  if (probe_ != nullptr) {
    Poll();
    turns_.Sweep(now);
    hellos_.Expire(static_cast<uint64_t>(now));
  }
  table_.Emit(out.reports);
  identities_->Expire();
  if (probe_ == nullptr) return;
  CountLosses();
  if (now < forget_ports_) return;
  forget_ports_ = now + kForgetPortsPeriod;
  probe_->ForgetPorts(++ports_forgotten_ % kForgetAllPortsEvery == 0);
}

model::ProbeReport KernelRequestSource::Working() const {
  model::ProbeReport report{"requests", "on", "", ""};
  const RequestHooks hooks = probe_->Hooks();
  if (!hooks.write_tracepoint) {
    report.state = "fallback";
    report.reason =
        "writes are seen where the kernel function tcp_sendmsg_locked() begins (fentry): not those that "
        "wait for their own handshake or are sent by TCP Fast Open";
    report.hint = "nothing need be done; Linux 6.16 has a tracepoint there";
  }
  if (!hooks.segment_dynptr) {
    report.state = "fallback";
    if (!report.reason.empty()) report.reason += "; ";
    report.reason +=
        "segments are read by probe reads, which cost more: what hangs behind one in a list of packets is not";
    report.hint = "nothing need be done; Linux 6.16 has better hooks";
  }
  if (!hooks.segment_fragments) {
    report.reason += "; nor what is not in a segment's linear part, so that most requests are not seen";
    report.hint =
        "give the agent CAP_SYSLOG, or root: it needs the addresses of vmemmap_base and page_offset_base from "
        "/proc/kallsyms (CONFIG_KALLSYMS_ALL, x86-64)";
  }
  const Status waits = probe_->AcceptWaits();
  if (waits.ok()) return report;
  if (!report.reason.empty()) report.reason += "; ";
  report.reason += "waits for accept() are not measured: " + waits.message();
  report.hint = "mount control groups version 2; other programs at their root must allow further ones";
  return report;
}

void KernelRequestSource::CountLosses() {
  const RequestLosses now = probe_->Losses();
  const uint64_t skipped = now.skipped - losses_.skipped;
  Count(Metric::agent_requests_skipped, skipped);
  Count(Metric::agent_request_steps_lost, now.ring_full - losses_.ring_full + now.unreadable - losses_.unreadable);
  losses_ = now;
  report_ = skipped == 0
                ? Working()
                : model::ProbeReport{"requests", "fallback",
                                     fmt::format("{} requests of the last interval were not measured: over the "
                                                 "budget of events",
                                                 skipped),
                                     "times hold for the others; counts of requests are too low"};
}

}  // namespace

std::unique_ptr<RequestSource> MakeRequestSource(OpenProbe open, source::Surroundings surroundings, When when) {
  return std::make_unique<KernelRequestSource>(std::move(open), std::move(surroundings), when);
}

std::unique_ptr<RequestSource> MakeRequestSource(const Clock& clock) {
  return MakeRequestSource(RequestProbe::Open, source::SystemSurroundings(clock));
}

}  // namespace weir::agent::requests
