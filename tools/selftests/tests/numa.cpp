// SPDX-License-Identifier: GPL-2.0
// From which node the pages of an enclave come: that of the CPU that asks, while it has some.

#include <fstream>
#include <optional>

#include <sched.h>
#include <unistd.h>

#include "fixture.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

/// The first CPU of a node.
std::optional<int> cpu_of(unsigned node)
{
	std::ifstream file("/sys/devices/system/node/node" + std::to_string(node) + "/cpulist");
	int cpu = 0;
	return file >> cpu ? std::optional(cpu) : std::nullopt;
}

unsigned nodes()
{
	unsigned count = 0;
	while (cpu_of(count))
		count++;
	return count;
}

// On a single node as well, and with either driver: what runtimes and schedulers read.
TEST(Node, TellsItsEpc)
{
	const std::vector<Processor::Section> sections = Processor::epc_sections();
	std::vector<u64> expected(nodes()), found;
	// Section n is on node n, as scripts/checks/suite has it.
	for (size_t s = 0; s < sections.size(); s++)
		expected[s < expected.size() ? s : 0] += sections[s].size;
	u64 sum = 0;
	for (size_t node = 0; node < expected.size(); node++) {
		std::ifstream file("/sys/devices/system/node/node" + std::to_string(node) + "/x86/sgx_total_bytes");
		u64 bytes = 0;
		// A node without EPC has no such file.
		found.push_back(file >> bytes ? bytes : 0);
		EXPECT_EQ(static_cast<bool>(file), bytes > 0) << "node " << node;
		sum += bytes;
	}
	EXPECT_EQ(sum, Processor::epc_bytes());
	if (isa::Monitor::find()) {
		EXPECT_EQ(found, expected);
	}
}

/// This thread, on that node, until this goes.
class On {
public:
	explicit On(unsigned node)
	{
		sched_getaffinity(0, sizeof(before_), &before_);
		cpu_set_t one;
		CPU_ZERO(&one);
		CPU_SET(*cpu_of(node), &one);
		must(errno_of(sched_setaffinity(0, sizeof(one), &one)), "sched_setaffinity");
	}
	~On() { sched_setaffinity(0, sizeof(before_), &before_); }
	On(const On &) = delete;
	On &operator=(const On &) = delete;

private:
	cpu_set_t before_;
};

class Numa : public testing::Test {
protected:
	/// The machine makes the sections in the order of its command line, as scripts/checks/suite gives it: section n on node n.
	void SetUp() override
	{
		if (!machine)
			GTEST_SKIP() << "only the SGX2 machine tells where a page is";
		if (nodes() < 2)
			GTEST_SKIP() << "there is one node";
	}
	/// How many pages of a range each section has.
	std::vector<u64> count(const Enclave &enclave, u64 offset, u64 length) const
	{
		std::vector<u64> found(sections.size());
		each([&](const isa::EpcmEntry &entry, size_t section) {
			if (entry.linear >= enclave.at(offset) && entry.linear < enclave.at(offset + length))
				found[section]++;
		});
		return found;
	}
	/// Valid entries in each section, whoever's.
	std::vector<u64> taken() const
	{
		std::vector<u64> found(sections.size());
		each([&](const isa::EpcmEntry &, size_t section) { found[section]++; });
		return found;
	}
	template <typename Look>
	void each(Look look) const
	{
		for (u64 i = 0; i < machine->pages(); i++) {
			const isa::EpcmEntry entry = machine->entry(i);
			for (size_t s = 0; entry.valid() && s < sections.size(); s++) {
				if (entry.phys - sections[s].base < sections[s].size)
					look(entry, s);
			}
		}
	}
	/// Pages that are touched one after the other.
	static void grow(const Enclave &enclave, u64 offset, u64 length)
	{
		enclave.map(offset, length, PROT_READ | PROT_WRITE);
		ASSERT_TRUE(whole(enclave.ask(request(Op::accept, enclave.at(offset), length, REG | RW | PENDING))));
	}

	const std::unique_ptr<isa::Monitor> machine = isa::Monitor::find();
	const std::vector<Processor::Section> sections = Processor::epc_sections();
};

TEST_F(Numa, PagesComeFromTheCallersNode)
{
	if (sections.size() < nodes())
		GTEST_SKIP() << "not each node has EPC";
	constexpr u64 some = 64 * page;
	for (unsigned node = 0; node < nodes(); node++) {
		const On here(node);
		const Enclave enclave;
		const u64 offset = enclave.image().end;
		std::vector<u64> here_alone(sections.size());
		here_alone[node] = enclave.image().heap_length / page;
		EXPECT_EQ(count(enclave, enclave.image().heap, enclave.image().heap_length), here_alone)
			<< "added, on node " << node;
		grow(enclave, offset, some);
		here_alone[node] = some / page;
		EXPECT_EQ(count(enclave, offset, some), here_alone) << "touched, on node " << node;
		if (!Driver::is_sgx2())
			continue;
		const Progress p = enclave.device().augment_pages(offset + some, some);
		EXPECT_EQ(p, (Progress{0, some, 0}));
		EXPECT_EQ(count(enclave, offset + some, some), here_alone) << "by AUGMENT, on node " << node;
	}
}

// One enclave, and a thread that moves.
TEST_F(Numa, EachFaultAsksAnew)
{
	if (sections.size() < nodes())
		GTEST_SKIP() << "not each node has EPC";
	const Enclave enclave;
	for (unsigned node = 0; node < nodes(); node++) {
		const u64 offset = enclave.image().end + node * 16 * page;
		const On here(node);
		grow(enclave, offset, 16 * page);
		std::vector<u64> here_alone(sections.size());
		here_alone[node] = 16;
		EXPECT_EQ(count(enclave, offset, 16 * page), here_alone) << node;
	}
}

TEST_F(Numa, WhenItHasNoneTheyComeFromTheOther)
{
	if (sections.size() < nodes())
		GTEST_SKIP() << "not each node has EPC";
	const u64 own = sections[1].size / page, wanted = own + 256;
	const On here(1);
	const Enclave enclave;
	grow(enclave, enclave.image().end, wanted * page);
	const std::vector<u64> found = count(enclave, enclave.image().end, wanted * page), all = taken();
	EXPECT_EQ(found[0] + found[1], wanted) << "none had to be evicted";
	EXPECT_EQ(all[1], own) << "a page came from elsewhere while this node had one";
	EXPECT_LT(found[0], wanted / 4);
}

TEST_F(Numa, ANodeWithoutEpcIsNoTrouble)
{
	if (sections.size() >= nodes())
		GTEST_SKIP() << "each node has EPC";
	const On here(nodes() - 1);
	const Enclave enclave;
	grow(enclave, enclave.image().end, 64 * page);
	EXPECT_EQ(count(enclave, enclave.image().end, 64 * page)[0], 64U);
	// And under pressure too: what is evicted comes back.
	const u64 much = Processor::epc_bytes() / page * 5 / 4 / 16 * 16;
	grow(enclave, enclave.image().end + 64 * page, much * page);
	Request r = request(Op::fill, enclave.at(enclave.image().end), 64 * page);
	EXPECT_TRUE(whole(enclave.ask(r)));
}

} // namespace
