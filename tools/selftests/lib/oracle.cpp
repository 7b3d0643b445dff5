// SPDX-License-Identifier: GPL-2.0
// Reads both views and reports their differences.

#include "oracle.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include <dirent.h>
#include <unistd.h>

#include "device.h"
#include "driver.h"

namespace sgx {

namespace {

/// Number of enclaves of a test that are compared: it takes time to read a whole EPCM.
constexpr unsigned compared_a_test = 4;
/// The driver may move pages during a comparison, which is then repeated at most so often.
constexpr unsigned tries = 50, patient_tries = 3000;
constexpr useconds_t nap = 20000;
/// The result of a comparison during which pages moved. It is no failure.
const std::string unsettled = "pages moved";

u64 number(const std::string &file)
{
	u64 value = 0;
	std::ifstream(file) >> value;
	return value;
}

/// Returns the number of EPC pages that the driver counts as used.
u64 used_pages()
{
	const std::string folder = "/sys/class/misc/sgx_enclave/epc_";
	return (number(folder + "total_bytes") - number(folder + "free_bytes") - number(folder + "leaked_bytes")) / page_size;
}

u64 type_number(const std::string &name)
{
	return name == "tcs" ? type_tcs : name == "reg" ? type_reg : type_trim;
}

std::string hex(u64 value)
{
	char text[20];
	std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
	return text;
}

std::string describe(const std::map<u64, u64> &pages)
{
	std::string text = std::to_string(pages.size()) + " pages";
	return pages.empty() ? text : text + " from " + hex(pages.begin()->first) + " to " + hex(pages.rbegin()->first);
}

/// Returns the first page in which the driver's view and the most similar view of the machine differ.
std::string difference(const std::map<u64, u64> &driver, const MachineView &machine)
{
	const std::map<u64, u64> *nearest = nullptr;
	for (const auto &[id, pages] : machine.enclaves) {
		if (!pages.empty() && !driver.empty() && pages.begin()->first >> 21 == driver.begin()->first >> 21)
			nearest = &pages;
	}
	if (!nearest)
		return "the machine has no such enclave; driver: " + describe(driver);
	for (const auto &[address, type] : driver) {
		const auto found = nearest->find(address);
		if (found == nearest->end())
			return "page " + hex(address) + " is resident for the driver, but not in the EPCM";
		if (found->second != type)
			return "page " + hex(address) + " has type " + std::to_string(type) + " for the driver, but " +
			       std::to_string(found->second) + " in the EPCM";
	}
	for (const auto &[address, type] : *nearest) {
		if (!driver.contains(address))
			return "page " + hex(address) + " is in the EPCM, but not resident for the driver";
	}
	return "no difference";
}

} // namespace

std::optional<DriverView> DriverView::of(int fd)
{
	std::ifstream file("/proc/self/fdinfo/" + std::to_string(fd));
	DriverView view;
	u64 base = 0;
	bool created = false;
	for (std::string line; std::getline(file, line);) {
		std::istringstream words(line.substr(std::min(line.find(':') + 1, line.size())));
		if (line.starts_with("sgx2-state:")) {
			std::string state;
			words >> state;
			view.dead = state == "dead";
		} else if (line.starts_with("sgx2-base:")) {
			words >> std::hex >> base;
			created = true;
		} else if (line.starts_with("sgx2-range:")) {
			u64 start = 0, end = 0;
			char dash = 0;
			std::string type, where;
			if (!(words >> std::hex >> start >> dash >> end >> type >> where)) {
				view.cut = true;
				continue;
			}
			for (u64 at = start; where == "resident" && at < end; at += page_size)
				view.pages[base + at] = type_number(type);
		}
	}
	return created ? std::optional(view) : std::nullopt;
}

std::vector<DriverView> DriverView::all()
{
	std::vector<DriverView> views;
	DIR *dir = opendir("/proc/self/fd");
	while (const dirent *entry = dir ? readdir(dir) : nullptr) {
		if (entry->d_name[0] == '.')
			continue;
		if (auto view = of(std::stoi(entry->d_name)))
			views.push_back(std::move(*view));
	}
	if (dir)
		closedir(dir);
	return views;
}

MachineView MachineView::of(const isa::Monitor &machine)
{
	MachineView view;
	for (u64 page = 0; page < machine.pages(); page++) {
		const u64 flags = machine.flags(page);
		if (!(flags & 1))
			continue;
		view.valid++;
		view.blocked += flags >> 4 & 1;
		const u64 type = flags >> 8 & 0xff;
		if (type == type_va)
			continue;
		const isa::EpcmEntry entry = machine.entry(page);
		auto &pages = view.enclaves[entry.enclave];
		if (type != type_secs)
			pages[entry.linear] = type;
	}
	return view;
}

Oracle::Oracle() : machine_(isa::Monitor::find()), process_(getpid())
{
	if (!Driver::is_sgx2())
		silent_ = "only sgx2 shows its pages in fdinfo";
	else if (!machine_)
		silent_ = "this machine does not show its EPCM";
	if (silent_.empty())
		Device::closing = [this](int fd) {
			closing(fd);
		};
}

Oracle::~Oracle()
{
	Device::closing = nullptr;
}

std::string Oracle::once() const
{
	const u64 used = used_pages();
	const auto before = DriverView::all();
	const MachineView machine = MachineView::of(*machine_);
	const auto after = DriverView::all();

	if (used != used_pages() || before.size() != after.size())
		return unsettled;
	bool dead = isa::Monitor::losses() > losses_;
	for (size_t i = 0; i < before.size(); i++) {
		if (before[i].pages != after[i].pages)
			return unsettled;
		dead = dead || before[i].dead;
	}
	// A page that was lost is not in the EPCM, and the driver does not know it until it uses the enclave.
	if (dead)
		return {};
	if (used != machine.valid)
		return "the driver counts " + std::to_string(used) + " used EPC pages, but " + std::to_string(machine.valid) +
		       " EPCM entries are valid";
	if (machine.blocked)
		return std::to_string(machine.blocked) + " pages are blocked, and no thread evicts them";
	for (const DriverView &view : before) {
		const auto same = [&](const auto &enclave) {
			return enclave.second == view.pages;
		};
		if (!view.pages.empty() && !view.cut && std::ranges::none_of(machine.enclaves, same))
			return difference(view.pages, machine);
	}
	return {};
}

std::string Oracle::compare() const
{
	std::string what;
	for (unsigned i = 0; i < tries; i++) {
		what = once();
		if (what.empty())
			break;
		usleep(nap);
	}
	return what == unsettled ? std::string() : what;
}

void Oracle::closing(int fd)
{
	// A child of fork() has a copy of everything, and does not run the test.
	if (!left_ || getpid() != process_ || !DriverView::of(fd))
		return;
	left_--;
	compared_++;
	const std::string what = compare();
	if (!what.empty())
		ADD_FAILURE() << "driver and machine disagree: " << what;
}

void Oracle::OnTestStart(const testing::TestInfo &)
{
	left_ = silent_.empty() ? compared_a_test : 0;
	losses_ = isa::Monitor::losses();
}

void Oracle::OnTestEnd(const testing::TestInfo &)
{
	left_ = 0;
	if (!silent_.empty() || !DriverView::all().empty())
		return;
	// The reclaimer may hold the last reference to an enclave for a moment.
	for (unsigned i = 0; i < patient_tries && (machine_->valid() || used_pages()); i++)
		usleep(nap);
	if (machine_->valid() || used_pages())
		ADD_FAILURE() << "no enclave is open: " << machine_->valid() << " EPCM entries are valid, and the driver uses "
			      << used_pages() << " pages";
}

void Oracle::OnTestIterationEnd(const testing::UnitTest &, int)
{
	if (silent_.empty())
		std::printf("# The oracle compared %lu times.\n", compared_);
	else
		std::printf("# The oracle is not active: %s.\n", silent_.c_str());
}

} // namespace sgx
