// SPDX-License-Identifier: GPL-2.0
// Each tracepoint reports its event to tracefs and to perf.

#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fixture.h"
#include "stress.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size, always = 1000000;
const std::string tracing = "/sys/kernel/tracing/";

std::string read_all(const std::string &path)
{
	std::ifstream file(path);
	return {std::istreambuf_iterator<char>(file), {}};
}

/// A tracepoint of sgx2, which is enabled, and counted by perf on each CPU, until the destructor runs.
class Traced {
public:
	explicit Traced(const std::string &name) : folder_(tracing + "events/sgx2/" + name + "/")
	{
		perf_event_attr what = {};
		what.size = sizeof(what);
		what.type = PERF_TYPE_TRACEPOINT;
		what.config = std::stoul(read_all(folder_ + "id"));
		// The tracepoint makes a record for each event; the test does not read them.
		what.sample_period = 1;
		what.sample_type = PERF_SAMPLE_RAW;
		for (long cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++) {
			const long fd = syscall(SYS_perf_event_open, &what, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
			must(errno_of(fd), "perf_event_open");
			perf_.push_back(static_cast<int>(fd));
		}
		std::ofstream(tracing + "trace") << "";
		std::ofstream(folder_ + "enable") << "1";
	}
	~Traced()
	{
		std::ofstream(folder_ + "enable") << "0";
		for (const int fd : perf_)
			close(fd);
	}
	Traced(const Traced &) = delete;
	Traced &operator=(const Traced &) = delete;

	static bool possible() { return access((tracing + "events/sgx2").c_str(), R_OK) == 0; }

	std::string lines() const { return read_all(tracing + "trace"); }
	u64 counted() const
	{
		u64 sum = 0;
		for (const int fd : perf_) {
			u64 value = 0;
			must(read(fd, &value, sizeof(value)) == sizeof(value) ? 0 : EIO, "reading a counter of perf");
			sum += value;
		}
		return sum;
	}

private:
	std::string folder_;
	std::vector<int> perf_;
};

std::string hex(u64 value)
{
	char text[20];
	std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
	return text;
}

class Traces : public Dynamic {
protected:
	void SetUp() override
	{
		ONLY_SGX2();
		if (!Traced::possible())
			GTEST_SKIP() << "needs tracefs";
		Dynamic::SetUp();
	}
	/// Checks that the trace has such a line, and that perf has counted the event.
	static void expect(const Traced &trace, const std::string &line)
	{
		EXPECT_NE(trace.lines().find(line), std::string::npos) << line << "; there is:\n" << trace.lines();
		EXPECT_GT(trace.counted(), 0U);
	}
	std::string name() const { return "enclave=" + hex(enclave.at(0)) + " "; }
};

TEST_F(Traces, Fault)
{
	enclave.map(offset, page, PROT_READ | PROT_WRITE);
	const Traced trace("sgx2_fault");
	EXPECT_TRUE(whole(accept(page, REG | RW | PENDING)));
	expect(trace, "sgx2_fault: " + name() + "address=" + hex(at) + " result=0x");
	EXPECT_EQ(trace.counted(), 1U);
}

TEST_F(Traces, Leaf)
{
	grow(page, PROT_READ | PROT_WRITE);
	const auto machine = machine_or_skip();
	const Traced trace("sgx2_encls");
	machine->inject(SGX2_DEV_INJ_EMODPR, always);
	EXPECT_EQ(enclave.device().restrict_permissions(offset, page, R), (Progress{EFAULT, 0, EPC_PAGE_CONFLICT}));
	machine->clear_injection();
	expect(trace, "sgx2_encls: " + name() + "leaf=0xe address=" + hex(at) + " code=0x7");
}

TEST_F(Traces, Eviction)
{
	grow(64 * page, PROT_READ | PROT_WRITE);
	const Traced trace("sgx2_evict");
	Options options;
	for (options.size = 128 << 20; options.size < 4 * Processor::epc_bytes(); options.size *= 2)
		;
	const Enclave other(options);
	EXPECT_EQ(other.device().augment_pages(other.image().end, 2 * Processor::epc_bytes()).error, 0);
	expect(trace, "sgx2_evict: enclave=" + hex(other.at(0)) + " chunk=0x");
}

TEST_F(Traces, Refusal)
{
	if (Driver::allows_dynamic_code())
		GTEST_SKIP() << "needs dynamic_code=0";
	grow(page, PROT_READ | PROT_WRITE);
	const Traced trace("sgx2_refused");
	EXPECT_EQ(protect(at, page, PROT_READ | PROT_EXEC), EACCES);
	expect(trace, "sgx2_refused: " + name() + "address=" + hex(at));
}

TEST_F(Traces, Loss)
{
	grow(page, PROT_READ | PROT_WRITE);
	const auto machine = machine_or_skip();
	const Traced trace("sgx2_dead");
	machine->lose_epc();
	EXPECT_EQ(enclave.device().restrict_permissions(offset, page, R), (Progress{EIO, 0, 0}));
	expect(trace, "sgx2_dead: enclave=" + hex(enclave.at(0)));
	EXPECT_EQ(trace.counted(), 1U);
}

} // namespace
